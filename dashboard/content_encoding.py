"""Unpacks a report's body that came with a `Content-Encoding`: gzip, deflate, br, or several of them. Pure.

The output is bounded at every step: 2 kB of gzip can unpack to 2 MB, and a server that unpacks without a limit can be
filled by one request.
"""

from __future__ import annotations

import zlib

MAX_BODY_BYTES = 2 * 2**20
"""Of a report, as it came and unpacked."""
SUPPORTED = "gzip, deflate, br"
_MAX_CODINGS = 4
MAX_MEMBERS = 100
"""Of gzip: a body is a list of members, and each one copies what follows it. 100,000 empty ones took minutes."""
_LONGEST_NAME = 40
_GZIP_SIGNATURE = b"\x1f\x8b\x08"
_ZLIB_SIGNATURES = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
_GZIP_WINDOW, _ZLIB_WINDOW, _RAW_WINDOW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_END_MISSING = "its end is missing"


class NotUnpacked(ValueError):
    """The body is not what its `Content-Encoding` says; the text is a sentence that says why."""


class UnknownCoding(NotUnpacked):
    """The `Content-Encoding` names something that is not supported."""


class TooLarge(ValueError):
    """The unpacked body is larger than the limit."""


def encoding_of(header: str, body: bytes) -> str:
    """What a body is packed in: the codings of the header, else what its first bytes show; "" is not packed.

    Senders leave the header out, and proxies drop it. JSON begins with neither signature (RFC 1952, RFC 1950).
    """
    if codings := _codings(header):
        return ", ".join(codings)
    if body.startswith(_GZIP_SIGNATURE):
        return "gzip"
    return "deflate" if body.startswith(_ZLIB_SIGNATURES) else ""


def unpack(body: bytes, encoding: str, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body without its codings, which are undone from the last to the first (RFC 9110 section 8.4).

    Raises UnknownCoding, NotUnpacked; TooLarge where the result, or a step on the way, exceeds `limit` bytes.
    """
    codings = _codings(encoding)
    for name in codings:
        if name not in _CODINGS:
            raise UnknownCoding(f"Its Content-Encoding is {_printable(name)}; supported are {SUPPORTED}.")
    if len(codings) > _MAX_CODINGS:
        raise UnknownCoding(f"Its Content-Encoding lists more than {_MAX_CODINGS} codings.")
    for name in reversed(codings):
        try:
            body = _CODINGS[name](body, limit)
        except _Broken as problem:
            raise NotUnpacked(f"The body is packed as {name} and cannot be unpacked: {problem}.") from None
    return body


class _Broken(ValueError):
    """What is wrong with the packed bytes."""


def _codings(header: str) -> list[str]:
    names = (name.strip().lower() for name in header.split(","))
    return [name for name in names if name not in ("", "identity")]


def _gunzip(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    for _ in range(MAX_MEMBERS):
        part, body = _inflate(body, _GZIP_WINDOW, limit - size)
        parts.append(part)
        size += len(part)
        # Zeros after the last member are padding to every gzip program.
        if not body.strip(b"\0"):
            return b"".join(parts)
    raise _Broken(f"it has more than {MAX_MEMBERS} parts")


def _undeflate(body: bytes, limit: int) -> bytes:
    try:
        part, rest = _inflate(body, _ZLIB_WINDOW, limit)
    except _Broken:
        # "deflate" means zlib's format, and many a program sends the bare one.
        part, rest = _inflate(body, _RAW_WINDOW, limit)
    if rest:
        raise _Broken("something follows its end")
    return part


def _inflate(body: bytes, window: int, limit: int) -> tuple[bytes, bytes]:
    """What the first member unpacks to, and the bytes after it. Raises _Broken, TooLarge."""
    unpacker = zlib.decompressobj(wbits=window)
    try:
        part = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise _Broken("its bytes are damaged") from None
    if len(part) > limit:
        raise TooLarge
    if not unpacker.eof:
        raise _Broken(_END_MISSING)
    return part, unpacker.unused_data


def _unbrotli(body: bytes, limit: int) -> bytes:
    import brotli  # here: few senders use it, and reports wait for the server's start

    unpacker = brotli.Decompressor()
    try:
        part: bytes = unpacker.process(body, output_buffer_limit=limit + 1)
    except brotli.error:
        raise _Broken("its bytes are damaged") from None
    if len(part) > limit:
        raise TooLarge
    if not unpacker.is_finished():
        raise _Broken(_END_MISSING)
    return part


def _printable(name: str) -> str:
    """A name that anybody may have written, fit for a sentence."""
    short = name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in short)


_CODINGS = {"gzip": _gunzip, "x-gzip": _gunzip, "deflate": _undeflate, "br": _unbrotli}
