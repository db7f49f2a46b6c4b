"""Where one person stands in the tables: their calls by number, and what else quotes that number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, select, update
from sqlmodel import Session

from dashboard.callkaro.report import Report, read_report
from dashboard.calls import ends_of
from dashboard.models import Audit, Call, Inbox, Recording, table_of
from dashboard.phone_numbers import Numbers, digits_of, is_number, mentions, national_digits, person_key
from dashboard.store.bodies import body_of
from dashboard.store.inbox import CHANGED, IGNORED, UNREADABLE
from dashboard.store.removal import Removed, remove_bodies
from dashboard.store.undocumented import forget_word, strangers

CHUNK = 1000
CALLS_AT_ONCE = 100
ROWS_AT_ONCE = 500
# Of the reports that one step reads, before they are packed: a report may have a megabyte.
_MOST_BYTES = 4 * 2**20
FEWEST_DIGITS = 6
"""A shorter number would be found in every second text."""
_FEWEST_ALIKE = 8
# A country's code has so many digits at most.
_MOST_MORE = 3
BLANKED = "(erased)"

_call, _inbox, _recording, _audit = table_of(Call), table_of(Inbox), table_of(Recording), table_of(Audit)
_PERSONS = (
    select(_call.c.person).where(_call.c.person > bindparam("after")).distinct().order_by(_call.c.person).limit(CHUNK)
)
_OF_PERSON = (
    select(_call.c.id)
    .where(_call.c.person == bindparam("person"), _call.c.id > bindparam("after"))
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


class Target:
    """The person to erase: the key, and what finds its number in text."""

    def __init__(self, number: str, region: str) -> None:
        self.key = person_key(number, region)
        self.region = region
        self._finder = Numbers([self.key], region)
        self._is_number = "@" not in self.key
        self._digits, self._national = digits_of(self.key), national_digits(self.key, region)

    def is_quoted_in(self, text: str) -> bool:
        """Whether a text quotes the number, in whatever form, and not as a part of a longer one."""
        return mentions(text, self.key, self.region)

    def is_alike(self, key: str) -> bool:
        """Whether another person may be the same: with a country's code more or less, or two numbers in one field."""
        if key == self.key:
            return False
        if self._is_number and "@" not in key and self._have_one_end(digits_of(key), national_digits(key, self.region)):
            return True
        return not is_number(key) and bool(self._finder.find(key))

    def quotes(self, texts: Sequence[tuple[int, str]]) -> Quoting:
        """Of these texts, by row, those that quote the number, and what others quote that may be the same."""
        ids: list[int] = []
        alike: set[str] = set()
        for row_id, text in texts:
            found = self._finder.find(text)
            if self._finder.are_quoted_in(text, found):
                ids.append(row_id)
            else:
                alike |= {each.spelled for each in found if self._is_alike_in_text(each.spelled)}
        return Quoting(texts[-1][0], ids, alike)

    def _is_alike_in_text(self, digits: str) -> bool:
        is_near = len(digits) - len(self._national) <= _MOST_MORE and person_key(digits, self.region) != self.key
        return is_near and self._have_one_end(digits, digits.lstrip("0"))

    def _have_one_end(self, digits: str, national: str) -> bool:
        is_longer = len(self._national) >= FEWEST_DIGITS and digits.endswith(self._national)
        return is_longer or (len(national) >= _FEWEST_ALIKE and self._digits.endswith(national))


class Persons(NamedTuple):
    """A step through all people: where it ended, and those that may be the same person."""

    last: str
    alike: Sequence[str]


class Quoting(NamedTuple):
    """A step through rows that may quote a number: where it ended, and the ids of those that do."""

    last: int
    ids: Sequence[int]
    alike: set[str]
    """what others quote that may be the same person's number"""


def forget_words_with(session: Session, target: Target) -> None:
    """Take a number out of the words that CallKaro's documentation does not have."""
    for word in strangers(session):
        if target.is_quoted_in(word.value):
            forget_word(session, word)


def persons_after(session: Session, after: str, target: Target) -> Persons | None:
    """The next few people, by key, after one; None when there are no more."""
    found = session.connection().scalars(_PERSONS, {"after": after}).all()
    return Persons(found[-1], [key for key in found if target.is_alike(key)]) if found else None


def calls_of(session: Session, key: str, after: int = 0) -> Sequence[int]:
    """The next few calls, by id, with this person; none for "", which stands for no person."""
    if not key:
        return ()
    return session.connection().scalars(_OF_PERSON, {"person": key, "after": after}).all()


def count_of(session: Session, call_ids: Sequence[int]) -> Removed:
    """What `remove_calls` would take away with these calls."""
    connection = session.connection()
    reports = select(func.count()).where(_inbox.c.call_id.in_(call_ids), _inbox.c.body.is_not(None))
    recordings = select(func.count()).where(_recording.c.call_id.in_(call_ids), _recording.c.file != "")
    return Removed(len(call_ids), connection.execute(reports).scalar_one(), connection.execute(recordings).scalar_one())


def unread_quoting(session: Session, after: int, target: Target) -> Quoting | None:
    """Of the next few reports that told of no call, those with this number in them; None when there are no more."""
    rows = _next_reports(session, after, _inbox.c.verdict.in_((IGNORED, UNREADABLE)))
    return target.quotes([(row.id, _all_of(row)) for row in rows]) if rows else None


def _next_reports(session: Session, after: int, *where: ColumnElement[bool]) -> Sequence[Inbox]:
    """The next few reports, by id: one at least, and not many megabytes together."""
    sizes = select(_inbox.c.id, _inbox.c.size).where(_inbox.c.id > after, *where).order_by(_inbox.c.id)
    ids, total = list[int](), 0
    for row_id, size in session.connection().execute(sizes.limit(CHUNK // 10)).all():
        total += size
        if ids and total > _MOST_BYTES:
            break
        ids.append(row_id)
    return session.scalars(select(Inbox).where(_inbox.c.id.in_(ids)).order_by(_inbox.c.id)).all()


def _all_of(row: Inbox) -> str:
    """Whatever strangers wrote of a report that told of no call."""
    body = (body_of(row) or b"").decode("utf-8", "replace")
    return f"{body}\n{row.event}\n{row.content_type}\n{row.content_encoding}\n{row.user_agent}\n{row.problem}"


def blank_unread(session: Session, ids: Sequence[int]) -> None:
    """Nothing is left of these but when they came, how large they were, and their hash."""
    remove_bodies(session, _inbox.c.id.in_(ids))
    words = {"event": "", "content_type": "", "content_encoding": "", "user_agent": ""}
    session.connection().execute(update(_inbox).where(_inbox.c.id.in_(ids)).values(words))
    # What makes a body unreadable may quote it.
    is_unreadable = _inbox.c.verdict == UNREADABLE
    session.connection().execute(update(_inbox).where(_inbox.c.id.in_(ids), is_unreadable).values(problem=BLANKED))


def corrected_after(session: Session, after: int, target: Target) -> Quoting | None:
    """Of the next few reports of calls that changed, the calls that had this number by them; None when no more come."""
    rows = _next_reports(session, after, _OF_A_CHANGED_CALL, _inbox.c.body.is_not(None))
    if not rows:
        return None
    ids = [row.call_id for row in rows if row.call_id is not None and target.key in _people_in(row, target.region)]
    return Quoting(rows[-1].id, ids, set())


def _people_in(row: Inbox, region: str) -> set[str]:
    """Whose numbers a report's two ends are."""
    reading = read_report(body_of(row) or b"")
    data = reading.data if isinstance(reading, Report) else {}
    return {person_key(end, region) for end in ends_of(data)}


def audit_quoting(session: Session, after: int, target: Target) -> Quoting | None:
    """Of the next few lines of the audit log, those that quote this number; None when there are no more."""
    rows = session.connection().execute(_ABOUT, {"after": after}).all()
    if not rows:
        return None
    return target.quotes([(row_id, about) for row_id, about in rows])


def blank_audit(session: Session, ids: Sequence[int]) -> int:
    """Take the number out of these lines: that something was done, by whom and when, stays."""
    blank = update(_audit).where(_audit.c.id.in_(ids)).values(about=BLANKED)
    return int(session.connection().execute(blank).rowcount)
