"""From the address in a report to a recording in the keep, past the guard. Knows no call, no database and no page."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from urllib.parse import urljoin

import httpcore

from dashboard.links import Url, parse_url
from dashboard.outside.addresses import USUAL_PORTS, port_objection
from dashboard.outside.client import (
    GuardedNetwork,
    Resolve,
    Unreached,
    extensions,
    header,
    in_parts,
    resolve_host,
    told,
    usual_tls,
)
from dashboard.recordings.audio import HEAD_BYTES, audio_type
from dashboard.recordings.keep import DiskLow, Keep

SETTING = "DASHBOARD_RECORDING_HOSTS"
MIB = 1024**2
PIECE = 256 * 1024  # bytes handed to the keep at once
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


class _Ended(Exception):
    """Leaves through httpcore and the keep from wherever the outcome became clear."""

    def __init__(self, outcome: Refused | Failed) -> None:
        super().__init__(outcome.why)
        self.outcome = outcome


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
    guarded = GuardedNetwork(resolve, allowed_hosts, SETTING)
    try:
        await asyncio.to_thread(into.check_room)
        tls = tls or await asyncio.to_thread(usual_tls)
        async with (
            asyncio.timeout(limits.total_seconds),
            httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=guarded) as pool,
        ):
            return await _follow(url, pool, allowed_hosts, into, limits)
    except _Ended as ended:
        return ended.outcome
    except Unreached as problem:
        return Refused(str(problem)) if problem.is_final else Failed(str(problem))
    except TimeoutError:
        return Failed(f"The recording did not arrive whole within {limits.total_seconds:g} seconds.")
    except DiskLow as low:
        return Failed(str(low))
    except OSError as problem:
        return Failed(f"The recording could not be written: {problem.strerror}. Check the disk of the data folder.")


async def _follow(
    text: str, pool: httpcore.AsyncConnectionPool, allowed_hosts: Collection[str], into: Keep, limits: Limits
) -> Outcome:
    for _ in range(limits.max_redirects + 1):
        url = _checked(text, allowed_hosts, limits)
        times = {"connect_seconds": limits.connect_seconds, "silence_seconds": limits.silence_seconds}
        with told(url, **times):
            async with pool.stream(
                "GET", in_parts(url), headers=_headers(url), extensions=extensions(url, **times)
            ) as response:
                if response.status not in REDIRECTS:
                    return await _take(response, url, into, limits)
                text = _next_address(url, response)
    return Failed(f"The recording's address led on more than {limits.max_redirects} times. Check it in a browser.")


def _checked(text: str, allowed_hosts: Collection[str], limits: Limits) -> Url:
    url = parse_url(text)
    if url is None:
        raise _Ended(Refused("The recording's address is not an http or https address that can be fetched safely."))
    if objection := port_objection(url.host, url.port, allowed_hosts, SETTING, limits.ports):
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
    length = header(response, b"content-length")
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
        return urljoin(str(url), header(response, b"location"))
    except ValueError:
        return ""  # which _checked() refuses


def _headers(url: Url) -> list[tuple[str, str]]:
    return [
        ("Host", url.authority),
        ("User-Agent", "Callboard"),
        ("Accept", "audio/*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]
