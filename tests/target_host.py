"""A real web server on loopback that takes reports, well or badly, and remembers each. Asserts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple, Self

from dashboard.links import parse_url
from dashboard.targets import Target

CEILING = 15.0


class Post(NamedTuple):
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def number(self) -> int:
        return int(self.headers["x-callboard-delivery"])

    @property
    def attempt(self) -> int:
        return int(self.headers["x-callboard-attempt"])


Answer = Callable[[Post], Awaitable[bytes]]
"""The bytes that go back; none of them, and the connection is closed."""


class TargetHost:
    """Answers with `answer`, which may change at any time; `posts` are in order, of `taken` each was answered 2xx."""

    def __init__(self) -> None:
        self.answer: Answer = says(200)
        self.posts: list[Post] = []
        self.taken: list[int] = []
        self.connections = 0
        self.port = 0
        self._news = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()

    @property
    def pair(self) -> str:
        return f"127.0.0.1:{self.port}"

    def target(self, name: str = "crm", path: str = "/hook?key=canary") -> Target:
        url = parse_url(f"http://{self.pair}{path}")
        assert url is not None
        return Target(name, url)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Until this holds; looked at after every post."""
        async with asyncio.timeout(CEILING):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._greet, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)
        self._visits.clear()

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._visits.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            try:
                while True:
                    post = await _read(reader)
                    self.posts.append(post)
                    answer = await self.answer(post)
                    if answer.startswith(b"HTTP/1.1 2"):
                        self.taken.append(post.number)
                    self._news.set()
                    if not answer:
                        return
                    writer.write(answer)
                    await writer.drain()
            finally:
                writer.close()


async def _read(reader: asyncio.StreamReader) -> Post:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Post(first.split(" ")[1], headers, body)


def head(status: int, *lines: str, length: int = 0) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, f"Content-Length: {length}", "", ""]).encode()


def says(status: int, *lines: str) -> Answer:
    async def answer(_: Post) -> bytes:
        return head(status, *lines)

    return answer


def refuses(body: bytes, status: int) -> Answer:
    """This body alone; every other one is taken."""

    async def answer(post: Post) -> bytes:
        return head(status if post.body == body else 200)

    return answer
