"""Closes connections on which no request comes: a new one soon, one that has asked something much later."""

from __future__ import annotations

import asyncio
import math

HEADER_SECONDS = 5.0
"""How long a new connection may take to send its first request's headers: slow-header attacks hold it no longer."""

KEEP_ALIVE_SECONDS = 75.0
"""How long a connection that has asked something may wait between requests.

Longer than the pools of those who call (httpx 5 s, aiohttp 15 s, nginx 60 s): the caller must be the one who closes,
or a report is sent into a connection that is just being closed, and the platform documents no second attempt.
"""

CROWDED_SECONDS = 0.5
"""How long a connection that comes when descriptors run short may take to ask; it is closed after the answer."""


class IdleTimer:
    """Closes a connection on which no request came in time: in place of the task that Hypercorn starts for it.

    A task that is started, cancelled and awaited with each request took a twentieth of what a report takes. One timer
    serves many requests: when it fires too early it is set again.
    """

    def __init__(self, writer: asyncio.StreamWriter, idle: set[asyncio.StreamWriter], *, is_short: bool) -> None:
        """`idle` is where the connection is kept while it waits."""
        self._writer = writer
        self._idle = idle
        self._is_short = is_short
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._until = math.inf
        """When the connection is closed, by the loop's clock; never while a request is answered."""
        self._seconds = HEADER_SECONDS

    def start(self) -> None:
        self._idle.add(self._writer)
        self._until = self._loop.time() + (CROWDED_SECONDS if self._is_short else self._seconds)
        if self._timer is None or self._timer.when() > self._until:
            self._set()

    async def restart(self, *_: object) -> None:
        """What Hypercorn calls once before the first request is read, and after each answer."""
        self.start()
        self._seconds = KEEP_ALIVE_SECONDS

    async def stop(self) -> None:
        self._idle.discard(self._writer)
        self._until = math.inf

    def end(self) -> None:
        """The connection is closed: nothing is left to do."""
        self._idle.discard(self._writer)
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._until, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._loop.time() >= self._until:
            self._writer.close()
        elif self._until < math.inf:
            self._set()
