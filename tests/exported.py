"""Calls as our own exports write them, without a server."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.callkaro.export import records_of, take
from dashboard.callkaro.import_row import UTC, Taken
from dashboard.database import Database
from dashboard.sheets import BOM, csv_row
from dashboard.store.calls import CallRow, ToldCall, told_by_id
from dashboard.told import CSV_COLUMNS, cells_of, whole_of
from tests.stored import column

ROW: dict[str, Any] = {
    "id": 1,
    "seq": 2,
    "created_seq": 2,
    "at": 1_766_139_067_000_000,
    "received_at": 1_766_139_100_000_000,
    "campaign": "north",
    "agent": "a",
    "version": "v",
    "type": "outbound",
    "reason": "CLIENT_INITIATED",
    "try_count": 0,
    "duration_seconds": 120,
    "converted": True,
    "customer_name": "Jatin",
    "customer_number": "918765432109",
    "person": "+918765432109",
    "disposition": "",
    "recording_state": None,
}


def told_of(data: dict[str, Any], **fields: Any) -> ToldCall:
    """A call with this data, as the exports get it from the store."""
    return ToldCall(CallRow(**(ROW | fields)), str(data.get("callSid", "")), json.dumps(data))


def csv_of(*calls: ToldCall, sees_numbers: bool = True) -> bytes:
    """`/calls.csv` of these calls."""
    rows = (cells_of(call, sees_numbers=sees_numbers) for call in calls)
    return BOM + b"".join(map(csv_row, [CSV_COLUMNS, *rows]))


def jsonl_of(*calls: ToldCall, sees_numbers: bool = True) -> bytes:
    """`/calls.jsonl` of these calls."""
    return b"".join(json.dumps(whole_of(call, sees_numbers=sees_numbers)).encode() + b"\n" for call in calls)


def calls_in(database: Database) -> Sequence[ToldCall]:
    """All calls of a board, newest first."""
    ids = sorted(column(database, "call", "id"), reverse=True)
    return database.read_now(partial(told_by_id, ids=ids, with_data=True))


def taken_from(file: bytes, known: dict[str, Any] | None = None, zone: ZoneInfo = UTC) -> list[tuple[str, Taken]]:
    """Where each call of a file is, and what it comes to on a board that has `known` of each, or nothing."""
    source, records = records_of(io.BufferedReader(io.BytesIO(file)), zone=zone)
    return [(record.place, take(record, known, source)) for record in records]
