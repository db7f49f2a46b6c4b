"""A call for programs: its fields, and no number for whom none is to be seen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.callkaro.report import DOCUMENTED_FIELDS
from dashboard.store.calls import CallRow, ToldCall
from dashboard.told import CSV_COLUMNS, SUMMARY, cells_of, data_of, summary_of, whole_of
from tests.reports import data_of as report_data

NUMBER = "918765432109"


def told(data: dict[str, Any], number: str = NUMBER, **fields: Any) -> ToldCall:
    row: dict[str, Any] = {
        "id": 1,
        "seq": 2,
        "created_seq": 2,
        "at": 1_766_139_067_000_000,
        "received_at": 1_766_139_100_000_000,
        "campaign": "north",
        "agent": "a",
        "version": "v",
        "type": "outbound",
        "reason": "CLIENT_INITIATED",
        "try_count": 0,
        "duration_seconds": 120,
        "converted": True,
        "customer_name": "Jatin",
        "customer_number": number,
        "person": "",
        "disposition": "",
        "recording_state": None,
    }
    return ToldCall(CallRow(**(row | fields)), "sid", json.dumps(data))


def test_a_call_has_exactly_the_fields_that_are_described() -> None:
    summary = summary_of(told(report_data()), sees_numbers=True)
    assert list(summary) == list(SUMMARY)
    assert summary["at"] == "2025-12-19T10:11:07Z"
    assert summary["stage"] == "converted"
    kinds: dict[str, Any] = {"integer": int, "string": str, "boolean": bool}
    for name, (kind, _) in SUMMARY.items():
        value = summary[name]
        assert (value is None and kind.endswith("?")) or isinstance(value, kinds[kind.removesuffix("?")]), name


def test_who_may_see_numbers_gets_the_data_as_it_came() -> None:
    data = report_data(call_metadata={"phone": NUMBER, "n": 1.5, "deep": [None, True]})
    assert whole_of(told(data), sees_numbers=True)["data"] == data


@pytest.mark.parametrize(
    "written",
    [
        NUMBER,
        f"+{NUMBER}",
        "8765432109",
        "+91 87654 32109",
        "+91-87654-32109",
        "(91) 87654.32109",
        "0 8765432109",
        f"call me on {NUMBER}, please",
        f"https://example.com/{NUMBER}.mp3",
        int(NUMBER),
        [{"deep": [NUMBER]}],
        {NUMBER: 1},
    ],
    ids=range(12),
)
def test_the_customers_number_is_masked_however_and_wherever_it_is_written(written: Any) -> None:
    data = report_data(call_metadata={"note": written}, transcription=f"User: {written}")
    whole = json.dumps(whole_of(told(data, disposition=str(written)), sees_numbers=False))
    line = json.dumps([str(cell) for cell in cells_of(told(data), sees_numbers=False)])
    for text in (whole, line):
        digits = "".join(filter(str.isdecimal, text))
        assert "8765432109" not in digits
        assert "5432" not in text


def test_an_id_of_the_platforms_that_holds_the_number_is_masked_like_the_data() -> None:
    call = told(report_data(f"in-{NUMBER}-7"))._replace(call_sid=f"in-{NUMBER}-7")
    whole = whole_of(call, sees_numbers=False)
    assert whole["call_sid"] == whole["data"]["callSid"] == "in-9187•••••109-7"
    assert summary_of(call, sees_numbers=True)["call_sid"] == f"in-{NUMBER}-7"


def test_a_number_in_place_of_an_agent_a_reason_or_a_campaign_is_masked_too() -> None:
    call = told({}, agent=NUMBER, version=f"v{NUMBER}", type=NUMBER, reason=f"0{NUMBER}", campaign=f"of {NUMBER}")
    assert "765432" not in str(summary_of(call, sees_numbers=False))


def test_both_ends_are_masked_and_what_a_key_calls_a_number() -> None:
    data = report_data(call_metadata={"Alt Phone": "099887 76655", "whatsapp": [9988776655], "age": 25, "pin": 560001})
    masked = data_of(told(data), sees_numbers=False)
    assert (masked["from"], masked["to"]) == ("98•••••210", "87•••••109")
    assert masked["call_metadata"] == {"Alt Phone": "09••••••655", "whatsapp": ["99•••••655"], "age": 25, "pin": 560001}
    assert masked["time"] == data["time"]
    assert masked["functions_called"] == data["functions_called"]


def test_a_call_without_numbers_has_nothing_to_mask() -> None:
    data = report_data(without=("from", "to"), transcription="1234567 5901234567")
    assert data_of(told(data, number=""), sees_numbers=False) == data


@given(
    st.text(alphabet="0123456789", min_size=10, max_size=13),
    st.recursive(
        st.text(max_size=8) | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
    ),
)
def test_whatever_stands_beside_it_a_number_never_comes_through(number: str, beside: Any) -> None:
    data = {"to": number, "call_metadata": {"a": number, "b": beside, number: [f"x{number}y", f"+{number}"]}}
    found = json.dumps(data_of(told(data, number=number), sees_numbers=False)["call_metadata"]["a"])
    assert number not in found
    assert number not in json.dumps(list(data_of(told(data, number=number), sees_numbers=False)["call_metadata"])[2:])


def test_a_line_of_the_sheet_has_a_cell_for_every_column() -> None:
    cells = cells_of(told(report_data()), sees_numbers=True)
    assert len(cells) == len(CSV_COLUMNS) == 4 + len(DOCUMENTED_FIELDS)
    line = dict(zip(CSV_COLUMNS, cells, strict=True))
    assert line["call_metadata"] == '{"name": "Jatin", "age": 25}'
    assert line["conversion_status"] == "true"
    assert line["disposition_reason"] == "Customer requested callback"
