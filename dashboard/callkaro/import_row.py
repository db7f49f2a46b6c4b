"""One call of an imported file as a report: what its cells say, beside what the board has of that call. Pure.

A row says of a known call only what differs from it. So a cell that came back as it went changes nothing, however its
value was typed in the report, and what is left to check for damage is what somebody or a spreadsheet changed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dashboard.callkaro.damage import (
    CUT,
    LISTS_AND_OBJECTS,
    MASKED,
    TELEPHONES,
    Columns,
    damage_in,
    damage_of_json,
    damage_of_try,
    has_masks,
    is_cut,
    restored,
)
from dashboard.callkaro.dates import SECOND, TimeColumn, is_same_time
from dashboard.callkaro.report import (
    DOCUMENTED_FIELDS,
    EVENT,
    FLAGS,
    JSON,
    NUMBERS,
    as_flag,
    as_number,
    as_text,
    read_time,
    storable,
)
from dashboard.sheets import csv_cell, is_guarded, text_of

SID, TIME, TRY = "callSid", "time", "try_count"
IDENTITY = (SID, TRY)
UTC = ZoneInfo("UTC")
# What exports keep in an object of its own: CSV has a column `recording.transcription`.
OF_RECORDING = ("recordingUrl", "transcription")
_SCIENTIFIC = re.compile(r"-?\d(\.\d+)?e[+-]\d{2,3}")
_REWRITTEN = "it has the digits that the board has, written as a spreadsheet writes a number"
_NOT_JSON = "it begins like JSON and cannot be read as JSON, so it was cut or changed"


class Source(NamedTuple):
    """What is known of a file as a whole: how its times are spelled, and what its columns hold."""

    times: TimeColumn
    columns: Columns
    zone: ZoneInfo = UTC
    """in which its times are read that name none"""
    strange: tuple[str, ...] = ()
    """columns that are no field of a report: nothing is taken from them"""
    unclear: frozenset[str] = frozenset()
    """callSids of several records that differ, one of which does not say which try it is"""


class Taken(NamedTuple):
    """What a record comes to: the data of a report and its body, or why it is left out."""

    data: dict[str, JSON] | None = None
    body: bytes = b""
    problems: tuple[str, ...] = ()
    is_coarse: bool = False
    """whether its time has no seconds"""


def take_row(cells: Mapping[str, str], known: Mapping[str, JSON] | None, source: Source, at: str = "") -> Taken:
    """A row of a CSV file as a report. `known` is the data that the board has of its call, None where it has none."""
    data: dict[str, JSON] = {}
    problems: list[str] = []
    for name in DOCUMENTED_FIELDS:
        cell = cells.get(name) or (cells.get(f"recording.{name}") if name in OF_RECORDING else "") or ""
        before = (known or {}).get(name)
        is_same = known is not None and says_the_same(name, unguarded(cell), before)
        if not cell.strip() or (is_same and name not in IDENTITY):
            continue
        problem = "" if is_same else _damage_in(name, cell, before, source.columns)
        value = _value(name, cell)
        if value is None and name in LISTS_AND_OBJECTS and cell.lstrip().startswith(("{", "[")):
            problem = problem or _NOT_JSON
        if problem:
            problems.append(f"{name}: {problem}")
        elif value is not None:
            data[name] = value
    if problems:
        return Taken(problems=tuple(problems))
    return with_time(data, known, source, at)


def problems_of_json(
    data: Mapping[str, JSON], known: Mapping[str, JSON] | None, *, is_sent: bool = False
) -> tuple[str, ...]:
    """What is damaged in a call of a JSON file, by name. What the board has as it is here is not asked about."""
    names = (*TELEPHONES, *NUMBERS) if is_sent else DOCUMENTED_FIELDS
    found = (
        (name, damage_of_json(name, data[name], is_sent=is_sent))
        for name in names
        if (text := as_text(data.get(name))) and not (known and says_the_same(name, text, known.get(name)))
    )
    return tuple(f"{name}: {problem}" for name, problem in found if problem)


def with_time(data: Mapping[str, JSON], known: Mapping[str, JSON] | None, source: Source, at: str = "") -> Taken:
    """A report of `data`, with a time that the board reads: it would place a call whose time it cannot read at now.

    `at` is the moment that our own export gives for the call: an unknown call without a time gets it.
    """
    data = dict(data)
    time, before = as_text(data.get(TIME)), as_text((known or {}).get(TIME))
    precision = SECOND
    if time and time != before:
        read = source.times.read(time)
        if read.problem:
            return Taken(problems=(f"{TIME}: {read.problem}",))
        precision = read.precision
        if is_same_time(read.text, before, precision):
            # The board's own spelling stays, and its seconds, which a spreadsheet hides and loses.
            del data[TIME]
        elif read.text != time:
            data[TIME] = time = read.text
    if known is None and (moment := read_time(at, UTC)):
        if not time:
            data[TIME] = at
        elif _is_of_repeated_hour(time, moment, source.zone):
            data[TIME] = moment.astimezone(source.zone).isoformat(" ")
    return Taken(data, body_of(data), is_coarse=precision != SECOND)


def _is_of_repeated_hour(time: str, moment: datetime, zone: ZoneInfo) -> bool:
    """Whether a call at `moment` was in one of the two hours that the clock of `zone` shows alike.

    When an imported report arrives says nothing of which, so its time is written with an offset.
    """
    first, second = read_time(time, zone), read_time(time, zone, moment + timedelta(hours=12))
    return first != second and moment in {each and each.replace(microsecond=0) for each in (first, second)}


def body_of(data: Mapping[str, JSON]) -> bytes:
    """The report that the webhook would have sent of a call."""
    return json.dumps(storable({"event": EVENT, "data": dict(data)}), ensure_ascii=False).encode()


def unguarded(cell: str) -> str:
    """The text of a cell, without the apostrophe that keeps it text in a spreadsheet."""
    return text_of(cell) if is_guarded(cell) else cell


def from_text(name: str, text: str) -> JSON:
    """A field's value where the file has text alone: what says the same as the report must be the same value.

    None where a list or an object cannot be read.
    """
    if name in NUMBERS:
        number = _number_of(text)
        return text if number is None else int(number) if number == int(number) else number
    if name in FLAGS:
        flag = as_flag(text)
        return text if flag is None else flag
    if name in LISTS_AND_OBJECTS:
        value = parsed(text)
        return value if isinstance(value, list | dict) else None
    return text


def says_the_same(name: str, text: str, known: JSON) -> bool:
    """Whether a cell has the value that the board has, as far as a CSV file can hold it."""
    if isinstance(known, bool):
        return as_flag(text) is known
    if name in NUMBERS and isinstance(known, int | float):
        return _number_of(text) == known
    return _comparable(text) == _comparable(as_text(known))


def _number_of(text: str) -> float | None:
    """The number of a cell; our exports write very large and small ones as 1e+16."""
    return float(text) if _SCIENTIFIC.fullmatch(text) else as_number(text)


def parsed(text: str) -> JSON:
    """The value of JSON text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _value(name: str, cell: str) -> JSON:
    text = unguarded(cell)
    # A number of ours has an apostrophe where it is negative or too long; text has one wherever it looks like a number.
    is_text = is_guarded(cell) and not (name in NUMBERS and (text.startswith("-") or _SCIENTIFIC.fullmatch(text)))
    if is_text and name not in LISTS_AND_OBJECTS:
        return text
    return from_text(name, restored(name, text))


def _damage_in(name: str, cell: str, before: JSON, columns: Columns) -> str:
    if is_guarded(cell):
        if name == TRY:
            return damage_of_try(unguarded(cell))
        # A spreadsheet keeps such text as it is, but no longer than a cell can be. Exports mask before they guard.
        return CUT if is_cut(cell) else MASKED if has_masks(unguarded(cell)) else ""
    text, known = restored(name, cell).strip(), as_text(before)
    if text == known:
        return ""
    if _is_text(name) and _is_rewritten(text, known):
        return _REWRITTEN
    return damage_in(name, text, columns)


def _is_text(name: str) -> bool:
    return name not in (TIME, *NUMBERS, *FLAGS, *LISTS_AND_OBJECTS)


def _is_rewritten(text: str, known: str) -> bool:
    """Whether a cell is what a spreadsheet makes of the known text: 42 of 0042, 1234 of 1,234, 50.00% of 50%."""
    digits = _significant(known)
    return bool(digits) and digits == _significant(text) and is_guarded(csv_cell(known)) and is_guarded(csv_cell(text))


def _significant(text: str) -> str:
    return "".join(filter(str.isdecimal, text)).strip("0")


def _comparable(text: str) -> str:
    """Without what spreadsheets change in text: its ends of lines, its control characters, blanks around it."""
    lines = re.sub(r"\r\n?", "\n", text)
    return "".join(each for each in lines if each in "\n\t" or unicodedata.category(each) != "Cc").strip()
