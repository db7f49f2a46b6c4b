"""The folder of kept recordings: bytes in, a name made of them out. Knows neither their origin nor who listens."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from dashboard.disk import MIB, free_bytes, sync_folder

GIB = 1024**3
_NAME = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = ".part"
_PIECE = 256 * 1024
_HEAD_BYTES = 4096


class DiskLow(Exception):
    """The disk is kept free for reports; the text says how much is left and what to do."""


class Kept(NamedTuple):
    name: str
    """sha256 of the bytes, in hex"""
    size: int
    """bytes"""


class Keep:
    """Recordings under `folder`, each at `ab/abcd…`, named by its bytes: no name ever comes from outside.

    `low_water`: bytes of the disk that recordings leave free, because taking in reports outranks them (decision 12);
    by default 1 GiB, or 5 % of a disk smaller than 20 GiB.
    """

    def __init__(self, folder: Path, low_water: int | None = None) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.low_water = min(GIB, shutil.disk_usage(folder).total // 20) if low_water is None else low_water

    def path(self, name: str) -> Path:
        """Where the recording of this name lies, if it is kept. Raises ValueError for anything but 64 hex digits."""
        if not _NAME.fullmatch(name):
            raise ValueError("A recording's name is 64 hex digits.")
        return self.folder / name[:2] / name

    def free_bytes(self) -> int:
        return free_bytes(self.folder)

    def check_room(self, coming: int = 0) -> None:
        """Raises DiskLow where `coming` more bytes would take the disk below the low water."""
        free = self.free_bytes()
        if free - coming < self.low_water:
            raise DiskLow(
                f"The disk has {free // MIB:,} MiB left and {self.low_water // MIB:,} MiB are kept free for reports, "
                "so the recording was not kept. Free some space."
            )

    @asynccontextmanager
    async def incoming(self) -> AsyncIterator[Incoming]:
        """A recording on its way to the disk; what is not kept by the end is removed. Raises DiskLow, OSError."""
        draft = _Draft(self)
        try:
            await asyncio.to_thread(draft.open)
            yield Incoming(draft)
        finally:
            # Shielded: a time limit cancels us here, and a cancelled job that still waits for a thread would never run.
            await asyncio.shield(asyncio.to_thread(draft.discard))

    async def remove(self, name: str, *, rest_seconds: float = 0) -> bool:
        """Whether it is gone: one that was put here within so many seconds stays."""
        return await asyncio.to_thread(_remove_if_rested, self.path(name), rest_seconds)

    def names(self) -> Iterator[list[str]]:
        """The names of all that is kept, one part of the folder after the other."""
        for part in (f"{number:02x}" for number in range(256)):
            names = (path.name for path in (self.folder / part).glob("*"))
            if kept := [name for name in names if _NAME.fullmatch(name) and name.startswith(part)]:
                yield kept

    async def sweep(self) -> int:
        """Remove what a crash left half-written; returns how many files. Safe while another process is writing."""
        return await asyncio.to_thread(self._sweep)

    def _sweep(self) -> int:
        return sum(_remove_if_abandoned(path) for path in self.folder.glob(f"*{_UNFINISHED}"))


class Incoming:
    """One recording on its way to the disk. Every method raises DiskLow and OSError."""

    def __init__(self, draft: _Draft) -> None:
        self._draft = draft
        self._waiting = bytearray()
        self.head = b""
        """The first few kilobytes."""
        self.size = 0
        """Bytes that were given so far."""

    async def write(self, chunk: bytes) -> None:
        """Add some bytes; they go to the disk in large pieces, for each one costs a thread's turn."""
        self.size += len(chunk)
        self._waiting += chunk
        if len(self.head) < _HEAD_BYTES:
            self.head += chunk[: _HEAD_BYTES - len(self.head)]
        if len(self._waiting) >= _PIECE:
            await self._write_out()

    async def path(self) -> Path:
        """Where all that was given can be read."""
        await self._write_out()
        await asyncio.to_thread(self._draft.flush)
        return self._draft.path

    async def keep(self) -> Kept:
        """Keep it under the name made of its bytes; back once it is safe on the disk."""
        await self._write_out()
        return await asyncio.to_thread(self._draft.finish)

    async def _write_out(self) -> None:
        piece = bytes(self._waiting)
        self._waiting.clear()
        if piece:
            await asyncio.to_thread(self._draft.write, piece)


class _Draft:
    """The file of an incoming recording; every method is called in a thread.

    The lock is for cancellation, which leaves the thread of an awaited `to_thread()` running: discard() could find no
    file yet and open() make it afterwards, or it could close the file while finish() still uses its descriptor, which
    by then may be another file's.
    """

    def __init__(self, keep: Keep) -> None:
        self.keep = keep
        self.path = keep.folder / f"{secrets.token_hex(16)}{_UNFINISHED}"
        self.lock = threading.Lock()
        self.digest = hashlib.sha256()
        self.size = 0
        self.file: BinaryIO | None = None
        self.over = False

    def open(self) -> None:
        with self.lock:
            if self.over:
                raise ValueError("This recording was given up before its file was made.")
            self.keep.check_room()
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            self.file = os.fdopen(descriptor, "wb")
            # Ends with this process, however it ends: so sweep() tells a crash's leftover from a recording coming in.
            fcntl.flock(descriptor, fcntl.LOCK_EX)

    def write(self, chunk: bytes) -> None:
        with self.lock:
            assert self.file is not None
            self.keep.check_room(len(chunk))
            self.file.write(chunk)
            self.digest.update(chunk)
            self.size += len(chunk)

    def flush(self) -> None:
        with self.lock:
            assert self.file is not None
            self.file.flush()

    def finish(self) -> Kept:
        with self.lock:
            assert self.file is not None
            self.file.flush()
            os.fsync(self.file.fileno())
            name = self.digest.hexdigest()
            place = self.keep.path(name)
            place.parent.mkdir(mode=0o700, exist_ok=True)
            self.path.replace(place)
            self.over = True
            self.file.close()
            sync_folder(place.parent)
            sync_folder(self.keep.folder)
            return Kept(name, self.size)

    def discard(self) -> None:
        with self.lock:
            if self.file is not None and not self.over:
                # Closing writes out what is buffered, and a full disk says so once more.
                with contextlib.suppress(OSError):
                    self.file.close()
                self.path.unlink(missing_ok=True)
            self.over = True


def _remove_if_rested(path: Path, rest_seconds: float) -> bool:
    with contextlib.suppress(FileNotFoundError):
        # A clock that was put back must not keep a file for years: what comes from the future has rested.
        if 0 <= time.time() - path.stat().st_mtime < rest_seconds:
            return False
        path.unlink()
    return True


def _remove_if_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
