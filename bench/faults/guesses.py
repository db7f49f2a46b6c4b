"""Passwords guessed from everywhere at once: memory stays bounded, the owner gets in, the board stays quick."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil

from bench.faults.client import guarded, new_board, sign_in
from bench.faults.probe import Probe
from bench.faults.table import Run
from tests.running import NO_TLS, RunningBoard

AT_ONCE = 16
MOST_P99_MS = 1000.0
# Two checks at a time take 64 MiB each (decision in web/account); the rest is what a server has to spare.
MOST_GROWN_MB = 200.0
OWNER_WITHIN = 20.0


def measure(run: Run) -> None:
    tries = run.choose(500, 10_000)
    board = new_board(run.place("guesses"))
    board.environment |= guarded(board.port)
    board.start()
    try:
        cookie = sign_in(board.url)
        assert board.process is not None
        server = psutil.Process(board.process.pid)
        before, peak, stop = server.memory_info().rss, [0], threading.Event()

        def watch() -> None:
            while not stop.wait(0.02):
                peak[0] = max(peak[0], server.memory_info().rss)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        with Probe(board.port, "/", cookie) as probe:
            statuses, owner = _guess(board, tries)
        stop.set()
        watcher.join()
    finally:
        board.end()
    assert peak[0], "nobody looked at the memory"
    grown = (peak[0] - before) / 2**20
    said = "did not get in" if owner is None else f"got in after {owner:.1f} s"
    answers = ", ".join(f"{count} × {status or 'no answer'}" for status, count in sorted(statuses.items()))
    figure = (
        f"{answers}; memory +{grown:.0f} MB; the owner {said} in the middle of it; the board p99 {probe.p99_ms:.0f} ms"
    )
    is_right = owner is not None and owner < OWNER_WITHIN and grown < MOST_GROWN_MB and probe.p99_ms < MOST_P99_MS
    # Of guesses that were all turned away for their number, none was a guess.
    is_right &= {401} <= set(statuses) <= {401, 429} and probe.statuses == {200}
    what = f"{tries:,} sign-in tries, each from another address, {AT_ONCE} at once"
    goal = f"memory + < {MOST_GROWN_MB:.0f} MB, the owner gets in, the board's p99 < {MOST_P99_MS:.0f} ms"
    run.row(what, figure, goal, is_right)


def _guess(board: RunningBoard, tries: int) -> tuple[Counter[int], float | None]:
    """The answers, and how long the owner took to sign in half-way; None if that failed."""
    chance, numbers = random.Random(2), itertools.count()
    addresses = [f"198.18.{chance.randrange(256)}.{chance.randrange(256)}" for _ in range(tries)]
    statuses, owner = Counter[int](), list[float]()

    def guess(address: str) -> int:
        if next(numbers) == tries // 2:
            began = time.monotonic()
            sign_in(board.url)
            owner.append(time.monotonic() - began)
        # One guess in twenty aims at the owner: more would be a lock-out, which is another promise.
        name = "admin" if chance.random() < 0.05 else f"somebody{chance.randrange(10**9)}"
        form = {"name": name, "password": f"guess {chance.random()}", "next": "/"}
        headers = {"X-Forwarded-For": address}
        try:
            return httpx.post(board.url + "/sign-in", data=form, headers=headers, timeout=60, verify=NO_TLS).status_code
        except httpx.TransportError:
            return 0

    with ThreadPoolExecutor(AT_ONCE) as threads:
        for status in threads.map(guess, addresses):
            statuses[status] += 1
    return statuses, owner[0] if owner else None
