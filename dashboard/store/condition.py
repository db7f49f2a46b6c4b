"""Questions about the database itself, not about what is in it: for `doctor`."""

from __future__ import annotations

import time

from sqlalchemy import inspect, text
from sqlmodel import Session, SQLModel

import dashboard.models  # noqa: F401  (the tables register themselves)

_TIMES = 5
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


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


def missing_parts(session: Session) -> list[str]:
    """Tables, and columns as `table.column`, that this version has and the database lacks."""
    found = inspect(session.connection())
    there = set(found.get_table_names())
    missing = []
    for table in SQLModel.metadata.sorted_tables:
        if table.name not in there:
            missing.append(table.name)
            continue
        columns = {column["name"] for column in found.get_columns(table.name)}
        missing += [f"{table.name}.{column.name}" for column in table.columns if column.name not in columns]
    return missing


def rewrite_clock(session: Session) -> None:
    """A write that changes nothing: committed, it shows that others can be."""
    session.connection().execute(text("UPDATE clock SET seq = seq"))


def postgres_role(session: Session) -> str:
    return str(session.connection().execute(text("SELECT quote_ident(current_user)")).scalar_one())


def tables_without_rights(session: Session) -> list[str]:
    """Tables and sequences of the board that this role of PostgreSQL's may not write to."""
    connection = session.connection()
    asked = " AND ".join(f"has_table_privilege(quote_ident(:name), '{right}')" for right in _RIGHTS)
    names = [table.name for table in SQLModel.metadata.sorted_tables]
    tables = [name for name in names if not connection.execute(text(f"SELECT {asked}"), {"name": name}).scalar_one()]
    sequences = text(
        "SELECT sequencename FROM pg_sequences WHERE schemaname = current_schema() "
        "AND NOT has_sequence_privilege(quote_ident(sequencename), 'USAGE') ORDER BY 1"
    )
    return tables + list(connection.execute(sequences).scalars())


def asynchronous_standbys(session: Session) -> int:
    """How many standbys may lack the last commits; 0 where commits wait for one."""
    counted = "SELECT count(*) FROM pg_stat_replication WHERE current_setting('synchronous_standby_names') = ''"
    return int(session.connection().execute(text(counted)).scalar_one())
