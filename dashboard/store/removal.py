"""Takes away what is known of calls, for good: because of its age, or because somebody asks to be forgotten.

What stays is the hash of every report, so that a repeat of it is still a duplicate and brings nothing back. The one
place that knows all tables in which something of a call stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pydantic_core import from_json, to_json
from sqlalchemy import ColumnElement, bindparam, delete, insert, select, update
from sqlmodel import Session

from dashboard.database.clock import hold_clock, tick
from dashboard.models import Call, Erased, Inbox, Recording, table_of
from dashboard.store.bodies import GONE
from dashboard.store.recordings import EXPIRED, discard

TRANSCRIPT = "transcription"
"""Where a report has its transcript."""

_inbox, _call, _recording = table_of(Inbox), table_of(Call), table_of(Recording)
_erased = table_of(Erased)


class Removed(NamedTuple):
    """How many of what went."""

    calls: int = 0
    reports: int = 0
    recordings: int = 0

    def plus(self, other: Removed) -> Removed:
        return Removed(*(mine + more for mine, more in zip(self, other, strict=True)))


def remove_calls(session: Session, call_ids: Sequence[int]) -> Removed:
    """These calls, their recordings and the bodies of their reports; each takes a number, so that pages hear of it.

    At most a few hundred at a time: webhooks wait meanwhile. Calls that are gone already are passed over.
    """
    number = tick(session, len(call_ids))
    connection = session.connection()
    present = connection.scalars(select(_call.c.id).where(_call.c.id.in_(call_ids)).order_by(_call.c.id)).all()
    if present:
        rows = [{"seq": seq, "call_id": call_id} for seq, call_id in enumerate(present, number)]
        connection.execute(insert(_erased), rows)
        connection.execute(delete(_call).where(_call.c.id.in_(present)))
    recordings = connection.execute(
        delete(_recording).where(_recording.c.call_id.in_(call_ids)).returning(_recording.c.file)
    ).scalars()
    files = [file for file in recordings if file]
    discard(session, files)
    reports = remove_bodies(session, _inbox.c.call_id.in_(call_ids))
    return Removed(len(present), reports, len(files))


def remove_bodies(session: Session, *where: ColumnElement[bool]) -> int:
    """Blank the bodies of these inbox rows; gives how many had one."""
    hold_clock(session)
    blank = update(_inbox).where(*where, _inbox.c.body.is_not(None)).values(body=None, packing=GONE)
    return int(session.connection().execute(blank).rowcount)


def remove_transcripts(session: Session, call_ids: Sequence[int]) -> int:
    """The transcripts of these calls, and the reports that hold them: `rebuild` would bring them back from there."""
    number = tick(session, len(call_ids))
    connection = session.connection()
    remove_bodies(session, _inbox.c.call_id.in_(call_ids))
    rows = connection.execute(select(_call.c.id, _call.c.data).where(_call.c.id.in_(call_ids)).order_by(_call.c.id))
    removed = 0
    for call_id, text in rows.all():
        data = from_json(text)
        if data.pop(TRANSCRIPT, None):
            values = {"data": to_json(data).decode(), "seq": number + removed}
            connection.execute(update(_call).where(_call.c.id == call_id).values(values))
            removed += 1
    return removed


def expire_recordings(session: Session, call_ids: Sequence[int]) -> int:
    """The audio of these calls, kept or still to be fetched; their pages say so. Gives how many that were."""
    number = tick(session, len(call_ids))
    connection = session.connection()
    due = connection.execute(
        select(_recording.c.call_id, _recording.c.file)
        .where(_recording.c.call_id.in_(call_ids), _recording.c.state != EXPIRED)
        .order_by(_recording.c.call_id)
    ).all()
    gone = {"state": EXPIRED, "file": "", "content_type": "", "size": 0, "problem": ""}
    for seq, (call_id, _) in enumerate(due, number):
        connection.execute(update(_recording).where(_recording.c.call_id == call_id).values(gone))
        connection.execute(update(_call).where(_call.c.id == call_id).values(seq=seq))
    discard(session, [file for _, file in due if file])
    return len(due)


_ERASED_SINCE = (
    select(_erased.c.seq, _erased.c.call_id)
    .where(_erased.c.seq > bindparam("after"), _erased.c.seq <= bindparam("upto"))
    .order_by(_erased.c.seq)
    .limit(bindparam("most"))
)


def erased_since(session: Session, after: int, upto: int, most: int) -> list[tuple[int, int]]:
    """(number, call id) of the calls that went after one number, up to another."""
    rows = session.connection().execute(_ERASED_SINCE, {"after": after, "upto": upto, "most": most})
    return [(seq, call_id) for seq, call_id in rows]
