"""How late and how large, in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.measures import lag, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 s"),
        (59, "59 s"),
        (65, "1 min 05 s"),
        (3600, "1 h 00 min"),
        (2 * 86_400 + 3 * 3600, "2 d 3 h"),
        (-19_800, "5 h 30 min before"),
    ],
)
def test_a_lag_is_told_in_its_two_largest_units(seconds: int | None, words: str) -> None:
    assert lag(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (3100, "3.1 kB"), (999_999, "1.0 MB"), (2**21, "2.1 MB"), (2**30, "1.1 GB")],
)
def test_a_size_is_told_in_the_unit_that_fits(count: int, words: str) -> None:
    assert size(count) == words


@given(st.integers(-(10**9), 10**9), st.integers(0, 2**40))
def test_any_lag_and_any_size_have_short_words(seconds: int, count: int) -> None:
    assert len(lag(seconds)) < 25
    assert len(size(count)) < 25
