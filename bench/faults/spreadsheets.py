"""Calls exported, opened and saved by a real LibreOffice, and imported: nothing changes but what a person changed."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from bench.faults.client import burst, new_board
from bench.faults.table import Run
from bench.servers import NotMeasured
from dashboard.callkaro.report import DOCUMENTED_FIELDS, CallReport, Report, read_report
from dashboard.sheets import text_of
from dashboard.simulator.story import Story
from tests.reports import report
from tests.running import NO_TLS, RunningBoard

LONGEST_SECONDS = 120
_ROOT = Path(__file__).parents[2]
_UTF_8 = "--infilter=CSV:44,34,76,1"
_COMMAS, _SEMICOLONS = "csv:Text - txt - csv (StarCalc):44,34,76,1", "csv:Text - txt - csv (StarCalc):59,34,76,1"
_NAMED = re.compile(r"^  line (\d+): (.*)$", re.MULTILINE)

# Every kind of text that a spreadsheet reads as something else, in the fields that hold text.
HARD = (
    *("919876543210", "+919876543210", "0042", "12345678901234567890", "1203e77", "1E+3", "00:01:07", "19-Dec-25"),
    *("2025-12-19 16:01:07", "01/10/2026", "true", "1,234", "50%", "₹500", "#NAME?", "=1+1", "-5", "@a", "'quoted'"),
    *("१२३४", "98765 43210", 'हाँ, "ठीक" है;\tnext\nline', "Agent: नमस्ते\nUser: =1+1"),
)
# What another program writes as it is, and a spreadsheet damages; a formula would leave no trace of itself.
PLAIN = tuple(text for text in HARD if text[0] not in "=+-@'")


class Damage(NamedTuple):
    """One cell that a spreadsheet damaged, and the words by which the import names it."""

    column: str
    change: Callable[[str], str]
    words: str


DAMAGES = (
    Damage("to", lambda _: "9.19877E+11", "scientific notation"),
    Damage("from", lambda cell: f"{text_of(cell)[:3]},{text_of(cell)[3:6]},{text_of(cell)[6:9]}", "as a number"),
    Damage("callSid", lambda _: "1.203E+80", "scientific notation"),
    Damage("agent", lambda _: "#NAME?", "error"),
    Damage("versionId", lambda _: "01-Feb", "a date"),
    Damage("batchId", lambda _: "TRUE", "logical value"),
    Damage("time", lambda _: "########", "too narrow"),
    Damage("time", lambda _: "45992.458", "serial number"),
    Damage("time", lambda _: "01/10/2026, 4:01:07 pm", "--dates"),
    Damage("call_duration", lambda _: "1,234", "plain number"),
    Damage("conversion_status", lambda _: "WAHR", "neither true nor false"),
    Damage("transcription", lambda _: "x" * 32_767, "cut off"),
    Damage("disposition_reason", lambda _: "à¤¨à¤®à¤¸à¥\x8dà¤¤à¥‡", "wrong encoding"),
    Damage("post_call", lambda _: '{"lead_status": "inter', "JSON"),
)


class Imported(NamedTuple):
    """What an import did to a copy of the board."""

    changed: int
    """calls whose row is another now, new ones included"""
    named: dict[int, str]
    """lines that were left out, and why"""
    code: int
    said: str


def measure(run: Run) -> None:
    office = office_path()
    board = new_board(run.place("spreadsheets"))
    board.start()
    try:
        story = Story(11, datetime.now(UTC)).take(run.choose(100, 1_000))
        ledger = burst(board.port, [*((_sid_of(body), body) for body in story), *hard_calls()])
        assert all(sent.status == 200 for sent in ledger.sent), "a report was not taken"
        exported = httpx.get(f"{board.url}/calls.csv", timeout=60, verify=NO_TLS, trust_env=False).content
    finally:
        board.end()
    folder = run.place("spreadsheets-files")
    (folder / "calls.csv").write_bytes(exported)
    count = exported_count(exported)
    for way, saved in _ways(office, folder):
        found = import_into_copy(board, saved)
        figure = f"{found.changed} changed, {len(found.named)} left out"
        is_right = not found.changed and not found.named and not found.code
        run.row(f"{count} calls exported, saved by LibreOffice {way}, imported", figure, "0, 0", is_right)
    _measure_damage(run, board, folder)
    _measure_plain(run, board, office, folder)


def _measure_damage(run: Run, board: RunningBoard, folder: Path) -> None:
    """A row for each kind of damage: each is named by line and column, and nothing changes."""
    head, *rows = _table((folder / "as CSV" / "calls.csv").read_bytes())
    # Calls that were answered, with a whole conversation: their cells are as the platform sends them.
    places = [at for at, row in enumerate(rows) if row[head.index("transcription")].startswith("Agent")][: len(DAMAGES)]
    for at, damage in zip(places, DAMAGES, strict=True):
        column = head.index(damage.column)
        rows[at][column] = damage.change(rows[at][column])
    damaged = folder / "damaged.csv"
    damaged.write_bytes(_written([head, *rows]))
    lines = dict(_lines_of(damaged))
    found = import_into_copy(board, damaged)
    missed = [
        f"{damage.column} ({damage.words})"
        for at, damage in zip(places, DAMAGES, strict=True)
        if damage.words not in (words := found.named.get(lines[at], "")) or f"{damage.column}: " not in words
    ]
    figure = f"{len(DAMAGES) - len(missed)} named, {found.changed} calls changed"
    figure += f", not named: {', '.join(missed)}" if missed else ""
    is_right = not missed and not found.changed and found.code == 1 and len(found.named) == len(DAMAGES)
    run.row(
        f"{len(DAMAGES)} rows damaged as spreadsheets do", figure, f"{len(DAMAGES)} named, 0 calls changed", is_right
    )


def _measure_plain(run: Run, board: RunningBoard, office: str, folder: Path) -> None:
    """The same calls without our apostrophes, as another program writes them: LibreOffice itself does the damage."""
    head, *rows = _table((folder / "calls.csv").read_bytes())
    fields = [head.index(name) for name in DOCUMENTED_FIELDS]
    plain = [[text_of(row[at]) for at in fields] for row in rows]
    sid = DOCUMENTED_FIELDS.index("callSid")
    plain = [row for row in plain if not row[sid].startswith("hard") or int(row[sid].split()[1]) < len(PLAIN)]
    (folder / "plain.csv").write_bytes(_written([list(DOCUMENTED_FIELDS), *plain]))
    saved = _convert(office, folder / "plain.csv", _COMMAS, folder / "plain")
    found = import_into_copy(board, saved)
    figure = f"{found.changed} calls changed, {len(found.named)} rows left out and named"
    what = f"{len(plain)} calls of an export without apostrophes, saved by LibreOffice"
    run.row(what, figure, "0 calls changed, some named", not found.changed and bool(found.named) and found.code == 1)


def office_path() -> str:
    """Raises NotMeasured with the sentence of what to install."""
    found = subprocess.run([_ROOT / "bin" / "find-libreoffice"], capture_output=True, text=True, check=False)
    if found.returncode:
        raise NotMeasured(found.stderr.strip().splitlines()[-1])
    return found.stdout.strip()


def hard_calls() -> Iterator[tuple[str, bytes]]:
    """Calls with every hard text as a number, a batch, an outcome, a variable; and ids of all kinds."""
    texts = (*PLAIN, *(text for text in HARD if text not in PLAIN))
    for number, text in enumerate(texts):
        fields: dict[str, Any] = {"to": text, "batchId": text, "disposition_reason": text, "transcription": text}
        yield f"hard {number}", report(f"hard {number}", call_metadata={"name": "जतिन शर्मा", "said": text}, **fields)
    for sid in ("0042", "1203e77", "919876543210", "123456789012345678901234", "2303fa770b666a64ab1694c1e", "CA-12"):
        yield sid, report(sid)
    yield "inbound", report("inbound", name="inbound", try_count=-1, call_duration=67.5)
    yield "untried", report("untried", without=("try_count", "time"))


def import_into_copy(board: RunningBoard, file: Path) -> Imported:
    """The command itself, on a copy of the data of a board that has ended."""
    folder = file.parent / f"{file.stem}-board"
    shutil.copytree(board.folder / "data", folder)
    environment = board.environment | {"DASHBOARD_DATA": str(folder)}
    command = [sys.executable, "-m", "dashboard", "import", str(file)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    before, after = (_calls_of(each / "callboard.db") for each in (board.folder / "data", folder))
    named = {int(line): words for line, words in _NAMED.findall(done.stdout)}
    return Imported(len(before ^ after), named, done.returncode, done.stdout + done.stderr)


def exported_count(exported: bytes) -> int:
    return len(_table(exported)) - 1


def _ways(office: str, folder: Path) -> Iterator[tuple[str, Path]]:
    calls = folder / "calls.csv"
    yield "as CSV", _convert(office, calls, _COMMAS, folder / "as CSV")
    yield "with semicolons", _convert(office, calls, _SEMICOLONS, folder / "semicolons")
    workbook = _convert(office, calls, "xlsx", folder / "workbook")
    yield "as xlsx and then as CSV", _convert(office, workbook, _COMMAS, folder / "from workbook")


def _convert(office: str, file: Path, to: str, folder: Path) -> Path:
    """The file as LibreOffice opens and saves it. Raises NotMeasured where it does not."""
    folder.mkdir()
    profile = (folder.parent / "profile").resolve().as_uri()
    command = [office, f"-env:UserInstallation={profile}", "--headless"]
    command += [*([_UTF_8] if file.suffix == ".csv" else []), "--convert-to", to, "--outdir", str(folder), str(file)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DASHBOARD_")}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    saved = folder / f"{file.stem}.{to.partition(':')[0]}"
    if not saved.exists():
        raise NotMeasured(f"LibreOffice saved nothing: {(done.stderr or done.stdout).strip()[-200:]}")
    return saved


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )


def _calls_of(database: Path) -> set[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as file:
        return set(file.execute("SELECT * FROM call").fetchall())


def _table(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def _written(table: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(table)
    return text.getvalue().encode("utf-8-sig")


def _lines_of(file: Path) -> Iterator[tuple[int, int]]:
    """The place of each row, and the line on which it begins."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text)
        next(rows)
        begins = rows.line_num + 1
        for at, _ in enumerate(rows):
            yield at, begins
            begins = rows.line_num + 1


def _sid_of(body: bytes) -> str:
    reading = read_report(body)
    assert isinstance(reading, Report)
    return CallReport.model_validate(reading.data).call_sid
