"""Slow headers, slow bodies, bodies far too large, requests that can be read in two ways: reports go on being taken."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress

import psutil

from bench.faults.client import SECRET, Sender, canary_report, new_board
from bench.faults.ledger import Ledger, find
from bench.faults.table import Run
from tests.reports import WEBHOOK
from tests.running import RunningBoard

RATE = 20.0
SLOW = 500
LARGE, AT_ONCE = 10 * 2**20, 50
MOST_P99 = 1.0
MOST_GROWN_MB = 50.0
REFUSED = (b"HTTP/1.1 4", b"HTTP/1.1 501")  # 501 is for codings nobody knows (RFC 9112, 6.1)
SMUGGLED = "smuggled within another"
TARGET = f"{WEBHOOK}?token={SECRET}"


def measure(run: Run) -> None:
    board = new_board(run.place("slow"))
    board.start()
    try:
        seconds = run.choose(8.0, 60.0)
        for what, attack in (
            (f"{SLOW} slow headers", lambda: _trickle(board.port, b"POST / HTTP/1.1\r\nHost: x\r\n", b"X", seconds)),
            (f"{SLOW} slow bodies", lambda: _trickle(board.port, _slow_body(), b" ", seconds)),
            (f"{AT_ONCE} bodies of 10 MB at once", lambda: _large(board.port)),
        ):
            _beside(run, board, what, attack)
        _smuggle(run, board)
    finally:
        board.end()


def _beside(run: Run, board: RunningBoard, what: str, attack: Callable[[], None]) -> None:
    assert board.process is not None
    server = psutil.Process(board.process.pid)
    with Sender(board.port, what, RATE) as sender:
        sender.wait_for_acknowledgement(0.0, 5)
        before, peak, stop = server.memory_info().rss, [0], threading.Event()

        def watch() -> None:
            while not stop.wait(0.05):
                peak[0] = max(peak[0], server.memory_info().rss)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        attack()
        stop.set()
        watcher.join()
    assert peak[0], "nobody looked at the memory"
    grown = (peak[0] - before) / 2**20
    ledger: Ledger = sender.ledger
    found = find(board, ledger)
    failed = len(ledger.sent) - len(ledger.acknowledged)
    figure = (
        f"p99 {ledger.p99():.2f} s of {len(ledger.sent)} reports, {failed} failed, {found.lost} lost; "
        f"memory +{grown:.0f} MB"
    )
    is_right = ledger.p99() < MOST_P99 and not failed and found.is_right and grown < MOST_GROWN_MB
    run.row(what, figure, f"reports' p99 < {MOST_P99:.0f} s, 0 failed, memory + < {MOST_GROWN_MB:.0f} MB", is_right)


def _slow_body() -> bytes:
    return f"POST {TARGET} HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n".encode()


def _trickle(port: int, beginning: bytes, piece: bytes, seconds: float) -> None:
    """So many connections that begin a request and then send a byte a second; whoever is cut comes again."""
    until = time.monotonic() + seconds
    with ExitStack() as stack:
        lines = [_begin(stack, port, beginning) for _ in range(SLOW)]
        while time.monotonic() < until:
            time.sleep(1)
            for number, line in enumerate(lines):
                try:
                    line.send(piece)
                except OSError:
                    line.close()
                    lines[number] = _begin(stack, port, beginning)


def _begin(stack: ExitStack, port: int, beginning: bytes) -> socket.socket:
    line = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
    line.sendall(beginning)
    line.setblocking(False)
    return line


def _large(port: int) -> None:
    """All at once, each as fast as the server takes it."""

    begun = list[int]()

    def send() -> None:
        head = f"POST {TARGET} HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGE}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line, suppress(OSError):
            line.sendall(head)
            begun.append(LARGE)
            for _ in range(LARGE // 65_536):
                line.sendall(bytes(65_536))
            line.recv(4096)

    threads = [threading.Thread(target=send, daemon=True) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(begun) == AT_ONCE, f"only {len(begun)} of {AT_ONCE} bodies set out"


def smuggling() -> dict[str, bytes]:
    """Requests in which one reader sees one, and another two: the inner one must never be heard."""
    inner_body = canary_report(SMUGGLED)
    inner = f"POST {TARGET} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(inner_body)}\r\n\r\n".encode() + inner_body
    head = f"POST {TARGET} HTTP/1.1\r\nHost: x\r\n".encode()
    length = len(inner) + 5
    chunked = b"0\r\n\r\n" + inner
    return {
        "Content-Length and Transfer-Encoding": head
        + f"Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        + chunked,
        "Transfer-Encoding and Content-Length": head
        + f"Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n".encode()
        + chunked,
        "two lengths": head + f"Content-Length: 0\r\nContent-Length: {len(inner)}\r\n\r\n".encode() + inner,
        "a list of lengths": head + f"Content-Length: 0, {len(inner)}\r\n\r\n".encode() + inner,
        "a signed length": head + b"Content-Length: +0\r\n\r\n" + inner,
        "a length in hexadecimal": head + b"Content-Length: 0x0\r\n\r\n" + inner,
        "a negative length": head + b"Content-Length: -1\r\n\r\n" + inner,
        "an unknown coding": head + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked,
        "two codings": head + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked,
        "a blank before the colon": head + b"Transfer-Encoding : chunked\r\n\r\n" + chunked,
        "a folded header": head + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunked,
        "a bad chunk size": head + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + inner,
        "a signed chunk size": head + b"Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n" + inner,
        "NUL in a header": head + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n" + inner,
    }


def _smuggle(run: Run, board: RunningBoard) -> None:
    requests = smuggling()
    answers = {name: answer_to(board.port, request) for name, request in requests.items()}
    with closing(sqlite3.connect(board.database_file)) as file:
        heard = file.execute("SELECT count(*) FROM call WHERE call_sid = ?", [SMUGGLED]).fetchone()[0]
    taken = [name for name, answer in answers.items() if not answer.startswith(REFUSED)]
    twice = [name for name, answer in answers.items() if answer.count(b"HTTP/1.1 ") > 1]
    figure = f"{heard} heard, {len(twice)} answered twice, {len(taken)} not refused"
    what = f"{len(requests)} requests that can be read in two ways"
    run.row(what, figure, "0, 0, 0", not (heard or taken or twice))
    if taken or twice:
        run.say(f"  {taken} {twice}")


def answer_to(port: int, request: bytes) -> bytes:
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=6) as line, suppress(OSError):
        line.sendall(request)
        line.shutdown(socket.SHUT_WR)
        while data := line.recv(65_536):
            received += data
    return received
