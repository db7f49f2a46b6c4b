"""A hundred pages that stop reading, beside pages that read: `python -m bench.stalled` prints what becomes of both.

Ends with 1 where a promise is broken: a healthy page misses a call, or a stalled one is still held after 30 s.
"""

from __future__ import annotations

import asyncio
import re
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from tests.reports import WEBHOOK, report
from tests.running import RunningBoard

STALLED, HEALTHY = 100, 50
CALLS, PER_SECOND = 800, 40
LET_GO_SECONDS = 30
_ROW = re.compile(rb'<tr id="call-(\d+)"')
REQUEST = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"


class HealthyPage(asyncio.Protocol):
    """Reads everything, and notes when each call came."""

    def __init__(self) -> None:
        self.came: dict[int, float] = {}
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(REQUEST)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        text = self._rest + data
        for call_id in _ROW.findall(text):
            self.came.setdefault(int(call_id), now)
        self._rest = text[-40:]


def stall(port: int) -> socket.socket:
    """A page that asks and then never reads."""
    page = socket.socket()
    page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    page.connect(("127.0.0.1", port))
    page.sendall(REQUEST)
    return page


async def load(board: RunningBoard, name: str, pages: list[HealthyPage]) -> list[float]:
    """Post calls at a steady rate; the milliseconds from each answer to the last healthy page that has the call."""
    answered: dict[int, float] = {}
    first = max(pages[0].came, default=0)
    async with httpx.AsyncClient(base_url=board.url) as client:
        for number in range(CALLS):
            started = time.monotonic()
            body = report(f"{name}{number}", transcription="Agent: a few words\n" * 50)
            (await client.post(WEBHOOK, content=body)).raise_for_status()
            answered[first + number + 1] = started
            await asyncio.sleep(max(0.0, 1 / PER_SECOND - (time.monotonic() - started)))
    async with asyncio.timeout(20):
        while any(len(page.came) < first + CALLS for page in pages):  # noqa: ASYNC110 - fifty pages, no single event
            await asyncio.sleep(0.05)
    return [1000 * (max(page.came[call_id] for page in pages) - sent) for call_id, sent in answered.items()]


async def measure(board: RunningBoard) -> bool:
    loop = asyncio.get_running_loop()
    assert board.process is not None
    process = psutil.Process(board.process.pid)
    pages = [(await loop.create_connection(HealthyPage, "127.0.0.1", board.port))[1] for _ in range(HEALTHY)]
    alone = await load(board, "alone", pages)
    before, began = process.memory_info().rss, process.num_fds()
    stalled = [stall(board.port) for _ in range(STALLED)]
    started = time.monotonic()
    beside = await load(board, "beside", pages)
    grown = process.memory_info().rss - before
    while process.num_fds() > began + 5 and time.monotonic() - started < 2 * LET_GO_SECONDS:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    held = time.monotonic() - started
    for page in stalled:
        page.close()
    complete = all(len(page.came) == 2 * CALLS for page in pages)
    for words, times in (("alone", alone), (f"beside {STALLED} stalled pages", beside)):
        p99 = statistics.quantiles(times, n=100)[98]
        middle = statistics.median(times)
        print(f"{HEALTHY} pages {words}: a call on the last of them after {middle:.0f} ms, p99 {p99:.0f} ms")
    print(f"every call on every healthy page: {'yes' if complete else 'NO'}; memory grew by {grown / 2**20:.1f} MB")
    print(f"the stalled were let go {held:.0f} s after they came (the load ran {CALLS / PER_SECOND:.0f} s of them)")
    return complete and held < LET_GO_SECONDS + CALLS / PER_SECOND


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        board = RunningBoard(Path(folder), {})
        board.start()
        try:
            return 0 if asyncio.run(measure(board)) else 1
        finally:
            board.end()


if __name__ == "__main__":
    sys.exit(main())
