"""The one place where reports become rows: the inbox, the calls they tell of, and the recordings to fetch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic_core import from_json, to_json
from sqlalchemy import Dialect, bindparam, insert, select, update
from sqlmodel import Session, SQLModel, col

from dashboard.callkaro.report import JSON, CallReport, Ignored, Report, Unreadable, read_json
from dashboard.callkaro.undocumented import undocumented_in
from dashboard.calls import call_sid_of, columns_of, ends_of, former, merge, try_of
from dashboard.database.clock import tick
from dashboard.models import Call, Clock, Inbox, table_of
from dashboard.notices import Trouble
from dashboard.phone_numbers import DEFAULT_REGION
from dashboard.store.recordings import want_recordings
from dashboard.store.undocumented import Sighting, note_undocumented

NEW, CHANGED, UNCHANGED = "new", "changed", "unchanged"
DUPLICATE, IGNORED, UNREADABLE = "duplicate", "ignored", "unreadable"
# The verdicts of reports whose bytes are part of a call.
TOLD_OF_A_CALL = (NEW, CHANGED, UNCHANGED)
# What stands as the user agent of reports that did not come by the webhook. Headers are read as Latin-1, which has
# no "‹": a sender that calls itself "import" would otherwise pass for one, and its reports be handed on to nobody.
IMPORTED, TEST_CALL = "‹import›", "‹test call›"
# Characters of known calls that a batch reads in such a way that the loop has its turns meanwhile, which takes up to
# half a second a million. Beyond that it reads quickly: all other reports wait for this one writer.
_MOST_AT_LEISURE = 2_500_000

_inbox, _call, _clock = table_of(Inbox), table_of(Call), table_of(Clock)
_SEEN = select(_inbox.c.sha256, _inbox.c.id, _inbox.c.call_id).where(
    _inbox.c.sha256.in_(bindparam("hashes", expanding=True)), _inbox.c.verdict.in_(TOLD_OF_A_CALL)
)
_KNOWN = select(
    _call.c.id,
    _call.c.call_sid,
    _call.c.try_count,
    _call.c.received_at,
    _call.c.created_seq,
    _call.c.seq,
    _call.c.data,
    _call.c.recording_url,
    _call.c.former_numbers,
).where(_call.c.call_sid.in_(bindparam("sids", expanding=True)))
_LAST_CALL_ID = select(_clock.c.call_id)
_SET_LAST_CALL_ID = update(_clock).values(call_id=bindparam("last"))


_NEWEST = select(_inbox.c.received_at).order_by(_inbox.c.id.desc()).limit(1)
_TROUBLE = (
    select(_inbox.c.received_at, _inbox.c.problem, _inbox.c.event)
    .where(_inbox.c.id > bindparam("after"), _inbox.c.verdict.in_((IGNORED, UNREADABLE)))
    .order_by(_inbox.c.id.desc())
    .limit(1)
)


class Arrival(NamedTuple):
    """A report at the door: its bytes, what they say, and the headers that matter."""

    received_at: int
    body: bytes
    reading: Report | Ignored | Unreadable
    content_type: str = ""
    user_agent: str = ""


class Receipt(NamedTuple):
    """What became of an arrival: the inbox row's id, the verdict, and the call it tells of."""

    id: int
    verdict: str
    call_id: int | None


@dataclass(slots=True)
class KnownCall:
    """A call as it stands in the middle of a batch."""

    id: int
    call_sid: str
    try_count: int
    received_at: int
    created_seq: int
    seq: int
    data: dict[str, JSON]
    is_new: bool = False
    is_changed: bool = False
    recording_url: str = ""
    # What `data` reads as, while nothing has been merged into it: reading it is half the work of writing a new call.
    report: CallReport | None = None
    # The ends that its reports gave before they were changed.
    ends: set[str] = field(default_factory=set)


def record(
    session: Session, arrivals: Sequence[Arrival], source_timezone: ZoneInfo, region: str = DEFAULT_REGION
) -> list[Receipt]:
    """Write down a batch of reports, in order, and what they change. One receipt each, in the same order."""
    first = tick(session, len(arrivals))
    hashes = [hashlib.sha256(arrival.body).digest() for arrival in arrivals]
    seen = _seen_before(session, hashes)
    reports = [
        CallReport.model_validate(arrival.reading.data) if isinstance(arrival.reading, Report) else None
        for arrival in arrivals
    ]
    sids = [
        call_sid_of(report, arrival.body) if report is not None else ""
        for report, arrival in zip(reports, arrivals, strict=True)
    ]
    calls = _known_calls(session, {sid for sid, sha in zip(sids, hashes, strict=True) if sid and sha not in seen})
    next_call_id = last_call_id = session.connection().execute(_LAST_CALL_ID).scalar_one()
    rows, receipts, strange = [], [], []
    for number, (arrival, sha, report, sid) in enumerate(zip(arrivals, hashes, reports, sids, strict=True), first):
        row = _inbox_row(number, arrival, sha)
        if report is not None:
            if sha in seen:
                row["duplicate_of"], row["call_id"] = seen[sha]
                row |= {"verdict": DUPLICATE, "body": None}
            else:
                call = _tell(calls.setdefault(sid, {}), sid, report, arrival, number, next_call_id + 1)
                next_call_id = max(next_call_id, call.id)
                row |= {"verdict": _verdict(call, number), "call_id": call.id}
                seen[sha] = (number, call.id)
        if row["verdict"] != DUPLICATE:
            strange += [Sighting(*each, number, arrival.received_at) for each in undocumented_in(arrival.reading)]
        rows.append(row)
        receipts.append(Receipt(number, row["verdict"], row["call_id"]))
    insert_rows(session, Inbox, rows)
    note_undocumented(session, strange)
    _write_calls(session, (call for tries in calls.values() for call in tries.values()), source_timezone, region)
    if next_call_id > last_call_id:
        session.connection().execute(_SET_LAST_CALL_ID, {"last": next_call_id})
    return receipts


def reports_of(session: Session, call_ids: Sequence[int]) -> Sequence[Inbox]:
    """The inbox rows that made these calls, oldest first; duplicates are not among them."""
    return session.scalars(
        select(Inbox)
        .where(col(Inbox.call_id).in_(call_ids), col(Inbox.verdict).in_(TOLD_OF_A_CALL))
        .order_by(col(Inbox.id))
    ).all()


def deliveries_of(session: Session, call_id: int) -> Sequence[Inbox]:
    """Every inbox row of one call, duplicates too, oldest first; at most 500."""
    statement = select(Inbox).where(col(Inbox.call_id) == call_id).order_by(col(Inbox.id)).limit(500)
    return session.scalars(statement).all()


def heard_since(session: Session, seq: int) -> tuple[int | None, Trouble | None]:
    """When the newest report came (None: none ever did), and the newest after `seq` that made no call."""
    connection = session.connection()
    last_at: int | None = connection.execute(_NEWEST).scalar_one_or_none()
    row = connection.execute(_TROUBLE, {"after": seq}).one_or_none()
    return last_at, None if row is None else Trouble(*row)


def _seen_before(session: Session, hashes: Iterable[bytes]) -> dict[bytes, tuple[int, int | None]]:
    """Of these hashes, those that already told of a call: (inbox id, call id). Once told is told, however long ago."""
    rows = session.connection().execute(_SEEN, {"hashes": list(set(hashes))})
    return {bytes(sha): (inbox_id, call_id) for sha, inbox_id, call_id in rows}


def _known_calls(session: Session, sids: set[str]) -> dict[str, dict[int, KnownCall]]:
    """The stored calls of these callSids, by callSid and try."""
    known: dict[str, dict[int, KnownCall]] = {}
    if sids:
        rows = session.connection().execute(_KNOWN, {"sids": list(sids)})
        size = 0
        for call_id, sid, try_count, received_at, created_seq, seq, text, url, former_numbers in rows:
            size += len(text)
            data = (read_json if size <= _MOST_AT_LEISURE else from_json)(text)
            call = KnownCall(call_id, sid, try_count, received_at, created_seq, seq, data, recording_url=url)
            call.ends.update(from_json(former_numbers) if former_numbers else ())
            known.setdefault(sid, {})[try_count] = call
    return known


def _tell(
    tries: dict[int, KnownCall], sid: str, report: CallReport, arrival: Arrival, number: int, next_id: int
) -> KnownCall:
    """Put one report into the call it tells of, which it may create."""
    assert isinstance(arrival.reading, Report)
    data = arrival.reading.data
    try_count = try_of(report, list(tries))
    call = tries.get(try_count)
    if call is None:
        call = KnownCall(next_id, sid, try_count, arrival.received_at, number, number, data, is_new=True, report=report)
        tries[try_count] = call
        return call
    merged = merge(call.data, data)
    if not is_same(merged, call.data):
        call.ends |= ends_of(call.data) | ends_of(merged)
        call.data, call.report, call.seq, call.is_changed = merged, None, number, True
    return call


def is_same(data: dict[str, JSON], other: dict[str, JSON]) -> bool:
    """Whether they are the same JSON: to Python 1, 1.0 and true are equal, to a reader of reports they are not."""
    return to_json(data) == to_json(other)


def _verdict(call: KnownCall, number: int) -> str:
    if call.created_seq == number:
        return NEW
    return CHANGED if call.seq == number else UNCHANGED


def _inbox_row(number: int, arrival: Arrival, sha: bytes) -> dict[str, Any]:
    problem = arrival.reading.problem if isinstance(arrival.reading, Unreadable) else ""
    event = arrival.reading.event if isinstance(arrival.reading, Ignored) else ""
    return {
        "id": number,
        "received_at": arrival.received_at,
        "verdict": IGNORED if isinstance(arrival.reading, Ignored) else UNREADABLE,
        "problem": problem,
        "event": event,
        "call_id": None,
        "duplicate_of": None,
        "size": len(arrival.body),
        "sha256": sha,
        "content_type": arrival.content_type,
        "user_agent": arrival.user_agent,
        "body": arrival.body,
        "packing": "",
    }


def call_row(call: KnownCall, source_timezone: ZoneInfo, region: str = DEFAULT_REGION) -> dict[str, Any]:
    """All columns of a call's row."""
    columns = columns_of(
        call.report or CallReport.model_validate(call.data),
        try_count=call.try_count,
        first_received_at=call.received_at,
        source_timezone=source_timezone,
        region=region,
    )
    return {
        "id": call.id,
        "seq": call.seq,
        "created_seq": call.created_seq,
        "call_sid": call.call_sid,
        "try_count": call.try_count,
        "received_at": call.received_at,
        "former_numbers": former(call.ends, call.data) if call.ends else "",
        "data": to_json(call.data).decode(),
    } | columns


def _write_calls(session: Session, calls: Iterable[KnownCall], source_timezone: ZoneInfo, region: str) -> None:
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    urls: dict[int, str] = {}
    for call in calls:
        if not (call.is_new or call.is_changed):
            continue
        row = call_row(call, source_timezone, region)
        (new if call.is_new else changed).append(row)
        if row["recording_url"] and row["recording_url"] != call.recording_url:
            urls[call.id] = row["recording_url"]
    if new:
        insert_rows(session, Call, new)
    if changed:
        update_rows(session, Call, changed)
    if urls:
        want_recordings(session, urls, first_time=not changed)


def insert_rows(session: Session, table: type[SQLModel], rows: list[dict[str, Any]]) -> None:
    """Many rows in one statement, past all bookkeeping of single values: it took as long as SQLite itself."""
    connection = session.connection()
    statement, names = _insertion(table, connection.dialect)
    if not names:
        connection.exec_driver_sql(statement, rows)
        return
    # One step of the driver for all: between two steps it gives the interpreter away, and waits to get it back. SQLite
    # takes 32,766 values in a statement, and no batch has a third of them.
    head, _, places = statement.partition(" VALUES ")
    values = tuple(row[name] for row in rows for name in names)
    connection.exec_driver_sql(f"{head} VALUES {', '.join([places] * len(rows))}", values)


@cache
def _insertion(table: type[SQLModel], dialect: Dialect) -> tuple[str, list[str]]:
    """A table's INSERT as its driver takes it, and the order of its columns: none where the driver goes by names.

    Only for tables whose columns are numbers, text, bytes and booleans: the drivers take those as they are.
    """
    compiled = insert(table_of(table)).compile(dialect=dialect)
    return str(compiled), list(compiled.positiontup or ())


def update_rows(session: Session, table: type[SQLModel], rows: list[dict[str, Any]]) -> None:
    """Write whole rows over those of the same id."""
    columns = table_of(table).c
    statement = (
        update(table_of(table))
        .where(columns.id == bindparam("row_id"))
        .values({name: bindparam(f"new_{name}") for name in rows[0] if name != "id"})
    )
    session.connection().execute(
        statement,
        [{"row_id": row["id"]} | {f"new_{name}": value for name, value in row.items() if name != "id"} for row in rows],
    )
