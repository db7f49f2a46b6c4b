"""The open connections: Hypercorn's, kept to HTTP/1.1 and to peers that are still there; knows no request, no route."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import h11
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import AppWrapper, LifespanState

from dashboard.http1 import Http1
from dashboard.idle_timer import IdleTimer
from dashboard.machine import most_connections
from dashboard.page_turns import PageTurns

BACKLOG = 2048
"""Connections the kernel holds until they are accepted: every page of an office comes back at once after a restart."""

ACCEPTED_AT_ONCE = 4
"""New connections a turn of the loop: a hundred of them, each with its tasks, kept all others waiting for 50 ms.

Python also goes on trying so often (and complaining) when descriptors have run out.
"""

LAST_REQUEST_SECONDS = 0.1
"""Between "no new connections" and "no new requests": whoever is connected already gets to say what it came to say."""

REPORTS = b"POST "
"""How requests begin that wait for no page: reports, and forms."""

TURNS_OF_A_REQUEST = 4
"""Turns of the loop from the arrival of a request's first bytes to the end of its connection's idleness, at most."""

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

# How a final answer begins; an interim one (100, 103) is not followed by anything at once.
_HEAD = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")

log = logging.getLogger(__name__)


class Connection(TCPServer):
    """Reads one peer's requests and writes the answers until either side ends it: Hypercorn's, with gaps closed."""

    _chunks = 0
    _head = b""

    def __init__(
        self, *parts: Any, beginning: bytes, is_short: bool, idle_timer: IdleTimer, page_turns: PageTurns
    ) -> None:
        """`beginning` is what its peer has sent already; the `parts` are Hypercorn's."""
        super().__init__(*parts)
        self.beginning = beginning
        self.is_short = is_short
        self.idle_task = idle_timer  # type: ignore[assignment]
        self.page_turns = page_turns

    async def _read_data(self) -> None:
        # Runs once the protocol stands and before the first byte: the one moment at which its parser can be exchanged.
        parser = Http1(h11.SERVER, max_incomplete_event_size=self.config.h11_max_incomplete_size)
        parser.is_short = self.is_short
        self._http().connection = parser
        data = self.beginning
        while data:
            await self.protocol.handle(RawData(data))
            data = await _read(self.reader)
            if not data.startswith(REPORTS):
                await self.page_turns.enter()
        await self.protocol.handle(Closed())

    async def protocol_send(self, event: Event) -> None:
        if not isinstance(event, RawData):
            self._write_head()
            await super().protocol_send(event)
            return
        if event.data.startswith(_HEAD):
            # A short answer leaves in one piece: each write releases the interpreter and waits to get it back.
            self._head = event.data
            self.loop.call_soon(self._write_head)
            return
        if not (event.data or self._head):  # the end of an answer whose length was said at its beginning
            return
        gone = self.writer.is_closing()  # writing on would only log "socket.send() raised exception", once per chunk
        if not gone:
            try:
                async with self.send_lock:
                    self.writer.write(self._head + event.data)
                    self._head = b""
                    await self._drain()
            except (OSError, RuntimeError) as problem:  # ETIMEDOUT is no ConnectionError, which Hypercorn expects
                _forget_frames(problem)
                gone = True
        if gone:
            await self.protocol.handle(Closed())
        # drain() need not suspend: not while the peer reads fast, and never again once it is gone. A stream that does
        # not suspend either then held the loop for ever, deaf to its own cancellation. So now and then others run.
        self._chunks += 1
        if gone or self._chunks % CHUNKS_A_TURN == 0:
            await asyncio.sleep(0)

    def _write_head(self) -> None:
        """Send the beginning of an answer whose first bytes have not come in the same turn of the loop."""
        if self._head and not self.writer.is_closing():
            self.writer.write(self._head)
        self._head = b""

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

    async def _close(self) -> None:
        with suppress(OSError):  # wait_closed() hands on the reason for which the peer was lost
            await super()._close()
        if reason := self.reader.exception():
            _forget_frames(reason)

    def _http(self) -> H11Protocol:
        protocol = self.protocol.protocol
        assert isinstance(protocol, H11Protocol), "on a plain port every connection begins as HTTP/1"
        return protocol


class _StreamProtocol(asyncio.StreamReaderProtocol):
    """asyncio's, whose closed connections need no garbage collector: ten thousand that waited for it took 20 MB."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._made = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            _forget_frames(exc)
        super().connection_lost(exc)
        # Its transport keeps methods of its own in these, one of them from Python 3.12 on.
        for name in ("_read_ready_cb", "_write_ready"):
            vars(self._made).pop(name, None)
        del self._made


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
        self._page_turns = PageTurns()
        self._listeners: list[asyncio.Server] = []
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._idle: set[asyncio.StreamWriter] = set()
        """Those that wait for a request."""

    async def admit(self, sockets: Sequence[socket.socket]) -> None:
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.StreamReaderProtocol:
            return _StreamProtocol(asyncio.StreamReader(loop=loop), self._connected, loop=loop)

        for sock in sockets:
            self._listeners.append(await loop.create_server(protocol, sock=sock, backlog=ACCEPTED_AT_ONCE))
            sock.listen(BACKLOG)  # create_server has one number for both

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        # Whether descriptors run short: then it may ask once, soon, and its descriptor goes to the next.
        is_short = len(self._open) > most_connections()
        idle_timer = IdleTimer(writer, self._idle, is_short=is_short)
        try:
            writer.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
            # What serves a connection is made when its peer has asked something: of a thousand pages that come at once,
            # each took half a millisecond, and the reports behind them waited for all.
            idle_timer.start()
            beginning = await _read(reader)
            await idle_timer.stop()
            if beginning:
                await self._converse(reader, writer, beginning, idle_timer, is_short=is_short)
        except asyncio.CancelledError:
            pass  # by cut(); Python 3.11 would log a traceback for each
        finally:
            idle_timer.end()
            writer.close()
            del self._open[task]

    async def _converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        beginning: bytes,
        idle_timer: IdleTimer,
        *,
        is_short: bool,
    ) -> None:
        """Answer what one peer asks until either side ends the connection."""
        if not beginning.startswith(REPORTS):
            await self._page_turns.enter()
        connection = Connection(
            _Offering(self._app, writer.transport),
            asyncio.get_running_loop(),
            self._config,
            self._context,
            self._state,
            reader,
            writer,
            beginning=beginning,
            is_short=is_short,
            idle_timer=idle_timer,
            page_turns=self._page_turns,
        )
        try:
            await connection
        finally:
            # Its parts name each other: without this, what thousands of closed connections held waited for the
            # garbage collector.
            vars(connection).clear()

    async def see_off(self, seconds: float) -> None:
        """Nobody new; a last request each; the idle go; what was begun may finish; after `seconds` the rest is cut."""
        deadline = asyncio.get_running_loop().time() + seconds
        await self._close_listeners()
        self._config.keep_alive_max_requests = 0  # every answer from here on carries "Connection: close"
        await asyncio.sleep(min(LAST_REQUEST_SECONDS, seconds))
        await self._context.terminated.set()
        for _ in range(TURNS_OF_A_REQUEST):  # what has been received already is a request under way
            await asyncio.sleep(0)
        for writer in self._idle:
            writer.close()
        await self._all_gone(deadline)
        if self._open:
            log.warning("Stopping: %d connections were cut, still busy after %.1f s.", len(self._open), seconds)
            self.cut()
            await self._all_gone(deadline + CUT_SECONDS)

    async def _close_listeners(self) -> None:
        # In two steps, because a connection accepted in this very turn of the loop gets its transport in the next: when
        # the listener is closed by then, asyncio drops it, unanswered and without a word (Server._attach asserts).
        loop = asyncio.get_running_loop()
        waiting = select.poll()
        for listener in self._listeners:
            for sock in listener.sockets:
                waiting.register(sock.fileno(), select.POLLIN)
        # The kernel resets those that it holds when a listener is closed.
        until = loop.time() + LAST_REQUEST_SECONDS
        while waiting.poll(0) and loop.time() < until:  # noqa: ASYNC110 - the kernel sets no event
            await asyncio.sleep(0)
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


async def _read(reader: asyncio.StreamReader) -> bytes:
    """What has come; nothing where the peer is gone."""
    try:
        return await reader.read(MAX_RECV)
    except OSError as problem:
        _forget_frames(problem)
        return b""


def _forget_frames(problem: BaseException) -> None:
    """Break a cycle: a closed connection keeps the reason for which it was lost, whose frames keep the connection."""
    problem.__traceback__ = None


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
