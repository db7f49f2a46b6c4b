"""Reads HTTP/1.1 as a server must that stands behind any proxy: h11, without what could be read in two ways."""

from __future__ import annotations

import re
from typing import Any

import h11

_HEAD_END = re.compile(rb"\n\r?\n")
_FOLDED = re.compile(rb"\n[ \t]")


class Http1(h11.Connection):
    """h11 that hears neither HTTP/2 nor Upgrade, nor a request that can be read in two ways.

    Hypercorn answers the preface `PRI * HTTP/2.0` and `Upgrade: h2c` with HTTP/2 on a plain port, whatever is set.
    Its HTTP/2 has no backpressure (StreamBuffer.pop lifts the pause even while the peer's window is shut): one client
    that never opened its window made the server hold 2.4 GB. Seen in 0.18.0; delete when such a client does no harm.
    Websockets are refused by the same silence (RFC 9110 section 7.8: a server may ignore Upgrade): the board has none.
    """

    is_short = False
    """Whether the first answer is the last."""

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        if self.their_state is h11.IDLE and _FOLDED.search(_HEAD_END.split(self.trailing_data[0], 1)[0]):
            raise h11.RemoteProtocolError("a header goes on in the next line")  # h11 joins what a proxy may not
        event = super().next_event()
        return _plain(event) if isinstance(event, h11.Request) else event

    def send(self, event: Any) -> Any:
        # Hypercorn closes after an answer that came before the end of its request's body, and does not say so: a caller
        # with a pool put its next request into that connection, and lost it.
        if isinstance(event, h11.Response) and (self.is_short or self.their_state is h11.SEND_BODY):
            headers = [*event.headers, (b"connection", b"close")]
            event = h11.Response(status_code=event.status_code, headers=headers)
        return super().send(event)


def _plain(request: h11.Request) -> h11.Request:
    """The request as the app may see it. Raises RemoteProtocolError, which Hypercorn answers with 400 and a close."""
    if request.http_version not in (b"1.0", b"1.1"):
        raise h11.RemoteProtocolError("only HTTP/1.0 and HTTP/1.1 are spoken here")
    names = {name for name, _ in request.headers}
    if {
        b"content-length",
        b"transfer-encoding",
    } <= names:  # a proxy may see another end (smuggling)
        raise h11.RemoteProtocolError("two ways to find the end of the body")
    target = request.target
    if target.startswith((b"http://", b"https://")):
        target = b"/" + b"".join(target.split(b"/", 3)[3:])
    if not target.startswith(b"/"):  # "?" or "a:1" (CONNECT): Quart answers 500 with a traceback
        raise h11.RemoteProtocolError("the address does not begin with /")
    if target == request.target and b"upgrade" not in names:
        return request
    headers = [(name, value) for name, value in request.headers if name != b"upgrade"]
    return h11.Request(method=request.method, target=target, headers=headers, http_version=request.http_version)
