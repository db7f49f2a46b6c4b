"""Undoes the Content-Encoding of an answer: gzip, deflate and br, piece by piece.

Some hosts pack every answer, whatever `Accept-Encoding` says.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

import brotli

PIECE = 64 * 1024
"""Bytes that one step gives at most, so that a reader can stop an answer that unpacks to far more."""
_MOST_LAYERS = 3
_TELLING = 2
"""Bytes that are enough to distinguish zlib from raw deflate."""


class BadEncoding(ValueError):
    """The answer cannot be unpacked; the message says why, as a sentence without its subject."""


class _Unpacker(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]: ...
    def end(self) -> bytes: ...


class _Inflate:
    """gzip (`wbits` 31), zlib (15) or raw deflate (-15)."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._stream = zlib.decompressobj(wbits)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream.eof:
                if self._wbits != 31 or not data.startswith(b"\x1f\x8b"):
                    return  # padding after the end
                self._stream = zlib.decompressobj(self._wbits)  # a gzip answer may have several members
            piece = self._stream.decompress(data, PIECE)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if piece:
                yield piece

    def end(self) -> bytes:
        rest = self._stream.flush()
        if not self._stream.eof:
            raise EOFError
        return rest


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
    "gzip": (lambda: _Inflate(31),),
    "x-gzip": (lambda: _Inflate(31),),
    "deflate": (lambda: _Inflate(15), lambda: _Inflate(-15)),
    "br": (_Brotli,),
}


def unpacked(chunks: AsyncIterator[bytes], header: str) -> AsyncIterator[bytes]:
    """The answer's content in pieces of some 64 KiB; `header` is its Content-Encoding.

    An answer that claims to be packed and is not comes as it is. The iterator raises BadEncoding where the content is
    damaged, and EOFError where it ends too early. Raises BadEncoding at once for an encoding that is not known.
    """
    names = [name for each in header.lower().split(",") if (name := each.strip()) not in ("", "identity")]
    for name in names:
        if name not in _UNPACKERS or len(names) > _MOST_LAYERS:
            raise BadEncoding("answered in an encoding that was not asked for and is not known here")
    for name in reversed(names):
        chunks = _undone(chunks, name)
    return chunks


async def _undone(chunks: AsyncIterator[bytes], name: str) -> AsyncIterator[bytes]:
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
        return _Inflate(31)  # its mark shows that it is packed, whatever follows
    for make in _UNPACKERS[name]:
        try:
            next(make().feed(beginning), b"")
        except (zlib.error, brotli.error):
            continue
        return make()
    return _AsItIs()
