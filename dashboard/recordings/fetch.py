"""Fetches a recording from the address in a report into the folder of recordings. Knows no call, database or page.

What becomes of each answer is the table of `outcomes.py`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import urljoin

import httpcore

from dashboard.credentials import credential_for
from dashboard.links import BadAddress, Url, read_url
from dashboard.outside.addresses import USUAL_PORTS, pair, port_objection
from dashboard.outside.answer_encoding import BadEncoding, unpacked
from dashboard.outside.client import (
    GuardedNetwork,
    Resolve,
    Unreached,
    all_headers,
    extensions,
    header,
    in_parts,
    resolve_host,
    told,
    usual_tls,
)
from dashboard.outside.post import read_retry_after
from dashboard.recordings.audio import TEXT_BYTES, media_type, text_kind
from dashboard.recordings.decoder import Decoder, Sound
from dashboard.recordings.keep import DiskLow, Incoming, Keep
from dashboard.recordings.outcomes import (
    ADDRESS,
    DISK,
    HOST,
    NETWORK,
    NOT_READY,
    Access,
    Answer,
    Failed,
    Fetched,
    Missed,
    Outcome,
    Refused,
    not_audio,
    not_listed,
    of_status,
    too_large,
)

SETTING = "DASHBOARD_RECORDING_HOSTS"
REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Limits:
    """How long and how far a host is followed."""

    total_seconds: float = 60
    connect_seconds: float = 10
    silence_seconds: float = 15
    """longest wait for the first byte, and for each next one"""
    max_redirects: int = 5
    ports: Collection[int] = USUAL_PORTS


class _Fetch(NamedTuple):
    """What one fetch works with."""

    access: Access
    limits: Limits
    pool: httpcore.AsyncConnectionPool
    incoming: Incoming


class _Received(NamedTuple):
    """Whose answer was written, and why it broke off, or ""."""

    host: str
    broke_off: str


async def fetch_recording(
    url: str,
    *,
    access: Access,
    into: Keep,
    decoder: Decoder,
    limits: Limits | None = None,
    resolve: Resolve = resolve_host,
    tls: ssl.SSLContext | None = None,
) -> Outcome:
    """Fetch one recording; every fault of the host, the network and the disk is an outcome, never an exception.

    `why` may be shown to people: it names the host, and neither path nor query.
    """
    limits = limits or Limits()
    network = GuardedNetwork(resolve, access.hosts, SETTING)
    try:
        await asyncio.to_thread(into.check_room)
        tls = tls or await asyncio.to_thread(usual_tls)
        async with into.incoming() as incoming:
            async with httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=network) as pool:
                received = await _download(url, _Fetch(access, limits, pool, incoming))
            return await _judge(received, incoming, decoder)
    except Missed as missed:
        return missed.outcome
    except DiskLow as low:
        return Failed(str(low), DISK)
    except OSError as problem:
        why = f"The recording could not be written: {problem.strerror}. Check the disk of the data folder."
        return Failed(why, DISK)


async def _download(url: str, fetch: _Fetch) -> _Received:
    """Follow the address and write the answer's content. Raises Missed, DiskLow, OSError."""
    try:
        async with asyncio.timeout(fetch.limits.total_seconds):
            return await _follow(url, fetch)
    except TimeoutError:
        why = f"The recording did not arrive whole within {fetch.limits.total_seconds:g} seconds."
    except Unreached as problem:
        if problem.unlisted:
            raise Missed(not_listed(str(problem), problem.unlisted)) from None
        why = str(problem)
    if not fetch.incoming.size:
        raise Missed(Failed(why, NETWORK))
    return _Received("", why)


async def _follow(text: str, fetch: _Fetch) -> _Received:
    limits = fetch.limits
    for hop in range(limits.max_redirects + 1):
        url = _checked(text, fetch.access, limits, is_redirect=hop > 0)
        times = {"connect_seconds": limits.connect_seconds, "silence_seconds": limits.silence_seconds}
        with told(url, **times):
            async with fetch.pool.stream(
                "GET", in_parts(url), headers=_headers(url, fetch.access), extensions=extensions(url, **times)
            ) as response:
                if response.status not in REDIRECTS:
                    return await _receive(response, url, fetch)
                text = _next_address(url, response)
    why = f"The recording's address led on more than {limits.max_redirects} times. Check it in a browser."
    raise Missed(Failed(why, NETWORK))


def _checked(text: str, access: Access, limits: Limits, *, is_redirect: bool) -> Url:
    try:
        url = read_url(text)
    except BadAddress as problem:
        if is_redirect:
            # The report's own address is sound: its host may lead on to another one tomorrow.
            raise Missed(Failed(f"The recording's host led on to an address that {problem}.", NETWORK)) from None
        why = f"The recording's address {problem}, so it cannot be fetched."
        raise Missed(Refused(why, ADDRESS)) from None
    if objection := port_objection(url.host, url.port, access.hosts, SETTING, limits.ports):
        raise Missed(not_listed(objection, pair(url.host, url.port)))
    return url


async def _receive(response: httpcore.Response, url: Url, fetch: _Fetch) -> _Received:
    """Write the content of the last answer, unpacked. Raises Missed."""
    if response.status != HTTPStatus.OK:
        retry_after = read_retry_after(header(response, b"retry-after"), datetime.now(UTC))
        raise Missed(of_status(Answer(url, response.status, retry_after), fetch.access))
    length = header(response, b"content-length")
    if length.isdecimal() and int(length[:18]) > fetch.access.max_bytes:
        raise Missed(too_large(url.host, int(length[:18]), fetch.access))
    try:
        content = unpacked(response.aiter_stream(), all_headers(response, b"content-encoding"), fetch.access.max_bytes)
        async with aclosing(cast("AsyncGenerator[bytes, None]", content)) as chunks:
            return _Received(url.host, await _write(chunks, url, fetch))
    except BadEncoding as problem:
        raise Missed(Failed(f"{url.host} {problem}.", HOST)) from None


async def _write(chunks: AsyncIterator[bytes], url: Url, fetch: _Fetch) -> str:
    """Write the content as far as it is of use; gives why it broke off, or ""."""
    incoming, is_text = fetch.incoming, False
    try:
        async for chunk in chunks:
            if incoming.size + len(chunk) > fetch.access.max_bytes:
                raise Missed(too_large(url.host, incoming.size + len(chunk), fetch.access))
            is_first = incoming.size < TEXT_BYTES
            await incoming.write(chunk)
            is_text = is_first and incoming.size >= TEXT_BYTES and text_kind(incoming.head) is not None
            if is_text:
                break  # the rest of a page is of no use
    except EOFError:
        return f"{url.host} broke off before its answer was whole."
    return ""


async def _judge(received: _Received, incoming: Incoming, decoder: Decoder) -> Outcome:
    """Keep what has arrived if its beginning can be decoded. Raises OSError."""
    if not incoming.size:
        return Failed(f"{received.host} sent an empty recording. It may not be ready yet.", NOT_READY)
    if (text := text_kind(incoming.head)) is not None and received.host:
        return not_audio(received.host, text, "")
    sound = await _examine(await incoming.path(), decoder)
    if sound.problem:
        # Half a file may be unreadable where the whole one is not.
        cut_short = Failed(received.broke_off, NETWORK)
        return cut_short if received.broke_off else not_audio(received.host, None, sound.problem)
    kept = await incoming.keep()
    cut_off = received.broke_off or ("The file announces more than it holds." if sound.is_cut else "")
    return Fetched(kept.name, kept.size, media_type(sound.container), sound.codec, cut_off)


async def _examine(path: Path, decoder: Decoder) -> Sound:
    try:
        return await decoder.examine(path)
    except OSError as problem:
        why = f"The process that decodes recordings could not be started: {problem.strerror}."
        raise Missed(Failed(why, DISK)) from None


def _next_address(url: Url, response: httpcore.Response) -> str:
    try:
        return urljoin(str(url), header(response, b"location"))
    except ValueError:
        return ""  # which _checked() refuses


def _headers(url: Url, access: Access) -> list[tuple[str, str]]:
    """A credential goes to its own scheme, host and port alone: a redirect to any other leaves it behind."""
    headers = [
        ("Host", url.authority),
        ("User-Agent", "Callboard"),
        # Some hosts answer 406 to audio/*.
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]
    credential = credential_for(access.credentials, url)
    return headers if credential is None else [*headers, ("Authorization", credential.header)]
