"""The hour that a clock shows twice when summer time ends: when the report arrived tells which of them was meant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.__main__ import main
from dashboard.callkaro.report import CallReport, read_report
from dashboard.calls import columns_of, micros
from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.doctor.tables import _newest
from dashboard.migrations import migrate
from dashboard.store.inbox import Arrival, record
from dashboard.store.rebuild import retell_after
from dashboard.zones import IN_A_ROW, ZoneDoubt
from tests.exported import calls_in, csv_of, jsonl_of
from tests.reports import report
from tests.stored import rows

LONDON, NEW_YORK, KOLKATA = ZoneInfo("Europe/London"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")
# 01:30 by the clock of London came at 00:30 UTC, in summer time, and at 01:30 UTC.
FIRST, SECOND = datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2025, 10, 26, 1, 30, tzinfo=UTC)
TWICE = "2025-10-26 01:30:00"


def at(time: str, received_at: datetime, zone: ZoneInfo, seconds: int = 120) -> datetime:
    """When a call was, by the row that the store writes."""
    fields = CallReport.model_validate({"time": time, "call_duration": seconds})
    columns = columns_of(fields, try_count=0, first_received_at=micros(received_at), source_timezone=zone)
    return datetime.fromtimestamp(columns["at"] / 10**6, UTC)


@pytest.mark.parametrize("late", [timedelta(seconds=20), timedelta(minutes=4), timedelta(minutes=50)])
def test_a_call_of_the_repeated_hour_is_in_the_one_before_its_report(late: timedelta) -> None:
    ended = timedelta(seconds=120) + late
    assert at(TWICE, FIRST + ended, LONDON) == FIRST
    assert at(TWICE, SECOND + ended, LONDON) == SECOND
    american = datetime(2025, 11, 2, 5, 30, tzinfo=UTC)
    assert at("2025-11-02 01:30:00", american + ended, NEW_YORK) == american
    assert at("2025-11-02 01:30:00", american + timedelta(hours=1) + ended, NEW_YORK) == american + timedelta(hours=1)


def test_a_long_call_counts_from_its_end() -> None:
    assert at(TWICE, SECOND + timedelta(minutes=5), LONDON, seconds=3000) == FIRST
    assert at(TWICE, SECOND + timedelta(minutes=52), LONDON, seconds=3000) == SECOND


def test_clocks_that_differ_by_seconds_make_no_hour_of_difference() -> None:
    assert at(TWICE, SECOND + timedelta(seconds=115), LONDON) == SECOND


def test_an_hour_that_the_clock_leaves_out_is_read_as_if_it_had_not_been_changed() -> None:
    spring = datetime(2025, 3, 30, 1, 30, tzinfo=UTC)
    for received in (spring + timedelta(minutes=3), spring + timedelta(days=3), spring - timedelta(hours=1)):
        assert at("2025-03-30 01:30:00", received, LONDON) == spring


def test_a_time_with_its_own_offset_is_what_it_says() -> None:
    assert at(f"{TWICE}+01:00", SECOND + timedelta(minutes=3), LONDON) == FIRST
    assert at(f"{TWICE}+00:00", FIRST + timedelta(minutes=3), LONDON) == SECOND


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - hypothesis takes no zone here
    st.sampled_from([LONDON, NEW_YORK, KOLKATA, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Europe/Dublin")]),
    st.integers(0, 1200),
    st.integers(0, 1200),
)
def test_a_call_that_is_reported_soon_is_where_it_was_in_every_zone(
    moment: datetime, zone: ZoneInfo, seconds: int, late: int
) -> None:
    began = moment.replace(tzinfo=UTC, microsecond=0)
    clock = f"{began.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    assert at(clock, began + timedelta(seconds=seconds + late), zone, seconds) == began


# Stored, told anew, exported


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path))
    monkeypatch.setenv("DASHBOARD_SOURCE_TIMEZONE", "Europe/London")
    monkeypatch.delenv("DASHBOARD_DATABASE_URL", raising=False)
    made = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(made)
    yield made
    made.close()


def store_both_hours(database: Database) -> None:
    arrivals = []
    for name, hour in (("first", FIRST), ("second", SECOND)):
        for number in range(IN_A_ROW):
            began = hour + timedelta(seconds=number)
            body = report(f"{name} {number}", time=f"{began.astimezone(LONDON):%Y-%m-%d %H:%M:%S}", call_duration=60)
            received = micros(began + timedelta(seconds=90))
            arrivals.append(Arrival(received, body, read_report(body), "application/json", "test"))
    database.write_now(partial(record, arrivals=arrivals, source_timezone=LONDON))


def test_a_rebuild_gives_the_same_hours(database: Database) -> None:
    store_both_hours(database)
    before = rows(database, "call")
    assert [row["at"] - micros(SECOND if number >= IN_A_ROW else FIRST) for number, row in enumerate(before)] == [
        number * 10**6 for number in (*range(IN_A_ROW), *range(IN_A_ROW))
    ]
    _, mended = database.write_now(partial(retell_after, last_id=0, source_timezone=LONDON))
    assert mended == 0
    assert rows(database, "call") == before


def test_the_repeated_hour_brings_no_advice_to_change_the_zone(database: Database) -> None:
    store_both_hours(database)
    doubt = ZoneDoubt()
    for ended_at, received_at in database.read_now(lambda session: _newest(session, head_of(session))):
        doubt.hear(ended_at=ended_at, received_at=received_at)
    assert doubt.sentence("Europe/London") == ""


@pytest.mark.parametrize("write", [csv_of, jsonl_of], ids=["csv", "jsonl"])
def test_an_export_of_both_hours_gives_an_empty_board_the_same_moments(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object
) -> None:
    store_both_hours(database)
    expected = {row["call_sid"]: row["at"] for row in rows(database, "call")}
    assert callable(write)
    (tmp_path / "calls").write_bytes(write(*calls_in(database)))
    assert main(["import", str(tmp_path / "calls")]) == 0
    assert {row["call_sid"]: row["at"] for row in rows(database, "call")} == expected
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path / "other"))
    assert main(["import", str(tmp_path / "calls")]) == 0
    copy = Database(f"sqlite:///{tmp_path / 'other' / 'callboard.db'}")
    assert {row["call_sid"]: row["at"] for row in rows(copy, "call")} == expected
    copy.close()
