"""What has changed after a number: calls that are new or changed, and those that are no more, in one order."""

from __future__ import annotations

from typing import NamedTuple

from sqlmodel import Session

from dashboard.store.calls import CallRow, changed_since, count_changed_since
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
