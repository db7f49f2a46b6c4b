"""Files of calls: reports as they were sent, what `ck calls list --json` and `ck calls export` write, our own exports.

All that CallKaro's export holds is not documented, and nothing is guessed: a field is taken under the name by which the
webhook sends it, and a call without a `callSid` is left out, because nothing tells it from those known. A CSV file may
have gone through a spreadsheet: a row that was damaged there is left out and says why.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dashboard.callkaro.damage import MASKED, Columns, has_masks
from dashboard.callkaro.dates import TimeColumn
from dashboard.callkaro.import_row import (
    IDENTITY,
    OF_RECORDING,
    SID,
    TIME,
    TRY,
    UTC,
    Source,
    Taken,
    from_text,
    parsed,
    problems_of_json,
    take_row,
    unguarded,
    with_time,
)
from dashboard.callkaro.report import (
    DOCUMENTED_FIELDS,
    JSON,
    CallReport,
    Report,
    as_text,
    as_try,
    read_report,
    read_time,
)
from dashboard.callkaro.table_file import NotReadable, TableRow, look_at, rows_of

NO_SID = "it has no callSid"

# The largest body that a webhook may have.
_LARGEST_OBJECT = 2 * 2**20
_BOM = b"\xef\xbb\xbf"
# The webhook has an id under these, an export an object with a name: a name is no id.
_IDS = ("agent", "versionId")
# Of our own exports, beside the documented fields.
_OUR_SID, _OUR_MOMENT, _OUR_ID = "call_sid", "at", "id"
_OUR_COLUMNS = frozenset({"id", "at", "received_at", "stage"})
_KNOWN_COLUMNS = frozenset({"", *DOCUMENTED_FIELDS, *(f"recording.{name}" for name in OF_RECORDING)})
_LONGEST_ID = 15


class Record(NamedTuple):
    """One call of a file, where it is there, and its content as one of `body`, `data` and `cells`."""

    place: str
    problem: str = ""
    """why it is left out, whatever the board knows"""
    body: bytes = b""
    """a report as it was sent"""
    data: dict[str, JSON] | None = None
    """a call of a JSON file, or what `body` says"""
    cells: Mapping[str, str] | None = None
    """a row of a CSV file"""
    is_ours: bool = False
    """whether our own export, or any CSV file, has it: what says nothing new is then not stored"""
    at: str = ""
    """of our own: the moment that the board had for the call"""
    id: int | None = None
    """of our own: the number that the board gave the call"""

    @property
    def identity(self) -> CallReport:
        """Which call it is: a report of what tells a call and its try, and of nothing else."""
        return CallReport.model_validate({name: self._text(name) for name in (*IDENTITY, "name")})

    @property
    def sid(self) -> str:
        return self._text(SID).strip()

    @property
    def lacks_try(self) -> bool:
        """Whether it does not say which try it is. A report as it was sent speaks of the first one then."""
        return not self.body and as_try(self._text(TRY)) is None

    def _text(self, name: str) -> str:
        if self.cells is not None:
            return unguarded(self.cells.get(name) or "")
        return as_text((self.data or {}).get(name))


def records_of(file: io.BufferedReader, order: str = "", zone: ZoneInfo = UTC) -> tuple[Source, Iterator[Record]]:
    """The calls of a file: JSON lines, one JSON object over many lines, a JSON list, or CSV with a line of names.

    A file is read more than once, so it must be one that can be taken back to its beginning.
    `order` is what the operator says of dates that may have the day or the month first, `zone` is the zone of the
    platform's times. Raises NotReadable, also while the records are read.
    """
    first = file.peek().removeprefix(_BOM).lstrip()
    if first and not first.startswith((b"[", b"{")):
        return _rows(file, order, zone)
    calls = _calls_of(_list_in(file)) if first.startswith(b"[") else partial(_calls_in, file)
    return Source(TimeColumn(order), Columns(is_unicode=True), zone, unclear=_unclear(calls)), calls()


def _unclear(records: Callable[[], Iterator[Record]]) -> frozenset[str]:
    """The callSids of several records that differ, one of which does not say which try it is.

    They may be tries of one call, and the board would take the later ones for changes of the first.
    """
    lacking = {each.sid for each in records() if each.lacks_try} - {""}
    contents: dict[str, int] = {}
    unclear = set[str]()
    for each in records() if lacking else ():
        if not each.body and each.sid in lacking:
            content = hash(repr(each.cells or each.data))
            if contents.setdefault(each.sid, content) != content:
                unclear.add(each.sid)
    return frozenset(unclear)


def take(record: Record, known: Mapping[str, JSON] | None, source: Source) -> Taken:
    """A record as a report. `known` is what the board has of that call, None where it has none."""
    if record.problem:
        return Taken(problems=(record.problem,))
    if record.body:
        return _take_report(record, known, source)
    if not record.identity.call_sid and known is None:
        return Taken(problems=(NO_SID,))
    if record.cells is not None:
        return take_row(record.cells, known, source, record.at)
    data = record.data or {}
    if record.is_ours:
        data = {name: each for name, each in data.items() if name in IDENTITY or not known or known.get(name) != each}
        if has_masks(json.dumps(data, ensure_ascii=False)):
            return Taken(problems=(MASKED,))
    elif problems := problems_of_json(data, known):
        return Taken(problems=problems)
    return with_time(data, known, source, record.at)


# JSON


def _calls_of(listed: list[JSON]) -> Callable[[], Iterator[Record]]:
    return lambda: (_listed(f"call {number}", each) for number, each in enumerate(listed, 1))


def _calls_in(file: io.BufferedReader) -> Iterator[Record]:
    file.seek(0)
    return (_of_line(f"line {number}", line.strip()) for number, line in _lines(file) if line.strip())


def _lines(file: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    """The file's lines; the whole of it as one where only that is an object: a report indented for reading."""
    first = file.readline()
    lines = [first]
    if not isinstance(parsed(first.decode("utf-8-sig", "replace")), dict):
        beginning = first + file.read(_LARGEST_OBJECT) + file.readline()
        is_one = isinstance(parsed(beginning.decode("utf-8-sig", "replace")), dict)
        lines = [beginning] if is_one else beginning.split(b"\n")
    yield from enumerate(chain(lines, file), 1)


def _of_line(place: str, line: bytes) -> Record:
    """A report as it was sent, byte for byte; a call of CallKaro's list; or a line of our own `/calls.jsonl`."""
    if b'"callSid"' not in line and b'"call_sid"' not in line:
        return _report(place, line)
    record = parsed(line.decode("utf-8-sig", "replace"))
    # By its own keys alone: what a call's variables are called, such as "event", is the operator's.
    if not isinstance(record, dict) or "event" in record:
        return _report(place, line)
    if _OUR_SID in record and isinstance(record.get("data"), dict):
        data: dict[str, JSON] = record["data"]
        data.setdefault(TRY, record.get(TRY))
        return Record(place, data=data, is_ours=True, **_ours(record))
    return _listed(place, record) if SID in record else _report(place, line)


def _listed(place: str, record: JSON) -> Record:
    if not isinstance(record, dict):
        return Record(place, problem=NO_SID)
    if "event" in record:
        return _report(place, json.dumps(record, ensure_ascii=False).encode())
    data = {name: value for name in DOCUMENTED_FIELDS if (value := _value(record, name)) not in (None, "", [], {})}
    return Record(place, data=data)


def _list_in(file: io.BufferedReader) -> list[JSON]:
    try:
        found = json.loads(file.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as problem:
        raise NotReadable(f"It begins like a JSON list, but cannot be read as one: {problem}.") from problem
    assert isinstance(found, list), "it begins with a bracket"
    return found


def _value(record: Mapping[str, JSON], name: str) -> JSON:
    value = record.get(name)
    if name in _IDS and isinstance(value, dict):
        return None
    if name in OF_RECORDING and not value:
        inner = record.get("recording")
        return inner.get(name) if isinstance(inner, dict) else None
    # Such an export may have everything as text.
    return from_text(name, value) if isinstance(value, str) else value


def _report(place: str, body: bytes) -> Record:
    reading = read_report(body)
    return Record(place, body=body, data=reading.data if isinstance(reading, Report) else None)


def _take_report(record: Record, known: Mapping[str, JSON] | None, source: Source) -> Taken:
    """A report as it was sent, byte for byte unless its time must be written otherwise: its bytes tell a repeat."""
    if problems := problems_of_json(record.data or {}, known, is_sent=True):
        return Taken(problems=problems)
    time = as_text((record.data or {}).get(TIME))
    if record.data is None or not time or read_time(time, UTC) or (known and as_text(known.get(TIME)) == time):
        return Taken(record.data, record.body)
    return with_time(record.data, known, source)


# CSV


def _rows(file: io.BufferedReader, order: str, zone: ZoneInfo) -> tuple[Source, Iterator[Record]]:
    table = look_at(file, SID)
    if SID not in table.names:
        raise NotReadable(
            f"It is neither JSON nor CSV with a column {SID}: without it no call can be told from those that the "
            f"board has. Fetch it again with that field, such as `ck calls export --fields {SID},try_count,…`, "
            "or take `ck calls list --json` if that has it."
        )
    is_ours = _OUR_COLUMNS.issubset(table.names)
    columns = _KNOWN_COLUMNS | _OUR_COLUMNS if is_ours else _KNOWN_COLUMNS
    strange = tuple(name for name in table.names if name not in columns)
    source = Source(TimeColumn(order), Columns(table.is_unicode), zone, strange)
    for row in rows_of(file, table):
        source.columns.show(row.cells)
        source.times.show(unguarded(row.cells.get(TIME) or ""))

    def calls() -> Iterator[Record]:
        return (_record_of(row, is_ours=is_ours) for row in rows_of(file, table))

    return source._replace(unclear=_unclear(calls)), calls()


def _record_of(row: TableRow, *, is_ours: bool) -> Record:
    # Of any CSV file: whatever program wrote it, a row says of a known call only what was changed in it.
    return Record(
        f"line {row.line}", row.problem, cells=row.cells, is_ours=True, **(_ours(row.cells) if is_ours else {})
    )


def _ours(record: Mapping[str, JSON]) -> dict[str, Any]:
    number = as_text(record.get(_OUR_ID))
    is_number = number.isdecimal() and number.isascii() and len(number) <= _LONGEST_ID
    return {"at": as_text(record.get(_OUR_MOMENT)), "id": int(number) if is_number else None}
