"""How far each target is with the reports it gets: who may send next, and what became of what was sent.

A report has no row here unless something went wrong with it: all up to a target's cursor has been sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import and_, case, exists, func, not_, or_, true
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from dashboard.database.clock import tick
from dashboard.models import Forward, ForwardAside, Inbox
from dashboard.patience import PATIENCE_SECONDS, Aside, Gone, Later, Outcome, Sent, given_up
from dashboard.store.inbox import DUPLICATE, IGNORED, IMPORTED, TEST_CALL, UNREADABLE

ASIDE, AGAIN, SENT, SKIPPED, ERASED = "set aside", "to be sent again", "sent later", "skipped", "erased"
SECOND = 1_000_000
LEASE_SECONDS = 60
# A target that left the settings for longer begins anew, or months of reports would go out when it comes back.
ABSENCE_SECONDS = PATIENCE_SECONDS
_LOOK = 500

_earlier = aliased(Inbox)
_CAME_BEFORE = exists().where(
    col(_earlier.sha256) == Inbox.sha256,
    col(_earlier.id) < Inbox.id,
    col(_earlier.user_agent).not_in((IMPORTED, TEST_CALL)),
)
# The same bytes again tell a target nothing new; and what an operator put in by hand did not come by the webhook.
# Only reports of calls are known as duplicates when they come. The others are looked for, each alone: an AND would have
# SQLite look for every report.
IS_HANDED_ON = and_(
    col(Inbox.verdict) != DUPLICATE,
    col(Inbox.user_agent).not_in((IMPORTED, TEST_CALL)),
    case((col(Inbox.verdict).in_((IGNORED, UNREADABLE)), not_(_CAME_BEFORE)), else_=true()),
)


class Report(NamedTuple):
    """A report to send, without its bytes. `attempt` counts from 1; `is_again`: it had been set aside."""

    id: int
    received_at: int
    content_type: str
    attempt: int = 1
    is_again: bool = False


class Claim(NamedTuple):
    """Reports that nobody else sends to this target for a while, in order. `failures`: attempts that failed so far."""

    target: str
    number: int
    failures: int
    reports: Sequence[Report]


class Step(NamedTuple):
    """What became of one report, and when (microseconds since 1970, UTC)."""

    report: Report
    outcome: Outcome
    at: int


class Standing(NamedTuple):
    """How a target stands: whether there is something to send now; since when it fails; how many wait, are aside."""

    target: str
    is_due: bool
    failing_since: int | None
    answer: str
    aside: int


def begin(session: Session, targets: Sequence[str], now: int) -> None:
    """Give each new target its row, which begins at the head: what came before it was named is not for it."""
    known = {row.target for row in session.exec(select(Forward)) if row.left_at is None}
    if known == set(targets):
        return
    head = tick(session, 1)  # holds the clock's row: two processes that start together do not begin the same target
    session.expire_all()
    rows = {row.target: row for row in session.exec(select(Forward)).all()}
    for row in rows.values():
        if row.target not in targets:
            row.left_at = row.left_at or now
        elif row.left_at is not None:
            if now - row.left_at > ABSENCE_SECONDS * SECOND:
                row.began_after = row.cursor = head
                row.report_id, row.attempts, row.failures, row.failing_since = None, 0, 0, None
            row.left_at = None
    for target in targets:
        if target not in rows:
            session.add(Forward(target=target, began_after=head, cursor=head, due_at=now))


def standing(session: Session, targets: Sequence[str], now: int) -> list[Standing]:
    """How these targets stand; cheap, for it is asked every second."""
    newest = session.exec(select(func.max(Inbox.id))).one() or 0
    counts: dict[tuple[str, str], int] = {
        (target, state): count
        for target, state, count in session.exec(
            select(ForwardAside.target, ForwardAside.state, func.count())
            .where(col(ForwardAside.state).in_((ASIDE, AGAIN)))
            .group_by(ForwardAside.target, ForwardAside.state)
        )
    }
    return [
        Standing(
            row.target,
            _is_free(row, now) and (newest > row.cursor or (row.target, AGAIN) in counts),
            # Of a target that nothing waits for, nobody knows whether it is well by now.
            row.failing_since if row.report_id is not None or newest > row.cursor else None,
            row.answer,
            counts.get((row.target, ASIDE), 0),
        )
        for row in session.exec(select(Forward).where(col(Forward.target).in_(targets)).order_by(Forward.target))
    ]


def _is_free(row: Forward, now: int) -> bool:
    return row.due_at <= now and (row.claimed_until is None or row.claimed_until <= now)


def claim_due(session: Session, targets: Sequence[str], now: int, most: int) -> list[Claim]:
    """Take up to `most` reports for each of these targets that is due, for a while.

    No other process sends to it meanwhile, and if this one dies the lease runs out.
    """
    due = session.exec(
        select(Forward)
        .where(
            col(Forward.target).in_(targets),
            Forward.due_at <= now,
            or_(col(Forward.claimed_until).is_(None), col(Forward.claimed_until) <= now),
        )
        .with_for_update(skip_locked=True)
    ).all()
    return [claim for row in due if (claim := _claim(session, row, now, most))]


def _claim(session: Session, row: Forward, now: int, most: int) -> Claim | None:
    if row.failing_since is not None:
        _give_up_old(session, row, now)
    reports = _asked_again(session, row, most) or _next_in_line(session, row, most)
    if not reports:
        return None
    row.claim += 1
    row.claimed_until = now + LEASE_SECONDS * SECOND
    return Claim(row.target, row.claim, row.failures, reports)


def _give_up_old(session: Session, row: Forward, now: int) -> None:
    """Set aside what has waited too long behind a target that fails: the line keeps to the same few days."""
    old = session.exec(
        select(Inbox.id)
        .where(col(Inbox.id) > row.cursor, IS_HANDED_ON, Inbox.received_at < now - PATIENCE_SECONDS * SECOND)
        .order_by(col(Inbox.id))
        .limit(_LOOK)
    ).all()
    for inbox_id in old:
        put_aside(session, row.target, inbox_id, ASIDE, given_up(row.answer), now)
        row.cursor = inbox_id
        if inbox_id == row.report_id:
            row.report_id, row.attempts = None, 0


def _asked_again(session: Session, row: Forward, most: int) -> list[Report]:
    found = session.exec(
        select(ForwardAside.inbox_id, Inbox.received_at, Inbox.content_type)
        .join(Inbox, col(Inbox.id) == ForwardAside.inbox_id, isouter=True)
        .where(ForwardAside.target == row.target, ForwardAside.state == AGAIN)
        .order_by(col(ForwardAside.inbox_id))
        .limit(most)
    )
    return [
        Report(inbox_id, received_at or 0, content_type or "", _attempt(row, inbox_id), is_again=True)
        for inbox_id, received_at, content_type in found
    ]


def _next_in_line(session: Session, row: Forward, most: int) -> list[Report]:
    found = session.exec(
        select(Inbox.id, Inbox.received_at, Inbox.content_type, IS_HANDED_ON)
        .where(col(Inbox.id) > row.cursor)
        .order_by(col(Inbox.id))
        .limit(_LOOK)
    )
    reports: list[Report] = []
    for inbox_id, received_at, content_type, is_handed_on in found:
        if len(reports) == most:
            break
        if is_handed_on:
            reports.append(Report(inbox_id, received_at, content_type, _attempt(row, inbox_id)))
        elif not reports:
            row.cursor = inbox_id
    return reports


def _attempt(row: Forward, inbox_id: int) -> int:
    return row.attempts + 1 if row.report_id == inbox_id else 1


def note(session: Session, claim: Claim, steps: Sequence[Step], now: int, *, is_over: bool) -> bool:
    """Write down what became of these reports, and hold on to the target unless it is over with.

    False where the claim was lost: another process sends to the target by now, and counts for itself.
    """
    row = session.get(Forward, claim.target, with_for_update=True)
    if row is None or row.claim != claim.number:
        return False
    for step in steps:
        _take(session, row, step)
    row.claimed_until = None if is_over else now + LEASE_SECONDS * SECOND
    return True


def _take(session: Session, row: Forward, step: Step) -> None:
    report, outcome, at = step
    if not isinstance(outcome, Gone):
        row.answer, row.answered_at = outcome.words, at
    if isinstance(outcome, Later):
        row.report_id, row.attempts = report.id, report.attempt
        _note_failure(row, at, outcome.seconds)
        return
    row.report_id, row.attempts = None, 0
    if not report.is_again:
        row.cursor = max(row.cursor, report.id)
    match outcome:
        case Sent():
            row.failures, row.failing_since = 0, None
            if report.is_again:
                put_aside(session, row.target, report.id, SENT, "", at)
        case Aside():
            put_aside(session, row.target, report.id, ASIDE, outcome.words, at)
            _note_failure(row, at, outcome.seconds)
            if not outcome.seconds:
                row.failures = 0
        case Gone():
            put_aside(session, row.target, report.id, ERASED, outcome.words, at)


def _note_failure(row: Forward, at: int, seconds: float) -> None:
    row.failures += 1
    row.failing_since = row.failing_since or at
    row.due_at = at + int(seconds * SECOND)


def put_aside(session: Session, target: str, inbox_id: int, state: str, problem: str, now: int) -> None:
    """Say of one report what became of it, or is to become of it, out of its line."""
    known = session.get(ForwardAside, (target, inbox_id))
    if known is None:
        session.add(ForwardAside(target=target, inbox_id=inbox_id, state=state, problem=problem, at=now))
    else:
        known.state, known.problem, known.at = state, problem, now
