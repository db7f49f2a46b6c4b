"""Guesses are counted: too many within a time, and those who guess wait."""

from __future__ import annotations

import time

import pytest

from dashboard.web.slowdown import Slowdown


def test_more_than_the_most_within_the_time_is_too_much() -> None:
    slowdown = Slowdown(most=3, seconds=60)
    assert [slowdown.is_too_much("a") for _ in range(5)] == [False, False, False, True, True]
    assert not slowdown.is_too_much("b")


def test_looking_counts_nothing() -> None:
    slowdown = Slowdown(most=1, seconds=60)
    assert not any(slowdown.is_over("a") for _ in range(5))
    slowdown.is_too_much("a")
    assert slowdown.is_over("a")
    assert not slowdown.is_over("b")


def test_after_its_time_everything_is_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    slowdown = Slowdown(most=1, seconds=60)
    slowdown.is_too_much("a")
    assert slowdown.is_too_much("a")
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not slowdown.is_over("a")
    assert not slowdown.is_too_much("a")


def test_a_million_addresses_take_no_more_room_than_ten_thousand() -> None:
    slowdown = Slowdown(most=1, seconds=60)
    for number in range(12_000):
        slowdown.is_too_much(str(number))
    assert len(slowdown._counts) == 10_000


def test_a_long_name_takes_no_more_room_than_a_short_one() -> None:
    slowdown = Slowdown(most=1, seconds=60)
    names = ["n" * 60_000 + end for end in ("a", "b", "é\udfff")]
    assert [slowdown.is_too_much(name) for name in names] == [False] * 3
    assert [slowdown.is_over(name) for name in names] == [True] * 3
    assert all(len(key) <= 32 for key in slowdown._counts)
