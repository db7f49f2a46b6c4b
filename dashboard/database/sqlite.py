"""What only SQLite needs: how a file is opened, locked, copied, folded and looked over."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool
from sqlmodel import Session, create_engine

from dashboard.database.errors import Kind, kind_of_failure
from dashboard.database.sqlite_file import Identity, SQLiteFile, write_back

LOCK_WAIT_SECONDS = 1
UPGRADE_WAIT_SECONDS = 30
_LOG_PAGES = 4000
# Where SQLite puts the locks of its readers, in every file; it is part of the format.
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510


def engine_of(url: URL, file: SQLiteFile, *, writes: bool, connections: int) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": LOCK_WAIT_SECONDS, "isolation_level": None},
    )

    @event.listens_for(engine, "do_connect")
    def make_only_the_first(*_: object) -> None:
        # Where our file was moved away SQLite makes an empty one, and whoever puts ours back would lose what is in it.
        if file.was_opened and file.identity() is None:
            raise FileNotFoundError(errno.ENOENT, "the database file is gone", str(url.database))
        file.move_log_of_replaced_file()
        if url.database and url.database != ":memory:":
            _make_for_its_owner(url.database)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        _use_write_ahead_log(connection)
        record.info["file"] = file.note_opened(connection)
        # FULL is one fdatasync a commit; NORMAL loses the last commits when the power goes.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # Folding the log back into the file writes the same pages of the indexes again and again: less often is less.
        connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
        if writes:
            # What is deleted or written over is blanked: free pages kept the text of whoever was erased.
            connection.execute("PRAGMA secure_delete=ON")
        else:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "checkout")
    def look_again(connection: sqlite3.Connection, record: ConnectionPoolEntry, _: object) -> None:
        # An open file can be deleted, or another be put in its place: writing on into it is losing what is written.
        if record.info["file"] != file.identity():
            if writes:
                write_back(connection)
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # A deferred transaction that reads first and then writes fails at once with "database is locked" when
        # another writer was quicker (276 of 300 when measured); IMMEDIATE waits its turn instead.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "handle_error", _drop)
    return engine


def _drop(context: ExceptionContext) -> None:
    # A connection that was opened while the file could not be written to stays read-only until it is closed.
    if kind_of_failure(context.original_exception) is Kind.WRONG_NODE:
        context.is_disconnect = True


def _make_for_its_owner(path: str) -> None:
    """An empty file for nobody else's eyes, if there is none: SQLite goes by the umask, and its logs by the file."""
    # One that is there is not opened: closing it again would give up all locks that this process has on it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Once for each file, by whoever comes first: SQLite does not wait its turn here, but says "locked" at once."""
    until = time.monotonic() + UPGRADE_WAIT_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def file_of(session: Session) -> Identity:
    """Which file a session's connection has opened; None for a database in memory."""
    return cast("Identity", session.connection().connection.info["file"])


def wait_for_lock(connection: Connection, seconds: int) -> None:
    raw_of(connection).execute(f"PRAGMA busy_timeout={seconds * 1000}")


def raw_of(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection: what is asked of it begins no transaction."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


def copy(engine: Engine, path: Path) -> None:
    """What is committed in the file, as one file that is on the disk when this returns; others may write meanwhile.

    Raises OSError, FileExistsError among them; then nothing is left at `path`.
    """
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)) as file:
        try:
            with engine.connect() as connection, closing(sqlite3.connect(path)) as made:
                # If it ends half-way it is thrown away, and what is whole is synced below: no journal is needed.
                made.execute("PRAGMA journal_mode=OFF")
                made.execute("PRAGMA synchronous=OFF")
                raw_of(connection).backup(made)
            os.fsync(file.fileno())
        except BaseException as problem:
            path.unlink()
            if isinstance(problem, sqlite3.Error):
                raise OSError(errno.EIO, str(problem), str(path)) from problem
            raise


def fold(engine: Engine) -> bool:
    """Write the log back into the file and empty it; False where somebody reads, who would have to be waited for."""
    with engine.connect() as connection:
        wait_for_lock(connection, 0)
        try:
            return not raw_of(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
        finally:
            wait_for_lock(connection, LOCK_WAIT_SECONDS)


def version_of(engine: Engine) -> int:
    """A number that is another one once somebody else than this engine's only connection has written."""
    with engine.connect() as connection:
        return int(raw_of(connection).execute("PRAGMA data_version").fetchone()[0])


def damage_of(session: Session) -> str:
    """What is wrong with an SQLite file, in its own words; "" if it is sound. Reads all of it."""
    return _first_fault(session.connection().exec_driver_sql("PRAGMA integrity_check(1)").scalar_one())


def damage_in(copy: Path) -> str:
    """The same of a file that nobody writes to; leaves nothing beside it."""
    with closing(sqlite3.connect(f"{copy.resolve().as_uri()}?immutable=1", uri=True)) as opened:
        try:
            return _first_fault(opened.execute("PRAGMA integrity_check(1)").fetchone()[0])
        except sqlite3.DatabaseError as problem:
            return str(problem)


def _first_fault(found: str) -> str:
    lines = [line for line in found.splitlines() if not line.startswith("***")]
    return "" if found == "ok" else (lines or [found])[0]


def is_in_use(file: Path) -> bool:
    """Whether another process has this SQLite file open. Never asked by one that has it open itself.

    Whoever has it open, in the write-ahead mode that we use, holds a lock on these bytes all the time; that can be
    told of a damaged file, too. (Closing a file gives up all locks that a process has on it: hence the warning.)
    """
    if not file.exists():
        return False
    with file.open("r+b") as opened:
        try:
            fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except OSError:
            return True
    return False


def table_bytes(connection: Connection) -> dict[str, int]:
    """How much room each table takes, its indexes with it; a SQLite made without `dbstat` knows of none."""
    statement = (
        "SELECT tbl_name, SUM(room.pgsize) FROM dbstat AS room JOIN sqlite_schema AS made ON made.name = room.name "
        "WHERE room.aggregate = TRUE GROUP BY 1 ORDER BY 1"
    )
    try:
        return {row[0]: int(row[1]) for row in connection.execute(text(statement))}
    except OperationalError:
        return {}
