"""Hostile bodies, while somebody outside watches whether the loop answers: no 5xx but 503, no stall."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter

from bench.faults.client import SECRET, new_board
from bench.faults.table import Run
from bench.hostile import numbered, post_all, read_all
from tests.hostile import heavy_bodies

SEED = 3
LONGEST_STALL_MS = 100.0
PROBE_SECONDS = 0.01


class Probe:
    """Asks /healthz again and again on one connection while the context lasts; notes how long each answer took."""

    def __init__(self, port: int, path: str = "/healthz", cookie: str = "") -> None:
        self.port, self.path, self.headers = port, path, {"Cookie": cookie} if cookie else {}
        self.times: list[float] = []
        self.statuses = Counter[int]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    @property
    def slowest_ms(self) -> float:
        return 1000 * max(self.times, default=0.0)

    @property
    def p99_ms(self) -> float:
        ordered = sorted(self.times)
        return 1000 * ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0.0

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self._stop.wait(PROBE_SECONDS):
            began = time.monotonic()
            try:
                connection.request("GET", self.path, headers=self.headers)
                answer = connection.getresponse()
                answer.read()
                self.statuses[answer.status] += 1
            except (OSError, http.client.HTTPException):
                connection.close()
                self.statuses[0] += 1
            self.times.append(time.monotonic() - began)
        connection.close()


def measure(run: Run) -> None:
    read, posted = run.choose((20_000, 1_000), (100_000, 10_000))
    parsed = read_all(numbered(SEED, read))
    run.row(f"{read:,} hostile bodies through the parser", f"{len(parsed.broken)} broke it", "0", not parsed.broken)
    board = new_board(run.place("hostile"))
    board.start()
    try:
        with Probe(board.port) as probe:
            tallies = [
                post_all(board.url, numbered(SEED, posted), token=SECRET, at_once=1),
                post_all(board.url, heavy_bodies().items(), token=SECRET, at_once=1),
            ]
    finally:
        board.end()
    statuses = sum((tally.outcomes for tally in tallies), Counter[str]())
    failures = sum(count for status, count in statuses.items() if status.startswith("5") and status != "503")
    what = f"{posted:,} hostile bodies by HTTP, and {tallies[1].count} of a megabyte"
    figure = f"{failures} × 5xx of {dict(sorted(statuses.items()))}"
    run.row(what, figure, "0 × 5xx but 503", not failures)
    figure = f"slowest of {len(probe.times):,} probes {probe.slowest_ms:.0f} ms, p99 {probe.p99_ms:.0f} ms"
    is_quick = probe.slowest_ms < LONGEST_STALL_MS and set(probe.statuses) == {200}
    run.row("the loop meanwhile, probed from outside", figure, f"no stall over {LONGEST_STALL_MS:.0f} ms", is_quick)
