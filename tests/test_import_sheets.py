"""`import` of a file that a spreadsheet saved again: damage is left out and named, and no good value is overwritten."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.__main__ import main
from dashboard.callkaro.report import DOCUMENTED_FIELDS
from dashboard.database import Database
from dashboard.import_command import MOST_NAMED
from dashboard.migrations import migrate
from tests.exported import taken_from
from tests.reports import data_of, report
from tests.stored import calls, column, data, rows, store

DATA = Path(__file__).parent / "data"
SPREADSHEET_NUMBER = "9.19877E+11"


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path))
    monkeypatch.delenv("DASHBOARD_DATABASE_URL", raising=False)
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(database)
    yield database
    database.close()


Take = Callable[..., tuple[int, str]]


@pytest.fixture
def take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Take:
    """Imports a file with this content; gives the exit code and what was printed."""

    def imported(content: bytes | str, *options: str) -> tuple[int, str]:
        file = tmp_path / "calls"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        code = main(["import", str(file), *options])
        return code, capsys.readouterr().out

    return imported


def csv_of(*records: dict[str, Any], names: tuple[str, ...] = DOCUMENTED_FIELDS) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore")
    writer.writeheader()
    for record in records:
        cells = {name: value if isinstance(value, str) else json.dumps(value) for name, value in record.items()}
        writer.writerow(cells)
    return text.getvalue()


@pytest.mark.parametrize("time", ["30-11-2026 11:00", "01/10/2026, 4:01:07 pm", "45992.458", "########"])
def test_a_damaged_file_changes_none_of_twenty_known_calls(board: Database, take: Take, time: str) -> None:
    known = [data_of(f"s{number}", to=f"9198765432{number:02}", time="2026-10-01 16:01:07") for number in range(20)]
    store(board, *(report(**{"sid": each["callSid"], **without_sid(each)}) for each in known))
    before = rows(board, "call")
    code, said = take(csv_of(*(each | {"to": SPREADSHEET_NUMBER, "time": time} for each in known)))
    assert code == 1
    assert rows(board, "call") == before
    assert len(set(column(board, "call", "customer_number"))) == 20
    assert "Left out: 20 that cannot be taken in" in said
    assert said.count("to: it is a number in scientific notation, and its digits are lost") == 20
    assert "  line 2: " in said
    assert "  line 21: " in said


def without_sid(record: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("from", "from_"): value for name, value in record.items() if name != "callSid"}


def test_good_rows_of_a_damaged_file_are_taken_in(board: Database, take: Take) -> None:
    store(board, report("a"))
    code, said = take(csv_of(data_of("a", to=SPREADSHEET_NUMBER), data_of("b"), data_of("c", agent="#NAME?")))
    assert code == 1
    assert "Taken in: 1 new\n" in said
    assert calls(board, "call_sid", "to_number") == [("a", "918765432109"), ("b", "918765432109")]
    assert "  line 2: to: it is a number in scientific notation, and its digits are lost.\n" in said
    assert "  line 4: agent: it is a spreadsheet's error in place of the value.\n" in said


def test_so_many_rows_are_named_and_the_others_counted(board: Database, take: Take) -> None:
    damaged = (data_of(f"s{number}", to=SPREADSHEET_NUMBER) for number in range(MOST_NAMED + 30))
    code, said = take(csv_of(*damaged))
    assert code == 1
    assert said.count("\n  line ") == MOST_NAMED
    assert "  … and 30 more.\n" in said
    assert rows(board, "call") == []


def test_what_was_left_out_is_named_without_the_number_in_it(board: Database, take: Take) -> None:
    code, said = take(csv_of(data_of("a", to="919,876,543,210", from_="#NAME?")))
    assert code == 1
    assert "919,876" not in said
    assert "from: " in said
    assert "; to: " in said


def test_an_unambiguous_time_of_a_spreadsheet_is_read_and_keeps_the_boards_seconds(board: Database, take: Take) -> None:
    store(board, report("a", time="2026-11-30 11:00:23"), report("b", time="2026-11-30 11:00:23"))
    before = rows(board, "call")
    code, said = take(csv_of(data_of("a", time="30-11-2026 11:00"), data_of("b", time="30 Nov 2026 11:00:23")))
    assert (code, said.splitlines()[0]) == (0, "Taken in: 2 unchanged")
    assert "Times without seconds: 1." in said
    assert rows(board, "call") == before
    assert take(csv_of(data_of("a", time="30-11-2026 12:15")))[0] == 0
    assert data(board)[0]["time"] == "2026-11-30 12:15:00"


def test_a_new_call_with_a_time_of_a_spreadsheet_is_placed_there(board: Database, take: Take) -> None:
    assert take(csv_of(data_of("a", time="30-11-2026 11:00"), data_of("b", time="2026-11-30 11:00:00")))[0] == 0
    first, second = column(board, "call", "at")
    assert first == second


def test_day_and_month_are_decided_by_the_file_or_the_operator_and_never_guessed(board: Database, take: Take) -> None:
    ambiguous, certain = data_of("a", time="01/10/2026, 4:01:07 pm"), data_of("b", time="30/10/2026, 4:01:07 pm")
    code, said = take(csv_of(ambiguous))
    assert code == 1
    assert "--dates day-first or --dates month-first" in said
    assert rows(board, "call") == []
    assert take(csv_of(ambiguous, certain))[0] == 0
    assert [each["time"] for each in data(board)] == ["2026-10-01 16:01:07", "2026-10-30 16:01:07"]
    assert take(csv_of(ambiguous | {"callSid": "c"}), "--dates", "month-first")[0] == 0
    assert data(board)[2]["time"] == "2026-01-10 16:01:07"


def test_a_time_that_cannot_be_read_never_becomes_now(board: Database, take: Take) -> None:
    listed = [data_of("a", time="some day"), data_of("b", time="19-12-2025 16:01")]
    for content in (
        json.dumps(listed),
        csv_of(*listed),
        b"\n".join(report(each["callSid"], time=each["time"]) for each in listed),
    ):
        code, said = take(content)
        assert code == 1
        assert "time: the time cannot be read" in said
        (call,) = rows(board, "call", "call_sid, at, data")
        assert (call["call_sid"], json.loads(call["data"])["time"]) == ("b", "2025-12-19 16:01:00")
        assert call["at"] == 1_766_140_260_000_000


def test_a_report_with_an_odd_time_that_the_board_has_is_a_duplicate(board: Database, take: Take) -> None:
    store(board, report("a", time="some day"))
    assert take(report("a", time="some day")) == (0, "Taken in: 1 duplicate\n")


def test_a_new_call_without_a_time_is_counted(board: Database, take: Take) -> None:
    code, said = take('[{"callSid": "a"}]')
    assert code == 0
    assert "New calls without a time: 1. They count as of now." in said


def test_lost_zeros_and_signs_of_a_known_number_are_named(board: Database, take: Take) -> None:
    store(board, report("a", to="+918765432109"), report("b", from_="0042"), report("c", batchId="007"))
    before = rows(board, "call")
    code, said = take(csv_of(data_of("a"), data_of("b", from_="42"), data_of("c", batchId="7")))
    assert code == 1
    assert said.count("written as a spreadsheet writes a number") == 3
    assert rows(board, "call") == before


@pytest.mark.parametrize(("known", "cell"), [("1,234", "1234"), ("50%", "50.00%"), ("₹500", "500"), ("0.50", "0.5")])
def test_a_known_text_that_a_spreadsheet_wrote_as_a_number_is_named(
    board: Database, take: Take, known: str, cell: str
) -> None:
    store(board, report("a", disposition_reason=known, to=known))
    code, said = take(csv_of(data_of("a", disposition_reason=cell, to=known)))
    assert code == 1
    assert "disposition_reason: it has the digits that the board has" in said
    assert data(board)[0]["disposition_reason"] == known


def test_a_number_that_a_person_corrected_is_taken(board: Database, take: Take) -> None:
    store(board, report("a", to="918765432109"))
    assert take(csv_of(data_of("a", to="918765432110")))[0] == 0
    assert calls(board, "to_number") == [("918765432110",)]


def test_an_id_that_lost_its_zeros_makes_no_new_call(board: Database, take: Take) -> None:
    store(board, report("0042"), report("7"))
    code, said = take(csv_of(data_of("42"), data_of("7", disposition_reason="Called back"), data_of("0042")))
    assert code == 1
    assert "line 2: callSid: the board has a call whose callSid has zeros" in said
    assert calls(board, "call_sid", "disposition") == [("0042", "Customer requested callback"), ("7", "Called back")]


def test_a_cell_that_was_cut_or_is_no_json_any_more_is_named(board: Database, take: Take) -> None:
    long = "Agent: " + "x" * 40_000
    store(board, report("a", transcription=long), report("b", transcription="-" + long))
    before = rows(board, "call")
    code, said = take(
        csv_of(
            data_of("a", transcription=long[:32_767]),
            data_of("b", transcription=("'-" + long)[:32_767]),
            data_of("c", post_call='{"lead_status": "inter'),
        )
    )
    assert code == 1
    assert said.count("the rest was cut off") == 2
    assert "line 4: post_call: it begins like JSON" in said
    assert rows(board, "call") == before


def test_text_with_an_apostrophe_is_taken_as_it_is(board: Database, take: Take) -> None:
    assert take(csv_of(data_of("'0042", disposition_reason="'TRUE", to="'919876543210", agent="'9E+11")))[0] == 0
    (said,) = data(board)
    assert [said[name] for name in ("callSid", "disposition_reason", "to", "agent")] == [
        "0042",
        "TRUE",
        "919876543210",
        "9E+11",
    ]


def test_an_apostrophe_that_is_part_of_the_text_stays(board: Database, take: Take) -> None:
    assert take(csv_of(data_of("a", disposition_reason="'quoted' word")))[0] == 0
    assert data(board)[0]["disposition_reason"] == "'quoted' word"


def test_a_pipe_is_read_like_a_file(board: Database, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_text, args=(csv_of(data_of("a"), data_of("b")),))
    writing.start()
    assert main(["import", str(pipe)]) == 0
    writing.join()
    assert column(board, "call", "call_sid") == ["a", "b"]


# Files that LibreOffice 7.4 wrote: it opened /calls.csv, or the same calls as text alone, and saved them as CSV.


def recorded(name: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(place, taken.problems) for place, taken in taken_from((DATA / f"libreoffice-{name}.csv").read_bytes())]


def test_our_export_that_libreoffice_saved_again_has_every_text_as_it_was() -> None:
    taken = [taken.data for _, taken in taken_from((DATA / "libreoffice-our-export.csv").read_bytes())]
    assert [each and each["callSid"] for each in taken] == ["2303fa770b666a64ab1694c1e", "1203e77", "0042", "'quoted'"]
    first, second, third, fourth = (each or {} for each in taken)
    assert first == {name: value for name, value in data_of().items() if value != ""}
    assert (second["from"], second["to"], second["batchId"]) == ("0042", "+918765432109", "12345678901234567890")
    assert second["transcription"] == 'Agent: नमस्ते!\nUser: हाँ, "ठीक" है\n=1+1'
    assert (second["time"], second["disposition_reason"]) == ("2026-10-01 16:01:07", "=1+1")
    assert second["call_metadata"] == {"name": "जतिन शर्मा", "city": "पुणे"}
    assert (third["call_duration"], third["try_count"], third["disposition_reason"]) == (67.5, -1, "00:01:07")
    assert (third["conversion_status"], third["post_call"]) == (False, {"price": "1,234", "when": "19/12/2025"})
    assert (fourth["agent"], fourth["versionId"], fourth["to"]) == ("1E+3", "19-Dec-25", "९८७६५४३२१०")
    assert fourth["disposition_reason"] == "true"


def test_what_libreoffice_damaged_in_another_export_is_named() -> None:
    assert recorded("other-export") == [
        ("line 2", ()),
        (
            "line 3",
            (
                "callSid: it is a number in scientific notation, and its digits are lost",
                "batchId: it is a number in scientific notation, and its digits are lost",
            ),
        ),
        (
            "line 6",
            (
                "callSid: it is a number of 2 digits where all others are ids of 25 characters",
                "disposition_reason: a spreadsheet wrote it as a date or a time",
            ),
        ),
        (
            "line 7",
            (
                "agent: it is a number in scientific notation, and its digits are lost",
                "versionId: a spreadsheet wrote it as a date or a time",
                "disposition_reason: a spreadsheet wrote a logical value in place of the text",
            ),
        ),
    ]


@pytest.mark.parametrize(("name", "words"), [("wrong-encoding", "garbled"), ("windows-1252", "question marks")])
def test_letters_that_libreoffice_lost_by_a_wrong_encoding_are_named(name: str, words: str) -> None:
    problems = dict(recorded(name))
    assert problems["line 2"] == ()
    assert [words in problem for problem in problems["line 3"]] == [True, True]
