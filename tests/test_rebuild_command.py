"""The `rebuild` command says how far it is, can be stopped at any step, and goes on where it was."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session

from dashboard.database import Database
from dashboard.migrations import migrate
from dashboard.safekeeping import rebuild as command
from dashboard.safekeeping.rebuild import Progress, rebuild
from dashboard.settings import Settings
from dashboard.store.rebuild import CHUNK, retell_after
from tests.reports import report
from tests.stored import column, sql, store


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_with_share_and_rate() -> None:
    terminal, moments = Terminal(), iter((0.0, 1.0, 1.1, 2.0))
    progress = Progress(terminal, lambda: next(moments))
    progress.say("Calls", 1_000, 0.25)
    progress.say("Calls", 1_100, 0.26)  # too soon after the last
    progress.say("Calls", 4_000, 1.0)
    progress.end()
    first, second, *rest = terminal.getvalue().split("\r")[1:]
    assert first == "Calls: 25 %, 1,000 done, 1,000 a second"
    assert second.rstrip() == "Calls: 100 %, 4,000 done, 2,000 a second"
    assert "".join(rest).strip() == ""


def test_where_there_is_no_terminal_there_is_no_progress() -> None:
    out = StringIO()
    progress = Progress(out)
    progress.say("Calls", 1, 1.0)
    progress.end()
    assert out.getvalue() == ""


def test_a_rebuild_that_is_stopped_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    database = Database(url)
    migrate(database)
    for start in range(0, 2 * CHUNK, 100):
        store(database, *(report(f"call {number}") for number in range(start, start + 100)))
    sql(database, "UPDATE \"call\" SET agent = ''")
    steps = 0

    def stops_at_the_second(session: Session, last_id: int, source_timezone: ZoneInfo, region: str) -> Any:
        nonlocal steps
        steps += 1
        if steps == 2:
            raise KeyboardInterrupt
        return retell_after(session, last_id, source_timezone, region)

    with monkeypatch.context() as patched:
        patched.setattr(command, "retell_after", stops_at_the_second)
        assert rebuild(Namespace(after=None), partial(Database, url), Settings()) == 130
    assert f"rebuild --after {CHUNK}\n" in capsys.readouterr().err
    assert [agent == "" for agent in column(database, "call", "agent")] == [False] * CHUNK + [True] * CHUNK
    assert rebuild(Namespace(after=CHUNK), partial(Database, url), Settings()) == 0
    assert f"{CHUNK} rows were not as their reports tell" in capsys.readouterr().out
    assert "" not in column(database, "call", "agent")
    database.close()
