"""The HTTP load client: raw asyncio connections in a process of their own, so that measuring takes no server's time.

`python -m bench.load` reads a Plan as JSON and prints an Outcome; `start` runs it from another process. Knows HTTP/1.1
keep-alive and nothing of what it sends.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from bench.bodies import call_requests, row_requests

CEILING = 30.0  # seconds after which a connection still waiting for its answer is given up
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)")


@dataclass(frozen=True)
class Plan:
    """What to send where. A flood has `seconds`, a burst `total`, a paced run `seconds` and `rate` (per second)."""

    port: int
    path: str
    connections: int = 64
    seconds: float = 0.0
    total: int = 0
    rate: float = 0.0
    warm: float = 0.0  # seconds of flood before the clock starts; acknowledged, but not counted in the rate
    run: int = 0
    recording: bool = True
    rows: str = ""  # a JSON file of texts to post instead of calls


@dataclass
class Outcome:
    """What was answered. Times: `*_ns` on the machine's monotonic clock, `sent` in seconds since 1970."""

    counted: int = 0
    seconds: float = 0.0
    acknowledged: int = 0  # every 2xx, the warm-up's too: what must be found stored
    refused: dict[str, int] = field(default_factory=dict)
    unanswered: int = 0  # sent, and the connection broke first: stored or not, nobody knows
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    first_ns: int = 0
    last_ns: int = 0
    cpu: float = 0.0
    sent: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.counted / self.seconds if self.seconds else 0.0


def start(plan: Plan) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(plan)))
    process.stdin.close()
    process.stdin = None  # communicate() would flush the closed pipe
    return process


def finish(process: subprocess.Popen[str], timeout: float = 120.0) -> Outcome:
    try:
        out, _ = process.communicate(timeout=timeout)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Outcome(**json.loads(out))


def run(plan: Plan) -> Outcome:
    return finish(start(plan))


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.buffer = b""
        self.since = 0  # ns; 0 while nothing is under way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.sender.ready(self)

    def send(self, request: bytes, since: int) -> None:
        self.since = since
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer = data = self.buffer + data if self.buffer else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = data[:end].lower()
        length = _LENGTH.search(head)
        if len(data) < end + 4 + int(length[1]) if length else not data.endswith(b"0\r\n\r\n"):
            return
        since, self.since, self.buffer = self.since, 0, b""
        self.sender.answered(int(head[9:12]), since)
        # A server that announces its leave must not be given a request that nobody will answer.
        if b"\r\nconnection: close" in head:
            self.transport.close()
        else:
            self.sender.ready(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.sender.lost(self)


class Sender:
    """Hands requests to idle connections by the plan, and writes down what comes back."""

    def __init__(self, plan: Plan, requests: Iterator[tuple[str, bytes]]) -> None:
        self.plan, self.requests = plan, requests
        self.outcome = Outcome()
        self.idle: deque[Connection] = deque()
        self.waiting: deque[tuple[bytes, int]] = deque()  # paced requests that found no idle connection
        self.under_way = 0
        self.given = 0
        self.statuses: Counter[int] = Counter()
        self.latencies: list[int] = []
        self.stopped = True
        self.quiet = asyncio.Event()
        self.counting_from, self.counting_until = 0, 0
        self.opening: set[asyncio.Task[None]] = set()

    def ready(self, connection: Connection) -> None:
        if self.waiting:
            self._give(connection, *self.waiting.popleft())
        elif self.stopped or self.plan.rate or not self._next(connection):
            self.idle.append(connection)

    def _next(self, connection: Connection) -> bool:
        if self.plan.total and self.given >= self.plan.total:
            return False
        _, request = next(self.requests)
        self._give(connection, request, time.monotonic_ns())
        return True

    def _give(self, connection: Connection, request: bytes, since: int) -> None:
        self.given += 1
        self.under_way += 1
        self.quiet.clear()
        self.outcome.first_ns = self.outcome.first_ns or since
        connection.send(request, since)

    def answered(self, status: int, since: int) -> None:
        now = time.monotonic_ns()
        self.statuses[status] += 1
        self.outcome.last_ns = now
        if self.counting_from <= now < self.counting_until:
            self.outcome.counted += 200 <= status < 300
            self.latencies.append(now - since)
        self._settled()

    def lost(self, connection: Connection) -> None:
        if connection.since:
            self.outcome.unanswered += 1
            self._settled()
        if connection in self.idle:
            self.idle.remove(connection)
        if not self.stopped:
            task = asyncio.ensure_future(self.open())
            self.opening.add(task)
            task.add_done_callback(self.opening.discard)

    def _settled(self) -> None:
        self.under_way -= 1
        if not self.under_way and not self.waiting:
            self.quiet.set()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.plan.port)

    def begin(self) -> None:
        self.stopped = False
        for _ in range(len(self.idle)):
            self.ready(self.idle.popleft())

    async def flood(self) -> None:
        self.counting_from = time.monotonic_ns() + int(self.plan.warm * 1e9)
        self.counting_until = self.counting_from + int(self.plan.seconds * 1e9)
        self.outcome.seconds = self.plan.seconds
        self.begin()
        await asyncio.sleep(self.plan.warm + self.plan.seconds)

    async def burst(self) -> None:
        self.counting_until = time.monotonic_ns() + int(CEILING * 1e9)
        began = time.monotonic()
        self.begin()
        await asyncio.wait_for(self.quiet.wait(), CEILING)
        self.outcome.seconds = time.monotonic() - began

    async def paced(self) -> None:
        """Requests on the beat, whatever the answers do: a server that stalls does not slow the clock down."""
        began, wall = time.monotonic_ns(), time.time()
        self.stopped = False
        self.counting_until = began + int((self.plan.seconds + CEILING) * 1e9)
        self.outcome.seconds = self.plan.seconds
        for number in range(int(self.plan.rate * self.plan.seconds)):
            due = number / self.plan.rate
            await asyncio.sleep(max(0.0, due - (time.monotonic_ns() - began) / 1e9))
            name, request = next(self.requests)
            self.outcome.sent[name] = wall + due
            since = began + int(due * 1e9)
            if self.idle:
                self._give(self.idle.popleft(), request, since)
            else:
                self.waiting.append((request, since))

    async def run(self) -> Outcome:
        await asyncio.gather(*(self.open() for _ in range(self.plan.connections)))
        kind = self.paced if self.plan.rate else self.burst if self.plan.total else self.flood
        await kind()
        self.stopped = True
        if self.under_way or self.waiting:
            # Every answer is waited for: what is acknowledged and what is stored are compared to the last row.
            await asyncio.wait_for(self.quiet.wait(), CEILING)
        return self._outcome()

    def _outcome(self) -> Outcome:
        outcome = self.outcome
        outcome.acknowledged = sum(n for status, n in self.statuses.items() if 200 <= status < 300)
        outcome.refused = {str(status): n for status, n in self.statuses.items() if not 200 <= status < 300}
        outcome.p50_ms = percentile(self.latencies, 0.50) / 1e6
        outcome.p99_ms = percentile(self.latencies, 0.99) / 1e6
        outcome.cpu = time.process_time()
        return outcome


def percentile(values: list[Any], share: float) -> float:
    """Nearest rank; 0 of nothing."""
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))]) if ordered else 0.0


async def _run(plan: Plan, requests: Iterator[tuple[str, bytes]]) -> Outcome:
    return await Sender(plan, requests).run()


def _main() -> None:
    plan = Plan(**json.load(sys.stdin))
    host = f"127.0.0.1:{plan.port}"
    if plan.rows:
        requests = row_requests(host, plan.path, json.loads(Path(plan.rows).read_text(encoding="utf-8")))
    else:
        requests = call_requests(host, plan.path, run=plan.run, recording=plan.recording)
    gc.disable()  # a collection in the middle would be read as a slow answer
    print(json.dumps(asdict(asyncio.run(_run(plan, requests)))))


if __name__ == "__main__":
    _main()
