"""When nobody listened: gaps between spans, what fills them, and how much of a view's days they take."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.calls import micros
from dashboard.filters import Days
from dashboard.gaps import (
    AWAY,
    SHORTEST,
    STOPPED,
    Gap,
    Span,
    chains,
    gaps_of,
    last_of,
    length_words,
    missed_seconds,
    with_fills,
)
from dashboard.watch import bounds

# Moments are counted in thirds of the shortest gap, so that gaps just too short are as likely as long ones.
UNIT = SHORTEST // 3
LAST = 60

moments = st.integers(0, LAST).map(lambda number: number * UNIT)
stretches = st.tuples(moments, moments).map(sorted)
spans = stretches.map(lambda ends: Span(ends[0], ends[1]))
logs = st.lists(spans, max_size=12)


def is_listened(log: list[Span], at: int) -> bool:
    return any(span.start <= at < span.end for span in log)


@given(logs)
def test_a_moment_is_in_a_gap_when_nobody_listened_for_a_minute_around_it(log: list[Span]) -> None:
    until = LAST * UNIT
    gaps = gaps_of(log, until)
    if not log:
        assert gaps == []
        return
    first = min(span.start for span in log)
    silent = [at for at in range(first, until, UNIT) if not is_listened(log, at)]
    # A span without length is a sign of life, too: it parts two silences.
    signs = {span.start for span in log}
    runs: list[list[int]] = []
    for at in silent:
        if runs and runs[-1][-1] + UNIT == at and at not in signs:
            runs[-1].append(at)
        else:
            runs.append([at])
    expected = [(run[0], run[-1] + UNIT) for run in runs if len(run) >= 3]
    assert [(gap.start, gap.end) for gap in gaps] == expected
    assert [gap.is_open for gap in gaps] == [gap.end == until and until not in signs for gap in gaps]


@given(logs, st.randoms())
def test_the_order_in_which_spans_were_written_down_does_not_matter(log: list[Span], random: Random) -> None:
    mixed = list(log)
    random.shuffle(mixed)
    assert gaps_of(mixed, LAST * UNIT) == gaps_of(log, LAST * UNIT)


@given(logs)
def test_chains_made_one_span_each_have_the_same_gaps(log: list[Span]) -> None:
    folded = [Span(chain[0].start, last_of(chain).end, last_of(chain).ending) for chain in chains(log)]
    assert gaps_of(folded, LAST * UNIT) == gaps_of(log, LAST * UNIT)
    assert all(later.start - earlier.end >= SHORTEST for earlier, later in pairwise(folded))


@given(logs, st.lists(moments, min_size=2, max_size=5).map(sorted))
def test_what_is_missed_in_adjoining_stretches_adds_up(log: list[Span], cuts: list[int]) -> None:
    gaps = gaps_of(log, LAST * UNIT)
    parts = sum(missed_seconds(gaps, first, last) for first, last in pairwise(cuts))
    assert parts == missed_seconds(gaps, cuts[0], cuts[-1])
    assert missed_seconds(gaps, 0, LAST * UNIT) == sum(gap.seconds for gap in gaps)


@given(logs, logs)
def test_a_gap_is_filled_by_what_covers_all_of_it_and_then_counts_no_more(log: list[Span], fills: list[Span]) -> None:
    gaps = with_fills(gaps_of(log, LAST * UNIT), [fill._replace(filled_at=7) for fill in fills])
    for gap in gaps:
        covered = all(is_listened(fills, at) for at in range(gap.start, gap.end, UNIT))
        assert (gap.filled_at == 7) == covered
    left = sum(gap.seconds for gap in gaps if gap.filled_at is None)
    assert missed_seconds(gaps, 0, LAST * UNIT) == left


def test_a_gap_tells_how_the_last_process_before_it_ended() -> None:
    log = [Span(0, 5 * SHORTEST, AWAY), Span(0, 6 * SHORTEST, STOPPED), Span(9 * SHORTEST, 10 * SHORTEST)]
    (gap,) = gaps_of(log, 10 * SHORTEST)
    assert gap == Gap(6 * SHORTEST, 9 * SHORTEST, STOPPED)
    assert gap.why == "The board was stopped."


def test_before_the_first_run_nothing_is_a_gap() -> None:
    assert gaps_of([], SHORTEST * 100) == []
    assert gaps_of([Span(90 * SHORTEST, 100 * SHORTEST)], 100 * SHORTEST) == []


def test_two_processes_that_take_turns_leave_no_gap() -> None:
    turns = [Span(start * SHORTEST, (start + 2) * SHORTEST, STOPPED) for start in range(10)]
    assert gaps_of(turns, 11 * SHORTEST) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(60, "1 min"), (11 * 60 + 59, "11 min"), (2 * 3600 + 300, "2 h 05 min"), (76 * 3600 + 60, "3 d 4 h")],
)
def test_lengths_are_said_in_words(seconds: int, words: str) -> None:
    assert length_words(seconds) == words


def test_the_bounds_of_days_are_midnights_of_the_boards_zone_also_where_clocks_are_changed() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    day = date(2026, 3, 29)
    first, last = bounds(Days(day, day), berlin)
    assert first == micros(datetime(2026, 3, 29, tzinfo=berlin))
    assert (last - first) // 3_600_000_000 == 23
    assert bounds(Days(None, None), berlin)[0] == 0
    assert bounds(Days(date.min, date.max), berlin)[1] > micros(datetime(9999, 1, 1, tzinfo=berlin))
