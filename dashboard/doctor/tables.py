"""The database: is it there, whole, of this version, quick; and do the calls in it agree with the settings."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from dashboard.database import Database, kind_of
from dashboard.database.clock import head_of
from dashboard.database.errors import CannotUse
from dashboard.database_url import sqlite_file
from dashboard.doctor.finding import Finding, bad, doubt, good
from dashboard.doctor.storing import check_storing
from dashboard.migrations import is_known, newer_schema, newest_revision, revision_of
from dashboard.program import PROGRAM
from dashboard.settings import Settings
from dashboard.store import condition
from dashboard.store.calls import changed_since
from dashboard.zones import ZoneDoubt

OLDEST_POSTGRES = 130_000
SLOW_SECONDS = 0.02
CLOCKS_APART_SECONDS = 5.0
# How far back the newest calls are looked for: reports of known calls take numbers too.
_LOOK_BACK = 200


def check_tables(settings: Settings) -> Iterator[Finding]:
    """Changes nothing, but commits one write that puts back what is there. A server may be running beside it."""
    try:
        database = Database(settings.database_url) if _is_there(settings.database_url) else None
    except OSError as problem:
        yield bad(f"The folder of the database cannot be used: {problem.strerror}.")
        return
    if database is None:
        yield doubt("There is no database yet: the first start makes it.")
        return
    try:
        found, newest = database.read_now(lambda session: revision_of(session.connection())), newest_revision()
        yield _revision(database, found, newest)
        yield from _of_sqlite(database) if database.is_sqlite else _of_postgres(database)
        if found == newest:
            if missing := database.read_now(condition.missing_parts):
                yield _missing(database, missing)
            else:
                yield from check_storing(database)
                yield from _zone(database, settings)
    except CannotUse as problem:
        yield bad(f"The database {database.place} cannot be used. {problem}")
    except (SQLAlchemyError, OSError) as problem:
        advice = (
            f"If it is damaged, keep it as it is, and put a backup back: `{PROGRAM} restore FILE`."
            if database.is_sqlite
            else "Check that it runs, and that the address in DASHBOARD_DATABASE_URL is right."
        )
        yield bad(
            f"The database {database.place} does not answer as it should: {kind_of(problem)}. Check that this user may "
            f"read it. {advice}"
        )
    finally:
        database.close()


def _is_there(url: str) -> bool:
    """Whether there is something to ask: SQLite would make an empty file."""
    file = sqlite_file(url)
    return file is None or file.exists()


def _revision(database: Database, found: str | None, newest: str) -> Finding:
    if found == newest:
        return good(f"The tables of {database.place} are those of this version.")
    if found is None:
        return doubt(f"{database.place} has no tables yet: the first start makes them.")
    if not is_known(found):
        return bad(newer_schema(database.place, found))
    return doubt(
        f"The tables of {database.place} are at {found}, those of this version at {newest}. "
        f"`{PROGRAM} serve` brings them up to date."
    )


def _missing(database: Database, missing: list[str]) -> Finding:
    return bad(
        f"{database.place} lacks {', '.join(missing)}, which its revision has: something other than Callboard has "
        "changed it, or a copy is incomplete. Restore a backup."
    )


def _of_sqlite(database: Database) -> Iterator[Finding]:
    if faults := database.read_now(condition.sqlite_faults):
        yield bad(
            f"{database.place} is damaged ({faults[0][:100]}). Stop the board, keep the file aside, and restore a "
            "backup."
        )
    else:
        yield good("The file is whole, as far as a quick check sees.")
    journal = database.read_now(condition.sqlite_journal)
    if journal != "wal":
        yield bad(
            f"The file's journal is {journal}, not wal. It seems to lie on a network file system, which SQLite must "
            "not: move it to a disk of this machine."
        )
    yield from file_mode(Path(database.place))


def file_mode(file: Path) -> Iterator[Finding]:
    """Nobody else gets at the file of a folder that is closed to them, whatever its own mode says."""
    mode, way = file.stat().st_mode, file.parent.stat().st_mode
    if (way & stat.S_IXGRP and mode & stat.S_IRGRP) or (way & stat.S_IXOTH and mode & stat.S_IROTH):
        yield doubt(f"Others on this machine may read {file}, and every call in it. Mend it: chmod 600 {file}*")
    else:
        yield good(f"{file} can be read by its owner alone.")


def _of_postgres(database: Database) -> Iterator[Finding]:
    number = database.read_now(condition.postgres_version)
    version = f"{number // 10_000}.{number % 10_000}"
    if number < OLDEST_POSTGRES:
        yield bad(f"PostgreSQL is {version}; Callboard needs 13 or newer. Upgrade it.")
    else:
        yield good(f"PostgreSQL is {version}.")
    if database.is_pooled:
        yield good("Connections go through a pooler: each transaction sets its own limits.")
    seconds = database.read_now(condition.seconds_to_answer)
    words = f"It answers in {seconds * 1000:.1f} ms"
    if seconds > SLOW_SECONDS:
        yield doubt(f"{words}: every report waits for some of these. Put the board nearer to it.")
    else:
        yield good(f"{words}.")
    apart = database.read_now(condition.now) - time.time()
    if abs(apart) > CLOCKS_APART_SECONDS:
        yield bad(
            f"Its clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this machine's. One of them is "
            "wrong: turn on time synchronisation (timedatectl set-ntp true) on both."
        )


def _zone(database: Database, settings: Settings) -> Iterator[Finding]:
    head = database.read_now(head_of)
    rows = database.read_now(partial(_newest, head=head))
    if not rows:
        return
    hearing = ZoneDoubt()
    for ended_at, received_at in rows:
        hearing.hear(ended_at=ended_at, received_at=received_at)
    zone = settings.source_timezone.key
    if sentence := hearing.sentence(zone):
        yield bad(sentence)
    else:
        yield good(f"CallKaro's times, read as {zone}, agree with when the last reports came.")


def _newest(session: Session, head: int) -> list[tuple[int, int]]:
    """When the newest calls ended and when their reports came, in microseconds since 1970, oldest first."""
    rows, _ = changed_since(session, max(0, head - _LOOK_BACK), _LOOK_BACK)
    return [
        (row.at + (row.duration_seconds or 0) * 1_000_000, row.received_at)
        for row in rows
        if row.seq == row.created_seq
    ]
