"""How many live pages and filters one visitor has."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from dashboard.stream_limits import Limits, StreamLimits, TooMany


def test_pages_on_the_same_filter_cost_one_filter() -> None:
    limits = StreamLimits()
    with ExitStack() as pages:
        for _ in range(200):
            pages.enter_context(limits.counted("office", "today", Limits(pages=200, filters=1)))
        assert (limits.pages_of("office"), limits.filters) == (200, 1)
        with pytest.raises(TooMany) as refused:
            pages.enter_context(limits.counted("office", "today", Limits(pages=200, filters=1)))
        assert not refused.value.in_all
    assert (limits.pages_of("office"), limits.filters) == (0, 0)


def test_a_further_filter_is_refused_and_a_page_on_a_known_one_is_not() -> None:
    limits = StreamLimits()
    with ExitStack() as pages:
        for number in range(3):
            pages.enter_context(limits.counted("a", number, Limits(filters=3)))
        with pytest.raises(TooMany):
            pages.enter_context(limits.counted("a", 3, Limits(filters=3)))
        pages.enter_context(limits.counted("a", 0, Limits(filters=3)))
        pages.enter_context(limits.counted("b", 3, Limits(filters=3)))
    with limits.counted("a", 3, Limits(filters=3)):
        assert limits.filters == 1


def test_filters_are_limited_in_all_and_a_filter_of_two_visitors_counts_once() -> None:
    limits = StreamLimits(filters_in_all=2)
    with ExitStack() as pages:
        for who in ("a", "b", "c"):
            pages.enter_context(limits.counted(who, "same", Limits()))
        pages.enter_context(limits.counted("a", "another", Limits()))
        with pytest.raises(TooMany) as refused:
            pages.enter_context(limits.counted("d", "third", Limits()))
        assert refused.value.in_all
        pages.enter_context(limits.counted("d", "same", Limits()))


def test_without_a_limit_of_pages_any_number_is_open() -> None:
    limits = StreamLimits()
    with ExitStack() as pages:
        for _ in range(2_000):
            pages.enter_context(limits.counted("this machine", "today", Limits(pages=None)))
        assert limits.pages_of("this machine") == 2_000
