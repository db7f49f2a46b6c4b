"""Tells every call anew from the inbox, in place: after a mended reader, or when a row is in doubt. Ids stay.

In steps, each one short transaction, so that webhooks hardly wait: `find_unread` and `take_in`, then `retell_after`;
or, of some calls alone, `retell`. A call of whose reports even one is not kept any more cannot be told anew: it stays
as it is, and if it was removed, it stays that.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, update
from sqlmodel import Session, col, select

from dashboard.callkaro.report import CallReport, Report, read_report
from dashboard.calls import call_sid_of, ends_of, merge, try_of
from dashboard.database.clock import tick
from dashboard.models import Call, Clock, Inbox, Recording
from dashboard.phone_numbers import DEFAULT_REGION
from dashboard.store.bodies import AS_IT_CAME, GONE, body_of
from dashboard.store.inbox import (
    CHANGED,
    DUPLICATE,
    IGNORED,
    NEW,
    TOLD_OF_A_CALL,
    UNCHANGED,
    UNREADABLE,
    KnownCall,
    call_row,
    insert_rows,
    is_same,
    reports_of,
    update_rows,
)
from dashboard.store.recordings import want_recordings
from dashboard.store.removal import expire_recordings
from dashboard.store.retention import passed_by

CHUNK = 200
_UNREAD = (UNREADABLE, IGNORED)
_IS_TELLING = col(Inbox.verdict).in_(TOLD_OF_A_CALL)


def last_call_id(session: Session) -> int:
    """The largest id that a call can have; 0 before the first."""
    return session.exec(select(Clock.call_id)).one()


def find_unread(session: Session, last_id: int) -> Sequence[int]:
    """The next few inbox rows, by id, that could not be read as a report of a call when they came."""
    statement = select(Inbox.id).where(
        col(Inbox.id) > last_id, col(Inbox.verdict).in_(_UNREAD), col(Inbox.body).is_not(None)
    )
    return session.exec(statement.order_by(col(Inbox.id)).limit(CHUNK)).all()


def take_in(session: Session, inbox_ids: Sequence[int], source_timezone: ZoneInfo, region: str = DEFAULT_REGION) -> int:
    """Of these inbox rows, give those that can be read by now to the calls they tell of, in their place in the order.

    Gives how many call rows that made or changed.
    """
    first = tick(session, len(inbox_ids))
    unread = session.exec(
        select(Inbox).where(col(Inbox.id).in_(inbox_ids), col(Inbox.verdict).in_(_UNREAD)).order_by(col(Inbox.id))
    ).all()
    mended = 0
    for number, row in enumerate(unread, first):
        body = body_of(row)
        reading = read_report(body) if body is not None else None
        if not isinstance(reading, Report) or body is None:
            continue
        report = CallReport.model_validate(reading.data)
        if not _is_settled(session, row, call_sid_of(report, body)):
            row.call_id = _call_of(session, row, report, body)
            mended += _retell(session, [row.call_id], number, source_timezone, region)
    return mended


def retell_after(
    session: Session, last_id: int, source_timezone: ZoneInfo, region: str = DEFAULT_REGION
) -> tuple[int | None, int]:
    """Tell the next few calls, by id, anew.

    Gives the last id done, or None when there are no more, and how many rows were not as their reports tell.
    """
    number = tick(session, CHUNK)
    call_ids = session.exec(
        select(Inbox.call_id)
        .where(col(Inbox.call_id) > last_id, col(Inbox.verdict).in_(TOLD_OF_A_CALL))
        .distinct()
        .order_by(col(Inbox.call_id))
        .limit(CHUNK)
    ).all()
    ids = [call_id for call_id in call_ids if call_id is not None]
    return (ids[-1], _retell(session, ids, number, source_timezone, region)) if ids else (None, 0)


def retell(session: Session, call_ids: Collection[int], source_timezone: ZoneInfo, region: str = DEFAULT_REGION) -> int:
    """Tell just these calls anew; gives how many rows were not as their reports tell."""
    return _retell(session, call_ids, tick(session, len(call_ids)), source_timezone, region)


def _is_settled(session: Session, row: Inbox, sid: str) -> bool:
    """Whether a report speaks of a call that cannot be told anew, or that was removed: then it stays unread."""
    of_sid = select(Call.id).where(Call.call_sid == sid)
    is_about_it = or_(col(Inbox.call_id).in_(of_sid), col(Inbox.sha256) == row.sha256)
    gone = select(Inbox.id).where(is_about_it, Inbox.packing == GONE, _IS_TELLING).limit(1)
    return session.exec(gone).first() is not None


def _call_of(session: Session, row: Inbox, report: CallReport, body: bytes) -> int:
    """The call that a report tells of, a new id if there is none; the inbox row becomes one that told of a call."""
    row.problem = row.event = ""
    row.verdict = UNCHANGED
    twin = session.exec(
        select(Inbox).where(Inbox.sha256 == row.sha256, col(Inbox.verdict).in_(TOLD_OF_A_CALL), Inbox.id != row.id)
    ).first()
    if twin is not None:
        assert twin.call_id is not None
        earlier, later = sorted((row, twin), key=lambda each: each.id)
        later.verdict, later.duplicate_of, later.body, later.packing = DUPLICATE, earlier.id, None, AS_IT_CAME
        session.execute(update(Inbox).where(col(Inbox.duplicate_of) == later.id).values(duplicate_of=earlier.id))
        return twin.call_id
    sid = call_sid_of(report, body)
    tries = dict(session.exec(select(Call.try_count, Call.id).where(Call.call_sid == sid)).all())
    call_id = tries.get(try_of(report, list(tries)))
    if call_id is None:
        next_id = update(Clock).where(col(Clock.id) == 1).values(call_id=Clock.call_id + 1)
        call_id = int(session.execute(next_id.returning(col(Clock.call_id))).scalar_one())
    return call_id


def _retell(session: Session, ids: Collection[int], number: int, source_timezone: ZoneInfo, region: str) -> int:
    """Make the rows of these calls what their reports tell; each that was not so takes a number, from `number` on."""
    table = Call.__table__  # type: ignore[attr-defined]
    stored = {row.id: dict(row) for row in session.execute(select(table).where(table.c.id.in_(ids))).mappings()}
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for call in _told(session, ids):
        row = call_row(call, source_timezone, region)
        before = stored.get(call.id)
        if before is not None and before == row | {"seq": before["seq"]}:
            continue
        row["seq"] = number
        number += 1
        (new if before is None else changed).append(row)
    if new:
        insert_rows(session, Call, new)
    if changed:
        update_rows(session, Call, changed)
    _want_recordings(session, {row["id"]: row["recording_url"] for row in new + changed if row["recording_url"]})
    return len(new) + len(changed)


def _told(session: Session, ids: Collection[int]) -> Collection[KnownCall]:
    """These calls as their reports tell them; each report's verdict is mended on the way."""
    told: dict[int, KnownCall] = {}
    has_try: set[int] = set()
    reports = reports_of(session, list(ids))
    settled = {row.call_id for row in reports if row.packing == GONE}
    for row in reports:
        if row.call_id in settled:
            continue
        body = body_of(row)
        assert body is not None
        assert row.call_id is not None
        reading = read_report(body)
        if not isinstance(reading, Report):
            continue
        report = CallReport.model_validate(reading.data)
        call = told.get(row.call_id)
        if call is None:
            sid, try_count = call_sid_of(report, body), try_of(report, [])
            call = KnownCall(row.call_id, sid, try_count, row.received_at, row.id, row.id, reading.data)
            told[row.call_id] = call
            row.verdict = NEW
        else:
            merged = merge(call.data, reading.data)
            row.verdict = UNCHANGED if is_same(merged, call.data) else CHANGED
            call.ends |= ends_of(call.data) | ends_of(merged)
            call.data = merged
        if report.try_count is not None and call.id not in has_try:
            # The first that names its try decides: one that names none belongs to the call's only try.
            call.try_count = report.try_count
            has_try.add(call.id)
    return told.values()


def _want_recordings(session: Session, urls: dict[int, str]) -> None:
    """Fetch these recordings, but for those that are kept or waited for already, and those past their age."""
    known = session.execute(select(Recording.call_id, Recording.url).where(col(Recording.call_id).in_(list(urls))))
    same = {call_id for call_id, url in known if urls[call_id] == url}
    if wanted := {call_id: url for call_id, url in urls.items() if call_id not in same}:
        want_recordings(session, wanted)
        # An old report may be read only now: nothing would come back for its audio, and it would be kept for ever.
        if old := passed_by(session, "audio", list(wanted)):
            expire_recordings(session, old)
