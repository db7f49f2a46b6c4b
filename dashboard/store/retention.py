"""Finds what has reached its age, step by step through the inbox, and takes it away.

A call is as old as its last report: it is due once all that told of it came before the cutoff. What is found on a
reader is looked at again by the writer, for a report may have come meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlmodel import Session

from dashboard.database.clock import hold_clock
from dashboard.models import Call, Inbox, Recording, table_of
from dashboard.store.inbox import TOLD_OF_A_CALL
from dashboard.store.recordings import EXPIRED
from dashboard.store.removal import (
    TRANSCRIPT,
    expire_recordings,
    remove_bodies,
    remove_calls,
    remove_transcripts,
)
from dashboard.store.steps import done_of, set_done

TASKS = ("audio", "reports", "transcripts", "calls")
CHUNK = 100

_inbox, _call, _recording = table_of(Inbox), table_of(Call), table_of(Recording)
_IS_TELLING = _inbox.c.verdict.in_(TOLD_OF_A_CALL)
_NEXT = (
    select(_inbox.c.id, _inbox.c.received_at).where(_inbox.c.id > bindparam("after")).order_by(_inbox.c.id).limit(CHUNK)
)


class Due(NamedTuple):
    """The inbox rows that a step is about."""

    first: int
    last: int


def next_due(session: Session, task: str, cutoff: int) -> Due | None:
    """The next few inbox rows that have reached the age of a task, whatever became of them; None if there are none."""
    rows = session.connection().execute(_NEXT, {"after": done_of(session, task)}).all()
    # Never past one that is not due yet: nothing would come back for it.
    ids = [row_id for row_id, _ in takewhile(lambda row: row[1] < cutoff, rows)]
    return Due(ids[0], ids[-1]) if ids else None


def remove_due(session: Session, task: str, due: Due, cutoff: int) -> int:
    """Take away what these rows are due for; gives how many recordings, bodies, transcripts or calls that were."""
    # Before it is decided what is due: a report that comes in between would be answered, and be blanked with the rest.
    hold_clock(session)
    if task == "reports":
        removed = remove_bodies(session, _inbox.c.id.between(*due), _inbox.c.received_at < cutoff)
    else:
        removed = _remove(session, task, calls_due(session, due, cutoff))
    set_done(session, task, due.last)
    return removed


def _remove(session: Session, task: str, call_ids: Sequence[int]) -> int:
    if not call_ids:
        return 0
    if task == "audio":
        return expire_recordings(session, call_ids)
    if task == "transcripts":
        return remove_transcripts(session, call_ids)
    return remove_calls(session, call_ids).calls


def calls_due(session: Session, due: Due, cutoff: int) -> Sequence[int]:
    """Of the calls that these rows told of, those that were not heard of again since the cutoff."""
    told = select(_inbox.c.call_id).where(_inbox.c.id.between(*due), _IS_TELLING)
    statement = _heard_last_before(cutoff).where(_inbox.c.call_id.in_(told)).order_by(_inbox.c.call_id)
    return list(session.connection().scalars(statement))


def passed_by(session: Session, task: str, call_ids: Collection[int]) -> Sequence[int]:
    """Of these calls, those that a task has seen to by their age: it comes back for none, whatever is theirs now."""
    statement = (
        select(_inbox.c.call_id)
        .where(_IS_TELLING, _inbox.c.call_id.in_(call_ids))
        .group_by(_inbox.c.call_id)
        .having(func.max(_inbox.c.id) <= done_of(session, task))
    )
    return list(session.connection().scalars(statement))


def count_due(session: Session, task: str, cutoff: int) -> int:
    """How many recordings, bodies, transcripts or calls have reached their age. Reads the whole inbox."""
    old = _heard_last_before(cutoff)
    where: list[ColumnElement[bool]]
    if task == "reports":
        table, where = _inbox, [_inbox.c.received_at < cutoff, _inbox.c.body.is_not(None)]
    elif task == "audio":
        table, where = _recording, [_recording.c.call_id.in_(old), _recording.c.state != EXPIRED]
    else:
        table, where = _call, [_call.c.id.in_(old)]
        if task == "transcripts":
            where.append(_call.c.data.contains(f'"{TRANSCRIPT}":"', autoescape=True))
    statement = select(func.count()).select_from(table).where(*where)
    return int(session.connection().execute(statement).scalar_one())


def _heard_last_before(cutoff: int) -> Select[tuple[int]]:
    return (
        select(_inbox.c.call_id)
        .where(_IS_TELLING, _inbox.c.call_id.is_not(None))
        .group_by(_inbox.c.call_id)
        .having(func.max(_inbox.c.received_at) < cutoff)
    )
