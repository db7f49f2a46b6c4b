"""What a rename needs before it is said to be kept, and how much room a disk has left. Imports nothing of the house."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

MIB = 1024**2
_LOOK_SECONDS = 1.0


def sync_folder(folder: Path) -> None:
    """Without this a power cut may take a rename back, though the file's own bytes are on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write there. Raises OSError."""
    return shutil.disk_usage(folder).free


class Reserve:
    """Room that reports leave on the disk of the database: SQLite folds its log back with it, and a person mends it.

    Asked for every report; looks once a second at most.
    """

    def __init__(self, folder: Path | None, reserve: int, *, free: Callable[[Path], int] = free_bytes) -> None:
        """`reserve` in bytes. Without a folder (the database is elsewhere) there is always room."""
        self.reserve = reserve
        self._folder = folder if reserve else None
        self._look = free
        self._free = 0
        self._known_until = -math.inf

    @property
    def free(self) -> int:
        """Bytes, as of a second ago at most; 0 where nothing is watched."""
        if self._folder is not None and time.monotonic() >= self._known_until:
            self._known_until = time.monotonic() + _LOOK_SECONDS
            try:
                self._free = self._look(self._folder)
            except OSError:
                # The folder is gone or the disk is: the database says so itself, better than a guess here.
                self._free = self.reserve
        return self._free

    def is_short(self) -> bool:
        """Whether nothing more should be written."""
        return self._folder is not None and self.free < self.reserve
