"""Cells of a CSV file that a spreadsheet opens: text stays text, and no cell is a formula. Pure.

A spreadsheet reads a cell that begins with = + - or @ as a formula, and a formula can send the sheet's content away.
It reads text such as 919876543210, 0042, 1203e77, 00:01:07, 2025-12-19 16:01:07 or true as a number, a date or a
logical value, and writes something else when it saves: 9.19877E+11, 42, 1.203E+80. An apostrophe before such text keeps
it as it is in Excel, LibreOffice and Google Sheets. Text that begins with an apostrophe gets one, too, so `text_of` is
exact.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

TRIGGERS = "=+-@"
# Without it Excel reads UTF-8 as the local 8-bit letters.
BOM = b"\xef\xbb\xbf"
_MARK = "'"
# Excel shows a longer number in scientific notation, and saves what it shows.
_LONGEST_NUMBER = 11
_PLAIN_NUMBER = re.compile(r"\d+(\.\d+)?")
# What `import` takes for a time of a spreadsheet: a part of a day.
_PART_OF_DAY = re.compile(r"0+\.\d{3,}")
# Longer text is a sentence to every spreadsheet, or nothing but digits.
_LONGEST_VALUE = 48
_LONG_NUMBER = re.compile(r"[\s\d.,]*\d(e[+-]?\d+)?\s*", re.IGNORECASE)
_MOST_WORDS = 4
# The form in which we write moments. No spreadsheet takes it for a date: it has a T and a Z.
_OUR_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SCIENTIFIC = re.compile(r"[\d\s.,]*\de[+-]?\d+", re.IGNORECASE)
_ERROR = re.compile(r"#[A-Z/0]{2,12}[!?]?|#+", re.IGNORECASE)
_LOGICAL = frozenset({"true", "false"})
# What may stand between the digits of a number, an amount, a date or a time, beside blanks and currency signs.
_SIGNS = frozenset(".,:;/\\'’`+-–−()%*^_")
_TOKEN = re.compile("L+")
_ASCII_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_ASCII_WORD = re.compile("[a-z]+")
_ASCII_VALUE = re.compile(r"[a-z0-9\s$.,:;/\\'`+()%*^_-]+")
# Words beside which digits are a date, a time or an amount. A word with a letter outside ASCII counts as one as well,
# because it may be the name of a month in the language of the spreadsheet.
_WORDS = frozenset(
    re.findall(
        "[a-z]+",
        """jan feb mar apr may jun jul aug sep sept oct nov dec january february march april june july august september
        october november december ene fev avr abr mai mag giu lug ago set okt out ott dez dic gen sun mon tue tues wed
        thu thurs fri sat sunday monday tuesday wednesday thursday friday saturday am pm a p t z st nd rd th rs inr usd
        eur gbp aed sgd""",
    )
)


class Value(str):
    """The text of a number, or true or false: a spreadsheet may read it as that, where it shows all of it."""

    __slots__ = ()


def csv_row(values: Iterable[object]) -> bytes:
    """One line of RFC 4180, every cell quoted: None is an empty one, true and false as JSON writes them.

    A number that every spreadsheet shows in full stays a number; text never becomes one.
    """
    cells = (_cell(value).replace('"', '""') for value in values)
    return (",".join(f'"{cell}"' for cell in cells) + "\r\n").encode("utf-8", "replace")


def csv_cell(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would do anything but show it."""
    return _MARK + text if text.startswith(_MARK) or _is_active(text) or _is_converted(text) else text


def text_of(cell: str) -> str:
    """What `csv_cell` was given."""
    return cell.removeprefix(_MARK)


def is_guarded(cell: str) -> bool:
    """Whether the cell's apostrophe is one that `csv_cell` puts there; the file may be one that others have written."""
    return cell.startswith(_MARK) and csv_cell(cell[1:]) == cell


def _is_active(text: str) -> bool:
    """Whether a spreadsheet may take the text for a formula, or for more cells than one."""
    if not text:
        return False
    if unicodedata.category(text[0]) == "Cc":
        return True  # TAB, CR and LF begin another cell or row
    # What stands behind blanks and invisible letters, and in full width, is a formula all the same.
    first = next((letter for letter in text if unicodedata.category(letter)[0] not in "ZC"), "")
    return bool(first) and unicodedata.normalize("NFKC", first)[:1] in TRIGGERS


def _is_converted(text: str) -> bool:
    """Whether a spreadsheet may read the text as a number, an amount, a date, a time, a logical value or an error."""
    if len(text) > _LONGEST_VALUE:
        return bool(_LONG_NUMBER.fullmatch(text))
    if text.isascii():
        plain = _ASCII_CONTROLS.sub("", text).strip().lower()
    else:
        # In full width and behind invisible characters a number is one all the same.
        letters = unicodedata.normalize("NFKC", text)
        plain = "".join(each for each in letters if unicodedata.category(each)[0] != "C").strip().lower()
    if plain in _LOGICAL or _ERROR.fullmatch(plain):
        return True
    if not any(map(str.isnumeric, plain)) or _OUR_MOMENT.fullmatch(text):
        return False
    return bool(_SCIENTIFIC.fullmatch(plain)) or _is_value(plain)


def _is_value(text: str) -> bool:
    """Whether the text is digits and the signs and words of amounts, dates and times, and nothing else."""
    # Most cells are ASCII, and an export has millions of them: letter by letter it took twice as long.
    if text.isascii():
        words = _ASCII_WORD.findall(text) if _ASCII_VALUE.fullmatch(text) else None
    else:
        kinds = "".join(map(_kind_of, text))
        words = None if "?" in kinds else [text[each.start() : each.end()] for each in _TOKEN.finditer(kinds)]
    if words is None or len(words) > _MOST_WORDS:
        return False
    return all(word in _WORDS or not word.isascii() for word in words)


def _kind_of(letter: str) -> str:
    """D a digit, L a letter or its vowel sign, S a sign that numbers and dates have, ? anything else."""
    category = unicodedata.category(letter)
    if category[0] in "LM":
        return "L"
    if category[0] == "N":
        return "D"
    return "S" if letter in _SIGNS or category[0] == "Z" or category == "Sc" else "?"


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, bool | int | float | Value) and (text in _LOGICAL or _is_shown_whole(text)):
        return text
    return csv_cell(text)


def _is_shown_whole(number: str) -> bool:
    is_plain = _PLAIN_NUMBER.fullmatch(number) and not _PART_OF_DAY.fullmatch(number)
    return len(number) <= _LONGEST_NUMBER and bool(is_plain)
