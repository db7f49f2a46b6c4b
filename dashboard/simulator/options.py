"""What can be asked of the simulator, and the arguments that say so. Sends nothing."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_CALLS = 100
DEFAULT_RATE = 2.0


@dataclass(frozen=True)
class SimulateOptions:
    """`rate` in reports per second, 0 for as fast as the board answers; without a seed every run is another story."""

    url: str = DEFAULT_URL
    secret: str = field(default="", repr=False)
    calls: int = DEFAULT_CALLS
    rate: float = DEFAULT_RATE
    seed: int | None = None
    replay: Path | None = None
    clips: str | None = None
    yes_real_board: bool = False


def add_simulate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default=DEFAULT_URL, type=_url, help="address of the board (default: %(default)s)")
    parser.add_argument(
        "--secret", default=None, help="webhook secret (default: DASHBOARD_WEBHOOK_SECRET; the first of two)"
    )
    parser.add_argument("--calls", default=DEFAULT_CALLS, type=_count, help="how many calls (default: %(default)s)")
    parser.add_argument(
        "--rate",
        default=DEFAULT_RATE,
        type=_rate,
        help="reports per second, 0 = as fast as it can (default: %(default)g)",
    )
    parser.add_argument("--seed", type=int, help="the same number tells the same story again")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="send these webhook bodies instead, one a line")
    parser.add_argument("--clips", type=_url, metavar="URL", help="where the recordings of the simulated calls lie")
    parser.add_argument("--yes-real-board", action="store_true", help="send although the board holds real calls")


def options_from(args: argparse.Namespace) -> SimulateOptions:
    secret = os.environ.get("DASHBOARD_WEBHOOK_SECRET", "") if args.secret is None else args.secret
    return SimulateOptions(
        url=args.url,
        secret=secret.split(",")[0].strip(),  # the board takes two while one replaces the other
        calls=args.calls,
        rate=args.rate,
        seed=args.seed,
        replay=args.replay,
        clips=args.clips,
        yes_real_board=args.yes_real_board,
    )


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"an address begins with http:// or https://, not {text!r}")
    return text.rstrip("/")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on, not {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < float("inf"):
        raise argparse.ArgumentTypeError(f"a number from 0 on, not {text!r}")
    return rate
