"""What an attempt to hand a report on leads to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.outside.post import Answer, read_retry_after
from dashboard.patience import (
    FIRST_SECONDS,
    LONGEST_ASKED_SECONDS,
    LONGEST_SECONDS,
    PATIENCE_SECONDS,
    REFUSED_TRIES,
    Aside,
    Later,
    Outcome,
    Sent,
    judge,
    wait_seconds,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def after(status: int | None, *, attempt: int = 1, failures: int = 0, age: float = 60, retry: float = 0) -> Outcome:
    answer = Answer(status, f"crm.example answered {status}.", retry)
    return judge(answer, attempt=attempt, failures=failures, age_seconds=age, chance=0)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_2xx_is_done_however_old_the_report_is(status: int) -> None:
    assert isinstance(after(status, attempt=9, failures=9, age=PATIENCE_SECONDS + 1), Sent)


@pytest.mark.parametrize("status", [None, 301, 302, 307, 401, 403, 407, 408, 425, 429, 500, 502, 503, 600, 199])
def test_what_says_nothing_against_the_report_is_tried_for_three_days(status: int | None) -> None:
    assert isinstance(after(status, attempt=70, failures=70, age=PATIENCE_SECONDS - 1), Later)
    given_up = after(status, attempt=71, failures=70, age=PATIENCE_SECONDS)
    assert isinstance(given_up, Aside)
    assert given_up.words.startswith("Given up after 3 days.")
    assert given_up.seconds == LONGEST_SECONDS, "the next one meets the same target"


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 413, 415, 422, 451])
def test_a_report_that_is_refused_for_what_it_is_is_set_aside_after_a_few_tries_and_the_next_one_goes(
    status: int,
) -> None:
    assert isinstance(after(status, attempt=REFUSED_TRIES - 1), Later)
    aside = after(status, attempt=REFUSED_TRIES)
    assert isinstance(aside, Aside)
    assert aside.seconds == 0


def test_the_first_tries_take_less_than_a_minute() -> None:
    assert sum(wait_seconds(failures, None, 0) for failures in range(REFUSED_TRIES - 1)) < 60


def test_the_waits_double_from_five_seconds_to_an_hour() -> None:
    waits = [wait_seconds(failures, None, 0) for failures in range(12)]
    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == LONGEST_SECONDS


@given(st.integers(0, 10_000), st.none() | st.floats(0, 1e12), st.floats(0, 1))
def test_no_wait_is_shorter_than_asked_for_or_longer_than_a_day(
    failures: int, asked: float | None, chance: float
) -> None:
    seconds = wait_seconds(failures, asked, chance)
    assert FIRST_SECONDS <= seconds <= LONGEST_ASKED_SECONDS
    assert seconds >= min(asked or 0, LONGEST_ASKED_SECONDS)
    assert asked or seconds <= LONGEST_SECONDS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("9" * 400, 999_999_999),
        ("Mon, 23 Nov 2026 12:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert read_retry_after(text, NOON) == seconds


@given(st.text())
def test_no_retry_after_does_any_harm(text: str) -> None:
    seconds = read_retry_after(text, NOON)
    assert seconds is None or seconds >= 0
