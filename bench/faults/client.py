"""The platform's part: posts reports at a steady rate or as a burst, and writes every one into a ledger."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from bench.faults.ledger import Ledger
from tests.reports import WEBHOOK, report
from tests.running import NO_TLS, RunningBoard

PATIENCE = 6.0
"""Seconds a sender waits for an answer: longer than the platform does, so that a late answer is seen as late."""

# Looked for at the end of the run in the logs of every server: neither may ever stand there.
SECRET = "canary-Zq7-secret-of-the-webhook"
NUMBER = "919900112277"
NAME = "Canaria Zqsevenson"
ADMIN_PASSWORD = "canary-Zq7-password"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def new_board(folder: Path, **environment: str) -> RunningBoard:
    """A board that is open to this machine and wants the secret with every report; not yet started."""
    return RunningBoard(folder, {"DASHBOARD_WEBHOOK_SECRET": SECRET} | environment)


def guarded(port: int) -> dict[str, str]:
    """The settings of a board with an account, as one behind a proxy of this machine has them."""
    return {"DASHBOARD_ADMIN_PASSWORD": ADMIN_PASSWORD, "DASHBOARD_PUBLIC_URL": f"http://127.0.0.1:{port}"}


def sign_in(url: str) -> str:
    """The owner's session, as the value of a Cookie header. Raises AssertionError where the owner is not let in."""
    with httpx.Client(base_url=url, timeout=20, verify=NO_TLS, trust_env=False) as client:
        answer = client.post("/sign-in", data={"name": "admin", "password": ADMIN_PASSWORD, "next": "/"})
        assert answer.status_code == 303, f"the owner was answered {answer.status_code}"
        return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


def canary_report(sid: str, **changes: Any) -> bytes:
    """A report whose number and name are recognised wherever they should not be."""
    return report(sid, **({"to": NUMBER, "call_metadata": {"name": NAME}} | changes))


def request_of(body: bytes, *, stays: bool = False) -> bytes:
    head = f"POST {WEBHOOK}?token={SECRET} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    keep = "" if stays else "Connection: close\r\n"
    return f"{head}{keep}Content-Length: {len(body)}\r\n\r\n".encode() + body


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Client:
    """Posts on fresh connections, as a platform without a pool does, or on a few that stay open."""

    def __init__(self, port: int, ledger: Ledger, *, stays: bool = False) -> None:
        self.port, self.ledger, self.stays = port, ledger, stays
        self.idle: list[Line] = []

    async def connect(self) -> Line:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def post(self, sid: str, body: bytes) -> int:
        """The status of the answer; 0 where none came. Never raises."""
        began, status = time.monotonic(), 0
        with suppress(OSError, asyncio.IncompleteReadError, ValueError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                status = await self._ask(request_of(body, stays=self.stays))
        now = time.monotonic()
        self.ledger.note(sid, body, status, now - began, now)
        return status

    async def _ask(self, request: bytes) -> int:
        reader, writer = self.idle.pop() if self.idle else await self.connect()
        keep = False
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            keep = self.stays and b"connection: close" not in head.lower()
            return int(head[9:12])
        finally:
            if keep:
                self.idle.append((reader, writer))
            else:
                writer.close()

    def close(self) -> None:
        for _, writer in self.idle:
            writer.close()


class Sender:
    """A steady rate of reports, each of another call, from a thread of its own for as long as the context lasts.

    On the beat whatever the answers do: a server that stalls does not slow it down.
    """

    def __init__(self, port: int, name: str, rate: float, *, stays: int = 0) -> None:
        """`stays` is how many connections are opened at once and kept; none: a fresh one for each report."""
        self.ledger = Ledger()
        self.client = Client(port, self.ledger, stays=bool(stays))
        self.name, self.rate, self.lines = name, rate, stays
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), daemon=True)

    def __enter__(self) -> Sender:
        self._thread.start()
        assert self._ready.wait(PATIENCE), "the sender could not begin"
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE + 5)

    def wait_for_acknowledgement(self, after: float, at_most: float) -> float | None:
        """Seconds from the moment `after` to the first 2xx since; None after `at_most` seconds without one."""
        until = time.monotonic() + at_most
        while time.monotonic() < until:
            if (seconds := self.ledger.healed_after(after)) is not None:
                return seconds
            time.sleep(0.02)
        return None

    async def _send(self) -> None:
        self.client.idle = [await self.client.connect() for _ in range(self.lines)]
        self._ready.set()
        began, number, under_way = time.monotonic(), 0, set[asyncio.Task[int]]()
        while not self._stop.is_set():
            sid = f"{self.name} {number}"
            task = asyncio.ensure_future(self.client.post(sid, canary_report(sid)))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1
            await asyncio.sleep(max(0.0, began + number / self.rate - time.monotonic()))
        if under_way:
            await asyncio.wait(set(under_way), timeout=PATIENCE + 1)
        self.client.close()


def burst(port: int, reports: Iterable[tuple[str, bytes]], *, at_once: int = 64) -> Ledger:
    """Every (sid, body) once, so many at a time, on connections that stay."""

    async def send() -> Ledger:
        ledger, waiting = Ledger(), iter(reports)
        client = Client(port, ledger, stays=True)

        async def work() -> None:
            for sid, body in waiting:
                await client.post(sid, body)

        await asyncio.gather(*(work() for _ in range(at_once)))
        client.close()
        return ledger

    # In a thread of its own: a browser driven beside it has a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(send())).result()
