"""The Nth sync, write or open of a webhook's life fails or kills: a 2xx is always stored, whatever N is."""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench.faults.client import burst, canary_report, new_board
from bench.faults.ledger import Ledger, find
from bench.faults.table import Run
from bench.faults.tracing import Tracing, strace_path, unsynced_answers, was_injected
from tests.running import RunningBoard

CALLS = ("fdatasync", "pwrite64", "openat")
MOST_POINTS = 400
ANSWERING = "recvfrom,read,fdatasync,sendto,sendmsg,write"


def measure(run: Run) -> None:
    strace_path()
    board = new_board(run.place("syscalls"))
    board.start()
    try:
        _sync_before_answer(run, board)
        strikes = Strikes(run, board)
        for call in CALLS:
            for fault in ("error=EIO", "error=ENOSPC", "signal=KILL"):
                strikes.strike_all(call, fault)
        for call in CALLS[:2]:
            strikes.strike_for_good(call)
    finally:
        board.end()
    _open_while_starting(run, strikes)
    found = find(board, strikes.ledger)
    for words in strikes.missed:
        run.say(f"  never struck: {words}")
    run.row(
        f"the Nth sync, write and open of a webhook failed (EIO, ENOSPC, SIGKILL): {strikes.points} points",
        f"{strikes.wrong} wrong; {found}; {strikes.unhealed} not healed by the next report; "
        f"{len(strikes.missed)} faults never struck",
        "every 2xx stored, nothing stored twice, every fault struck",
        found.is_right and not (strikes.wrong or strikes.unhealed or strikes.missed),
    )


def _sync_before_answer(run: Run, board: RunningBoard) -> None:
    count = run.choose(100, 1000)
    assert board.process is not None
    with Tracing(board.process.pid, run.folder / "order.strace", ANSWERING) as tracing:
        ledger = burst(board.port, ((f"order {n}", canary_report(f"order {n}")) for n in range(count)), at_once=1)
    answers, missing = unsynced_answers(tracing.lines)
    figure = f"{answers} of {len(ledger.acknowledged)} answers seen, {missing} without"
    what = f"an fdatasync of the log between reading a request and its 2xx, {count} requests, seen by strace"
    run.row(what, figure, "0 without", not missing and answers == len(ledger.acknowledged) == count)


@dataclass
class Strikes:
    """Webhooks posted one at a time, each into a fault; what became of them."""

    run: Run
    board: RunningBoard
    ledger: Ledger = field(default_factory=Ledger)
    points: int = 0
    wrong: int = 0
    unhealed: int = 0
    missed: list[str] = field(default_factory=list)
    """Faults that never struck, in words: they would do no harm, whatever the board does."""

    def strike_all(self, call: str, fault: str) -> None:
        """Fail the Nth `call` for every N, until a webhook no longer makes so many."""
        for number in itertools.count(1):
            if number > MOST_POINTS or not self._strike(call, f"{fault}:when={number}"):
                self.run.say(f"  {call} {fault}: {number - 1} points")
                if number == 1 and call != "openat":  # a webhook need not open a file
                    self.missed.append(f"{call} {fault}")
                return
            self.points += 1

    def strike_for_good(self, call: str) -> None:
        """Every such call fails while the webhook waits: it must be refused in time, and nothing be promised."""
        if self._strike(call, "error=EIO:when=1+"):
            self.points += 1
        else:
            self.missed.append(f"{call} for good")

    def _strike(self, call: str, injection: str) -> bool:
        assert self.board.process is not None
        # Not longer than strace lets go: a dead server leaves strace with nobody to look at.
        options = ("-e", f"inject={call}:{injection}")
        with Tracing(self.board.process.pid, self.run.folder / "strike.strace", call, *options) as tracing:
            self.post(f"{call} {injection}")
        is_reached = was_injected(tracing.lines) or "killed by" in "".join(tracing.lines)
        if self.board.process.poll() is not None:
            self.board.start()
            is_reached = True
        if self.post(f"after {call} {injection}") != 200:
            self.unhealed += 1
        return is_reached

    def post(self, words: str) -> int:
        """One report; the inbox is looked at right after its answer."""
        sid = f"{words} {len(self.ledger.sent)}"
        self.ledger.sent += burst(self.board.port, [(sid, canary_report(sid))], at_once=1).sent
        sent = self.ledger.sent[-1]
        if 200 <= sent.status < 300 and not is_stored(self.board.database_file, sent.sha256):
            self.wrong += 1
        return sent.status


def is_stored(file: Path, sha256: str) -> bool:
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT body FROM inbox WHERE sha256 = ?", [bytes.fromhex(sha256)]).fetchall()
    return any(hashlib.sha256(body or b"").hexdigest() == sha256 for (body,) in rows)


def _open_while_starting(run: Run, strikes: Strikes) -> None:
    """Fail the Nth opening of the database's files from the first on: no server at all is right, a false 2xx is not."""
    board = strikes.board
    files = [str(board.database_file) + end for end in ("", "-wal", "-shm")]
    watched = [option for file in files for option in ("-P", file)]
    program, python = board.program, board.python
    for number in itertools.count(1):
        log = run.folder / "open.strace"
        inject = f"inject=openat:error=EIO:when={number}"
        options = ("-D", "-f", "-o", str(log), "-e", "trace=openat", "-e", inject, *watched)
        board.python, board.program = strace_path(), (*options, python, *program)
        try:
            board.start()
            strikes.post(f"start {number}")
        except AssertionError:
            run.say(f"  opening no. {number} of the database while it starts: refuses to start")
        finally:
            board.end()
            board.python, board.program = python, program
        if not was_injected(log.read_text(errors="replace").splitlines()) or number > 40:
            run.say(f"  openings while it starts: {number - 1} points")
            if number == 1:
                strikes.missed.append("openat while it starts")
            return
        strikes.points += 1
