"""Whether the board can store: told in time, asked once for all, whatever the writer does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import Session

from dashboard.database import Database
from dashboard.web.parts import Callboard
from dashboard.web.readiness import Readiness


class Asked:
    """Counts the questions that reach the writer; holds them back while `may_answer` is not set."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._write = database.write
        monkeypatch.setattr(database, "write", self.write)

    async def write(self, fn: Callable[[Session], Any]) -> Any:
        self.count += 1
        await self.may_answer.wait()
        return await self._write(fn)


async def test_a_thousand_who_ask_cause_one_transaction_a_second(
    app: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(app.database, monkeypatch)
    readiness = Readiness(app.watch)
    assert all(await asyncio.gather(*(readiness.can_write() for _ in range(1000))))
    assert await readiness.can_write()
    assert asked.count == 1


async def test_a_writer_that_hangs_is_asked_once_and_everybody_is_answered_in_time(
    app: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.web.readiness.PATIENCE_SECONDS", 0.1)
    asked = Asked(app.database, monkeypatch)
    asked.may_answer.clear()
    readiness = Readiness(app.watch)
    began = time.monotonic()
    for _ in range(3):
        assert not any(await asyncio.gather(*(readiness.can_write() for _ in range(50))))
    assert time.monotonic() - began < 1
    assert asked.count == 1
    asked.may_answer.set()
    assert await readiness.can_write()


async def test_a_bad_answer_is_not_kept(app: Callboard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: object) -> None:
        raise OSError

    readiness = Readiness(app.watch)
    with monkeypatch.context() as broken:
        broken.setattr(app.database, "write", refuse)
        assert not await readiness.can_write()
    assert await readiness.can_write()


async def test_the_page_for_those_who_watch_says_what_is_wrong(app: Callboard, monkeypatch: pytest.MonkeyPatch) -> None:
    client = app.test_client()
    assert (await (await client.get("/readyz")).get_data(as_text=True)) == "ready\n"
    app.ended = "Feed"
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert "Feed" in await response.get_data(as_text=True)
    monkeypatch.setattr(app.reserve, "is_short", lambda: True)
    assert "disk is nearly full" in await (await client.get("/readyz")).get_data(as_text=True)
    assert (await client.get("/healthz")).status_code == 200
