"""Pages that come for their streams all at once: each has its turn, and reports do not wait for them."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from dashboard.web.parts import OPENED_AT_ONCE, STREAMS, Callboard
from tests.reports import WEBHOOK, report
from tests.running import RunningBoard

MANY = 5 * OPENED_AT_ONCE


async def opened(app: Callboard, pages: AsyncExitStack, path: str) -> int:
    """The status of a page's stream, once its answer has begun; it stays open as long as `pages`."""
    connection: Any = app.test_client().request(path)
    await pages.enter_async_context(connection)
    pages.push_async_callback(connection.disconnect)
    await connection.send_complete()
    async with asyncio.timeout(5):
        await connection.receive()
    return int((await connection.as_response()).status_code)


@pytest.mark.parametrize("path", STREAMS)
async def test_open_streams_keep_no_turn(app: Callboard, path: str) -> None:
    async with AsyncExitStack() as pages:
        for _ in range(MANY):
            assert await opened(app, pages, f"{path}?period=today") == 200


async def test_streams_that_are_refused_keep_no_turn(app: Callboard) -> None:
    client = app.test_client()
    answers = await asyncio.gather(*(client.get("/live?period=never") for _ in range(MANY)))
    assert {answer.status_code for answer in answers} == {400}
    async with AsyncExitStack() as pages:
        assert await opened(app, pages, "/live") == 200


async def test_a_stream_whose_opening_fails_keeps_no_turn(app: Callboard, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(app.streams, "has_room", None)
        answers = await asyncio.gather(*(app.test_client().get("/live") for _ in range(MANY)))
    assert {answer.status_code for answer in answers} == {503}
    async with AsyncExitStack() as pages:
        assert await opened(app, pages, "/live") == 200


async def test_reports_and_pages_do_not_wait_for_those_whose_turn_it_is(app: Callboard) -> None:
    turns = [await app.requests.streams.enter("another visitor") for _ in range(OPENED_AT_ONCE)]
    async with AsyncExitStack() as pages:
        waiting = asyncio.create_task(opened(app, pages, "/live?after=0"))
        client = app.test_client()
        assert (await client.post(WEBHOOK, data=report("a"))).status_code == 200
        assert (await client.get("/")).status_code == 200
        # Nobody keeps a turn by sending slowly: only a GET has to wait for one.
        assert (await client.post("/live")).status_code == 405
        assert not waiting.done()
        turns[0].release()
        assert await waiting == 200


def test_a_stream_that_is_asked_for_its_head_alone_leaves_its_connection_to_the_next(
    start_board: Callable[..., RunningBoard],
) -> None:
    board = start_board()
    connection = http.client.HTTPConnection("127.0.0.1", board.port, timeout=5)
    for number, path in enumerate(STREAMS):
        connection.request("HEAD", f"{path}?period=today")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Type"], answer.read()) == (200, "text/event-stream", b"")
        connection.request("POST", WEBHOOK, report(f"after {number}"))
        stored = connection.getresponse()
        assert (stored.status, b"Webhook received" in stored.read()) == (200, True)
    connection.close()
