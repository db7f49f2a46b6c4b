"""CSV files as exports and spreadsheets write them: any usual separator and encoding, each row with its line. Pure.

A file is read twice: once to learn how it is written and what its columns hold, and once for its rows.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from dashboard.callkaro.report import DOCUMENTED_FIELDS

LONGEST_CELL = 2**24
_SEPARATORS = ",;\t"
_PIECE = 2**20
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The code pages of Windows. What none of these bytes changes between them is certain, whichever of them it was.
_WINDOWS = tuple(f"cp125{number}" for number in range(9))
_MISREAD_MARK = codecs.BOM_UTF8.decode("cp1252")
_CUT_OFF = "the row has fewer cells than the line of names, so it was cut off on its way"
_SHIFTED = "the row has more cells than the line of names, so its cells may be in the wrong columns"


class NotReadable(ValueError):
    """A file that holds no calls we could take in; its text says why and what to do."""


class TableRow(NamedTuple):
    """One row: the line on which it begins, and its cells by their column's name; or why it has none."""

    line: int
    cells: dict[str, str]
    problem: str = ""


class Table(NamedTuple):
    """How a file is written, and the names of its columns."""

    encoding: str
    is_unicode: bool
    """whether what wrote it could write every letter; a file of nothing but ASCII may be in any encoding"""
    separator: str
    names: tuple[str, ...]
    lines_before: int


def look_at(file: io.BufferedReader, needed: str) -> Table:
    """How a seekable file with the column `needed` is written. Raises NotReadable."""
    encoding, is_unicode = _encoding_of(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        first, second = text.readline(), ""
        # Excel writes this line for itself where the separator is not the one of its language.
        if first.lower().startswith("sep="):
            second = text.readline()
    finally:
        text.detach()
    head = second or first
    tables = [_names_in(head, separator) for separator in _SEPARATORS]
    best = max(range(len(tables)), key=lambda at: (needed in map(_field_name, tables[at]), len(tables[at])))
    names = tables[best]
    if needed not in names and head.lstrip('"').startswith(_MISREAD_MARK):
        raise NotReadable(
            "It was opened as Windows-1252 and saved again, which garbled its letters. Open the original as UTF-8, "
            "save it as CSV UTF-8, and import that."
        )
    names = list(map(_field_name, names))
    if doubled := next((name for name in DOCUMENTED_FIELDS if names.count(name) > 1), ""):
        raise NotReadable(f"Two of its columns are called {doubled}, but for capitals and blanks. Remove one of them.")
    return Table(encoding, is_unicode, _SEPARATORS[best], tuple(names), 1 if second else 0)


def _field_name(name: str) -> str:
    """The documented field that a column is called after, in whatever capitals and with whatever signs between."""
    return name if name in DOCUMENTED_FIELDS else _FIELDS.get(_letters(name), name)


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


# "Name" is a customer's in most files, and the kind of call in a report.
_FIELDS = {_letters(name): name for name in DOCUMENTED_FIELDS if name != "name"}


def rows_of(file: io.BufferedReader, table: Table) -> Iterator[TableRow]:
    """Every row of a seekable file but its names and empty ones, in order. Raises NotReadable."""
    csv.field_size_limit(LONGEST_CELL)
    file.seek(0)
    text = io.TextIOWrapper(file, table.encoding, newline="")
    lines = _Lines(text)
    for _ in range(table.lines_before):
        next(lines)
    rows = csv.reader(lines, delimiter=table.separator)
    try:
        next(rows, None)
        ended_on = lines.taken
        for cells in rows:
            line, ended_on = ended_on + 1, lines.taken
            if any(map(str.strip, cells)):
                yield _row(line, cells, table.names, is_cut=lines.are_over)
    except (csv.Error, UnicodeError) as problem:
        raise NotReadable(f"It cannot be read as CSV: {problem}.") from problem
    finally:
        text.detach()


def _row(line: int, cells: Sequence[str], names: Sequence[str], *, is_cut: bool) -> TableRow:
    # In the middle of a quoted cell a file ends only where it was cut off.
    if is_cut or len(cells) < len(names):
        return TableRow(line, {}, _CUT_OFF)
    if any(cells[len(names) :]):
        return TableRow(line, {}, _SHIFTED)
    return TableRow(line, dict(zip(names, cells, strict=False)))


class _Lines:
    """Lines of a text, counted. `are_over` once a reader has asked for one more than there are."""

    def __init__(self, text: Iterable[str]) -> None:
        self._lines = iter(text)
        self.taken = 0
        self.are_over = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._lines)
        except StopIteration:
            self.are_over = True
            raise
        self.taken += 1
        return line


def _names_in(head: str, separator: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([head], delimiter=separator), [])]
    except csv.Error:
        return []


def _encoding_of(file: io.BufferedReader) -> tuple[str, bool]:
    file.seek(0)
    first = file.read(4)
    if first in _WORKBOOKS:
        raise NotReadable(
            "It is a workbook of a spreadsheet, or packed, and cannot be read as CSV. Open it, save it as CSV UTF-8, "
            "and import that."
        )
    if first.startswith(_UTF_16):
        return "utf-16", True
    if _can_decode(file, "utf-8"):
        has_mark = first.startswith(codecs.BOM_UTF8)
        return "utf-8-sig", has_mark or not all(map(bytes.isascii, _pieces(file)))
    odd = bytes({byte for piece in _pieces(file) for byte in piece if byte > 0x7F})
    read = {_decoded(odd, page) for page in _WINDOWS}
    if len(read) == 1 and None not in read:
        return _WINDOWS[0], False
    raise NotReadable(
        "It cannot be read as CSV: it is not UTF-8, and which letters its bytes stand for is not certain. Open it in "
        "the spreadsheet and save it as CSV UTF-8."
    )


def _can_decode(file: io.BufferedReader, encoding: str) -> bool:
    decode: Callable[..., str] = codecs.getincrementaldecoder(encoding)().decode
    try:
        for piece in _pieces(file):
            decode(piece)
        decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _pieces(file: io.BufferedReader) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_PIECE):
        yield piece


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None
