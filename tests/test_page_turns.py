"""When page requests begin: at once on a free loop, at a pace on a busy one, and in the order in which they came."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from dashboard.page_turns import PACE_SECONDS, PageTurns

CEILING = 10.0


class Pages:
    """Pages that wait for their turn, and the order in which they had it."""

    def __init__(self) -> None:
        self.turns = PageTurns()
        self.begun: list[int] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def _begin(self, number: int) -> None:
        await self.turns.enter()
        self.begun.append(number)

    def come(self, count: int) -> None:
        self.tasks += [asyncio.create_task(self._begin(number)) for number in range(count)]


async def busy_turns(count: int, seconds: float) -> None:
    """Keep the loop at work in each of so many turns."""
    for _ in range(count):
        time.sleep(seconds)  # noqa: ASYNC251 - work that holds the loop
        await asyncio.sleep(0)


async def test_a_page_begins_at_once_on_a_free_loop() -> None:
    pages = Pages()
    pages.come(1)
    await asyncio.sleep(0)
    assert pages.begun == [0]


async def test_on_a_free_loop_all_pages_begin_in_their_order() -> None:
    pages = Pages()
    pages.come(100)
    async with asyncio.timeout(CEILING):
        await asyncio.gather(*pages.tasks)
    assert pages.begun == list(range(100))


async def test_a_busy_loop_begins_a_page_at_a_time() -> None:
    pages = Pages()
    pages.come(100)
    began = time.monotonic()
    await busy_turns(20, 0.001)
    most = 2 + (time.monotonic() - began) / PACE_SECONDS
    assert 1 < len(pages.begun) <= most
    async with asyncio.timeout(CEILING):
        await asyncio.gather(*pages.tasks)


async def test_a_page_that_leaves_while_it_waits_keeps_no_other_waiting() -> None:
    pages = Pages()
    pages.come(5)
    await asyncio.sleep(0)
    pages.tasks[2].cancel()
    async with asyncio.timeout(CEILING):
        for task in pages.tasks:
            with suppress(asyncio.CancelledError):
                await task
    assert pages.begun == [0, 1, 3, 4]
