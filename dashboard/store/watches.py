"""The watch log: when some process could store. A row a run; few stay, because what no gap lies between is made one."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, func, insert, select, update
from sqlmodel import Session

from dashboard.gaps import SHORTEST, STOPPED, Gap, Span, chains, last_of
from dashboard.models import Watch, table_of

MOST_ROWS = 1000
"""A gap a day for nearly three years; beyond that the oldest are forgotten."""

# A span that has not moved for so long is nobody's any more.
_SETTLED = 3600 * 1_000_000

_watch = table_of(Watch)
_SPANS = select(_watch.c.started_at, _watch.c.last_at, _watch.c.ending, _watch.c.id, _watch.c.filled_at)


def listen(session: Session, row_id: int | None, now: int, ending: str) -> int:
    """Write down that a process can store at this moment; gives the row that it is to go on with.

    After more than a minute a new span begins, and the old one has ended as `ending` says.
    """
    connection = session.connection()
    if row_id is not None:
        mine = _watch.c.id == row_id
        last_at = connection.execute(select(_watch.c.last_at).where(mine)).scalar_one_or_none()
        if last_at is not None and now - last_at < SHORTEST:
            connection.execute(update(_watch).where(mine).values(last_at=max(last_at, now)))
            return row_id
        connection.execute(update(_watch).where(mine).values(ending=ending))
    _fold(session, now)
    begun = insert(_watch).values(started_at=now, last_at=now).returning(_watch.c.id)
    return int(connection.execute(begun).scalar_one())


def leave(session: Session, row_id: int, now: int, ending: str) -> None:
    """A process stops, and says so."""
    row_id = listen(session, row_id, now, ending)
    session.connection().execute(update(_watch).where(_watch.c.id == row_id).values(ending=STOPPED))


def spans_of(session: Session) -> tuple[list[Span], list[Span]]:
    """When some process listened, and the spans that were filled; at most MOST_ROWS and those of the last hour."""
    rows = [Span._make(row) for row in session.connection().execute(_SPANS)]
    return [row for row in rows if row.filled_at is None], [row for row in rows if row.filled_at is not None]


def fill(session: Session, start: int, end: int, now: int) -> None:
    """What was missed between these moments has been brought in."""
    session.connection().execute(insert(_watch).values(started_at=start, last_at=end, filled_at=now))


def unfill(session: Session, gap: Gap) -> None:
    """Take back every fill that reaches into this gap."""
    reaches = (_watch.c.started_at < gap.end, _watch.c.last_at > gap.start)
    session.connection().execute(delete(_watch).where(_watch.c.filled_at.is_not(None), *reaches))


def _fold(session: Session, now: int) -> None:
    """Make settled spans one where no gap lies between them, and forget the oldest beyond MOST_ROWS.

    A board that is started anew every two seconds all night would otherwise leave a row for each.
    """
    connection = session.connection()
    settled = _SPANS.where(_watch.c.filled_at.is_(None), _watch.c.last_at < now - _SETTLED)
    for chain in chains(Span._make(row) for row in connection.execute(settled)):
        if len(chain) > 1:
            kept = last_of(chain)
            start = update(_watch).where(_watch.c.id == kept.id).values(started_at=chain[0].start)
            connection.execute(start)
            _delete(session, (span.id for span in chain if span.id != kept.id))
    oldest = select(_watch.c.id).order_by(_watch.c.last_at.desc()).offset(MOST_ROWS)
    if connection.execute(select(func.count()).select_from(_watch)).scalar_one() > MOST_ROWS:
        _delete(session, connection.execute(oldest).scalars().all())


def _delete(session: Session, ids: Iterable[int]) -> None:
    # A thousand at a time: SQLite takes 32,766 values in a statement.
    ordered = sorted(ids)
    for first in range(0, len(ordered), 1000):
        session.connection().execute(delete(_watch).where(_watch.c.id.in_(ordered[first : first + 1000])))
