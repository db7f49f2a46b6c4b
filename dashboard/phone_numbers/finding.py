"""Finds telephone numbers and addresses in free text: one rule for masking and for erasure.

Linear in the length of the text, however many numbers are looked for: both come from outside.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

from dashboard.phone_numbers.escapes import FILLER, end_of_escape, readings
from dashboard.phone_numbers.reading import _library, digits_of, is_number, person_key

WIDEST_GAP = 8
"""Signs between two digits of one number, at most: ",\\n    " of indented JSON is one."""
# Shorter ones are extensions and service numbers: a date or a price has as many digits.
_SHORTEST = 5
# A number of this length is found inside other digits, too; a shorter one only with no digit beside it.
_UNMISTAKABLE = 8
# The last ten digits identify a person in most countries; the digits before them are a country code or a zero.
_CORE_DIGITS = 10
# No number of a person has more; each length that is looked for is one look-up more at every digit of a text.
_LONGEST = 30
_NUMBERS_REMEMBERED = 20_000
_GAP = rf"{FILLER}*(?:(?:[^\w{FILLER}]|_){FILLER}*){{0,{WIDEST_GAP}}}"
_RUN = re.compile(rf"\d(?:{_GAP}\d){{{_SHORTEST - 1},}}")
# The signs that a number may contain. After any other sign comes an extension, whose digits are not part of it.
_PART = re.compile(r"[\d\s()+./-]+")
# Two numbers in one field may have nothing but blanks or such signs between them: "9812345670/9876543210".
_BETWEEN_TWO = re.compile(r"/|\s{2,}")
_SHORTEST_OF_TWO = 7
# A sign for another country's number, right before the digits of this one.
_CODE_BEFORE = re.compile(r"(?:\+|(?<!\d)00)\W{0,2}(\d(?:[\W_]{0,3}\d){0,4})[\W_]{0,8}\Z")
_MOST_CODE_DIGITS = 6
_LONGEST_CODE = 24
# An Indian mobile number in one to three groups is a person's number in any call. Between letters it is part of an
# identifier.
_SIGN = rf"{FILLER}*(?:[\s.-]{FILLER}*)?"
_INDIAN_MOBILE = re.compile(
    rf"(?<![^\W_])(?:(?:00?)?91{_SIGN}|0{_SIGN})?(?P<number>[6-9](?:\d{{4}}{_SIGN}\d{{5}}"
    rf"|\d{{2}}{_SIGN}\d{{3}}{_SIGN}\d{{4}}|\d{{3}}{_SIGN}\d{{3}}{_SIGN}\d{{3}}))(?![^\W_])"
)
_INTERNATIONAL = re.compile(r"(?<![^\W_])(?:\+|00)(?P<number>[1-9](?:[\s().-]{0,3}\d){7,13})(?!\d)")
_GROUPS = re.compile(r"(?<![^\W_])\d+(?:[\s.-]\d+)*(?![^\W_])")
_MOST_GROUPS = 4
_DIGITS = re.compile(r"\d+")
# Of a number that is said in parts: the digits that its first part has at least, the letters between two parts and the
# other numbers among them at most.
_FIRST_PART, _WORDS_BETWEEN, _MOST_PASSED_OVER = 3, 80, 2
_SHORTEST_MOBILE, _LONGEST_MOBILE = 7, 20

# An address is looked for around each @ alone: from every other letter on, a long text would be read again and again.
_USER_BEFORE = re.compile(rf"(?!{FILLER})[^\s@<>\"'(),;\[\]{{}}]+\Z")
_HOST_AFTER = re.compile(rf"(?P<name>[\w.{FILLER}-]+|\[[0-9a-f:.]+\])(?::\d{{1,5}})?", re.IGNORECASE)
_LAST_OF_PATH = re.compile(r"[/=&?]")
_HOST_NAME = re.compile(r":\d{1,5}$")
_LONGEST_USER, _LONGEST_HOST = 100, 255


class Found(NamedTuple):
    """A number or an address in a text, from `start` to `end`."""

    start: int
    end: int
    digits: str
    """its digits from 0 to 9, without a country's code; "" for an address"""
    key: str
    """the person's key: of the number that was looked for, or as this one reads"""
    is_whole: bool
    """whether it reads as this person's number, and is no part of a longer one or of another country's"""
    spelled: str
    """the digits with all that stand right before and behind"""


class Numbers:
    """Some people's numbers, to be found in any text: with +, 91 or 0 before them, in groups, in any script's digits.

    Their national forms are found, too, and the form without the area code where no digit is beside it.
    """

    def __init__(self, numbers: Iterable[str], region: str = "IN") -> None:
        self._region = region
        self._keys: dict[str, str] = {}
        self._addresses: set[str] = set()
        self._hosts: set[str] = set()
        for number in numbers:
            self._add(number)
        self._lengths = sorted({len(core) for core in self._keys}, reverse=True)
        self._beginnings = {core[:_SHORTEST] for core in self._keys}

    def __bool__(self) -> bool:
        return bool(self._keys or self._addresses)

    def find(self, text: str) -> list[Found]:
        """Where the text has one of them, in order; none overlaps another."""
        found: list[Found] = []
        for reading in readings(text):
            if self._keys:
                found += self._in_digits(reading)
            if self._addresses:
                found += self._in_addresses(reading)
        return _apart(found)

    def find_split(self, text: str) -> list[tuple[int, int]]:
        """Where parts of a number stand that is said in parts, with words between: "98123, then 45670".

        The parts together are the whole number; between them are a few words, and two other numbers at most.
        """
        reading = next(iter(readings(text)), "") if self._keys else ""
        runs = [(run.start(), run.end(), run[0]) for run in _DIGITS.finditer(reading)]
        found: dict[int, int] = {}
        for at in range(len(runs) - 1):
            for place in self._parts_from(runs, at):
                found[runs[place][0]] = runs[place][1]
        return sorted(found.items())

    def are_quoted_in(self, text: str, found: Sequence[Found] | None = None) -> bool:
        """Whether a text quotes one of them, and not as a part of a longer number; `found` is what `find` gives."""
        found = self.find(text) if found is None else found
        if any(each.is_whole for each in found):
            return True
        split = self.find_split(text)
        if not split or any(start < each.end and each.start < end for start, end in split for each in found):
            return False
        # "+1 98123, then 45670" is a number of another country.
        start = split[0][0]
        return not _CODE_BEFORE.search(text, max(0, start - _LONGEST_CODE), start)

    @cached_property
    def _parts(self) -> set[str]:
        """How the numbers that may be said in parts begin, in every length."""
        cores = [core for core in self._keys if len(core) >= _UNMISTAKABLE]
        return {core[:length] for core in cores for length in range(_FIRST_PART, len(core))}

    def _parts_from(self, runs: Sequence[tuple[int, int, str]], at: int) -> list[int]:
        """The runs that are one number together, the first of them at a certain place; none where that begins none."""
        digits = runs[at][2]
        for code in range(min(_MOST_CODE_DIGITS, len(digits) - _FIRST_PART) + 1):
            if digits[code : code + _LONGEST] in self._parts and (parts := self._rest(digits[code:], runs, at)):
                return parts
        return []

    def _rest(self, said: str, runs: Sequence[tuple[int, int, str]], at: int) -> list[int]:
        parts, passed_over = [at], 0
        for place in range(at + 1, len(runs)):
            start, _, digits = runs[place]
            if start - runs[parts[-1]][1] > _WORDS_BETWEEN or passed_over > _MOST_PASSED_OVER:
                return []
            longer = said + digits[:_LONGEST]
            if longer in self._keys and len(longer) >= _UNMISTAKABLE:
                return [*parts, place]
            if longer in self._parts:
                said = longer
                parts.append(place)
            else:
                passed_over += 1
        return []

    def _add(self, number: str) -> None:
        key = person_key(number, self._region)
        if "@" in key:
            self._addresses.add(key)
            self._hosts.add(_HOST_NAME.sub("", key.rpartition("@")[2]))
            number = number.rpartition("@")[0]
        if not is_number(key):
            # Two numbers, or one with words: each of them is found, and none of them is the whole.
            for part in _PART.findall(number):
                self._keep(digits_of(part), key)
                self._keep(digits_of(part)[-_CORE_DIGITS:], key)
                for one in _each_of_several(part):
                    self._keep(one[-_CORE_DIGITS:], key)
        if key.isdecimal():
            self._keep(key, key)
        for core in _cores_of(key) if is_number(key) else ():
            self._keep(core, key)

    def _keep(self, core: str, key: str) -> None:
        if _SHORTEST <= len(core) <= _LONGEST:
            self._keys.setdefault(core, key)

    def _in_digits(self, text: str) -> Iterator[Found]:
        for run in _RUN.finditer(text):
            places = [run.start() + place for place, letter in enumerate(run[0]) if letter.isdecimal()]
            digits = digits_of(run[0])
            at, last = 0, len(digits) - _SHORTEST
            while at <= last:
                found = self._at(text, places, digits, at) if digits[at : at + _SHORTEST] in self._beginnings else None
                if found:
                    yield found
                at += len(found.digits) if found else 1

    def _at(self, text: str, places: list[int], digits: str, at: int) -> Found | None:
        """The longest number that begins with a certain digit of a run."""
        for length in self._lengths:
            core = digits[at : at + length]
            key = self._keys.get(core) if len(core) == length else None
            if key is None:
                continue
            start, end = places[at], end_of_escape(text, places[at + length - 1] + 1)
            first, behind = at, at + length
            while first and at - first < _LONGEST_CODE and places[first - 1] == places[first] - 1:
                first -= 1
            while behind < len(digits) and behind - at < 2 * _LONGEST_CODE and places[behind] == places[behind - 1] + 1:
                behind += 1
            before, after = digits[first:at], digits[at + length : behind]
            if length < _UNMISTAKABLE and (before or after):
                continue
            is_whole = False
            if not after:
                code = _CODE_BEFORE.search(text, max(0, start - _LONGEST_CODE), start)
                codes = [f"+{digits_of(code[1])}"] if code else _codes_before(digits, places, at)
                is_whole = any(person_key(code + core, self._region) == key for code in codes)
            return Found(start, end, core, key, is_whole, before + core + after)
        return None

    def _in_addresses(self, text: str) -> Iterator[Found]:
        at = text.find("@")
        while at >= 0:
            after = end_of_escape(text, at + 1)
            host = _HOST_AFTER.match(text, after, after + _LONGEST_HOST)
            is_known = host is not None and _host_of(host) in self._hosts
            user = _USER_BEFORE.search(text[max(0, at - _LONGEST_USER) : at]) if is_known else None
            if user and host:
                # In the path or query of a URL, the address begins after the last of its separators.
                for start in dict.fromkeys((at - len(user[0]), at - len(_LAST_OF_PATH.split(user[0])[-1]))):
                    spelled = text[start : host.end()].rstrip(".")
                    address = spelled.replace(FILLER, "")
                    if (key := person_key(address, self._region)) in self._addresses:
                        yield Found(start, start + len(spelled), "", key, True, address)
                        break
            at = text.find("@", at + 1)


def _host_of(found: re.Match[str]) -> str:
    return found["name"].replace(FILLER, "").casefold().rstrip(".")


def _each_of_several(part: str) -> Iterator[str]:
    """The digits of each number, where a field has more than one."""
    for one in (*_BETWEEN_TWO.split(part), *part.split()):
        digits = digits_of(one)
        if len(digits) >= _SHORTEST_OF_TWO:
            yield digits


def _codes_before(digits: str, places: list[int], at: int) -> Iterator[str]:
    """What may be a number's code for the country or zero for the trunk: the digits before it, none cut off a group."""
    for count in range(min(at, _MOST_CODE_DIGITS) + 1):
        first = at - count
        if not first or places[first - 1] != places[first] - 1:
            yield digits[first:at]


def numbers_in(text: str, region: str = "IN") -> Iterator[Found]:
    """What reads as a telephone number in a text, in order: the region's mobiles, and what has a + or 00 before it."""
    mobiles: list[Found] = []
    international: list[Found] = []
    for reading in readings(text):
        mobiles += _indian_mobiles(reading, region) if region == "IN" else _mobiles(reading, region)
        international += (_as_found(each, reading, region, "+") for each in _INTERNATIONAL.finditer(reading))
    yield from _apart(mobiles, international)


def digit_runs(text: str, fewest: int) -> Iterator[Found]:
    """Every run of at least so many digits, whoever's number it may be."""
    runs = ((reading, run, digits_of(run[0])) for reading in readings(text) for run in _RUN.finditer(reading))
    yield from _apart(
        [
            Found(run.start(), end_of_escape(reading, run.end()), digits, "", True, digits)
            for reading, run, digits in runs
            if len(digits) >= fewest
        ]
    )


def mentions(text: str, key: str, region: str = "IN") -> bool:
    """Whether a text quotes the number or address of the person with this key, and not as a part of a longer one."""
    return _numbers_of(key, region).are_quoted_in(text)


@lru_cache(16)
def _numbers_of(key: str, region: str) -> Numbers:
    return Numbers([key], region)


@lru_cache(_NUMBERS_REMEMBERED)
def _cores_of(key: str) -> Collection[str]:
    """The digits to look for: the national number, and further forms of it that it is not a part of."""
    if re.fullmatch(r"\+91[6-9]\d{9}", key):
        return (key[3:],)
    library = _library()
    number = library.parse(key)
    significant = library.national_significant_number(number)
    national = digits_of(library.format_number(number, library.PhoneNumberFormat.NATIONAL))
    cores = {significant, key[1:]} if len(significant) < _UNMISTAKABLE else {significant}
    area = library.length_of_geographical_area_code(number)
    return cores | ({national} if significant not in national else set()) | {significant[area:]}


def _indian_mobiles(text: str, region: str) -> Iterator[Found]:
    for each in _INDIAN_MOBILE.finditer(text):
        yield _as_found(each, text, region)


def _mobiles(text: str, region: str) -> Iterator[Found]:
    """Mobiles of a region by its numbering plan, in one to four groups."""
    pattern, code = _plan_of(region)
    before = re.compile(rf"^(?:00)?(?:{code})?0?")
    for run in _GROUPS.finditer(text):
        groups = list(_DIGITS.finditer(text, run.start(), run.end()))
        first = 0
        while first < len(groups):
            for last in range(min(first + _MOST_GROUPS, len(groups)) - 1, first - 1, -1):
                start, end = groups[first].start(), groups[last].end()
                if not _SHORTEST_MOBILE <= end - start <= _LONGEST_MOBILE:
                    continue
                digits = digits_of(text[start:end])
                national = digits[len(before.findall(digits)[0]) :]
                if any(map(pattern.fullmatch, (digits, national))):
                    yield Found(start, end, digits, person_key(digits, region), True, digits)
                    first = last
                    break
            first += 1


@lru_cache(8)
def _plan_of(region: str) -> tuple[re.Pattern[str], int]:
    metadata = _library().PhoneMetadata.metadata_for_region(region)
    return re.compile(metadata.mobile.national_number_pattern or r"(?!)"), metadata.country_code


def _as_found(each: re.Match[str], text: str, region: str, plus: str = "") -> Found:
    digits = digits_of(each["number"])
    end = end_of_escape(text, each.end("number"))
    return Found(each.start("number"), end, digits, person_key(plus + digits, region), True, digits)


def _apart(found: list[Found], rest: Iterable[Found] = ()) -> list[Found]:
    """In order and without overlaps: the longer of two that begin together, and of `rest` what `found` leaves."""
    kept: list[Found] = []
    for each in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
    starts = [each.start for each in kept]
    free: list[Found] = []
    for each in rest:
        place = bisect_left(starts, each.end)
        if not place or kept[place - 1].end <= each.start:
            free.append(each)
    return sorted(kept + _apart(free)) if free else kept
