"""Callboard beside its peers, in one run on loopback: `python -m bench [webhooks|streams|dom|memory|all] [--short]`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench import fanout, memory, webhooks
from bench.report import Report

MEASUREMENTS = ("webhooks", "streams", "dom", "memory")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Callboard beside its peers, as ratios.")
    parser.add_argument("what", nargs="?", default="all", choices=[*MEASUREMENTS, "all"])
    parser.add_argument("--short", action="store_true", help="one round of everything, in about a minute")
    parser.add_argument(
        "--before", type=Path, metavar="DIR", help="another checkout of Callboard, to compare webhooks with"
    )
    arguments = parser.parse_args()
    _raise_descriptor_limit()
    report = Report()
    began = time.monotonic()
    report.say(_machine())
    for name, measure in _measurements(arguments.short, arguments.before).items():
        if arguments.what in (name, "all"):
            measure(report)
    report.close()
    report.say(f"\n{time.monotonic() - began:.0f} s in all.")
    return 0


def _measurements(short: bool, before: Path | None) -> dict[str, Callable[[Report], None]]:
    if short:
        return {
            "webhooks": lambda report: webhooks.measure(report, rounds=1, seconds=1.5, warm=1, before=before),
            "streams": lambda report: fanout.measure(report, rounds=1, singles=3),
            "dom": lambda report: _dom(report, seconds=5),
            "memory": lambda report: memory.measure(report, settle=0.5),
        }
    return {
        "webhooks": lambda report: webhooks.measure(report, rounds=4, seconds=3, warm=2, before=before),
        "streams": lambda report: fanout.measure(report, rounds=4, singles=7),
        "dom": lambda report: _dom(report, seconds=30),
        "memory": lambda report: memory.measure(report, settle=2),
    }


def _dom(report: Report, *, seconds: float) -> None:
    if importlib.util.find_spec("playwright") is None:
        report.not_measured("webhook sent to row in the DOM", "Playwright is not installed: `make bench` installs it.")
        return
    from bench import dom

    dom.measure(report, seconds=seconds)


def _machine() -> str:
    """Where the figures come from: the cost of one flush decides what "durable" costs."""
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    others = "; other work is under way, so trust the ratios and not the figures" if load > cores / 2 else ""
    engine = "uvicorn with uvloop and httptools" if importlib.util.find_spec("uvloop") else "uvicorn without extras"
    return (
        f"{cores} cores, load {load:.1f}, Python {platform.python_version()}, {engine}; "
        f"one fdatasync in {tempfile.gettempdir()} takes {1000 * _flush_seconds():.2f} ms{others}"
    )


def _flush_seconds() -> float:
    took = []
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder, (Path(folder) / "f").open("wb") as file:
        for _ in range(50):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took)


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
