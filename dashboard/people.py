"""Whom every call was with, and how many different people any set of calls was with.

The index asks it for its figures. Pure: knows people by number, and not what a call came to.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Hashable, Iterator, MutableMapping

from pyroaring import BitMap

from dashboard.bitmaps import Column, make_room
from dashboard.calls import NOBODY

# Fewer calls than this are counted anew each time: that takes about a millisecond.
_FEW = 10_000
# How many larger sets are remembered; each takes 4 bytes a person.
_MOST_CROWDS = 24
_NOBODYS_CODE = 0
# A prime, so that no habit of those who give out numbers fills one shelf.
_SHELVES = 1021


class People(Column[int]):
    """The person of every call. A large set that is asked for again and again is counted only where it has changed."""

    def __init__(self) -> None:
        super().__init__(_Register(), array("q"))
        # By the name they were asked for, the latest last; None is a set that was asked for only once.
        self._crowds: dict[Hashable, _Crowd | None] = {}
        # Taken once, and so never let go.
        assert self._take(NOBODY, 1) == _NOBODYS_CODE

    def move(self, call_id: int, before: int | None, after: int | None) -> None:
        """Give a call another person; None is no value."""
        if before is not None and before != after:
            for crowd in filter(None, self._crowds.values()):
                crowd.forget(call_id, self._code_of)
        super().move(call_id, before, after)

    def count(self, among: BitMap) -> int:
        """How many different people these calls were with."""
        return _different(self._codes_of(among))

    def follow(self, name: Hashable, among: BitMap) -> int:
        """The same, of a set that may be asked for again by this name. It is kept: not to be changed afterwards."""
        if len(among) < _FEW:
            self._crowds.pop(name, None)
            return self.count(among)
        is_new = name not in self._crowds
        crowd = self._crowds.pop(name, None)
        if is_new:
            # Most filters are looked at once. What is remembered takes twice as long to count.
            people = self.count(among)
        else:
            if crowd is None or crowd.calls.symmetric_difference_cardinality(among) > len(among) // 2:
                crowd = _Crowd(among, self._codes_of(among), codes_known=len(self._values))
            else:
                crowd.become(among, self._code_of)
            people = crowd.people
        self._crowds[name] = crowd
        if len(self._crowds) > _MOST_CROWDS:
            del self._crowds[next(iter(self._crowds))]
        return people

    def _codes_of(self, among: BitMap) -> array[int]:
        """The codes of these calls' people, and any number of nobody's."""
        code_of = self._code_of
        if not among:
            return array("I")
        first, end = among.min(), among.max() + 1
        if end - first > 2 * len(among):
            return array("I", [code_of[call_id] for call_id in among.to_array()])
        # A stretch of calls with few gaps, as the days of a period are: to copy all and blank the gaps is much faster.
        codes = code_of[first:end]
        for gap in (BitMap(range(first, end)) - among).to_array():
            codes[gap - first] = _NOBODYS_CODE
        return codes


class _Crowd:
    """A set of calls, and how many of them each person has, by code."""

    def __init__(self, calls: BitMap, codes: array[int], codes_known: int) -> None:
        self.calls = calls
        self.people = _different(codes)
        self._counts = counts = array("I", bytes(4 * codes_known))
        for code in codes:
            counts[code] += 1

    def become(self, calls: BitMap, code_of: array[int]) -> None:
        """Count the set as it is now; a call that was forgotten is a new one."""
        for call_id in self.calls - calls:
            self._leave(code_of[call_id])
        for call_id in calls - self.calls:
            self._enter(code_of[call_id])
        self.calls = calls

    def forget(self, call_id: int, code_of: array[int]) -> None:
        """Take a call out while its code is still that of the person it was counted for."""
        if call_id in self.calls:
            self.calls.remove(call_id)
            self._leave(code_of[call_id])

    def _enter(self, code: int) -> None:
        if code == _NOBODYS_CODE:
            return
        make_room(self._counts, code)
        if not self._counts[code]:
            self.people += 1
        self._counts[code] += 1

    def _leave(self, code: int) -> None:
        if code == _NOBODYS_CODE:
            return
        self._counts[code] -= 1
        if not self._counts[code]:
            self.people -= 1


def _different(codes: array[int]) -> int:
    people = BitMap(codes)
    people.discard(_NOBODYS_CODE)
    return len(people)


class _Register(MutableMapping[int, int]):
    """The code of every person: a dict in behaviour, in an eighth of its memory. Numbers have 63 bits, codes 32."""

    def __init__(self) -> None:
        # Each shelf holds its numbers in order, and their codes beside them.
        self._shelves = [(array("q"), array("I")) for _ in range(_SHELVES)]
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        for numbers, _ in self._shelves:
            yield from numbers

    def __getitem__(self, number: int) -> int:
        _, codes, place, is_there = self._find(number)
        if not is_there:
            raise KeyError(number)
        return codes[place]

    def __setitem__(self, number: int, code: int) -> None:
        numbers, codes, place, is_there = self._find(number)
        if is_there:
            codes[place] = code
            return
        numbers.insert(place, number)
        codes.insert(place, code)
        self._length += 1

    def __delitem__(self, number: int) -> None:
        numbers, codes, place, is_there = self._find(number)
        if not is_there:
            raise KeyError(number)
        del numbers[place], codes[place]
        self._length -= 1

    def _find(self, number: int) -> tuple[array[int], array[int], int, bool]:
        """The shelf of a number, its place there, and whether it is there."""
        numbers, codes = self._shelves[number % _SHELVES]
        place = bisect_left(numbers, number)
        return numbers, codes, place, place < len(numbers) and numbers[place] == number
