"""Tries that never arrived: a retry has been reported, the try before it has not. Counts what is certain alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Select, literal, select
from sqlmodel import Session

from dashboard.models import Call, table_of

MOST = 1000
"""Of so many at most it is told; the page says "at least" then."""

# So many calls with their try before them are proof enough for every type that is among them.
_PROOFS = 1000


class LoneTry(NamedTuple):
    """A call whose try before it never arrived."""

    id: int
    at: int
    campaign: str
    type: str
    try_count: int


_call = table_of(Call)
_before = _call.alias("before")
# Of one value, not of "*": that would look up each row's table entry, too.
_HAS_BEFORE = (
    select(literal(1))
    .where(_before.c.call_sid == _call.c.call_sid, _before.c.try_count == _call.c.try_count - 1)
    .correlate(_call)
    .exists()
)
# A report without a callSid is known by its bytes: its try before it could never be found.
_RETRIES = select(_call.c.call_sid, _call.c.try_count).where(
    _call.c.try_count > 0, _call.c.call_sid.not_like("sha256:%")
)


def _rows_of(retries: Select[tuple[str, int]], most: int) -> Select[tuple[int, int, str, str, int]]:
    # First the retries by their index alone, which covers them, then the few rows: a million rows were read otherwise.
    found = retries.limit(most).subquery()
    return select(*(_call.c[name] for name in LoneTry._fields)).join(
        found, (_call.c.call_sid == found.c.call_sid) & (_call.c.try_count == found.c.try_count)
    )


_PROVEN = _rows_of(_RETRIES.where(_HAS_BEFORE), _PROOFS)
_TYPES = select(_PROVEN.subquery().c.type).distinct()
_LONE = _rows_of(_RETRIES.where(~_HAS_BEFORE), MOST)


def lone_tries(session: Session, since: int) -> Sequence[LoneTry]:
    """Calls from a moment on whose try before them is not there, newest first.

    The platform does not say whether all tries of a call bear one callSid. So only those types of calls are looked at
    of which that has been seen: a call of the type is there together with its try before it.
    """
    connection = session.connection()
    types = set(connection.execute(_TYPES).scalars())
    if not types:
        return []
    rows = [LoneTry._make(row) for row in connection.execute(_LONE)]
    certain = (row for row in rows if row.type in types and row.at >= since)
    return sorted(certain, key=lambda row: (row.at, row.id), reverse=True)
