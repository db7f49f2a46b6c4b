"""Answers that hosts pack, unpacked piece by piece and within bounds."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from typing import cast

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.outside.answer_encoding import PIECE, BadEncoding, unpacked


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


LIMIT = 2**20
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
    return b"".join([piece async for piece in unpacked(chunks(body, size), header, LIMIT)])


@pytest.mark.parametrize("header", PACKED)
@given(body=st.binary(max_size=5000), size=st.integers(1, 600))
async def test_what_was_packed_comes_out_as_it_was_in_chunks_of_any_size(header: str, body: bytes, size: int) -> None:
    assert await all_of(PACKED[header](body), header, size) == body


async def test_several_members_and_padding_of_a_gzip_are_read() -> None:
    assert await all_of(gzip.compress(b"one ") + gzip.compress(b"two") + bytes(9), "gzip", 7) == b"one two"


@pytest.mark.parametrize("padding", [b"", bytes(9), b"\n"])
async def test_two_members_are_read_wherever_the_network_cuts_them(padding: bytes) -> None:
    packed = gzip.compress(b"one ") + bytes(2) + gzip.compress(b"two") + padding
    for cut in range(1, len(packed)):
        parts = iter((packed[:cut], packed[cut:]))

        async def cut_in_two(parts: Iterator[bytes] = parts) -> AsyncIterator[bytes]:
            for part in parts:
                yield part

        assert b"".join([piece async for piece in unpacked(cut_in_two(), "gzip", LIMIT)]) == b"one two", cut


async def test_a_member_of_which_only_the_first_byte_came_is_missed() -> None:
    with pytest.raises(EOFError):
        await all_of(gzip.compress(b"one ") + b"\x1f", "gzip")


async def test_more_members_than_a_recording_has_are_refused() -> None:
    with pytest.raises(BadEncoding, match="more than 100 parts"):
        await all_of(gzip.compress(b"") * 101, "gzip")
    assert await all_of(gzip.compress(b"a") * 100, "gzip") == b"a" * 100


@pytest.mark.parametrize("inside", [gzip.compress(b"") * 100_000, bytes(200 * 2**20)], ids=["members", "zeros"])
async def test_layers_that_hold_far_more_than_the_content_hold_neither_the_loop_nor_memory(inside: bytes) -> None:
    bomb = gzip.compress(gzip.compress(inside, 9), 9)
    longest = asyncio.create_task(longest_turn())
    await asyncio.sleep(0)
    with pytest.raises(BadEncoding, match="more than"):
        await all_of(bomb, "gzip, gzip, gzip" if inside[:1] == b"\x1f" else "gzip, gzip", 2**16)
    longest.cancel()
    assert await longest < 0.2


async def longest_turn() -> float:
    """The longest time between two turns of the loop, until it is cancelled."""
    longest, last = 0.0, time.perf_counter()
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
    return longest


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
async def test_one_that_ends_too_early_is_noticed_after_what_came(name: str) -> None:
    body = bytes(range(256)) * 3000
    got = bytearray()

    async def read() -> None:
        async for piece in unpacked(chunks(PACKED[name](body)[:-20], 100), name, LIMIT):
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
        unpacked(chunks(b"", 1), header, LIMIT)


@pytest.mark.parametrize("name", ["gzip", "br"])
async def test_a_bomb_is_unpacked_as_far_as_it_is_read(name: str) -> None:
    bomb = PACKED[name](bytes(200 * 1024**2))
    tracemalloc.start()
    try:
        pieces = cast("AsyncGenerator[bytes, None]", unpacked(chunks(bomb, 2**20), name, LIMIT))
        async with aclosing(pieces):
            assert 0 < len(await anext(pieces)) <= 4 * PIECE
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
