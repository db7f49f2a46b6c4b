"""Files of calls: reports as they were sent, and what `ck calls list --json` and `ck calls export` write.

All that an export holds is not documented, and nothing is guessed: a field is taken under the name by which the webhook
sends it, and a call without a `callSid` is left out, because nobody could tell it from those known.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping

from dashboard.callkaro.report import DOCUMENTED_FIELDS, EVENT, JSON, as_flag, as_number, as_text, storable

SID = "callSid"
_LONGEST_CELL = 2**24
# The largest body that a webhook may have.
_LARGEST_OBJECT = 2 * 2**20
_BOM = b"\xef\xbb\xbf"
# The webhook has an id under these, an export an object with a name: a name is no id.
_IDS = ("agent", "versionId")
_NUMBERS, _FLAGS = ("call_duration", "try_count"), ("conversion_status", "next_call_scheduled")
_OBJECTS = ("call_metadata", "post_call", "post_call_detail", "functions_called")
# Where exports keep it in an object of its own.
_OF_RECORDING = ("recordingUrl", "transcription")


class NotReadable(ValueError):
    """A file that holds no calls we could take in; its text says why and what to do."""


def bodies_of(file: io.BufferedReader) -> Iterator[bytes | None]:
    """The reports that a file holds, each as a webhook's body; None for a call without a callSid, or cut off.

    JSON lines, one JSON object over many lines, a JSON list, or CSV with a line of names. Raises NotReadable.
    """
    # Looked at, not read: a pipe cannot be taken back to its beginning.
    first = file.peek().removeprefix(_BOM).lstrip()
    if first.startswith(b"["):
        yield from map(body_of, _listed(file))
    elif first.startswith(b"{") or not first:
        for line in _lines(file):
            if line.strip():
                yield _of_line(line.strip())
    else:
        yield from map(body_of, _rows(file))


def _lines(file: io.BufferedReader) -> Iterator[bytes]:
    """The file's lines; the whole of it as one where only that is an object: a report indented for reading."""
    first = file.readline()
    lines = [first]
    if not isinstance(_parsed(first.decode("utf-8-sig", "replace")), dict):
        beginning = first + file.read(_LARGEST_OBJECT) + file.readline()
        is_one = isinstance(_parsed(beginning.decode("utf-8-sig", "replace")), dict)
        lines = [beginning] if is_one else beginning.split(b"\n")
    yield from lines
    yield from file


def body_of(record: JSON) -> bytes | None:
    """A call of an export as the webhook would have sent it; None where it has no callSid."""
    if not isinstance(record, dict):
        return None
    if "event" in record:
        return json.dumps(record, ensure_ascii=False).encode()
    data = {name: value for name in DOCUMENTED_FIELDS if (value := _value(record, name)) not in (None, "", [], {})}
    if not as_text(data.get(SID)):
        return None
    return json.dumps(storable({"event": EVENT, "data": data}), ensure_ascii=False).encode()


def _value(record: Mapping[str, JSON], name: str) -> JSON:
    value = record.get(name)
    if name in _IDS:
        return None if isinstance(value, dict) else value
    if name in _OF_RECORDING and not value:
        inner = record.get("recording")
        return inner.get(name) if isinstance(inner, dict) else record.get(f"recording.{name}")
    if not isinstance(value, str):
        return value
    # CSV knows text alone. What says the same as the report must be the same, or each import would change each call.
    if name in _NUMBERS:
        number = as_number(value)
        return int(number) if number is not None and number == int(number) else number
    if name in _FLAGS:
        return as_flag(value)
    return _parsed(value) if name in _OBJECTS else value


def _parsed(text: str) -> JSON:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _of_line(line: bytes) -> bytes | None:
    """A report as it was sent, byte for byte; a call of an export as the webhook would have sent it."""
    if b'"callSid"' not in line:
        return line
    record = _parsed(line.decode("utf-8-sig", "replace"))
    # By its own keys alone: what a call's variables are called, such as "event", is the operator's.
    is_listed = isinstance(record, dict) and SID in record and "event" not in record
    return body_of(record) if is_listed else line


def _listed(file: io.BufferedReader) -> list[JSON]:
    try:
        found = json.loads(file.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as problem:
        raise NotReadable(f"It begins like a JSON list, but cannot be read as one: {problem}.") from problem
    assert isinstance(found, list), "it begins with a bracket"
    return found


def _rows(file: io.BufferedReader) -> Iterator[dict[str, str]]:
    csv.field_size_limit(_LONGEST_CELL)
    try:
        rows = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
        if SID not in (rows.fieldnames or ()):
            raise NotReadable(
                f"It is neither JSON nor CSV with a column {SID}: without it no call can be told from those that the "
                f"board has. Fetch it again with that field, such as `ck calls export --fields {SID},try_count,…`, "
                "or take `ck calls list --json` if that has it."
            )
        for row in rows:
            # One with fewer cells than names was cut off on its way, perhaps in the middle of a cell.
            yield {} if None in row.values() else row
    except (csv.Error, UnicodeDecodeError) as problem:
        raise NotReadable(f"It cannot be read as CSV: {problem}.") from problem
