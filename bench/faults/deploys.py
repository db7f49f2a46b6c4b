"""Restarts under load, the listening socket handed over: whoever posts meanwhile waits, and none is refused."""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from bench.faults.client import PATIENCE, SECRET, Sender, guarded, sign_in
from bench.faults.ledger import find
from bench.faults.table import Run
from bench.streams import Streams
from dashboard.connections import BACKLOG
from tests.running import RunningBoard

RATE = 100.0
LONGEST_EXIT = 5.0


def measure(run: Run) -> None:
    for python in _pythons():
        _restarts(run, python)


def _pythons() -> list[str]:
    """The present one, and for every one named in PYTHONS the environment that `make matrix` has made for it."""
    found = [sys.executable]
    for python in os.environ.get("PYTHONS", "").split():
        version = _version(python)
        found.append(str(Path(".cache/matrix") / version / "bin" / "python"))
    return found


def _version(python: str) -> str:
    words = "import platform; print(platform.python_version())"
    return subprocess.run([python, "-c", words], capture_output=True, text=True, check=True).stdout.strip()


def _restarts(run: Run, python: str) -> None:
    rounds, pages = run.choose(6, 50), run.choose(200, 1000)
    version = platform.python_version() if python == sys.executable else Path(python).parts[-3]
    what = f"{rounds} restarts under {RATE:.0f} webhooks/s, {pages:,} pages open, socket handed over, Python {version}"
    if not Path(python).exists():
        run.not_measured(what, f"no environment: run make matrix PYTHONS with Python {version} first")
        return
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as parent:
        board = RunningBoard(
            run.place(f"deploys-{version}"),
            {"DASHBOARD_BIND": f"fd://{parent.fileno()}", "DASHBOARD_WEBHOOK_SECRET": SECRET},
            pass_fds=(parent.fileno(),),
            python=python,
        )
        board.port = parent.getsockname()[1]
        board.environment |= guarded(board.port)
        board.start()
        try:
            exits, starts, codes, sender = _run(run, board, rounds, pages)
        finally:
            board.end()
        ledger, found = sender.ledger, find(board, sender.ledger)
    failed = len(ledger.sent) - len(ledger.acknowledged)
    cut = sum(sent.seconds < PATIENCE for sent in ledger.unanswered)
    left = len(ledger.unanswered) - cut
    figure = (
        f"{len(ledger.sent):,} sent, {failed} failed ({cut} cut, {left} waited {PATIENCE:.0f} s), "
        f"slowest {ledger.slowest:.1f} s; {found}; longest exit {max(exits):.1f} s, longest start {max(starts):.1f} s, "
        f"exit codes {sorted(codes)}"
    )
    is_right = not failed and not ledger.late and found.is_right and max(exits) < LONGEST_EXIT and codes == {0}
    run.row(what, figure, f"0 failed, each exit 0 under {LONGEST_EXIT:.0f} s", is_right)


def _run(run: Run, board: RunningBoard, rounds: int, pages: int) -> tuple[list[float], list[float], set[int], Sender]:
    exits, starts, codes = list[float](), list[float](), set[int]()
    cookie = sign_in(board.url)
    with Sender(board.port, "deploy", RATE) as sender:
        for number in range(1, rounds + 1):
            with Streams(board.port, "/live", pages, cookie):
                time.sleep(0.5)
                began = time.monotonic()
                board.signal(signal.SIGTERM)
                codes.add(board.wait(30))
                exits.append(time.monotonic() - began)
            began = time.monotonic()
            board.start()
            starts.append(time.monotonic() - began)
            words = f"ended after {exits[-1]:.2f} s, ready after {starts[-1]:.2f} s"
            run.say(f"  restart {number}: {words}; {dict(sender.ledger.statuses)}")
        time.sleep(1)
    return exits, starts, codes, sender
