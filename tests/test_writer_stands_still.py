"""What visitors get while the database can be read and not be written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from threading import Event
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client
from sqlalchemy import update
from sqlmodel import Session, col, select

from dashboard.database import Database
from dashboard.models import ApiToken, Audit
from dashboard.models import Session as SignIn
from dashboard.roles import REVIEWER, VIEWER, Rights
from dashboard.store import audit
from dashboard.store.tokens import add_token
from dashboard.web import last_used, request_queue, visitor
from dashboard.web.last_used import LastUsed
from dashboard.web.parts import Callboard, now_micros
from tests.forms import post
from tests.reports import WEBHOOK, report
from tests.signed_in import browser_of

MakeApp = Callable[..., Awaitable[Callboard]]
HUSH = {"Authorization": "Bearer hush"}
TOKEN = "a-token-of-a-program"
CEILING = 20


@pytest.fixture
async def guarded(make_app: MakeApp) -> Callboard:
    return await make_app(webhook_secrets=("hush",))


@asynccontextmanager
async def writer_held(database: Database) -> AsyncIterator[None]:
    """The only writer stands still in a transaction."""
    has_begun, may_end = Event(), Event()

    def stand_still(_: Session) -> None:
        has_begun.set()
        may_end.wait(CEILING)

    holding = asyncio.create_task(database.write(stand_still))
    assert await asyncio.to_thread(has_begun.wait, CEILING)
    try:
        yield
    finally:
        may_end.set()
        await asyncio.gather(holding, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(CEILING):
        while not condition():  # noqa: ASYNC110 - what it waits for belongs to the board
            await asyncio.sleep(0.01)


def actions(session: Session) -> list[str]:
    return [*session.exec(select(Audit.action))]


async def test_the_board_is_served_while_requests_of_others_wait_for_their_line_of_the_audit_log(
    guarded: Callboard,
) -> None:
    programs = [await browser_of(guarded, f"program {number}", Rights(VIEWER)) for number in range(4)]
    person = await browser_of(guarded, "asha", Rights(VIEWER))
    for client in (*programs, person):
        assert (await client.get("/")).status_code == 200
    async with writer_held(guarded.database):
        polls = [asyncio.create_task(client.get("/api/calls")) for client in programs for _ in range(2)]
        lines = guarded.requests.audit
        await until(lambda: sum(lines.waiting(f"account:program {number}") for number in range(4)) >= 3)
        answers = [await person.get(path) for path in ("/", "/api/figures", "/account")]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert not any(poll.done() for poll in polls)
    # Some may have been refused before the writer went on.
    assert {answer.status_code for answer in await asyncio.gather(*polls)} <= {200, 503}
    assert (guarded.requests.pages.working, guarded.requests.pages.busy, lines.busy) == (0, {}, {})


async def test_no_answer_waits_until_the_use_of_a_session_or_token_is_written(guarded: Callboard) -> None:
    person = await browser_of(guarded, "asha", Rights(VIEWER))
    long_ago = now_micros() - 3600 * 1_000_000
    await guarded.database.write(lambda session: session.execute(update(SignIn).values(seen_at=long_ago)))
    await guarded.database.write(partial(add_token, token=TOKEN, name="crm", rights=Rights(VIEWER), now=1))
    program, bearer = guarded.test_client(), {"Authorization": f"Bearer {TOKEN}"}

    def is_noted(session: Session) -> bool:
        is_seen = session.exec(select(SignIn).where(col(SignIn.seen_at) > long_ago)).first()
        return is_seen is not None and session.exec(select(ApiToken.seen_at)).one() is not None

    async with writer_held(guarded.database):
        asked = [asyncio.create_task(_status(person, "/")), asyncio.create_task(_status(program, "/api/board", bearer))]
        await asyncio.wait(asked, timeout=CEILING, return_when=asyncio.FIRST_EXCEPTION)
        assert [task.result() for task in asked] == [200, 200]
        assert not await guarded.database.read(is_noted)
    # A note that was lost comes with the next use.
    async with asyncio.timeout(CEILING):
        while not await guarded.database.read(is_noted):
            assert [await _status(person, "/"), await _status(program, "/api/board", bearer)] == [200, 200]
            await asyncio.sleep(0.05)


async def _status(client: Client, path: str, headers: dict[str, str] | None = None) -> int:
    return (await client.get(path, headers=headers)).status_code


async def test_nothing_is_shown_without_its_line_of_the_audit_log_and_the_refusal_says_so(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor, "AUDIT_WAIT_SECONDS", 0.05)
    reviewer = await browser_of(guarded, "rita", Rights(REVIEWER))
    number = "9876543210"
    stored = await guarded.test_client().post(WEBHOOK, data=report(userNumber=number), headers=HUSH)
    assert stored.status_code == 200
    assert (await reviewer.get("/")).status_code == 200
    async with writer_held(guarded.database):
        # The first of them waits for the writer, the others for their turn.
        first = asyncio.create_task(reviewer.get("/api/calls"))
        await until(lambda: guarded.requests.audit.working == 1)
        refused = [await reviewer.get("/api/calls"), await post(reviewer, "/calls/1/number")]
        assert not first.done()
    await first
    for answer in refused:
        text = await answer.get_data(as_text=True)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "the line could not be written" in text
        assert number not in text
    assert audit.NUMBER_SHOWN not in await guarded.database.read(actions)
    shown = await post(reviewer, "/calls/1/number")
    assert shown.status_code == 200
    assert audit.NUMBER_SHOWN in await guarded.database.read(actions)


@pytest.mark.parametrize(("path", "has_body"), [("/", True), ("/api/figures", True), ("/live", False)])
async def test_who_waits_because_of_others_is_not_told_that_it_is_his_own_doing(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch, path: str, has_body: bool
) -> None:
    monkeypatch.setattr(request_queue, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(request_queue, "STREAM_WAIT_SECONDS", 0.05)
    client = await browser_of(guarded, "asha", Rights(VIEWER))
    assert (await client.get("/")).status_code == 200
    queue = guarded.requests.streams if path == "/live" else guarded.requests.pages
    for who, status, words in (
        ("others", 503, "The board did not get to your request in time."),
        ("asha", 429, "Too many requests of yours are waiting."),
    ):
        names = [f"account:{who} {n}" if who == "others" else f"account:{who}" for n in range(queue.each)]
        names += [f"account:more {n}" for n in range(queue.at_once - queue.each)]
        turns = [await queue.enter(name) for name in names]
        refused = await client.get(path)
        for turn in turns:
            turn.release()
        assert (refused.status_code, refused.headers["Retry-After"]) == (status, "5")
        assert (words in await refused.get_data(as_text=True)) == has_body
        assert bool(await refused.get_data()) == has_body


async def test_notes_of_use_are_bounded_and_those_under_way_are_written_before_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_used, "MOST_NOTES", 3)

    def add_tokens(session: Session) -> None:
        for number in range(6):
            add_token(session, str(number), f"token {number}", Rights(VIEWER), 1)

    await database.write(add_tokens)
    notes = LastUsed(database)

    def use(session: Session, token_id: int, now: int) -> None:
        session.execute(update(ApiToken).where(col(ApiToken.id) == token_id).values(seen_at=now))

    async with writer_held(database):
        for now in (10, 20):
            for token_id in range(1, 6):
                notes.note(token_id, partial(use, token_id=token_id, now=now))
    await notes.finish()
    seen: Any = await database.read(lambda session: session.exec(select(ApiToken.seen_at).order_by("id")).all())
    assert list(seen) == [20, 20, 20, None, None, None]


async def test_the_end_does_not_wait_long_for_a_note_that_cannot_be_written(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_used, "FINISH_SECONDS", 0.1)
    notes = LastUsed(database)
    async with writer_held(database):
        notes.note(1, lambda _: None)
        began = time.monotonic()
        await notes.finish()
        assert time.monotonic() - began < 2
