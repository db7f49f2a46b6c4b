"""From the address in a report to a recording in the keep, past the guard. Knows no call, no database and no page.

httpcore is driven directly: it takes the address in parts, so that no second parser reads it, and obeys no proxy
variables.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from urllib.parse import urljoin

import httpcore

from dashboard.links import Url, parse_url
from dashboard.recordings.guard import HEAD_BYTES, USUAL_PORTS, address_objection, audio_type, port_objection
from dashboard.recordings.keep import DiskLow, Keep

# At DEBUG httpcore logs the headers of an answer, and the query of a signed Location is a key to the recording.
logging.getLogger("httpcore").setLevel(logging.INFO)

MIB = 1024**2
PIECE = 256 * 1024  # bytes handed to the keep at once
CALLED_ON = 4  # of a host's addresses, one after the other
REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Limits:
    """How much of a stranger's server we put up with."""

    total_seconds: float = 60
    connect_seconds: float = 10
    silence_seconds: float = 15
    """longest wait for the first byte, and for each next one"""
    max_bytes: int = 100 * MIB
    max_redirects: int = 5
    ports: Collection[int] = USUAL_PORTS


@dataclass(frozen=True)
class Fetched:
    """`name` in the keep, `size` in bytes, `type` as the bytes themselves say (audio/mpeg)."""

    name: str
    size: int
    type: str


@dataclass(frozen=True)
class Refused:
    """Another try would end the same way."""

    why: str


@dataclass(frozen=True)
class Failed:
    """Another try may go well."""

    why: str


Outcome = Fetched | Refused | Failed
Resolve = Callable[[str, int], Awaitable[list[str]]]


class _Ended(Exception):
    """Leaves through httpcore and the keep from wherever the outcome became clear."""

    def __init__(self, outcome: Refused | Failed) -> None:
        super().__init__(outcome.why)
        self.outcome = outcome


async def resolve_host(host: str, port: int) -> list[str]:
    """The IP addresses of a host, the system's favourite first. Raises OSError or UnicodeError where there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def fetch_recording(
    url: str,
    *,
    allowed_hosts: Collection[str],
    into: Keep,
    limits: Limits | None = None,
    resolve: Resolve = resolve_host,
    tls: ssl.SSLContext | None = None,
) -> Outcome:
    """Fetch one recording; every fault of the host, the network and the disk is an outcome, never an exception.

    `why` may be shown to people: it names the host, and neither path nor query.
    """
    limits = limits or Limits()
    guarded = _GuardedNetwork(resolve, allowed_hosts)
    try:
        await asyncio.to_thread(into.check_room)
        tls = tls or await asyncio.to_thread(_usual_tls)
        async with (
            asyncio.timeout(limits.total_seconds),
            httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=guarded) as pool,
        ):
            return await _follow(url, pool, allowed_hosts, into, limits)
    except _Ended as ended:
        return ended.outcome
    except TimeoutError:
        return Failed(f"The recording did not arrive whole within {limits.total_seconds:g} seconds.")
    except DiskLow as low:
        return Failed(str(low))
    except OSError as problem:
        return Failed(f"The recording could not be written: {problem.strerror}. Check the disk of the data folder.")


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections to addresses that were checked, and only to those.

    The name is asked for once and the very address that passed is called on: asked again, a hostile name server would
    give another answer (DNS rebinding). Host header and TLS name stay the URL's, for they are made elsewhere.
    """

    def __init__(self, resolve: Resolve, allowed_hosts: Collection[str]) -> None:
        self.network = httpcore.AnyIOBackend()
        self.resolve = resolve
        self.allowed_hosts = allowed_hosts

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._checked_addresses(host, port)
                share = None if timeout is None else timeout / len(addresses)
                problem: Exception | None = None
                for address in addresses:
                    try:
                        return await self.network.connect_tcp(address, port, share, local_address, socket_options)
                    except (httpcore.ConnectError, httpcore.ConnectTimeout) as refusal:
                        problem = refusal
                assert problem is not None
                raise problem
        except TimeoutError as late:
            raise httpcore.ConnectTimeout from late

    async def _checked_addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self.resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise _Ended(Failed(f"The name {host} is not known to the name servers. Check the recording's address."))
        if objection := address_objection(host, port, addresses, self.allowed_hosts):
            raise _Ended(Refused(objection))
        return addresses[:CALLED_ON]


async def _follow(
    text: str, pool: httpcore.AsyncConnectionPool, allowed_hosts: Collection[str], into: Keep, limits: Limits
) -> Outcome:
    for _ in range(limits.max_redirects + 1):
        url = _checked(text, allowed_hosts, limits)
        with _told(url, limits):
            async with pool.stream(
                "GET",
                # In parts: given as text, httpcore would read it with a parser of its own.
                httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
                headers=_headers(url),
                extensions={"timeout": _timeouts(limits), "sni_hostname": url.host},
            ) as response:
                if response.status not in REDIRECTS:
                    return await _take(response, url, into, limits)
                text = _next_address(url, response)
    return Failed(f"The recording's address led on more than {limits.max_redirects} times. Check it in a browser.")


def _checked(text: str, allowed_hosts: Collection[str], limits: Limits) -> Url:
    url = parse_url(text)
    if url is None:
        raise _Ended(Refused("The recording's address is not an http or https address that can be fetched safely."))
    if objection := port_objection(url.host, url.port, allowed_hosts, limits.ports):
        raise _Ended(Refused(objection))
    return url


async def _take(response: httpcore.Response, url: Url, into: Keep, limits: Limits) -> Fetched:
    _check_answer(response, url, limits)
    async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_stream())) as body:
        head = b""
        async for chunk in body:
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
        if not head:
            raise _Ended(Failed(f"{url.host} sent an empty recording. It may not be ready yet."))
        found = audio_type(head)
        if found is None:
            raise _Ended(Refused(f"What {url.host} sent is not a recording in a format that browsers play."))
        async with aclosing(_pieces(head, body, url, limits)) as pieces:
            kept = await into.put(pieces)
    return Fetched(kept.name, kept.size, found)


def _check_answer(response: httpcore.Response, url: Url, limits: Limits) -> None:
    if response.status == HTTPStatus.GONE:
        raise _Ended(Refused(f"{url.host} says that the recording is gone for good (410)."))
    if response.status == HTTPStatus.NOT_FOUND:
        raise _Ended(Failed(f"{url.host} does not have the recording (404). It may appear later."))
    if response.status != HTTPStatus.OK:
        raise _Ended(Failed(f"{url.host} answered {response.status} instead of the recording."))
    length = _header(response, b"content-length")
    if length.isdecimal() and int(length) > limits.max_bytes:
        raise _too_large(url, limits)


async def _pieces(head: bytes, body: AsyncIterator[bytes], url: Url, limits: Limits) -> AsyncGenerator[bytes, None]:
    """The body in few large pieces, for each one costs the keep a thread. Raises once it exceeds the limit."""
    size, waiting = len(head), bytearray(head)
    async for chunk in body:
        size += len(chunk)
        if size > limits.max_bytes:
            raise _too_large(url, limits)
        waiting += chunk
        if len(waiting) >= PIECE:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _too_large(url: Url, limits: Limits) -> _Ended:
    return _Ended(
        Refused(f"The recording at {url.host} is larger than {limits.max_bytes / MIB:,.0f} MiB and was not kept.")
    )


def _next_address(url: Url, response: httpcore.Response) -> str:
    try:
        return urljoin(str(url), _header(response, b"location"))
    except ValueError:
        return ""  # which _checked() refuses


@contextmanager
def _told(url: Url, limits: Limits) -> Iterator[None]:
    """What went wrong on the way, in words. Only the kind of exception counts: its text can quote the host."""
    try:
        yield
    except httpcore.ConnectTimeout:
        raise _Ended(Failed(f"{url.host} could not be reached within {limits.connect_seconds:g} seconds.")) from None
    except httpcore.ConnectError as problem:
        if isinstance(problem.__context__, ssl.SSLError):
            why = f"{url.host} offers no safe connection: its certificate or its TLS is not acceptable."
        else:
            why = f"{url.host} takes no connections on port {url.port}."
        raise _Ended(Failed(why)) from None
    except httpcore.TimeoutException:
        raise _Ended(Failed(f"{url.host} was silent for {limits.silence_seconds:g} seconds.")) from None
    except (httpcore.NetworkError, httpcore.ProtocolError):
        raise _Ended(Failed(f"{url.host} broke off before the recording was whole.")) from None


def _headers(url: Url) -> list[tuple[str, str]]:
    return [
        ("Host", url.authority),
        ("User-Agent", "Callboard"),
        ("Accept", "audio/*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]


def _timeouts(limits: Limits) -> dict[str, float]:
    silence = limits.silence_seconds
    return {"connect": limits.connect_seconds, "read": silence, "write": silence, "pool": silence}


def _header(response: httpcore.Response, name: bytes) -> str:
    """The first header of that name, or "". Bytes that are not UTF-8 become surrogates, which parse_url() refuses."""
    values = (value for key, value in response.headers if key.lower() == name)
    return next(values, b"").decode("utf-8", "surrogateescape")


@functools.cache
def _usual_tls() -> ssl.SSLContext:
    # Once, and in a thread: reading the list of authorities takes up to 200 ms.
    return httpcore.default_ssl_context()
