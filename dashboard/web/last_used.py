"""When sessions and tokens were last used: written in the background, because no answer depends on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from dashboard.database import Database, kind_of

log = logging.getLogger(__name__)

Step = Callable[[Session], None]

MOST_NOTES = 1_000
FINISH_SECONDS = 1.0
"""How long the end of the process waits for the notes that are being written."""


class LastUsed:
    """One process's notes that are not yet written. A note may be lost: the next use brings another one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._notes: dict[bytes | int, Step] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, key: bytes | int, step: Step) -> None:
        """Have `step` written soon, in place of an earlier note of this session (bytes) or token (int)."""
        if key in self._notes or len(self._notes) < MOST_NOTES:
            self._notes[key] = step
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="last used")

    async def finish(self) -> None:
        """Wait for what is being written, but not for long."""
        if self._writing is not None:
            await asyncio.wait((self._writing,), timeout=FINISH_SECONDS)
        if self._writing is not None:
            self._writing.cancel()

    async def _write(self) -> None:
        """All notes that have come meanwhile are one transaction."""
        try:
            while self._notes:
                steps = list(self._notes.values())
                self._notes.clear()
                await self._database.write(partial(_take, steps=steps))
        except (SQLAlchemyError, OSError) as problem:
            log.warning("when sessions and tokens were last used cannot be written: %s", kind_of(problem))
            # Written later, an old note could follow a newer one of another process.
            self._notes.clear()
        finally:
            self._writing = None


def _take(session: Session, steps: Iterable[Step]) -> None:
    for step in steps:
        step(session)
