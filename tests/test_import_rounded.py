"""What a spreadsheet or a typing error did to a file of calls is left out and named; it changes no known call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dashboard.__main__ import main
from dashboard.database import Database
from tests.reports import report
from tests.stored import column, rows, store


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
        ("callSid,time", "k1,26-11-05 10:00", "reads as 2005-11-26"),
        ("callSid,time", "k1,2099-11-05 10:00:00", "reads as 2099-11-05"),
        ("callSid,try_count,call_duration", "k1,retry,5", "not a plain number"),
    ],
)
def test_a_damaged_cell_changes_no_call_and_is_named(
    board: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], header: str, row: str, named: str
) -> None:
    before = rows(board, "call")
    assert run_import(tmp_path, f"{header}\n{row}\n") == 1
    assert named in capsys.readouterr().out
    assert rows(board, "call") == before


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
    assert "not marked as filled" in capsys.readouterr().out
