"""Whose streams are open: an ended session's pages go dark within half a minute, not when their laptop is shut."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from weakref import WeakValueDictionary

from sqlalchemy.exc import SQLAlchemyError

from dashboard.database import Database, kind_of
from dashboard.store.accounts import has_accounts, running_sessions
from dashboard.streams import Visit

log = logging.getLogger(__name__)

# The stream then ends with its next heartbeat, ten seconds later at most.
LOOK_SECONDS = 10.0

NOBODY = b""
"""Stands for whoever came while the board had no account, and was open to this machine."""


class Visits:
    """The visits of one process, by session; one read now and then for all of them."""

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        """`now` gives microseconds since 1970."""
        self._database = database
        self._now = now
        # Streams hold their visit: what is here is open.
        self._visits: WeakValueDictionary[bytes, Visit] = WeakValueDictionary()

    def of(self, session: bytes) -> Visit:
        """The visit of this session, shared by all its streams; NOBODY where there is none."""
        visit = self._visits.get(session)
        if visit is None:
            visit = self._visits[session] = Visit()
        return visit

    async def run(self) -> None:
        """Look after the sessions of open streams until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as problem:
                # Nobody is thrown out because the database is away.
                log.warning("open pages wait for the database: %s", kind_of(problem))

    async def look(self) -> None:
        """End the visits whose session has ended, or that came before there was any account."""
        open_now = dict(self._visits)
        if not open_now:
            return
        sessions = [session for session in open_now if session != NOBODY]
        running = await self._database.read(partial(running_sessions, token_hashes=sessions, now=self._now()))
        if NOBODY in open_now and not await self._database.read(has_accounts):
            running.add(NOBODY)
        for session, visit in open_now.items():
            if session not in running:
                visit.has_ended = True
                # Whoever comes back with the same session must not be taken for its ended visit.
                if self._visits.get(session) is visit:
                    del self._visits[session]
