"""Where the board stores goes away and comes back: full, locked, stopped, killed, frozen; and descriptors run out."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil

from bench.faults.client import Sender, new_board
from bench.faults.ledger import LATEST_ANSWER, Ledger, find
from bench.faults.table import Run
from tests.postgres import PostgresServer
from tests.running import RunningBoard

RATE = 20.0
HEALED_WITHIN = 5.0
GOAL = f"no answer after {LATEST_ANSWER} s, none missing, 0 lost, heals by itself within {HEALED_WITHIN:.0f} s"
GOAL_UNACCEPTED = GOAL.replace("none missing, ", "")  # nobody can answer a connection that the kernel still holds
DESCRIPTORS = 64
PAGE = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Holds a SQLite file as a backup or a forgotten shell does, until its standard input ends.
LOCK = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
file.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""

Fault = Callable[[], AbstractContextManager[None]]


def measure(run: Run) -> None:
    _disk(run)
    board = new_board(run.place("storage-locked"))
    with started(board):
        for seconds in (1, 3, 10):
            weather(run, board, f"database locked by another process for {seconds} s", partial(_locked, board), seconds)
    _descriptors(run)
    _postgres(run)


@contextmanager
def started(board: RunningBoard) -> Iterator[None]:
    try:
        board.start()
        yield
    finally:
        board.end()


def weather(
    run: Run,
    board: RunningBoard,
    what: str,
    fault: Fault,
    seconds: float,
    *,
    stays: int = 0,
    all_answered: bool = True,
    is_felt: bool = True,
) -> None:
    """A steady load before, in and after a fault of some seconds, and the row that says how it went.

    `is_felt`: where no report is refused or kept waiting, the fault was not made.
    """
    with Sender(board.port, what, RATE, stays=stays) as sender:
        sender.wait_for_acknowledgement(0.0, 5)
        with fault():
            began = time.monotonic()
            time.sleep(seconds)
            stopped = time.monotonic()
        ended = time.monotonic()
        healed = sender.wait_for_acknowledgement(ended, 40)
        time.sleep(1)
    ledger = sender.ledger
    found = find(board, ledger)
    back = "never" if healed is None else f"{healed:.1f} s"
    felt = len(ledger.felt(began, stopped))
    figure = f"{_words(ledger)}, {felt} felt it, {len(ledger.late)} late; {found}; healed {back} after"
    is_right = found.is_right and not ledger.late and healed is not None and healed < HEALED_WITHIN
    is_right &= bool(felt) or not is_felt
    run.row(
        what, figure, GOAL if all_answered else GOAL_UNACCEPTED, is_right and not (all_answered and ledger.unanswered)
    )


def _words(ledger: Ledger) -> str:
    statuses = ", ".join(f"{count} × {status or 'no answer'}" for status, count in sorted(ledger.statuses.items()))
    return f"{statuses}; slowest answer {ledger.slowest:.1f} s"


@contextmanager
def _locked(board: RunningBoard) -> Iterator[None]:
    command = [sys.executable, "-c", LOCK, str(board.database_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            other.stdin.close()


def _disk(run: Run) -> None:
    what = "disk full (a file system of 16 MB), then freed"
    folder = run.place("storage-disk")
    with ExitStack() as mounted:
        mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "callboard-faults", str(folder)]
        made = subprocess.run(mount, capture_output=True, text=True, check=False)
        if made.returncode:
            run.not_measured(what, f"no file system may be mounted here ({made.stderr.strip()}): run it as root")
            return
        mounted.callback(subprocess.run, ["umount", str(folder)], check=False)
        board = _on_disk(new_board(run.place("storage-disk-log")), folder)
        with started(board):
            weather(run, board, what, partial(_full, folder), run.choose(6.0, 20.0))


def _on_disk(board: RunningBoard, folder: Path) -> RunningBoard:
    """The same board with its data on the small file system; its log stays where there is room."""
    # Without the reserve: it is larger than this disk, and it is the full one that is to be met.
    board.environment |= {"DASHBOARD_DATA": str(folder / "data"), "DASHBOARD_DISK_RESERVE": "0"}
    (board.folder / "data").symlink_to(folder / "data", target_is_directory=True)
    return board


@contextmanager
def _full(folder: Path) -> Iterator[None]:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        ballast.unlink()


def _descriptors(run: Run) -> None:
    board = new_board(run.place("storage-descriptors"))
    with started(board):
        seconds = run.choose(6.0, 20.0)
        what = f"{2 * DESCRIPTORS} pages where {DESCRIPTORS} descriptors are all, reports on new connections"
        weather(run, board, what, partial(_crowded, board, PAGE), seconds, is_felt=False)
        silent = partial(_crowded, board, b"")
        what = f"descriptors gone ({DESCRIPTORS}, taken by silent connections), reports on open connections"
        weather(run, board, what, silent, seconds, stays=4, is_felt=False)
        what = "descriptors gone, reports on new connections"
        weather(run, board, what, silent, seconds, all_answered=False, is_felt=False)


@contextmanager
def _crowded(board: RunningBoard, words: bytes) -> Iterator[None]:
    """Twice as many connections as the board may have descriptors, each saying the same at first."""
    assert board.process is not None
    server = psutil.Process(board.process.pid)
    before = resource.prlimit(board.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(board.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, before[1]))
    with ExitStack() as crowd:
        try:
            for _ in range(2 * DESCRIPTORS):
                one = crowd.enter_context(socket.create_connection(("127.0.0.1", board.port), timeout=2))
                one.sendall(words)
            until = time.monotonic() + 5
            while server.num_fds() < DESCRIPTORS:
                assert time.monotonic() < until, "the board has descriptors left"
            yield
        finally:
            resource.prlimit(board.process.pid, resource.RLIMIT_NOFILE, before)


def _postgres(run: Run) -> None:
    server = PostgresServer()
    try:
        server.start()
        for what, fault, seconds in (
            ("PostgreSQL stopped and started", partial(_stopped, server), 5.0),
            ("PostgreSQL killed (-9) and started", partial(_killed, server), 5.0),
            ("PostgreSQL frozen (SIGSTOP)", server.frozen, run.choose(8.0, 30.0)),
        ):
            name = f"storage-{what.split()[1]}"
            board = new_board(run.place(name), DASHBOARD_DATABASE_URL=server.new_database())
            with started(board):
                weather(run, board, f"{what}, {seconds:.0f} s", fault, seconds)
    finally:
        server.close()


@contextmanager
def _stopped(server: PostgresServer) -> Iterator[None]:
    server.stop("fast")
    try:
        yield
    finally:
        server.start()


@contextmanager
def _killed(server: PostgresServer) -> Iterator[None]:
    for process in [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            os.kill(process.pid, signal.SIGKILL)
    server.stop("immediate")
    try:
        yield
    finally:
        server.start()
