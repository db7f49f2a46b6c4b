"""A real web server on loopback that serves recordings, well or badly, and remembers who called. Asserts nothing."""

from __future__ import annotations

import asyncio
import io
import math
import ssl
import wave
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple, Self

from dashboard.recordings.keep import Keep, Kept

# One frame of MPEG-1 Layer III, 128 kbit/s at 44.1 kHz, is 417 bytes; one of zeros is silence.
MP3 = (b"\xff\xfb\x90\x00" + bytes(413)) * 8


def wav(seconds: float = 0.1, rate: int = 8000) -> bytes:
    """A tone of 440 Hz, 16 bit, mono."""
    tone = array("h", (int(8000 * math.sin(math.tau * 440 * n / rate)) for n in range(int(seconds * rate))))
    with io.BytesIO() as file:
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(rate)
            sound.writeframes(tone.tobytes())
        return file.getvalue()


class Request(NamedTuple):
    target: str
    headers: dict[str, str]


async def put(keep: Keep, chunks: AsyncIterator[bytes]) -> Kept:
    """Keep these bytes, as a fetch does."""
    async with keep.incoming() as incoming:
        async for chunk in chunks:
            await incoming.write(chunk)
        return await incoming.keep()


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class RecordingHost:
    """`answers` by path without the query; what is not in it is 404. Counts `connections`, keeps `requests`."""

    def __init__(self, answers: dict[str, Answer] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.answers = answers or {}
        self.connections = 0
        self.requests: list[Request] = []
        self.port = 0
        self._tls = tls
        self._servers: list[asyncio.Server] = []
        self._visits: set[asyncio.Task[None]] = set()

    @property
    def pair(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    async def __aenter__(self) -> Self:
        await self._listen("127.0.0.1")
        with suppress(OSError):  # a machine without IPv6 has no ::1 that anybody could reach
            await self._listen("::1")
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    async def _listen(self, address: str) -> None:
        server = await asyncio.start_server(self._greet, address, self.port, ssl=self._tls)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        visit = asyncio.create_task(self._serve(reader, writer))
        self._visits.add(visit)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                request = Request(first.split(" ")[1], headers)
                self.requests.append(request)
                answer = self.answers.get(request.target.partition("?")[0], status(404))
                await answer(request, writer)
                await writer.drain()
        finally:
            writer.close()


def sends(*parts: bytes) -> Answer:
    """These very bytes, and the connection is closed."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return answer


def head(code: int = 200, **headers: str | int) -> bytes:
    lines = [f"HTTP/1.1 {code} Whatever", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def audio(body: bytes = MP3, content_type: str = "audio/mpeg", length: int | None = None) -> Answer:
    """`length` is what Content-Length says, true or not."""
    return sends(head(Content_Type=content_type, Content_Length=len(body) if length is None else length), body)


def status(code: int, body: bytes = b"<h1>No</h1>") -> Answer:
    return sends(head(code, Content_Type="text/html", Content_Length=len(body)), body)


def later(seconds: str, code: int = 503) -> Answer:
    return sends(head(code, Retry_After=seconds, Content_Length=0))


def encoded(body: bytes, encoding: str) -> Answer:
    """What was packed already, or claims to be."""
    return sends(head(Content_Type="audio/mpeg", Content_Encoding=encoding, Content_Length=len(body)), body)


def only_if(name: str, value: str, answer: Answer, otherwise: Answer) -> Answer:
    """`answer` for requests with this header, `otherwise` for all others."""

    async def choose(request: Request, writer: asyncio.StreamWriter) -> None:
        await (answer if request.headers.get(name) == value else otherwise)(request, writer)

    return choose


def redirect(location: str, code: int = 302) -> Answer:
    return sends(head(code, Location=location, Content_Length=0))


def falls_silent(*parts: bytes) -> Answer:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await sends(*parts)(request, writer)
        await asyncio.Event().wait()

    return answer


def never_ends(first: bytes, more: bytes, pause: float = 0) -> Answer:
    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


# For recordings.example until 2120, signed by itself: protects nothing and is trusted by these tests alone.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBnDCCAUOgAwIBAgIBATAKBggqhkjOPQQDAjAdMRswGQYDVQQDDBJyZWNvcmRp
bmdzLmV4YW1wbGUwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMB0x
GzAZBgNVBAMMEnJlY29yZGluZ3MuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABOdwiT4aJTCSBaLTg4KSezQpcXMyOsjgKlZ94d7cwWrocki7Aq+dpPBi
5g/bQT0EqrHt0V8bK+CBHgF9f2YzD9mjcjBwMB0GA1UdEQQWMBSCEnJlY29yZGlu
Z3MuZXhhbXBsZTAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBRIrnXgybQ0EQxn
WXeUUbxXm6luzDAfBgNVHSMEGDAWgBRIrnXgybQ0EQxnWXeUUbxXm6luzDAKBggq
hkjOPQQDAgNHADBEAiBf3QTX8l3zz5+xnQJV9C9jFxo+wedJzgklK1slAxMabgIg
MNqS79rWP3pFpDUBatk+nJPTGsh69ctrABsPXPVjoVk=
-----END CERTIFICATE-----
"""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdP7Bjnp8ODEP3VH1
5Y5gQNAbto8/wjHuc4qI/D12q7ShRANCAATncIk+GiUwkgWi04OCkns0KXFzMjrI
4CpWfeHe3MFq6HJIuwKvnaTwYuYP20E9BKqx7dFfGyvggR4BfX9mMw/Z
-----END PRIVATE KEY-----
"""
