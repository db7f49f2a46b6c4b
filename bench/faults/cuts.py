"""Pages cut at random moments between page, stream and reconnect, over sockets: each ends equal to the table."""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from html import unescape

from bench.faults.client import Client, canary_report, new_board
from bench.faults.ledger import Ledger
from bench.faults.table import Run
from tests.events import read_events
from tests.running import RunningBoard

CALLS = 40  # fewer than a page has room for, so that page and table can be compared as wholes
CAMPAIGNS = ("north", "south")
PAGES = 10
CHANGES_A_SECOND = 40.0
SETTLED_WITHIN = 10.0
_ROW = re.compile(r'<tr id="call-(\d+)" class=.*?</tr>', re.DOTALL)
_GONE = re.compile(r'<tr id="call-(\d+)" data-gone')
_STREAM = re.compile(r'hx-sse:connect="([^"]+)"')
_VERSION = re.compile(r"version \d+")

Shown = dict[int, str]
"""The words of each row that tell one change from another, by the call's id."""


@dataclass
class CutPage:
    """What a browser makes of page and stream, cut whenever chance will have it."""

    port: int
    query: str
    chance: random.Random
    shown: Shown = field(default_factory=dict)
    stream: str = ""
    last_id: str = ""
    cuts: int = 0
    heard: int = 0
    """events that a stream brought; none, and the page loaded is all that was looked at"""

    async def live(self, settled: asyncio.Event) -> None:
        """Load, read, be cut, come back; once `settled` no more cuts, until cancelled."""
        await self._load()
        while True:
            if self.chance.random() < 0.1:
                await self._load()
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(None if settled.is_set() else self.chance.expovariate(5)):
                    await self._read()
            self.cuts += 1

    async def _load(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET /{self.query} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        text = (await reader.read(-1)).decode()
        writer.close()
        self.shown = {int(row[1]): version_of(row[0]) for row in _ROW.finditer(text)}
        found = _STREAM.search(text)
        assert found, f"the page has no stream: {text[:200]}"
        self.stream, self.last_id = unescape(found[1]), ""

    async def _read(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            since = f"Last-Event-ID: {self.last_id}\r\n" if self.last_id else ""
            writer.write(f"GET {self.stream} HTTP/1.1\r\nHost: 127.0.0.1\r\n{since}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            rest = b""
            while head.startswith(b"HTTP/1.1 200"):
                # A chunk may end anywhere in an event: what has no blank line yet is not one.
                size = int(await reader.readuntil(b"\r\n"), 16)
                rest += (await reader.readexactly(size + 2))[:-2]
                whole, blank, rest = rest.rpartition(b"\n\n")
                await self._take(whole + blank)
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.transport.abort()

    async def _take(self, data: bytes) -> None:
        events, last_id = read_events(data)
        self.last_id = last_id or self.last_id
        self.heard += len(events)
        for event in events:
            if event.type == "reload":
                await self._load()
                raise ConnectionResetError("on to the new page's stream")
            if gone := _GONE.search(event.data):
                self.shown.pop(int(gone[1]), None)
            else:
                self.shown |= {int(row[1]): version_of(row[0]) for row in _ROW.finditer(event.data)}


def version_of(row: str) -> str:
    """The customer's name as the row shows it: it says which change of the call this is."""
    found = _VERSION.search(row)
    return found[0] if found else ""


def measure(run: Run) -> None:
    board = new_board(run.place("cuts"))
    board.start()
    try:
        cuts, wrong, deaf = asyncio.run(_cut(board, run.choose(100, 1_000)))
    finally:
        board.end()
    what = f"{cuts:,} random cuts between page, stream and reconnect, {PAGES} pages with and without filter"
    figure = f"{wrong} pages unlike the table, {deaf} whose stream brought nothing"
    run.row(what, figure, "0, 0", not wrong and not deaf)


async def _cut(board: RunningBoard, wanted: int) -> tuple[int, int, int]:
    """The number of cuts, of pages that were not the table's equal ten seconds after the last change, of deaf ones."""
    chance, settled = random.Random(11), asyncio.Event()
    queries = ["", *(f"?campaign={name}" for name in CAMPAIGNS)]
    client = Client(board.port, Ledger(), stays=True)
    await _change(client, chance, 0)
    pages = [CutPage(board.port, queries[n % len(queries)], random.Random(n)) for n in range(PAGES)]
    tasks = [asyncio.create_task(page.live(settled)) for page in pages]
    number = 0
    while sum(page.cuts for page in pages) < wanted:
        number += 1
        await _change(client, chance, number)
        await asyncio.sleep(1 / CHANGES_A_SECOND)
    settled.set()
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLED_WITHIN):
            while unlike(pages, board):  # noqa: ASYNC110 - ten pages, no single event
                await asyncio.sleep(0.1)
    cuts, wrong = sum(page.cuts for page in pages), unlike(pages, board)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    client.close()
    return cuts, wrong, sum(not page.heard for page in pages)


async def _change(client: Client, chance: random.Random, number: int) -> None:
    sid = f"cut {chance.randrange(CALLS)}"
    name = {"name": f"version {number}"}
    body = canary_report(sid, batchId=chance.choice(CAMPAIGNS), call_metadata=name)
    assert await client.post(sid, body) == 200, "a report was not taken"


def unlike(pages: list[CutPage], board: RunningBoard) -> int:
    """How many of the pages show anything but what the table has for their filter."""
    with closing(sqlite3.connect(board.database_file)) as file:
        rows = file.execute("SELECT id, campaign, customer_name FROM call").fetchall()
    wrong = 0
    for page in pages:
        campaign = page.query.partition("=")[2]
        wrong += page.shown != {call_id: name for call_id, of, name in rows if campaign in ("", of)}
    return wrong
