"""A table as a spreadsheet opens it: text stays text, whoever wrote it. Pure; imports nothing of the house.

Excel and its like take a cell that begins with = + - or @ for a formula, and a formula can send the sheet away. Such a
cell gets an apostrophe before it; so does one that begins with an apostrophe, and every value can be had back.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

TRIGGERS = "=+-@"
# Without it Excel reads UTF-8 as the local 8-bit letters.
BOM = b"\xef\xbb\xbf"
_MARK = "'"


def csv_row(values: Iterable[object]) -> bytes:
    """One line of RFC 4180, every cell quoted: None is an empty one, true and false as JSON writes them."""
    cells = (csv_cell(_text(value)).replace('"', '""') for value in values)
    return (",".join(f'"{cell}"' for cell in cells) + "\r\n").encode("utf-8", "replace")


def csv_cell(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would do anything but show it."""
    return _MARK + text if text.startswith(_MARK) or _is_active(text) else text


def text_of(cell: str) -> str:
    """What `csv_cell` was given."""
    return cell.removeprefix(_MARK)


def _is_active(text: str) -> bool:
    """Whether a spreadsheet may take the text for a formula, or for more cells than one."""
    if not text:
        return False
    if unicodedata.category(text[0]) == "Cc":
        return True  # TAB, CR and LF begin another cell or row
    # What stands behind blanks and invisible letters, and in full width, is a formula all the same.
    first = next((letter for letter in text if unicodedata.category(letter)[0] not in "ZC"), "")
    return bool(first) and unicodedata.normalize("NFKC", first)[:1] in TRIGGERS


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
