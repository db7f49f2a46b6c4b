"""Many open pages in a process of their own: what each was shown, when, in what order, and how it comes back.

Unlike bench.streams, which counts distinct rows as fast as it can, this one keeps every page's cursor as a browser
does (an event counts once its blank line has come) and the moment of every row.
"""

from __future__ import annotations

import re
import select
import socket
import time
from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from bench.load import percentile

READ = 1 << 17
CONNECTS_A_TURN = 500
_ROW = re.compile(rb'<tr id="call-(\d+)" class=')
_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)


@dataclass(slots=True)
class Page:
    """One page: the ids of its rows in the order in which they came, and when."""

    socket: socket.socket | None = None
    rest: bytes = b""
    last_id: int = 0
    ids: array[int] = field(default_factory=lambda: array("q"))
    moments: array[int] = field(default_factory=lambda: array("q"))
    is_open: bool = False
    refused: int = 0


@dataclass(frozen=True)
class Seen:
    """Over all pages. Times in milliseconds from the acknowledgement of a call to its row's last byte on a page."""

    pages: int
    complete: int
    repeats: int
    out_of_order: int
    refused: int
    p50_ms: float
    p99_ms: float
    last_ns: int


class Readers:
    """The handle on the process; used as a context. The pages reconnect by themselves, all at once, when cut."""

    def __init__(self, port: int, count: int) -> None:
        self._pipe, there = get_context("spawn").Pipe()
        self._process = get_context("spawn").Process(target=_work, args=(there, port, count), daemon=True)

    def __enter__(self) -> Readers:
        self._process.start()
        self._ask("opened")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, _: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def complete(self, rows: int, at_most: float) -> bool:
        """Wait until every page has so many different rows; False after `at_most` seconds."""
        return bool(self._ask("complete", rows, at_most))

    def seen(self, committed: dict[int, int]) -> Seen:
        """What all of them saw; `committed` is the moment of each call's acknowledgement, by its id."""
        found: Seen = self._ask("seen", committed)
        return found

    def _ask(self, *words: Any) -> Any:
        self._pipe.send(words)
        return self._pipe.recv()


class Reading:
    """All pages of the process on one epoll."""

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.poll = select.epoll()
        self.pages = [Page() for _ in range(count)]
        self.by_descriptor: dict[int, Page] = {}
        self.away = list(self.pages)

    def turn(self) -> None:
        """Come back where cut, then read what there is."""
        for page in self.away[:CONNECTS_A_TURN]:
            self.away.remove(page)
            self._connect(page)
        for descriptor, _ in self.poll.poll(0.02):
            self._read(self.by_descriptor[descriptor])

    def _connect(self, page: Page) -> None:
        page.socket = socket.socket()
        try:
            page.socket.connect(("127.0.0.1", self.port))
        except ConnectionError:
            page.socket.close()
            page.socket = None
            self.away.append(page)
            time.sleep(0.01)  # the server is away: nobody else could do anything either
            return
        since = f"Last-Event-ID: {page.last_id}\r\n" if page.last_id else ""
        page.socket.sendall(f"GET /live?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n{since}\r\n".encode())
        page.socket.setblocking(False)
        page.rest = b""
        page.is_open = False
        self.by_descriptor[page.socket.fileno()] = page
        self.poll.register(page.socket, select.EPOLLIN)

    def _read(self, page: Page) -> None:
        assert page.socket is not None
        try:
            data = page.socket.recv(READ)
        except ConnectionError:
            data = b""
        if not data:
            self._lost(page)
            return
        now = time.monotonic_ns()
        data = page.rest + data
        if not page.is_open and b"\r\n\r\n" in data:
            page.is_open = data.startswith(b"HTTP/1.1 200")
            if not page.is_open:  # still starting: a browser asks again, too
                page.refused += 1
                self._lost(page)
                return
        ids, last_id, page.rest = _events(data)
        for call_id in ids:
            page.ids.append(call_id)
            page.moments.append(now)
        page.last_id = last_id or page.last_id

    def _lost(self, page: Page) -> None:
        assert page.socket is not None
        self.poll.unregister(page.socket)
        del self.by_descriptor[page.socket.fileno()]
        page.socket.close()
        self.away.append(page)

    def has_opened(self) -> bool:
        return all(page.is_open for page in self.pages)

    def is_complete(self, rows: int) -> bool:
        return all(len(page.ids) >= rows and len(set(page.ids)) >= rows for page in self.pages)

    def seen(self, committed: dict[int, int]) -> Seen:
        delays: list[float] = []
        repeats = disorder = complete = 0
        for page in self.pages:
            had = set[int]()
            before = 0
            for call_id, moment in zip(page.ids, page.moments, strict=True):
                repeats += call_id in had
                disorder += call_id not in had and call_id < before
                before = max(before, call_id)
                if call_id not in had and call_id in committed:
                    delays.append((moment - committed[call_id]) / 1e6)
                had.add(call_id)
            complete += had >= committed.keys()
        return Seen(
            pages=len(self.pages),
            complete=complete,
            repeats=repeats,
            out_of_order=disorder,
            refused=sum(page.refused for page in self.pages),
            p50_ms=percentile(delays, 0.5),
            p99_ms=percentile(delays, 0.99),
            last_ns=max((page.moments[-1] for page in self.pages if page.moments), default=0),
        )


# Nearly all pages get the very same bytes: read anew for each, they kept this process busier than the board's.
@lru_cache(1000)
def _events(data: bytes) -> tuple[tuple[int, ...], int, bytes]:
    """The rows of whole events, the last number (0 for none), and what is left of an event that has begun."""
    whole, _, rest = data.rpartition(b"\n\n")
    last = _ID.findall(whole)
    return tuple(int(call_id) for call_id in _ROW.findall(whole)), int(last[-1]) if last else 0, rest


def _work(pipe: Connection, port: int, count: int) -> None:
    """Turn after turn, and one command whenever there is one; the other end's leaving ends it."""
    reading = Reading(port, count)
    wanted, until = -1, 0.0
    is_opening = False
    try:
        while True:
            reading.turn()
            if is_opening and reading.has_opened():
                is_opening = False
                pipe.send(True)
            if wanted >= 0 and ((is_there := reading.is_complete(wanted)) or time.monotonic() > until):
                wanted = -1
                pipe.send(is_there)
            if not pipe.poll():
                continue
            match pipe.recv():
                case ("opened",):
                    is_opening = True
                case ("complete", rows, at_most):
                    wanted, until = rows, time.monotonic() + at_most
                case ("seen", committed):
                    pipe.send(reading.seen(committed))
    except (EOFError, ConnectionError):
        return
