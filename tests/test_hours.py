"""When a board that hears nothing should say so."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.hours import SILENT_MINUTES, BadHours, read_calling_hours

INDIA = ZoneInfo("Asia/Kolkata")
OFFICE = read_calling_hours("mon-sat 10:00-19:00")
MONDAY, SUNDAY = datetime(2026, 11, 23, tzinfo=INDIA), datetime(2026, 11, 22, tzinfo=INDIA)


def at(day: datetime, hour: int, minute: int = 0) -> datetime:
    return day.replace(hour=hour, minute=minute)


def test_twenty_silent_minutes_in_calling_hours_are_too_many() -> None:
    assert OFFICE.silent_since(at(MONDAY, 12), at(MONDAY, 12, 19)) is None
    assert OFFICE.silent_since(at(MONDAY, 12), at(MONDAY, 12, 20)) == at(MONDAY, 12)


@pytest.mark.parametrize("now", [at(MONDAY, 9, 59), at(MONDAY, 19), at(SUNDAY, 12)])
def test_outside_the_hours_silence_is_nothing(now: datetime) -> None:
    assert OFFICE.silent_since(now - timedelta(days=3), now) is None


def test_a_night_is_not_missed_silence_counts_from_the_opening() -> None:
    yesterday = at(SUNDAY, 18)
    assert OFFICE.silent_since(yesterday, at(MONDAY, 10, 10)) is None
    assert OFFICE.silent_since(yesterday, at(MONDAY, 10, 20)) == at(MONDAY, 10)


def test_hours_may_be_for_every_day_for_one_or_over_the_weeks_end() -> None:
    assert read_calling_hours("09:00-21:00").days == frozenset(range(7))
    assert read_calling_hours("Wed 9:00-21:00").days == {2}
    assert read_calling_hours("sat-mon 09:00-21:00").days == {5, 6, 0}


@pytest.mark.parametrize(
    "text", ["", "10-19", "19:00-10:00", "mo-sa 10:00-19:00", "mon-sat", "10:00-25:00", "1:60-2:00"]
)
def test_hours_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(BadHours):
        read_calling_hours(text)


@given(st.integers(0, 10 * 366 * 24 * 60), st.integers(0, 3000))
def test_silence_is_told_exactly_when_it_is_long_enough_within_open_hours(elapsed: int, minutes: int) -> None:
    now = MONDAY + timedelta(minutes=elapsed)
    since = OFFICE.silent_since(now - timedelta(minutes=minutes), now)
    is_open = now.weekday() < 6 and 10 <= now.hour < 19
    open_minutes = (now - now.replace(hour=10, minute=0, second=0, microsecond=0)).total_seconds() / 60
    assert (since is not None) == (is_open and min(minutes, open_minutes) >= SILENT_MINUTES)
