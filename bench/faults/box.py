"""The same once in a small box: one processor and 1 GB for the whole run, servers and clients together. Long only."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.faults.table import Run

NAMES = ("kills", "syscalls", "storage", "deploys", "copies", "pages", "cuts", "hostile", "slow", "guesses", "logs")
MEGABYTES = 1024
GROUPS = Path("/sys/fs/cgroup")


def measure(run: Run) -> None:
    if not run.is_long:
        run.say("  only with LONG=1")
        return
    # Short, and with the clients in the same box: harder than a board alone on such a machine.
    environment = {name: value for name, value in os.environ.items() if name not in ("LONG", "PYTHONS")}
    first = min(os.sched_getaffinity(0))
    command = ["taskset", "-c", str(first), sys.executable, "-m", "bench.faults", *NAMES]
    with _group() as group:
        if group is not None:
            # Whatever it starts is in the group as well.
            command = ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "sh", *command]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        killed = _killed(group) if group is not None else 0
    lines = [line.strip() for line in ran.stdout.splitlines()]
    rows = [line for line in lines if line.startswith(("pass: ", "FAIL: ", "not measured: "))]
    short = [line for line in rows if not line.startswith("pass: ")]
    for line in short:
        run.say(f"  {line}")
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    limit = f"limited, {killed} killed for memory" if group is not None else "measured, this user may not limit it"
    figure = f"{len(rows)} rows, {len(short)} short; largest process {largest:,.0f} MB, {limit}"
    is_right = bool(rows) and ran.returncode == 0 and not killed and largest <= MEGABYTES
    what = f"{', '.join(NAMES)} on one processor and {MEGABYTES:,} MB, servers and clients together"
    run.row(what, figure, f"every row passes, ≤ {MEGABYTES:,} MB", is_right)


@contextmanager
def _group() -> Iterator[Path | None]:
    """A control group of our own with so much memory and no more; None where this user may not make one."""
    group = _own_group() / f"callboard-box-{os.getpid()}"
    limit = "memory.max" if (GROUPS / "cgroup.controllers").exists() else "memory.limit_in_bytes"
    try:
        group.mkdir()
    except OSError:
        yield None
        return
    try:
        try:
            (group / limit).write_text(str(MEGABYTES * 2**20))
        except OSError:
            yield None
            return
        yield group
    finally:
        with suppress(OSError):  # a process that has not quite ended yet
            group.rmdir()


def _own_group() -> Path:
    """Where the control group that limits the memory of this very process is to be found: version 1 or 2."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return GROUPS / "memory" / path.lstrip("/")
    return GROUPS / Path("/proc/self/cgroup").read_text().splitlines()[-1].split(":", 2)[2].lstrip("/")


def _killed(group: Path) -> int:
    """How many processes the kernel has ended because the group had no memory left."""
    for name in ("memory.events", "memory.oom_control"):
        with suppress(OSError):
            found = re.search(r"^oom_kill (\d+)$", (group / name).read_text(), re.MULTILINE)
            return int(found[1]) if found else 0
    return 0
