"""The open connections: Hypercorn's, kept to HTTP/1.1 and to peers that are still there; knows no request, no route."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import h11
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import AppWrapper, LifespanState

from dashboard.machine import most_connections

BACKLOG = 2048
"""Connections the kernel holds until they are accepted: every page of an office comes back at once after a restart."""

ACCEPTED_AT_ONCE = 100
"""Python tries accept() this often per wake-up, and goes on trying (and complaining) when descriptors have run out."""

HEADER_SECONDS = 5.0
"""How long a new connection may take to send its first request's headers: slow-header attacks hold it no longer."""

KEEP_ALIVE_SECONDS = 75.0
"""How long a connection that has asked something may wait between requests.

Longer than the pools of those who call (httpx 5 s, aiohttp 15 s, nginx 60 s): the caller must be the one who closes,
or a report is sent into a connection that is just being closed, and the platform documents no second attempt.
"""

CROWDED_SECONDS = 0.5
"""How long a connection that comes when descriptors run short may take to ask; it is closed after the answer."""

LAST_REQUEST_SECONDS = 0.1
"""Between "no new connections" and "no new requests": whoever is connected already gets to say what it came to say."""

TRANSPORT = "callboard.transport"
"""The scope's extension under which a request over HTTP/1.1 finds its connection's transport."""

CHUNKS_A_TURN = 8
"""How many chunks one connection may send before all others have had a turn."""

WRITE_BUFFER_BYTES = 32 * 1024
"""How much of an answer waits outside the kernel before its maker waits too."""

SLOW_SECONDS = 20.0
LEAST_BYTES_READ = 16 * 1024
"""What a reader must take of a full buffer in SLOW_SECONDS: one that takes a byte now and then holds it for ever.

A reader that takes nothing is dropped by the kernel.
"""

CUT_SECONDS = 0.2
COMPLAINT_SECONDS = 10.0
OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_HEAD_END = re.compile(rb"\n\r?\n")
_FOLDED = re.compile(rb"\n[ \t]")

log = logging.getLogger(__name__)


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


class Connection(TCPServer):
    """Reads one peer's requests and writes the answers until either side ends it: Hypercorn's, with gaps closed."""

    is_short = False
    """Whether it came when descriptors ran short: then it may ask once, soon, and its descriptor goes to the next."""
    _chunks = 0

    async def _read_data(self) -> None:
        # Runs once the protocol stands and before the first byte: the one moment at which its parser can be exchanged.
        parser = Http1(h11.SERVER, max_incomplete_event_size=self.config.h11_max_incomplete_size)
        parser.is_short = self.is_short
        self._http().connection = parser
        await super()._read_data()
        # The idle timer would keep a connection that its peer has left, and its descriptor, until it rings.
        await self.idle_task.stop()

    async def protocol_send(self, event: Event) -> None:
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        gone = self.writer.is_closing()  # writing on would only log "socket.send() raised exception", once per chunk
        if not gone:
            try:
                async with self.send_lock:
                    self.writer.write(event.data)
                    await self._drain()
            except (OSError, RuntimeError):  # ETIMEDOUT is no ConnectionError, which Hypercorn expects
                gone = True
        if gone:
            await self.protocol.handle(Closed())
        # drain() need not suspend: not while the peer reads fast, and never again once it is gone. A stream that does
        # not suspend either then held the loop for ever, deaf to its own cancellation. So now and then others run.
        self._chunks += 1
        if gone or self._chunks % CHUNKS_A_TURN == 0:
            await asyncio.sleep(0)

    async def _drain(self) -> None:
        """Wait until the peer has read enough of the answer, or drop it. Raises OSError."""
        transport = self.writer.transport
        while True:
            unread = transport.get_write_buffer_size()
            if not unread:
                await self.writer.drain()
                return
            limit = asyncio.timeout(SLOW_SECONDS)
            try:
                async with limit:
                    await self.writer.drain()
                return
            except TimeoutError:
                if not limit.expired():  # ETIMEDOUT: the kernel has dropped the peer
                    raise
                if transport.get_write_buffer_size() > unread - LEAST_BYTES_READ:
                    transport.abort()

    async def _idle_timeout(self) -> None:
        seconds = KEEP_ALIVE_SECONDS if self._http().keep_alive_requests else HEADER_SECONDS
        if self.reader.at_eof() or self.writer.is_closing():
            seconds = 0  # left while it was being answered
        elif self.is_short:
            seconds = CROWDED_SECONDS
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.context.terminated.wait(), seconds)
        await asyncio.shield(self._initiate_server_close())

    async def _close(self) -> None:
        with suppress(OSError):  # wait_closed() hands on the reason for which the peer was lost
            await super()._close()

    def _http(self) -> H11Protocol:
        protocol = self.protocol.protocol
        assert isinstance(protocol, H11Protocol), "on a plain port every connection begins as HTTP/1"
        return protocol


class _Offering:
    """Gives each request the transport it came by, as an extension of its scope: for streams, which mostly wait."""

    def __init__(self, app: AppWrapper, transport: asyncio.WriteTransport) -> None:
        self._app = app
        self._transport = transport

    async def __call__(self, scope: Any, receive: Any, send: Any, sync_spawn: Any, call_soon: Any) -> None:
        if scope["type"] == "http" and scope["http_version"] == "1.1":
            scope["extensions"][TRANSPORT] = self._transport
        await self._app(scope, receive, send, sync_spawn, call_soon)


class Connections:
    """Everyone who is connected, through which listeners, and how they are seen off.

    Stands where hypercorn.asyncio.serve would: that one closes its listeners one after the other, and each waits for
    all its connections, idle and stalled ones too (Server.wait_closed from Python 3.12.1 on): with one open page it
    never ended. https://github.com/pgjones/hypercorn/issues/308, in 0.18.0.
    """

    def __init__(self, app: AppWrapper, config: Config, state: LifespanState) -> None:
        self._app = app
        self._config = config
        self._state = state
        self._context = WorkerContext(max_requests=None)
        self._listeners: list[asyncio.Server] = []
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def admit(self, sockets: Sequence[socket.socket]) -> None:
        for sock in sockets:
            self._listeners.append(await asyncio.start_server(self._connected, sock=sock, backlog=ACCEPTED_AT_ONCE))
            sock.listen(BACKLOG)  # start_server has one number for both

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            writer.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
            app = _Offering(self._app, writer.transport)
            connection = Connection(app, loop, self._config, self._context, self._state, reader, writer)
            connection.is_short = len(self._open) > most_connections()
            await connection
        except asyncio.CancelledError:
            pass  # by cut(); Python 3.11 would log a traceback for each
        finally:
            del self._open[task]

    async def see_off(self, seconds: float) -> None:
        """Nobody new; a last request each; the idle go; what was begun may finish; after `seconds` the rest is cut."""
        deadline = asyncio.get_running_loop().time() + seconds
        await self._close_listeners()
        self._config.keep_alive_max_requests = 0  # every answer from here on carries "Connection: close"
        await asyncio.sleep(min(LAST_REQUEST_SECONDS, seconds))
        await self._context.terminated.set()
        await self._all_gone(deadline)
        if self._open:
            log.warning("Stopping: %d connections were cut, still busy after %.1f s.", len(self._open), seconds)
            self.cut()
            await self._all_gone(deadline + CUT_SECONDS)

    async def _close_listeners(self) -> None:
        # In two steps, because a connection accepted in this very turn of the loop gets its transport in the next: when
        # the listener is closed by then, asyncio drops it, unanswered and without a word (Server._attach asserts).
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            for sock in listener.sockets:
                loop.remove_reader(sock.fileno())
        await asyncio.sleep(0)
        for listener in self._listeners:
            listener.close()

    def cut(self) -> None:
        for task, writer in self._open.items():
            writer.transport.abort()
            task.cancel()

    async def _all_gone(self, deadline: float) -> None:
        while self._open and (left := deadline - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(set(self._open), timeout=left)


@contextmanager
def one_complaint_about_descriptors() -> Iterator[None]:
    """asyncio logs every failed accept() with a traceback, a hundred a second, and none says what to do."""
    loop = asyncio.get_running_loop()
    complained_at = -math.inf

    def hear(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal complained_at
        problem = context.get("exception")
        if not isinstance(problem, OSError) or problem.errno not in OUT_OF_RESOURCES:
            loop.default_exception_handler(context)
        elif loop.time() - complained_at > COMPLAINT_SECONDS:
            complained_at = loop.time()
            log.error(
                "No new connection can be taken: %s. They wait; raise the limit (ulimit -n, LimitNOFILE=).",
                problem.strerror,
            )

    before = loop.get_exception_handler()
    loop.set_exception_handler(hear)
    try:
        yield
    finally:
        loop.set_exception_handler(before)
