"""Reports put into a database past the server, and its rows as they lie there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from dashboard.callkaro.report import read_report
from dashboard.database import Database
from dashboard.store.inbox import Arrival, Receipt, record
from dashboard.store.rebuild import find_unread, retell_after, take_in

INDIA = ZoneInfo("Asia/Kolkata")
NOON = 1_766_124_000_000_000
"""Some moment, in microseconds since 1970."""


def arrival(body: bytes, at: int = NOON) -> Arrival:
    return Arrival(at, body, read_report(body), "application/json", "test")


def told(**data: Any) -> bytes:
    """A report with these fields and no others."""
    return json.dumps({"event": "call_ended", "data": data}).encode()


def store(database: Database, *bodies: bytes) -> list[Receipt]:
    """These reports as one batch."""
    arrivals = [arrival(body, NOON + number) for number, body in enumerate(bodies)]
    return database.write_now(partial(record, arrivals=arrivals, source_timezone=INDIA))


def rebuild(database: Database) -> int:
    """The command's steps; gives how many rows were mended."""
    mended = last_unread = 0
    while unread := database.read_now(partial(find_unread, last_id=last_unread)):
        mended += database.write_now(partial(take_in, inbox_ids=unread, source_timezone=INDIA))
        last_unread = unread[-1]
    last_id: int | None = 0
    while last_id is not None:
        last_id, count = database.write_now(partial(retell_after, last_id=last_id, source_timezone=INDIA))
        mended += count
    return mended


def rows(database: Database, table: str, columns: str = "*") -> list[dict[str, Any]]:
    """All rows of a table in the order of their ids, read in plain SQL."""
    key = "call_id" if table == "recording" else "id"
    statement = text(f"SELECT {columns} FROM {quoted(table)} ORDER BY {key}")
    return [dict(row) for row in database.read_now(lambda session: session.execute(statement).mappings().all())]


def column(database: Database, table: str, name: str) -> list[Any]:
    return [row[name] for row in rows(database, table, name)]


def calls(database: Database, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of every call."""
    return [tuple(row.values()) for row in rows(database, "call", ", ".join(columns))]


def data(database: Database) -> list[dict[str, Any]]:
    """What is known of every call."""
    return [json.loads(text) for text in column(database, "call", "data")]


def sql(database: Database, *statements: str) -> None:
    """Plain SQL past the house, in one transaction."""
    database.write_now(lambda session: [session.execute(text(statement)) for statement in statements])


def quoted(table: str) -> str:
    # "call" and "session" are words of SQL.
    return f'"{table}"'


def verdicts(receipts: Sequence[Receipt]) -> list[str]:
    return [receipt.verdict for receipt in receipts]
