"""Every call gets its person: after an upgrade that is killed, after another region is set, and beside webhooks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dashboard import feed
from dashboard.__main__ import main
from dashboard.app import create_app
from dashboard.database import Database
from dashboard.person_column import fill_former_numbers, fill_person_column
from dashboard.phone_numbers import KEY_RULES
from dashboard.settings import Settings
from dashboard.store import person_column
from dashboard.store.person_column import fill, next_step
from dashboard.web.parts import Callboard
from tests.phone_spellings import PEOPLE
from tests.reports import WEBHOOK, report
from tests.stored import calls, column, sql, store
from tests.test_person import leads, query

MakeApp = Callable[..., Awaitable[Callboard]]

# Fills the column again and again, three calls a step, and dies at ever later statements, until all is filled.
PROGRAM = """
import asyncio, os, signal, sys
from itertools import count
from sqlalchemy import Engine, event
from dashboard.database import Database
from dashboard.person_column import fill_person_column
from dashboard.store import person_column

def run(dies_at):
    statements = count(1)
    @event.listens_for(Engine, "after_cursor_execute")
    def die(*_):
        if next(statements) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
    person_column.CHUNK = 3
    person_column._ROWS = person_column._ROWS.limit(3)
    database = Database(sys.argv[1])
    asyncio.run(fill_person_column(database, "IN"))
    os._exit(0)

for kills, dies_at in enumerate(count(3, 5)):
    child = os.fork()
    if not child:
        run(dies_at)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        print(kills, os.waitstatus_to_exitcode(status))
        break
"""

NUMBERS = [str(spelling) for person in PEOPLE for spelling in person.spellings]


def before_the_upgrade(database: Database) -> list[str]:
    """Calls as an older version has left them; gives the persons they are with."""
    store(database, *(report(f"call {place}", to=number) for place, number in enumerate(NUMBERS)))
    keys = column(database, "call", "person")
    sql(database, "UPDATE \"call\" SET person = ''")
    return keys


def test_a_fill_that_is_killed_goes_on_and_ends_well(database: Database, database_url: str) -> None:
    keys = before_the_upgrade(database)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, database_url], capture_output=True, text=True, timeout=120, check=True
    )
    kills, code = map(int, ran.stdout.split())
    assert code == 0
    assert kills > 2
    assert column(database, "call", "person") == keys
    (row,) = query(database, "SELECT task, done FROM upkeep")
    assert row["task"] == f"person:IN:{KEY_RULES}"


async def test_a_board_counts_the_people_of_calls_from_before_the_upgrade(
    database: Database, make_app: MakeApp, database_url: str
) -> None:
    before_the_upgrade(database)
    app = await make_app(database_url=database_url)
    assert await leads(app.test_client()) == len(PEOPLE)


async def test_webhooks_are_stored_while_the_column_is_filled(
    settings: Settings, database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_upgrade(database)
    goes_on = asyncio.Event()

    async def held_up(*given: Any) -> None:
        await goes_on.wait()
        await fill_person_column(*given)

    monkeypatch.setattr(feed, "fill_person_column", held_up)
    app = create_app(replace(settings, database_url=database_url))
    async with app.test_app() as running:
        client = running.test_client()
        assert (await client.post(WEBHOOK, data=report("new", to="919000000001"))).status_code == 200
        assert (await client.get("/")).status_code == 503
        goes_on.set()
        async with asyncio.timeout(10):
            await app.feed.ready.wait()
        assert await leads(client) == len(PEOPLE) + 1


async def test_another_region_reads_all_numbers_again_and_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person_column, "CHUNK", 2)
    monkeypatch.setattr(person_column, "_ROWS", person_column._ROWS.limit(2))
    store(database, *(report(f"call {place}", to=to) for place, to in enumerate(("0501234567", "+919812345670", "1"))))
    seqs = column(database, "call", "seq")
    for region, key in (("AE", "+971501234567"), ("IN", "+91501234567"), ("AE", "+971501234567")):
        await fill_person_column(database, region)
        assert column(database, "call", "person") == [key, "+919812345670", "1"]
        assert [row["task"] for row in query(database, "SELECT task FROM upkeep")] == [f"person:{region}:{KEY_RULES}"]
    assert column(database, "call", "seq") == seqs


async def test_a_number_that_was_corrected_while_another_region_was_set_is_read_again(database: Database) -> None:
    store(database, *(report(f"call {each}", to=f"+91981234567{each}") for each in range(3)))
    sql(database, "UPDATE \"call\" SET person = ''")
    await fill_person_column(database, "IN")
    await fill_person_column(database, "AE")
    sql(database, "UPDATE \"call\" SET customer_number = '0501234567', person = '+971501234567' WHERE id = 2")
    await fill_person_column(database, "IN")
    assert column(database, "call", "person")[1] == "+91501234567"


@pytest.mark.parametrize("command", ["import", "rebuild"])
async def test_calls_that_a_command_wrote_by_another_region_are_read_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    store(database, report("a", to="0501234567"))
    await fill_person_column(database, "AE")
    assert column(database, "call", "person") == ["+971501234567"]
    file = tmp_path / "calls.csv"
    file.write_text("callSid,to\na,0501234568\n")
    monkeypatch.setenv("DASHBOARD_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path))
    monkeypatch.setenv("DASHBOARD_PHONE_REGION", "IN")
    assert await asyncio.to_thread(main, ["import", str(file)] if command == "import" else [command]) == 0
    (key,) = column(database, "call", "person")
    assert key == ("+91501234568" if command == "import" else "+91501234567")
    await fill_person_column(database, "AE")
    assert column(database, "call", "person") == [key.replace("+91", "+971")]


async def test_a_number_that_a_report_changed_meanwhile_is_left_alone(database: Database) -> None:
    store(database, report("a", to="919812345670"))
    sql(database, "UPDATE \"call\" SET person = ''")
    step = database.read_now(partial(next_step, region="IN", after=0))
    assert step
    store(database, report("a", to="919812345671"))
    database.write_now(partial(fill, step=step, region="IN"))
    assert calls(database, "person") == [("+919812345671",)]


async def test_a_start_that_finds_everything_filled_writes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(database, report("a"))
    monkeypatch.setattr(database, "write", None)
    await fill_person_column(database, "IN")


async def test_calls_of_an_older_version_get_the_numbers_that_later_reports_corrected(database: Database) -> None:
    store(database, *(report(f"call {each}", to=f"9198123456{each}", comment="first") for each in range(10, 60)))
    store(database, *(report(f"call {each}", to=f"9198765432{each}") for each in range(10, 60)))
    store(database, *(report(f"call {each}", comment="second") for each in range(10, 60)))
    expected = column(database, "call", "former_numbers")
    assert expected[0] == '["919812345610"]'
    sql(database, "UPDATE \"call\" SET former_numbers = ''")
    seqs = column(database, "call", "seq")
    await fill_former_numbers(database)
    assert column(database, "call", "former_numbers") == expected
    assert column(database, "call", "seq") == seqs


async def test_former_numbers_are_filled_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    store(database, report("a", to="919812345670"))
    store(database, report("a", to="919812345671"))
    await fill_former_numbers(database)
    monkeypatch.setattr(database, "write", None)
    await fill_former_numbers(database)
