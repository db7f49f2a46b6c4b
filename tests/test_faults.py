"""The instruments of `make faults`: what they would call lost, late, unsynced or a fault of ours."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import shutil
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.faults.__main__ import NAMES
from bench.faults.cuts import version_of
from bench.faults.ledger import Ledger, Stored, compare, find
from bench.faults.mutants import ROOT, TESTS, mutants
from bench.faults.payloads import payloads
from bench.faults.slow import SMUGGLED, smuggling
from bench.faults.syscalls import Strikes
from bench.faults.table import Run, as_markdown
from bench.faults.ticking import TickingLoop, longest_stall
from bench.faults.tracing import unsynced_answers, was_injected
from dashboard.database import Database
from dashboard.retention import MICROS_A_DAY
from dashboard.store.bodies import PACKED, keep_packed, next_plain, pack_all
from tests.reports import report
from tests.running import RunningBoard
from tests.stored import NOON, rows, store

CANARY = "http://127.0.0.1:9"


def ledger_of(*answers: tuple[str, int]) -> Ledger:
    ledger = Ledger()
    for number, (sid, status) in enumerate(answers):
        ledger.note(sid, sid.encode(), status, seconds=1.0 + number, at=float(number))
    return ledger


def stored(sid: str, verdict: str = "new", body: bytes | None = None) -> Stored:
    return Stored(sid, hashlib.sha256(body or sid.encode()).hexdigest(), verdict)


def test_what_was_acknowledged_and_lies_there_is_neither_lost_nor_doubled() -> None:
    found = compare(ledger_of(("a", 200), ("b", 503)), [stored("a"), stored("b")], ["a", "b"])
    assert (found.acknowledged, found.lost, found.doubled, found.is_right) == (1, 0, 0, True)


def test_a_report_that_the_board_has_packed_meanwhile_is_not_lost(tmp_path: Path, migrated_file: Path) -> None:
    shutil.copyfile(migrated_file, tmp_path / "callboard.db")
    body = report("a", transcription="Agent: Namaste. " * 40)
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    store(database, body)
    plain = database.read_now(partial(next_plain, before=NOON + MICROS_A_DAY))
    assert plain is not None
    database.write_now(partial(keep_packed, ready=pack_all(*plain)))
    assert [row["packing"] for row in rows(database, "inbox", "packing")] == [PACKED]
    database.close()
    board: Any = SimpleNamespace(environment={}, database_file=tmp_path / "callboard.db")
    for posted, lost in ((body, 0), (body + b" ", 1)):
        ledger = Ledger()
        ledger.note("a", posted, 200, 0.1, 1.0)
        assert find(board, ledger).lost == lost


def test_a_load_of_which_nothing_was_acknowledged_has_proved_nothing() -> None:
    assert not compare(ledger_of(), [], []).is_right
    assert not compare(ledger_of(("a", 0), ("b", 503)), [], []).is_right


def test_a_loop_that_stands_still_is_seen_from_inside(tmp_path: Path) -> None:
    loop = TickingLoop(tmp_path / "ticks")

    def stand_still() -> None:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            pass

    try:
        loop.call_later(0.05, stand_still)
        loop.run_until_complete(asyncio.sleep(0.4))
        after = time.monotonic()
    finally:
        loop.close()
    assert 0.15 < longest_stall(tmp_path / "ticks", after - 10) < 1.0
    assert longest_stall(tmp_path / "ticks", after) == 0.0


def test_a_fault_is_felt_by_reports_that_were_refused_or_kept_waiting_while_it_lasted() -> None:
    ledger = Ledger()
    for sid, status, seconds, at in (
        ("before", 503, 0.1, 9.0),
        ("at once", 200, 0.01, 10.5),
        ("waits", 200, 0.9, 11.1),
        ("refused", 503, 0.01, 10.6),
        ("unanswered", 0, 6.0, 16.5),
        ("after", 503, 0.1, 12.0),
    ):
        ledger.note(sid, sid.encode(), status, seconds, at)
    assert [sent.sid for sent in ledger.felt(10.0, 11.0)] == ["waits", "refused", "unanswered"]


def test_a_fault_that_never_struck_is_told_from_one_that_did_no_harm() -> None:
    class Blunt(Strikes):
        def _strike(self, call: str, injection: str) -> bool:
            return call == "pwrite64" and "when=3" not in injection

    strikes = Blunt(Run(Path(), say=lambda _: None), RunningBoard.__new__(RunningBoard))
    for call in ("fdatasync", "pwrite64", "openat"):
        strikes.strike_all(call, "error=EIO")
    strikes.strike_for_good("fdatasync")
    # A webhook need not open a file: only while the board starts it must.
    assert (strikes.points, strikes.missed) == (2, ["fdatasync error=EIO", "fdatasync for good"])


def test_the_modules_that_faults_are_put_into_are_there() -> None:
    for name, files in TESTS.items():
        for file in (name.replace(".", "/") + ".py", *files):
            assert (ROOT / file).exists(), file


@pytest.mark.parametrize(
    ("rows", "calls"),
    [
        ([], []),
        ([stored("a")], []),
        ([], ["a"]),
        ([stored("a", body=b"other bytes")], ["a"]),
    ],
    ids=["nothing", "no call", "no report", "other bytes"],
)
def test_an_acknowledged_report_without_its_bytes_and_its_call_is_lost(rows: list[Stored], calls: list[str]) -> None:
    assert compare(ledger_of(("a", 200)), rows, calls).lost == 1


def test_two_rows_or_two_reports_that_made_a_call_are_a_doubled_one() -> None:
    assert compare(ledger_of(("a", 200)), [stored("a")], ["a", "a"]).doubled == 1
    assert compare(ledger_of(("a", 200)), [stored("a"), stored("a")], ["a"]).doubled == 1
    assert compare(ledger_of(("a", 200)), [stored("a"), stored("a", "duplicate")], ["a"]).doubled == 0


def test_late_unanswered_and_healing_are_told_from_the_ledger() -> None:
    ledger = ledger_of(("a", 200), ("b", 0), ("c", 503), ("d", 200), ("e", 200))
    assert [sent.sid for sent in ledger.late] == ["e"]
    assert [sent.sid for sent in ledger.unanswered] == ["b"]
    assert ledger.healed_after(0.5) == 2.5
    assert ledger.healed_after(4.0) is None
    assert ledger.slowest == 5.0


def test_a_run_ends_well_only_if_every_row_was_measured_and_passed() -> None:
    run = Run(Path(), say=lambda _: None)
    assert run.exit_code == 1
    run.row("a", "1", "1", passed=True)
    assert run.exit_code == 0
    run.not_measured("b", "install strace")
    assert run.exit_code == 1
    assert "| b | not measured: install strace | - | not measured |" in as_markdown(run.rows)


def test_every_fault_that_is_named_can_be_run() -> None:
    for name in NAMES:
        assert callable(import_module(f"bench.faults.{name}").measure), name


READ = '7 recvfrom(9<socket:[1]>, "POST /webhook/call-webhook?token"..., 65536, 0, NULL, NULL) = 900'
SYNC = "8 fdatasync(5</data/callboard.db-wal>) = 0"
ANSWER = '7 sendto(9<socket:[1]>, "HTTP/1.1 200 \\r\\ncontent-type"..., 250, 0, NULL, 0) = 250'


def test_an_answer_after_a_sync_of_the_log_is_in_order() -> None:
    assert unsynced_answers([READ, SYNC, ANSWER] * 3) == (3, 0)


def test_a_sync_that_another_thread_interrupted_counts_once_it_is_back() -> None:
    begun, back = "8 fdatasync(5</data/callboard.db-wal> <unfinished ...>", "8 <... fdatasync resumed>) = 0"
    assert unsynced_answers([READ, begun, back, ANSWER]) == (1, 0)
    assert unsynced_answers([READ, begun, ANSWER, back]) == (1, 1)


@pytest.mark.parametrize(
    "sync",
    [
        "8 fdatasync(5</data/callboard.db-wal>) = -1 EIO (Input/output error) (INJECTED)",
        "8 fdatasync(5</data/callboard.db>) = 0",
        "8 fsync(5</data/other>) = 0",
    ],
)
def test_an_answer_without_a_sync_of_the_log_that_worked_is_found(sync: str) -> None:
    assert unsynced_answers([SYNC, READ, sync, ANSWER]) == (1, 1)


def test_a_refusal_needs_no_sync() -> None:
    assert unsynced_answers([READ, ANSWER.replace("200", "503")]) == (0, 0)


def test_an_injected_failure_is_known_by_its_mark() -> None:
    assert was_injected(["8 fdatasync(5) = -1 EIO (Input/output error) (INJECTED)"])
    assert not was_injected([SYNC])


def test_five_hundred_payloads_differ_and_each_tries_something() -> None:
    found = payloads(500, CANARY)
    assert len(set(found)) == 500
    assert found == payloads(500, CANARY)
    assert payloads(500, "http://127.0.0.1:8") != found
    for part in ("onerror=", "<script", "javascript:", "data:text/html", "url(", "hx-get", "&lt;", "%3C"):
        assert any(part in text for text in found), part


def test_each_smuggling_request_hides_another_one() -> None:
    for name, request in smuggling().items():
        assert request.count(b"POST ") == 2, name
        assert SMUGGLED.encode() in request, name


def test_a_row_is_told_by_the_change_that_drew_it() -> None:
    assert version_of('<tr id="call-1" class="x"><bdi>version 17</bdi></tr>') == "version 17"


def test_a_mutant_differs_in_one_place_and_says_where() -> None:
    source = 'def older(a, b):\n    """Words."""\n    if a < b and a:\n        return a + 1\n    return None\n'
    found = dict(mutants(source))
    assert all(words.startswith("line ") for words in found)
    texts = {ast.unparse(tree) for tree in found.values()}
    assert len(texts) == len(found)
    assert all('"""Words."""' in text for text in texts)
    for changed in ("a <= b", "a < b or a", "a - 1", "a + 2", "not (a < b and a)"):
        assert any(changed in text for text in texts), changed
