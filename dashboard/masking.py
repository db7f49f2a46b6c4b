"""Telephone numbers drawn so that they cannot be called, wherever in a text they stand. Pure; knows no page."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Ten digits tell a person apart in India; what stands before them is a country's code or a zero for the trunk.
_CORE_DIGITS = 10
# Shorter ones are extensions and service numbers: a date or a price has as many digits.
_SHORTEST_IN_TEXT = 5
# So long a number is found inside other digits, too; a shorter one only where it stands by itself.
_UNMISTAKABLE = 8
_RUN = re.compile(rf"\d(?:[\W_]{{0,8}}\d){{{_SHORTEST_IN_TEXT - 1},}}")
# A number's own signs; behind others stands an extension, and its digits are no part of it.
_PART = re.compile(r"[\d\s()+./-]+")
# What reads as an Indian mobile's number, in one to three groups, is somebody's, whoever's call it is. Between letters
# it is a part of some identifier.
_GAP = r"[\s.-]?"
_MOBILE = re.compile(
    rf"(?<![^\W_])(?P<code>(?:(?:\d\d)?\d\d{_GAP}|\d)?)"
    rf"(?P<number>\d{{5}}{_GAP}\d{{5}}|\d{{3}}{_GAP}\d{{3}}{_GAP}\d{{4}}|\d{{4}}{_GAP}\d{{3}}{_GAP}\d{{3}})(?![^\W_])"
)
_LOWEST_OF_MOBILES = 6
_CODES = ("", "0", "91", "0091")


def masked(number: str) -> str:
    """98•••••210: enough to know one's own customer again, too little to call them."""
    digits = "".join(filter(str.isdecimal, number))
    digits = digits[2:] if len(digits) == 12 and digits.startswith("91") else digits
    return f"{digits[:2]}{'•' * (len(digits) - 5)}{digits[-3:]}" if len(digits) > 7 else "•" * len(digits)


class Mask:
    """Replaces some numbers in any text: with +, 91 or 0 before them, in groups, in any script's digits.

    Whatever else reads as an Indian mobile's number is replaced, too. Numbers spoken in words stay as they are.
    """

    def __init__(self, numbers: Iterable[str]) -> None:
        self._whole = {number for number in numbers if any(map(str.isdecimal, number))}
        parts = {part for number in self._whole for part in (number, *_PART.findall(number))}
        cores = {_digits(part)[-_CORE_DIGITS:] for part in parts}
        self._cores = sorted((core for core in cores if len(core) >= _SHORTEST_IN_TEXT), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        if text in self._whole:
            return masked(text)
        text = _RUN.sub(self._mask_run, text) if self._cores else text
        return _MOBILE.sub(_mask_mobile, text)

    def _mask_run(self, found: re.Match[str]) -> str:
        """A run of digits, whatever stands between them, with the numbers in it masked."""
        run = found[0]
        places = [place for place, letter in enumerate(run) if letter.isdecimal()]
        digits = _digits(run)
        parts, done, at = [], 0, 0
        while at < len(digits):
            core = next((core for core in self._cores if digits.startswith(core, at)), None)
            if core is None or not _stands_alone(core, run, places, at):
                at += 1
                continue
            parts += [run[done : places[at]], masked(core)]
            at += len(core)
            done = places[at - 1] + 1
        return "".join([*parts, run[done:]])


def _mask_mobile(found: re.Match[str]) -> str:
    code, number = found["code"], found["number"]
    # Other digits right before it make it a part of a longer number.
    stands_alone = _digits(code) in _CODES or not code[-1].isdecimal()
    is_mobile = stands_alone and int(number[0]) >= _LOWEST_OF_MOBILES
    return f"{code}{masked(_digits(number))}" if is_mobile else found[0]


def as_it_is(text: str) -> str:
    """The mask of whoever sees numbers."""
    return text


def _stands_alone(core: str, run: str, places: list[int], at: int) -> bool:
    """Whether these digits are the number and no part of a longer one."""
    if len(core) >= _UNMISTAKABLE:
        return True
    before, after = places[at] - 1, places[at + len(core) - 1] + 1
    return not (before >= 0 and run[before].isdecimal()) and not (after < len(run) and run[after].isdecimal())


def _digits(text: str) -> str:
    return "".join(str(int(letter)) for letter in text if letter.isdecimal())
