"""Many open pages: each shows every call once and in order, and all come back at once after a restart."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import Any

from bench.faults.client import Sender, new_board
from bench.faults.ledger import Ledger, find
from bench.faults.readers import Readers, Seen
from bench.faults.table import Run
from tests.running import RunningBoard

RATE = 20.0
P99_MS = 500.0
BACK_WITHIN = 10.0
SLOWEST_WEBHOOK = 1.0
STORM_RATE = 5.0


def measure(run: Run) -> None:
    pages = run.choose(500, 2_000)
    board = new_board(run.place("pages"))
    board.start()
    try:
        with Readers(board.port, pages) as readers:
            _steady(run, board, readers, pages)
            _storm(run, board, readers, pages)
    finally:
        board.end()


def _steady(run: Run, board: RunningBoard, readers: Readers, pages: int) -> None:
    seconds = run.choose(15.0, 60.0)
    with Sender(board.port, "steady", RATE) as sender:
        time.sleep(seconds)
    found = find(board, sender.ledger)
    readers.complete(found.acknowledged, 20)
    seen = readers.seen(_committed(board, sender.ledger))
    figure = (
        f"{seen.complete:,} of {pages:,} pages have all {found.acknowledged:,}, {_faults(seen)}; "
        f"p50 {seen.p50_ms:.0f} ms, p99 {seen.p99_ms:.0f} ms"
    )
    what = f"{pages:,} open pages, {RATE:.0f} calls/s for {seconds:.0f} s: every call on every page"
    goal = f"all, once, in order; p99 from acknowledgement to byte < {P99_MS:.0f} ms"
    run.row(what, figure, goal, found.is_right and _is_right(seen, pages) and seen.p99_ms < P99_MS)


def _storm(run: Run, board: RunningBoard, readers: Readers, pages: int) -> None:
    """The server is restarted; every page is at its door in the moment it listens again, and reports go on coming."""
    before = _calls(board)
    board.end()
    board.start()
    back = time.monotonic()
    with Sender(board.port, "storm", STORM_RATE) as sender:
        time.sleep(5)
    expected = before + len(sender.ledger.acknowledged)
    is_complete = readers.complete(expected, 2 * BACK_WITHIN)
    seen = readers.seen(_committed(board, sender.ledger) | dict.fromkeys(range(1, before + 1), 0))
    taken = seen.last_ns / 1e9 - back
    ledger, found = sender.ledger, find(board, sender.ledger)
    figure = (
        f"{seen.complete:,} of {pages:,} caught up, the last {taken:.1f} s after the board was ready; {_faults(seen)}; "
        f"webhooks p99 {ledger.p99():.2f} s, slowest {ledger.slowest:.2f} s"
    )
    what = f"{pages:,} pages come back at once after a restart, reports for 5 s meanwhile"
    goal = f"all caught up within {BACK_WITHIN:.0f} s, webhooks under {SLOWEST_WEBHOOK:.0f} s"
    is_right = is_complete and _is_right(seen, pages) and taken < BACK_WITHIN and found.is_right
    run.row(what, figure, goal, is_right and ledger.slowest < SLOWEST_WEBHOOK and not ledger.unanswered)


def _is_right(seen: Seen, pages: int) -> bool:
    return (seen.complete, seen.repeats, seen.out_of_order) == (pages, 0, 0)


def _faults(seen: Seen) -> str:
    return f"{seen.repeats} rows twice, {seen.out_of_order} out of order"


def _committed(board: RunningBoard, ledger: Ledger) -> dict[int, int]:
    """The moment of each call's acknowledgement, ns on the monotonic clock, by the id that the table gives it."""
    moments = {sent.sid: int(sent.at * 1e9) for sent in ledger.acknowledged}
    return {call_id: moments[sid] for call_id, sid in _read(board, "SELECT id, call_sid FROM call") if sid in moments}


def _calls(board: RunningBoard) -> int:
    return int(_read(board, "SELECT count(*) FROM call")[0][0])


def _read(board: RunningBoard, query: str) -> list[Any]:
    with closing(sqlite3.connect(board.database_file)) as file:
        return file.execute(query).fetchall()
