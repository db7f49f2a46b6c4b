"""Somebody outside who asks one address again and again: how long did it ever take?

A process of its own: beside a sender in the same process it would measure how long that one held the interpreter.
"""

from __future__ import annotations

import http.client
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection

PAUSE_SECONDS = 0.01
LONGEST_ANSWER = 20.0


class Probe:
    """Asks while the context lasts; `times` in seconds and `statuses` (0: no answer) are there afterwards."""

    def __init__(self, port: int, path: str = "/healthz", cookie: str = "") -> None:
        self.times: list[float] = []
        self.statuses: set[int] = set()
        self._pipe, there = get_context("spawn").Pipe()
        self._process = get_context("spawn").Process(target=_ask, args=(there, port, path, cookie), daemon=True)

    def __enter__(self) -> Probe:
        self._process.start()
        self._pipe.recv()  # the first answer has come
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send("enough")
        self.times, self.statuses = self._pipe.recv()
        self._process.join()

    @property
    def slowest_ms(self) -> float:
        return 1000 * max(self.times, default=0.0)

    @property
    def p99_ms(self) -> float:
        ordered = sorted(self.times)
        return 1000 * ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0.0


def _ask(pipe: Connection, port: int, path: str, cookie: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_ANSWER)
    headers = {"Cookie": cookie} if cookie else {}
    times, statuses = list[float](), set[int]()
    while not pipe.poll(PAUSE_SECONDS):
        began, status = time.monotonic(), 0
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            connection.close()
        times.append(time.monotonic() - began)
        statuses.add(status)
        if len(times) == 1:
            pipe.send("asking")
    pipe.send((times, statuses))
