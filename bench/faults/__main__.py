"""`make faults`: every promise of survival with its figure, its goal and pass or fail; ends with 1 where any fails."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from bench.faults.table import Run, as_markdown
from bench.servers import NotMeasured
from dashboard.server import raise_descriptor_limit

# In this order: the logs of all servers are searched after the last of them has ended.
NAMES = {
    "kills": "kill -9 under load",
    "syscalls": "the Nth sync, write, open fails; a sync before every 2xx",
    "storage": "disk full, locked, PostgreSQL away or frozen, no descriptors",
    "failover": "PostgreSQL fails over, is read-only, pooled or not UTF-8; a disk turns read-only",
    "deploys": "restarts with the socket handed over",
    "copies": "every call five times at once",
    "pages": "many open pages, and all of them coming back at once",
    "cuts": "random cuts between page, stream and reconnect",
    "hostile": "hostile bodies",
    "markup": "hostile markup in a real browser",
    "slow": "slow, large and two-faced requests",
    "viewer": "a viewer who tries everything possible",
    "guesses": "sign-in tries",
    "churn": "an hour of coming and going (LONG=1)",
    "box": "one processor (LONG=1)",
    "spreadsheets": "exports that a spreadsheet opened, saved and damaged",
    "logs": "secrets and numbers in logs",
    "packages": "published advisories",
    "mutants": "faults put into our own code (LONG=1)",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which to run; without any, all")
    parser.add_argument("--list", action="store_true", help="name them and end")
    options = parser.parse_args()
    if options.list:
        for name, words in NAMES.items():
            print(f"{name:<12} {words}")
        return 0
    if unknown := set(options.names) - NAMES.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; --list names them")
    # Whoever is told to stop ends his servers and unmounts first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise_descriptor_limit()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="callboard-faults-") as folder:
        run = Run(Path(folder), is_long=os.environ.get("LONG", "") not in ("", "0"))
        for name in NAMES:
            if name in (options.names or NAMES):
                run.say(f"{name}: {NAMES[name]}")
                _measure(run, name)
    minutes = (time.monotonic() - began) / 60
    run.say(f"\n{as_markdown(run.rows)}\n")
    length = "full" if run.is_long else "short"
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    busy = "; other work may be under way: then what is lost still counts, and times do not" if load > 2 * cores else ""
    python = platform.python_version()
    run.say(f"{minutes:.1f} minutes, {length} numbers, {cores} cores, load {load:.1f}, Python {python}{busy}")
    return run.exit_code


def _measure(run: Run, name: str) -> None:
    """One kind of fault. What breaks the measuring itself is a row as well: it must not hide the others."""
    try:
        measure: Callable[[Run], None] = import_module(f"bench.faults.{name}").measure
        measure(run)
    except NotMeasured as problem:
        run.not_measured(NAMES[name], str(problem))
    except Exception as problem:  # noqa: BLE001 - whatever it is, the other rows are still worth having
        traceback.print_exc()
        run.row(NAMES[name], f"broke off: {type(problem).__name__}: {problem}"[:300], "-", False)


if __name__ == "__main__":
    sys.exit(main())
