"""What the clients know, beside what lies in the database: read with plain sqlite3 or psycopg, never by the board."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg

from dashboard.store.bodies import PACKED, unpack
from tests.running import RunningBoard

LATEST_ANSWER = 4.5
"""Seconds; the platform gives up at 5."""
FELT_AFTER = 0.25
"""Seconds; nobody waits for so long where all is well."""


class Sent(NamedTuple):
    """One webhook as its sender saw it; `status` 0 is no answer. `at` is when it ended, on the monotonic clock."""

    sid: str
    sha256: str
    status: int
    seconds: float
    at: float


class Stored(NamedTuple):
    """One inbox row: the callSid of its call, the hash of the bytes that lie there, and the verdict."""

    sid: str
    sha256: str
    verdict: str


@dataclass(frozen=True)
class Found:
    """The ledger beside the database."""

    acknowledged: int
    lost: int
    doubled: int
    is_sound: bool

    @property
    def is_right(self) -> bool:
        # Where nothing was acknowledged, nothing could be lost: such a load proves nothing.
        return bool(self.acknowledged) and not self.lost and not self.doubled and self.is_sound

    def __str__(self) -> str:
        damage = "" if self.is_sound else ", database DAMAGED"
        return f"{self.acknowledged:,} acknowledged, {self.lost} lost, {self.doubled} doubled{damage}"


@dataclass
class Ledger:
    """Every webhook that was sent, in the order in which they ended."""

    sent: list[Sent] = field(default_factory=list)

    def note(self, sid: str, body: bytes, status: int, seconds: float, at: float) -> None:
        self.sent.append(Sent(sid, hashlib.sha256(body).hexdigest(), status, seconds, at))

    @property
    def acknowledged(self) -> list[Sent]:
        return [sent for sent in self.sent if 200 <= sent.status < 300]

    @property
    def late(self) -> list[Sent]:
        """Answers of whatever kind that came when the platform may have given up."""
        return [sent for sent in self.sent if sent.status and sent.seconds > LATEST_ANSWER]

    @property
    def unanswered(self) -> list[Sent]:
        return [sent for sent in self.sent if not sent.status]

    @property
    def statuses(self) -> Counter[int]:
        return Counter(sent.status for sent in self.sent)

    @property
    def slowest(self) -> float:
        return max((sent.seconds for sent in self.sent if sent.status), default=0.0)

    def p99(self) -> float:
        """Seconds; unanswered ones count with the time they waited."""
        times = sorted(sent.seconds for sent in self.sent)
        return times[int(0.99 * (len(times) - 1))] if times else 0.0

    def felt(self, began: float, ended: float) -> list[Sent]:
        """Those under way between these moments that were refused, unanswered, or kept waiting."""
        return [
            sent
            for sent in self.sent
            if sent.at > began
            and sent.at - sent.seconds < ended
            and (not 200 <= sent.status < 300 or sent.seconds > FELT_AFTER)
        ]

    def healed_after(self, moment: float) -> float | None:
        """Seconds from `moment` to the first acknowledgement after it; None where there was none."""
        return next((sent.at - moment for sent in self.acknowledged if sent.at > moment), None)


def compare(ledger: Ledger, stored: Iterable[Stored], calls: Iterable[str], *, is_sound: bool = True) -> Found:
    """An acknowledged report is lost if its very bytes are not in the inbox, or its call has no row.

    A call is doubled if two rows are of it, or two reports made it.
    """
    rows = list(stored)
    there = {row.sha256 for row in rows}
    of_call = Counter(calls)
    made = Counter(row.sid for row in rows if row.verdict == "new")
    acknowledged = ledger.acknowledged
    return Found(
        acknowledged=len(acknowledged),
        lost=sum(sent.sha256 not in there or not of_call[sent.sid] for sent in acknowledged),
        doubled=sum(count > 1 for count in of_call.values()) + sum(count > 1 for count in made.values()),
        is_sound=is_sound,
    )


def find(board: RunningBoard, ledger: Ledger) -> Found:
    """Look for everything that was acknowledged, in the board's own database."""
    bodies = 'SELECT c.call_sid, i.body, i.packing, i.verdict FROM inbox i JOIN "call" c ON c.id = i.call_id'
    calls = 'SELECT call_sid FROM "call"'
    if url := board.environment.get("DASHBOARD_DATABASE_URL", ""):
        with psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:")) as server:
            rows, sids, is_sound = server.execute(bodies).fetchall(), server.execute(calls).fetchall(), True
    else:
        with closing(sqlite3.connect(board.database_file)) as file:
            rows, sids = file.execute(bodies).fetchall(), file.execute(calls).fetchall()
            is_sound = file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    stored = [Stored(sid, _sha_of(body, packing), verdict) for sid, body, packing, verdict in rows]
    return compare(ledger, stored, [sid for (sid,) in sids], is_sound=is_sound)


def _sha_of(body: bytes | None, packing: str) -> str:
    """Of the bytes as they came: after ten minutes the board packs them."""
    plain = unpack(body) if body is not None and packing == PACKED else body
    return hashlib.sha256(plain or b"").hexdigest()
