"""A webhook's body, plain or packed, and what it says; large ones are read in a thread."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

from hypercorn.typing import HTTPScope

from dashboard.callkaro.report import Ignored, Report, Unreadable, read_report
from dashboard.content_encoding import MAX_BODY_BYTES, NotUnpacked, TooLarge, UnknownCoding, encoding_of, unpack
from dashboard.store.inbox import Packed

# Larger ones are read in a thread.
_LARGE = 100_000
_LONGEST_HEADER = 200


class ReadBody(NamedTuple):
    """A body as it is to be stored, and what it says. `is_unknown`: it is packed in a way that is not supported."""

    body: bytes
    reading: Report | Ignored | Unreadable
    packed: Packed | None = None
    is_unknown: bool = False


async def read_body(scope: HTTPScope, body: bytes) -> ReadBody:
    """What a body says, plain or packed. Raises TooLarge."""
    # In a thread where large: half a second of it would hold up every other report and every stream.
    reading = read_report(body) if len(body) < _LARGE else await asyncio.to_thread(read_report, body)
    # Plain first, whatever the headers say: a plain report pays nothing for those that come packed, and a proxy that
    # unpacks a body may leave its Content-Encoding in place.
    if not isinstance(reading, Unreadable) or not (encoding := encoding_of(_encoding_header(scope), body)):
        return ReadBody(body, reading)
    packed = Packed(body, encoding)
    try:
        plain, unpacked_reading = await _unpack(body, encoding)
    except UnknownCoding as problem:
        return ReadBody(body, Unreadable(f"{reading.problem} {problem}"), packed, is_unknown=True)
    except NotUnpacked as problem:
        return ReadBody(body, Unreadable(str(problem)), packed)
    return ReadBody(plain, unpacked_reading, packed)


async def _unpack(body: bytes, encoding: str) -> tuple[bytes, Report | Ignored | Unreadable]:
    """The unpacked body, and what it says. Raises TooLarge, NotUnpacked."""

    def unpack_and_read(limit: int) -> tuple[bytes, Report | Ignored | Unreadable]:
        plain = unpack(body, encoding, limit)
        return plain, read_report(plain)

    if len(body) < _LARGE:
        with suppress(TooLarge):
            return unpack_and_read(_LARGE)
    # The size of the packed bytes says little: two megabytes can come in two kilobytes.
    return await asyncio.to_thread(unpack_and_read, MAX_BODY_BYTES)


def _encoding_header(scope: HTTPScope) -> str:
    """The codings of a body in the order in which they were applied; several headers are one list."""
    values = [value for name, value in scope["headers"] if name == b"content-encoding"]
    return b", ".join(values)[:_LONGEST_HEADER].decode("latin-1")
