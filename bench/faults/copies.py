"""Every call several times, at once and shuffled, as two webhooks of one platform send it: one row, one change each."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

from bench.crash import rebuild
from bench.faults.client import burst, canary_report, new_board
from bench.faults.ledger import find
from bench.faults.table import Run
from bench.streams import Streams

COPIES = 5


def measure(run: Run) -> None:
    calls = run.choose(1_000, 10_000)
    reports = [(f"copy {number}", canary_report(f"copy {number}")) for number in range(calls)] * COPIES
    random.Random(5).shuffle(reports)
    board = new_board(run.place("copies"))
    board.start()
    try:
        with Streams(board.port, "/live", 1) as stream:
            stream.expect(calls)
            ledger = burst(board.port, reports)
            arrival = stream.arrival()
        found = find(board, ledger)
    finally:
        board.end()
    with closing(sqlite3.connect(board.database_file)) as file:
        rows = file.execute("SELECT count(*) FROM call").fetchone()[0]
        duplicates = file.execute("SELECT count(*) FROM inbox WHERE verdict = 'duplicate'").fetchone()[0]
    said = rebuild(board)
    figure = (
        f"{len(ledger.acknowledged):,} × 2xx, {rows:,} rows, {arrival.delivered:,} on the stream and {arrival.repeats} "
        f"of them again, {duplicates:,} duplicates counted; rebuild: {said}"
    )
    is_right = found.is_right and len(ledger.acknowledged) == COPIES * calls and "; 0 rows were not" in said
    is_right &= (rows, arrival.delivered, arrival.repeats, duplicates) == (calls, calls, 0, (COPIES - 1) * calls)
    what = f"{calls:,} calls × {COPIES} copies at once, shuffled"
    run.row(what, figure, "a row and a first appearance each, rebuild mends 0", is_right)
