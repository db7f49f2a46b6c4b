"""What a call is: who it is, how a later report changes it, and the facts it is filtered and counted by. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic_core import to_json

from dashboard.callkaro.report import JSON, CallReport, as_key, as_text
from dashboard.callkaro.vocabulary import INBOUND_TRY, is_inbound
from dashboard.masking import ALL_NUMBERS
from dashboard.phone_numbers import DEFAULT_REGION, WIDEST_GAP, is_number, person_key

_NAME_KEYS = ("name", "customer_name", "full_name", "first_name", "lead_name", "customer", "contact_name")
LONGEST_IN_A_ROW = 200
MOST_FORMER = 50
_BY_BYTES = "sha256:"
_HASH_OF_BYTES = re.compile(rf"{_BY_BYTES}[0-9a-f]{{64}}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOBODY = 0
# Of a number in E.164.
_MOST_DIGITS = 15


class Facts(NamedTuple):
    """What filters and figures look at. `at` is microseconds since 1970, UTC; no other part may stand for "none".

    `person` is whom the agent spoke with, as `person_of` tells them apart; NOBODY where the call has no number.
    """

    id: int
    at: int
    campaign: str
    agent: str
    version: str
    type: str
    reason: str
    try_count: int
    duration_seconds: int
    converted: bool
    person: int


def person_of(key: str) -> int:
    """A person's key as 63 bits, for the index: the digits of a telephone number, the hash of any other address.

    NOBODY for "", the key of anonymous callers.
    """
    if is_number(key) and len(key) <= 1 + _MOST_DIGITS:
        return int(f"1{key[1:]}")
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1 if key else NOBODY


def micros(moment: datetime) -> int:
    """A moment as microseconds since 1970, exactly."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def is_empty(value: JSON) -> bool:
    """Empty is absent, null, "", [] and {}; false and 0 are values (decision 3)."""
    return value is None or value == "" or value == [] or value == {}


def merge(before: dict[str, JSON], later: dict[str, JSON]) -> dict[str, JSON]:
    """The data after a later report: a later non-empty value wins, key by key inside objects; nothing is blanked."""
    merged = dict(before)
    for key, value in later.items():
        known = merged.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            merged[key] = merge(known, value)
        elif key not in merged or not is_empty(value):
            merged[key] = value
    return merged


def changes(before: dict[str, JSON], after: dict[str, JSON], path: str = "") -> list[tuple[str, JSON, JSON]]:
    """What differs, as (path, before, after), one line a value: the revision that the call's page shows."""
    found: list[tuple[str, JSON, JSON]] = []
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += changes(old, new, f"{path}{key} › ")
        elif to_json(old) != to_json(new):
            found.append((f"{path}{key}", old, new))
    return found


def call_sid_of(report: CallReport, body: bytes) -> str:
    """The identity of a report's call: the platform's id, or the hash of the report's bytes where it has none.

    The hash stays inside the database: `shown_sid` is what programs get.
    """
    return report.call_sid or f"{_BY_BYTES}{hashlib.sha256(body).hexdigest()}"


def ends_of(data: dict[str, JSON]) -> set[str]:
    """The numbers of a call's two ends, as its columns have them."""
    return {end for name in ("from", "to") if (end := as_key(data.get(name)))}


def former(seen: Iterable[str], data: dict[str, JSON]) -> str:
    """Of the ends that reports of a call have given, those that it has no more: a JSON list, or "".

    A later report may correct a number that the transcript still quotes: it is masked like the present one. More than
    MOST_FORMER of them are one ALL_NUMBERS.
    """
    gone = set(seen)
    if len(gone) > MOST_FORMER or ALL_NUMBERS in gone:
        return to_json([ALL_NUMBERS]).decode()
    gone -= ends_of(data)
    return to_json(sorted(gone)).decode() if gone else ""


def shown_sid(call_sid: str) -> str:
    """The platform's id of a stored call, "" where its reports have none.

    A hash of the whole report follows from the masked digits in it: all candidates can be tried against it.
    """
    return "" if _HASH_OF_BYTES.fullmatch(call_sid) else call_sid


def try_of(report: CallReport, tries_known: list[int]) -> int:
    """Which try a report speaks of. A missing one means the call's only try, else the first (decision 2)."""
    if report.try_count is not None:
        return report.try_count
    if len(tries_known) == 1:
        return tries_known[0]
    return INBOUND_TRY if report.type == "inbound" else 0


def columns_of(
    report: CallReport,
    *,
    try_count: int,
    first_received_at: int,
    source_timezone: ZoneInfo,
    region: str = DEFAULT_REGION,
) -> dict[str, Any]:
    """The call row's columns that follow from its merged data; `rebuild` gives the same again."""
    moment = report.started_at(source_timezone)
    started_at = None if moment is None else micros(moment)
    customer_number = report.from_number if is_inbound(report.type, try_count) else report.to_number
    return {
        "at": first_received_at if started_at is None else started_at,
        "started_at": started_at,
        "type": report.type,
        "agent": report.agent,
        "version": report.version,
        "campaign": report.campaign,
        "reason": report.reason,
        "duration_seconds": report.duration_seconds,
        "converted": report.converted,
        "from_number": report.from_number,
        "to_number": report.to_number,
        "customer_name": beginning(customer_name(report.metadata), LONGEST_IN_A_ROW),
        "customer_number": customer_number,
        "person": person_key(customer_number, region),
        "disposition": beginning(report.disposition, LONGEST_IN_A_ROW),
        "recording_url": report.recording_url,
    }


def customer_name(metadata: dict[str, JSON]) -> str:
    """The name the campaign's file gave the customer, under the keys such files use."""
    if name := as_text(metadata.get("name")):
        return name
    by_key = {key.strip().lower().replace(" ", "_"): value for key, value in metadata.items()}
    return next((as_text(by_key[key]) for key in _NAME_KEYS if as_text(by_key.get(key))), "")


def beginning(text: str, most: int) -> str:
    """The first `most` characters. A number at the cut goes whole: no mask would know what is left of it."""
    if len(text) <= most:
        return text
    # Backwards, letter by letter: an expression would begin anew at every digit of a long run.
    end = at = most
    while at and end - at <= WIDEST_GAP:
        at -= 1
        if text[at].isdecimal():
            end = at
        elif text[at].isalnum():
            break
    return text[:most] if end == most else text[:end].rstrip(" \t\n+().-")
