"""The server as a process of its own, met by real sockets: who gets in, who is let go, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import json
import os
import resource
import select
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from quart import Quart

from dashboard.connections import Connection, Connections
from dashboard.http1 import Http1
from dashboard.server import CannotListen, _sentence, listen

TESTS = Path(__file__).parent
CEILING = 15.0
Run = Callable[..., AbstractContextManager["Board"]]


class Board:
    """The running process, spoken to with bytes so that nothing between hides what it does."""

    def __init__(self, process: subprocess.Popen[str], address: tuple[str, int], errors: Path) -> None:
        self.process = process
        self.address = address
        self._errors = errors

    @property
    def said(self) -> str:
        return self._errors.read_text()

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(CEILING)
        sock.connect(self.address)
        return sock

    def ask(self, request: bytes) -> bytes:
        """Everything that comes back until the server closes."""
        with self.connect() as sock:
            return say(sock, request)

    def get(self, path: str) -> bytes:
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: board\r\nConnection: close\r\n\r\n".encode())

    def stat(self) -> dict[str, int]:
        stat: dict[str, int] = json.loads(self.get("/stat").partition(b"\r\n\r\n")[2])
        return stat

    def wait_until(self, true_of: Callable[[dict[str, int]], bool], seconds: float = CEILING) -> dict[str, int]:
        until = time.monotonic() + seconds
        while not true_of(stat := self.stat()):
            assert time.monotonic() < until, f"still {stat} after {seconds} s"
        return stat

    def stop(self, *signals: signal.Signals) -> float:
        """Seconds from the first signal to the end of the process."""
        started = time.monotonic()
        for number in signals or (signal.SIGTERM,):
            self.process.send_signal(number)
        self.process.wait(CEILING)
        return time.monotonic() - started

    def last_words(self) -> dict[str, int]:
        assert self.process.stdout is not None
        words: dict[str, int] = json.loads(self.process.stdout.read())
        return words


def read_to_end(sock: socket.socket) -> bytes:
    received = b""
    while chunk := sock.recv(65_536):
        received += chunk
    return received


def say(sock: socket.socket, request: bytes) -> bytes:
    sock.sendall(request)
    return read_to_end(sock)


def read_until(sock: socket.socket, ending: bytes) -> None:
    received = b""
    while not received.endswith(ending):
        chunk = sock.recv(65_536)
        assert chunk, received
        received += chunk


@contextmanager
def running(folder: Path, *options: str, bind: str = "127.0.0.1:0", **popen: object) -> Iterator[Board]:
    errors = folder / f"errors-{time.monotonic_ns()}.txt"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(TESTS / "server_app.py"), bind, *options],
            env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            **popen,  # type: ignore[call-overload]
        )
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), errors.read_text()
        host, _, port = line.split()[-1].rpartition(":")
        yield Board(process, (host, int(port)), errors)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return lambda *options, **more: running(tmp_path, *options, **more)


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: board", *lines, "", ""]).encode()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(CEILING):
        while not holds():  # noqa: ASYNC110 - the condition is not ours to announce
            await asyncio.sleep(0.01)


def reset(sock: socket.socket) -> None:
    """Leave as a browser that is killed does: RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def health_times(board: Board, seconds: float) -> list[float]:
    times = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        started = time.monotonic()
        assert board.get("/health").endswith(b"ok")
        times.append(time.monotonic() - started)
    return times


# --- listening


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
def test_an_address_and_port_can_be_listened_on(bind: str) -> None:
    with listen(bind) as sock, socket.create_connection(sock.getsockname()[:2], timeout=CEILING):
        pass


@pytest.mark.parametrize(
    "bind", ["", "8000", ":8000", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:65536", "::1:8000", "fd://x", "unix:"]
)
def test_an_address_in_no_known_form_is_refused_with_the_forms_there_are(bind: str) -> None:
    with pytest.raises(CannotListen, match=r"DASHBOARD_BIND must be host:port .* or fd://3"):
        listen(bind)


def test_a_port_in_use_is_named_with_the_setting_to_change() -> None:
    with listen("127.0.0.1:0") as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CannotListen, match=rf"{bind}\. Stop it, or set DASHBOARD_WEBHOOK_BIND to another port"):
            listen(bind, setting="DASHBOARD_WEBHOOK_BIND")


def test_an_address_of_another_machine_is_refused_with_addresses_that_would_do() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1:8000 is no address of this machine.*0\.0\.0\.0:8000"):
        listen("192.0.2.1:8000")


def test_a_name_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(CannotListen, match=r"Cannot listen on board\.invalid:8000: .*Set DASHBOARD_BIND"):
        listen("board.invalid:8000")


def test_a_port_that_needs_more_rights_is_refused_with_one_that_does_not() -> None:
    # As a sentence only: these tests may run as a user who is allowed everything.
    sentence = _sentence(PermissionError(errno.EACCES, "Permission denied"), "0.0.0.0:80", "DASHBOARD_BIND")
    assert sentence == "This user may not listen on 0.0.0.0:80. Set DASHBOARD_BIND to a port from 1024 up."


def test_a_socket_file_nobody_answers_on_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    bind = f"unix:{tmp_path / 'board.sock'}"
    listen(bind).close()
    with listen(bind), pytest.raises(CannotListen, match="Something else already listens on unix:"):
        listen(bind)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("dear board")
    with pytest.raises(CannotListen):
        listen(f"unix:{letter}")
    assert letter.read_text() == "dear board"


def test_a_descriptor_that_is_no_socket_is_refused_and_stays_open(tmp_path: Path) -> None:
    with (tmp_path / "plain").open("w") as plain:
        with pytest.raises(CannotListen, match=r"Cannot listen on fd://\d+: .*socket"):
            listen(f"fd://{plain.fileno()}")
        plain.write("still open")


def test_a_socket_handed_over_is_taken_as_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as parents:
        address = parents.getsockname()
        with listen(f"fd://{os.dup(parents.fileno())}") as ours:
            assert ours.getsockname() == address


def test_every_accepted_connection_lets_go_of_a_lost_peer() -> None:
    with listen("127.0.0.1:0", stalled_after=7) as sock, socket.create_connection(sock.getsockname()):
        sock.setblocking(True)
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; elsewhere keep-alive alone does it
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000


# --- what is spoken


def test_http_2_by_prior_knowledge_is_refused_and_the_connection_closed(run: Run) -> None:
    with run() as board:
        answer = board.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert board.get("/health").endswith(b"ok")


def test_an_upgrade_is_not_heard_and_the_request_answered_as_it_stands(run: Run) -> None:
    h2c = "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings, close", "HTTP2-Settings: AAMAAABkAAQAAP__"
    key = "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: aGVsbG8gd29ybGQhISEhIQ=="
    with run() as board:
        for upgrade in [h2c, ("Upgrade: websocket", "Connection: Upgrade, close", *key)]:
            answer = board.ask(head("/health", *upgrade))
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b"\r\n\r\nok")


def test_a_request_for_nothing_we_could_have_is_refused_without_a_word_in_the_log(run: Run) -> None:
    with run() as board:
        for line in ["GET ? HTTP/1.1", "GET health HTTP/1.1", "CONNECT a:443 HTTP/1.1", "OPTIONS * HTTP/1.1", "what"]:
            assert board.ask(f"{line}\r\nHost: board\r\n\r\n".encode()).startswith(b"HTTP/1.1 400 "), line
        assert board.said == ""


def test_an_address_with_its_host_before_it_is_read_as_if_it_had_none(run: Run) -> None:
    with run() as board:
        for address, status in [("http://board/health", b"200"), ("http://[x", b"404"), ("https://a/broke", b"404")]:
            assert board.get(address).split()[1] == status, address
        assert board.said == ""


def test_a_body_whose_end_is_told_in_two_ways_is_refused(run: Run) -> None:
    with run() as board:
        two_ways = b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        answer = board.ask(b"POST /hook HTTP/1.1\r\nHost: board\r\n" + two_ways)
        assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_header_that_goes_on_in_the_next_line_is_refused_and_a_body_that_is_indented_is_not(run: Run) -> None:
    with run() as board:
        inner = head("/health")
        folded = b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + inner
        answer = board.ask(b"POST /hook HTTP/1.1\r\nHost: board\r\n" + folded)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        indented = b'Connection: close\r\nContent-Length: 13\r\n\r\n{\r\n  "a": 1\n}'
        assert board.ask(b"POST /hook HTTP/1.1\r\nHost: board\r\n" + indented).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_comes_before_its_body_says_that_the_connection_ends(run: Run) -> None:
    with run() as board, board.connect() as caller:
        caller.sendall(b"POST /nowhere HTTP/1.1\r\nHost: board\r\nContent-Length: 3\r\n\r\n")
        answer = read_to_end(caller).lower()
        assert answer.startswith(b"http/1.1 404 ")
        assert b"\r\nconnection: close\r\n" in answer


def test_slow_headers_are_cut_but_a_caller_that_pauses_between_requests_is_not(run: Run) -> None:
    with run("--header-seconds", "0.5") as board, board.connect() as caller, board.connect() as slow:
        caller.sendall(head("/health"))
        read_until(caller, b"ok")
        slow.sendall(b"POST /hook HTTP/1.1\r\nHost: bo")
        assert read_to_end(slow) == b""  # cut, without an answer: a request was never made
        assert board.ask(b"POST ") == b""  # and as much time again has passed
        caller.sendall(head("/health"))
        read_until(caller, b"ok")


def test_secrets_in_an_address_stay_out_of_the_log(run: Run) -> None:
    with run() as board:
        for answer, path in [(b"200", "/health"), (b"500", "/broken"), (b"404", "/nowhere")]:
            assert board.get(f"{path}?token=hunter2").split()[1] == answer
        board.ask(b"GET /?token=hunter2 HTTP/9.9\r\n\r\n")
        board.ask(b"GET /\xff?token=hunter2 nonsense\r\n\r\n")
        board.stop()
        assert "this route is broken" in board.said
        assert board.process.stdout is not None
        assert "hunter2" not in board.said + board.process.stdout.read()


# --- peers that are no longer there


def test_a_stream_that_never_pauses_freezes_nothing_when_its_reader_is_reset(run: Run) -> None:
    with run() as board:
        readers = [board.connect() for _ in range(5)]
        for reader in readers:
            reader.sendall(head("/flood"))
            assert reader.recv(65_536)
        for reader in readers:
            reset(reader)
        times = health_times(board, 1.0)
        assert statistics.median(times) < 0.1
        assert max(times) < 1
        board.wait_until(lambda stat: stat["streams"] == 0)
        board.stop()
        assert board.said == ""


def test_a_stream_that_never_pauses_leaves_room_for_others_while_its_reader_keeps_up(run: Run) -> None:
    with run() as board, board.connect() as reader:
        reader.sendall(head("/flood?size=64"))  # so small that the reader waits for the server, never the other way
        swallowing = threading.Thread(target=swallow, args=[reader])
        swallowing.start()
        times = health_times(board, 1.0)
        reader.shutdown(socket.SHUT_RDWR)
        swallowing.join(CEILING)
        assert statistics.median(times) < 0.1


def swallow(reader: socket.socket) -> None:
    buffer = bytearray(1 << 20)
    with contextlib.suppress(OSError):
        while reader.recv_into(buffer):
            pass


def test_a_connection_that_its_peer_leaves_is_given_back_at_once(run: Run) -> None:
    with run() as board:
        before = board.stat()
        with board.connect() as asked, board.connect():
            asked.sendall(head("/health"))
            read_until(asked, b"ok")
            assert board.stat()["descriptors"] >= before["descriptors"] + 2
        board.wait_until(lambda stat: stat["descriptors"] <= before["descriptors"], seconds=2)


async def test_a_peer_lost_by_an_error_of_the_network_ends_its_stream_and_leaves_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A router that says "no such host" makes the kernel report EHOSTUNREACH, which is no ConnectionError."""
    board = Quart("board")
    ended = asyncio.Event()

    @board.get("/")
    async def flood() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(65_536)
        finally:
            ended.set()

    async with connections_to(board) as (connections, address):
        _, client = await asyncio.open_connection(*address, limit=1)
        client.write(head("/"))
        async with asyncio.timeout(CEILING):
            while not any(  # noqa: ASYNC110 - no event tells that a writer has to wait
                writer.transport.get_write_buffer_size() for writer in connections._open.values()
            ):
                await asyncio.sleep(0)
            (writer,) = connections._open.values()
            writer.transport._fatal_error(OSError(errno.EHOSTUNREACH, "No route to host"))  # type: ignore[attr-defined]
            await ended.wait()
        client.close()
    assert caplog.text == ""


def test_readers_that_stall_are_let_go_and_slow_nobody_else(run: Run) -> None:
    with ExitStack() as stack:
        board = stack.enter_context(run("--stalled-after", "2"))
        before = board.wait_until(lambda stat: stat["streams"] == 0)
        for _ in range(100):
            stalled = stack.enter_context(board.connect(receive_buffer=4096))
            stalled.sendall(head("/push"))
        board.wait_until(lambda stat: stat["streams"] == 100)
        healthy = stack.enter_context(board.connect())
        healthy.sendall(head("/push"))
        threading.Thread(target=swallow, args=[healthy], daemon=True).start()
        assert statistics.median(health_times(board, 1.0)) < 0.1
        after = board.wait_until(lambda stat: stat["streams"] <= 1 and stat["descriptors"] <= before["descriptors"] + 1)
        assert after["streams"] == 1  # the one that reads
        assert after["peak_memory"] - before["peak_memory"] < 50 * MEGABYTE_OF_RUSAGE
        reset(healthy)
        board.wait_until(lambda stat: stat["streams"] == 0)
        board.stop()
        assert board.said == ""


def test_a_reader_that_takes_a_little_now_and_then_is_let_go_and_a_slow_one_is_not(run: Run) -> None:
    with run("--slow-seconds", "1") as board, ExitStack() as stack:
        dribbling, slow = [stack.enter_context(board.connect(receive_buffer=4096)) for _ in range(2)]
        for reader in (dribbling, slow):
            reader.sendall(head("/flood"))
        board.wait_until(lambda stat: stat["streams"] == 2)

        def has_one_left() -> bool:
            slow.recv(4096)
            return board.stat()["streams"] == 1

        until = time.monotonic() + CEILING
        while not has_one_left():
            dribbling.recv(1)
            assert time.monotonic() < until, "the reader that takes a byte now and then is still there"
        with suppress(ConnectionResetError):
            read_to_end(dribbling)
        slow.recv(4096)
        assert board.stat()["streams"] == 1
        board.stop(signal.SIGTERM, signal.SIGTERM)


MEGABYTE_OF_RUSAGE = 1 << 20 if sys.platform == "darwin" else 1 << 10


def test_running_out_of_descriptors_is_said_once_and_is_over_when_they_come_back(run: Run) -> None:
    few = (64, 64)
    with run(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, few)) as board:
        crowd = [board.connect() for _ in range(100)]
        until = time.monotonic() + CEILING
        while "raise the limit" not in board.said:
            assert time.monotonic() < until
        for one in crowd:
            one.close()
        assert board.get("/health").endswith(b"ok")
        assert len(board.said.splitlines()) == 1


def test_while_descriptors_run_short_the_newest_give_theirs_back_soon(run: Run) -> None:
    few = (88, 88)  # 40 connections, by our count
    with run(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, few)) as board, ExitStack() as stack:
        crowd = []
        for _ in range(60):
            crowd.append(stack.enter_context(board.connect()))
            crowd[-1].sendall(b"GET /health HTTP/1.1\r\nHost: board\r\n\r\n")
            read_until(crowd[-1], b"ok")
        for one in crowd[40:]:
            assert read_to_end(one) == b""
        # For the others there is room, and they may take their time.
        assert select.select(crowd[:40], [], [], 0)[0] == []
        assert board.get("/health").endswith(b"ok")


def test_the_descriptor_limit_is_raised_as_far_as_it_may_be(run: Run) -> None:
    with run(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 300))) as board:
        assert board.stat()["descriptor_limit"] == 300


# --- stopping


@asynccontextmanager
async def connections_to(app: ASGIFramework) -> AsyncIterator[tuple[Connections, tuple[str, int]]]:
    """Inside this process, for what must happen in one certain turn of the loop."""
    connections = Connections(ASGIWrapper(app), Config(), {})
    with listen("127.0.0.1:0") as sock:
        await connections.admit([sock])
        yield connections, sock.getsockname()
        await connections.see_off(0.1)


async def test_whoever_is_connected_when_the_stop_begins_still_gets_an_answer() -> None:
    app = Quart("board")

    @app.get("/")
    async def hello() -> str:
        return "ok"

    async with connections_to(app) as (connections, address):
        with socket.create_connection(address) as client:
            client.settimeout(CEILING)
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # accepted just now, and without a transport until the next turn
            asking = asyncio.create_task(asyncio.to_thread(say, client, head("/")))
            await connections.see_off(CEILING)
            answer = await asking
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer
    assert answer.endswith(b"ok")


async def test_a_connection_that_never_asked_is_closed_when_the_stop_begins() -> None:
    async with connections_to(Quart("board")) as (connections, address):
        reader, writer = await asyncio.open_connection(*address)
        await until(lambda: len(connections._open) == 1)
        began = time.monotonic()
        await connections.see_off(CEILING)
        assert time.monotonic() - began < CEILING / 2
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("end", ["answered", "lost while it is answered", "lost before it asks"])
async def test_a_closed_connection_leaves_nothing_to_the_garbage_collector(end: str) -> None:
    app = Quart("board")

    @app.get("/")
    async def hello() -> str:
        return "ok"

    @app.get("/stream")
    async def stream() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000
            await asyncio.sleep(0.001)

    async def come_and_go(connections: Connections, address: tuple[str, int]) -> None:
        with socket.create_connection(address) as peer:
            if end == "answered":
                await asyncio.to_thread(say, peer, head("/", "Connection: close"))
                return
            if end == "lost while it is answered":
                await asyncio.to_thread(peer.sendall, head("/stream"))
                await asyncio.to_thread(peer.recv, 5_000)
            else:
                await until(lambda: bool(connections._open))
            reset(peer)

    def parts() -> list[str]:
        kinds = (Connection, Http1, asyncio.Transport, asyncio.StreamReaderProtocol, asyncio.StreamReader)
        return [type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds)]

    async with connections_to(app) as (connections, address):
        await come_and_go(connections, address)
        await until(lambda: not connections._open)
        gc.collect()
        gc.disable()
        try:
            before = parts()
            for _ in range(5):
                await come_and_go(connections, address)
            await until(lambda: not connections._open)
            for _ in range(5):
                await asyncio.sleep(0)
            after = parts()
        finally:
            gc.enable()
    assert after == before


async def test_a_short_answer_leaves_in_one_piece() -> None:
    app = Quart("board")

    @app.get("/")
    async def hello() -> str:
        return "ok"

    async with connections_to(app) as (_, address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head("/"))
        assert (await reader.read(65_536)).endswith(b"\r\n\r\nok")
        writer.close()


async def test_the_head_of_an_answer_does_not_wait_for_a_body_that_is_late() -> None:
    body = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
            await body.wait()
            await send({"type": "http.response.body", "body": b"late"})

    async with connections_to(app) as (_, address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head("/"))
        async with asyncio.timeout(CEILING):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            body.set()
            assert await reader.readexactly(4) == b"late"
        writer.close()


async def test_a_report_does_not_wait_for_the_pages_that_came_before_it() -> None:
    order: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            time.sleep(0.001)  # noqa: ASYNC251 - a page is work for the loop
            order.append(scope["method"])
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    async with connections_to(app) as (_, address):
        pages = [
            asyncio.create_task(exchange(address, head("/", "Connection: close"), asyncio.Event())) for _ in range(200)
        ]
        await until(lambda: len(order) > 0)
        report = b"POST / HTTP/1.1\r\nHost: board\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        await exchange(address, report, asyncio.Event())
        await asyncio.gather(*pages)
    assert order.index("POST") < 150


async def exchange(address: tuple[str, int], request: bytes, begun: asyncio.Event) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    await writer.drain()
    begun.set()
    try:
        return await reader.read()
    finally:
        writer.close()


def hook(seconds: float, body: bytes = b"{}") -> bytes:
    length = f"Content-Length: {len(body)}"
    return f"POST /hook?seconds={seconds} HTTP/1.1\r\nHost: board\r\n{length}\r\n\r\n".encode() + body


async def test_a_stop_ends_every_stream_and_answers_every_report_within_two_seconds(run: Run) -> None:
    with run() as board, ExitStack() as idlers:
        idle = [idlers.enter_context(board.connect()) for _ in range(20)]
        for number, sock in enumerate(idle):  # kept alive after an answer, half-sent, or silent from the start
            sock.sendall([head("/health"), b"GET /health HTT", b""][number % 3])
        begun = [asyncio.Event() for _ in range(550)]
        streams = [exchange(board.address, head("/live"), event) for event in begun[:500]]
        streaming = [asyncio.create_task(stream) for stream in streams]
        await asyncio.to_thread(board.wait_until, lambda stat: stat["streams"] == 500)
        hooking = [asyncio.create_task(exchange(board.address, hook(0.3), event)) for event in begun[500:]]
        for event in begun:
            await event.wait()
        seconds = await asyncio.to_thread(board.stop)
        assert board.process.returncode == 0
        assert seconds < 2
        for answer in await asyncio.gather(*hooking):
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in answer
            assert answer.endswith(b'{"bytes":"2","status":"success"}\n')
        for answer in await asyncio.gather(*streaming):
            assert answer.endswith(b": hello\n\n\r\n0\r\n\r\n")
        assert board.last_words()["shut_down_with"] == 0  # the app was shut down after its streams, not under them
        assert board.said == ""


def test_a_stop_cuts_stalled_readers_and_half_sent_bodies_after_the_grace(run: Run) -> None:
    with run("--graceful", "0.5") as board, board.connect(receive_buffer=4096) as stalled, board.connect() as slow:
        stalled.sendall(head("/flood"))
        board.wait_until(lambda stat: stat["streams"] == 1)
        slow.sendall(b"POST /hook HTTP/1.1\r\nHost: board\r\nContent-Length: 100\r\n\r\n{")
        assert board.get("/health").endswith(b"ok")
        assert board.stop() < 1.5
        assert board.process.returncode == 0
        assert "Stopping: 2 connections were cut" in board.said
        assert "Traceback" not in board.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(run: Run, number: signal.Signals) -> None:
    with run("--graceful", "60") as board, board.connect() as busy:
        busy.sendall(hook(60))
        descriptors = board.stat()["descriptors"]
        board.wait_until(lambda stat: stat["descriptors"] <= descriptors)
        board.process.send_signal(number)
        wait_until_refused(board.address)  # the first one was heard
        assert board.stop(number) < 1
        assert board.process.returncode == 0


def wait_until_refused(address: tuple[str, int]) -> None:
    until = time.monotonic() + CEILING
    while True:
        try:
            socket.create_connection(address, timeout=CEILING).close()
        except OSError:
            return
        assert time.monotonic() < until


def test_a_restart_behind_a_handed_over_socket_loses_no_report(run: Run) -> None:
    """The parent keeps the socket, as systemd does: while nobody accepts, callers wait instead of being refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as parents:
        answers: list[bytes] = []
        done = threading.Event()

        def report_again_and_again() -> None:
            while not done.is_set():
                with socket.create_connection(parents.getsockname(), timeout=CEILING) as caller:
                    caller.sendall(hook(0.01))
                    answers.append(caller.recv(65_536))

        callers = [threading.Thread(target=report_again_and_again) for _ in range(4)]
        handed = {"bind": f"fd://{parents.fileno()}", "pass_fds": [parents.fileno()]}
        for turn in range(3):
            with run(**handed) as board:
                if turn == 0:
                    for caller in callers:
                        caller.start()
                had = len(answers)
                board.wait_until(lambda _, had=had: len(answers) > had + 20)  # type: ignore[misc]
                if turn == 2:
                    done.set()
                    for caller in callers:
                        caller.join(CEILING)
                assert board.stop() < 2
                assert board.process.returncode == 0
        assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 "}
