"""What people see of the reports on their way to targets, and what they can do about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from dashboard.models import Forward, ForwardAside, Inbox
from dashboard.store.forward import AGAIN, ASIDE, IS_HANDED_ON, SKIPPED, put_aside

MOST_COUNTED = 10_000
_MOST_SHOWN = 100


class AsideLine(NamedTuple):
    """A report that was set aside: its inbox id, why, and since when."""

    inbox_id: int
    state: str
    problem: str
    at: int


class TargetLine(NamedTuple):
    """A target as its page shows it. `waiting` counts up to MOST_COUNTED; the first of them came at `oldest_at`."""

    target: str
    waiting: int
    oldest_at: int | None
    report_id: int | None
    attempts: int
    failing_since: int | None
    due_at: int
    answer: str
    answered_at: int | None
    has_left: bool
    aside_count: int
    aside: Sequence[AsideLine]


class CannotSkip(Exception):
    """Nothing was changed; the text says why."""


def target_lines(session: Session) -> list[TargetLine]:
    """Every target there is or was, those of the settings first."""
    rows = session.exec(select(Forward).order_by(col(Forward.left_at).is_not(None), Forward.target)).all()
    return [_line(session, row) for row in rows]


def _line(session: Session, row: Forward) -> TargetLine:
    waiting, oldest_at = waiting_for(session, row)
    is_open = (ForwardAside.target == row.target, col(ForwardAside.state).in_((ASIDE, AGAIN)))
    aside = session.exec(
        select(ForwardAside).where(*is_open).order_by(col(ForwardAside.inbox_id).desc()).limit(_MOST_SHOWN)
    )
    return TargetLine(
        row.target,
        waiting,
        oldest_at,
        row.report_id,
        row.attempts,
        row.failing_since,
        row.due_at,
        row.answer,
        row.answered_at,
        row.left_at is not None,
        session.exec(select(func.count()).select_from(ForwardAside).where(*is_open)).one(),
        [AsideLine(each.inbox_id, each.state, each.problem, each.at) for each in aside],
    )


def waiting_for(session: Session, row: Forward) -> tuple[int, int | None]:
    """How many reports wait for this target, counted up to MOST_COUNTED, and when the first of them came."""
    few = (
        select(Inbox.received_at)
        .where(col(Inbox.id) > row.cursor, IS_HANDED_ON)
        .order_by(col(Inbox.id))
        .limit(MOST_COUNTED)
        .subquery()
    )
    count, oldest_at = session.execute(select(func.count(), func.min(few.c.received_at))).one()
    return count, oldest_at


def try_now(session: Session, target: str, now: int) -> bool:
    """Do not wait any longer before the next attempt. False where there is no such target."""
    tried = session.execute(update(Forward).where(col(Forward.target) == target).values(due_at=now))
    return bool(tried.rowcount)  # type: ignore[attr-defined]


def send_again(session: Session, target: str, inbox_ids: Collection[int] | None, now: int) -> int:
    """Send these reports once more, or all that were set aside where none is named.

    They go before the line, each with the number it always had. Named may be any that the line has left behind: skipped
    ones, sent ones, those that came before the target. Gives how many.
    """
    if inbox_ids is None:
        wanted = (col(ForwardAside.target) == target, col(ForwardAside.state) == ASIDE)
        asked = session.execute(update(ForwardAside).where(*wanted).values(state=AGAIN, at=now))
        return int(asked.rowcount)  # type: ignore[attr-defined]
    row = session.get(Forward, target, with_for_update=True)
    if row is None:
        return 0
    behind = session.exec(select(Inbox.id).where(col(Inbox.id).in_(inbox_ids), col(Inbox.id) <= row.cursor)).all()
    for inbox_id in behind:
        put_aside(session, target, inbox_id, AGAIN, "", now)
    return len(behind)


def let_be(session: Session, target: str, inbox_ids: Collection[int] | None, now: int) -> int:
    """Have done with reports that were set aside, all where none is named: no notice tells of them. Gives how many."""
    wanted = [] if inbox_ids is None else [col(ForwardAside.inbox_id).in_(inbox_ids)]
    done = session.execute(
        update(ForwardAside)
        .where(col(ForwardAside.target) == target, col(ForwardAside.state).in_((ASIDE, AGAIN)), *wanted)
        .values(state=SKIPPED, at=now)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def skip(session: Session, target: str, now: int) -> int:
    """Go on without the report that the line waits for. Gives its inbox id; raises CannotSkip."""
    row = session.get(Forward, target, with_for_update=True)
    if row is None:
        raise CannotSkip(f"There is no target {target}. To see those there are: forward list.")
    if row.claimed_until is not None and row.claimed_until > now:
        raise CannotSkip("A report is being sent at this very moment. Look again, and try again if it is needed.")
    if row.report_id is None:
        raise CannotSkip(f"No report holds up {target}. Nothing was changed.")
    inbox_id = row.report_id
    put_aside(session, target, inbox_id, SKIPPED, row.answer, now)
    row.cursor = max(row.cursor, inbox_id)
    row.report_id, row.attempts, row.due_at = None, 0, now
    return inbox_id
