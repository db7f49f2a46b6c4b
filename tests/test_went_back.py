"""A database that comes back without its last commits, as after a failover to a standby that lagged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from dashboard.database import Database
from dashboard.database.clock import epoch_of, head_of, tick
from dashboard.filters import CallFilter
from dashboard.web.parts import Callboard
from tests.reports import WEBHOOK, report
from tests.stored import sql

CEILING = 20.0


def lose_the_last(database: Database, number: int) -> None:
    """What a server does not have that was promoted before the last commits reached it."""
    sql(
        database,
        f'DELETE FROM "call" WHERE seq >= {number}',
        f"DELETE FROM inbox WHERE id >= {number}",
        f"UPDATE clock SET seq = {number - 1}",
    )


def test_no_number_is_given_out_twice_by_a_process_that_has_seen_it(database: Database) -> None:
    assert database.write_now(partial(tick, numbers=5)) == 1
    epoch = database.read_now(epoch_of)
    sql(database, "UPDATE clock SET seq = 2")
    assert database.write_now(partial(tick, numbers=1)) > 5
    assert database.read_now(epoch_of) != epoch
    after = database.read_now(head_of)
    assert database.write_now(partial(tick, numbers=2)) == after + 1


async def until_it_reloads(page: AsyncIterator[bytes]) -> None:
    async for chunk in page:
        if b"reload" in chunk:
            return
    raise AssertionError("the page was never asked to load again")


async def test_calls_that_are_lost_leave_the_index_and_open_pages_load_again(app: Callboard) -> None:
    client = app.test_client()
    for number in range(3):
        assert (await client.post(WEBHOOK, data=report(f"call {number}", batchId=f"of {number}"))).status_code == 200
    await until(lambda: app.feed.head == 3)
    epoch = app.feed.epoch
    page = app.streams.follow(CallFilter(), 3, epoch=epoch)
    following = asyncio.create_task(until_it_reloads(page))
    await asyncio.to_thread(lose_the_last, app.database, 2)
    await until(lambda: app.feed.epoch != epoch)
    assert len(app.feed.index) == 1
    assert set(app.feed.masked_names._shown["campaign"]) == {"of 0"}
    assert app.feed.head > 3
    async with asyncio.timeout(CEILING):
        await following
    assert (await client.post(WEBHOOK, data=report("after"))).status_code == 200
    await until(lambda: len(app.feed.index) == 2)


async def until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(_wait, condition)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + CEILING
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
