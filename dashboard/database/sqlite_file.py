"""Which file a SQLite path leads to, and whether another has been put in its place while it was open.

SQLite finds the write-ahead log by the file's name. Where another file is put in place of an open one, the log of the
old file would be read as the log of the new one, and damage it.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from contextlib import suppress
from threading import Lock

_LOG, _LOG_INDEX = "-wal", "-shm"
log = logging.getLogger(__name__)

Identity = tuple[int, int] | None
"""Device and inode; None where there is no file."""


class SQLiteFile:
    """The database file of one process, for all its connections."""

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._lock = Lock()
        self._opened: Identity = None
        self._logs: dict[str, Identity] = {}
        self._errors_file = ""
        self._errors = b""

    @property
    def was_opened(self) -> bool:
        return self._opened is not None

    def identity(self) -> Identity:
        """Which file the path leads to now."""
        return _identity(str(self.path))

    def check(self, opened: Identity) -> None:
        """Raises OSError where what a connection has just committed may not be in the file at the path.

        So it is where the path leads to another file than the one that it has opened, or to none, and where ext4 has
        met an error meanwhile. A sync that waits while ext4 gives up its journal returns success (Linux 6.18), and
        what it should have written is gone after the repair.

        It is not compared with the file that was opened last: a reader may have opened the new file already, while
        the writer's commit went into the old one.
        """
        if opened is None:
            return
        if self.identity() != opened:
            raise OSError(errno.ESTALE, "the database file was replaced", self.path)
        count = self._count_of_errors()
        if count != self._errors:
            # Only this commit is in doubt: a file system may go on after an error.
            self._errors = count
            raise OSError(errno.EIO, "the file system had an error during the commit", self.path)

    def move_log_of_replaced_file(self) -> None:
        """To be called before a connection is opened. Raises OSError where the log cannot be moved."""
        with self._lock:
            now = self.identity()
            if now is None or self._opened in (None, now):
                return
            log.warning("the database file was replaced while the board runs: reports go into the new one")
            for ending, opened in self._logs.items():
                beside = f"{self.path}{ending}"
                # A log that came with the new file stays.
                if opened is None or _identity(beside) != opened:
                    continue
                if ending == _LOG_INDEX or not os.path.getsize(beside):  # noqa: PTH202 - a path by name, as SQLite's
                    os.unlink(beside)  # noqa: PTH108
                    continue
                kept = f"{beside}-replaced-{opened[1]}"
                os.rename(beside, kept)  # noqa: PTH104
                log.error("the old file's last changes may be in %s: it belongs to the file that was replaced", kept)
            self._opened = None

    def note_opened(self, connection: sqlite3.Connection) -> Identity:
        """Remember what a new connection has opened; gives the file's identity."""
        with self._lock:
            # The first read opens the log, or makes it.
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
            now = self.identity()
            if now != self._opened:
                # Not for every connection: one that a reader opens would hide an error from the writer's commit.
                self._errors_file = _errors_file_of(now)
                self._errors = self._count_of_errors()
            self._opened = now
            self._logs = {ending: _identity(f"{self.path}{ending}") for ending in (_LOG, _LOG_INDEX)}
            return self._opened

    def _count_of_errors(self) -> bytes:
        """How many errors ext4 has met on the file's disk; b"" on another file system."""
        if not self._errors_file:
            return b""
        try:
            with open(self._errors_file, "rb", buffering=0) as file:  # noqa: PTH123 - after every transaction
                return file.read()
        except OSError:
            return b""


def _errors_file_of(opened: Identity) -> str:
    """Where ext4 counts its errors for the disk of a file; "" on another file system or system."""
    if opened is None:
        return ""
    device = os.path.realpath(f"/sys/dev/block/{os.major(opened[0])}:{os.minor(opened[0])}")
    path = f"/sys/fs/ext4/{os.path.basename(device)}/errors_count"  # noqa: PTH119
    return path if os.path.exists(path) else ""  # noqa: PTH110


def write_back(connection: sqlite3.Connection) -> None:
    """Write the log of a replaced file back into that file, which its owner may still have under another name."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _identity(path: str) -> Identity:
    try:
        found = os.stat(path)  # noqa: PTH116 - before every transaction, and a Path costs more than the question
    except OSError:
        return None
    return found.st_dev, found.st_ino
