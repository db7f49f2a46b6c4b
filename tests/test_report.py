"""What bytes say: the reader of reports."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from dashboard.callkaro.report import (
    DEEPEST,
    DOCUMENTED_FIELDS,
    LONGEST_KEY,
    CallReport,
    Ignored,
    Report,
    Unreadable,
    as_flag,
    as_key,
    as_number,
    as_seconds,
    as_text,
    as_try,
    read_json,
    read_report,
    read_time,
    storable,
)
from tests.hostile import hostile_body
from tests.reports import DOCUMENTED, data_of, report

KOLKATA = ZoneInfo("Asia/Kolkata")


def briefly(value: object) -> str:
    return f"{value!r:.60}"


REPLACED = "\N{REPLACEMENT CHARACTER}"


def data_in(body: bytes) -> dict[str, Any]:
    reading = read_report(body)
    assert isinstance(reading, Report), reading
    return reading.data


def around(raw: str) -> bytes:
    """A report whose one field holds this raw JSON."""
    return f'{{"event": "call_ended", "data": {{"field": {raw}}}}}'.encode()


def test_the_documented_sample_is_read_field_by_field() -> None:
    read = CallReport.model_validate(data_in(json.dumps({"event": "call_ended", "data": DOCUMENTED}).encode()))
    assert read.model_dump() == {
        "call_sid": "2303fa770b666a64ab1694c1e",
        "type": "outbound",
        "agent": "6803fa770b666a64ab1694c1e",
        "version": "1203fa770b666a64ab1694c1e",
        "from_number": "919876543210",
        "to_number": "918765432109",
        "recording_url": "https://example.com/recording.mp3",
        "duration_seconds": 120,
        "time": "2025-12-19 16:01:07",
        "transcription": "Full call transcript...",
        "campaign": "0303fa770b666a64ab1694c1e",
        "reason": "CLIENT_INITIATED",
        "metadata": {"name": "Jatin", "age": 25},
        "try_count": 0,
        "post_call": {"lead_status": "interested"},
        "post_call_detail": {"lead_status": {"value": "interested", "comment": "Customer showed interest"}},
        "functions_called": [{"name": "update_crm", "success": True, "timestamp": "2025-12-19T15:25:00.000Z"}],
        "disposition": "Customer requested callback",
        "converted": True,
        "next_call_scheduled": False,
        "call_link": "https://callkaro.ai/dashboard/call-history?call_id=abc123",
    }


def test_the_documented_fields_are_the_vendors_in_the_vendors_order() -> None:
    assert list(DOCUMENTED) == list(DOCUMENTED_FIELDS)


def test_fields_nobody_documented_are_kept_as_they_came() -> None:
    assert data_in(report(new_field={"a": [1, None]}))["new_field"] == {"a": [1, None]}


def test_a_field_named_like_one_of_our_own_words_is_not_taken_for_it() -> None:
    read = CallReport.model_validate(
        {"type": "x", "campaign": "x", "reason": "x", "metadata": {"a": 1}, "call_sid": "x"}
    )
    assert (read.type, read.campaign, read.reason, read.metadata, read.call_sid) == ("", "", "", {}, "")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "The body is empty."),
        (b" \n", "The body is not JSON: Expecting value at line 2, column 1."),
        (b'{"event": 1 ', "The body is not JSON: Expecting ',' delimiter at line 1, column 13."),
        (b"{} {}", "The body is not JSON: Extra data at line 1, column 4."),
        (b"null", "The body must be a JSON object, not null."),
        (b"[]", "The body must be a JSON object, not a list."),
        (b'"text"', "The body must be a JSON object, not text."),
        (b"1", "The body must be a JSON object, not a number."),
        (b"true", "The body must be a JSON object, not a boolean."),
        (b"{}", "The body has neither an `event` nor a `data` object."),
        (b'{"event": "call_ended"}', "`data` must be an object, not null."),
        (b'{"event": "call_ended", "data": []}', "`data` must be an object, not a list."),
        (b'{"event": "call_ended", "data": "{}"}', "`data` must be an object, not text."),
        (b'{"a": "\xff"}', "The body is not UTF-8 text: byte 7 cannot be decoded."),
        ("{}".encode("utf-16"), "The body is not UTF-8 text: byte 0 cannot be decoded."),
        (b"\xed\xa0\x80", "The body is not UTF-8 text: byte 0 cannot be decoded."),
        (b"[" * 100_000, f"The body nests deeper than {DEEPEST} levels."),
        (b'{"a":' * 100_000, f"The body nests deeper than {DEEPEST} levels."),
    ],
    ids=briefly,
)  # fmt: skip
def test_what_is_no_report_is_refused_with_what_is_wrong_and_where(body: bytes, problem: str) -> None:
    assert read_report(body) == Unreadable(problem)


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b'{"event": "whatsapp_message", "data": {}}', "whatsapp_message"),
        (b'{"event": "CALL_ENDED", "data": {}}', "CALL_ENDED"),
        (b'{"event": ["call_ended"], "data": {}}', '["call_ended"]'),
        (b'{"event": 7}', "7"),
        (b'{"data": {"callSid": "a"}}', ""),
        (b'{"event": "\\ud800\\u0000"}', REPLACED * 2),
    ],
    ids=briefly,
)
def test_another_event_is_ignored_by_name(body: bytes, event: str) -> None:
    assert read_report(body) == Ignored(event)


def test_nesting_is_taken_up_to_its_limit_and_refused_beyond() -> None:
    # The body and its data are two levels themselves.
    deepest = DEEPEST - 2
    assert isinstance(read_report(around("[" * deepest + "]" * deepest)), Report)
    assert isinstance(read_report(around("[" * (deepest + 1) + "]" * (deepest + 1))), Unreadable)
    assert isinstance(read_report(around('{"a":' * (deepest + 1) + "1" + "}" * (deepest + 1))), Unreadable)
    assert isinstance(read_report(around("[" + "[]," * 5000 + "[]]")), Report)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("7" * 5000, "7" * 5000),
        ("9223372036854775808", "9223372036854775808"),
        ("999999999999999999", 999999999999999999),
        ("-0.5", -0.5),
        ('"\\u0000a\\ud800"', f"{REPLACED}a{REPLACED}"),
        ('"\\ud83d\\ude00"', "😀"),
        ('{"\\u0000": 1}', {REPLACED: 1}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('"a\tb\nc"', "a\tb\nc"),
        ('["\\udc00", [["\\u0000"]], 1]', [REPLACED, [[REPLACED]], 1]),
    ],
    ids=briefly,
)
def test_what_no_database_stores_is_kept_as_text_that_it_does(raw: str, value: object) -> None:
    assert data_in(around(raw))["field"] == value


def test_a_raw_nul_and_a_byte_order_mark_do_no_harm() -> None:
    assert data_in(b"\xef\xbb\xbf" + around('"a\x00b"'))["field"] == f"a{REPLACED}b"


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_at_all_get_an_answer(body: bytes) -> None:
    assert isinstance(read_report(body), Report | Ignored | Unreadable)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17) + 1, 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(DOCUMENTED_FIELDS) | st.text(max_size=8), json_values, max_size=8))
@settings(max_examples=80)
def test_whatever_the_fields_hold_the_report_is_read_and_nothing_changes_on_the_way_to_the_table(data: Any) -> None:
    read = data_in(json.dumps({"event": "call_ended", "data": data}).encode())
    assert read == storable(data)
    assert from_json(to_json(read)) == read
    known = CallReport.model_validate(read)
    known.model_dump_json().encode()
    assert known.started_at(KOLKATA) is None or known.time


def outcome(read: Callable[[], object]) -> str:
    try:
        return repr(read())
    except json.JSONDecodeError as problem:
        return str(problem)
    except RecursionError:
        return "too deep"


@given(
    st.integers(0, 10**6).map(lambda number: hostile_body(5, number))
    | st.text(alphabet='[]{}",: \n\\u0d8e1NaN-.truefalsenull', max_size=40).map(str.encode)
)
def test_what_is_read_in_pieces_is_read_as_in_one(body: bytes) -> None:
    text = body.decode("utf-8", "replace")
    in_one = outcome(lambda: read_json(text))
    with pytest.MonkeyPatch.context() as here:
        here.setattr("dashboard.callkaro.report._MANY", 0)
        assert outcome(lambda: read_json(text)) == in_one


@pytest.mark.parametrize(("raw", "value"), [("[]", []), ("{}", {}), ("0", 0), ("NaN", "NaN")])
def test_others_have_their_turns_while_half_a_million_of_something_are_read(raw: str, value: object) -> None:
    text, turns, is_read = f"[{','.join([raw] * 500_000)}]", 0, threading.Event()

    def take_turns() -> None:
        nonlocal turns
        while not is_read.is_set():
            turns += 1
            time.sleep(0)

    other = threading.Thread(target=take_turns)
    other.start()
    # Whoever listens to the collector, as Hypothesis does, runs Python in the midst of reading: that gave turns too.
    gc.disable()
    try:
        before = turns
        values = read_json(text)
        during = turns - before
    finally:
        gc.enable()
        is_read.set()
        other.join()
    assert values == [value] * 500_000
    assert during > 5


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=30))
def test_storable_text_can_be_stored_and_is_otherwise_the_same(text: str) -> None:
    clean = str(storable(text))
    assert len(clean) == len(text)
    assert "\0" not in clean
    assert clean.encode().decode() == clean


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        ([], ""),
        ({}, ""),
        (" a ", "a"),
        (0, "0"),
        (False, "false"),
        (1.5, "1.5"),
        (["नमस्ते"], '["नमस्ते"]'),
        ({"a": None}, '{"a": null}'),
    ],
    ids=briefly,
)
def test_any_value_has_a_text(value: object, text: str) -> None:
    assert as_text(value) == text


def test_a_long_key_gives_way_to_its_hash_and_stays_itself() -> None:
    assert as_key("x" * LONGEST_KEY) == "x" * LONGEST_KEY
    long, other = as_key("x" * 10_000), as_key("x" * 10_001)
    assert len(long) <= LONGEST_KEY
    assert long != other
    assert as_key("x" * 10_000) == long
    assert as_key(f"{'x' * 100}{'y' * 101}").startswith(f"{'x' * 100}…"), "enough to be known again by eye"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (120, 120.0),
        ("120", 120.0),
        (" +1.5 ", 1.5),
        ("१२०", 120.0),
        (True, None),
        ("", None),
        ("1e3", None),
        ("NaN", None),
        ("1_000", None),
        ("²", None),
        (float("inf"), None),
        (float("nan"), None),
        (10**18, None),
        ([1], None),
        (None, None),
    ],
    ids=briefly,
)
def test_numbers_are_read_leniently_but_never_guessed(value: object, number: float | None) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(120, 120), ("120.4", 120), (0.5, 1), (0, 0), (-1, None), (604_800, 604_800), (604_801, None), (False, None)],
    ids=briefly,
)
def test_a_duration_is_whole_seconds_within_a_week(value: object, seconds: int | None) -> None:
    assert as_seconds(value) == seconds


@pytest.mark.parametrize(
    ("value", "try_count"),
    [
        (0, 0),
        ("1", 1),
        (-1, -1),
        (2.0, 2),
        (-2, None),
        (1.5, None),
        (1_000_000, 1_000_000),
        (1_000_001, None),
        (10**9, None),
        (True, None),
        (None, None),
        ("x", None),
    ],
    ids=briefly,
)
def test_a_try_is_a_whole_number_from_minus_one(value: object, try_count: int | None) -> None:
    assert as_try(value) == try_count


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True),
        ("TRUE", True),
        ("yes", True),
        (1, True),
        (False, False),
        ("false", False),
        (" False ", False),
        ("no", False),
        (0, False),
        ("maybe", None),
        (2, None),
        (None, None),
        ([], None),
    ],
    ids=briefly,
)
def test_a_flag_is_read_in_every_common_spelling(value: object, flag: bool | None) -> None:
    assert as_flag(value) is flag


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-12-19 16:01:07", datetime(2025, 12, 19, 10, 31, 7, tzinfo=UTC)),
        ("2025/12/19 16:01:07", datetime(2025, 12, 19, 10, 31, 7, tzinfo=UTC)),
        ("2025-12-19T16:01:07Z", datetime(2025, 12, 19, 16, 1, 7, tzinfo=UTC)),
        ("2025-12-19T16:01:07.250+02:00", datetime(2025, 12, 19, 14, 1, 7, 250_000, tzinfo=UTC)),
        ("2025-12-19", datetime(2025, 12, 18, 18, 30, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
        ("2025-02-30 10:00:00", None),
        ("0001-01-01 00:00:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("1999-12-31T23:59:59Z", None),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2099-12-31T23:59:59Z", datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2100-01-01T00:00:00Z", None),
        ("1766140267", None),
        ("2025-12-19 16:01:07 \ud800", None),
        ("9" * 100_000, None),
    ],
    ids=briefly,
)
def test_a_time_without_a_zone_is_the_sources_and_an_implausible_one_is_none(
    text: str, moment: datetime | None
) -> None:
    assert read_time(text, KOLKATA) == moment


def test_a_call_began_when_its_report_says_by_the_clock_of_the_source() -> None:
    found = read_report(report("a", time="2025-12-19 16:01:07"))
    assert isinstance(found, Report)
    assert CallReport.model_validate(found.data).started_at(KOLKATA) == datetime(2025, 12, 19, 10, 31, 7, tzinfo=UTC)


def test_both_hours_of_a_change_of_clocks_are_some_time() -> None:
    paris = ZoneInfo("Europe/Paris")
    assert read_time("2025-10-26 02:30:00", paris) == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    assert read_time("2025-03-30 02:30:00", paris) == datetime(2025, 3, 30, 1, 30, tzinfo=UTC)


def test_a_report_without_a_field_reads_like_one_with_it_empty() -> None:
    for name in DOCUMENTED_FIELDS:
        without = CallReport.model_validate(data_of(without=(name,)))
        empties: tuple[Any, ...] = (None, "", [], {})
        for empty in empties:
            assert CallReport.model_validate(data_of() | {name: empty}) == without, (name, empty)
