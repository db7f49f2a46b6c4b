"""The made-up call that a board can be tried with."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard.callkaro import sample
from dashboard.callkaro.report import DOCUMENTED_FIELDS, CallReport, Report, read_report
from dashboard.callkaro.transcript import read_transcript
from dashboard.callkaro.vocabulary import CONNECTED_REASONS, TEST_TYPES
from dashboard.database import Database
from dashboard.store.calls import count_calls
from tests.stored import INDIA, store

NOW = datetime(2025, 12, 19, 10, 31, 49, tzinfo=UTC)


def made(zone: ZoneInfo = INDIA) -> CallReport:
    reading = read_report(sample.test_report(NOW, zone))
    assert isinstance(reading, Report)
    return CallReport.model_validate(reading.data)


def test_it_says_something_in_every_documented_field_but_names_no_campaign_and_no_recording() -> None:
    data = json.loads(sample.test_report(NOW, INDIA))["data"]
    assert set(data) == set(DOCUMENTED_FIELDS) - {"recordingUrl"}
    assert {name for name, value in data.items() if value in (None, "", [], {})} == {"batchId"}
    assert data["post_call"] == {name: detail["value"] for name, detail in data["post_call_detail"].items()}


def test_it_is_a_call_that_no_figure_counts() -> None:
    report = made()
    assert report.type in TEST_TYPES
    assert report.reason in CONNECTED_REASONS
    assert (report.metadata["name"], report.try_count, report.converted) == ("Test call", 0, False)


def test_it_has_four_turns_in_two_languages() -> None:
    turns = read_transcript(made().transcription)
    assert [turn.speaker for turn in turns] == ["agent", "customer"] * 2
    assert "नमस्ते" in turns[0].text
    assert "No, that's all." in turns[3].text


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "UTC", "America/New_York"])
def test_it_has_just_ended_by_the_clock_that_the_board_reads_times_in(zone: str) -> None:
    report = made(ZoneInfo(zone))
    started_at = report.started_at(ZoneInfo(zone))
    assert started_at is not None
    assert report.duration_seconds is not None
    assert started_at + timedelta(seconds=report.duration_seconds) == NOW


def test_each_is_another_call_and_all_are_known_to_be_made_up(database: Database) -> None:
    receipts = store(database, *(sample.test_report(NOW, INDIA) for _ in range(3)))
    assert len({receipt.call_id for receipt in receipts}) == 3
    assert database.read_now(count_calls) == (3, 3)


def test_its_numbers_belong_to_nobody() -> None:
    # A mobile number of India begins with 6 to 9 after the 91, and no area code begins with 0.
    for number in (made().from_number, made().to_number):
        assert number.startswith("910")
        assert len(number) == 12
