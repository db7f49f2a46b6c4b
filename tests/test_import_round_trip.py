"""Our own exports come back as they went: nothing changes that a person did not change."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.__main__ import main
from dashboard.callkaro.report import DOCUMENTED_FIELDS, CallReport
from dashboard.database import Database
from dashboard.import_command import says_nothing_new
from dashboard.migrations import migrate
from dashboard.sheets import csv_row
from tests.exported import calls_in, csv_of, jsonl_of, taken_from, told_of
from tests.reports import report
from tests.stored import column, data, rebuild, rows, store, told

HARD = (
    *("=1+1", "+919876543210", "-5", "@SUM(1)", "'quoted'", "''", "'=1", "\t=1", "a\r\nb", "a\rb", 'say "hi", ok', ";"),
    *("919876543210", "0042", "12345678901234567890", "1203e77", "00:01:07", "true", "FALSE", "1,234", "50%", "#NAME?"),
    *("####", "₹500", "१२३", "１２３", "नमस्ते, कैसे हैं?", "19/12/2025", "Dec 19", "What???", "Ä", "naïve café"),
)
texts = (
    st.sampled_from(HARD)
    | st.text("=+-@'\"\t\r\n,;0123456789e.: नमस्ते", max_size=12)
    | st.from_regex(r"0{0,3}[0-9]{1,25}", fullmatch=True)
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab='", max_size=3), inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(st.text("ab =+", min_size=1, max_size=4), json_values, max_size=3)
as_documented = st.fixed_dictionaries(
    {"callSid": st.sampled_from(["a", "0042", "1203e77", "123456789012345678901234", "=a", "'a"])},
    optional={
        **dict.fromkeys(("name", "agent", "versionId", "batchId", "from", "to", "recordingUrl", "call_link"), texts),
        **dict.fromkeys(("transcription", "hangup_reason", "disposition_reason"), texts),
        **dict.fromkeys(("call_metadata", "post_call", "post_call_detail"), objects),
        "functions_called": st.lists(objects, max_size=2),
        "time": st.sampled_from(["2025-12-19 16:01:07", "2025-12-19 16:01:07.250", "2025-12-19T10:31:07Z"]),
        "call_duration": st.integers(0, 604_800) | st.floats(0, 1000).map(lambda seconds: round(seconds, 3)),
        "try_count": st.integers(-1, 20),
        **dict.fromkeys(("conversion_status", "next_call_scheduled"), st.booleans()),
    },
)
as_it_may_come = st.dictionaries(st.sampled_from([*DOCUMENTED_FIELDS, "unknown"]), json_values, max_size=8).map(
    lambda rest: rest | {"callSid": "a"}
)


@given(as_documented | as_it_may_come)
@example({"callSid": "a", "transcription": "x" * 32_767, "to": "•••", "disposition_reason": "à¤¨"})
@example({"callSid": "a", "call_duration": "120", "to": 918765432109, "conversion_status": 1, "time": "some day"})
def test_an_export_of_any_call_says_nothing_new_to_the_board_it_came_from(data: dict[str, Any]) -> None:
    call = told_of(data, try_count=3)
    for file in (csv_of(call), jsonl_of(call)):
        [(_, taken)] = taken_from(file, data)
        assert not taken.problems
        assert says_nothing_new(taken, data)


@given(as_documented)
@example({"callSid": "a", "call_duration": 0.347})
@example({"callSid": "a", "to": "918800000000", "from": "9876500000"})
def test_an_export_taken_in_by_an_empty_board_gives_the_same_call(data: dict[str, Any]) -> None:
    call = told_of(data)
    expected = CallReport.model_validate({"try_count": 0, "time": "2025-12-19T10:11:07Z"} | storable_of(data))
    for file in (csv_of(call), jsonl_of(call)):
        [(_, taken)] = taken_from(file)
        assert not taken.problems
        assert comparable(CallReport.model_validate(taken.data)) == comparable(expected)


def storable_of(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value not in ("", None)}


def comparable(report: CallReport) -> dict[str, Any]:
    # A file of lines has one kind of end of a line.
    return json.loads(report.model_dump_json().replace("\\r\\n", "\\n").replace("\\r", "\\n"))  # type: ignore[no-any-return]


# Whole boards


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path))
    monkeypatch.delenv("DASHBOARD_DATABASE_URL", raising=False)
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(database)
    yield database
    database.close()


def hard_calls() -> list[bytes]:
    bodies = [report(f"s{number}", disposition_reason=text, to=text) for number, text in enumerate(HARD)]
    bodies += [report(text, batchId=text, agent=text) for text in ("0042", "1203e77", "919876543210", "=1", "'x")]
    bodies += [report("tries", try_count=number) for number in (0, 1, 2)]
    bodies += [report("inbound", name="inbound", try_count=-1), report("untried", without=("try_count",))]
    bodies += [report("timeless", without=("time",)), report("odd", time="some day", call_duration="a while")]
    return [*bodies, told(callSid="bare"), report("numbers", to=918765432109, call_duration="120")]


@pytest.mark.parametrize("write", [csv_of, jsonl_of])
def test_a_whole_board_imported_into_itself_is_the_same_board(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Any
) -> None:
    store(board, *hard_calls())
    before = rows(board, "call")
    (tmp_path / "calls").write_bytes(write(*calls_in(board)))
    assert main(["import", str(tmp_path / "calls")]) == 0
    assert capsys.readouterr().out == f"Taken in: {len(before)} unchanged\n"
    assert rows(board, "call") == before
    assert rebuild(board) == 0
    assert rows(board, "call") == before


@pytest.mark.parametrize("write", [csv_of, jsonl_of])
def test_an_empty_board_gets_the_same_calls_from_an_export(
    board: Database, tmp_path: Path, write: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [body for body in hard_calls() if b"some day" not in body]
    store(board, *bodies)
    expected = essence(board)
    (tmp_path / "calls").write_bytes(write(*calls_in(board)))
    other = tmp_path / "other"
    other.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASHBOARD_DATA", str(other))
        assert main(["import", str(tmp_path / "calls")]) == 0, capsys.readouterr().out
    copy = Database(f"sqlite:///{other / 'callboard.db'}")
    found = essence(copy)
    before = rows(copy, "call")
    assert rebuild(copy) == 0
    assert rows(copy, "call") == before
    copy.close()
    assert found == expected


def essence(database: Database) -> set[tuple[Any, ...]]:
    """What every call is, but for ids, numbers, when its report came, and how its values were typed in the report."""
    names = ["call_sid", "try_count", "type", "agent", "version", "campaign", "reason", "duration_seconds", "converted"]
    names += ("from_number", "to_number", "customer_number", "customer_name", "disposition", "recording_url")
    # Moments are exported to the second.
    return {(row["at"] // 10**6, *(row[name] for name in names)) for row in rows(database, "call")}


def test_what_a_person_changed_in_a_sheet_is_taken_and_nothing_else(board: Database, tmp_path: Path) -> None:
    store(board, report("a", call_duration="120", to=918765432109), report("b"))
    table = list(csv.reader(io.StringIO(csv_of(*calls_in(board)).decode("utf-8-sig"), newline="")))
    (row,) = (row for row in table if "a" in row)
    row[table[0].index("disposition_reason")] = "Wants a call on Monday"
    (tmp_path / "calls.csv").write_bytes(b"".join(map(csv_row, [table[0]])) + _plain(table[1:]))
    before = data(board)
    assert main(["import", str(tmp_path / "calls.csv")]) == 0
    after = data(board)
    assert after == [before[0] | {"disposition_reason": "Wants a call on Monday"}, before[1]]
    assert json.loads(bytes(column(board, "inbox", "body")[-1])) == {
        "event": "call_ended",
        "data": {"callSid": "a", "try_count": 0, "disposition_reason": "Wants a call on Monday"},
    }


def _plain(table: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(table)
    return text.getvalue().encode()


def test_numbers_that_an_export_masked_never_replace_the_boards(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(board, report("a"), report("b", to="555-1234", from_="100"))
    before = rows(board, "call")
    for write in (csv_of, jsonl_of):
        (tmp_path / "calls").write_bytes(write(*calls_in(board), sees_numbers=False))
        assert main(["import", str(tmp_path / "calls")]) == 1
        assert "masked numbers" in capsys.readouterr().out
        assert rows(board, "call") == before


@pytest.mark.parametrize("write", [csv_of, jsonl_of])
def test_a_call_without_a_callsid_comes_back_unchanged_and_is_left_out_where_it_says_something_new(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Any
) -> None:
    store(board, told(to="918765432109", time="2025-12-19 16:01:07"))
    before = rows(board, "call")
    file = tmp_path / "calls"
    file.write_bytes(write(*calls_in(board)))
    assert main(["import", str(file)]) == 0
    assert capsys.readouterr().out == "Taken in: 1 unchanged\n"
    file.write_bytes(file.read_bytes().replace(b"918765432109", b"918765432110"))
    assert main(["import", str(file)]) == 1
    assert "it has no callSid." in capsys.readouterr().out
    assert rows(board, "call") == before
