"""The two doors to the database, `read` and `write`, and its clock. The only module that tells SQLite from PostgreSQL.

SQL is plain and synchronous, in threads: a few readers, one writer. Knows no table but the clock.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import secrets
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet

import psycopg
from sqlalchemy import Connection, Engine, bindparam, case, event, make_url, select, text, update
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, Pool, QueuePool
from sqlmodel import Session, create_engine

from dashboard.crew import Crew
from dashboard.logs import kind_of as kind_of
from dashboard.models import Clock, table_of

T = TypeVar("T")
log = logging.getLogger(__name__)

READERS = 4
CHANNEL = "callboard"
# A wake-up may be lost; whoever waits for a change looks for himself at least this often.
LOOK_SECONDS = 1.0
_POLL_SECONDS = 0.2
_LOCK_WAIT_SECONDS = 1
_UPGRADE_WAIT_SECONDS = 30
_LOG_PAGES = 4000
# Where SQLite puts the locks of its readers, in every file; it is part of the format.
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
# How long a stopping process waits for what the database is doing before it hangs up, and then before it leaves.
_CLOSE_SECONDS = 1.0
_LEAVE_SECONDS = 5.0
WRITE_SECONDS = 3.5
"""How long a write may take before its thread and connection are given up: by then nobody waits for it any more."""
READ_SECONDS = 10.0
_FOLD_SECONDS = 5.0


_clock = table_of(Clock)
_TICK = update(_clock).values(seq=_clock.c.seq + bindparam("numbers", type_=_clock.c.seq.type)).returning(_clock.c.seq)
_HEAD = select(_clock.c.seq)
_EPOCH = select(_clock.c.epoch)
_GIVEN_OUT = select(_clock.c.seq, _clock.c.call_id)
# SQLite has no such lock and needs none: its writes begin one after the other.
_HOLD = _HEAD.with_for_update()
_NOTIFY = text(f"NOTIFY {CHANNEL}")


def is_away(problem: BaseException) -> bool:
    """Whether a failure is the storage's (locked, full, gone, frozen), not the data's: worth trying again as it is."""
    if isinstance(problem, PoolTimeout | InterfaceError | OSError):
        return True
    if isinstance(problem, OperationalError):
        # psycopg counts "too large for PostgreSQL" (class 54) as operational; tried again it would end the same.
        return not (getattr(problem.orig, "sqlstate", None) or "").startswith("54")
    return isinstance(problem, DBAPIError) and problem.connection_invalidated


def tick(session: Session, numbers: int) -> int:
    """Take the next `numbers` numbers and give back the first of them. Must come first in every write that shows live.

    Whoever holds the clock's row commits before the next one gets a number, so commit order is number order;
    otherwise a row with a smaller number could commit after a larger one and no page would ever see it.
    """
    connection = session.connection()
    last: int = connection.execute(_TICK, {"numbers": numbers}).scalar_one()
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY)
    return last - numbers + 1


def hold_clock(session: Session) -> None:
    """Take the clock and no number: from here on nobody else writes what goes by it, until this write is over.

    For a write that decides by what it reads: on PostgreSQL another process could change that before it is acted on.
    """
    session.connection().execute(_HOLD)


def head_of(session: Session) -> int:
    """The last number given out."""
    head: int = session.connection().execute(_HEAD).scalar_one()
    return head


def epoch_of(session: Session) -> str:
    """Which life of the database this is: numbers of another one mean nothing here."""
    epoch: str = session.connection().execute(_EPOCH).scalar_one()
    return epoch


class GivenOut(NamedTuple):
    """The last number that a database gave out, and the last id of a call."""

    seq: int
    call_id: int


# How far a clock is put forward where nobody knows what was given out since the backup. Numbers cost nothing; every
# process's index holds some fifty bytes for each id up to the largest, whether there is such a call or not.
UNKNOWN = GivenOut(10_000_000, 100_000)


def given_out(session: Session) -> GivenOut:
    return GivenOut._make(session.connection().execute(_GIVEN_OUT).one())


def begin_epoch(session: Session, replaced: GivenOut | None) -> None:
    """From now on no number of another life of this database is believed, and none of them is used again.

    `replaced` is what the database gave out that stood here before; None where nobody can say. Targets throw a delivery
    away whose number they have seen, programs ask for what came after one, and links lead to a call by its id.
    """
    now = _clock.c
    if replaced is None:
        further = {name: now[name] + jump for name, jump in UNKNOWN._asdict().items()}
    else:
        last = replaced._asdict().items()
        further = {name: case((now[name] <= number, number + 1), else_=now[name]) for name, number in last}
    session.connection().execute(update(_clock).values(epoch=secrets.token_hex(8), **further))


def table_bytes(session: Session) -> dict[str, int]:
    """How much room each table takes, its indexes with it; only an SQLite made without `dbstat` knows of none."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        rows = connection.execute(
            text("SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables ORDER BY 1")
        )
        return {row[0]: int(row[1]) for row in rows}
    statement = (
        "SELECT tbl_name, SUM(room.pgsize) FROM dbstat AS room JOIN sqlite_schema AS made ON made.name = room.name "
        "WHERE room.aggregate = TRUE GROUP BY 1 ORDER BY 1"
    )
    try:
        return {row[0]: int(row[1]) for row in connection.execute(text(statement))}
    except OperationalError:
        return {}


def damage_of(session: Session) -> str:
    """What is wrong with an SQLite file, in its own words; "" if it is sound. Reads all of it."""
    found: str = session.connection().exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    return "" if found == "ok" else found.splitlines()[0]


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


class Database:
    """One process's way to the database: `await read(fn)` and `await write(fn)`, where fn takes a session."""

    def __init__(self, url: str, *, write_seconds: float = WRITE_SECONDS, read_seconds: float = READ_SECONDS) -> None:
        """Connects to nothing yet. Raises OSError where the folder of a SQLite file cannot be made.

        What has not come back after so many seconds is given up: its thread and connection are left behind.
        """
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # PostgreSQL's, those that write (True) apart from those that read.
        self._lines: dict[bool, WeakSet[psycopg.Connection[Any]]] = {True: WeakSet(), False: WeakSet()}
        self._old_pools: list[Pool] = []
        self._read_engine = self._engine(writes=False)
        self._write_engine = self._engine(writes=True)
        self._readers = Crew("read", READERS, patience=read_seconds, start_over=partial(self._start_over, writes=False))
        self._writer = Crew("write", 1, patience=write_seconds, start_over=partial(self._start_over, writes=True))
        self._changed = asyncio.Event()
        self._version = 0
        self._listener: Thread | None = None
        self._closing = Event()

    @property
    def place(self) -> str:
        """Where the data is, fit to be shown: no password."""
        return str(self.url.database) if self.is_sqlite else self.url.render_as_string(hide_password=True)

    @property
    def folder(self) -> Path | None:
        """Where a SQLite file lies; None where the database has a disk of its own."""
        return Path(str(self.url.database)).parent if self.is_sqlite else None

    async def read(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` on a reader thread: all it reads is of one moment. Raises StandsStill, an OSError."""
        return await self._readers.do(partial(self.read_now, fn))

    async def write(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` on the writer thread, in one transaction; back only once it is committed and on the disk.

        Raises StandsStill, an OSError, where that takes too long: it may be committed yet.
        """
        result = await self._writer.do(partial(self.write_now, fn))
        self._changed.set()
        return result

    def read_now(self, fn: Callable[[Session], T]) -> T:
        with Session(self._read_engine) as session:
            return fn(session)

    def write_now(self, fn: Callable[[Session], T]) -> T:
        with Session(self._write_engine, expire_on_commit=False) as session, session.begin():
            return fn(session)

    @contextmanager
    def upgrade(self, lock: int) -> Iterator[Connection]:
        """A transaction that may take long and waits long for its turn, one process at a time: for migrations."""
        with self._write_engine.connect() as connection:
            if self.is_sqlite:
                _wait_for_lock(connection, _UPGRADE_WAIT_SECONDS)
            try:
                with connection.begin():
                    if not self.is_sqlite:
                        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
                            connection.execute(text(f"SELECT set_config('{limit}', '0', true)"))
                        connection.execute(text(f"SELECT set_config('lock_timeout', '{_UPGRADE_WAIT_SECONDS}s', true)"))
                        connection.execute(text(f"SELECT pg_advisory_xact_lock({lock})"))
                    yield connection
            finally:
                if self.is_sqlite:
                    # The connection goes on as the writer's, which must not stand in a lock for so long.
                    _wait_for_lock(connection, _LOCK_WAIT_SECONDS)

    def copy(self, path: Path) -> None:
        """What is committed in the SQLite file, as one file that is on the disk when this returns; others may write.

        Raises OSError, FileExistsError among them; then nothing is left at `path`.
        """
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)) as file:
            try:
                with self._read_engine.connect() as connection, closing(sqlite3.connect(path)) as copy:
                    # If it ends half-way it is thrown away, and what is whole is synced below: no journal is needed.
                    copy.execute("PRAGMA journal_mode=OFF")
                    copy.execute("PRAGMA synchronous=OFF")
                    _raw(connection).backup(copy)
                os.fsync(file.fileno())
            except BaseException as problem:
                path.unlink()
                if isinstance(problem, sqlite3.Error):
                    raise OSError(errno.EIO, str(problem), str(path)) from problem
                raise

    async def fold(self) -> bool:
        """Write SQLite's log back into the file and empty it, so that what was erased is not in the log either.

        False where others were reading for too long; tried again, it is likely to go well. PostgreSQL needs no such
        thing: its own housekeeping (VACUUM, checkpoints) clears erased rows away in time.
        """
        until = time.monotonic() + _FOLD_SECONDS
        while self.is_sqlite and not await self._writer.do(self._fold_now):
            if time.monotonic() > until:
                return False
            # Between two attempts, not in one: webhooks are written meanwhile.
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def _fold_now(self) -> bool:
        with self._write_engine.connect() as connection:
            _wait_for_lock(connection, 0)
            try:
                return not _raw(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.OperationalError:
                return False
            finally:
                _wait_for_lock(connection, _LOCK_WAIT_SECONDS)

    async def next_change(self) -> None:
        """Wait until something may have been written, by this process or another; never longer than LOOK_SECONDS."""
        if not self.is_sqlite and self._listener is None:
            self._listen()
        until = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < until:
            try:
                # Not wait_for: on Python 3.11 it swallows a cancellation that comes together with the event, and the
                # server then waited for ever for its tailer to end.
                async with asyncio.timeout(_POLL_SECONDS if self.is_sqlite else LOOK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                if not self.is_sqlite or not await self._another_wrote():
                    continue
            break
        self._changed.clear()

    def close(self) -> None:
        """Finish what is being written and let go of every connection; without it a process can hang at its end."""
        self._closing.set()
        crews = (self._writer, self._readers)
        for crew in crews:
            crew.stop()
        if not _all_end(crews, _CLOSE_SECONDS):
            self._hang_up(writes=True)
            self._hang_up(writes=False)
            if not _all_end(crews, _LEAVE_SECONDS):
                log.warning("closed while the database stands still: what was being written may be lost")
        for pool in self._old_pools:
            pool.dispose()
        self._read_engine.dispose()
        self._write_engine.dispose()
        if self._listener:
            self._listener.join(timeout=3)

    def _engine(self, *, writes: bool) -> Engine:
        if self.is_sqlite:
            return _sqlite_engine(self.url, writes=writes)
        # A line that breaks in mid-write would leave the clock's row locked until TCP gives up, hours later.
        idle = " -c idle_in_transaction_session_timeout=5000" if writes else ""
        engine = create_engine(
            self.url,
            hide_parameters=True,
            pool_size=1 if writes else READERS,
            max_overflow=0,
            pool_timeout=2,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
            connect_args={
                "connect_timeout": 2,
                "tcp_user_timeout": 3000,
                "options": "-c statement_timeout=3000 -c lock_timeout=3000 -c synchronous_commit=on -c timezone=UTC"
                + idle,
            },
        )

        @event.listens_for(engine, "do_connect")
        def connect(dialect: Any, _record: object, args: Any, options: Any) -> Any:
            # Not at "connect": SQLAlchemy asks the server a few things before that, and can wait for ever there too.
            connection = dialect.connect(*args, **options)
            self._lines[writes].add(connection)
            return connection

        return engine

    def _start_over(self, *, writes: bool) -> None:
        """Let go of every connection of these threads: one of them stands still, and its thread was left behind."""
        self._hang_up(writes=writes)
        engine = self._write_engine if writes else self._read_engine
        self._old_pools.append(engine.pool)
        engine.dispose(close=False)
        # What was left behind comes back to its old pool, if ever.
        for pool in self._old_pools:
            pool.dispose()

    def _hang_up(self, *, writes: bool) -> None:
        # A PostgreSQL that stands still acknowledges every byte and never answers: no timeout of its own or of the
        # network's ends such a wait, and the thread in it would wait for ever.
        for connection in list(self._lines[writes]):
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)

    async def _another_wrote(self) -> bool:
        # `data_version` tells one connection of the commits of others: asked of the only connection that writes here,
        # it speaks of other processes alone.
        try:
            version = await self._writer.do(self._writer_version)
        except (DBAPIError, sqlite3.Error, OSError):
            return True
        changed, self._version = version != self._version, version
        return changed

    def _writer_version(self) -> int:
        with self._write_engine.connect() as connection:
            return int(_raw(connection).execute("PRAGMA data_version").fetchone()[0])

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._changed.set)

        def run() -> None:
            conninfo = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
            while not self._closing.is_set():
                try:
                    with psycopg.connect(conninfo, autocommit=True, connect_timeout=2) as connection:
                        connection.execute(f"LISTEN {CHANNEL}")
                        while not self._closing.is_set():
                            for _ in connection.notifies(timeout=0.25, stop_after=1):
                                wake()
                except psycopg.Error:
                    # The database restarts or is gone: the regular look carries on alone until it is back.
                    self._closing.wait(1.0)

        self._listener = Thread(target=run, name="listen", daemon=True)
        self._listener.start()


def _all_end(crews: Iterable[Crew], seconds: float) -> bool:
    until = time.monotonic() + seconds
    return all(crew.wait(until - time.monotonic()) for crew in crews)


def _sqlite_engine(url: Any, *, writes: bool) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=1 if writes else READERS,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": _LOCK_WAIT_SECONDS, "isolation_level": None},
    )

    was_open = False

    @event.listens_for(engine, "do_connect")
    def make_only_the_first(*_: object) -> None:
        # Where our file was moved away SQLite makes an empty one, and whoever puts ours back would lose what is in it.
        if was_open and _identity(url) is None:
            raise FileNotFoundError(errno.ENOENT, "the database file is gone", str(url.database))
        if url.database and url.database != ":memory:":
            _make_for_its_owner(url.database)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        nonlocal was_open
        was_open = True
        record.info["file"] = _identity(url)
        _use_write_ahead_log(connection)
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
    def look_again(_connection: object, record: ConnectionPoolEntry, _: object) -> None:
        # An open file can be deleted, or another be put in its place: writing on into it is losing what is written.
        if record.info["file"] != _identity(url):
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # A deferred transaction that reads first and then writes fails at once with "database is locked" when
        # another writer was quicker (276 of 300 when measured); IMMEDIATE waits its turn instead.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_for_its_owner(path: str) -> None:
    """An empty file for nobody else's eyes, if there is none: SQLite goes by the umask, and its logs by the file."""
    # One that is there is not opened: closing it again would give up all locks that this process has on it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _identity(url: Any) -> tuple[int, int] | None:
    """Which file the path leads to now; None when there is none."""
    try:
        found = os.stat(url.database)  # noqa: PTH116 - before every transaction, and a Path costs more than the question
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Once for each file, by whoever comes first: SQLite does not wait its turn here, but says "locked" at once."""
    until = time.monotonic() + _UPGRADE_WAIT_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _wait_for_lock(connection: Connection, seconds: int) -> None:
    _raw(connection).execute(f"PRAGMA busy_timeout={seconds * 1000}")


def _raw(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection: what is asked of it begins no transaction."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
