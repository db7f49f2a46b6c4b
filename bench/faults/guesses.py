"""Passwords guessed from everywhere at once: memory stays bounded, the owner gets in, the board stays quick."""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import httpx
import psutil

from bench.faults.client import ADMIN_PASSWORD, guarded, new_board, sign_in
from bench.faults.probe import Probe
from bench.faults.table import Run
from dashboard.web.sign_in_limits import FIRST_TRIES, MOST_BY_CLIENT, MOST_BY_NAME, MOST_BY_NAME_OF_NEW_NETWORKS
from tests.running import NO_TLS, RunningBoard

AT_ONCE = 16
MOST_P99_MS = 1000.0
# Two checks at a time take 64 MiB each (web/sign_in_limits); the rest is what a server has to spare.
MOST_GROWN_MB = 200.0
OWNER_WITHIN = 20.0
# Networks that no guess comes from: one that the owner has signed in from, and two that she has not.
HOME, NEW_PLACE, TRAIN = "203.0.113.9", "192.0.2.77", "198.51.100.99"


def measure(run: Run) -> None:
    _from_everywhere_at_many_names(run)
    tries = run.choose(300, 3000)
    ports = [f"198.18.0.10:{40_000 + number % 1000}" for number in range(tries)]
    everywhere = [f"10.{number % 256}.{number // 256 % 256}.1" for number in range(tries)]
    for where, addresses, most_a_minute, new_browser_at in (
        ("one IPv6 /64", [f"2001:db8::{number + 1:x}" for number in range(tries)], MOST_BY_CLIENT, NEW_PLACE),
        ("a thousand ports of one address", ports, MOST_BY_CLIENT, NEW_PLACE),
        # Enough new networks to use both limits of the name up: then a new browser needs an address that is known.
        ("a network each", everywhere, MOST_BY_NAME + MOST_BY_NAME_OF_NEW_NETWORKS, HOME),
    ):
        _at_the_owners_name(run, where, addresses, most_a_minute, new_browser_at)


class Owner(NamedTuple):
    """How long the owner took to sign in, and with how many tries; None where that failed."""

    seconds: float | None
    tries: int

    def __str__(self) -> str:
        if self.seconds is None:
            return f"not in {self.tries} tries"
        return f"after {self.seconds:.1f} s, {self.tries} {'try' if self.tries == 1 else 'tries'}"


def _at_the_owners_name(
    run: Run, where: str, addresses: Sequence[str], most_a_minute: int, new_browser_at: str
) -> None:
    """Every guess is at the owner's name, and the board is behind one proxy that names the address."""
    board = new_board(run.place(f"guesses-from-{where.replace(' ', '-').replace('/', '')}"))
    board.environment |= guarded(board.port)
    board.start()
    owners = list[Owner]()
    try:
        with _browser(board, HOME) as known, _browser(board, new_browser_at) as new:
            assert _post(known, ADMIN_PASSWORD) == 303, "the owner could not sign in before the guesses"
            # Signed out: what is left is the cookie by which the browser is known.
            known.cookies.delete("callboard_session")
            known.headers["X-Forwarded-For"] = TRAIN

            def come() -> None:
                owners.extend((_come(known, 1), _come(new, FIRST_TRIES)))

            began = time.monotonic()
            statuses = _send(board, addresses, come, name_of=lambda: "admin")
            # A limit starts again every minute, counted from its first wrong password.
            minutes = math.floor((time.monotonic() - began) / 60) + 1
    finally:
        board.end()
    by_known, by_new = owners
    answers = ", ".join(f"{count} × {status or 'no answer'}" for status, count in sorted(statuses.items()))
    place = "at a known address" if new_browser_at == HOME else "in a new place"
    figure = f"{answers}; the owner's known browser got in {by_known}, a new one of hers {place} {by_new}"
    is_right = all(each.seconds is not None and each.seconds < OWNER_WITHIN for each in owners)
    is_right &= {401} <= set(statuses) <= {401, 429} and statuses[401] <= most_a_minute * minutes
    goal = f"≤ {most_a_minute} passwords looked at a minute; the owner gets in within {OWNER_WITHIN:.0f} s"
    run.row(f"{len(addresses):,} guesses at the owner's name from {where}", figure, goal, is_right)


def _browser(board: RunningBoard, address: str) -> httpx.Client:
    headers = {"X-Forwarded-For": address}
    return httpx.Client(base_url=board.url, headers=headers, timeout=60, verify=NO_TLS, trust_env=False)


def _come(browser: httpx.Client, most_tries: int) -> Owner:
    began = time.monotonic()
    for number in range(1, most_tries + 1):
        if _post(browser, ADMIN_PASSWORD) == 303:
            return Owner(time.monotonic() - began, number)
    return Owner(None, most_tries)


def _post(browser: httpx.Client, password: str, name: str = "admin") -> int:
    """The status of the answer; 0 where none came."""
    form = {"name": name, "password": password, "next": "/"}
    try:
        return browser.post("/sign-in", data=form).status_code
    except httpx.TransportError:
        return 0


def _from_everywhere_at_many_names(run: Run) -> None:
    tries = run.choose(500, 10_000)
    board = new_board(run.place("guesses"))
    board.environment |= guarded(board.port)
    board.start()
    owner = list[float]()
    chance = random.Random(2)
    addresses = [f"198.18.{chance.randrange(256)}.{chance.randrange(256)}" for _ in range(tries)]
    try:
        cookie = sign_in(board.url)
        assert board.process is not None
        server = psutil.Process(board.process.pid)
        before, peak, stop = server.memory_info().rss, [0], threading.Event()

        def watch() -> None:
            while not stop.wait(0.02):
                peak[0] = max(peak[0], server.memory_info().rss)

        def come() -> None:
            began = time.monotonic()
            sign_in(board.url)
            owner.append(time.monotonic() - began)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        with Probe(board.port, "/", cookie) as probe:
            statuses = _send(
                board,
                addresses,
                come,
                name_of=lambda: "admin" if chance.random() < 0.05 else f"somebody{chance.randrange(10**9)}",
            )
        stop.set()
        watcher.join()
    finally:
        board.end()
    assert peak[0], "nobody looked at the memory"
    grown = (peak[0] - before) / 2**20
    said = f"got in after {owner[0]:.1f} s" if owner else "did not get in"
    answers = ", ".join(f"{count} × {status or 'no answer'}" for status, count in sorted(statuses.items()))
    figure = (
        f"{answers}; memory +{grown:.0f} MB; the owner {said} in the middle of it; the board p99 {probe.p99_ms:.0f} ms"
    )
    is_right = bool(owner) and owner[0] < OWNER_WITHIN and grown < MOST_GROWN_MB and probe.p99_ms < MOST_P99_MS
    # Of guesses that were all turned away for their number, none was a guess.
    is_right &= {401} <= set(statuses) <= {401, 429} and probe.statuses == {200}
    what = f"{tries:,} sign-in tries, each from another address, {AT_ONCE} at once"
    goal = f"memory + < {MOST_GROWN_MB:.0f} MB, the owner gets in, the board's p99 < {MOST_P99_MS:.0f} ms"
    run.row(what, figure, goal, is_right)


def _send(
    board: RunningBoard, addresses: Sequence[str], half_way: Callable[[], None], *, name_of: Callable[[], str]
) -> Counter[int]:
    """The answers to one guess from each address; `half_way` runs in the middle of them."""
    numbers = itertools.count()

    def guess(address: str) -> int:
        number = next(numbers)
        if number == len(addresses) // 2:
            half_way()
        with _browser(board, address) as browser:
            return _post(browser, f"guess {number}", name_of())

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return Counter(threads.map(guess, addresses))
