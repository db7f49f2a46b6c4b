"""Several processes on one database: every page hears of every call, whichever process took it in."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path

import httpx
import psycopg

from tests.postgres import PostgresServer
from tests.reports import WEBHOOK, report
from tests.running import RunningBoard

CEILING = 30.0
WRITERS = 8
Start = Callable[..., RunningBoard]


class Page:
    """An open page's stream: which change of which call it was sent, and how often."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[int, int]] = Counter()
        self.news = asyncio.Event()
        self.ended = False

    async def read(self, lines: AsyncIterator[str]) -> None:
        number, text, name = 0, "", ""
        async for line in lines:
            field, _, value = line.partition(": ")
            if field == "id":
                number = int(value)
            elif field == "event":
                name = value
            elif field == "data":
                text += value
            elif not line:
                assert name != "reload"
                if shown := re.search(r'id="call-(\d+)"', text):
                    self.seen[int(shown[1]), number] += 1
                    self.news.set()
                text = name = ""
        self.ended = True

    async def until_seen(self, newest: Iterable[tuple[int, int]]) -> None:
        """Until every call came in its final state."""
        missing = set(newest)
        try:
            async with asyncio.timeout(CEILING):
                while missing := missing - self.seen.keys():
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise AssertionError(
                f"{len(missing)} calls never came: {sorted(missing)[:5]}; ended: {self.ended}"
            ) from None


@asynccontextmanager
async def open_page(board: RunningBoard, client: httpx.AsyncClient, path: str = "/live?after=0") -> AsyncIterator[Page]:
    page = Page()
    async with client.stream("GET", board.url + path) as response:
        assert response.status_code == 200
        reading = asyncio.create_task(page.read(response.aiter_lines()))
        try:
            yield page
            assert not page.ended
        finally:
            reading.cancel()
            await asyncio.wait([reading])
    assert reading.cancelled()


@asynccontextmanager
async def open_pages(*boards: RunningBoard) -> AsyncIterator[tuple[httpx.AsyncClient, list[Page]]]:
    """Three pages on each board, and a client that posts."""
    async with AsyncExitStack() as open_now:
        client = await open_now.enter_async_context(httpx.AsyncClient(timeout=30))
        opened = [open_page(board, client) for board in boards for _ in range(3)]
        yield client, [await open_now.enter_async_context(page) for page in opened]


async def write(client: httpx.AsyncClient, boards: list[RunningBoard], writer: int, enough: asyncio.Event) -> list[str]:
    """Post calls to the boards in turn, every second one twice with a change; gives the acknowledged callSids."""
    acknowledged: list[str] = []
    number = 0
    while number < 10 or not enough.is_set():
        number += 1
        sid = f"{writer} {number}"
        bodies = [report(sid)] if number % 2 else [report(sid), report(sid, agent="changed")]
        for place, body in enumerate(bodies, number):
            await post_until_stored(client, boards[place % len(boards)], body)
        acknowledged.append(sid)
        # A steady load, whatever the machine.
        with suppress(TimeoutError):
            await asyncio.wait_for(enough.wait(), 0.05)
    return acknowledged


async def post_until_stored(client: httpx.AsyncClient, board: RunningBoard, body: bytes) -> None:
    async with asyncio.timeout(CEILING):
        while (await client.post(board.url + WEBHOOK, content=body)).status_code != 200:
            pass


def calls_in(url: str) -> dict[str, tuple[int, int]]:
    """What plain SQL finds: (id, seq) by callSid."""
    with psycopg.connect(url) as server:
        rows = server.execute('SELECT call_sid, id, seq FROM "call"').fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    return {sid: (call_id, seq) for sid, call_id, seq in rows}


async def seconds_until_seen(pages: list[Page], newest: Iterable[tuple[int, int]]) -> float:
    began = time.monotonic()
    for page in pages:
        await page.until_seen(newest)
    return time.monotonic() - began


async def figure_of(client: httpx.AsyncClient, board: RunningBoard, name: str) -> int:
    page = (await client.get(board.url)).text
    found = re.search(rf'data-figure="{name}" data-value="(\d+)"', page)
    assert found, page[:500]
    return int(found[1])


async def until_figure_is(client: httpx.AsyncClient, board: RunningBoard, name: str, value: int) -> None:
    async with asyncio.timeout(CEILING):
        while await figure_of(client, board, name) != value:
            pass


async def test_two_servers_on_one_postgresql_show_every_page_every_call_once_also_across_restarts_of_it(
    postgres: PostgresServer, postgres_url: str, start_board: Start
) -> None:
    start = partial(asyncio.to_thread, start_board, DASHBOARD_DATABASE_URL=postgres_url)
    boards = [await start(), await start()]
    async with open_pages(*boards) as (client, pages):
        enough = asyncio.Event()
        writing = [asyncio.create_task(write(client, boards, writer, enough)) for writer in range(WRITERS)]
        for mode in ("fast", "immediate"):
            await pages[0].until_seen(settled_calls(postgres_url))
            await asyncio.to_thread(postgres.restart, mode)
            # Back by itself: whatever a writer posts from here on is stored.
            await post_until_stored(client, boards[1], report(f"after {mode}"))
        enough.set()
        acknowledged = {sid for each in await asyncio.gather(*writing) for sid in each}
        stored = calls_in(postgres_url)
        assert set(stored) == acknowledged | {"after fast", "after immediate"}
        for page in pages:
            await page.until_seen(stored.values())
            assert [page.seen[newest] for newest in stored.values()] == [1] * len(stored)
            assert set(page.seen.values()) == {1}
        for board in boards:
            await until_figure_is(client, board, "calls", len(stored))


def settled_calls(url: str) -> list[tuple[int, int]]:
    """The calls so far that no writer will change any more."""
    return [newest for sid, newest in calls_in(url).items() if sid.endswith((" 1", " 3"))]


async def command(board: RunningBoard, *arguments: str) -> str:
    """A command beside the running server, as a person would type it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dashboard", *arguments, env=board.environment, stdout=subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), CEILING)
    assert process.returncode == 0
    return said.decode().strip()


async def test_a_file_imported_and_a_rebuild_beside_a_server_on_sqlite_show_on_its_pages_within_about_a_second(
    start_board: Start, tmp_path: Path
) -> None:
    board = await asyncio.to_thread(start_board)
    file = tmp_path / "reports.jsonl"
    # Fewer than a page catches up with at once.
    lines = [report(f"imported {number}") for number in range(400)]
    file.write_bytes(b"\n".join([*lines, b"", b"{", lines[0]]) + b"\n")
    async with open_pages(board) as (client, pages):
        enough = asyncio.Event()
        writing = [asyncio.create_task(write(client, [board], writer, enough)) for writer in range(2)]
        imported, rebuilt = await asyncio.gather(command(board, "import", str(file)), command(board, "rebuild"))
        assert imported.splitlines()[0] == "Taken in: 1 duplicate, 400 new, 1 unreadable"
        assert rebuilt.endswith("; 0 rows were not as their reports tell.")
        sids = {json.loads(line)["data"]["callSid"] for line in lines}
        newest = [newest for sid, newest in sqlite_calls(board).items() if sid in sids]
        assert await seconds_until_seen(pages, newest) < 1.5
        enough.set()
        acknowledged = {sid for each in await asyncio.gather(*writing) for sid in each}
        assert set(sqlite_calls(board)) == acknowledged | sids

        damage(board, "UPDATE \"call\" SET agent = 'damaged', duration_seconds = 1 WHERE id <= 10")
        assert (await command(board, "rebuild")).endswith("; 10 rows were not as their reports tell.")
        stored = sqlite_calls(board)
        assert await seconds_until_seen(pages, stored.values()) < 1.5
        for page in pages:
            assert [page.seen[newest] for newest in stored.values()] == [1] * len(stored)
        await until_figure_is(client, board, "calls", len(stored))
        await until_figure_is(client, board, "talk", 120 * len(stored))


def sqlite_calls(board: RunningBoard) -> dict[str, tuple[int, int]]:
    with closing(sqlite3.connect(board.database_file)) as file:
        rows = file.execute('SELECT call_sid, id, seq FROM "call"').fetchall()
    return {sid: (call_id, seq) for sid, call_id, seq in rows}


def damage(board: RunningBoard, statement: str) -> None:
    with closing(sqlite3.connect(board.database_file, timeout=10)) as file, file:
        file.execute(statement)
