"""Undoes the Content-Encoding of an answer: gzip, deflate and br, piece by piece.

Some hosts pack every answer, whatever `Accept-Encoding` says.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

import brotli

from dashboard.content_encoding import MAX_MEMBERS

PIECE = 64 * 1024
"""Bytes that one step gives at most, so that a reader can stop an answer that unpacks to far more."""
_MOST_LAYERS = 3
GZIP = 31
_MEMBER = b"\x1f\x8b"
_TELLING = 2
"""Bytes that are enough to distinguish zlib from raw deflate."""


class BadEncoding(ValueError):
    """The answer cannot be unpacked; the message says why, as a sentence without its subject."""


class _Unpacker(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]: ...
    def end(self) -> bytes: ...


class _Inflate:
    """gzip (`wbits` GZIP), zlib (15) or raw deflate (-15)."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._stream = zlib.decompressobj(wbits)
        self._members = 1
        self._held = b""
        """The first byte after a member, where it may be the mark of the next one."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        data = self._held + data
        self._held = b""
        while data:
            if self._stream.eof:
                data = data.lstrip(b"\0")  # padding
                if data == _MEMBER[:1]:
                    self._held = data
                if not self._begins_member(data):
                    return
            piece = self._stream.decompress(data, PIECE)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if piece:
                yield piece

    def end(self) -> bytes:
        rest = self._stream.flush()
        if self._held or not self._stream.eof:
            raise EOFError
        return rest

    def _begins_member(self, data: bytes) -> bool:
        """A gzip answer may have several members; what else follows the end is passed over. Raises BadEncoding."""
        if self._wbits != GZIP or not data.startswith(_MEMBER):
            return False
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise BadEncoding(f"sent an answer that is packed in more than {MAX_MEMBERS} parts")
        self._stream = zlib.decompressobj(self._wbits)
        return True


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream.is_finished():
            return
        if piece := self._stream.process(data, output_buffer_limit=PIECE):
            yield piece
        while not self._stream.can_accept_more_data():
            yield self._stream.process(b"", output_buffer_limit=PIECE)

    def end(self) -> bytes:
        if not self._stream.is_finished():
            raise EOFError
        return b""


class _AsItIs:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def end(self) -> bytes:
        return b""


# Several for one name: "deflate" means zlib, and some servers send it without zlib's header.
_UNPACKERS: dict[str, tuple[Callable[[], _Unpacker], ...]] = {
    "gzip": (lambda: _Inflate(GZIP),),
    "x-gzip": (lambda: _Inflate(GZIP),),
    "deflate": (lambda: _Inflate(15), lambda: _Inflate(-15)),
    "br": (_Brotli,),
}


def unpacked(chunks: AsyncIterator[bytes], header: str, limit: int) -> AsyncIterator[bytes]:
    """The answer's content in pieces of some 64 KiB; `header` is its Content-Encoding.

    No layer gives more than `limit` bytes and a piece, and the loop is left to others after each piece: an answer of
    1 kB that is packed three times unpacks to gigabytes of nothing.

    An answer that claims to be packed and is not comes as it is. The iterator raises BadEncoding where the content is
    damaged, and EOFError where it ends too early. Raises BadEncoding at once for an encoding that is not known.
    """
    names = [name for each in header.lower().split(",") if (name := each.strip()) not in ("", "identity")]
    for name in names:
        if name not in _UNPACKERS or len(names) > _MOST_LAYERS:
            raise BadEncoding("answered in an encoding that was not asked for and is not known here")
    for name in reversed(names):
        chunks = _undone(chunks, name, limit)
    return chunks


async def _undone(chunks: AsyncIterator[bytes], name: str, limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in _pieces_of(chunks, name):
        size += len(piece)
        yield piece
        # The reader of the content stops at the limit by itself, and says so in its own words.
        if size > limit:
            raise BadEncoding(f"sent an answer that unpacks to more than {limit} bytes")
        await asyncio.sleep(0)


async def _pieces_of(chunks: AsyncIterator[bytes], name: str) -> AsyncIterator[bytes]:
    beginning = b""
    try:
        async for chunk in chunks:
            beginning += chunk
            if len(beginning) >= _TELLING:
                break
        if not beginning:
            return
        unpacker = _fitting(name, beginning)
        for piece in unpacker.feed(beginning):
            yield piece
        async for chunk in chunks:
            for piece in unpacker.feed(chunk):
                yield piece
        if rest := unpacker.end():
            yield rest
    except (zlib.error, brotli.error):
        raise BadEncoding("sent an answer whose packing is damaged") from None


def _fitting(name: str, beginning: bytes) -> _Unpacker:
    """An unpacker that takes this beginning; one that changes nothing where the answer is not packed at all."""
    if name.endswith("gzip") and beginning[:1] == b"\x1f":
        return _Inflate(GZIP)  # its mark shows that it is packed, whatever follows
    for make in _UNPACKERS[name]:
        try:
            next(make().feed(beginning), b"")
        except (zlib.error, brotli.error):
            continue
        return make()
    return _AsItIs()
