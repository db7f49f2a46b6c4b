"""Packed bodies: what they are packed in, and unpacking within a limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.content_encoding import (
    MAX_BODY_BYTES,
    NotUnpacked,
    TooLarge,
    UnknownCoding,
    encoding_of,
    unpack,
)

Pack = Callable[[bytes], bytes]


def bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKS: dict[str, tuple[str, Pack]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "brotli": ("br", brotli.compress),
    "identity": ("identity", bytes),
}
each_pack = pytest.mark.parametrize(("encoding", "pack"), PACKS.values(), ids=PACKS)
each_packing = pytest.mark.parametrize(
    ("encoding", "pack"), [PACKS[name] for name in PACKS if name != "identity"], ids=[*PACKS][:-1]
)


@given(body=st.binary(max_size=500))
@each_pack
def test_what_is_packed_comes_back_byte_for_byte(encoding: str, pack: Pack, body: bytes) -> None:
    assert unpack(pack(body), encoding) == body


@given(body=st.binary(max_size=200), layers=st.lists(st.sampled_from([*PACKS.values()]), max_size=4))
def test_stacked_codings_are_undone_from_the_last_to_the_first(body: bytes, layers: list[tuple[str, Pack]]) -> None:
    packed = body
    for _, pack in layers:
        packed = pack(packed)
    assert unpack(packed, " , ".join(encoding.upper() for encoding, _ in layers)) == body


@each_packing
def test_the_limit_holds_for_the_unpacked_bytes(encoding: str, pack: Pack) -> None:
    assert len(unpack(pack(b"a" * 1000), encoding, 1000)) == 1000
    with pytest.raises(TooLarge):
        unpack(pack(b"a" * 1001), encoding, 1000)


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", gzip.compress(b"\0" * 100_000_000, 9)),
        ("gzip", gzip.compress(b"\0" * 1_000_000) * 90),
        ("gzip, gzip", gzip.compress(gzip.compress(b"\0" * 100_000_000, 9))),
        ("deflate", zlib.compress(b"\0" * 100_000_000)),
        ("br", brotli.compress(b"\0" * 100_000_000)),
    ],
    ids=["gzip", "members", "twice", "deflate", "br"],
)
def test_a_bomb_takes_no_more_memory_than_the_limit(encoding: str, bomb: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            unpack(bomb, encoding)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_BODY_BYTES


@each_packing
@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:-1], lambda b: b[:5], lambda b: b"", lambda b: b"\xff" * len(b), lambda b: b + b"{}"],
    ids=["cut", "beginning", "empty", "noise", "followed"],
)
def test_damaged_bytes_are_named_as_such(encoding: str, pack: Pack, damage: Pack) -> None:
    with pytest.raises(NotUnpacked, match=rf"^The body is packed as {encoding} and cannot be unpacked: .+\.$"):
        unpack(damage(pack(b'{"event": "call_ended"}' * 5)), encoding)


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate", "br", "gzip, br", "zstd", "", "identity"]))
def test_any_bytes_give_bytes_or_a_sentence(body: bytes, encoding: str) -> None:
    try:
        given: list[bytes | str] = [unpack(body, encoding, 1000)]
    except TooLarge:
        given = []
    except NotUnpacked as problem:
        given = [str(problem)]
    assert all(isinstance(each, bytes) or each.endswith(".") for each in given)


def test_a_gzip_body_of_several_parts_and_with_padding_is_one_body() -> None:
    assert unpack(gzip.compress(b"a") + gzip.compress(b"b") + b"\0" * 512, "gzip") == b"ab"
    with pytest.raises(NotUnpacked, match="more than 100 parts"):
        unpack(gzip.compress(b"") * 101, "gzip")


def test_unknown_and_endless_codings_are_named() -> None:
    with pytest.raises(UnknownCoding, match=r"^Its Content-Encoding is zstd; supported are gzip, deflate, br\.$"):
        unpack(b"", "gzip, zstd")
    with pytest.raises(UnknownCoding, match="more than 4 codings"):
        unpack(b"", "gzip," * 5)
    with pytest.raises(UnknownCoding) as caught:
        unpack(b"", "x" * 500 + "\x00")
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("header", "body", "encoding"),
    [
        ("", b"{}", ""),
        ("identity", b"{}", ""),
        ("", gzip.compress(b"{}"), "gzip"),
        ("identity", gzip.compress(b"{}"), "gzip"),
        ("", zlib.compress(b"{}"), "deflate"),
        ("", zlib.compress(b"{}", 9), "deflate"),
        ("", b"xml", ""),
        (" GZIP , identity,, Br ", b"{}", "gzip, br"),
        ("utf-8", b"{}", "utf-8"),
    ],
    ids=range(9),
)
def test_the_header_decides_and_without_one_the_first_bytes(header: str, body: bytes, encoding: str) -> None:
    assert encoding_of(header, body) == encoding
