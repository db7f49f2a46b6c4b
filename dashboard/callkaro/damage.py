"""What a spreadsheet does to cells when it opens a file and saves it again, recognised by the cell. Pure.

Each check gives what is wrong as the end of a sentence, without the cell's content, which may be a person's number. A
cell that a spreadsheet keeps as text (`sheets.is_guarded`), or that says what the board has, is not asked about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dashboard.callkaro.report import FLAGS, JSON, NUMBERS, as_flag, as_number, as_text, as_try

IDS = ("callSid", "agent", "versionId", "batchId")
TELEPHONES = ("from", "to")
LISTS_AND_OBJECTS = ("call_metadata", "post_call", "post_call_detail", "functions_called")

# The most characters that a cell can hold: Excel, Google Sheets, LibreOffice. Longer text is cut there.
_CELL_LIMITS = frozenset({32_767, 50_000, 65_535})
# Spreadsheets compute with so many digits; the others become 0.
_EXACT_DIGITS = 15
_SHORTEST_ID = 16
# A telephone number that was shown as 9.19877E+11 and then as a number again. Real ones that end so are rare.
_SHORTEST_TELEPHONE, _ROUNDED = 10, "00000"
# Of a duration under a second. More are those of a part of a day: 00:01:05 is 0.000752315 of one.
_MOST_DECIMALS = 2
_ERROR = re.compile(r"#(NAME|REF|VALUE|DIV/0|NUM|NULL|SPILL|CALC|ERROR|GETTING_DATA|FIELD|BLOCKED)[!?]|#N/A|Err:5\d\d")
_TOO_NARROW = re.compile(r"#{3,}")
_SCIENTIFIC = re.compile(r"[+-]?(\d)(?:[.,](\d+))?E\+?(\d{1,3})", re.IGNORECASE)
_SMALL = re.compile(r"[+-]?\d+(?:[.,]\d+)?E-\d{1,3}", re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}([,.\s\u00a0\u202f’']\d{2,3})+")
_DECIMAL = re.compile(r"\d+[.,]\d+")
_WHOLE_AS_DECIMAL = re.compile(r"(\d{1,15})[.,]0")
_DATE = re.compile(
    r"(\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}-\d\d-\d\d|\d{1,2}[- ][A-Za-z]{3}([- ]\d{2,4})?|[A-Za-z]{3}-\d\d)"
    r"( \d{1,2}:\d\d(:\d\d)?( [AaPp][Mm])?)?"
)
_CLOCK = re.compile(r"\d+:\d\d(:\d\d)?(\s*[AaPp][Mm])?")
_LOGICAL = frozenset({"TRUE", "FALSE"})
# The bytes of letters as Windows-1252 shows them. The five that it has none for are controls to Excel, and letters of a
# private area to LibreOffice.
_BYTES = {bytes([byte]).decode("cp1252", "replace"): byte for byte in range(0x80, 0x100)}
_BYTES |= {chr(base + byte): byte for base in (0, 0xF100) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
_BYTES.pop("\N{REPLACEMENT CHARACTER}")
_OF_BYTES = re.compile(f"[{''.join(map(re.escape, _BYTES))}]{{2,}}")
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_LOST_LETTERS = re.compile(r"(?:^|(?<=[\s:(\"]))\?{3,}(?=[\s.,!;)\"]|$)")
# Beside digits that a mask leaves, or as many signs as the shortest number in a text has. Pieces of a number that is
# split over values have fewer, but no letter is in such a piece, which is a whole text or a string of JSON.
_MASKS = re.compile(
    r"""•{3,}\d | \d•{3,} | •{5,}
    | ^ (?:[^\w•]|\d)* • (?:[^\w"]|\d)* $
    | " (?=[\d+(•]) (?:[^\w"•]|\d)* • (?:[^\w"]|\d)* "
    """,
    re.VERBOSE,
)
CUT = "it is as long as a spreadsheet's cell can be, so the rest was cut off"
MASKED = "it has masked numbers: it was exported by an account that does not see numbers"


@dataclass
class Columns:
    """What all rows of a file show of its columns."""

    is_unicode: bool
    """whether the file's encoding has every letter; another turns those it lacks into question marks"""
    _lengths: dict[str, set[int]] = field(default_factory=dict)

    def show(self, cells: Mapping[str, str]) -> None:
        for name in IDS:
            cell = cells.get(name, "").strip()
            if cell and re.fullmatch("[0-9A-Fa-f]+", cell) and not cell.isdecimal() and not _SCIENTIFIC.fullmatch(cell):
                self._lengths.setdefault(name, set()).add(len(cell))

    def length_of(self, name: str) -> int:
        """How long every id of a column is that no spreadsheet takes for a number; 0 where they differ."""
        lengths = self._lengths.get(name, set())
        return next(iter(lengths)) if len(lengths) == 1 else 0


def has_masks(text: str) -> bool:
    """Whether numbers in a text, or in JSON, are masked as `masking` does it."""
    return bool(_MASKS.search(text))


def is_cut(cell: str) -> bool:
    """Whether a cell, with its apostrophe if it has one, is exactly as long as a spreadsheet lets it be."""
    return len(cell) >= min(_CELL_LIMITS) // 2 and len(cell.encode("utf-16-le", "surrogatepass")) // 2 in _CELL_LIMITS


def restored(name: str, cell: str) -> str:
    """The cell, but for a telephone number in scientific notation that still has every digit.

    9.19876543210E+11 has as many decimals as the exponent says, so it is 919876543210 and nothing else. An id is never
    restored: 12 and 0012 and 1.2E+1 give the same cell.
    """
    text = cell.strip()
    if name not in TELEPHONES:
        return cell
    if whole := _WHOLE_AS_DECIMAL.fullmatch(text):
        return whole[1]
    found = _SCIENTIFIC.fullmatch(text)
    if found and len(found[2] or "") == int(found[3]) < _EXACT_DIGITS:
        return found[1] + (found[2] or "")
    return cell


def damage_in(name: str, cell: str, columns: Columns) -> str:
    """What a spreadsheet did to a cell of a documented field; "" where nothing can be seen."""
    text = cell.strip()
    if problem := _damage_anywhere(cell, columns):
        return problem
    if name in FLAGS:
        return "" if as_flag(text) is not None else "it is neither true nor false"
    if name in NUMBERS:
        return _damage_of_number(name, text)
    if name in LISTS_AND_OBJECTS:
        return ""
    return "" if name == "time" else _damage_of_text(text) or _damage_of_id(name, text, columns)


def damage_of_json(name: str, value: JSON, *, is_sent: bool = False) -> str:
    """What is wrong with a value of JSON that another program may have made of a spreadsheet's cell.

    `is_sent` says that a report as it was sent has it: the platform writes telephone numbers as text, so a number is
    none of its own.
    """
    if not is_sent and has_masks(as_text(value)):
        return MASKED
    if name in TELEPHONES:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _damage_of_id(name, str(int(value)), Columns(is_unicode=True))
        text = as_text(value)
        return "" if is_sent else _damage_of_text(text) or _damage_of_id(name, text, Columns(is_unicode=True))
    return _damage_of_number(name, as_text(value)) if name in NUMBERS and not is_sent else ""


def damage_of_try(text: str) -> str:
    """Why no try is counted by this: the board would take it for the first one, and overwrite that."""
    return "it is not a plain number such as 1" if as_try(text) is None else ""


def _damage_of_number(name: str, text: str) -> str:
    if name == "try_count":
        return damage_of_try(text)
    number = as_number(text)
    if number is None:
        # Words in place of a number of seconds are passed over.
        return "it is not a plain number such as 120" if any(map(str.isdecimal, text)) else ""
    if 0 < number < 1 and len(text.partition(".")[2]) > _MOST_DECIMALS:
        return "it is a part of a day, as spreadsheets keep times; show the column as a number of seconds"
    return ""


def _damage_anywhere(cell: str, columns: Columns) -> str:
    text = cell.strip()
    if _ERROR.fullmatch(text):
        return "it is a spreadsheet's error in place of the value"
    if _TOO_NARROW.fullmatch(text):
        return "the column was too narrow, and #### was saved in place of the value"
    if is_cut(cell):
        return CUT
    if _is_misread(text):
        return "the file was opened with the wrong encoding, which garbled its letters"
    if not columns.is_unicode and _LOST_LETTERS.search(text):
        return "its letters were saved as question marks; save it as CSV UTF-8"
    return MASKED if has_masks(text) else ""


def _is_misread(text: str) -> bool:
    """Whether UTF-8 was read as Windows-1252: "à¤¨" was a letter of Hindi, "â‚¹" the sign of the rupee."""
    return any(_UTF_8.search(bytes(_BYTES[each] for each in run)) for run in _OF_BYTES.findall(text))


def _damage_of_text(text: str) -> str:
    if text in _LOGICAL:
        return "a spreadsheet wrote a logical value in place of the text"
    if _SCIENTIFIC.fullmatch(text) or _SMALL.fullmatch(text):
        return "it is a number in scientific notation, and its digits are lost"
    if _DATE.fullmatch(text) or _CLOCK.fullmatch(text):
        return "a spreadsheet wrote it as a date or a time"
    return ""


def _damage_of_id(name: str, text: str, columns: Columns) -> str:
    if name not in IDS and name not in TELEPHONES:
        return ""
    if text.isdecimal():
        return _damage_of_digits(name, text, columns)
    if _DECIMAL.fullmatch(text) or _GROUPED.fullmatch(text):
        return "a spreadsheet wrote it as a number, with a decimal point or separators"
    return ""


def _damage_of_digits(name: str, text: str, columns: Columns) -> str:
    if len(text) > _EXACT_DIGITS and not text[_EXACT_DIGITS:].strip("0"):
        return "a spreadsheet rounded it: all digits after the fifteenth are 0"
    if name in TELEPHONES and len(text) >= _SHORTEST_TELEPHONE and text.endswith(_ROUNDED):
        return (
            "it ends in five zeros, as a number that a spreadsheet rounded; if it is right, write it with a + before it"
        )
    expected = columns.length_of(name)
    if expected >= _SHORTEST_ID and len(text) < expected:
        return f"it is a number of {len(text)} digits where all others are ids of {expected} characters"
    return ""
