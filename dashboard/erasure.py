"""Erases one person everywhere: calls, reports, recordings, and whatever else quotes the number. Knows no request.

In steps, each one short transaction: stopped half-way, it can be run again and does the rest, and the audit log says
how far it came.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from sqlmodel import Session

from dashboard.database import Database
from dashboard.person_column import fill_person_column
from dashboard.phone_numbers import DEFAULT_REGION, digits_of
from dashboard.recordings.keep import Keep
from dashboard.store import audit
from dashboard.store.persons import (
    CALLS_AT_ONCE,
    FEWEST_DIGITS,
    ROWS_AT_ONCE,
    Quoting,
    Target,
    audit_quoting,
    blank_audit,
    blank_unread,
    calls_of,
    corrected_after,
    count_of,
    forget_words_with,
    persons_after,
    unread_quoting,
)
from dashboard.store.quoted_elsewhere import blank_elsewhere, blank_headers, headers_quoting, quoted_elsewhere
from dashboard.store.removal import Removed, remove_calls
from dashboard.upkeep import clear_discarded

_OTHERS_SHOWN = 5
_BACKUPS = (
    "Backups made before still hold it, and so do files that upgrades, restores and a replaced database have left "
    "beside the database (callboard-before-….db, callboard-replaced-….db, callboard.db-wal-replaced-…): delete "
    "those that you do not need."
)
AFTERWARDS = (
    "A repeat of an erased report brings nothing back. Another report of such a call comes as a new call.",
    _BACKUPS,
)
"""What to know once a person is erased."""


class TooShort(ValueError):
    """The number has too few digits to tell one person from another; its text says so."""


class By(NamedTuple):
    """Who erases, from where, and when (microseconds since 1970), for the audit log."""

    name: str
    address: str
    now: int


class Erased(NamedTuple):
    """How many of what went, or would go."""

    removed: Removed
    unread: int
    """reports that told of no call"""
    audit_lines: int
    others: Sequence[str]
    """numbers that stay, in calls and where they are quoted, and may be the same person's"""
    is_folded: bool = True
    """whether the bytes are out of the database's log, too"""
    corrected: Sequence[int] = ()
    """calls that had the number by an earlier report, and have another one now; they stay"""
    elsewhere: int = 0
    """shared walls, accounts, tokens and headers of other reports that quote the number"""

    @property
    def words(self) -> str:
        """Such as "3 calls, 4 reports, 1 recording, 1 line of the audit log"."""
        calls, reports, recordings = self.removed
        parts = [
            _counted(calls, "call"),
            _counted(reports + self.unread, "report"),
            _counted(recordings, "recording"),
            _counted(self.audit_lines, "line", "of the audit log"),
        ]
        if self.elsewhere:
            parts.append(_counted(self.elsewhere, "mention", "in links, rights and headers"))
        return ", ".join(parts)

    @property
    def sentences(self) -> Sequence[str]:
        """What is left alone, and what to do about it."""
        found: list[str] = []
        if self.others:
            found.append(
                f"Not touched: {_some(self.others)}. These have the same digits with more or fewer before them, or "
                "two numbers in one field, and may be the same person's. If one is, erase it too, as it is written "
                "here."
            )
        if self.corrected:
            found.append(
                f"Not touched: {_some([f'/calls/{call_id}' for call_id in self.corrected])}. An earlier report of each "
                "had this number, a later one another. If it is the same person's call, erase that number, too."
            )
        return found


def _some(each: Sequence[str]) -> str:
    more = len(each) - _OTHERS_SHOWN
    return ", ".join(each[:_OTHERS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _counted(count: int, what: str, rest: str = "") -> str:
    return " ".join(part for part in (str(count), what if count == 1 else f"{what}s", rest) if part)


class _Quoted(NamedTuple):
    """The rows beside the person's calls that quote the number, by id."""

    unread: Sequence[int]
    audit_lines: Sequence[int]
    headers: Sequence[int]
    corrected: Sequence[int]
    others: Sequence[str]


async def find(database: Database, number: str, region: str = DEFAULT_REGION) -> Erased:
    """What `erase` would take away; erases nothing. Raises TooShort."""
    target = await _target(database, number, region)
    removed, goes = Removed(), set[int]()
    for ids in await _calls(database, target):
        removed = removed.plus(await database.read(partial(count_of, call_ids=ids)))
        goes.update(ids)
    quoted = await _all_quoted(database, target)
    elsewhere = await database.read(partial(quoted_elsewhere, target=target))
    return _erased(removed, quoted, elsewhere.total, goes)


async def erase(database: Database, keep: Keep, number: str, who: By, region: str = DEFAULT_REGION) -> Erased:
    """Take it away, for good. Raises TooShort; SQLAlchemyError and OSError where it was stopped half-way."""
    target = await _target(database, number, region)
    removed, line = Removed(), None
    remove = partial(_remove, target=target, who=who)
    for ids in await _calls(database, target):
        removed, line = await database.write(partial(remove, call_ids=ids, before=removed, line=line))
    quoted = await _all_quoted(database, target)
    for blank in _blank_in_steps(quoted):
        line = await database.write(partial(_blank_some, blank=blank, removed=removed, line=line, who=who))
    erased = await database.write(partial(_finish, target=target, who=who, quoted=quoted, removed=removed, line=line))
    while await clear_discarded(database, keep):
        pass
    return erased._replace(is_folded=await database.fold())


def _erased(removed: Removed, quoted: _Quoted, elsewhere: int, goes: Collection[int] = ()) -> Erased:
    return Erased(
        removed,
        len(quoted.unread),
        len(quoted.audit_lines),
        quoted.others,
        corrected=sorted(set(quoted.corrected) - set(goes)),
        elsewhere=elsewhere + len(quoted.headers),
    )


def _remove(
    session: Session, call_ids: Sequence[int], before: Removed, line: int | None, target: Target, who: By
) -> tuple[Removed, int]:
    """Some of the calls: how many went by now, and the line of the audit log that says so, should it stop here."""
    # With the first of them: an open board tells its words anew when it hears that a call has gone.
    forget_words_with(session, target)
    removed = before.plus(remove_calls(session, call_ids))
    return removed, _note_so_far(session, removed, line, who)


def _blank_in_steps(quoted: _Quoted) -> Iterator[Callable[[Session], object]]:
    """What blanks the rows that quote the number, few at a time: webhooks wait for each step."""
    for blank, ids in (
        (blank_unread, quoted.unread),
        (blank_audit, quoted.audit_lines),
        (blank_headers, quoted.headers),
    ):
        for start in range(0, len(ids), ROWS_AT_ONCE):
            yield partial(blank, ids=ids[start : start + ROWS_AT_ONCE])


def _blank_some(
    session: Session, blank: Callable[[Session], object], removed: Removed, line: int | None, who: By
) -> int:
    blank(session)
    return _note_so_far(session, removed, line, who)


def _note_so_far(session: Session, removed: Removed, line: int | None, who: By) -> int:
    so_far = Erased(removed, 0, 0, ()).words
    return _note(session, f"under way, or stopped half-way: so far {so_far}", line, who)


def _finish(session: Session, target: Target, who: By, quoted: _Quoted, removed: Removed, line: int | None) -> Erased:
    forget_words_with(session, target)
    erased = _erased(removed, quoted, blank_elsewhere(session, target))
    _note(session, erased.words, line, who)
    return erased


def _note(session: Session, words: str, line: int | None, who: By) -> int:
    """One line for an erasure, which says anew after each step what went; gives its id."""
    if line is not None:
        audit.tell_anew(session, line, words)
        return line
    # Without the number: the log would otherwise be the one place that still has it.
    noted = audit.note(session, now=who.now, account=who.name, action=audit.ERASED, about=words, address=who.address)
    session.flush()
    assert noted.id is not None
    return noted.id


async def _target(database: Database, number: str, region: str) -> Target:
    # An upgrade, or another region, may have left calls without their person: they would not be found.
    await fill_person_column(database, region)
    target = Target(number, region)
    is_short = len(digits_of(target.key)) < FEWEST_DIGITS and "@" not in target.key
    # All calls without a number share the key "": an empty shell variable would erase them together.
    is_no_person = not target.key or target.key.isdecimal()
    if is_short and (is_no_person or not await database.read(partial(calls_of, key=target.key))):
        raise TooShort(f"A number of fewer than {FEWEST_DIGITS} digits is nobody's. Give it whole, as calls show it.")
    return target


async def _calls(database: Database, target: Target) -> Sequence[Sequence[int]]:
    """The ids of all calls with this person, as many together as one step takes."""
    ids: list[int] = []
    while found := await database.read(partial(calls_of, key=target.key, after=ids[-1] if ids else 0)):
        ids += found
    return [ids[start : start + CALLS_AT_ONCE] for start in range(0, len(ids), CALLS_AT_ONCE)]


async def _all_quoted(database: Database, target: Target) -> _Quoted:
    others: set[str] = set()
    after = ""
    while step := await database.read(partial(persons_after, after=after, target=target)):
        others.update(step.alike)
        after = step.last
    unread, lines, headers, corrected = [
        await _quoting(database, partial(quoting, target=target), others)
        for quoting in (unread_quoting, audit_quoting, headers_quoting, corrected_after)
    ]
    return _Quoted(unread, lines, headers, corrected, sorted(others))


async def _quoting(database: Database, step: Callable[..., Quoting | None], others: set[str]) -> list[int]:
    """The ids of rows that quote the number; numbers that may be the same person's are added to `others`."""
    ids: list[int] = []
    after = 0
    while found := await database.read(partial(step, after=after)):
        ids += found.ids
        others |= found.alike
        after = found.last
    return ids
