"""Bytes from the platform to a report: the first step of the flow. Pure, never raises, knows nothing of storage.

What is odd inside a report is kept as it came; only what is no report at all is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from datetime import UTC, datetime, timedelta
from json.decoder import JSONArray, JSONObject  # type: ignore[attr-defined]
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

EVENT = "call_ended"
DEEPEST = 100
LONGEST_KEY = 200
LONGEST_CALL_SECONDS = 7 * 24 * 3600
LARGEST_TRY = 1_000_000
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
# The platform's clock and ours may differ a little, and durations are rounded.
_CLOCKS_APART = timedelta(minutes=5)
_BOM = b"\xef\xbb\xbf"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# How an unstorable character can stand in a body but for the raw NUL: as an escape of NUL or of a surrogate.
_ESCAPED_UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_CONTAINERS = frozenset({dict, list})
# Of objects, lists and keys. With more, text is read in pieces: in one, half a million kept every other thread waiting
# for a tenth of a second.
_MANY = 100_000
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?")

JSON = Any


def as_text(value: JSON) -> str:
    """Any value as the text to show for it; what is absent or empty is ""."""
    if isinstance(value, str):
        return value.strip()
    if value is None or value == [] or value == {}:
        return ""
    return json.dumps(value, ensure_ascii=False)


def as_key(value: JSON) -> str:
    """Text short enough for a database index and a URL; the tail of a longer one gives way to its hash.

    PostgreSQL refuses index entries over 2.7 kB, so a megabyte in `callSid` would otherwise poison the write.
    """
    text = value.strip() if isinstance(value, str) else as_text(value)
    if len(text) <= LONGEST_KEY:
        return text
    return f"{text[:100]}…{hashlib.sha256(text.encode()).hexdigest()}"


def as_number(value: JSON) -> float | None:
    """A number, or text that is one ("120"); a boolean is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e18 else None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None


def as_seconds(value: JSON) -> int | None:
    """Whole seconds, halves rounded up; negative or longer than a week is no duration."""
    number = as_number(value)
    if number is None or not 0 <= number <= LONGEST_CALL_SECONDS:
        return None
    return math.floor(number + 0.5)


def as_try(value: JSON) -> int | None:
    number = as_number(value)
    if number is None or number != int(number) or not -1 <= number <= LARGEST_TRY:
        return None
    return int(number)


def as_flag(value: JSON) -> bool | None:
    """true and false, also as the texts and numbers that other systems write for them."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return words.get(as_text(value).lower())


def as_object(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def as_list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []


Key = Annotated[str, BeforeValidator(as_key)]
Text = Annotated[str, BeforeValidator(as_text)]


class CallReport(BaseModel):
    """The 21 documented fields of `data`, read leniently: a wrong type gives the empty value, never an error.

    Built from one report, or from the merged data of several: both read alike.
    """

    model_config = ConfigDict(extra="ignore")

    call_sid: Key = Field("", alias="callSid")
    type: Key = Field("", alias="name")
    agent: Key = ""
    version: Key = Field("", alias="versionId")
    from_number: Key = Field("", alias="from")
    to_number: Key = Field("", alias="to")
    recording_url: Text = Field("", alias="recordingUrl")
    duration_seconds: Annotated[int | None, BeforeValidator(as_seconds)] = Field(None, alias="call_duration")
    time: Text = ""
    transcription: Text = ""
    campaign: Key = Field("", alias="batchId")
    reason: Key = Field("", alias="hangup_reason")
    metadata: Annotated[dict[str, JSON], BeforeValidator(as_object)] = Field({}, alias="call_metadata")
    try_count: Annotated[int | None, BeforeValidator(as_try)] = None
    post_call: Annotated[dict[str, JSON], BeforeValidator(as_object)] = {}
    post_call_detail: Annotated[dict[str, JSON], BeforeValidator(as_object)] = {}
    functions_called: Annotated[list[JSON], BeforeValidator(as_list)] = []
    disposition: Text = Field("", alias="disposition_reason")
    converted: Annotated[bool | None, BeforeValidator(as_flag)] = Field(None, alias="conversion_status")
    next_call_scheduled: Annotated[bool | None, BeforeValidator(as_flag)] = None
    call_link: Text = ""

    def started_at(self, zone: ZoneInfo, received_at: datetime | None = None) -> datetime | None:
        """The call's time in UTC. The platform sends no zone with it: `zone` says whose clock it was.

        The clock shows an hour twice when summer time ends. A report comes after its call has ended, so `received_at`
        tells which of the two a call was in; without it, the first.
        """
        if received_at is None:
            return read_time(self.time, zone)
        return read_time(self.time, zone, received_at - timedelta(seconds=self.duration_seconds or 0) + _CLOCKS_APART)


# The documented fields of `data`, in the platform's order: everything else in a report is "unknown", and kept.
DOCUMENTED_FIELDS = tuple(field.alias or name for name, field in CallReport.model_fields.items())
# Those of them that are JSON numbers, and those that are true or false.
NUMBERS, FLAGS = ("call_duration", "try_count"), ("conversion_status", "next_call_scheduled")


class Report(NamedTuple):
    """A readable `call_ended`: `data` is clean JSON (no NUL, no lone surrogate, no NaN), all fields kept."""

    data: dict[str, JSON]


class Ignored(NamedTuple):
    """An event that is not ours, such as a WhatsApp message."""

    event: str


class Unreadable(NamedTuple):
    """No report at all; `problem` says what is wrong and where."""

    problem: str


def read_report(body: bytes) -> Report | Ignored | Unreadable:
    """Tell what a webhook's body is. Any bytes at all give an answer."""
    try:
        text = body.removeprefix(_BOM).decode()
    except UnicodeDecodeError as problem:
        return Unreadable(f"The body is not UTF-8 text: byte {problem.start} cannot be decoded.")
    try:
        document = _clean(read_json(text), body)
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}, column {problem.colno}"
        return Unreadable(f"The body is not JSON: {problem.msg} at {where}." if text else "The body is empty.")
    except RecursionError:
        return Unreadable(f"The body nests deeper than {DEEPEST} levels.")
    if not isinstance(document, dict):
        return Unreadable(f"The body must be a JSON object, not {_kind(document)}.")
    event, data = document.get("event"), document.get("data")
    if event == EVENT:
        if isinstance(data, dict):
            return Report(data)
        return Unreadable(f"`data` must be an object, not {_kind(data)}.")
    if event in (None, "") and not isinstance(data, dict):
        return Unreadable("The body has neither an `event` nor a `data` object.")
    return Ignored(as_key(event))


def read_json(text: str) -> JSON:
    """The value that JSON text stands for; what Python could not hold or a database not store is kept as its text.

    Raises json.JSONDecodeError, and RecursionError for what nests too deep.
    """
    has_many = len(text) > _MANY and text.count("{") + text.count("[") + text.count('":') > _MANY
    return (_IN_PIECES if has_many else _DECODER).decode(text)


def read_time(text: str, zone: ZoneInfo, latest: datetime | None = None) -> datetime | None:
    """A timestamp in UTC; without an offset of its own it is read in `zone`. None if it is no plausible time.

    The clock of `zone` shows an hour twice when summer time ends: it is the second where that is not after `latest`.
    An hour that the clock leaves out in spring is read as if it had not been changed yet.
    """
    try:
        moment = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return None
    try:
        if moment.tzinfo is None:
            moment = _at(moment, zone, latest)
        moment = moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return moment if _EARLIEST <= moment < _LATEST else None


def _at(clock: datetime, zone: ZoneInfo, latest: datetime | None) -> datetime:
    """What the clock of `zone` showed, as a moment."""
    first = clock.replace(tzinfo=zone)
    second = first.replace(fold=1)
    # To Python two moments of one zone differ by their clocks alone, so all are compared in UTC.
    is_shown_twice = latest is not None and second.astimezone(UTC) > first.astimezone(UTC)
    return second if is_shown_twice and latest is not None and second.astimezone(UTC) <= latest else first


def _read_int(digits: str) -> int | str:
    # Python refuses to convert more than 4,300 digits, and no database column holds more than 19: kept as text.
    return int(digits) if len(digits) <= 18 else digits


def _read_float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _read_constant(name: str) -> str:
    # Not `str` itself: at a function in Python other threads have their turn, in the midst of a long list of these too.
    return name


# NaN, Infinity and 1e999 are not JSON, but senders written in Python send them: kept as the text that came.
_DECODER = json.JSONDecoder(strict=False, parse_int=_read_int, parse_float=_read_float, parse_constant=_read_constant)


def _scan(text: str, at: int) -> Any:
    match text[at : at + 1]:
        case "{":
            return JSONObject((text, at + 1), False, _scan, None, None)
        case "[":
            return JSONArray((text, at + 1), _scan)
    return _DECODER.scan_once(text, at)  # type: ignore[attr-defined]


# Reads the same, as deep as is taken, but goes through objects and lists in Python: between two steps other threads
# have their turn.
_IN_PIECES = json.JSONDecoder()
_IN_PIECES.scan_once = _scan  # type: ignore[attr-defined]


def _clean(document: JSON, body: bytes) -> JSON:
    """The document without what no database stores; walked only where the body gives reason. Raises RecursionError."""
    if body.count(b"{") + body.count(b"[") > DEEPEST:
        _refuse_depth(document)
    # Plain searches first: the expression alone took longer than reading the JSON.
    may_be_unstorable = b"\x00" in body or (b"\\u" in body and _ESCAPED_UNSTORABLE.search(body))
    return storable(document) if may_be_unstorable else document


def _refuse_depth(document: JSON) -> None:
    # Level by level: half a million empty lists must not cost half a million calls.
    level = [document]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if type(outer) in _CONTAINERS
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
    if level:
        raise RecursionError


def storable(value: JSON) -> JSON:
    """The value with NUL and lone surrogates replaced, in keys too: no database stores them, no page shows them."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {storable(key): storable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [storable(each) if isinstance(each, str | dict | list) else each for each in value]
    return value


def _kind(value: JSON) -> str:
    names = {type(None): "null", bool: "a boolean", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")
