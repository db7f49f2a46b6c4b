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


def masked(number: str) -> str:
    """98•••••210: enough to know one's own customer again, too little to call them."""
    digits = "".join(filter(str.isdecimal, number))
    digits = digits[2:] if len(digits) == 12 and digits.startswith("91") else digits
    return f"{digits[:2]}{'•' * (len(digits) - 5)}{digits[-3:]}" if len(digits) > 7 else "•" * len(digits)


class Mask:
    """Replaces some numbers in any text: with +, 91 or 0 before them, in groups, in any script's digits.

    Numbers that are spoken in words stay as they are.
    """

    def __init__(self, numbers: Iterable[str]) -> None:
        self._whole = {number for number in numbers if any(map(str.isdecimal, number))}
        cores = {_digits(number)[-_CORE_DIGITS:] for number in self._whole}
        self._cores = sorted((core for core in cores if len(core) >= _SHORTEST_IN_TEXT), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        if text in self._whole:
            return masked(text)
        return _RUN.sub(self._mask_run, text) if self._cores else text

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
