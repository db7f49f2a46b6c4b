"""Reports that are sent to a wrong path of this server: how they are recognised, and how their path is shown.

CallKaro does not show the 404 it gets, so without this a mistyped address loses every report in silence.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress

from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent

from dashboard.public_url import WEBHOOK_PATH

# As much of a body as shows that it is a report: `event` and `data` are its two keys.
_BEGINNING_BYTES = 4096
_PEEK_SECONDS = 1.0
_LONGEST_PATH = 60
_SLASHES = re.compile("//+")
# What may be a key, a token or somebody's number: a long run of letters and digits, or the value of a parameter that
# was written into the path.
_PRIVATE = re.compile(r"(?<==)[^/]+|[A-Za-z0-9_-]{20,}|[0-9][0-9 ._-]{3,}[0-9]")
# Without points, colons and blanks: anybody can post to a path that reads as a sentence or the address of a site.
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9/_-]+")
_BEGINS_AS_OBJECT = re.compile(rb"(\xef\xbb\xbf)?\s*\{")


def is_webhook_path(path: str) -> bool:
    """Whether a path means the webhook's, whatever its slashes, blanks at the ends and capital letters."""
    return _SLASHES.sub("/", path.strip()).rstrip("/").lower() == WEBHOOK_PATH


def is_report_like(beginning: bytes) -> bool:
    """Whether the beginning of a body looks like that of a report. No parser: it runs on every unknown POST."""
    return _BEGINS_AS_OBJECT.match(beginning) is not None and b'"event"' in beginning and b'"data"' in beginning


def shown_path(path: str, secrets: Sequence[str]) -> str:
    """A path to name in the log and on the board: short, plain, and without anything that may be secret."""
    for secret in secrets:
        path = path.replace(secret, "…")
    path = _NOT_PLAIN.sub("…", _PRIVATE.sub("…", path[: 4 * _LONGEST_PATH]))
    return path if len(path) <= _LONGEST_PATH else path[:_LONGEST_PATH] + "…"


async def peek(receive: ASGIReceiveCallable) -> tuple[bytes, ASGIReceiveCallable]:
    """The beginning of a request's body, and a `receive` that gives all of it, the beginning included."""
    events: list[ASGIReceiveEvent] = []
    beginning = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PEEK_SECONDS):
            while len(beginning) < _BEGINNING_BYTES:
                event = await receive()
                events.append(event)
                if event["type"] != "http.request":
                    break
                beginning += event["body"]
                if not event["more_body"]:
                    break

    async def receive_all() -> ASGIReceiveEvent:
        return events.pop(0) if events else await receive()

    return beginning, receive_all
