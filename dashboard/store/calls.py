"""Reading calls: rows by id, rows by number, facts for the index."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from pydantic_core import from_json
from sqlalchemy import ColumnElement, bindparam, case, literal, select, true
from sqlmodel import Session, func

from dashboard.callkaro.sample import SIMULATED
from dashboard.calls import Facts, person_of
from dashboard.database.clock import head_of
from dashboard.filters import NONE
from dashboard.models import Call, Recording, table_of
from dashboard.store.recordings import KEPT

_CHUNK = 5000


class CallRow(NamedTuple):
    """A call as a list shows it: all but its data."""

    id: int
    seq: int
    created_seq: int
    at: int
    received_at: int
    campaign: str
    agent: str
    version: str
    type: str
    reason: str
    try_count: int
    duration_seconds: int | None
    converted: bool | None
    customer_name: str
    customer_number: str
    person: str
    disposition: str
    recording_state: str | None
    from_number: str = ""
    to_number: str = ""
    former_numbers: str = ""
    """As the table has them: a JSON list, or ""."""

    @property
    def numbers(self) -> list[str]:
        """The call's own numbers, former ones too: what a mask looks for in its other texts."""
        former = from_json(self.former_numbers) if self.former_numbers else ()
        return [self.customer_number, self.from_number, self.to_number, *former]

    @property
    def facts(self) -> Facts:
        return Facts(
            self.id,
            self.at,
            self.campaign,
            self.agent,
            self.version,
            self.type,
            self.reason,
            self.try_count,
            self.duration_seconds or 0,
            bool(self.converted),
            person_of(self.person),
        )


class ToldCall(NamedTuple):
    """A call as programs and files get it: its row, the platform's id, and its data as JSON, if that was asked for."""

    row: CallRow
    call_sid: str
    data: str


_call, _recording = table_of(Call), table_of(Recording)
IS_SIMULATED = _call.c.data.contains(f'"{SIMULATED}":true', autoescape=True)
"""Whether a call's metadata says that it is made up."""
# A recording that was kept is there to be heard, whatever becomes of a later address.
_SHOWN_STATE = case((_recording.c.file != "", KEPT), else_=_recording.c.state)
_ROWS = select(
    *(_SHOWN_STATE if name == "recording_state" else _call.c[name] for name in CallRow._fields)
).outerjoin_from(_call, _recording, _recording.c.call_id == _call.c.id)
_CHANGED = (
    _ROWS.where(_call.c.seq > bindparam("after"), _call.c.seq <= bindparam("head"))
    .order_by(_call.c.seq)
    .limit(bindparam("most"))
)
_BY_ID = _ROWS.where(_call.c.id.in_(bindparam("ids", expanding=True)))
_SIDS = select(_call.c.id, _call.c.call_sid, literal("")).where(_call.c.id.in_(bindparam("ids", expanding=True)))
_DATA = select(_call.c.id, _call.c.call_sid, _call.c.data).where(_call.c.id.in_(bindparam("ids", expanding=True)))
_OF_PERSON = (
    _ROWS.where(_call.c.person == bindparam("person"))
    .order_by(_call.c.at.desc(), _call.c.id.desc())
    .limit(bindparam("most"))
)
_FACTS = (
    select(*(_call.c[name] for name in Facts._fields))
    .where(_call.c.id > bindparam("after"))
    .order_by(_call.c.id)
    .limit(_CHUNK)
)


def changed_since(session: Session, seq: int, most: int) -> tuple[list[CallRow], int]:
    """Calls that changed after `seq`, in the order of their numbers, and the number up to which this is all of them."""
    head = head_of(session)
    if head <= seq:
        return [], head
    rows = session.connection().execute(_CHANGED, {"after": seq, "head": head, "most": most})
    calls = [CallRow._make(row) for row in rows]
    return calls, (calls[-1].seq if len(calls) == most else head)


def rows_by_id(session: Session, ids: Sequence[int]) -> list[CallRow]:
    """The rows of these ids, in their order; an id without a call is left out."""
    if not ids:
        return []
    found = {row[0]: CallRow._make(row) for row in session.connection().execute(_BY_ID, {"ids": list(ids)})}
    return [found[call_id] for call_id in ids if call_id in found]


def told_by_id(session: Session, ids: Sequence[int], *, with_data: bool) -> list[ToldCall]:
    """The calls of these ids, in their order; an id without a call is left out."""
    rows = rows_by_id(session, ids)
    if not rows:
        return []
    found = session.connection().execute(_DATA if with_data else _SIDS, {"ids": [row.id for row in rows]})
    rest = {call_id: (call_sid, data) for call_id, call_sid, data in found}
    return [ToldCall(row, *rest[row.id]) for row in rows]


def rows_of_person(
    session: Session, person: str, most: int, campaigns: Collection[str] = (), *, series: str, is_in_series: bool
) -> list[CallRow]:
    """The calls with a person, newest first, of one campaign (`series`) or of all others; none for the key "".

    `campaigns` as `_within`.
    """
    if not person:
        return []
    of_series = _call.c.campaign == series if is_in_series else _call.c.campaign != series
    statement = _OF_PERSON.where(of_series, _within(campaigns))
    rows = session.connection().execute(statement, {"person": person, "most": most})
    return [CallRow._make(row) for row in rows]


def facts_after(session: Session, last_id: int) -> list[Facts]:
    """The facts of the next few thousand calls by id; none when all are read.

    A chunk at a time, because one long reader keeps SQLite from folding its write-ahead log back into the file.
    """
    rows = session.connection().execute(_FACTS, {"after": last_id})
    return [Facts._make((*row[:8], row[8] or 0, bool(row[9]), person_of(row[10]))) for row in rows]


def find_call(session: Session, call_id: int) -> Call | None:
    return session.get(Call, call_id)


def count_calls(session: Session, campaigns: Collection[str] = ()) -> tuple[int, int]:
    """All calls, and those of them that are made up. `campaigns` as `_within`."""
    counts = select(func.count(), func.count().filter(IS_SIMULATED)).select_from(_call)
    row = session.execute(counts.where(_within(campaigns))).one()
    return row[0], row[1]


def _within(campaigns: Collection[str]) -> ColumnElement[bool]:
    """A limit to campaigns, none meaning all; the same that `filters.is_within` asks of one call."""
    if not campaigns:
        return true()
    return _call.c.campaign.in_([*campaigns, *([""] if NONE in campaigns else [])])
