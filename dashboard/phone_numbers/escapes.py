"""Reads a text as its escapes are meant, letter under letter, so that what is found has its place in the text.

URLs, JSON, HTML and spreadsheets write the digits of a number, and the signs between them, in other ways.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

FILLER = "\x00"
"""Replaces the rest of an escape, so that the escape counts as one sign and all offsets stay the same."""
_READ = re.compile(r"[\d@]|&[a-z]{2,8};")
# Digits of other scripts, and those in circles, brackets or above the line.
_OTHER_DIGIT = re.compile(r"(?![0-9])\d|[²³¹⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒]")
# URLs, JSON and HTML write blanks, signs and digits in these ways, also twice over: %20 %2520 %39 \n \u0966 &#57;
# &nbsp; &amp;nbsp;. A row of backslashes is read once, from its beginning.
_ESCAPE = re.compile(
    r"%(?:25){0,3}(?P<byte>[0-9a-f]{2})|(?<!\\)\\++(?:u(?P<unit>[0-9a-f]{4})|[nrtbfv])"
    r"|&(?:amp;){0,3}(?:#x(?P<hex>[0-9a-f]{1,6});|#(?P<code>\d{1,7});|(?P<at>commat;)|[a-z]{2,8};)",
    re.IGNORECASE,
)
_MAY_ESCAPE = re.compile(r"[%\\&]")
_TAG = re.compile(r"</?[a-z][^<>]{0,40}>", re.IGNORECASE)
# As spreadsheets write a long number: 9.19812345670E+11.
_SCIENTIFIC = re.compile(r"(?<![\d.])(?P<first>[1-9])\.(?P<rest>\d{6,18})[eE]\+?(?P<exponent>\d{1,2})(?!\d)")
_LARGEST_CODE = 0x10FFFF
# Addresses contain these; every other sign is a blank.
_SIGNS = "@.-_"


def readings(text: str) -> Iterable[str]:
    """The text as it is and as its escapes read, letter under letter, with 0 to 9 for all digits; none without any."""
    if not text.isascii():
        text = _OTHER_DIGIT.sub(lambda digit: str(unicodedata.digit(digit[0])), text)
    if not _READ.search(text):
        return ()
    # Between two digits <br> is a separator; <tel:98123%2045670> holds a number itself.
    return dict.fromkeys((text, _unescaped(text), _unescaped(_TAG.sub(_blank, text))))


def end_of_escape(text: str, end: int) -> int:
    """The end of an escape whose first place ends at `end`; `end` where that is no escape."""
    while end < len(text) and text[end] == FILLER:
        end += 1
    return end


def _blank(tag: re.Match[str]) -> str:
    return " " + FILLER * (len(tag[0]) - 1)


def _unescaped(text: str) -> str:
    """The same text, letter under letter, with a sign or a digit and fillers for every escape."""
    if _MAY_ESCAPE.search(text):
        text = _ESCAPE.sub(_plain, text)
    return _SCIENTIFIC.sub(_written_out, text)


def _plain(escape: re.Match[str]) -> str:
    code = int(escape["byte"] or escape["unit"] or escape["hex"] or "20", 16)
    code = int(escape["code"]) if escape["code"] else code
    letter = "@" if escape["at"] else chr(code) if code <= _LARGEST_CODE else " "
    if letter.isdecimal():
        letter = str(unicodedata.decimal(letter))
    elif letter not in _SIGNS:
        letter = " "
    return letter + FILLER * (len(escape[0]) - 1)


def _written_out(number: re.Match[str]) -> str:
    length = int(number["exponent"]) + 1
    digits = (number["first"] + number["rest"])[:length]
    # One that leaves out more zeros than it has letters is rounded: its last digits are not known.
    return digits.ljust(length, "0").ljust(len(number[0]), FILLER) if length <= len(number[0]) else number[0]
