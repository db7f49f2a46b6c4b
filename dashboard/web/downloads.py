"""How many exports and recordings are under way: each reads the database or the disk until its reader has all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

EXPORT, RECORDING = "export", "recording"
# Of one visitor, and in all: of the four readers of the database, one is left for pages and streams.
_MOST = {EXPORT: (2, 3), RECORDING: (20, 60)}


class TooManyDownloads(Exception):
    """This visitor, or all together, have as many under way as there may be."""


class Downloads:
    """Counts what is under way in one process."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._in_all: Counter[str] = Counter()

    @contextmanager
    def counted(self, kind: str, who: str) -> Iterator[None]:
        """Count one until it has been sent. Raises TooManyDownloads."""
        each, at_once = _MOST[kind]
        if self._counts[kind, who] >= each or self._in_all[kind] >= at_once:
            raise TooManyDownloads
        self._counts[kind, who] += 1
        self._in_all[kind] += 1
        try:
            yield
        finally:
            self._in_all[kind] -= 1
            self._counts[kind, who] -= 1
            if not self._counts[kind, who]:
                del self._counts[kind, who]
