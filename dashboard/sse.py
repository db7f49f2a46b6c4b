"""The wire format of server-sent events, and nothing else. Imports nothing of the house."""

from __future__ import annotations

import re

# Every line end the format knows; a lone CR is one too, so a transcript holding "\rid: 9" must not forge a field.
_LINE_END = re.compile("\r\n|\r|\n")


def sse_frame(data: str | None = None, *, id: int | None = None, event: str = "") -> bytes:
    """One event. Without `data` and `event` it only moves the reader's Last-Event-ID."""
    lines = []
    if id is not None:
        lines.append(f"id: {id}")
    if event:
        lines.append(f"event: {event}")
    if data is not None:
        lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return "\n".join([*lines, "", ""]).encode()


def sse_comment() -> bytes:
    """Bytes that mean nothing: they make a proxy and a browser see that the stream is open."""
    return b":\n\n"
