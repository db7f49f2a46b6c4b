"""Questions about the database itself, not about what is in it: for `doctor`."""

from __future__ import annotations

import time

from sqlalchemy import text
from sqlmodel import Session

_TIMES = 5


def sqlite_faults(session: Session) -> list[str]:
    """What SQLite finds wrong with its file, a few things at most; nothing if it is whole."""
    found = [str(row[0]) for row in session.connection().execute(text("PRAGMA quick_check(3)"))]
    return [] if found == ["ok"] else found


def sqlite_journal(session: Session) -> str:
    return str(session.connection().execute(text("PRAGMA journal_mode")).scalar_one())


def postgres_version(session: Session) -> int:
    """Such as 150018 for 15.18."""
    return int(session.connection().execute(text("SHOW server_version_num")).scalar_one())


def now(session: Session) -> float:
    """The clock of PostgreSQL's machine, in seconds since 1970."""
    return float(session.connection().execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())


def seconds_to_answer(session: Session) -> float:
    """The quickest of a few questions that cost nothing: the way there and back."""
    connection = session.connection()
    took = []
    for _ in range(_TIMES):
        began = time.monotonic()
        connection.execute(text("SELECT 1")).scalar_one()
        took.append(time.monotonic() - began)
    return min(took)
