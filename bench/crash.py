"""kill -9 under load: is every call that was answered 200 there, exactly once? Loopback only, bounded in rounds.

`python -m bench.crash --rounds 20 [--database-url postgresql://…]`. The clients keep a ledger of what was acknowledged;
it is compared with what plain sqlite3 or psycopg finds, past everything the board itself could get wrong.
"""

from __future__ import annotations

import argparse
import http.client
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.reports import WEBHOOK, report
from tests.running import RunningBoard

SENDERS = 8
SHORTEST_LIFE, LONGEST_LIFE = 0.05, 0.8  # seconds between the first answer of a round and the kill


@dataclass
class Ledger:
    """What the clients know; `unanswered` was sent, and nobody can tell whether it was stored."""

    acknowledged: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    refused: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What lies in the database."""

    acknowledged: int
    lost: int
    doubled: int
    stored: int
    is_sound: bool

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, {self.lost} lost, {self.doubled} doubled, "
            f"{self.stored - self.acknowledged + self.lost} stored and not acknowledged, "
            f"database {'sound' if self.is_sound else 'DAMAGED'}"
        )


class Load:
    """Clients that post one report after the other, each of another call, until their connection breaks."""

    def __init__(self, port: int, ledger: Ledger, name: str, at_least: int = 1) -> None:
        """`is_under_way` once so many of them were answered."""
        self.port, self.ledger, self.name = port, ledger, name
        self.answers_due = len(ledger.acknowledged) + at_least
        self.is_under_way = threading.Event()
        self.threads = [threading.Thread(target=self._send, args=[number], daemon=True) for number in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(10)

    def _send(self, sender: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        number = 0
        while True:
            number += 1
            sid = f"{self.name} {sender} {number}"
            self.ledger.unanswered.add(sid)
            try:
                status = status_of(connection, sid)
            except (OSError, http.client.HTTPException):
                connection.close()
                return
            if status == 200:
                self.ledger.acknowledged.add(sid)
                self.ledger.unanswered.discard(sid)
                if len(self.ledger.acknowledged) >= self.answers_due:
                    self.is_under_way.set()
            else:
                self.ledger.refused.append(status)


def crash(
    board: RunningBoard,
    ledger: Ledger,
    name: str,
    lives: tuple[float, float] = (SHORTEST_LIFE, LONGEST_LIFE),
    *,
    at_least: int = 1,
) -> Found:
    """One round: load, kill -9 at a random moment of `lives` seconds, compare. The board is down afterwards.

    These seconds begin with the first answer, or with the answer that is number `at_least` of the round.
    """
    load = Load(board.port, ledger, name, at_least)
    if not load.is_under_way.wait(10):
        raise RuntimeError(f"too few reports were answered: {board.log.read_text()[-1000:]}")
    time.sleep(random.uniform(*lives))
    board.kill()
    load.join()
    return compare(board, ledger)


def recover(board: RunningBoard, ledger: Ledger) -> None:
    """Start again, and send again what was not answered."""
    board.start()
    with closing(http.client.HTTPConnection("127.0.0.1", board.port, timeout=10)) as connection:
        for sid in sorted(ledger.unanswered):
            if status_of(connection, sid) == 200:
                ledger.acknowledged.add(sid)
                ledger.unanswered.discard(sid)


def status_of(connection: http.client.HTTPConnection, sid: str) -> int:
    """Post a call's report. Raises OSError or HTTPException when the connection breaks."""
    connection.request("POST", WEBHOOK, report(sid))
    response = connection.getresponse()
    response.read()
    return response.status


def compare(board: RunningBoard, ledger: Ledger) -> Found:
    """The ledger beside the database; a call is doubled if two rows are of it, or two reports made it."""
    rows, made, is_sound = _read(board)
    sids = [sid for sid, _ in rows]
    return Found(
        acknowledged=len(ledger.acknowledged),
        lost=len(ledger.acknowledged - set(sids)),
        doubled=len(sids) - len(set(sids)) + len(made) - len(set(made)),
        stored=len(set(sids)),
        is_sound=is_sound and sorted(made) == sorted(call_id for _, call_id in rows),
    )


def _read(board: RunningBoard) -> tuple[list[tuple[str, int]], list[int], bool]:
    calls, made = 'SELECT call_sid, id FROM "call"', "SELECT call_id FROM inbox WHERE verdict = 'new'"
    if url := board.environment.get("DASHBOARD_DATABASE_URL", ""):
        with psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:")) as server:
            return server.execute(calls).fetchall(), [row[0] for row in server.execute(made)], True
    with closing(sqlite3.connect(board.database_file)) as file:
        is_sound = file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return file.execute(calls).fetchall(), [row[0] for row in file.execute(made)], is_sound


def rebuild(board: RunningBoard) -> str:
    """What `python -m dashboard rebuild` says."""
    command = [sys.executable, "-m", "dashboard", "rebuild"]
    ran: subprocess.CompletedProcess[Any] = subprocess.run(
        command, env=board.environment, capture_output=True, text=True, check=True, timeout=120
    )
    return str(ran.stdout).strip()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description="kill -9 under load, and what is left.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--database-url", default="", help="an empty PostgreSQL database; without it SQLite in a folder"
    )
    options = parser.parse_args()
    environment = {"DASHBOARD_DATABASE_URL": options.database_url} if options.database_url else {}
    began, ledger = time.monotonic(), Ledger()
    with tempfile.TemporaryDirectory(prefix="callboard-crash-") as folder:
        board = RunningBoard(Path(folder), environment)
        board.start()
        try:
            for number in range(1, options.rounds + 1):
                found = crash(board, ledger, f"round {number}")
                print(f"round {number}: {found}", flush=True)
                if found.lost or found.doubled or not found.is_sound:
                    return 1
                recover(board, ledger)
        finally:
            board.end()
        found = compare(board, ledger)
        print(f"{options.rounds} rounds in {time.monotonic() - began:.0f} s: {found}; {len(ledger.refused)} refused")
        print(rebuild(board))
    return 1 if found.lost or found.doubled or not found.is_sound else 0


if __name__ == "__main__":
    sys.exit(main())
