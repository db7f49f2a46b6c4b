"""Reads some reports of the inbox again, and tells their calls anew: the steps of a rebuild, for these alone.

Nothing is delivered a second time: every report keeps its number and its place in the order, so nothing is doubled and
nothing that came later is blanked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import Session

from dashboard.database.clock import tick
from dashboard.models import Call, Inbox, table_of
from dashboard.phone_numbers import DEFAULT_REGION
from dashboard.store.inbox import IGNORED, UNREADABLE
from dashboard.store.rebuild import retell, take_in

# A step stands in the webhooks' way: as many rows, or as many bytes, as are told anew in a quarter of a second.
MOST_ROWS = 50
MOST_BYTES = 2**20


class Replayed(NamedTuple):
    """What became of a report: its verdict before and now, its call, and whether that call's row is another now."""

    id: int
    before: str
    verdict: str
    problem: str
    event: str
    call_id: int | None
    has_changed: bool

    @property
    def words(self) -> str:
        """What became of it, as a sentence."""
        if self.before in (UNREADABLE, IGNORED):
            if self.verdict == UNREADABLE:
                return f"It still cannot be read. {self.problem}"
            if self.verdict == IGNORED:
                return "It still tells of no call: it is another event."
            return f"It can be read now: {self.verdict}."
        return "Its call was told anew and has changed." if self.has_changed else "Its call is as its reports tell it."


_inbox, _call = table_of(Inbox), table_of(Call)
_COLUMNS = (_inbox.c.id, _inbox.c.verdict, _inbox.c.problem, _inbox.c.event, _inbox.c.call_id)


def replay(
    session: Session, inbox_ids: Sequence[int], source_timezone: ZoneInfo, region: str = DEFAULT_REGION
) -> list[Replayed]:
    """One step, in the order of the ids; a number that is no report's is left out."""
    # First of all, as in every write: what is read from here on nobody changes before we have.
    tick(session, 1)
    before = _verdicts(session, inbox_ids)
    told = {row.call_id for row in before.values() if row.call_id is not None}
    numbers = _numbers(session, told)
    unread = [row.id for row in before.values() if row.verdict in (UNREADABLE, IGNORED)]
    if unread:
        take_in(session, unread, source_timezone, region)
        session.flush()
    if told:
        retell(session, sorted(told), source_timezone, region)
        session.flush()
    after = _verdicts(session, inbox_ids)
    numbers_now = _numbers(session, {row.call_id for row in after.values() if row.call_id is not None})
    return [
        row._replace(
            before=before[row.id].verdict,
            has_changed=row.call_id is not None and numbers_now.get(row.call_id) != numbers.get(row.call_id),
        )
        for row in after.values()
    ]


def steps_of(sizes: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    """Reports, as (id, size), cut into steps that are small enough for one transaction each."""
    step: list[int] = []
    held = 0
    for inbox_id, size in sizes:
        if step and (len(step) == MOST_ROWS or held + size > MOST_BYTES):
            yield step
            step, held = [], 0
        step.append(inbox_id)
        held += size
    if step:
        yield step


def _verdicts(session: Session, inbox_ids: Sequence[int]) -> dict[int, Replayed]:
    rows = session.connection().execute(select(*_COLUMNS).where(_inbox.c.id.in_(inbox_ids)).order_by(_inbox.c.id))
    return {row.id: Replayed(row.id, row.verdict, *row[1:], has_changed=False) for row in rows}


def _numbers(session: Session, call_ids: set[int]) -> dict[int, int]:
    """The numbers of the last change of these calls, by id."""
    rows = session.connection().execute(select(_call.c.id, _call.c.seq).where(_call.c.id.in_(call_ids)))
    return {row[0]: row[1] for row in rows}
