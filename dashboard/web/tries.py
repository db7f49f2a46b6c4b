"""The tries that never arrived, counted now and then: of a million calls it takes a second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from dashboard.database import Database, kind_of
from dashboard.store.tries import LoneTry, lone_tries

log = logging.getLogger(__name__)

# What is counted is days old: nobody is waiting for it.
KEEP_SECONDS = 300.0
# A page waits no longer for it than it does for anything else.
_PATIENCE_SECONDS = 0.3


class Tries:
    """One process's count, made anew in the background when somebody asks and it is too old."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Sequence[LoneTry] | None = None
        self._since = self._counted_since = 0
        self._until = 0.0
        self._counting: asyncio.Task[None] | None = None

    async def known(self, since: int) -> Sequence[LoneTry] | None:
        """The calls from a moment on whose try before them never arrived; None until they have been counted once."""
        self._since = since
        if self._counting is None and (since != self._counted_since or time.monotonic() >= self._until):
            self._counting = asyncio.create_task(self._count(), name="counting tries")
        if self._counting is not None:
            await asyncio.wait((self._counting,), timeout=_PATIENCE_SECONDS)
        return self._known

    async def _count(self) -> None:
        since = self._since
        try:
            self._known = await self._database.read(partial(lone_tries, since=since))
            self._counted_since, self._until = since, time.monotonic() + KEEP_SECONDS
        except (SQLAlchemyError, OSError) as problem:
            log.warning("tries that never arrived cannot be counted: %s", kind_of(problem))
        finally:
            self._counting = None
