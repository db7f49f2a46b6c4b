"""Whether a report could be stored: the rights of the role, one write that commits, and whether a failover keeps it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from dashboard.database import Database, Kind, kind_of, kind_of_failure
from dashboard.database.errors import CannotUse
from dashboard.doctor.finding import Finding, bad, doubt, good
from dashboard.store import condition

_MOST_NAMES = 5


def check_storing(database: Database) -> Iterator[Finding]:
    """Of a database that has all its tables."""
    if not database.is_sqlite and (names := database.read_now(condition.tables_without_rights)):
        yield _without_rights(database.read_now(condition.postgres_role), names)
        return
    try:
        database.write_now(condition.rewrite_clock)
    except CannotUse as problem:
        yield bad(f"Nothing can be stored in {database.place}. {problem}")
        return
    except (SQLAlchemyError, OSError) as problem:
        yield bad(f"Nothing can be stored in {database.place}: {kind_of(problem)}. {_way_out(database, problem)}")
        return
    yield good("A write commits: reports can be stored.")
    if not database.is_sqlite and (count := database.read_now(condition.asynchronous_standbys)):
        yield doubt(
            f"PostgreSQL has {count} standby servers and waits for none of them: a failover loses the last commits, "
            "and reports that were acknowledged with them. Set synchronous_standby_names."
        )


def _without_rights(role: str, names: list[str]) -> Finding:
    listed = ", ".join(names[:_MOST_NAMES]) + (f" and {len(names) - _MOST_NAMES} more" if names[_MOST_NAMES:] else "")
    return bad(
        f"The role {role} may not read and write {listed}, so nothing can be stored. As the owner of the tables: "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; "
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role};"
    )


def _way_out(database: Database, problem: Exception) -> str:
    if kind_of_failure(problem) is Kind.PASSING:
        return "Another program holds it, or its disk is full. Run this again in a moment."
    if not database.is_sqlite:
        return "PostgreSQL's own log says why."
    return (
        f"Its file system may be read-only (`findmnt -T {database.place}`: mount it writable, check the disk), or the "
        f"file belongs to another user (`ls -l {database.folder}`)."
    )
