"""Answers that hosts pack, unpacked piece by piece and within bounds."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.outside.answer_encoding import PIECE, BadEncoding, unpacked


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    " GZip ": gzip.compress,
    "deflate": zlib.compress,
    "deflate, identity": raw_deflate,
    "br": brotli.compress,
    "identity": bytes,
    "": bytes,
}


async def chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def all_of(body: bytes, header: str, size: int = 1000) -> bytes:
    return b"".join([piece async for piece in unpacked(chunks(body, size), header)])


@pytest.mark.parametrize("header", PACKED)
@given(body=st.binary(max_size=5000), size=st.integers(1, 600))
async def test_what_was_packed_comes_out_as_it_was_in_chunks_of_any_size(header: str, body: bytes, size: int) -> None:
    assert await all_of(PACKED[header](body), header, size) == body


async def test_several_members_and_padding_of_a_gzip_are_read() -> None:
    assert await all_of(gzip.compress(b"one ") + gzip.compress(b"two") + bytes(9), "gzip", 7) == b"one two"


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
async def test_one_that_ends_too_early_is_noticed_after_what_came(name: str) -> None:
    body = bytes(range(256)) * 3000
    got = bytearray()

    async def read() -> None:
        async for piece in unpacked(chunks(PACKED[name](body)[:-20], 100), name):
            got.extend(piece)

    with pytest.raises(EOFError):
        await read()
    assert body.startswith(got)


async def test_one_that_is_damaged_is_refused() -> None:
    packed = bytearray(gzip.compress(bytes(range(256)) * 3000, 1))
    packed[600:700] = b"\xff" * 100
    with pytest.raises(BadEncoding, match="packing is damaged"):
        await all_of(bytes(packed), "gzip", 100)


@pytest.mark.parametrize("header", ["gzip", "br", "deflate"])
async def test_what_only_claims_to_be_packed_comes_as_it_is(header: str) -> None:
    body = b"RIFF\x24\x80\x00\x00WAVEfmt " + b"\xaa" * 500
    assert await all_of(body, header) == body


@pytest.mark.parametrize("header", ["zstd", "gzip, compress", "gzip, gzip, gzip, gzip"])
def test_an_encoding_that_is_not_known_is_refused(header: str) -> None:
    with pytest.raises(BadEncoding, match="encoding that was not asked for"):
        unpacked(chunks(b"", 1), header)


@pytest.mark.parametrize("name", ["gzip", "br"])
async def test_a_bomb_is_unpacked_as_far_as_it_is_read(name: str) -> None:
    bomb = PACKED[name](bytes(200 * 1024**2))
    tracemalloc.start()
    try:
        pieces = cast("AsyncGenerator[bytes, None]", unpacked(chunks(bomb, 2**20), name))
        async with aclosing(pieces):
            assert 0 < len(await anext(pieces)) <= 4 * PIECE
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
