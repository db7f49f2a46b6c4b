"""Recordings on their way from a real host into the keep, whatever host and database do meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboard.app import create_app
from dashboard.archive import AT_ONCE, Archive
from dashboard.database import Database
from dashboard.migrations import migrate
from dashboard.recordings.keep import Keep
from dashboard.recordings.outcomes import Access
from dashboard.settings import Settings
from tests.recording_host import MP3, Answer, RecordingHost, Request, audio, status
from tests.reports import WEBHOOK, report
from tests.running import free_port
from tests.stored import column, rows, sql, store

CEILING = 15.0


@asynccontextmanager
async def archiving(database: Database, folder: Path, host: RecordingHost) -> AsyncIterator[Keep]:
    """An archive at work, which must still be at work in the end."""
    keep = Keep(folder, low_water=0)
    running = asyncio.create_task(Archive(database, keep, Access((host.pair,))).run())
    yield keep
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])


def want(database: Database, *urls: str) -> None:
    store(database, *(report(f"call {number}", recordingUrl=url) for number, url in enumerate(urls)))


async def until(database: Database, holds: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """The recordings' rows, once this holds for them."""
    async with asyncio.timeout(CEILING):
        while True:
            found = await asyncio.to_thread(rows, database, "recording")
            if holds(found):
                return found


def all_are(state: str) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda found: all(row["state"] == state for row in found)


async def test_a_recording_is_fetched_kept_and_noted(database: Database, tmp_path: Path) -> None:
    async with RecordingHost({"/a.mp3": audio()}) as host:
        want(database, host.url("/a.mp3?key=1"))
        async with archiving(database, tmp_path / "keep", host) as keep:
            (row,) = await until(database, all_are("kept"))
    assert keep.path(row["file"]).read_bytes() == MP3
    assert (row["content_type"], row["size"], row["problem"]) == ("audio/mpeg", len(MP3), "")
    assert column(database, "call", "seq") == [2]


async def test_a_call_can_be_listened_to_on_the_board_soon_after_its_report(settings: Settings) -> None:
    async with RecordingHost({"/a.mp3": audio()}) as host:
        app = create_app(replace(settings, recording_hosts=(host.pair,)))
        async with app.test_app():
            client = app.test_client()
            await client.post(WEBHOOK, data=report("a", recordingUrl=host.url("/a.mp3")))
            await until(app.database, all_are("kept"))
            response = await client.get("/calls/1/recording")
            assert (response.status_code, response.content_type) == (200, "audio/mpeg")
            assert await response.get_data(as_text=False) == MP3


async def test_a_host_that_is_down_is_asked_again_later(database: Database, tmp_path: Path) -> None:
    host = RecordingHost({"/a.mp3": audio()})
    host.port = free_port()
    want(database, host.url("/a.mp3"))
    async with archiving(database, tmp_path / "keep", host):
        (row,) = await until(database, lambda found: bool(found[0]["problem"]))
        assert (row["state"], row["attempts"]) == ("waiting", 1)
        assert "takes no connections" in row["problem"]
        async with host:
            sql(database, "UPDATE recording SET due_at = 0")
            (row,) = await until(database, all_are("kept"))
    assert (row["attempts"], row["problem"]) == (2, "")
    assert column(database, "call", "seq") == [3]


async def test_a_recording_that_is_not_there_yet_is_waited_for(database: Database, tmp_path: Path) -> None:
    async with RecordingHost({"/a.mp3": status(404)}) as host:
        want(database, host.url("/a.mp3"))
        async with archiving(database, tmp_path / "keep", host):
            await until(database, lambda found: bool(found[0]["problem"]))
            host.answers["/a.mp3"] = audio()
            sql(database, "UPDATE recording SET due_at = 0")
            await until(database, all_are("kept"))
    assert len(host.requests) == 2


async def test_what_can_never_be_fetched_is_given_up_at_once(database: Database, tmp_path: Path) -> None:
    async with RecordingHost({"/gone": status(410)}) as host:
        want(database, host.url("/gone"), "ftp://one.example/a.mp3", "http://10.0.0.1/a.mp3", "nonsense")
        async with archiving(database, tmp_path / "keep", host):
            found = await until(database, all_are("failed"))
    assert all(row["problem"] for row in found)


def holding(doors: asyncio.Event, called: asyncio.Event) -> Answer:
    """A host that answers once the doors open."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        called.set()
        await doors.wait()
        await audio()(request, writer)

    return answer


async def test_only_a_few_are_fetched_at_once_and_all_in_the_end(tmp_path: Path, database: Database) -> None:
    doors, called = asyncio.Event(), asyncio.Event()
    paths = [f"/{number}.mp3" for number in range(2 * AT_ONCE + 1)]
    async with RecordingHost(dict.fromkeys(paths, holding(doors, called))) as host:
        want(database, *(host.url(path) for path in paths))
        async with archiving(database, tmp_path / "keep", host):
            async with asyncio.timeout(CEILING):
                while len(host.requests) < AT_ONCE:
                    await asyncio.wait_for(called.wait(), CEILING)
                    called.clear()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(called.wait(), 0.3)
            doors.set()
            await until(database, all_are("kept"))
    assert sorted(request.target for request in host.requests) == sorted(paths)


async def test_a_database_that_is_away_costs_neither_the_recording_nor_the_archive(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(database)
    doors, called = asyncio.Event(), asyncio.Event()
    async with RecordingHost({"/a.mp3": holding(doors, called), "/b.mp3": audio()}) as host:
        want(database, host.url("/a.mp3"))
        async with archiving(database, tmp_path / "keep", host):
            await asyncio.wait_for(called.wait(), CEILING)
            other = sqlite3.connect(tmp_path / "callboard.db", isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            doors.set()
            # Longer than one attempt to write stands before a lock.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.3):
                    await until(database, all_are("kept"))
            other.execute("ROLLBACK")
            other.close()
            await until(database, all_are("kept"))
            assert len(host.requests) == 1
            store(database, report("b", recordingUrl=host.url("/b.mp3")))
            await until(database, lambda found: len(found) == 2 and all_are("kept")(found))
    await asyncio.to_thread(database.close)


async def test_two_archives_on_one_database_fetch_nothing_twice(database: Database, tmp_path: Path) -> None:
    paths = [f"/{number}.mp3" for number in range(14)]
    other = Database(database.url.render_as_string(hide_password=False))
    async with RecordingHost(dict.fromkeys(paths, audio())) as host:
        want(database, *(host.url(path) for path in paths))
        async with archiving(database, tmp_path / "one", host), archiving(other, tmp_path / "two", host):
            await until(database, all_are("kept"))
    assert sorted(request.target for request in host.requests) == sorted(paths)
    await asyncio.to_thread(other.close)
