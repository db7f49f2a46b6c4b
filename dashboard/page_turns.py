"""Page requests begin one at a time, when the event loop has nothing else to do or at a slow pace: for the reports."""

from __future__ import annotations

import asyncio
from collections import deque

FREE_TURN_SECONDS = 0.0002
"""A turn of the loop that takes no longer had nothing to do."""
PACE_SECONDS = 0.012
"""How often a page begins where every turn of the loop has something to do."""


class PageTurns:
    """Lets one caller go on when the loop has nothing else to do, or has let none go on for a while.

    A report takes some ten turns of the loop from its first byte to its answer. Where every turn began hundreds of page
    requests, each of these turns took 50 ms.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_taken = False
        self._turned = self._given = 0.0

    async def enter(self) -> None:
        """Wait until it is the caller's turn: at once where no one has had one since the loop was free."""
        if not self._is_taken:
            self._give(None)
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        await place

    def _give(self, place: asyncio.Future[None] | None) -> None:
        loop = asyncio.get_running_loop()
        self._is_taken = True
        self._turned = self._given = loop.time()
        if place is not None:
            place.set_result(None)
        loop.call_soon(self._look)

    def _look(self) -> None:
        """Runs in every turn of the loop until the next caller may go on."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        was_free = now - self._turned < FREE_TURN_SECONDS
        self._turned = now
        if not was_free and now - self._given < PACE_SECONDS:
            loop.call_soon(self._look)
            return
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # cancelled: its connection was cut
                self._give(place)
                return
        self._is_taken = False
