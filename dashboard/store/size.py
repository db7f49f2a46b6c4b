"""How much room the data takes: by table, and for each call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session

from dashboard.database import table_bytes
from dashboard.models import Call, Recording, table_of


class Size(NamedTuple):
    """Bytes; indexes are counted with their table, recordings are files and stand for themselves."""

    calls: int
    """how many there are"""
    tables: Mapping[str, int]
    recordings: int

    @property
    def database(self) -> int:
        return sum(self.tables.values())

    @property
    def per_call(self) -> int:
        """Bytes of the database for each call; 0 where there is no call."""
        return self.database // self.calls if self.calls else 0


def size_of(session: Session) -> Size:
    """Reads the whole database on SQLite: not while somebody waits for a page."""
    connection = session.connection()
    calls = connection.execute(select(func.count()).select_from(table_of(Call))).scalar_one()
    recordings = connection.execute(select(func.coalesce(func.sum(table_of(Recording).c.size), 0))).scalar_one()
    return Size(calls, table_bytes(session), int(recordings))
