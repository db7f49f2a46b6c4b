"""What a viewer can try, in a process of its own: each way again and again until the time is over. Loopback only."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

CAMPAIGNS = [f"campaign {number}" for number in range(12)]
CURSORS = 497
FILTERS = 1_000
SLOW_READERS = 100
ANSWER_SECONDS = 15.0


class Target(NamedTuple):
    """Where to, as whom, and what is there."""

    port: int
    viewer: str
    limited: str
    large_call: int
    recorded_call: int


class Attack(NamedTuple):
    """A way, how many do it at once, and what one of them does again and again: the status of its answer."""

    name: str
    at_once: int
    once: Callable[[], Awaitable[int]]


@contextmanager
def attacking(target: Target, seconds: float) -> Iterator[Counter[tuple[str, int]]]:
    """Attack for so many seconds; the answers by way and status are there after the context."""
    answers = Counter[tuple[str, int]]()
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_work, args=(theirs, target, seconds), daemon=True)
    process.start()
    try:
        yield answers
        answers.update(ours.recv() if ours.poll(seconds + 3 * ANSWER_SECONDS) else {})
    finally:
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()


def _work(pipe: Connection, target: Target, seconds: float) -> None:
    pipe.send(asyncio.run(_all(target, time.monotonic() + seconds)))


async def _all(target: Target, until: float) -> Counter[tuple[str, int]]:
    answers = Counter[tuple[str, int]]()

    async def again(attack: Attack) -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            status = 0
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
                async with asyncio.timeout(max(1.0, min(until - began, 60.0))):
                    status = await attack.once()
            answers[attack.name, status] += 1
            # One that is refused at once asks again as soon as a browser's would.
            await asyncio.sleep(0.3 if status in (0, 429, 503) else 0.0)

    ways = _attacks(target, until)
    await asyncio.gather(*(again(attack) for attack in ways for _ in range(attack.at_once)))
    return answers


def _attacks(target: Target, until: float) -> list[Attack]:
    viewer, limited, port = target.viewer, target.limited, target.port
    numbers, chance = itertools.count(), random.Random(1)

    def campaign() -> str:
        return CAMPAIGNS[next(numbers) % len(CAMPAIGNS)].replace(" ", "+")

    def new_filter() -> str:
        return f"campaign={campaign()}&campaign=none{next(numbers)}&period=today"

    def ask(path: Callable[[], str], cookie: str = viewer) -> Callable[[], Awaitable[int]]:
        return lambda: _ask(port, path(), cookie)

    def stay(path: Callable[[], str], pace: float = 0.0) -> Callable[[], Awaitable[int]]:
        return lambda: _stay(port, path(), viewer, until, pace)

    call, recorded = f"/calls/{target.large_call}", f"/calls/{target.recorded_call}"
    recording = f"{recorded}/recording"
    return [
        Attack("held streams, one a campaign", len(CAMPAIGNS), stay(lambda: f"/live?campaign={campaign()}")),
        Attack(
            f"short streams by {CURSORS} cursors",
            20,
            lambda: _look(port, f"/live?campaign={campaign()}", chance.randrange(2, CURSORS), viewer),
        ),
        Attack("streams of different filters", FILTERS, stay(lambda: f"/live?{new_filter()}")),
        Attack("walls of different filters", 100, stay(lambda: f"/wall/live?{new_filter()}")),
        Attack("pages of different filters", 40, ask(lambda: f"/?{new_filter()}")),
        Attack("pages of long filters", 10, ask(lambda: f"/?campaign={next(numbers)}{'+x' * 5_000}")),
        Attack("calls at long addresses", 10, ask(lambda: f"{recorded}?campaign={next(numbers)}{'+x' * 5_000}")),
        Attack("figures of different filters", 20, ask(lambda: f"/api/figures?{new_filter()}")),
        Attack("500 calls of different filters", 20, ask(lambda: f"/api/calls?limit=500&{new_filter()}")),
        Attack("large masked reads", 2, ask(lambda: f"/api{call}")),
        Attack("large masked pages", 2, ask(lambda: call)),
        Attack("exports", 6, ask(lambda: "/calls.jsonl", limited)),
        Attack("audio ranges", 30, ask(lambda: f"{recording}?{next(numbers)}")),
        Attack("slow readers of pages", SLOW_READERS, stay(lambda: f"/?{new_filter()}", 1.0)),
        Attack("slow readers of streams", SLOW_READERS, stay(lambda: "/live?after={after}", 1.0)),
        Attack("slow readers of audio", 40, stay(lambda: recording, 1.0)),
        Attack("what is not theirs", 20, ask(lambda: f"/{chance.choice(('accounts', 'inbox', 'audit', 'metrics'))}")),
    ]


async def _open(port: int, path: str, cookie: str, *, limit: int = 2**16) -> tuple[int, asyncio.StreamReader]:
    """The status, and the reader; both ends are closed when the task that asked is done with it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
    task = asyncio.current_task()
    assert task is not None
    _writers.setdefault(task, []).append(writer)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    return int(head[9:12]), reader


_writers: dict[asyncio.Task[object], list[asyncio.StreamWriter]] = {}


def _close() -> None:
    task = asyncio.current_task()
    assert task is not None
    for writer in _writers.pop(task, ()):
        writer.transport.abort()


async def _ask(port: int, path: str, cookie: str) -> int:
    """Read all of an answer."""
    try:
        status, reader = await _open(port, path, cookie)
        while await reader.read(2**16):
            pass
        return status
    finally:
        _close()


async def _look(port: int, path: str, back: int, cookie: str) -> int:
    """Take what a page missed that is so many changes behind, and leave."""
    try:
        after = max(0, await _head(port, cookie) - back)
        status, reader = await _open(port, f"{path}&after={after}", cookie)
        if status == 200:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    while await reader.read(2**16):
                        pass
        return status
    finally:
        _close()


async def _head(port: int, cookie: str) -> int:
    """The last number of the board; 0 where it does not say."""
    status, reader = await _open(port, "/api/calls?limit=1", cookie)
    return int((await reader.read()).rpartition(b'"seq":')[2].split(b"}")[0]) if status == 200 else 0


async def _stay(port: int, path: str, cookie: str, until: float, pace: float) -> int:
    """Read on as long as the server sends; with a pace, a few bytes and then a pause of so many seconds."""
    try:
        if "{after}" in path:
            path = path.format(after=max(0, await _head(port, cookie) - CURSORS + 50))
        status, reader = await _open(port, path, cookie, limit=2_048 if pace else 2**16)
        while time.monotonic() < until and await reader.read(64 if pace else 2**16):  # noqa: ASYNC110 - a slow reader
            await asyncio.sleep(pace)
        return status
    finally:
        _close()
