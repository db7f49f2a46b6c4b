"""What people see of gaps: the line under the figures, the page that lists them, and how they are filled."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from quart.typing import TestClientProtocol as Client

from dashboard.__main__ import main
from dashboard.app import create_app
from dashboard.calls import micros
from dashboard.database import Database
from dashboard.filters import CallFilter
from dashboard.gaps import STOPPED
from dashboard.migrations import migrate
from dashboard.passwords import hash_password
from dashboard.roles import VIEWER, Rights
from dashboard.settings import Settings
from dashboard.store.accounts import add_account
from dashboard.web.parts import Callboard
from dashboard.web.tries import Tries
from dashboard.web.wall import draw_wall
from tests.reports import WEBHOOK, report
from tests.running import NO_TLS, RunningBoard
from tests.stored import rows, sql

INDIA = ZoneInfo("Asia/Kolkata")
TEN = datetime(2026, 11, 25, 10, 0, tzinfo=INDIA)
CEILING = 10.0


def watched(database: Database, *stretches: tuple[datetime, datetime, str]) -> None:
    """Spans of processes that are gone."""
    for start, end, ending in stretches:
        values = f"{micros(start)}, {micros(end)}, '{ending}'"
        sql(database, f"INSERT INTO watch (started_at, last_at, ending) VALUES ({values})")


@asynccontextmanager
async def board_at(settings: Settings, now: datetime) -> AsyncIterator[Callboard]:
    """A board by whose clock it is always this moment."""
    app = create_app(settings, now=lambda: now)
    async with app.test_app():
        async with asyncio.timeout(CEILING):
            await app.feed.ready.wait()
        await app.watch.look()
        yield app


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Callboard]:
    """A board that was stopped from 9:49 to 10:00, and yesterday from 23:00 to 23:30."""
    database = Database(settings.database_url)
    migrate(database)
    late = TEN - timedelta(hours=11)
    watched(
        database,
        (TEN - timedelta(days=2), late, ""),
        (late + timedelta(minutes=30), TEN - timedelta(minutes=11), STOPPED),
    )
    database.close()
    async with board_at(settings, TEN) as made:
        yield made


async def text(client: Client, path: str, status: int = 200) -> str:
    response = await client.get(path)
    assert response.status_code == status, path
    return str(await response.get_data(as_text=True))


def missed(html: str) -> int | None:
    """Seconds that the line under the figures tells of."""
    found = re.search(r'data-missed="(\d+)"', html)
    return int(found[1]) if found else None


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("", 41 * 60),
        ("?period=today", 11 * 60),
        ("?period=7d&campaign=north", 41 * 60),
        ("?from=2026-11-24&to=2026-11-24", 30 * 60),
        ("?to=2026-11-23", None),
    ],
)
async def test_the_board_says_for_how_long_nobody_listened_on_the_days_of_its_view(
    app: Callboard, query: str, seconds: int | None
) -> None:
    assert missed(await text(app.test_client(), f"/{query}")) == seconds


async def test_the_line_leads_to_the_gaps(app: Callboard) -> None:
    assert '<a href="/gaps">11 min not watched</a>' in await text(app.test_client(), "/?period=today")


async def test_the_wall_says_it_too(app: Callboard) -> None:
    assert missed(await text(app.test_client(), "/wall?period=today")) == 11 * 60


async def test_a_board_that_has_just_been_made_has_no_gap(settings: Settings) -> None:
    async with board_at(settings, TEN) as app:
        assert missed(await text(app.test_client(), "/")) is None
        assert "No gap: the board has listened all the time." in await text(app.test_client(), "/gaps")


async def test_every_gap_stands_on_the_page_newest_first_with_why_and_the_commands_that_fill_it(app: Callboard) -> None:
    html = await text(app.test_client(), "/gaps")
    assert re.findall(r'data-gap="(\d+)"', html) == [
        str(micros(TEN - timedelta(minutes=11))),
        str(micros(TEN - timedelta(hours=11))),
    ]
    assert re.findall(r"<td>(The board was [^<]+)</td>", html) == [
        "The board was stopped.",
        "The board was gone without a word: killed, or its machine lost power.",
    ]
    assert "ck calls export --start 2026-11-25 --end 2026-11-25 --file missed-2026-11-25.csv" in html
    covers = "--covers &#34;2026-11-24 23:00:00&#34; &#34;2026-11-24 23:30:00&#34;"
    assert f"import missed-2026-11-24.csv {covers}" in html


async def test_the_days_to_fetch_are_the_platforms_and_the_times_to_fill_the_boards(settings: Settings) -> None:
    database = Database(settings.database_url)
    migrate(database)
    watched(database, (TEN.replace(hour=0), TEN.replace(hour=0, minute=30), STOPPED))
    database.close()
    async with board_at(replace(settings, timezone=ZoneInfo("UTC")), TEN) as app:
        html = await text(app.test_client(), "/gaps")
    # A call may have been made before midnight, and is reported when it has ended.
    assert "ck calls export --start 2026-11-24 --end 2026-11-25 --file missed-2026-11-24.csv" in html
    assert "--covers &#34;2026-11-24 19:00:00&#34; &#34;2026-11-25 04:30:00&#34;" in html


async def test_many_gaps_are_shown_page_by_page(settings: Settings) -> None:
    database = Database(settings.database_url)
    migrate(database)
    hours = [TEN - timedelta(hours=number) for number in range(1, 71)]
    watched(database, *((hour, hour + timedelta(minutes=50), "") for hour in hours))
    database.close()
    seen, path = [], "/gaps"
    async with board_at(settings, TEN) as app:
        while path:
            html = await text(app.test_client(), path)
            seen += re.findall(r'data-gap="(\d+)"', html)
            more = re.search(r'href="(/gaps\?before=\d+)"', html)
            path = more[1] if more else ""
        await text(app.test_client(), "/gaps?before=x", 400)
    assert [int(start) for start in seen] == [micros(hour + timedelta(minutes=50)) for hour in hours]


async def shown_by(stream: AsyncIterator[bytes], mark: bytes) -> AsyncIterator[str]:
    """What an open page is sent that bears this mark."""
    async for chunk in stream:
        if mark in chunk:
            yield chunk.decode()


async def test_a_gap_that_is_marked_as_filled_counts_no_more_on_pages_that_are_open_too(app: Callboard) -> None:
    client = app.test_client()
    start, end = micros(TEN - timedelta(minutes=11)), micros(TEN)
    today = CallFilter(period="today")
    strips = shown_by(app.streams.follow(today, app.feed.head), b'id="figures"')
    walls = shown_by(app.streams.watch(partial(draw_wall, app.feed, app.database, app.draw, today)), b"wall-figures")
    async with asyncio.timeout(CEILING):
        assert missed(await anext(walls)) == 660
        strip = asyncio.ensure_future(anext(strips))
        await client.post(WEBHOOK, data=report("a", time="2026-11-25 09:30:00"))
        assert missed(await strip) == 660
        answer = await client.post("/gaps/filled", form={"start": str(start), "end": str(end)})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/gaps")
        while missed(await anext(strips)) is not None:
            pass
        while missed(await anext(walls)) is not None:
            pass
    html = await text(client, "/gaps")
    assert "Filled <time" in html
    await client.post("/gaps/filled", form={"start": str(start), "end": str(end), "open": "1"})
    assert missed(await text(client, "/?period=today")) == 660
    lines = await asyncio.to_thread(rows, app.database, "audit", "action, about")
    assert [tuple(line.values()) for line in lines] == [
        ("gap marked as filled", "2026-11-25 09:49:00 – 2026-11-25 10:00:00"),
        ("gap marked as not filled", "2026-11-25 09:49:00 – 2026-11-25 10:00:00"),
    ]


async def test_a_gap_that_is_not_there_cannot_be_marked(app: Callboard) -> None:
    for form in ({}, {"start": "1", "end": "2"}, {"start": "x", "end": "-1"}):
        assert (await app.test_client().post("/gaps/filled", form=form)).status_code == 404


async def test_whoever_may_only_look_sees_the_gaps_and_marks_none(app: Callboard) -> None:
    hashed = hash_password("open sesame")
    await app.database.write(
        partial(add_account, name="asha", password_hash=hashed, now=1, rights=Rights(VIEWER, ("north",)))
    )
    client = app.test_client()
    await client.post("/sign-in", form={"name": "asha", "password": "open sesame"})
    assert "Mark as filled" not in await text(client, "/gaps")
    assert (await client.post("/gaps/filled", form={})).status_code == 403


async def until_page_says(client: Client, words: str) -> str:
    """The page of gaps, once it says this: tries are counted in the background."""
    async with asyncio.timeout(CEILING):
        while words not in (html := await text(client, "/gaps")):
            pass
    return html


async def test_tries_that_never_arrived_are_listed_with_their_calls(app: Callboard) -> None:
    client = app.test_client()
    await until_page_says(client, "None is known.")
    for sid, number, day in (("a", 0, 25), ("a", 1, 25), ("b", 2, 25), ("c", 1, 1)):
        body = report(sid, try_count=number, time=f"2026-11-{day:02} 09:00:00")
        assert (await client.post(WEBHOOK, data=body)).status_code == 200
    # What was counted is kept for some minutes: counted anew it would be another page's wait.
    assert "None is known." in await text(client, "/gaps")
    app.tries = Tries(app.database)
    html = await until_page_says(client, "1 call has a later try whose try before it never arrived:")
    assert re.search(r'<a href="/calls/3">.*</a> Retry 2 came, retry 1 did not', html)


async def test_a_board_that_was_stopped_shows_its_gap_when_it_is_back(settings: Settings) -> None:
    async with board_at(settings, TEN):
        pass
    async with board_at(settings, TEN + timedelta(minutes=5)) as app:
        html = await text(app.test_client(), "/gaps")
        assert missed(await text(app.test_client(), "/")) == 300
    assert "The board was stopped." in html
    assert "without a word" not in html


# The import


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path))
    monkeypatch.delenv("DASHBOARD_DATABASE_URL", raising=False)
    return tmp_path


def imports(*arguments: str) -> int:
    return main(["import", *arguments])


def test_an_import_that_covers_a_gap_fills_it(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = data_folder / "calls.json"
    file.write_text(json.dumps([{"callSid": "a", "time": "2026-11-25 09:50:00", "agent": {"name": "Priya"}}]))
    covers = ("--covers", "2026-11-25 09:49:00", "2026-11-25 10:00:00")
    assert imports(str(file), *covers) == 0
    assert "Taken in: 1 new\nThe gaps between these times are filled" in capsys.readouterr().out
    database = Database(f"sqlite:///{data_folder / 'callboard.db'}")
    (row,) = rows(database, "watch")
    assert (row["started_at"], row["last_at"]) == (micros(TEN - timedelta(minutes=11)), micros(TEN))
    assert row["filled_at"]
    assert imports(str(file)) == 0
    assert "Taken in: 1 duplicate" in capsys.readouterr().out
    database.close()


def test_a_file_with_calls_that_had_to_be_left_out_fills_nothing(
    data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = data_folder / "calls.json"
    file.write_text(json.dumps([{"callSid": "a"}, {"from": "919876543210"}]))
    assert imports(str(file), "--covers", "2026-11-25 09:49:00", "2026-11-25 10:00:00") == 1
    said = capsys.readouterr().out
    assert "Left out: 1 without a callSid" in said
    assert "not marked as filled" in said
    database = Database(f"sqlite:///{data_folder / 'callboard.db'}")
    assert rows(database, "watch") == []
    database.close()


def test_a_file_that_could_not_be_read_in_whole_fills_nothing_and_says_so(
    data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = data_folder / "calls.jsonl"
    covers = ("--covers", "2026-11-25 09:49:00", "2026-11-25 10:00:00")
    for content in (report("a") + b"\n" + report("b")[:-9], report("a") + b'\n{"event": "other", "data": {}}'):
        file.write_bytes(content)
        assert imports(str(file), *covers) == 0
        said = capsys.readouterr().out
        assert "No calls: 1; /inbox shows them, and why." in said
        assert "not marked as filled" in said
    file.write_bytes(report("a") + b"\n" + report("b"))
    assert imports(str(file), *covers) == 0
    assert "are filled" in capsys.readouterr().out
    database = Database(f"sqlite:///{data_folder / 'callboard.db'}")
    assert len(rows(database, "watch")) == 1
    database.close()


@pytest.mark.parametrize(
    ("content", "covers", "words"),
    [
        ("", ("--covers", "2026-11-25 10:00", "2099-11-25 09:00"), "to come"),
        ("From,To\n1,2\n", (), "CSV with a column callSid"),
        ("", ("--covers", "2026-11-25 10:00", "2026-11-25 09:00"), "the earlier first"),
        ("", ("--covers", "yesterday", "today"), "two times of Asia/Kolkata"),
    ],
)
def test_an_import_that_cannot_be_is_said_in_a_sentence(
    data_folder: Path, capsys: pytest.CaptureFixture[str], content: str, covers: tuple[str, ...], words: str
) -> None:
    file = data_folder / "calls.csv"
    file.write_text(content)
    assert imports(str(file), *covers) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


# A real server


def later(board: RunningBoard, minutes: int) -> None:
    """As if so many minutes had gone by since all that is in the watch log."""
    shift = minutes * 60 * 1_000_000
    with closing(sqlite3.connect(board.database_file, timeout=10)) as file, file:
        file.execute(f"UPDATE watch SET started_at = started_at - {shift}, last_at = last_at - {shift}")


def test_a_server_that_was_killed_shows_its_gap_when_it_is_back(start_board: Callable[..., RunningBoard]) -> None:
    board = start_board()
    board.kill()
    later(board, 11)
    board.start()
    with httpx.Client(base_url=board.url, verify=NO_TLS) as client:
        html, strip = client.get("/gaps").text, client.get("/").text
    assert re.findall(r"<td>(The board was [a-z]+)", html) == ["The board was gone"]
    seconds = missed(strip)
    assert seconds is not None
    assert 11 * 60 <= seconds < 13 * 60
