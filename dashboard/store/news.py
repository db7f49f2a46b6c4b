"""What has changed after a number: calls that are new or changed, and those that are no more, in one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlmodel import Session, col, select

from dashboard.models import Inbox
from dashboard.store.calls import CallRow, ToldCall, changed_since, count_changed_since, told_by_id
from dashboard.store.inbox import CHANGED
from dashboard.store.removal import erased_since

_LAST_SEQ = 2**63 - 1


class Gone(NamedTuple):
    """A call that is no more; for a page, it was there from the beginning."""

    id: int
    seq: int
    created_seq: int = 0
    facts: None = None


def news_since(session: Session, seq: int, most: int) -> tuple[list[CallRow | Gone], int]:
    """At most `most` changes after `seq`, in the order of their numbers, and the number up to which that is all."""
    calls, upto = changed_since(session, seq, most)
    gone = [Gone(call_id, at) for at, call_id in erased_since(session, seq, upto, most)]
    news: list[CallRow | Gone] = [*calls, *gone]
    news.sort(key=lambda change: change.seq)
    if len(news) > most or len(gone) == most:
        news = news[:most]
        upto = news[-1].seq
    return news, upto


def count_since(session: Session, seq: int, most: int) -> int:
    """How many changes there are after `seq`, counted to `most`."""
    gone = erased_since(session, seq, _LAST_SEQ, most)
    return min(most, len(gone) + count_changed_since(session, seq, most))


class Pulled(NamedTuple):
    """What a program gets of one page of changes."""

    calls: list[ToldCall]
    removed: list[tuple[int, int]]
    """(call id, number) of calls that it may have and that are no longer among those it asks for."""
    upto: int
    """The number up to which this is everything."""


def pulled_since(
    session: Session,
    seq: int,
    most: int,
    *,
    is_wanted: Callable[[CallRow], bool],
    is_allowed: Callable[[CallRow], bool],
) -> Pulled:
    """At most `most` changes after `seq` for a program that has everything up to `seq`.

    Calls that are `is_wanted` come whole. Others are removed if the program may have them: those that are gone, and
    those that were there at `seq`. Of a call that is not even `is_allowed` it hears only where a later report has
    changed it: a call with one report was never in another campaign, so the program never had it.
    """
    news, upto = news_since(session, seq, most)
    rows = [change for change in news if isinstance(change, CallRow)]
    told = told_by_id(session, [row.id for row in rows if is_wanted(row)], with_data=False)
    # PostgreSQL reads each statement as of its own moment: a row may have moved since the first one.
    calls = [each for each in told if is_wanted(each.row)]
    here = {each.row.id for each in told}
    others = [row for row in rows if row.id not in here and row.created_seq <= seq]
    hidden = [row.id for row in others if not is_allowed(row)]
    silent = {*hidden} - _changed_by_a_report(session, hidden)
    removed = [(row.id, row.seq) for row in others if row.id not in silent]
    removed += [(change.id, change.seq) for change in news if isinstance(change, Gone)]
    return Pulled(calls, sorted(removed, key=lambda each: each[1]), upto)


def _changed_by_a_report(session: Session, call_ids: Sequence[int]) -> set[int]:
    """Those of these calls that a later report has changed: they may have been in another campaign before."""
    if not call_ids:
        return set()
    statement = select(Inbox.call_id).where(col(Inbox.call_id).in_(call_ids), Inbox.verdict == CHANGED).distinct()
    return {call_id for call_id in session.exec(statement) if call_id is not None}
