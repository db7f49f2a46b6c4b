"""What the platform says that its documentation does not have: found, counted, bounded, told."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest

from dashboard.callkaro.report import DOCUMENTED_FIELDS, Ignored, Report, Unreadable
from dashboard.callkaro.undocumented import MOST_FIELDS, undocumented_in
from dashboard.callkaro.vocabulary import CALL_TYPES, HANGUP_REASONS
from dashboard.calls import micros
from dashboard.database import Database
from dashboard.notices import Newcomer, newcomers
from dashboard.store.undocumented import MOST_VALUES, Sighting, newcomers_since, note_undocumented, strangers
from tests.reports import data_of, report
from tests.stored import INDIA, NOON, store, told

MIDDAY = datetime(2026, 11, 23, 12, 0, tzinfo=INDIA)


def test_a_report_after_the_documentation_has_nothing_undocumented() -> None:
    assert undocumented_in(Report(data_of())) == []
    assert undocumented_in(Report(dict.fromkeys(DOCUMENTED_FIELDS))) == []
    for name in CALL_TYPES:
        assert undocumented_in(Report({"name": name})) == []
    for reason in HANGUP_REASONS:
        assert undocumented_in(Report({"hangup_reason": reason})) == []


def test_a_new_reason_type_event_and_field_are_found() -> None:
    data = data_of(hangup_reason="LINE_BUSY", name="whatsapp", mood="glad")
    assert sorted(undocumented_in(Report(data))) == [("field", "mood"), ("reason", "LINE_BUSY"), ("type", "whatsapp")]
    assert undocumented_in(Ignored("call_started")) == [("event", "call_started")]
    assert undocumented_in(Ignored("")) == []
    assert undocumented_in(Unreadable("Not JSON.")) == []


def test_of_a_report_with_endless_names_a_few_are_looked_at_and_each_is_short() -> None:
    data: dict[str, object] = {f"name {number} {'x' * 5000}": 1 for number in range(1000)}
    found = undocumented_in(Report(data))
    assert len(found) == MOST_FIELDS
    assert all(len(value) <= 200 for _, value in found)


def test_a_reason_that_is_no_text_is_told_as_the_call_has_it() -> None:
    assert undocumented_in(Report({"hangup_reason": {"code": 7}})) == [("reason", '{"code": 7}')]
    assert undocumented_in(Report({"hangup_reason": "   ", "name": None})) == []


def test_what_is_undocumented_is_counted_with_its_first_and_last_report(database: Database) -> None:
    store(database, report("a"), report("b", hangup_reason="LINE_BUSY"), report("c", hangup_reason="LINE_BUSY", mood=1))
    store(database, report("d", hangup_reason="LINE_BUSY"), b'{"event":"call_started","data":{}}')
    found = database.read_now(strangers)
    assert [(each.kind, each.value, each.first_id, each.times) for each in found] == [
        ("event", "call_started", 5, 1),
        ("field", "mood", 3, 1),
        ("reason", "LINE_BUSY", 2, 3),
    ]
    # The moments of a batch in `store` are one microsecond apart, from NOON on.
    assert (found[2].first_seen_at, found[2].last_seen_at) == (NOON + 1, NOON)


def test_the_same_bytes_again_are_not_counted_again(database: Database) -> None:
    body = told(callSid="a", hangup_reason="LINE_BUSY")
    store(database, body, body)
    store(database, body)
    assert [each.times for each in database.read_now(strangers)] == [1]


def test_a_kind_that_is_full_goes_on_counting_what_it_has(database: Database) -> None:
    many = [Sighting("field", f"name {number}", number, NOON) for number in range(MOST_VALUES + 50)]
    database.write_now(partial(note_undocumented, sightings=many))
    database.write_now(partial(note_undocumented, sightings=[*many[:1], Sighting("reason", "name 0", 9999, NOON)]))
    found = database.read_now(strangers)
    assert len(found) == MOST_VALUES + 1
    assert {(each.kind, each.times) for each in found if each.value == "name 0"} == {("field", 2), ("reason", 1)}


def test_newcomers_are_those_after_a_row_and_a_moment(database: Database) -> None:
    store(database, report("a", hangup_reason="ONE"), report("b", hangup_reason="TWO"), report("c"))
    find = partial(newcomers_since, most=10)
    assert database.read_now(partial(find, after=0, since=0)) == [
        ("reason", "TWO", NOON + 1),
        ("reason", "ONE", NOON),
    ]
    assert [each.value for each in database.read_now(partial(find, after=1, since=0))] == ["TWO"]
    assert database.read_now(partial(find, after=0, since=NOON + 1)) == []


def ago(**time: float) -> int:
    return micros(MIDDAY - timedelta(**time))


@pytest.mark.parametrize(
    ("kind", "beginning"),
    [("reason", "a hang-up reason"), ("type", "a call type"), ("event", "an event"), ("field", "a field")],
)
def test_one_newcomer_is_told_with_its_kind_and_moment(kind: str, beginning: str) -> None:
    notice = newcomers([Newcomer(kind, "LINE_BUSY", ago(hours=1))], MIDDAY)
    assert notice is not None
    assert notice.words == (
        f"CallKaro sent {beginning} that its documentation does not have: LINE_BUSY, first seen today 11:00."
    )
    assert notice.href == "/inbox#undocumented"


def test_several_newcomers_are_one_notice() -> None:
    many = [Newcomer("field", f"f{number}", ago(hours=number + 11)) for number in range(5)]
    notice = newcomers(many, MIDDAY)
    assert notice is not None
    assert notice.words == (
        "CallKaro sent what its documentation does not have: field f0 (today 01:00), field f1 (today 00:00), "
        "field f2 (yesterday 23:00), "
        "and 2 more."
    )


def test_a_newcomer_is_told_for_a_day_and_not_once_it_is_documented() -> None:
    assert newcomers([], MIDDAY) is None
    assert newcomers([Newcomer("reason", "LINE_BUSY", ago(hours=25))], MIDDAY) is None
    assert newcomers([Newcomer("reason", "UNKNOWN", ago(hours=1))], MIDDAY) is None


def test_a_megabyte_of_a_name_makes_a_short_notice() -> None:
    notice = newcomers([Newcomer("field", "x" * 200, ago(hours=1))], MIDDAY)
    assert notice is not None
    assert len(notice.words) < 150
