"""A call as programs and files get it: its row, its whole data, and neither with a number that is not to be seen.

Pure: knows no request and no file. What the fields mean stands beside their names, for /openapi.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import from_json

from dashboard.callkaro.report import DOCUMENTED_FIELDS, JSON, as_text
from dashboard.calls import shown_sid
from dashboard.figures import stage_of
from dashboard.masking import Mask, as_it_is, masked
from dashboard.render import utc
from dashboard.store.calls import ToldCall

SUMMARY = {
    "id": ("integer", "The board's number of the call; it never changes."),
    "seq": ("integer", "Goes up with every change of the call; see after_seq."),
    "call_sid": (
        "string",
        "CallKaro's id of the call, empty where it sent none; whether all tries of a call bear one is not documented.",
    ),
    "try_count": ("integer", "-1 inbound, 0 the first attempt, 1 the first retry."),
    "at": ("string", "When it began, UTC; when its first report came, where no time was reported."),
    "received_at": ("string", "When its first report came, UTC."),
    "type": ("string", "outbound, inbound, outbound-test, …"),
    "campaign": ("string", "CallKaro's batchId."),
    "agent": ("string", "The agent's id."),
    "version": ("string", "The id of the agent's version."),
    "stage": ("string", "converted, voicemail, connected, not-dialled or not-connected: the first that applies."),
    "reason": ("string", "The hang-up reason."),
    "duration_seconds": ("integer?", "Whole seconds."),
    "converted": ("boolean?", "Whether the goal was reached; null where it was not reported."),
    "customer_name": ("string", "The name in the campaign's file."),
    "customer_number": ("string", "Masked, unless the role sees numbers."),
    "disposition": ("string", "The beginning of the outcome's text."),
    "recording": ("string?", "kept, waiting, failed or expired; null where there is none."),
}
"""Every field of a call in a list: its JSON type (? for "or null") and what it means."""
CSV_COLUMNS = ("id", "at", "received_at", "stage", *DOCUMENTED_FIELDS)

_NUMBER_KEYS = re.compile(r"phone|mobile|whatsapp|msisdn|contact", re.IGNORECASE)
# Shorter ones are no telephone's, and would be found in every price and date.
_FEWEST_DIGITS = 7

Hide = Callable[[str], str]


def summary_of(told: ToldCall, *, sees_numbers: bool) -> dict[str, JSON]:
    """The call without its data; fields as in SUMMARY."""
    row = told.row
    hide = _hider(row.customer_number, sees_numbers=sees_numbers)
    return {
        "id": row.id,
        "seq": row.seq,
        "call_sid": hide(shown_sid(told.call_sid)),
        "try_count": row.try_count,
        "at": utc(row.at),
        "received_at": utc(row.received_at),
        "type": hide(row.type),
        "campaign": hide(row.campaign),
        "agent": hide(row.agent),
        "version": hide(row.version),
        "stage": stage_of(row.facts),
        "reason": hide(row.reason),
        "duration_seconds": row.duration_seconds,
        "converted": row.converted,
        "customer_name": hide(row.customer_name),
        "customer_number": row.customer_number if sees_numbers else masked(row.customer_number),
        "disposition": hide(row.disposition),
        "recording": row.recording_state,
    }


def whole_of(told: ToldCall, *, sees_numbers: bool) -> dict[str, JSON]:
    """The call with `data`: all that its reports said, merged, under the platform's own names."""
    return summary_of(told, sees_numbers=sees_numbers) | {"data": data_of(told, sees_numbers=sees_numbers)}


def cells_of(told: ToldCall, *, sees_numbers: bool) -> Sequence[object]:
    """The call as a row of CSV_COLUMNS: what is no text stands there as JSON."""
    data = data_of(told, sees_numbers=sees_numbers)
    row = told.row
    reported = (as_text(data.get(name)) for name in DOCUMENTED_FIELDS)
    return [row.id, utc(row.at), utc(row.received_at), stage_of(row.facts), *reported]


def data_of(told: ToldCall, *, sees_numbers: bool) -> dict[str, JSON]:
    """The data; without the right to see them, its telephone numbers are masked wherever they stand.

    Those are the call's own two, however they are written, and what stands under a key such as `phone`.
    """
    data: dict[str, JSON] = from_json(told.data)
    if sees_numbers:
        return data
    ends = {name: as_text(data.get(name)) for name in ("from", "to")}
    hide = _hider(told.row.customer_number, *ends.values(), sees_numbers=False)
    hidden: dict[str, JSON] = _hidden(data, hide)
    return hidden | {name: masked(number) for name, number in ends.items() if name in data}


def _hider(*numbers: str, sees_numbers: bool) -> Hide:
    """What masks these numbers in a text, however they are written."""
    return as_it_is if sees_numbers else Mask(numbers)


def _hidden(value: Any, hide: Hide, *, is_number: bool = False) -> Any:
    """A JSON value with its numbers masked, in keys too; `is_number` says that its key calls it one."""
    match value:
        case dict():
            return {
                hide(key): _hidden(each, hide, is_number=is_number or bool(_NUMBER_KEYS.search(key)))
                for key, each in value.items()
            }
        case list():
            return [_hidden(each, hide, is_number=is_number) for each in value]
        case bool() | None:
            return value
        case str() | int() | float():
            text = str(value)
            if is_number and sum(map(str.isdecimal, text)) >= _FEWEST_DIGITS:
                return masked(text)
            shown = hide(text)
            return value if shown == text else shown
    return value
