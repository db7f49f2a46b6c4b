"""The clock: every change that shows live takes its number here, in the transaction that makes it."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sqlalchemy import bindparam, case, select, text, update
from sqlmodel import Session

from dashboard.models import Clock, table_of

CHANNEL = "callboard"
"""Where PostgreSQL tells other processes that there is news."""

_clock = table_of(Clock)
_TICK = update(_clock).values(seq=_clock.c.seq + bindparam("numbers", type_=_clock.c.seq.type)).returning(_clock.c.seq)
_HEAD = select(_clock.c.seq)
_EPOCH = select(_clock.c.epoch)
_GIVEN_OUT = select(_clock.c.seq, _clock.c.call_id)
# SQLite has no such lock and needs none: its writes begin one after the other.
_HOLD = _HEAD.with_for_update()
# Under which key a session knows the last number that its process has seen committed.
LAST_SEEN = "last_seen"
_NOTIFY = text(f"NOTIFY {CHANNEL}")


def tick(session: Session, numbers: int) -> int:
    """Take the next `numbers` numbers and give back the first of them. Must come first in every write that shows live.

    Whoever holds the clock's row commits before the next one gets a number, so commit order is number order;
    otherwise a row with a smaller number could commit after a larger one and no page would ever see it.
    """
    connection = session.connection()
    last: int = connection.execute(_TICK, {"numbers": numbers}).scalar_one()
    if last - numbers < session.info.get(LAST_SEEN, 0):
        # The database has lost its last commits, as at a failover to a standby that lagged: their numbers are in use.
        begin_epoch(session, None)
        last = connection.execute(_TICK, {"numbers": numbers}).scalar_one()
    session.info[LAST_SEEN] = last
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY)
    return last - numbers + 1


def go_on_after(session: Session, seen: int) -> None:
    """Begin an epoch where the clock is behind a number that was seen: the database has lost its last commits."""
    session.info[LAST_SEEN] = max(seen, session.info.get(LAST_SEEN, 0))
    tick(session, 0)


def hold_clock(session: Session) -> None:
    """Take the clock and no number: from here on nobody else writes what goes by it, until this write is over.

    For a write that decides by what it reads: on PostgreSQL another process could change that before it is acted on.
    """
    session.connection().execute(_HOLD)


def head_of(session: Session) -> int:
    """The last number given out."""
    head: int = session.connection().execute(_HEAD).scalar_one()
    return head


def epoch_of(session: Session) -> str:
    """Which life of the database this is: numbers of another one mean nothing here."""
    epoch: str = session.connection().execute(_EPOCH).scalar_one()
    return epoch


class GivenOut(NamedTuple):
    """The last number that a database gave out, and the last id of a call."""

    seq: int
    call_id: int


# How far a clock is put forward where nobody knows what was given out since the backup. Numbers cost nothing; every
# process's index holds some fifty bytes for each id up to the largest, whether there is such a call or not.
UNKNOWN = GivenOut(10_000_000, 100_000)


def given_out(session: Session) -> GivenOut:
    return GivenOut._make(session.connection().execute(_GIVEN_OUT).one())


def begin_epoch(session: Session, replaced: GivenOut | None) -> None:
    """From now on no number of another life of this database is believed, and none of them is used again.

    `replaced` is what the database gave out that stood here before; None where nobody can say. Targets throw a delivery
    away whose number they have seen, programs ask for what came after one, and links lead to a call by its id.
    """
    now = _clock.c
    if replaced is None:
        further = {name: now[name] + jump for name, jump in UNKNOWN._asdict().items()}
    else:
        last = replaced._asdict().items()
        further = {name: case((now[name] <= number, number + 1), else_=now[name]) for name, number in last}
    session.connection().execute(update(_clock).values(epoch=secrets.token_hex(8), **further))
