"""What a spreadsheet did to a cell is recognised, and what it did not do is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.callkaro.damage import Columns, damage_in, damage_of_json, restored


def damage(name: str, cell: str, *ids: str, is_unicode: bool = True) -> str:
    columns = Columns(is_unicode)
    for each in ids:
        columns.show({name: each})
    return damage_in(name, restored(name, cell), columns)


@pytest.mark.parametrize(
    ("name", "cell", "words"),
    [
        ("to", "9.19877E+11", "scientific notation"),
        ("to", "9,19877E+11", "scientific notation"),
        ("from", "9.1987654321E+11", "scientific notation"),
        ("to", "919,876,543,210", "as a number"),
        ("to", "TRUE", "logical value"),
        ("to", "#NAME?", "error"),
        ("to", "Err:508", "error"),
        ("to", "########", "too narrow"),
        ("to", "87•••••109", "masked"),
        ("callSid", "1.203E+80", "scientific notation"),
        ("callSid", "1.23456789012E+11", "scientific notation"),
        ("callSid", "1.2E-5", "scientific notation"),
        ("callSid", "6803.0", "as a number"),
        ("callSid", "12345678901234500000", "rounded"),
        ("batchId", "01-Feb", "date or a time"),
        ("batchId", "Nov-26", "date or a time"),
        ("agent", "1,234", "as a number"),
        ("agent", "FALSE", "logical value"),
        ("disposition_reason", "#NAME?", "error"),
        ("disposition_reason", "FALSE", "logical value"),
        ("disposition_reason", "12:01:07 AM", "date or a time"),
        ("disposition_reason", "19-12-2025 16:01", "date or a time"),
        ("transcription", "x" * 32_767, "cut off"),
        ("transcription", "😀" * 16_383 + "x", "cut off"),
        ("post_call", '{"a": "' + "x" * 32_760, "cut off"),
        ("transcription", "Agent: à¤¨à¤®à¤¸à¥\x8dà¤¤à¥‡", "wrong encoding"),
        ("transcription", "Agent: à¤¨à¤®à¤¸à¥\uf18dà¤¤à¥‡", "wrong encoding"),
        ("disposition_reason", "costs â‚¹500", "wrong encoding"),
        ("disposition_reason", "donâ€™t call", "wrong encoding"),
        ("call_duration", "1,234", "plain number"),
        ("call_duration", "00:02:00", "plain number"),
        ("call_duration", "1.2E+02", "plain number"),
        ("call_duration", "0.000752315", "part of a day"),
        ("to", "919877000000", "five zeros"),
        ("from", "9876500000", "five zeros"),
        ("to", "919877000000.0", "five zeros"),
        ("to", "1234567890000000", "rounded"),
        ("try_count", "retry", "plain number"),
        ("try_count", "0.5", "plain number"),
        ("try_count", "01-Jan", "plain number"),
        ("conversion_status", "WAHR", "neither true nor false"),
        ("next_call_scheduled", "2", "neither true nor false"),
    ],
)
def test_damage_is_named(name: str, cell: str, words: str) -> None:
    assert words in damage(name, cell)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("to", "919876543210"),
        ("to", "+91 98765-43210"),
        ("to", "sip:alice@10.20.30.40"),
        ("to", "9.19876543210E+11"),
        ("to", "919876543210.0"),
        ("to", "+919877000000"),
        ("to", "919876540000"),
        ("to", "180000000"),
        ("callSid", "2303fa770b666a64ab1694c1e"),
        ("callSid", "CA-12"),
        ("callSid", "12345678901234567"),
        ("batchId", "north-2026"),
        ("call_duration", "120"),
        ("call_duration", "67.5"),
        ("call_duration", "0.25"),
        ("call_duration", "1.125"),
        ("call_duration", "unknown"),
        ("try_count", "-1"),
        ("conversion_status", "TRUE"),
        ("conversion_status", "no"),
        ("disposition_reason", "Call at 4:30 pm"),
        ("disposition_reason", "true interest"),
        ("disposition_reason", "What?? No!"),
        ("transcription", "User: naïve café, ça va? £5"),
        ("transcription", "x" * 32_766),
        ("transcription", "• one • two"),
        ("post_call", '{"a": 1}'),
    ],
)
def test_what_may_be_right_is_no_damage(name: str, cell: str) -> None:
    assert damage(name, cell) == ""


def test_a_telephone_number_that_has_all_its_digits_is_restored_and_no_other() -> None:
    assert restored("to", "9.19876543210E+11") == "919876543210"
    assert restored("from", "919876543210.0") == "919876543210"
    for name, cell in (("to", "9.1987654321E+11"), ("callSid", "9.19876543210E+11"), ("to", "1.23456789012345678E+17")):
        assert restored(name, cell) == cell


def test_an_id_that_became_a_number_is_shorter_than_all_others() -> None:
    ids = ("2303fa770b666a64ab1694c1e", "6803fa770b666a64ab1694c1e")
    assert "number of 24 digits where all others are ids of 25" in damage("callSid", "1" * 24, *ids)
    assert damage("callSid", "1" * 25, *ids) == ""
    assert damage("callSid", "1" * 24, *ids, "abc") == ""
    assert damage("callSid", "42", "a1", "b2") == ""


def test_question_marks_are_damage_where_the_encoding_has_no_other_letters() -> None:
    assert "question marks" in damage("transcription", "Agent: ??????!", is_unicode=False)
    assert damage("transcription", "Agent: ??????!") == ""
    assert damage("transcription", "Agent: What???", is_unicode=False) == ""


@given(st.integers(10**9, 10**15 - 1), st.integers(2, 6))
def test_a_telephone_number_that_a_spreadsheet_rounded_is_damage_however_it_came(number: int, digits: int) -> None:
    shown = f"{number:.{digits - 1}E}"
    rounded = int(float(shown))
    if len(str(rounded)) - digits < 5:
        return
    for cell in (shown, str(rounded), f"{rounded}.0"):
        assert damage("to", cell)
    for value in (rounded, float(rounded), str(rounded), shown):
        assert damage_of_json("to", value)
    assert damage("to", f"+{rounded}") == damage_of_json("to", f"+{rounded}") == ""


@given(st.integers(1, 86_399))
def test_a_duration_as_a_part_of_a_day_is_damage_unless_two_decimals_hold_it(seconds: int) -> None:
    shown = f"{seconds / 86_400:.9f}".rstrip("0")
    is_short = len(shown.partition(".")[2]) <= 2
    assert bool(damage("call_duration", shown)) is not is_short
    assert bool(damage_of_json("call_duration", float(shown))) is not is_short
