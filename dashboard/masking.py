"""Masks telephone numbers in all that is shown to a role that may not see them. Pure; knows no page.

Pages, API and exports mask with one walk over the values of a call, before anything is escaped or written as JSON: an
escape between two digits (`%20`, `\\n`, `&nbsp;`) otherwise hides a number from every later search.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from dashboard.phone_numbers import DEFAULT_REGION, Found, Numbers, digit_runs, digits_of, masked, numbers_in

ALL_NUMBERS = "*"
"""Stands among the numbers of a call for more than are kept: every run of digits is masked."""
FEWEST_DIGITS = 7
"""Digits of a number that a key such as `phone` names. Shorter ones stand in every price and date."""
MOST_NUMBERS = 200
"""Numbers of one call that are looked for. In a call with more, every run of digits is masked."""
_LONGEST_NUMBER = 200
_NUMBER_KEYS = re.compile(
    r"phone|mobile|whatsapp|msisdn|contact|landline|caller.?id|alt(?:ernate)?[ _-]?n(?:o|um)", re.IGNORECASE
)
# A long text is masked in pieces: one search through megabytes keeps every other thread waiting. Pieces overlap by more
# than the longest number, written with the longest escapes.
_PIECE, _OVERLAP = 32_768, 2_048
_DIGIT_OR_ADDRESS = re.compile(r"[\d@]")
# What a mask has left of a number: its digits are no part of another number. Two signs alone are somebody's bullets.
_MASKED = re.compile(r"\d{0,2}•{3,}\d{0,3}")
_OPAQUE = "ℵ"
# A long name ends in a hash of all of it, against which hidden digits could be tried.
_HASH_OF_REST = re.compile(r"…[0-9a-f]{64}")
_REST = re.compile(r"…[0-9a-f]{64}|\d{31}")
_ADDRESS = "•••••"
# Shorter ones are only ever a whole text.
_SHORTEST = 5
# So long a number is found inside other digits, too.
_UNMISTAKABLE = 8
_LETTER = re.compile(r"[^\W\d_]")
_LONGEST_FRAGMENT = 40
_MOST_PIECES_OF_A_NUMBER = 14
# Values between the parts of a number that is split over an object: {"first": "98123", "then": "and", "last": "45670"}.
_MOST_BETWEEN = 2
_ESCAPES = frozenset("%&\\•")

__all__ = ["FEWEST_DIGITS", "Mask", "masked", "names_number", "numbers_under_keys"]


class _Span(NamedTuple):
    start: int
    end: int
    shown: str


class _Fragment(NamedTuple):
    """A key or a value that may be a piece of a number: where it stands, and its text."""

    holder: Any
    place: Any
    is_key: bool
    text: str


_Step = _Fragment | None
"""None stands for a text that ends a number: one that is no piece of it."""


class Mask:
    """Replaces some numbers in any text or JSON value: with +, 91 or 0 before them, in groups, in any script's digits.

    Whatever else reads as a mobile's number, or begins with + or 00, is replaced, too. Numbers spoken in words stay as
    they are. With `everything`, each run of FEWEST_DIGITS digits is replaced. Masking again changes nothing.
    """

    def __init__(self, numbers: Iterable[str] = (), *, region: str = DEFAULT_REGION, everything: bool = False) -> None:
        known = {number for number in numbers if number}
        self._masks_all = everything or len(known) > MOST_NUMBERS or any(map(_is_cut, known))
        # A word in place of a number, such as "unknown", is masked nowhere: texts would lack that word.
        self._whole = frozenset() if self._masks_all else frozenset(filter(_DIGIT_OR_ADDRESS.search, known))
        self._numbers = Numbers(() if self._masks_all else known, region)
        self._region = region

    def __call__(self, text: str) -> str:
        if text in self._whole:
            return masked(text)
        if len(text) < _SHORTEST or not _DIGIT_OR_ADDRESS.search(text):
            return text
        if "…" in text:
            text = _HASH_OF_REST.sub("…", text)
        if len(text) <= _PIECE + _OVERLAP:
            return _replaced(text, self._spans(text))
        return _replaced(text, self._spans_of_pieces(text))

    def value(self, value: Any, *, is_number: bool = False) -> Any:
        """A JSON value with its numbers masked, in keys too; `is_number` says that its key calls it a number.

        A number whose digits are split over neighbouring keys or values is masked in each of them.
        """
        walk = _Walk(self)
        shown = walk.of(value, is_number)
        walk.join(self._numbers)
        return walk.renamed(shown)

    def _spans(self, text: str) -> list[_Span]:
        plain = _MASKED.sub(lambda found: _OPAQUE * len(found[0]), text) if "•" in text else text
        own = self._numbers.find(plain) if self._numbers else []
        spans = [
            _Span(each.start, each.end, _shown(each))
            for each in own
            if len(each.digits) >= _UNMISTAKABLE or not _is_beside_a_mask(each, plain)
        ]
        if len(text) < FEWEST_DIGITS:
            return spans
        if self._numbers:
            spans = sorted([*spans, *_apart_from(spans, self._numbers.find_split(plain))])
        # Other numbers are looked for in what the call's own leave, so that a second mask finds no more.
        if spans:
            plain = _replaced(plain, (span._replace(shown=_OPAQUE * (span.end - span.start)) for span in spans))
        others = digit_runs(plain, FEWEST_DIGITS) if self._masks_all else numbers_in(plain, self._region)
        spans += (_Span(each.start, each.end, _shown(each)) for each in others if not _is_beside_a_mask(each, plain))
        return sorted(spans)

    def _spans_of_pieces(self, text: str) -> Iterator[_Span]:
        done = 0
        for start in range(0, len(text), _PIECE):
            first = max(0, start - _OVERLAP)
            for span in self._spans(text[first : start + _PIECE + _OVERLAP]):
                start_at, end = first + span.start, first + span.end
                if end <= max(done, start) or start_at >= start + _PIECE:
                    continue
                shown = span.shown
                if start_at < done:
                    start_at, shown = done, "•" * len(digits_of(text[done:end]))
                yield _Span(start_at, end, shown)
                done = end


@lru_cache(8)
def others_mask(region: str = DEFAULT_REGION) -> Mask:
    """What masks numbers in a text that belongs to no call: a name in a menu, a title."""
    return Mask(region=region)


def names_number(key: str) -> bool:
    """Whether a key such as `Alt Phone` says that its value is a telephone number."""
    return bool(_NUMBER_KEYS.search(key))


def numbers_under_keys(value: Any, *, is_number: bool = False) -> Iterator[str]:
    """The texts of a JSON value that stand under a key such as `phone`, and have the digits of a number."""
    match value:
        case dict():
            for key, each in value.items():
                yield from numbers_under_keys(each, is_number=is_number or names_number(key))
        case list():
            for each in value:
                yield from numbers_under_keys(each, is_number=is_number)
        case str() | int() | float() if is_number and not isinstance(value, bool):
            text = str(value)
            if len(text) <= _LONGEST_FRAGMENT and len(digits_of(text)) >= FEWEST_DIGITS:
                yield text


class _Walk:
    """One walk over a JSON value: masks each key and text, and notes what may be a piece of a number."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._all_digits = Mask(everything=True)
        self._keys: list[_Step] = []
        self._values: list[_Step] = []
        self._in_order: list[_Step] = []
        self._new_keys: dict[int, dict[str, str]] = {}

    def of(self, value: Any, is_number: bool) -> Any:
        match value:
            case dict():
                shown: dict[str, Any] = {}
                used: dict[str, int] = {}
                for key, each in value.items():
                    name = _unused(self._mask(key), shown, used)
                    self._note(_fragment(shown, name, name, is_key=True), self._keys)
                    shown[name] = None
                    shown[name] = self._leaf_or_more(each, is_number or names_number(key), shown, name)
                return shown
            case list():
                items: list[Any] = [None] * len(value)
                before = len(self._values)
                for place, each in enumerate(value):
                    items[place] = self._leaf_or_more(each, is_number, items, place)
                self._mask_whole_list(self._values[before:], items, is_number)
                return items
        return self._leaf(value, is_number)

    def join(self, numbers: Numbers) -> None:
        """Mask the call's own numbers where their digits are split over neighbouring keys or values."""
        if not numbers:
            return
        for steps in (self._values, self._keys, self._in_order):
            for fragments in _neighbours(steps):
                joined = " ".join(fragment.text for fragment in fragments)
                self._apply(fragments, _piecewise(numbers, joined))
        for fragments in _neighbours(self._values, most_between=_MOST_BETWEEN):
            parts = numbers.find_split(" ".join(fragment.text for fragment in fragments))
            self._apply(fragments, (_Span(start, end, "•" * (end - start)) for start, end in parts))

    def renamed(self, value: Any) -> Any:
        """The value with the keys that hold pieces of a number masked."""
        if not self._new_keys:
            return value
        if isinstance(value, dict):
            names = self._new_keys.get(id(value), {})
            shown: dict[str, Any] = {}
            used: dict[str, int] = {}
            for key, each in value.items():
                name = names.get(str(key), str(key))
                shown[_unused(name, shown, used)] = self.renamed(each)
            return shown
        return [self.renamed(each) for each in value] if isinstance(value, list) else value

    def _leaf_or_more(self, value: Any, is_number: bool, holder: Any, place: Any) -> Any:
        if isinstance(value, dict | list):
            return self.of(value, is_number)
        shown = self._leaf(value, is_number)
        if shown is None or shown == "":
            return shown
        self._note(_fragment(holder, place, shown), self._values)
        return shown

    def _leaf(self, value: Any, is_number: bool) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return value
        text = str(value)
        shown = self._mask(text)
        if is_number:
            shown = self._all_digits(shown)
        return value if shown == text else shown

    def _note(self, step: _Step, steps: list[_Step]) -> None:
        steps.append(step)
        self._in_order.append(step)

    def _mask_whole_list(self, steps: list[_Step], items: list[Any], is_number: bool) -> None:
        """Mask a list that is one number in pieces, such as ["98765", "43210"]; numbers alone may be prices."""
        fragments = [step for step in steps if step is not None and step.holder is items]
        if not 2 <= len(fragments) == len(items) <= _MOST_PIECES_OF_A_NUMBER:
            return
        digits = digits_of("".join(fragment.text for fragment in fragments))
        if not (is_number or all(isinstance(item, str) for item in items)):
            return
        if (is_number and len(digits) >= FEWEST_DIGITS) or any(each.end == len(digits) for each in numbers_in(digits)):
            joined = " ".join(fragment.text for fragment in fragments)
            self._apply(fragments, [_Span(0, len(joined), masked(digits))])

    def _apply(self, fragments: list[_Fragment], spans: Iterable[_Span]) -> None:
        """Write masks that cross from one fragment to the next into each of them, digit under digit."""
        starts = []
        at = 0
        for fragment in fragments:
            starts.append(at)
            at += len(fragment.text) + 1
        texts: dict[int, list[str]] = {}
        number = 0
        for span in spans:
            while number + 1 < len(starts) and starts[number + 1] <= span.start:
                number += 1
            shown = iter(span.shown)
            here = number
            while here < len(fragments) and starts[here] < span.end:
                letters = texts.setdefault(here, list(fragments[here].text))
                for place, letter in enumerate(letters):
                    if span.start <= starts[here] + place < span.end and letter.isdecimal():
                        letters[place] = next(shown, "•")
                here += 1
        for changed, letters in texts.items():
            fragment, text = fragments[changed], "".join(letters)
            if fragment.is_key:
                self._new_keys.setdefault(id(fragment.holder), {})[fragment.place] = text
            else:
                fragment.holder[fragment.place] = text


def _fragment(holder: Any, place: Any, value: Any, *, is_key: bool = False) -> _Step:
    if isinstance(value, bool):
        return None
    text = str(value)
    is_piece = len(text) <= _LONGEST_FRAGMENT and not _LETTER.search(text) and any(map(str.isdecimal, text))
    return _Fragment(holder, place, is_key, text) if is_piece and not _ESCAPES.intersection(text) else None


def _neighbours(steps: Iterable[_Step], *, most_between: int = 0) -> Iterator[list[_Fragment]]:
    """The fragments that follow each other, at least two at a time, with so many other values between at most."""
    together: list[_Fragment] = []
    between = 0
    for step in (*steps, *[None] * (most_between + 1)):
        if step is not None:
            together.append(step)
            between = 0
            continue
        between += 1
        if between <= most_between:
            continue
        if len(together) > 1:
            yield together
        together = []


def _piecewise(numbers: Numbers, text: str) -> Iterator[_Span]:
    done = 0
    for start in range(0, len(text), _PIECE):
        for found in numbers.find(text[start : start + _PIECE + _OVERLAP]):
            if done <= start + found.start < start + _PIECE:
                done = start + found.end
                yield _Span(start + found.start, done, _shown(found))


def _shown(found: Found) -> str:
    return masked(found.digits) if found.digits else _ADDRESS


def _replaced(text: str, spans: Iterable[_Span]) -> str:
    parts, done = [], 0
    for span in spans:
        parts += [text[done : span.start], span.shown]
        done = span.end
    return "".join([*parts, text[done:]]) if parts else text


def _apart_from(spans: list[_Span], parts: Iterable[tuple[int, int]]) -> Iterator[_Span]:
    """The parts of split numbers, masked, that are in none of these spans."""
    starts = [span.start for span in spans]
    for start, end in parts:
        place = bisect_left(starts, end)
        if not place or spans[place - 1].end <= start:
            yield _Span(start, end, "•" * (end - start))


def _is_beside_a_mask(found: Found, text: str) -> bool:
    """Whether a number touches what is left of a masked one: then both were one row of digits, and no number alone."""
    return text[found.end : found.end + 1] == _OPAQUE or text[max(0, found.start - 1) : found.start] == _OPAQUE


def _is_cut(number: str) -> bool:
    """Whether a number is longer than is looked for, or only the beginning of it is known."""
    return number == ALL_NUMBERS or len(number) > _LONGEST_NUMBER or bool(_REST.search(number))


def _unused(name: str, taken: dict[str, Any], used: dict[str, int]) -> str:
    """The name, or one like it: two keys can look alike once they are masked, and both values stay.

    `used` has the last number that each name got: with thousands of equal names, the search would begin at 2 each time.
    """
    unused = name
    while unused in taken:
        used[name] = used.get(name, 1) + 1
        unused = f"{name} ({used[name]})"
    return unused
