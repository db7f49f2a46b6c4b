"""The same once in a small box: one processor for the whole run, server and clients together. Long runs only."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

from bench.faults.table import Run

NAMES = ("kills", "copies", "pages", "hostile", "slow", "guesses")
MEGABYTES = 1024


def measure(run: Run) -> None:
    what = f"{', '.join(NAMES)} on one processor, servers under 1 GB"
    if not run.is_long:
        run.say("  only with LONG=1")
        return
    # Short, and with the clients in the same box: harder than a board alone on such a machine. Memory is not limited
    # but measured: a limit on addresses (prlimit --as) counts what is never touched.
    environment = {name: value for name, value in os.environ.items() if name != "LONG"}
    first = min(os.sched_getaffinity(0))
    ran = subprocess.run(
        ["taskset", "-c", str(first), sys.executable, "-m", "bench.faults", *NAMES],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    failed = [line.strip() for line in ran.stdout.splitlines() if line.startswith(("  FAIL", "  not measured"))]
    for line in failed:
        run.say(f"  {line}")
    figure = f"{len(failed)} rows short; largest process {largest:,.0f} MB (measured, not limited)"
    run.row(what, figure, f"every row passes, ≤ {MEGABYTES} MB", ran.returncode == 0 and largest <= MEGABYTES)
