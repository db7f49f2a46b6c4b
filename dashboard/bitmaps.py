"""Sets of call ids, and the three ways in which the index keeps a fact of every call.

`Groups` says which calls have a value, `Column` which value a call has, `Slices` which calls have a bit of a number.
Pure: knows ids and values, not what they mean.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, MutableMapping, MutableSequence, Sequence
from functools import reduce
from itertools import repeat
from operator import or_
from typing import Generic, TypeVar

from pyroaring import BitMap

Value = TypeVar("Value", bound=Hashable)
# Values, each with the ids that have it.
Members = Iterable[tuple[Value, Sequence[int]]]
_MOST_IDS = 1 << 32
# How many bits `Slices.extend` sorts by in one pass: of 3 to 10, the fastest.
_DIGIT = 8


def union(sets: Sequence[BitMap]) -> BitMap:
    """The ids in any of the sets. May be one of them itself, so it is not to be changed."""
    if not sets:
        return BitMap()
    return sets[0] if len(sets) == 1 else BitMap.union(*sets)


def intersection(sets: Collection[BitMap]) -> BitMap:
    """The ids in every one of the sets, of which there is at least one. Not to be changed, as above."""
    smallest, *others = sorted(sets, key=len)
    for other in others:
        smallest = smallest & other
    return smallest


def by_value(ids: Iterable[int], values: Iterable[Value]) -> Members[Value]:
    """Which ids have which value."""
    found: dict[Value, list[int]] = defaultdict(list)
    for call_id, value in zip(ids, values, strict=True):
        found[value].append(call_id)
    return found.items()


def make_room(numbers: array[int], call_id: int) -> None:
    """Let an array by call id have a place for this call; an eighth more, so that it is seldom copied."""
    if call_id >= len(numbers):
        numbers.extend(repeat(0, call_id + call_id // 8 + 1 - len(numbers)))


class Groups(Generic[Value]):
    """The calls of every value. A value goes with its last call: what strangers make up does not pile up."""

    def __init__(self) -> None:
        self.calls: dict[Value, BitMap] = {}

    def any_of(self, values: Iterable[Value]) -> BitMap:
        """The calls that have one of these values. Not to be changed."""
        return union([self.calls[value] for value in values if value in self.calls])

    def move(self, call_id: int, before: Value | None, after: Value | None) -> None:
        """Take a call from one value to another; None is no value."""
        if before == after:
            return
        if before is not None:
            calls = self.calls[before]
            calls.remove(call_id)
            if not calls:
                del self.calls[before]
        if after is not None:
            self._calls_of(after).add(call_id)

    def extend(self, members: Members[Value]) -> None:
        """Add calls that have no value yet."""
        for value, ids in members:
            calls = self._calls_of(value)
            calls |= BitMap(ids)

    def _calls_of(self, value: Value) -> BitMap:
        calls = self.calls.get(value)
        if calls is None:
            calls = self.calls[value] = BitMap()
        return calls


class Column(Generic[Value]):
    """The value of every call, as a code of four bytes that equal values share, reused once the value is gone."""

    def __init__(
        self, codes: MutableMapping[Value, int] | None = None, values: MutableSequence[Value] | None = None
    ) -> None:
        """Codes by value and values by code are kept in these, both empty; in a dict and a list unless told."""
        self._codes: MutableMapping[Value, int] = {} if codes is None else codes
        self._values: MutableSequence[Value] = [] if values is None else values
        self._uses = array("I")
        self._free: list[int] = []
        self._code_of = array("I")

    def __getitem__(self, call_id: int) -> Value:
        return self._values[self._code_of[call_id]]

    def __len__(self) -> int:
        """How many different values there are."""
        return len(self._codes)

    def move(self, call_id: int, before: Value | None, after: Value | None) -> None:
        """Give a call another value; None is no value."""
        if before == after:
            return
        if before is not None:
            self._let_go(before)
        if after is not None:
            make_room(self._code_of, call_id)
            self._code_of[call_id] = self._take(after, 1)

    def extend(self, members: Members[Value]) -> None:
        """Add calls that have no value yet."""
        code_of = self._code_of
        for value, ids in members:
            code = self._take(value, len(ids))
            make_room(code_of, max(ids))
            for call_id in ids:
                code_of[call_id] = code

    def _take(self, value: Value, uses: int) -> int:
        code = self._codes.get(value)
        if code is None:
            if self._free:
                code = self._free.pop()
                self._values[code] = value
            else:
                code = len(self._values)
                self._values.append(value)
                self._uses.append(0)
            self._codes[value] = code
        self._uses[code] += uses
        return code

    def _let_go(self, value: Value) -> None:
        code = self._codes[value]
        self._uses[code] -= 1
        if not self._uses[code]:
            del self._codes[value]
            self._free.append(code)


class Slices:
    """A whole number for every call, as one set of calls for each of its bits; 0 is the same as no number.

    Sums and the order by number come from whole sets, without a look at any single call.
    """

    def __init__(self) -> None:
        self._slices: list[BitMap] = []

    def having(self, flag: int) -> BitMap:
        """The calls whose number has this bit, given as a power of two. Not to be changed."""
        bit = flag.bit_length() - 1
        return self._slices[bit] if bit < len(self._slices) else BitMap()

    def move(self, call_id: int, before: int, after: int) -> None:
        """Give a call another number."""
        different = before ^ after
        self._widen(different)
        while different:
            bit = different.bit_length() - 1
            different ^= 1 << bit
            if after >> bit & 1:
                self._slices[bit].add(call_id)
            else:
                self._slices[bit].remove(call_id)

    def extend(self, ids: Sequence[int], numbers: Sequence[int]) -> None:
        """Add calls that have no number yet, sorted by several bits at a time: four times as fast as bit by bit."""
        bits_used = reduce(or_, numbers, 0)
        self._widen(bits_used)
        mask = (1 << _DIGIT) - 1
        for shift in range(0, bits_used.bit_length(), _DIGIT):
            if not bits_used >> shift & mask:
                continue
            for digit, members in by_value(ids, [number >> shift & mask for number in numbers]):
                calls = BitMap(members) if digit else BitMap()
                for bit in range(digit.bit_length()):
                    if digit >> bit & 1:
                        self._slices[shift + bit] |= calls

    def total(self, among: BitMap) -> int:
        """The exact sum of these calls' numbers."""
        return sum(among.intersection_cardinality(calls) << bit for bit, calls in enumerate(self._slices))

    def spread(self, among: BitMap, shift: int) -> list[int]:
        """How many of these calls have each number without its lowest bits; those beyond the list's end are none."""
        parts = [among]
        for calls in reversed(self._slices[shift + 1 :]):
            parts = [half for part in parts for half in (part - calls, part & calls)]
        counts = []
        for part in parts:
            odd = part.intersection_cardinality(self.having(1 << shift))
            counts += [len(part) - odd, odd]
        return counts

    def largest(self, among: BitMap, most: int) -> BitMap:
        """At most so many of these calls: the largest numbers, and of equal numbers the largest ids."""
        if most < 1:
            return BitMap()
        surely, perhaps = BitMap(), among
        for calls in reversed(self._slices):
            missing = most - len(surely)
            if len(perhaps) <= missing:
                return surely | perhaps
            larger = perhaps.intersection_cardinality(calls)
            if larger in (0, len(perhaps)):
                continue
            if larger >= missing:
                perhaps = perhaps & calls
            else:
                surely |= perhaps & calls
                perhaps = perhaps - calls
        return surely | perhaps[len(surely) - most :]

    def below(self, among: BitMap, number: int, call_id: int) -> BitMap:
        """Those of these calls with a smaller number, or the same one and a smaller id. Not to be changed."""
        if number < 0:
            return BitMap()
        if number.bit_length() > len(self._slices):
            return among
        smaller, same = [], among
        for bit in reversed(range(len(self._slices))):
            if number >> bit & 1:
                smaller.append(same - self._slices[bit])
                same = same & self._slices[bit]
            else:
                same = same - self._slices[bit]
            if not same:
                break
        same = same.copy()
        same.remove_range(min(max(call_id, 0), _MOST_IDS), _MOST_IDS)
        return union([*smaller, same])

    def _widen(self, number: int) -> None:
        while len(self._slices) < number.bit_length():
            self._slices.append(BitMap())
