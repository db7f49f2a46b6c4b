"""The two doors to the database, `read` and `write`. The only part of the house that tells SQLite from PostgreSQL.

SQL is plain and synchronous, in threads: a few readers, one writer. Knows no table but the clock.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar
from weakref import WeakSet

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import Pool
from sqlmodel import Session

from dashboard.crew import Crew
from dashboard.database import postgres, sqlite
from dashboard.database.clock import LAST_SEEN
from dashboard.database.errors import Kind as Kind
from dashboard.database.errors import is_away as is_away
from dashboard.database.errors import kind_of_failure as kind_of_failure
from dashboard.database.sqlite_file import SQLiteFile
from dashboard.logs import kind_of as kind_of

T = TypeVar("T")
log = logging.getLogger(__name__)

READERS = 4
# A wake-up may be lost; whoever waits for a change looks for himself at least this often.
LOOK_SECONDS = 1.0
_POLL_SECONDS = 0.2
# How long a stopping process waits for what the database is doing before it hangs up, and then before it leaves.
_CLOSE_SECONDS = 1.0
_LEAVE_SECONDS = 5.0
WRITE_SECONDS = 3.5
"""How long a write may take before its thread and connection are given up: by then nobody waits for it any more."""
READ_SECONDS = 10.0
_FOLD_SECONDS = 5.0


def table_bytes(session: Session) -> dict[str, int]:
    """How much room each table takes, its indexes with it; only an SQLite made without `dbstat` knows of none."""
    connection = session.connection()
    is_postgres = connection.dialect.name == "postgresql"
    return postgres.table_bytes(connection) if is_postgres else sqlite.table_bytes(connection)


class Database:
    """One process's way to the database: `await read(fn)` and `await write(fn)`, where fn takes a session."""

    def __init__(self, url: str, *, write_seconds: float = WRITE_SECONDS, read_seconds: float = READ_SECONDS) -> None:
        """Connects to nothing yet. Raises OSError where the folder of a SQLite file cannot be made.

        What has not come back after so many seconds is given up: its thread and connection are left behind.
        """
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # PostgreSQL's, those that write (True) apart from those that read.
        self._lines: dict[bool, WeakSet[postgres.Line]] = {True: WeakSet(), False: WeakSet()}
        self._old_pools: list[Pool] = []
        self._server = postgres.Server(self.url)
        self._file = SQLiteFile(self.url.database)
        self._last_seen = 0
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
        if self.is_sqlite:
            return str(self.url.database)
        # The options after the "?" can hold a password, too.
        listed = self.url.query.get("host", "")
        host = self.url.host or (listed if isinstance(listed, str) else ",".join(listed))
        return f"postgresql://{host}{f':{self.url.port}' if self.url.port else ''}/{self.url.database or ''}"

    @property
    def is_pooled(self) -> bool:
        """Whether connections go through a pooler such as PgBouncer; known from the first connection on."""
        return self._server.is_pooled

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
        info = {LAST_SEEN: self._last_seen}
        with Session(self._write_engine, expire_on_commit=False, info=info) as session:
            with session.begin():
                result = fn(session)
                opened = sqlite.file_of(session) if self.is_sqlite else None
            self._last_seen = session.info[LAST_SEEN]
        # A commit into a file that was replaced meanwhile, or that the kernel has not written, is no commit.
        if self.is_sqlite:
            self._file.check(opened)
        return result

    @contextmanager
    def upgrade(self, lock: int) -> Iterator[Connection]:
        """A transaction that may take long and waits long for its turn, one process at a time: for migrations."""
        with self._write_engine.connect() as connection:
            if self.is_sqlite:
                sqlite.wait_for_lock(connection, sqlite.UPGRADE_WAIT_SECONDS)
            try:
                with connection.begin():
                    if not self.is_sqlite:
                        postgres.wait_long(connection, sqlite.UPGRADE_WAIT_SECONDS)
                        connection.execute(text(f"SELECT pg_advisory_xact_lock({lock})"))
                    yield connection
            finally:
                if self.is_sqlite:
                    # The connection goes on as the writer's, which must not stand in a lock for so long.
                    sqlite.wait_for_lock(connection, sqlite.LOCK_WAIT_SECONDS)

    def copy(self, path: Path) -> None:
        """What is committed in the SQLite file, as one file that is on the disk when this returns; others may write.

        Raises OSError, FileExistsError among them; then nothing is left at `path`.
        """
        sqlite.copy(self._read_engine, path)

    async def fold(self) -> bool:
        """Write SQLite's log back into the file and empty it, so that what was erased is not in the log either.

        False where others were reading for too long; tried again, it is likely to go well. PostgreSQL needs no such
        thing: its own housekeeping (VACUUM, checkpoints) clears erased rows away in time.
        """
        until = time.monotonic() + _FOLD_SECONDS
        while self.is_sqlite and not await self._writer.do(partial(sqlite.fold, self._write_engine)):
            if time.monotonic() > until:
                return False
            # Between two attempts, not in one: webhooks are written meanwhile.
            await asyncio.sleep(_POLL_SECONDS)
        return True

    async def next_change(self) -> None:
        """Wait until something may have been written, by this process or another; never longer than LOOK_SECONDS."""
        polls = self.is_sqlite or self.is_pooled
        if not polls and self._listener is None:
            self._listen()
        until = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < until:
            try:
                # Not wait_for: on Python 3.11 it swallows a cancellation that comes together with the event, and the
                # server then waited for ever for its tailer to end.
                async with asyncio.timeout(_POLL_SECONDS if polls else LOOK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                if not polls or not await self._another_wrote():
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
            postgres.hang_up(list(self._lines[True]))
            postgres.hang_up(list(self._lines[False]))
            if not _all_end(crews, _LEAVE_SECONDS):
                log.warning("closed while the database stands still: what was being written may be lost")
        for pool in self._old_pools:
            pool.dispose()
        self._read_engine.dispose()
        self._write_engine.dispose()
        if self._listener:
            self._listener.join(timeout=3)

    def _engine(self, *, writes: bool) -> Engine:
        connections = 1 if writes else READERS
        if self.is_sqlite:
            return sqlite.engine_of(self.url, self._file, writes=writes, connections=connections)
        opened = self._lines[writes].add
        return postgres.engine_of(self.url, self._server, writes=writes, connections=connections, opened=opened)

    def _start_over(self, *, writes: bool) -> None:
        """Let go of every connection of these threads: one of them stands still, and its thread was left behind."""
        # Those of the other threads may lead to the same server: each is checked before its next use.
        self._server.leave()
        postgres.hang_up(list(self._lines[writes]))
        engine = self._write_engine if writes else self._read_engine
        self._old_pools.append(engine.pool)
        engine.dispose(close=False)
        # What was left behind comes back to its old pool, if ever.
        for pool in self._old_pools:
            pool.dispose()

    async def _another_wrote(self) -> bool:
        if not self.is_sqlite:
            return True  # a pooler hands on no news: the question whether there is any is as dear as the look itself
        # `data_version` tells one connection of the commits of others: asked of the only connection that writes here,
        # it speaks of other processes alone.
        try:
            version = await self._writer.do(partial(sqlite.version_of, self._write_engine))
        except (DBAPIError, sqlite3.Error, OSError):
            return True
        changed, self._version = version != self._version, version
        return changed

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._changed.set)

        listen = partial(postgres.listen, self.url, self._server, wake, self._closing)
        self._listener = Thread(target=listen, name="listen", daemon=True)
        self._listener.start()


def _all_end(crews: Iterable[Crew], seconds: float) -> bool:
    until = time.monotonic() + seconds
    return all(crew.wait(until - time.monotonic()) for crew in crews)
