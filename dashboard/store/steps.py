"""How far a piece of upkeep has come, so that it goes on there after a stop, in whichever process."""

from __future__ import annotations

from sqlalchemy import bindparam, insert, select, update
from sqlmodel import Session

from dashboard.models import Upkeep, table_of

_upkeep = table_of(Upkeep)
_DONE = select(_upkeep.c.done).where(_upkeep.c.task == bindparam("task"))
# Never back: another process may have come further meanwhile.
_MOVE = (
    update(_upkeep)
    .where(_upkeep.c.task == bindparam("of_task"), _upkeep.c.done < bindparam("upto"))
    .values(done=bindparam("upto"))
)
_BEGIN = insert(_upkeep)


def done_of(session: Session, task: str) -> int:
    """The number up to which a task is done; 0 if it never began."""
    return session.connection().execute(_DONE, {"task": task}).scalar_one_or_none() or 0


def set_done(session: Session, task: str, upto: int) -> None:
    connection = session.connection()
    if connection.execute(_DONE, {"task": task}).scalar_one_or_none() is None:
        connection.execute(_BEGIN, {"task": task, "done": upto})
    else:
        connection.execute(_MOVE, {"of_task": task, "upto": upto})
