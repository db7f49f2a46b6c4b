"""An hour of coming and going: memory, descriptors and threads are back where they began. Long runs only."""

from __future__ import annotations

import random
import time
from statistics import median
from typing import NamedTuple

import psutil

from bench.faults.client import Sender, new_board
from bench.faults.ledger import find
from bench.faults.table import Run
from bench.hour import INDEX_BYTES_A_CALL
from bench.streams import Streams
from tests.running import RunningBoard

MINUTES = 60
WARM_MINUTES = 10
RATE = 5.0
MOST_PAGES = 200
MOST_GROWTH = 0.10
MOST_MORE_DESCRIPTORS = 5


class Sample(NamedTuple):
    """The server between two rounds of visitors, when nobody is there; megabytes without what the index must grow."""

    memory: float
    descriptors: int
    threads: int


def measure(run: Run) -> None:
    if not run.is_long:
        run.say("  only with LONG=1: it takes an hour")
        return
    board = new_board(run.place("churn"))
    board.start()
    chance, samples = random.Random(1), list[Sample]()
    try:
        with Sender(board.port, "churn", RATE) as sender:
            for minute in range(1, MINUTES + 1):
                until = time.monotonic() + 60
                while time.monotonic() < until:
                    with Streams(board.port, "/live", chance.randrange(1, MOST_PAGES)):
                        time.sleep(chance.uniform(0.5, 8))
                time.sleep(1)
                samples.append(_sample(board, len(sender.ledger.acknowledged)))
                run.say(f"  minute {minute}: {samples[-1]}")
        found = find(board, sender.ledger)
    finally:
        board.end()
    first, last = _middle(samples[WARM_MINUTES:][:5]), _middle(samples[-5:])
    figure = (
        f"memory {first.memory:.0f} → {last.memory:.0f} MB, descriptors {first.descriptors} → {last.descriptors}, "
        f"threads {first.threads} → {last.threads}; {found}"
    )
    is_flat = last.memory < first.memory * (1 + MOST_GROWTH) and last.threads <= first.threads
    is_flat &= last.descriptors <= first.descriptors + MOST_MORE_DESCRIPTORS
    goal = f"memory + < {MOST_GROWTH:.0%}, descriptors and threads as before"
    run.row(
        f"{MINUTES} minutes of pages coming and going, {RATE:.0f} calls/s", figure, goal, is_flat and found.is_right
    )


def _sample(board: RunningBoard, calls: int) -> Sample:
    assert board.process is not None
    server = psutil.Process(board.process.pid)
    memory = (server.memory_info().rss - calls * INDEX_BYTES_A_CALL) / 2**20
    return Sample(memory, server.num_fds(), server.num_threads())


def _middle(samples: list[Sample]) -> Sample:
    return Sample(*(type(values[0])(median(values)) for values in zip(*samples, strict=True)))
