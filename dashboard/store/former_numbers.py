"""Fills `call.former_numbers` of calls that an older version has stored: in steps, each one short transaction.

Without them, a number that a later report corrected is shown to roles that see no numbers, where a text quotes it.
"""

from __future__ import annotations

from collections import defaultdict

from pydantic_core import from_json
from sqlalchemy import bindparam, select, update
from sqlmodel import Session

from dashboard.callkaro.report import Report, read_report
from dashboard.calls import ends_of, former
from dashboard.models import Call, Inbox, table_of
from dashboard.store.bodies import body_of
from dashboard.store.inbox import CHANGED, reports_of
from dashboard.store.steps import done_of, set_done

CHUNK = 20
_TASK = "former numbers"
# Calls that are stored from now on are written with theirs.
_ALL = 2**62

_call, _inbox = table_of(Call), table_of(Inbox)
_NEXT = (
    select(_inbox.c.id, _inbox.c.call_id)
    .where(_inbox.c.verdict == CHANGED, _inbox.c.id > bindparam("after"))
    .order_by(_inbox.c.id)
    .limit(bindparam("most"))
)
_ROWS = select(_call.c.id, _call.c.data, _call.c.former_numbers).where(_call.c.id.in_(bindparam("ids", expanding=True)))
_FILL = update(_call).where(_call.c.id == bindparam("call_id")).values(former_numbers=bindparam("numbers"))


def are_filled(session: Session) -> bool:
    return done_of(session, _TASK) == _ALL


def fill_next(session: Session) -> bool:
    """Fill the next few calls that more than one report made; gives whether more may follow. Calls keep their `seq`."""
    rows = session.connection().execute(_NEXT, {"after": done_of(session, _TASK), "most": CHUNK}).all()
    if not rows:
        set_done(session, _TASK, _ALL)
        return False
    ids = sorted({row.call_id for row in rows if row.call_id is not None})
    seen = _numbers_of_reports(session, ids)
    filled = []
    for call_id, data, known in session.connection().execute(_ROWS, {"ids": ids}).all():
        numbers = former(seen[call_id] | set(from_json(known) if known else ()), from_json(data))
        if numbers != known:
            filled.append({"call_id": call_id, "numbers": numbers})
    if filled:
        session.connection().execute(_FILL, filled)
    set_done(session, _TASK, rows[-1].id)
    return True


def _numbers_of_reports(session: Session, call_ids: list[int]) -> dict[int | None, set[str]]:
    """By call: the numbers of both ends in all its reports that are still kept."""
    seen = defaultdict[int | None, set[str]](set)
    for row in reports_of(session, call_ids):
        body = body_of(row)
        reading = read_report(body) if body is not None else None
        if isinstance(reading, Report):
            seen[row.call_id] |= ends_of(reading.data)
    return seen
