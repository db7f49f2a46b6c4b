"""What the platform said that its documentation does not have: when first, when last, how often."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlmodel import Session

from dashboard.models import Undocumented, table_of
from dashboard.notices import Newcomer

MOST_VALUES = 500
"""Of each kind: whoever makes up names without end fills a page and no disk."""


class Sighting(NamedTuple):
    """An undocumented word, the inbox row it stood in, and when that came (microseconds since 1970, UTC)."""

    kind: str
    value: str
    inbox_id: int
    at: int


class Stranger(NamedTuple):
    """An undocumented word, and all that is known of it."""

    kind: str
    value: str
    first_id: int
    first_seen_at: int
    last_seen_at: int
    times: int


_table = table_of(Undocumented)
_ALL = select(*(_table.c[name] for name in Stranger._fields))
_KNOWN = select(_table.c.kind, _table.c.value).where(_table.c.value.in_(bindparam("values", expanding=True)))
_COUNTS = select(_table.c.kind, func.count()).group_by(_table.c.kind)
_AGAIN = (
    update(_table)
    .where(_table.c.kind == bindparam("of_kind"), _table.c.value == bindparam("of_value"))
    .values(times=_table.c.times + bindparam("more"), last_seen_at=bindparam("at"))
)
_INSERT = insert(_table)
_SINCE = (
    select(*(_table.c[name] for name in Newcomer._fields))
    .where(_table.c.first_id > bindparam("after"), _table.c.first_seen_at > bindparam("since"))
    .order_by(_table.c.first_id.desc())
    .limit(bindparam("most"))
)
_NEWEST_FIRST = _ALL.order_by(_table.c.first_id.desc(), _table.c.kind, _table.c.value)


def note_undocumented(session: Session, sightings: Iterable[Sighting]) -> None:
    """Count what was seen, in the order in which it came. Stands in the transaction that stores the reports.

    A kind that has MOST_VALUES words takes no more: what it has already goes on being counted.
    """
    seen: dict[tuple[str, str], list[Sighting]] = {}
    for sighting in sightings:
        seen.setdefault(sighting[:2], []).append(sighting)
    if not seen:
        return
    connection = session.connection()
    known = {(kind, value) for kind, value in connection.execute(_KNOWN, {"values": [value for _, value in seen]})}
    again = [
        {"of_kind": key[0], "of_value": key[1], "more": len(each), "at": each[-1].at}
        for key, each in seen.items()
        if key in known
    ]
    if again:
        connection.execute(_AGAIN, again)
    if new := [each for key, each in seen.items() if key not in known]:
        _add(session, new)


def _add(session: Session, new: Sequence[Sequence[Sighting]]) -> None:
    counts = {kind: int(count) for kind, count in session.connection().execute(_COUNTS)}
    rows = []
    for each in new:
        first = each[0]
        counts[first.kind] = counts.get(first.kind, 0) + 1
        if counts[first.kind] <= MOST_VALUES:
            rows.append(Stranger(first.kind, first.value, first.inbox_id, first.at, each[-1].at, len(each))._asdict())
    if rows:
        session.connection().execute(_INSERT, rows)


def strangers(session: Session) -> list[Stranger]:
    """Every undocumented word that was seen, the newest first."""
    return [Stranger._make(row) for row in session.connection().execute(_NEWEST_FIRST)]


def forget_word(session: Session, word: Stranger) -> None:
    session.connection().execute(delete(_table).where(_table.c.kind == word.kind, _table.c.value == word.value))


def newcomers_since(session: Session, after: int, since: int, most: int) -> list[Newcomer]:
    """The newest words that came first after the inbox row `after` and the moment `since`, the newest first."""
    rows = session.connection().execute(_SINCE, {"after": after, "since": since, "most": most})
    return [Newcomer._make(row) for row in rows]
