"""Times in the usual spellings are read or refused; day and month are never guessed."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.callkaro.dates import (
    AMBIGUOUS,
    DAY,
    DAY_FIRST,
    MINUTE,
    MONTH_FIRST,
    NOT_READ,
    SECOND,
    SERIAL,
    YEAR_AMBIGUOUS,
    TimeColumn,
    is_same_time,
)
from dashboard.callkaro.import_row import UTC
from dashboard.callkaro.report import read_time

WHEN = "2025-12-19 16:01:07"


@pytest.mark.parametrize(
    ("text", "written", "precision"),
    [
        (WHEN, WHEN, SECOND),
        ("2025-12-19T16:01:07", "2025-12-19T16:01:07", SECOND),
        ("2025-12-19T16:01:07.250+05:30", "2025-12-19T16:01:07.250+05:30", SECOND),
        ("2025/12/19 16:01", "2025/12/19 16:01", MINUTE),
        ("19-12-2025 16:01", "2025-12-19 16:01:00", MINUTE),
        ("19-12-2025 16:01:07", WHEN, SECOND),
        ("19/12/2025, 4:01:07 pm", WHEN, SECOND),
        ("19/12/2025, 4:01:07\u202fpm", WHEN, SECOND),
        ("19/12/2025 4:01:07 P.M.", WHEN, SECOND),
        ("19.12.2025 16:01:07", WHEN, SECOND),
        ("12/31/25 16:01:07", "2025-12-31 16:01:07", SECOND),
        ("12/19/2025 16:01:07", WHEN, SECOND),
        ("19 Dec 2025 16:01", "2025-12-19 16:01:00", MINUTE),
        ("19-Dec-25 16:01:07", WHEN, SECOND),
        ("19-Dec-25", "2025-12-19 00:00:00", DAY),
        ("2025-12-19", "2025-12-19", DAY),
        ("19th December 2025, 16:01:07", WHEN, SECOND),
        ("Fri, 19 Dec 2025 16:01:07", WHEN, SECOND),
        ("Dec 19, 2025 4:01:07 PM", WHEN, SECOND),
        ("19 Sept 2025 12:01:07 am", "2025-09-19 00:01:07", SECOND),
        ("05/05/2026 01:02:03", "2026-05-05 01:02:03", SECOND),
        ("१९/१२/२०२५ १६:०१:०७", WHEN, SECOND),
    ],
)
def test_a_spelling_with_a_certain_day_is_read(text: str, written: str, precision: int) -> None:
    read = TimeColumn().read(text)
    assert (read.text, read.problem, read.precision) == (written, "", precision)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("01/10/2026, 4:01:07 pm", AMBIGUOUS),
        ("1-10-26 16:01", AMBIGUOUS),
        ("26-11-05 10:00", YEAR_AMBIGUOUS),
        ("19/12/25 16:01:07", YEAR_AMBIGUOUS),
        ("45992.458", SERIAL),
        ("45992", SERIAL),
        ("1766140267", NOT_READ),
        ("00:01:07", NOT_READ),
        ("yesterday", NOT_READ),
        ("31/02/2026 10:00", NOT_READ),
        ("13/13/2025 10:00", NOT_READ),
        ("2025-12-19 25:00:00", NOT_READ),
        ("19/12/2025 13:01 pm", NOT_READ),
        ("19 Foo 2025 10:00", NOT_READ),
        ("19/12/1825 10:00", NOT_READ),
        ("9" * 100_000, NOT_READ),
    ],
)
def test_what_is_no_certain_time_is_refused_in_a_sentence(text: str, problem: str) -> None:
    assert TimeColumn().read(text).problem == problem
    assert TimeColumn().read(text).text == ""


def test_a_day_over_twelve_in_the_same_spelling_decides_the_others() -> None:
    times = TimeColumn()
    times.show("30/10/2026, 4:01:07 pm")
    assert times.read("01/10/2026, 4:01:07 pm").text == "2026-10-01 16:01:07"
    # Another spelling may be the spreadsheet's own, in the order of its language.
    assert times.read("1/10/2026 16:01").problem == AMBIGUOUS
    assert times.read("01-10-2026, 4:01:07 pm").problem == AMBIGUOUS
    months = TimeColumn()
    months.show("10/30/2026 16:01")
    assert months.read("1/10/2026 16:01").text == "2026-01-10 16:01:00"


def test_days_over_twelve_in_both_places_decide_nothing() -> None:
    times = TimeColumn()
    times.show("30/10/2026 16:01")
    times.show("10/30/2026 16:01")
    assert times.read("1/10/2026 16:01").problem == AMBIGUOUS
    assert times.read("30/10/2026 16:01").text == "2026-10-30 16:01:00"
    other = TimeColumn()
    other.show("30-10-2026 16:01")
    other.show("10/30/2026 16:01")
    assert other.read("1/10/2026 16:01").problem == AMBIGUOUS


@pytest.mark.parametrize("other", ["05-12-25 10:00", "19-12-99 10:00"])
def test_a_two_digit_part_that_can_be_no_year_decides_where_the_others_have_theirs(other: str) -> None:
    times = TimeColumn()
    times.show("19-12-25 16:01")
    assert times.read("19-12-25 16:01").problem == YEAR_AMBIGUOUS
    times.show(other)
    assert times.read("19-12-25 16:01").text == "2025-12-19 16:01:00"
    assert times.read("19/12/25 16:01").problem == YEAR_AMBIGUOUS
    assert TimeColumn(DAY_FIRST).read("19/12/25 16:01").text == "2025-12-19 16:01:00"


def test_what_the_operator_says_decides_and_is_held_to() -> None:
    assert TimeColumn(DAY_FIRST).read("01/10/2026 16:01").text == "2026-10-01 16:01:00"
    assert TimeColumn(MONTH_FIRST).read("01/10/2026 16:01").text == "2026-01-10 16:01:00"
    assert TimeColumn(DAY_FIRST).read("10/30/2026 16:01").problem == "the time is not day-first, as --dates says"
    assert TimeColumn(MONTH_FIRST).read("19 Dec 2025 16:01:07").text == WHEN


def test_a_time_that_lost_its_seconds_is_the_known_one_and_another_is_not() -> None:
    assert is_same_time("2025-12-19 16:01:00", WHEN, MINUTE)
    assert not is_same_time("2025-12-19 16:01:00", WHEN, SECOND)
    assert not is_same_time("2025-12-19 16:02:00", WHEN, MINUTE)
    assert is_same_time("2025-12-19 00:00:00", WHEN, DAY)
    assert not is_same_time("2025-12-18 00:00:00", WHEN, DAY)
    assert not is_same_time(WHEN, "", SECOND)


moments = st.integers(978_307_200, 4_070_908_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
forms = ("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d-%m-%y %I:%M:%S %p", "%d %b %Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")


@given(moments, st.sampled_from(forms))
def test_a_date_is_read_as_it_was_written_or_not_at_all(moment: datetime, form: str) -> None:
    read = TimeColumn().read(moment.strftime(form))
    if read.problem:
        assert read.problem in (AMBIGUOUS, YEAR_AMBIGUOUS)
        assert moment.day <= 12 if read.problem == AMBIGUOUS else moment.day >= 15
    else:
        assert read.text == f"{moment:%Y-%m-%d %H:%M:%S}"


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}( [0-9:]{1,8})?", fullmatch=True))
def test_what_is_read_of_any_text_is_a_time_to_the_board(text: str) -> None:
    times = TimeColumn()
    times.show(text)
    read = times.read(text)
    assert bool(read.text) != bool(read.problem)
    assert not read.text or read_time(read.text, UTC)
