"""The tries that never arrived, counted now and then: of a million calls it takes a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from dashboard.database import Database
from dashboard.store.tries import LoneTry, lone_tries

# What is counted is days old: nobody is waiting for it.
KEEP_SECONDS = 300.0


class Tries:
    """One process's count, made anew for whoever asks when it is too old."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counting = asyncio.Lock()
        self._known: Sequence[LoneTry] = ()
        self._since = 0
        self._until = 0.0

    async def known(self, since: int) -> Sequence[LoneTry] | None:
        """The calls from a moment on whose try before them never arrived; None while they cannot be counted."""
        async with self._counting:
            if since != self._since or time.monotonic() >= self._until:
                try:
                    self._known = await self._database.read(partial(lone_tries, since=since))
                except (SQLAlchemyError, OSError):
                    return None
                self._since, self._until = since, time.monotonic() + KEEP_SECONDS
            return self._known
