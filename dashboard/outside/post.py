"""One report to one target, and what the target said. Follows no redirect, and remembers nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpcore

from dashboard.links import Url
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

SETTING = "DASHBOARD_FORWARD_HOSTS"
# What is left of a connection that a target closes after five idle seconds, as many do, must not be met at that moment.
_IDLE_SECONDS = 2.0
_TAKEN = range(200, 300)
_REDIRECTS = range(300, 400)
_NO_ENTRY = (401, 403)


@dataclass(frozen=True)
class Limits:
    """How much of a target we put up with."""

    connect_seconds: float = 10
    silence_seconds: float = 10
    total_seconds: float = 20
    """from the call to the status line, two megabytes on their way included"""
    most_read: int = 64 * 1024
    """bytes of an answer's body, of which nothing is kept"""


class Answer(NamedTuple):
    """What came of one attempt: `status` is None where no answer came; `words` name the host, never the address.

    `retry_after`: for how many seconds the target wants to be left alone, if it said so.
    """

    status: int | None
    words: str
    retry_after: float | None = None


async def open_pool(allowed_hosts: Collection[str], resolve: Resolve = resolve_host) -> httpcore.AsyncConnectionPool:
    """Connections to one target, one after the other; `async with` closes them."""
    tls = await asyncio.to_thread(usual_tls)
    network = GuardedNetwork(resolve, allowed_hosts, SETTING)
    return httpcore.AsyncConnectionPool(
        ssl_context=tls, network_backend=network, max_connections=1, keepalive_expiry=_IDLE_SECONDS
    )


async def post(
    pool: httpcore.AsyncConnectionPool,
    url: Url,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    limits: Limits | None = None,
) -> Answer:
    """Send these bytes; every fault of target and network is an answer, never an exception.

    The status line decides: what becomes of the answer's body changes nothing, for the target has the report by then.
    """
    limits = limits or Limits()
    times = {"connect_seconds": limits.connect_seconds, "silence_seconds": limits.silence_seconds}
    sent = [("Host", url.authority), ("User-Agent", "Callboard"), ("Accept", "*/*"), *headers]
    answer: Answer | None = None
    try:
        async with asyncio.timeout(limits.total_seconds):
            with told(url, **times):
                async with pool.stream(
                    "POST", in_parts(url), headers=sent, content=body, extensions=extensions(url, **times)
                ) as response:
                    answer = _answer_of(url, response)
                    await _read(response, limits.most_read)
    except Unreached as problem:
        return answer or Answer(None, str(problem))
    except TimeoutError:
        return answer or Answer(None, f"{url.host} did not answer within {limits.total_seconds:g} seconds.")
    return answer


async def _read(response: httpcore.Response, most: int) -> None:
    """Let the body pass, so that the connection can be used again; a longer one costs its connection."""
    size = 0
    async with aclosing(response.aiter_stream()) as body:  # type: ignore[type-var]
        async for chunk in body:
            size += len(chunk)
            if size > most:
                return


def _answer_of(url: Url, response: httpcore.Response) -> Answer:
    status = response.status
    words = f"{url.host} answered {status}."
    if status in _REDIRECTS:
        words += " Redirects are not followed: put the address it leads to into DASHBOARD_FORWARD_TO."
    elif status in _NO_ENTRY:
        words += " Check the key in DASHBOARD_FORWARD_TO."
    if status in _TAKEN:
        return Answer(status, words)
    return Answer(status, words, read_retry_after(header(response, b"retry-after"), datetime.now(UTC)))


def read_retry_after(text: str, now: datetime) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date; None for anything else."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the year may have any number of digits
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())
