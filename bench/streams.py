"""The stream client: many server-sent event connections on one epoll, in a process of its own.

`python -m bench.streams` takes one JSON command a line and answers with one; `Streams` is its other end. It looks for
the marker of a row and nothing else, and counts the distinct rows of every single stream: a row sent twice is one.
"""

from __future__ import annotations

import base64
import json
import math
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CEILING = 40.0  # seconds; whatever has not arrived by then is reported as missing
OPENING = 50  # connections that may be waiting for their headers at once: below any server's backlog
READ = 1 << 18
MARKER = b'id="call-'
LONGEST_MARK = 40
_rows_in = re.compile(rb'id="call-(\d+)"').findall


@dataclass(frozen=True)
class Arrival:
    """What came in between `expect` and the last row of the last stream; `last_ns` on the monotonic clock."""

    delivered: int  # distinct rows, summed over the streams
    repeats: int  # drawings of a row that its stream already had
    complete: int  # streams that have every row
    closed: int
    received: int  # bytes
    last_ns: int
    cpu: float


class Streams:
    """The parent's handle on the process; used as a context."""

    def __init__(self, port: int, path: str, count: int, cookie: str = "") -> None:
        self.port, self.path, self.count, self.cookie = port, path, count, cookie

    def __enter__(self) -> Streams:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.streams"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._ask("open", port=self.port, path=self.path, count=self.count, cookie=self.cookie)
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def expect(self, rows: int) -> None:
        """From now on count rows that no stream has had yet, until every stream has `rows` of them."""
        self._ask("expect", rows=rows)

    def arrival(self) -> Arrival:
        return Arrival(**self._ask("arrival"))

    def recorded(self) -> bytes:
        """The raw bytes of the first stream since the last `expect`."""
        return base64.b64decode(self._ask("recorded")["bytes"])

    def _ask(self, command: str, **parameters: Any) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"command": command, **parameters}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline() or '{"error": "the stream client ended"}')
        if "error" in answer:
            raise RuntimeError(str(answer["error"]))
        return answer


class Stream:
    __slots__ = ("had", "opened", "rows", "socket", "tail")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.tail = b""
        self.opened = False
        self.rows: set[bytes] = set()
        self.had = 0


class Client:
    """All streams of the process, read on one thread."""

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.streams: dict[int, Stream] = {}
        self.first: Stream | None = None
        self.buffer = memoryview(bytearray(READ))
        self.expect(0)

    def expect(self, rows: int) -> None:
        self.target = rows
        self.drawings = self.received = self.complete = self.closed = self.last_ns = 0
        self.cpu_before = time.process_time()
        self.record: list[bytes] = []
        for stream in self.streams.values():
            stream.had = len(stream.rows)

    def open(self, port: int, path: str, count: int, cookie: str) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n"
        request = (head + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n").encode()
        for already in range(0, count, OPENING):
            for _ in range(min(OPENING, count - already)):
                connection = socket.create_connection(("127.0.0.1", port), timeout=5)
                connection.sendall(request)
                connection.setblocking(False)
                self.poll.register(connection, select.EPOLLIN)
                stream = self.streams[connection.fileno()] = Stream(connection)
                self.first = self.first or stream
            self.read_until(lambda: all(stream.opened for stream in self.streams.values()), CEILING)
        if (silent := sum(not stream.opened for stream in self.streams.values())) or self.closed:
            raise RuntimeError(f"of {count} streams {silent} had no answer and {self.closed} were closed")

    def read_until(self, done: Callable[[], bool], ceiling: float) -> None:
        deadline = time.monotonic() + ceiling
        while not done() and time.monotonic() < deadline:
            for descriptor, _ in self.poll.poll(0.02):
                self.read(self.streams[descriptor])

    def read(self, stream: Stream) -> None:
        try:
            size = stream.socket.recv_into(self.buffer)
        except ConnectionError:
            size = 0
        if not size:
            self.closed += 1
            self.poll.unregister(stream.socket)
            return
        self.received += size
        chunk = stream.tail + self.buffer[:size]
        if stream is self.first:
            self.record.append(self.buffer[:size].tobytes())
        if not stream.opened:
            self._opened(stream, chunk)
        elif found := _rows_in(chunk):
            self.drawings += len(found)
            before = len(stream.rows)
            stream.rows.update(found)
            # The next mark may be cut in two by this read: keep the end, but not the last whole mark: one would be two.
            last = MARKER + found[-1] + b'"'
            stream.tail = chunk[max(chunk.rfind(last) + len(last), len(chunk) - LONGEST_MARK) :]
            if (after := len(stream.rows)) > before and after - stream.had == self.target:
                self.complete += 1
                self.last_ns = time.monotonic_ns()
        else:
            stream.tail = chunk[-LONGEST_MARK:]

    def _opened(self, stream: Stream, chunk: bytes) -> None:
        if b"\r\n\r\n" not in chunk:
            stream.tail = chunk
            return
        if not chunk.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"a stream was answered {chunk.splitlines()[0].decode(errors='replace')}")
        stream.opened, stream.tail = True, b""

    def arrival(self) -> dict[str, Any]:
        self.read_until(lambda: self.complete == len(self.streams), CEILING)
        delivered = sum(len(stream.rows) - stream.had for stream in self.streams.values())
        return {
            "delivered": delivered,
            "repeats": self.drawings - delivered,
            "complete": self.complete,
            "closed": self.closed,
            "received": self.received,
            "last_ns": self.last_ns,
            "cpu": time.process_time() - self.cpu_before,
        }

    def obey(self, command: str, **parameters: Any) -> dict[str, Any]:
        if command == "open":
            self.open(**parameters)
        elif command == "expect":
            self.expect(**parameters)
        elif command == "arrival":
            return self.arrival()
        elif command == "recorded":
            return {"bytes": base64.b64encode(b"".join(self.record)).decode()}
        return {}

    def commands(self) -> None:
        """Read the streams all the time, and one command whenever there is one; the end of the input ends it."""
        while True:
            self.read_until(lambda: bool(select.select([sys.stdin], [], [], 0)[0]), math.inf)
            if not (line := sys.stdin.readline()):
                return
            print(json.dumps(self.obey(**json.loads(line))), flush=True)


if __name__ == "__main__":
    try:
        Client().commands()
    except (OSError, RuntimeError) as problem:
        print(json.dumps({"error": str(problem)}), flush=True)
