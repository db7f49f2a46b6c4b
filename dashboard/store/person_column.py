"""Fills `call.person`, and again when another region is set: in steps, each one short transaction.

How far it has come is a row of `upkeep` that names the region and the rules. New rows are written with their person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlmodel import Session

from dashboard.models import Call, Upkeep, table_of
from dashboard.phone_numbers import KEY_RULES, person_key
from dashboard.store.steps import done_of, set_done

CHUNK = 1000
_TASK = "person:"

_call, _upkeep = table_of(Call), table_of(Upkeep)
_OTHER_REGIONS = delete(_upkeep).where(_upkeep.c.task.startswith(_TASK), _upkeep.c.task != bindparam("of_region"))
_HAS_OTHER_REGIONS = select(_upkeep.c.task).where(
    _upkeep.c.task.startswith(_TASK), _upkeep.c.task != bindparam("of_region")
)
_ROWS = (
    select(_call.c.id, _call.c.customer_number, _call.c.person)
    .where(_call.c.id > bindparam("after"))
    .order_by(_call.c.id)
    .limit(CHUNK)
)
# A report may have changed the number since the row was read: then it has written its person, too.
_FILL = (
    update(_call)
    .where(_call.c.id == bindparam("call_id"), _call.c.customer_number == bindparam("number"))
    .values(person=bindparam("key"))
)


class Step(NamedTuple):
    """The next few calls: up to which id, and which of them have another person than their number says."""

    last_id: int
    wrong: Sequence[tuple[int, str, str]]
    """(call id, customer's number, person's key)"""
    is_noted: bool
    """whether to remember how far it is: more calls may follow, or the mark of another region has to go"""


def next_step(session: Session, region: str, after: int) -> Step | None:
    """What is to be written of the next calls after an id; None when none is left that was not looked at before."""
    task = _task(region)
    is_other = session.connection().execute(_HAS_OTHER_REGIONS, {"of_region": task}).first() is not None
    done = 0 if is_other else done_of(session, task)
    rows = session.connection().execute(_ROWS, {"after": max(after, done)}).all()
    if not rows:
        return None
    keys = ((call_id, number, known, person_key(number, region)) for call_id, number, known in rows)
    wrong = [(call_id, number, key) for call_id, number, known, key in keys if key != known]
    return Step(rows[-1].id, wrong, is_other or len(rows) == CHUNK)


def forget_other_regions(session: Session, region: str) -> None:
    """Remove the marks of other regions. A command that writes calls by this one does so first.

    The command may run with another region than the board. The board's next start then reads all numbers again.
    """
    session.connection().execute(_OTHER_REGIONS, {"of_region": _task(region)})


def fill(session: Session, step: Step, region: str) -> None:
    """Write one step. Calls keep their `seq`: what changes is for the index alone, which is loaded afterwards."""
    task = _task(region)
    connection = session.connection()
    forget_other_regions(session, region)
    if step.wrong:
        rows = [{"call_id": call_id, "number": number, "key": key} for call_id, number, key in step.wrong]
        connection.execute(_FILL, rows)
    set_done(session, task, step.last_id)


def _task(region: str) -> str:
    return f"{_TASK}{region}:{KEY_RULES}"
