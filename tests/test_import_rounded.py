"""What a spreadsheet or a typing error did to a file of calls is left out and named; it changes no known call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboard.__main__ import main
from dashboard.database import Database
from tests.reports import report
from tests.stored import column, data, rows, store


@pytest.fixture
def board(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("DASHBOARD_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path))
    known: dict[str, Any] = {"to": "919876543210", "call_duration": 65, "time": "2025-12-19 16:01:07", "try_count": 0}
    store(database, report("k1", **known))
    return database


def run_import(tmp_path: Path, text: str, *options: str) -> int:
    file = tmp_path / "calls.csv"
    file.write_text(text)
    return main(["import", str(file), *options])


@pytest.mark.parametrize(
    ("header", "row", "named"),
    [
        ("callSid,to", "k1,919877000000", "ends in five zeros"),
        ("callSid,call_duration", "k1,0.000752315", "part of a day"),
        ("callSid,call_duration", "k1,0.001", "part of a day"),
        ("callSid,call_duration", "k1,7.52E-04", "not a plain number"),
        ("callSid,time", "k1,26-11-05 10:00", "may begin or end with its year"),
        ("callSid,time", "k1,26/11/25 10:00", "may begin or end with its year"),
        ("callSid,time", "k1,26-Nov-05 10:00", "reads as 2005-11-26"),
        ("callSid,time", "k1,2099-11-05 10:00:00", "reads as 2099-11-05"),
        ("callSid,try_count,call_duration", "k1,retry,5", "not a plain number"),
        ("callSid,try_count,call_duration", "k1,'1.5,5", "not a plain number"),
        ("callSid,try_count,call_duration", "k1,1.5,5", "not a plain number"),
        ("callSid,Try-Count,call_duration", "k1,-7,5", "not a plain number"),
        ("callSid,transcription", "k1,'+91 98•••••210: call back", "masked numbers"),
        ("callSid,transcription", "k1,'-•••••", "masked numbers"),
        ("callSid,disposition_reason", "k1,mail to ••••• today", "masked numbers"),
        ("callSid,disposition_reason", 'k1,"••••, then •••••"', "masked numbers"),
        ("callSid,to", "k1,••••", "masked numbers"),
        ("callSid,to", "k1,'••••", "masked numbers"),
        ("callSid,agent", "k1,98•• •2", "masked numbers"),
        ("callSid,call_metadata", """k1,"{""lines"": [""76•, ••"", ""•• 18""]}\"""", "masked numbers"),
    ],
)
def test_a_damaged_cell_changes_no_call_and_is_named(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], header: str, row: str, named: str
) -> None:
    before = rows(board, "call")
    assert run_import(tmp_path, f"{header}\n{row}\n") == 1
    assert named in capsys.readouterr().out
    assert rows(board, "call") == before


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"to": "919877000000"}, "ends in five zeros"),
        ({"to": 919877000000}, "ends in five zeros"),
        ({"from": 9.19877e11}, "ends in five zeros"),
        ({"to": "9.19877E+11"}, "scientific notation"),
        ({"call_duration": 0.000752315}, "part of a day"),
        ({"call_duration": "0.000752315"}, "part of a day"),
        ({"time": "26-11-05 10:00"}, "may begin or end with its year"),
        ({"time": "2099-11-05 10:00:00"}, "reads as 2099-11-05"),
        ({"try_count": "retry", "call_duration": 5}, "not a plain number"),
        ({"try_count": 1.5, "call_duration": 5}, "not a plain number"),
        ({"to": "98•••••210"}, "to: it has masked numbers"),
        ({"from": "•••"}, "from: it has masked numbers"),
        ({"transcription": "Call 98•••••210"}, "transcription: it has masked numbers"),
        ({"call_metadata": {"lines": ["•••", "x"]}}, "call_metadata: it has masked numbers"),
        ({"functions_called": [{"••••": 1}]}, "functions_called: it has masked numbers"),
    ],
)
def test_a_damaged_value_of_listed_json_changes_no_call_and_is_named(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], said: dict[str, Any], named: str
) -> None:
    before = rows(board, "call")
    listed = json.dumps({"callSid": "k1"} | said)
    for text, place in ((f"[{listed}]", "call 1"), (f"{listed}\n{listed}\n", "line 2")):
        assert run_import(tmp_path, text) == 1
        out = capsys.readouterr().out
        assert named in out
        assert f"  {place}: " in out
        assert rows(board, "call") == before


def test_two_known_calls_stay_two_people_after_their_numbers_were_rounded(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(board, report("k2", to="919876543211"))
    before = rows(board, "call")
    assert run_import(tmp_path, "callSid,to\nk1,919877000000\nk2,919877000000\n") == 1
    out = capsys.readouterr().out
    assert "Left out: 2 " in out
    assert all(f"line {line}: to: it ends in five zeros" in out for line in (2, 3))
    assert rows(board, "call") == before


def test_a_report_as_it_was_sent_brings_a_round_number_in_as_text_and_not_as_a_number(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rounded = report("k2", to=919877000000)
    assert run_import(tmp_path, b"\n".join([report("k3", to="918800000000"), rounded]).decode()) == 1
    assert "line 2: to: it ends in five zeros" in capsys.readouterr().out
    assert sorted(column(board, "call", "person")) == ["+918800000000", "+919876543210"]


def test_a_known_round_number_comes_back_unchanged(board: Database, tmp_path: Path) -> None:
    store(board, report("k2", to="918800000000", call_duration=7))
    before = rows(board, "call")
    said = {"callSid": "k2", "to": "918800000000", "call_duration": 7}
    for text in ("callSid,to,call_duration\nk2,918800000000,7\n", json.dumps([said])):
        assert run_import(tmp_path, text) == 0
        assert [{**row, "seq": 0} for row in rows(board, "call")] == [{**row, "seq": 0} for row in before]


@pytest.mark.parametrize("row", ["k2,+918800000000", "k2,'918800000000", "k2,+91 88000 00000"])
def test_a_round_number_that_is_marked_as_text_is_taken(board: Database, tmp_path: Path, row: str) -> None:
    assert run_import(tmp_path, f"callSid,to\n{row}\n") == 0
    assert "+918800000000" in column(board, "call", "person")


def test_columns_that_are_no_field_are_named(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "callSid,Mobile,When,recording.transcription,\nk5,919812345670,2025-12-19 10:00:00,Hello,\n"
    assert run_import(tmp_path, text) == 0
    assert "Columns that are no field of a report, and were not taken in: Mobile, When.\n" in capsys.readouterr().out


def test_a_round_number_with_a_plus_is_taken(board: Database, tmp_path: Path) -> None:
    assert run_import(tmp_path, "callSid,to,time\nk2,+919877000000,2025-12-19 16:01:07\n") == 0
    assert "+919877000000" in column(board, "call", "person")


def test_columns_are_found_in_whatever_capitals_and_signs(board: Database, tmp_path: Path) -> None:
    text = "CallSid,TO,Call Duration,Time,Hangup-Reason\nk5,919812345670,31,2025-12-19 10:00:00,USER_BUSY\n"
    assert run_import(tmp_path, text) == 0
    (call,) = (row for row in rows(board, "call") if row["call_sid"] == "k5")
    assert (call["person"], call["duration_seconds"]) == ("+919812345670", 31)


def test_two_columns_of_the_same_field_are_refused(board: Database, tmp_path: Path) -> None:
    assert run_import(tmp_path, "callSid,to,TO\nk5,919812345670,919812345671\n") != 0
    assert column(board, "call", "call_sid") == ["k1"]


def test_no_gap_is_filled_while_new_calls_have_no_time(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    covers = ("--covers", "2025-12-01 10:00:00", "2025-12-30 10:00:00")
    run_import(tmp_path, "callSid,to\nk5,919812345670\n", *covers)
    assert "not marked as filled, because new calls came without a time" in capsys.readouterr().out


def test_a_row_that_does_not_say_which_of_several_tries_it_is_changes_none(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(board, report("k1", to="919876543210", try_count=1, call_duration=80))
    before = rows(board, "call")
    assert run_import(tmp_path, "callSid,call_duration\nk1,99\n") == 1
    assert "line 2: try_count: the board has 2 tries of this callSid" in capsys.readouterr().out
    assert rows(board, "call") == before
    assert run_import(tmp_path, "callSid,try_count,call_duration\nk1,1,99\n") == 0
    assert [(row["try_count"], row["duration_seconds"]) for row in rows(board, "call")] == [(0, 65), (1, 99)]


@pytest.mark.parametrize(
    "text", ["• Call back\n• Send 2 offers", 'He said "yes" • "no"', '• "Later" • 5', "PIN •••• given"]
)
def test_bullets_in_a_text_are_no_masks(board: Database, tmp_path: Path, text: str) -> None:
    assert run_import(tmp_path, json.dumps([{"callSid": "k1", "disposition_reason": text}])) == 0
    assert [each["disposition_reason"] for each in data(board)] == [text]


DIFFERENT = ({"callSid": "k1", "call_duration": 5}, {"callSid": "k1", "call_duration": 9})


def in_every_form(*said: dict[str, Any]) -> list[str]:
    """These calls as CSV, as a list in JSON, and as lines of JSON."""
    rest = "".join(f"{each['callSid']},{each.get('try_count', '')},{each['call_duration']}\n" for each in said)
    lines = "".join(f"{json.dumps(each)}\n" for each in said)
    return [f"callSid,try_count,call_duration\n{rest}", json.dumps(said), lines]


@pytest.mark.parametrize("text", [*in_every_form(*DIFFERENT), "callSid,call_duration\nk1,5\nk1,9\n"])
def test_rows_of_one_callsid_that_do_not_say_their_tries_change_no_stored_call(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    before = rows(board, "call")
    assert run_import(tmp_path, text) == 1
    out = capsys.readouterr().out
    assert "Left out: 2 " in out
    assert out.count("try_count: other rows of the file have this callSid") == 2
    assert rows(board, "call") == before


@pytest.mark.parametrize("number", range(3))
def test_no_row_of_a_new_callsid_overwrites_another_of_its_file(board: Database, tmp_path: Path, number: int) -> None:
    said = ({"callSid": "k2", "call_duration": 5}, {"callSid": "k2", "call_duration": 9})
    assert run_import(tmp_path, in_every_form(*said)[number]) == 1
    assert column(board, "call", "call_sid") == ["k1"]
    with_tries = [each | {"try_count": place} for place, each in enumerate(said)]
    assert run_import(tmp_path, in_every_form(*with_tries)[number]) == 0
    stored = [(row["try_count"], row["duration_seconds"]) for row in rows(board, "call") if row["call_sid"] == "k2"]
    assert stored == [(0, 5), (1, 9)]


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("is_first", [True, False])
def test_a_row_without_a_try_is_left_out_beside_one_of_its_callsid_that_has_one(
    board: Database, tmp_path: Path, number: int, is_first: bool
) -> None:
    said: list[dict[str, Any]] = [{"callSid": "k1", "call_duration": 9}]
    said.insert(not is_first, {"callSid": "k1", "try_count": 1, "call_duration": 5})
    assert run_import(tmp_path, in_every_form(*said)[number]) == 1
    assert [(row["try_count"], row["duration_seconds"]) for row in rows(board, "call")] == [(0, 65), (1, 5)]


@pytest.mark.parametrize("number", range(3))
def test_a_row_that_is_twice_in_a_file_is_one_call(board: Database, tmp_path: Path, number: int) -> None:
    twice = [{"callSid": "k1", "call_duration": 9}] * 2 + [{"callSid": "k2", "call_duration": 8}] * 2
    assert run_import(tmp_path, in_every_form(*twice)[number]) == 0
    assert [(row["call_sid"], row["duration_seconds"]) for row in rows(board, "call")] == [("k1", 9), ("k2", 8)]
