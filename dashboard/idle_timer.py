"""Closes connections on which no request comes: a new one soon, one that has asked something much later."""

from __future__ import annotations

import asyncio

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

    A task that is started, cancelled and waited for with each request took a twentieth of what a report takes.
    """

    def __init__(self, writer: asyncio.StreamWriter, idle: set[asyncio.StreamWriter], *, is_short: bool) -> None:
        """`idle` is where the connection is kept while it waits."""
        self._writer = writer
        self._idle = idle
        self._is_short = is_short
        self._timer: asyncio.TimerHandle | None = None
        self._seconds = HEADER_SECONDS

    def start(self) -> None:
        self._idle.add(self._writer)
        seconds = CROWDED_SECONDS if self._is_short else self._seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._writer.close)

    async def restart(self, *_: object) -> None:
        """What Hypercorn calls once before the first request is read, and after each answer."""
        await self.stop()
        self.start()
        self._seconds = KEEP_ALIVE_SECONDS

    async def stop(self) -> None:
        self._idle.discard(self._writer)
        if self._timer is not None:
            self._timer.cancel()
