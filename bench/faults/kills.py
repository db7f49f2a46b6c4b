"""SIGKILL under load: what was acknowledged is there, exactly once and byte for byte, on both databases."""

from __future__ import annotations

import hashlib
from collections import Counter

from bench.crash import Ledger as CrashLedger
from bench.crash import crash, recover
from bench.faults import ledger as ledgers
from bench.faults.table import Run
from tests.postgres import PostgresServer
from tests.reports import report
from tests.running import RunningBoard

LEAST_ACKNOWLEDGED = 100_000


def measure(run: Run) -> None:
    _rounds(run, "SQLite", {})
    server = PostgresServer()
    try:
        server.start()
        _rounds(run, "PostgreSQL", {"DASHBOARD_DATABASE_URL": server.new_database()})
    finally:
        server.close()


def _rounds(run: Run, kind: str, environment: dict[str, str]) -> None:
    rounds = run.choose(20, 200)
    lives = run.choose((0.05, 0.8), (0.2, 2.5))
    board, known = RunningBoard(run.place(f"kills-{kind}"), environment), CrashLedger()
    board.start()
    try:
        worst = 0
        for number in range(1, rounds + 1):
            found = crash(board, known, f"{kind} {number}", lives)
            worst = max(worst, found.lost + found.doubled + (not found.is_sound))
            run.say(f"  round {number}: {found}")
            if worst:
                break
            recover(board, known)
    finally:
        board.end()
    verdict = ledgers.find(board, _as_ledger(known))
    enough = not run.is_long or verdict.acknowledged >= LEAST_ACKNOWLEDGED
    goal = "0 lost, 0 doubled, sound" + (f", ≥ {LEAST_ACKNOWLEDGED:,} acknowledged" if run.is_long else "")
    run.row(
        f"`kill -9` under load, {rounds} rounds, {kind}", str(verdict), goal, verdict.is_right and not worst and enough
    )
    if refused := Counter(known.refused):
        run.say(f"  refused meanwhile: {dict(refused)}")


def _as_ledger(known: CrashLedger) -> ledgers.Ledger:
    """The same knowledge with the hash of each body: what the clients post is made from the callSid alone."""
    sent = [
        ledgers.Sent(sid, hashlib.sha256(report(sid)).hexdigest(), 200, 0.0, 0.0) for sid in sorted(known.acknowledged)
    ]
    return ledgers.Ledger(sent)
