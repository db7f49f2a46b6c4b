"""Hostile bodies, while somebody outside watches whether the loop answers: no 5xx but 503, no stall."""

from __future__ import annotations

import time
from collections import Counter

from bench.faults.client import SECRET, new_board
from bench.faults.probe import Probe
from bench.faults.table import Run
from bench.faults.ticking import longest_stall
from bench.hostile import numbered, post_all, read_all
from tests.hostile import heavy_bodies

SEED = 3
LONGEST_STALL_MS = 100.0


def measure(run: Run) -> None:
    read, posted = run.choose((20_000, 1_000), (100_000, 10_000))
    parsed = read_all(numbered(SEED, read))
    run.row(
        f"{read:,} hostile bodies through the parser",
        f"{len(parsed.broken)} broke it",
        "0",
        not parsed.broken and parsed.count == read,
    )
    place = run.place("hostile")
    board, ticks = new_board(place), place / "ticks"
    board.program = ("-m", "bench.faults.ticking", str(ticks), "serve")
    board.start()
    began = time.monotonic()
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
    were_read = tallies[0].count == posted and tallies[1].count and not statuses["401"]
    run.row(what, figure, "0 × 5xx but 503", bool(were_read) and not failures)
    assert ticks.exists(), "nobody looked at the loop"
    stall_ms = 1000 * longest_stall(ticks, began)
    figure = (
        f"longest stall {stall_ms:.0f} ms; from outside, slowest of {len(probe.times):,} probes "
        f"{probe.slowest_ms:.0f} ms, p99 {probe.p99_ms:.0f} ms"
    )
    is_quick = stall_ms < LONGEST_STALL_MS and probe.statuses == {200}
    run.row(
        "the loop meanwhile, by a tick every 10 ms in it", figure, f"no stall over {LONGEST_STALL_MS:.0f} ms", is_quick
    )
