"""Who a call is, how reports are merged, and what follows for its row (decisions 2 and 3)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial, reduce
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.callkaro.report import CallReport
from dashboard.calls import (
    LONGEST_IN_A_ROW,
    NOBODY,
    beginning,
    call_sid_of,
    changes,
    columns_of,
    customer_name,
    is_empty,
    merge,
    micros,
    person_of,
    try_of,
)
from dashboard.phone_numbers import person_key
from tests.reports import data_of

KOLKATA = ZoneInfo("Asia/Kolkata")
EMPTIES: tuple[object, ...] = (None, "", [], {})
RECEIVED_AT = 1_766_000_000_000_000

values: st.SearchStrategy[Any] = st.sampled_from([None, "", [], {}, False, 0, True, 1, "a", "b", [1], 0.5])
data = st.recursive(
    st.dictionaries(st.sampled_from("abc"), values, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), values | inner, max_size=3),
    max_leaves=6,
)
# Reports as the platform sends them: a field is an object in all of them or in none.
alike = st.fixed_dictionaries({}, optional={"a": values.filter(lambda v: v != {}), "b": values, "c": values}) | (
    st.fixed_dictionaries({"o": st.dictionaries(st.sampled_from("xy"), st.sampled_from([None, "", 0, False, "z"]))})
)


def columns(**fields: Any) -> dict[str, Any]:
    try_count = fields.pop("try_of_row", 0)
    report = CallReport.model_validate(fields)
    return columns_of(report, try_count=try_count, first_received_at=RECEIVED_AT, source_timezone=KOLKATA)


@pytest.mark.parametrize("empty", EMPTIES, ids=repr)
def test_nothing_empty_blanks_what_is_known(empty: object) -> None:
    assert merge({"a": "known"}, {"a": empty}) == {"a": "known"}
    assert merge({"a": {"b": 1}}, {"a": empty}) == {"a": {"b": 1}}


@pytest.mark.parametrize("value", [False, 0, 0.0, "0", [None], {"a": None}], ids=repr)
def test_false_and_zero_are_values_that_win(value: object) -> None:
    assert not is_empty(value)
    assert merge({"a": "known"}, {"a": value}) == {"a": value}


@pytest.mark.parametrize(
    ("before", "later", "merged"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": None}, {"a": ""}, {"a": None}),
        ({}, {"a": None}, {"a": None}),
        ({"o": {"x": 1, "y": 2}}, {"o": {"y": 3, "z": ""}}, {"o": {"x": 1, "y": 3, "z": ""}}),
        ({"o": {"x": 1}}, {"o": "text"}, {"o": "text"}),
        ({"o": "text"}, {"o": {"x": 1}}, {"o": {"x": 1}}),
        ({"l": [1, 2]}, {"l": [3]}, {"l": [3]}),
        ({"o": {"deep": {"x": 1}}}, {"o": {"deep": {"y": 2}}}, {"o": {"deep": {"x": 1, "y": 2}}}),
    ],
    ids=repr,
)
def test_a_later_value_wins_key_by_key_inside_objects(before: Any, later: Any, merged: Any) -> None:
    assert merge(before, later) == merged


@given(data, data)
@settings(max_examples=100)
def test_the_same_report_again_changes_nothing(before: Any, later: Any) -> None:
    once = merge(before, later)
    assert merge(once, later) == once


@given(data, data)
@settings(max_examples=100)
def test_no_value_is_ever_blanked(before: Any, later: Any) -> None:
    merged = merge(before, later)
    assert merged.keys() == before.keys() | later.keys()
    assert all(not is_empty(merged[key]) for key, value in before.items() if not is_empty(value))
    assert all(
        merged[key] == value for key, value in later.items() if not is_empty(value) and not isinstance(value, dict)
    )


@given(st.lists(alike, max_size=4))
@settings(max_examples=100)
def test_reports_of_one_shape_can_be_merged_in_any_grouping(reports: list[Any]) -> None:
    one_by_one: dict[str, Any] = reduce(merge, reports, {})
    from_the_right: dict[str, Any] = reduce(lambda later, before: merge(before, later), reversed(reports), {})
    assert _without_empties(one_by_one) == _without_empties(from_the_right)


def _as_told(value: Any) -> Any:
    """A field that is there and null reads like one that is not there; 0 and false, equal to Python, do not."""
    if isinstance(value, dict):
        return {key: _as_told(each) for key, each in value.items() if each is not None}
    return json.dumps(value)


def _without_empties(value: Any) -> Any:
    """Which of several empties stands where nothing is known is of no meaning."""
    if isinstance(value, dict):
        return {key: _without_empties(each) for key, each in value.items() if not is_empty(each)}
    return value


@given(data, data)
def test_merging_leaves_its_parts_as_they_were(before: Any, later: Any) -> None:
    copies = repr(before), repr(later)
    merge(before, later)
    assert (repr(before), repr(later)) == copies


@given(data, data)
def test_the_changes_are_exactly_what_differs(before: Any, later: Any) -> None:
    merged = merge(before, later)
    assert bool(changes(before, merged)) == (_as_told(before) != _as_told(merged))
    assert all(json.dumps(old) != json.dumps(new) for _, old, new in changes(before, merged))
    assert changes(merged, merged) == []


def test_a_change_inside_an_object_is_named_by_its_path() -> None:
    before, after = {"a": 1, "o": {"x": 1, "same": 0}}, {"a": 1, "o": {"x": 2, "same": 0}, "new": True}
    assert changes(before, after) == [("o › x", 1, 2), ("new", None, True)]


@pytest.mark.parametrize(
    ("fields", "known", "expected"),
    [
        ({"try_count": 0}, [], 0),
        ({"try_count": "1"}, [0], 1),
        ({"try_count": 2.0}, [0, 1], 2),
        ({"try_count": -1}, [], -1),
        ({}, [], 0),
        ({"name": "inbound"}, [], -1),
        ({"name": "outbound"}, [3], 3),
        ({"name": "inbound"}, [0], 0),
        ({}, [0, 1], 0),
        ({"try_count": None}, [4, 5], 0),
        ({"try_count": "soon"}, [7], 7),
        ({"try_count": 1.5}, [], 0),
        ({"try_count": -2}, [], 0),
        ({"try_count": True}, [], 0),
    ],
    ids=repr,
)
def test_which_try_a_report_speaks_of(fields: dict[str, Any], known: list[int], expected: int) -> None:
    assert try_of(CallReport.model_validate(fields), known) == expected


def test_without_a_sid_the_bytes_are_the_identity() -> None:
    for empty in (*EMPTIES, "  "):
        report = CallReport.model_validate({"callSid": empty})
        assert call_sid_of(report, b"body").startswith("sha256:")
        assert call_sid_of(report, b"body") != call_sid_of(report, b"another")
    assert call_sid_of(CallReport.model_validate({"callSid": 12}), b"body") == "12"


def test_the_row_of_the_documented_sample() -> None:
    assert columns(**data_of()) == {
        "at": 1_766_140_267_000_000,
        "started_at": 1_766_140_267_000_000,
        "type": "outbound",
        "agent": "6803fa770b666a64ab1694c1e",
        "version": "1203fa770b666a64ab1694c1e",
        "campaign": "0303fa770b666a64ab1694c1e",
        "reason": "CLIENT_INITIATED",
        "duration_seconds": 120,
        "converted": True,
        "from_number": "919876543210",
        "to_number": "918765432109",
        "customer_name": "Jatin",
        "customer_number": "918765432109",
        "person": "+918765432109",
        "disposition": "Customer requested callback",
        "recording_url": "",
    }


def test_a_call_without_a_time_stands_where_it_was_received() -> None:
    for no_time in ("", "soon", None, 12):
        row = columns(time=no_time)
        assert (row["at"], row["started_at"]) == (RECEIVED_AT, None)


def test_the_customer_is_who_calls_in_or_who_is_called() -> None:
    numbers = {"from": "1", "to": "2"}
    assert columns(**numbers, name="outbound")["customer_number"] == "2"
    assert columns(**numbers, name="inbound")["customer_number"] == "1"
    assert columns(**numbers, try_of_row=-1)["customer_number"] == "1"


def test_what_strangers_write_at_length_is_short_in_the_list() -> None:
    row = columns(call_metadata={"name": "n" * 10_000}, disposition_reason="d" * 10_000)
    assert (len(row["customer_name"]), len(row["disposition"])) == (200, 200)


@pytest.mark.parametrize(
    "number", ["919812345678", "+91 98123 45678", "(91) 98123.45678", "91-98123-45678", "९८१२३४५६७८"]
)
def test_of_a_number_that_stands_across_the_cut_nothing_is_kept(number: str) -> None:
    for kept in range(1, len(number)):
        words = "z" * (LONGEST_IN_A_ROW - kept - 1)
        told = f"{words} {number}"
        row = columns(call_metadata={"name": told}, disposition_reason=f"{told} is better")
        assert [row[name].rstrip(" +(") for name in ("customer_name", "disposition")] == [words] * 2


@given(st.text("9१ .-z/\n", max_size=60), st.integers(1, 60))
def test_the_beginning_of_a_text_ends_with_no_part_of_a_number(text: str, most: int) -> None:
    shown = beginning(text, most)
    assert text.startswith(shown)
    assert shown == text or len(shown) <= most
    # Digits with up to eight signs between them are one number.
    for number in re.finditer(r"\d(?:[\W_]{0,8}\d)*", text):
        assert shown == text or not number.start() < most < number.end() or number.start() >= len(shown)


def test_the_beginning_of_half_a_million_digits_costs_no_more_than_a_walk_through_them() -> None:
    assert beginning("9 " * 500_000, 900_000) == ""
    assert beginning("z" + "9 " * 500_000, 900_000) == "z"


def test_a_number_that_stands_before_the_cut_is_kept_and_a_text_that_fits_is_never_touched() -> None:
    begins = f"Call 98123 45678 at noon {'z' * 200}"
    row = columns(call_metadata={"name": f"{'z' * 190}9812345678"}, disposition_reason=begins)
    assert (row["customer_name"], row["disposition"]) == (f"{'z' * 190}9812345678", begins[:200])


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({}, ""),
        ({"age": 3}, ""),
        ({"Name": "Jatin"}, "Jatin"),
        ({" Customer Name ": "Asha"}, "Asha"),
        ({"name": "", "full_name": "Ravi"}, "Ravi"),
        ({"first_name": "F", "name": "N"}, "N"),
        ({"name": "N", "Name": "M"}, "N"),
        ({"First Name": "F"}, "F"),
        ({"lead_name": "L"}, "L"),
        ({"contact_name": "C"}, "C"),
        ({"name": None, "customer": 7}, "7"),
        ({"name": []}, ""),
    ],
    ids=repr,
)
def test_the_name_is_found_under_the_keys_that_campaign_files_use(metadata: dict[str, Any], name: str) -> None:
    assert customer_name(metadata) == name


@given(st.datetimes(timezones=st.just(UTC)))
def test_micros_are_exact(moment: datetime) -> None:
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros(moment)) == moment


numbers = st.text("0123456789+-() .", max_size=24) | st.text(max_size=24) | st.text("0१٣７", max_size=24)


@given(numbers, numbers)
def test_a_person_is_told_by_the_key_and_by_nothing_else(one: str, other: str) -> None:
    keys = person_key(one), person_key(other)
    people = person_of(keys[0]), person_of(keys[1])
    assert (people[0] == people[1]) == (keys[0] == keys[1])
    assert (people[0] == NOBODY) == (keys[0] == "")
    assert 0 <= people[0] < 2**63, "the index keeps people in 64 bits"


@pytest.mark.parametrize("length", [12, 18, 19, 40, 300])
def test_people_with_the_longest_numbers_are_told_apart_in_64_bits(length: int) -> None:
    nines, twos = person_of(person_key("9" * length)), person_of(person_key("2" * length))
    assert nines != twos
    assert all(NOBODY < person < 2**63 for person in (nines, twos))


def test_a_call_has_the_person_whose_number_it_is_in_the_boards_region() -> None:
    assert columns(to="050 123 4567", name="outbound")["person"] == "+91501234567"
    report = CallReport.model_validate({"from": "050 123 4567", "to": "1", "name": "inbound"})
    of_region = partial(columns_of, report, try_count=-1, first_received_at=RECEIVED_AT, source_timezone=KOLKATA)
    assert of_region(region="AE")["person"] == "+971501234567"
