"""Where one person stands in the tables: their calls by number, and what else quotes that number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, func, select, update
from sqlmodel import Session

from dashboard.callkaro.report import Report, as_text, read_report
from dashboard.calls import person_of
from dashboard.models import Audit, Call, Inbox, Recording, table_of
from dashboard.store.bodies import body_of
from dashboard.store.inbox import CHANGED, IGNORED, UNREADABLE
from dashboard.store.removal import Removed, remove_bodies
from dashboard.store.undocumented import forget_word, strangers

CHUNK = 1000
CALLS_AT_ONCE = 100
FEWEST_DIGITS = 6
"""A shorter number would be found in every second text."""
_FEWEST_ALIKE = 8
_BETWEEN = r"[\s().+-]{0,3}"
_RUN = re.compile(rf"\d(?:{_BETWEEN}\d){{{FEWEST_DIGITS - 1},}}")
_PARTS, _PARTS_AT_DOTS = re.compile(r"[\d\s()+.-]+"), re.compile(r"[\d\s()+-]+")
BLANKED = "(erased)"

_call, _inbox, _recording, _audit = table_of(Call), table_of(Inbox), table_of(Recording), table_of(Audit)
_NUMBERS = (
    select(_call.c.customer_number)
    .where(_call.c.customer_number > bindparam("after"))
    .distinct()
    .order_by(_call.c.customer_number)
    .limit(CHUNK)
)
_OF_NUMBER = (
    select(_call.c.id)
    .where(_call.c.customer_number == bindparam("number"), _call.c.id > bindparam("after"))
    .order_by(_call.c.id)
    .limit(CALLS_AT_ONCE)
)
_change = _inbox.alias("change")
# Asked of one report's call by its index: the list of all such calls, made anew for every step, took most of the time.
_OF_A_CHANGED_CALL = (
    select(_change.c.id).where(_change.c.call_id == _inbox.c.call_id, _change.c.verdict == CHANGED).exists()
)
_ABOUT = (
    select(_audit.c.id, _audit.c.about)
    .where(_audit.c.id > bindparam("after"), _audit.c.about != "")
    .order_by(_audit.c.id)
    .limit(CHUNK)
)


class Numbers(NamedTuple):
    """A step through all customers' numbers: where it ended, and those found in it."""

    last: str
    same: Sequence[str]
    """the person's number, as some call spells it"""
    alike: Sequence[str]
    """other numbers that may be the same person's"""


class Quoting(NamedTuple):
    """A step through rows that may quote a number: where it ended, and the ids of those that do."""

    last: int
    ids: Sequence[int]
    alike: set[str]
    """what others quote that may be the same person's number"""


def digits_of(number: str) -> str:
    return "".join(str(int(digit)) for digit in number if digit.isdecimal())


def forget_words_with(session: Session, digits: str) -> None:
    """Take a number out of the words that CallKaro's documentation does not have."""
    for word in strangers(session):
        if quotes(word.value, digits):
            forget_word(session, word)


def quotes(text: str, digits: str) -> bool:
    """Whether a text has this number in it, in groups or not, and not as a part of a longer one."""
    return digits in _numbers_in(text, digits)


def _numbers_in(text: str, digits: str) -> set[str]:
    """What numbers a text has, as digits, that end like this one; with a country's code more, or less."""
    code, core = digits[:-_FEWEST_ALIKE], _BETWEEN.join(digits[-_FEWEST_ALIKE:])
    # Nearly every text ends here: a megabyte of other digits would take a second below.
    if not re.search(core, text):
        return set()
    may_begin = ""
    for digit in code:
        may_begin = f"(?:{may_begin}{digit}{_BETWEEN})?"
    number = re.compile(rf"(?<!\d)\d{{0,3}}{may_begin}{core}(?!\d)")
    return {digits_of(found[0]) for run in _RUN.finditer(text) for found in number.finditer(run[0])}


def _is_alike(digits: str, other: str) -> bool:
    """Whether another number may be the same person's: with a country's code more or less, or a zero for the trunk."""
    mine, theirs = digits.lstrip("0"), other.lstrip("0")
    if theirs.endswith(mine):
        return digits != other and len(mine) >= FEWEST_DIGITS
    return mine.endswith(theirs) and len(theirs) >= _FEWEST_ALIKE


def _has_alike(digits: str, number: str) -> bool:
    """Whether a customer's number may be the same person's, whole or in one of its parts: two numbers, an extension."""
    parts = {digits_of(part) for part in (*_PARTS.findall(number), *_PARTS_AT_DOTS.findall(number))}
    return _is_alike(digits, digits_of(number)) or digits in parts or any(_is_alike(digits, part) for part in parts)


def _quoting(texts: Sequence[tuple[int, str]], digits: str) -> Quoting:
    ids: list[int] = []
    alike: set[str] = set()
    for row_id, text in texts:
        numbers = _numbers_in(text, digits)
        if digits in numbers:
            ids.append(row_id)
        else:
            alike |= {number for number in numbers if _is_alike(digits, number)}
    return Quoting(texts[-1][0], ids, alike)


def numbers_after(session: Session, after: str, number: str) -> Numbers | None:
    """The next few customers' numbers after one; None when there are no more."""
    found = session.connection().scalars(_NUMBERS, {"after": after}).all()
    if not found:
        return None
    person, digits = person_of(number), digits_of(number)
    same = [each for each in found if person_of(each) == person]
    return Numbers(found[-1], same, [each for each in found if each not in same and _has_alike(digits, each)])


def calls_of(session: Session, number: str, after: int = 0) -> Sequence[int]:
    """The next few calls, by id, with this very number as the customer's."""
    return session.connection().scalars(_OF_NUMBER, {"number": number, "after": after}).all()


def count_of(session: Session, call_ids: Sequence[int]) -> Removed:
    """What `remove_calls` would take away with these calls."""
    connection = session.connection()
    reports = select(func.count()).where(_inbox.c.call_id.in_(call_ids), _inbox.c.body.is_not(None))
    recordings = select(func.count()).where(_recording.c.call_id.in_(call_ids), _recording.c.file != "")
    return Removed(len(call_ids), connection.execute(reports).scalar_one(), connection.execute(recordings).scalar_one())


def unread_quoting(session: Session, after: int, digits: str) -> Quoting | None:
    """Of the next few reports that told of no call, those with this number in them; None when there are no more."""
    statement = (
        select(Inbox)
        .where(_inbox.c.id > after, _inbox.c.verdict.in_((IGNORED, UNREADABLE)))
        .order_by(_inbox.c.id)
        .limit(CHUNK // 10)
    )
    rows = session.scalars(statement).all()
    return _quoting([(row.id, _all_of(row)) for row in rows], digits) if rows else None


def _all_of(row: Inbox) -> str:
    """Whatever strangers wrote of a report that told of no call."""
    body = (body_of(row) or b"").decode("utf-8", "replace")
    return f"{body}\n{row.event}\n{row.content_type}\n{row.content_encoding}\n{row.user_agent}"


def blank_unread(session: Session, ids: Sequence[int]) -> None:
    """Nothing is left of these but when they came, how large they were, and their hash."""
    remove_bodies(session, _inbox.c.id.in_(ids))
    blank = (
        update(_inbox).where(_inbox.c.id.in_(ids)).values(event="", content_type="", content_encoding="", user_agent="")
    )
    session.connection().execute(blank)


def corrected_after(session: Session, after: int, number: str) -> Quoting | None:
    """Of the next few reports of calls that changed, the calls that had this number by them; None when no more come."""
    statement = (
        select(Inbox)
        .where(_inbox.c.id > after, _OF_A_CHANGED_CALL, _inbox.c.body.is_not(None))
        .order_by(_inbox.c.id)
        .limit(CHUNK // 10)
    )
    rows = session.scalars(statement).all()
    if not rows:
        return None
    person = person_of(number)
    ids = [row.call_id for row in rows if row.call_id is not None and person in _people_in(row)]
    return Quoting(rows[-1].id, ids, set())


def _people_in(row: Inbox) -> set[int]:
    """Whose numbers a report's two ends are."""
    reading = read_report(body_of(row) or b"")
    data = reading.data if isinstance(reading, Report) else {}
    return {person_of(as_text(data.get(name))) for name in ("from", "to")}


def audit_quoting(session: Session, after: int, digits: str) -> Quoting | None:
    """Of the next few lines of the audit log, those that quote this number; None when there are no more."""
    rows = session.connection().execute(_ABOUT, {"after": after}).all()
    if not rows:
        return None
    return _quoting([(row_id, about) for row_id, about in rows], digits)


def blank_audit(session: Session, ids: Sequence[int]) -> int:
    """Take the number out of these lines: that something was done, by whom and when, stays."""
    blank = update(_audit).where(_audit.c.id.in_(ids)).values(about=BLANKED)
    return int(session.connection().execute(blank).rowcount)
