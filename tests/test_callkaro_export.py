"""Files of calls that others wrote become reports, or are refused in a sentence; nothing is guessed."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.callkaro.export import records_of, take
from dashboard.callkaro.report import DOCUMENTED_FIELDS, CallReport, Report, read_report
from dashboard.callkaro.table_file import NotReadable
from tests.reports import data_of, report

LISTED: dict[str, Any] = {
    "callSid": "a",
    "name": "outbound",
    "from": "919876543210",
    "to": "918765432109",
    "agent": {"name": "Priya"},
    "versionId": {"versionName": "v3"},
    "call_duration": 120,
    "hangup_reason": "CLIENT_INITIATED",
    "conversion_status": False,
    "total_credits": 4.2,
    "recording": {"recordingUrl": "https://example.com/a.mp3", "transcription": "Hello", "chat_history": []},
}


def bodies(text: str | bytes) -> list[bytes | None]:
    """The reports that a file holds, for a board that knows none of its calls; None for a call that is left out."""
    data = text.encode() if isinstance(text, str) else text
    source, records = records_of(io.BufferedReader(io.BytesIO(data)))
    taken = [take(record, None, source) for record in records]
    return [None if each.problems else each.body for each in taken]


def body_of(record: dict[str, Any]) -> bytes | None:
    """The report of one call of a JSON list."""
    (body,) = bodies(json.dumps([record]))
    return body


def data_in(body: bytes | None) -> dict[str, Any]:
    assert body is not None
    reading = read_report(body)
    assert isinstance(reading, Report)
    return reading.data


def csv_of(*rows: dict[str, str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_reports_as_they_were_sent_stay_as_they_are_byte_for_byte() -> None:
    lines = [
        report("a"),
        b'{"event":"x",  "data":{}}',
        b"{",
        b'{"event": "call_ended", "data": {"callSid": "\\u0000"}}',
    ]
    assert bodies(b"\xef\xbb\xbf" + lines[0])[0] == b"\xef\xbb\xbf" + lines[0]
    assert bodies(b"\n".join([*lines, b"", b"  "])) == lines
    assert bodies(b"") == []


def test_one_report_over_many_lines_is_one_and_stays_as_it_is() -> None:
    indented = json.dumps({"event": "call_ended", "data": {"callSid": "a"}}, indent=2).encode()
    assert bodies(indented) == [indented]
    assert bodies(b"\xef\xbb\xbf" + indented + b"\n\n") == [b"\xef\xbb\xbf" + indented]
    (listed,) = bodies(json.dumps(LISTED, indent=2))
    assert data_in(listed)["to"] == LISTED["to"]


def test_a_line_that_cannot_be_read_costs_no_other_line_of_its_file() -> None:
    broken, good = b'{"event": "call_ended", "data": {', report("a")
    assert bodies(b"\n".join([broken, good, b"", good])) == [broken, good, good]


def test_a_listed_call_becomes_the_report_that_the_webhook_would_have_sent() -> None:
    expected = {
        "callSid": "a",
        "name": "outbound",
        "from": "919876543210",
        "to": "918765432109",
        "recordingUrl": "https://example.com/a.mp3",
        "call_duration": 120,
        "transcription": "Hello",
        "hangup_reason": "CLIENT_INITIATED",
        "conversion_status": False,
    }
    assert data_in(body_of(LISTED)) == expected
    for text in (json.dumps([LISTED], indent=2), json.dumps(LISTED)):
        assert [data_in(body) for body in bodies(text)] == [expected]


def test_an_event_among_the_variables_of_a_listed_call_makes_no_report_of_it() -> None:
    listed = LISTED | {"call_metadata": {"event": "wedding"}}
    (body,) = bodies(json.dumps(listed))
    assert data_in(body)["call_metadata"] == {"event": "wedding"}
    assert bodies(report("a", call_metadata={"event": "wedding"})) == [report("a", call_metadata={"event": "wedding"})]


def test_a_row_that_was_cut_off_is_left_out() -> None:
    found = bodies("callSid,from,transcription\na,91,Hello\nb,92\n")
    assert [body is None for body in found] == [False, True]
    assert bodies('callSid,transcription,to\na,"Agent: Hel') == [None]


def test_a_name_is_never_taken_for_an_id() -> None:
    assert "agent" not in data_in(body_of(LISTED))
    assert data_in(body_of(LISTED | {"agent": "6803fa77"}))["agent"] == "6803fa77"


def test_a_call_without_a_callsid_is_left_out() -> None:
    unnamed = {name: value for name, value in LISTED.items() if name != "callSid"}
    found = bodies(json.dumps([unnamed, LISTED, "x", LISTED | {"callSid": " "}]))
    assert [body is None for body in found] == [True, False, True, True]


def test_a_csv_file_says_the_same_as_the_report() -> None:
    data = data_of("a", recordingUrl="https://example.com/a.mp3")
    cells = {name: value if isinstance(value, str) else json.dumps(value) for name, value in data.items()}
    (body,) = bodies("\ufeff" + csv_of(cells | {"Cost": "4.2"}))
    assert data_in(body) == data


def test_empty_cells_say_nothing() -> None:
    (body,) = bodies(
        csv_of({"callSid": "a", "to": "", "call_duration": "", "post_call": "not json", "try_count": "-1"})
    )
    assert data_in(body) == {"callSid": "a", "try_count": -1}


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("From,To,Time\n1,2,3\n", "a column callSid"),
        (b"\x50\x4b\x03\x04\xff\xfe", "cannot be read as CSV"),
        ('[{"callSid": "a"', "cannot be read as one"),
        ("[" * 100_000, "cannot be read as one"),
    ],
    ids=["columns", "bytes", "half a list", "deep"],
)
def test_a_file_that_cannot_be_read_is_refused_in_a_sentence(file: str | bytes, words: str) -> None:
    with pytest.raises(NotReadable, match=words):
        bodies(file)


names = st.sampled_from([*DOCUMENTED_FIELDS, "recording", "event", "total_credits", ""])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("a1 \x00ö", max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab\x00", max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(names, values, max_size=8))
def test_whatever_is_listed_becomes_a_readable_report_or_is_left_out(record: dict[str, Any]) -> None:
    record.pop("event", None)
    body = body_of(record)
    if body is not None:
        assert CallReport.model_validate(data_in(body)).call_sid
        assert body_of(record) == body
