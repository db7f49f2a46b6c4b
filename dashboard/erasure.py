"""Erases one person everywhere: calls, reports, recordings, and whatever else quotes the number. Knows no request.

In steps, each one short transaction: stopped half-way, it can be run again and does the rest, and the audit log says
how far it came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sqlmodel import Session

from dashboard.database import Database
from dashboard.recordings.keep import Keep
from dashboard.store import audit
from dashboard.store.persons import (
    CALLS_AT_ONCE,
    FEWEST_DIGITS,
    Quoting,
    audit_quoting,
    blank_audit,
    blank_unread,
    calls_of,
    corrected_after,
    count_of,
    digits_of,
    forget_words_with,
    numbers_after,
    unread_quoting,
)
from dashboard.store.removal import Removed, remove_calls
from dashboard.upkeep import clear_discarded

_OTHERS_SHOWN = 5


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
        return ", ".join(parts)

    @property
    def sentences(self) -> Sequence[str]:
        """What is left alone, and what to do about it."""
        found: list[str] = []
        if self.others:
            found.append(
                f"Not touched: {_some(self.others)}. These end in the same digits, and may be the same person's with "
                "or without a country's code. If one is, erase it, too, as it is written here."
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


async def find(database: Database, number: str) -> Erased:
    """What `erase` would take away; changes nothing. Raises TooShort."""
    digits = _digits(number)
    spellings, others = await _spellings(database, number)
    removed, goes = Removed(), set[int]()
    for ids in await _calls(database, spellings):
        removed = removed.plus(await database.read(partial(count_of, call_ids=ids)))
        goes.update(ids)
    unread = await _quoting(database, partial(unread_quoting, digits=digits), others)
    lines = await _quoting(database, partial(audit_quoting, digits=digits), others)
    had = await _quoting(database, partial(corrected_after, number=number), others)
    return Erased(removed, len(unread), len(lines), sorted(others), corrected=sorted(set(had) - goes))


async def erase(database: Database, keep: Keep, number: str, who: By) -> Erased:
    """Take it away, for good. Raises TooShort; SQLAlchemyError and OSError where it was stopped half-way."""
    digits = _digits(number)
    spellings, others = await _spellings(database, number)
    removed, line = Removed(), None
    remove = partial(_remove, digits=digits, who=who)
    for ids in await _calls(database, spellings):
        removed, line = await database.write(partial(remove, call_ids=ids, before=removed, line=line))
    unread = await _quoting(database, partial(unread_quoting, digits=digits), others)
    lines = await _quoting(database, partial(audit_quoting, digits=digits), others)
    had = await _quoting(database, partial(corrected_after, number=number), others)
    erased = Erased(removed, len(unread), len(lines), sorted(others), corrected=sorted(set(had)))
    finish = partial(_finish, digits=digits, who=who)
    await database.write(partial(finish, unread=unread, lines=lines, words=erased.words, line=line))
    while await clear_discarded(database, keep):
        pass
    return erased._replace(is_folded=await database.fold())


def _remove(
    session: Session, call_ids: Sequence[int], before: Removed, line: int | None, digits: str, who: By
) -> tuple[Removed, int]:
    """Some of the calls: how many went by now, and the line of the audit log that says so, should it stop here."""
    # With the first of them: an open board tells its words anew when it hears that a call has gone.
    forget_words_with(session, digits)
    removed = before.plus(remove_calls(session, call_ids))
    so_far = Erased(removed, 0, 0, ()).words
    return removed, _note(session, f"under way, or stopped half-way: so far {so_far}", line, who)


def _finish(
    session: Session, unread: Sequence[int], lines: Sequence[int], words: str, line: int | None, digits: str, who: By
) -> None:
    forget_words_with(session, digits)
    blank_unread(session, unread)
    blank_audit(session, lines)
    _note(session, words, line, who)


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


def _digits(number: str) -> str:
    digits = digits_of(number)
    if len(digits) < FEWEST_DIGITS:
        raise TooShort(f"A number of fewer than {FEWEST_DIGITS} digits is nobody's. Give it whole, as calls show it.")
    return digits


async def _spellings(database: Database, number: str) -> tuple[list[str], set[str]]:
    """Every way in which calls spell this number, and others that may be the same person's."""
    same: list[str] = []
    others: set[str] = set()
    after = ""
    while step := await database.read(partial(numbers_after, after=after, number=number)):
        same += step.same
        others.update(step.alike)
        after = step.last
    return same, others


async def _calls(database: Database, spellings: Sequence[str]) -> Sequence[Sequence[int]]:
    """The ids of all calls with these numbers, as many together as one step takes."""
    ids: list[int] = []
    for spelling in spellings:
        after = 0
        while found := await database.read(partial(calls_of, number=spelling, after=after)):
            ids += found
            after = found[-1]
    return [ids[start : start + CALLS_AT_ONCE] for start in range(0, len(ids), CALLS_AT_ONCE)]


async def _quoting(database: Database, step: Callable[..., Quoting | None], others: set[str]) -> list[int]:
    """The ids of rows that quote the number; numbers that may be the same person's are added to `others`."""
    ids: list[int] = []
    after = 0
    while found := await database.read(partial(step, after=after)):
        ids += found.ids
        others |= found.alike
        after = found.last
    return ids
