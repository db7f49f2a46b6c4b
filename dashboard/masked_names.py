"""The names of campaigns, agents, versions, types and reasons as a role that sees no numbers reads and chooses them.

A name can hold a telephone number. Such a role sees the masked name in menus, titles and addresses, and a filter takes
it as it is shown. The stored name is no filter for it: each candidate could be tried, and the count would tell. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from urllib.parse import parse_qsl, unquote, urlencode

from dashboard.calls import NOBODY, Facts
from dashboard.filters import LONGEST_VALUE, NAMES, CallFilter
from dashboard.masking import Mask, others_mask
from dashboard.phone_numbers import DEFAULT_REGION, digits_of
from dashboard.phone_numbers.escapes import FILLER, readings

_TAIL_DIGITS = 7
# Of one name; with more, every run of digits in it is masked.
_MOST_NUMBERS = 100
# Anybody can ask for names that no call has: together with LONGEST_VALUE, some 10 MB at most.
_NAMES_REMEMBERED = 4_000
# Whose address it is cannot be known from a name alone, so each one is masked. Possessive, and only from the beginning
# of a word: otherwise a word of 15,000 letters is read again from each of them.
_LETTER = rf"[^\s@<>\"'(),;{FILLER}]"
_ADDRESS = re.compile(rf"(?<!{_LETTER}){_LETTER}++@{FILLER}*+(?:{_LETTER}|{FILLER})++")


def masked_name(name: str, region: str) -> str:
    """A name as it is shown without knowing whose call it is of."""
    return _remembered(name, region) if len(name) <= LONGEST_VALUE else _masked(name, region)


@lru_cache(_NAMES_REMEMBERED)
def _remembered(name: str, region: str) -> str:
    return _masked(name, region)


def _masked(name: str, region: str) -> str:
    return _without_addresses(others_mask(region)(name))


def _without_addresses(name: str) -> str:
    """The name with each address masked, however its signs are escaped."""
    spans = sorted({found.span() for reading in readings(name) for found in _ADDRESS.finditer(reading)})
    parts, done = list[str](), 0
    for start, end in spans:
        if start >= done:
            parts += [name[done:start], "•••••"]
        done = max(done, end)
    return "".join([*parts, name[done:]])


def masked_filter(wanted: CallFilter, region: str) -> CallFilter:
    """A filter whose names are as they are shown."""
    for choice in NAMES:
        if values := wanted.values(choice):
            wanted = wanted.with_values(choice, [masked_name(value, region) for value in values])
    return wanted


def masked_query(query: str, region: str) -> str:
    """An address's query with its names as they are shown; all else in it stays.

    A name that is longer than any call's is left out: it is masked for each link of a page.
    """
    pairs: list[tuple[str, str]] = parse_qsl(query)
    kept = [(name, value) for name, value in pairs if name not in NAMES or len(value) <= LONGEST_VALUE]
    shown = [(name, masked_name(value, region) if name in NAMES else value) for name, value in kept]
    return query if shown == pairs else urlencode(shown)


class MaskedNames:
    """The names that calls have, as they are shown: without any number, that of a call they are of among them.

    Each name is masked once, when it is learnt: a filter by a masked name otherwise masked every name of its choice,
    and a viewer who asked for a few thousand kept reports waiting for a second.
    """

    def __init__(self, region: str = DEFAULT_REGION) -> None:
        self._region = region
        self._numbers: dict[tuple[str, str], set[str]] = {}
        self._shown: dict[str, dict[str, str]] = {choice: {} for choice in NAMES}
        self._stored: dict[str, dict[str, set[str]]] = {choice: {} for choice in NAMES}
        """By choice and name as it is shown: the names that it stands for."""

    def learn(self, calls: Sequence[Facts]) -> None:
        """Mask the names that are new, and those in which a call's own number is found. May take seconds for many."""
        for choice in NAMES:
            name_of = attrgetter(choice)
            names = set(map(name_of, calls)) - {""}
            changed = names - self._shown[choice].keys()
            doubtful = {name: digits for name in names if (digits := _digits(unquote(name)))}
            for facts in calls if doubtful else ():
                digits = doubtful.get(name_of(facts), "")
                if digits and facts.person != NOBODY and str(facts.person)[-_TAIL_DIGITS:] in digits:
                    numbers = self._numbers.setdefault((choice, name_of(facts)), set())
                    number = f"+{str(facts.person)[1:]}"
                    if number not in numbers and len(numbers) <= _MOST_NUMBERS:
                        numbers.add(number)
                        changed.add(name_of(facts))
            for name in changed:
                self._note(choice, name, self._masked(choice, name))

    def _note(self, choice: str, name: str, shown: str) -> None:
        before = self._shown[choice].get(name)
        self._stored[choice].setdefault(shown, set()).add(name)
        self._shown[choice][name] = shown
        if before is not None and before != shown:
            self._stored[choice][before].discard(name)
            if not self._stored[choice][before]:
                del self._stored[choice][before]

    def _masked(self, choice: str, name: str) -> str:
        numbers = self._numbers.get((choice, name))
        if not numbers:
            return masked_name(name, self._region)
        mask = Mask(numbers, region=self._region, everything=len(numbers) > _MOST_NUMBERS)
        return _without_addresses(mask(name))

    def shown(self, choice: str, name: str) -> str:
        """The name of this choice without the numbers in it."""
        known = self._shown[choice].get(name) if choice in self._shown else None
        return masked_name(name, self._region) if known is None else known

    def options(self, choice: str, offered: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """The values of a menu as they are shown, and how many calls each would list; those that look alike are one."""
        if choice not in NAMES:
            return list(offered)
        counts: dict[str, int] = {}
        for name, count in offered:
            shown = self.shown(choice, name)
            counts[shown] = counts.get(shown, 0) + count
        return list(counts.items())

    def filter(self, wanted: CallFilter) -> CallFilter:
        """A filter that a role without numbers asks for: as it is shown, and with the names that it stands for."""
        stored = []
        for choice in NAMES:
            if values := wanted.values(choice):
                # What names are shown as need not be masked again.
                is_known = self._stored[choice].keys().__contains__
                values = tuple(value if is_known(value) else masked_name(value, self._region) for value in values)
                wanted = wanted.with_values(choice, values)
                found = {name for name in values if self._shown[choice].get(name, name) == name}
                found.update(*(self._stored[choice].get(value, ()) for value in values))
                stored.append((choice, tuple(sorted(found))))
        return replace(wanted, stored=tuple(stored))


@lru_cache(_NAMES_REMEMBERED)
def _digits(name: str) -> str:
    """The digits of a name that has enough of them to hold a number; else ""."""
    digits = digits_of(name)
    return digits if len(digits) >= _TAIL_DIGITS else ""
