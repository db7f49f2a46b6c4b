"""A call as programs and files get it: its row, its whole data, and neither with a number that is not to be seen.

Pure: knows no request and no file. What the fields mean stands beside their names, for /openapi.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dashboard.callkaro.report import DOCUMENTED_FIELDS, JSON, as_text, read_json
from dashboard.calls import shown_sid
from dashboard.figures import stage_of
from dashboard.masking import Mask, masked, numbers_under_keys
from dashboard.phone_numbers import DEFAULT_REGION
from dashboard.render import mask_of, masked_row, utc
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
    "person": ("string?", "The number in E.164, or the address; null for anonymous callers and where it is masked."),
    "disposition": ("string", "The beginning of the outcome's text."),
    "recording": ("string?", "kept, waiting, failed or expired; null where there is none."),
}
"""Every field of a call in a list: its JSON type (? for "or null") and what it means."""
CSV_COLUMNS = ("id", "at", "received_at", "stage", *DOCUMENTED_FIELDS)

ENDS = ("from", "to")
"""The fields that are numbers and nothing else."""


def summary_of(told: ToldCall, *, sees_numbers: bool, region: str = DEFAULT_REGION) -> dict[str, JSON]:
    """The call without its data; fields as in SUMMARY."""
    row = told.row if sees_numbers else masked_row(told.row, region)
    call_sid = shown_sid(told.call_sid)
    return {
        "id": row.id,
        "seq": row.seq,
        "call_sid": call_sid if sees_numbers else mask_of(told.row, region)(call_sid),
        "try_count": row.try_count,
        "at": utc(row.at),
        "received_at": utc(row.received_at),
        "type": row.type,
        "campaign": row.campaign,
        "agent": row.agent,
        "version": row.version,
        "stage": stage_of(told.row.facts),
        "reason": row.reason,
        "duration_seconds": row.duration_seconds,
        "converted": row.converted,
        "customer_name": row.customer_name,
        "customer_number": row.customer_number,
        "person": row.person or None,
        "disposition": row.disposition,
        "recording": row.recording_state,
    }


def whole_of(told: ToldCall, *, sees_numbers: bool, region: str = DEFAULT_REGION) -> dict[str, JSON]:
    """The call with `data`: all that its reports said, merged, under the platform's own names."""
    data = data_of(told, sees_numbers=sees_numbers, region=region)
    return summary_of(told, sees_numbers=sees_numbers, region=region) | {"data": data}


def cells_of(told: ToldCall, *, sees_numbers: bool, region: str = DEFAULT_REGION) -> Sequence[object]:
    """The call as a row of CSV_COLUMNS: what is no text stands there as JSON."""
    data = data_of(told, sees_numbers=sees_numbers, region=region)
    row = told.row
    reported = (as_text(data.get(name)) for name in DOCUMENTED_FIELDS)
    return [row.id, utc(row.at), utc(row.received_at), stage_of(row.facts), *reported]


def data_of(told: ToldCall, *, sees_numbers: bool, region: str = DEFAULT_REGION) -> dict[str, JSON]:
    """The data; without the right to see them, its telephone numbers are masked wherever they stand."""
    data: dict[str, JSON] = read_json(told.data)
    return data if sees_numbers else masked_data(data, mask_of_data(data, told.row.numbers, region))


def mask_of_data(data: dict[str, JSON], numbers: Iterable[str], region: str = DEFAULT_REGION) -> Mask:
    """What masks a call: these numbers, those of its two ends, and those under a key such as `phone`."""
    ends = (as_text(data.get(name)) for name in ENDS)
    return Mask([*numbers, *ends, *numbers_under_keys(data)], region=region)


def masked_data(data: dict[str, JSON], mask: Mask) -> dict[str, JSON]:
    """A call's data with its numbers masked, in every key and value; each end is masked as a whole."""
    shown: dict[str, JSON] = mask.value(data)
    return shown | {name: masked(as_text(data[name])) for name in ENDS if name in data}
