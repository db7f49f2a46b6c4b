"""The inbox as its pages show it: rows newest first, without their bodies, and one with everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sqlalchemy import Select, select, text
from sqlmodel import Session, col
from sqlmodel import select as select_model

from dashboard.database.clock import head_of
from dashboard.models import Call, Inbox, table_of
from dashboard.store.bodies import Body, read_body
from dashboard.store.inbox import CHANGED, DUPLICATE, IGNORED, NEW, UNCHANGED, UNREADABLE

VERDICTS = (NEW, CHANGED, UNCHANGED, DUPLICATE, IGNORED, UNREADABLE)
MOST_DUPLICATES = 100


class Wanted(NamedTuple):
    """Which reports: those of a verdict ("" is all), and those of a call (None is all)."""

    verdict: str = ""
    call_id: int | None = None

    def query(self) -> str:
        """As it stands in an address; "" is all reports."""
        chosen = {"verdict": self.verdict, "call": "" if self.call_id is None else str(self.call_id)}
        return urlencode({name: value for name, value in chosen.items() if value})


class InboxRow(NamedTuple):
    """A report as the list shows it; moments are microseconds since 1970, UTC, and `size` is bytes.

    `started_at` and `duration_seconds` are its call's, and None where it tells of none.
    """

    id: int
    received_at: int
    verdict: str
    problem: str
    event: str
    call_id: int | None
    duplicate_of: int | None
    size: int
    content_type: str
    user_agent: str
    started_at: int | None
    duration_seconds: int | None

    @property
    def lag_seconds(self) -> int | None:
        """How long after its call's end it came; negative is before. None where that has no time."""
        if self.started_at is None:
            return None
        return (self.received_at - self.started_at) // 1_000_000 - (self.duration_seconds or 0)


class WholeReport(NamedTuple):
    """One report with its bytes, and the deliveries of the same bytes that came later."""

    row: InboxRow
    sha256: bytes
    body: Body | None
    """None once it is not kept any more."""
    content_encoding: str
    """What it came packed in; "" for plain bytes."""
    duplicates: Sequence[tuple[int, int]]
    """(id, received_at) of each, oldest first; at most MOST_DUPLICATES."""


_inbox, _call = table_of(Inbox), table_of(Call)
_ROWS = select(
    *(_inbox.c[name] for name in InboxRow._fields[:-2]), _call.c.started_at, _call.c.duration_seconds
).outerjoin_from(_inbox, _call, _inbox.c.call_id == _call.c.id)
# In the index's own words, as constants: with a parameter in its place neither database knows that it may be used.
_NOT_NEW = text("inbox.verdict <> 'new'")


def rows_before(session: Session, wanted: Wanted, before: int | None, most: int) -> list[InboxRow]:
    """The newest reports, newest first; those that came before the row `before`."""
    statement = _of(wanted, _ROWS)
    if before is not None:
        statement = statement.where(_inbox.c.id < before)
    return _rows(session, statement.order_by(_inbox.c.id.desc()).limit(most))


def rows_after(session: Session, wanted: Wanted, after: int, most: int) -> tuple[list[InboxRow], int]:
    """The first few reports that came after the row `after`, the oldest first, and the last number given out."""
    head = head_of(session)
    return _rows(session, _of(wanted, _ROWS).where(_inbox.c.id > after).order_by(_inbox.c.id).limit(most)), head


def sizes_after(session: Session, wanted: Wanted, after: int, upto: int, most: int) -> list[tuple[int, int]]:
    """(id, size) of the reports between two rows, the second included, the oldest first."""
    statement = _of(wanted, select(_inbox.c.id, _inbox.c.size)).where(_inbox.c.id > after, _inbox.c.id <= upto)
    rows = session.connection().execute(statement.order_by(_inbox.c.id).limit(most))
    return [(row[0], row[1]) for row in rows]


def sizes_of(session: Session, inbox_ids: Sequence[int]) -> list[tuple[int, int]]:
    """(id, size) of these reports, the oldest first; an id of none is left out."""
    statement = select(_inbox.c.id, _inbox.c.size).where(_inbox.c.id.in_(inbox_ids)).order_by(_inbox.c.id)
    return [(row[0], row[1]) for row in session.connection().execute(statement)]


def find_whole(session: Session, inbox_id: int) -> WholeReport | None:
    """The report with this number; a duplicate's bytes are those of the report it repeats."""
    rows = _rows(session, _ROWS.where(_inbox.c.id == inbox_id))
    if not rows:
        return None
    row = rows[0]
    stored = session.exec(select_model(Inbox).where(Inbox.id == (row.duplicate_of or inbox_id))).one()
    duplicates = select_model(Inbox.id, Inbox.received_at).where(
        # By its call: there is no index of what repeats what, and a call has few reports.
        Inbox.call_id == row.call_id,
        Inbox.duplicate_of == inbox_id,
    )
    found = session.exec(duplicates.order_by(col(Inbox.id)).limit(MOST_DUPLICATES)).all() if row.call_id else ()
    return WholeReport(row, stored.sha256, read_body(stored), stored.content_encoding, found)


def _of(wanted: Wanted, statement: Select[Any]) -> Select[Any]:
    if wanted.verdict:
        statement = statement.where(_inbox.c.verdict == wanted.verdict)
        if wanted.verdict != NEW:
            statement = statement.where(_NOT_NEW)
    return statement if wanted.call_id is None else statement.where(_inbox.c.call_id == wanted.call_id)


def _rows(session: Session, statement: Select[Any]) -> list[InboxRow]:
    return [InboxRow._make(row) for row in session.connection().execute(statement)]
