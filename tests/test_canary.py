"""A secret, a password, a number and a name go through all the board does, well and badly, and come out nowhere else.

Not in the log, in either form; not in what others may see; not in the figures for programs.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from argon2 import PasswordHasher
from quart.typing import TestClientProtocol as Client

from dashboard.logs import AsJson, AsText
from dashboard.web.parts import Callboard
from tests.postgres import PostgresServer
from tests.recording_host import RecordingHost, Request, status
from tests.reports import WEBHOOK, report
from tests.stored import sql

MakeApp = Callable[..., Awaitable[Callboard]]

SECRET = "canary-secret-4b1d"
OLD_SECRET = "canary-older-secret-77"
PASSWORD = "canary password 9f"
TOKEN = "canary-metrics-token-5"
NUMBER, NAME, WORDS = "919000012345", "Canary Kumari", "canary words of a caller"
CREDENTIALS = (SECRET, OLD_SECRET, PASSWORD, TOKEN, "wrong-canary-guess")
PERSONAL = (NUMBER, NUMBER[2:], NAME, WORDS)


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.passwords._hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def outputs() -> Iterator[list[io.StringIO]]:
    """All that is logged, as text and as JSON, from the lowest level that a server shows."""
    streams, handlers = [], []
    for form in (AsText(), AsJson()):
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(form)
        handler.setLevel(logging.INFO)
        streams.append(stream)
        handlers.append(handler)
        logging.getLogger().addHandler(handler)
    before = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    yield streams
    logging.getLogger().setLevel(before)
    for handler in handlers:
        logging.getLogger().removeHandler(handler)


@dataclass
class Visitor:
    """Somebody who asks for pages, and all that was answered to him, headers included."""

    client: Client
    seen: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, **options: object) -> int:
        response = await self.client.open(path, method=method, **options)  # type: ignore[arg-type]
        self.seen.append(f"{response.headers} {await response.get_data(as_text=True)}")
        return response.status_code

    def saw(self, words: str) -> bool:
        return any(words in each for each in self.seen)


def personal(sid: str, **changes: Any) -> bytes:
    return report(sid, **{"to": NUMBER, "call_metadata": {"name": NAME}, "transcription": f"Caller: {WORDS}"} | changes)


@pytest.fixture
def host_was_asked() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def host(host_was_asked: asyncio.Event) -> AsyncIterator[RecordingHost]:
    """A recording host that fails."""

    async def fail(request: Request, writer: asyncio.StreamWriter) -> None:
        await status(500)(request, writer)
        host_was_asked.set()

    async with RecordingHost({"/gone.mp3": fail}) as host:
        yield host


async def go_through_everything(app: Callboard, host: RecordingHost, stranger: Visitor, admin: Visitor) -> None:
    """Every kind of success and failure there is, as far as one process goes."""
    by_header = {"Authorization": f"Bearer {SECRET}"}
    took = [
        await stranger.ask("POST", f"{WEBHOOK}?token={SECRET}", data=personal("a")),
        await stranger.ask("POST", f"{WEBHOOK}?token={OLD_SECRET}", data=personal("a")),
        await stranger.ask("POST", WEBHOOK, headers=by_header, data=personal("b", recordingUrl=host.url("/gone.mp3"))),
        await stranger.ask("POST", WEBHOOK, headers=by_header, data=f'{{"{NUMBER}": "{NAME}'.encode()),
        await stranger.ask("POST", WEBHOOK, headers=by_header, data=f'{{"event": "{NAME}"}}'.encode()),
        await stranger.ask("POST", f"{WEBHOOK}?token=wrong-canary-guess", data=personal("c")),
        await stranger.ask("POST", WEBHOOK, data=personal("c")),
        await stranger.ask("POST", f"/webhook/elsewhere?token={SECRET}", data=personal("c")),
        await stranger.ask("GET", f"{WEBHOOK}?token={SECRET}"),
        await stranger.ask("POST", WEBHOOK, headers=by_header | {"Origin": "https://a.example"}, data=personal("c")),
    ]
    assert took == [200, 200, 200, 400, 200, 401, 401, 404, 405, 403]
    for path in (
        "/",
        "/calls/1",
        "/live",
        "/audit",
        "/nowhere",
        f"/?campaign={NUMBER}",
        "/calls/1/recording",
        "/metrics",
    ):
        assert await stranger.ask("GET", path) in (303, 401), path
    form = {"name": "admin", "password": "wrong-canary-guess"}
    assert await stranger.ask("POST", "/sign-in", form=form) == 401
    assert await admin.ask("POST", "/sign-in", form={"name": "admin", "password": PASSWORD}) == 303
    for path in ("/", "/calls/1", f"/?campaign={NUMBER}", "/audit", "/account", "/wall?period=today"):
        assert await admin.ask("GET", path) == 200, path
    for path in ("/calls/77", f"/nowhere/{NUMBER}?token={SECRET}"):
        assert await admin.ask("GET", path) == 404


async def fail_in_every_way(app: Callboard, admin: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a board can meet that is nobody's fault: a row the database refuses, one that is away, a page that fails."""
    by_header = {"Authorization": f"Bearer {SECRET}"}
    poison = "CREATE TRIGGER poison BEFORE INSERT ON \"call\" BEGIN SELECT RAISE(ABORT, 'poisoned'); END"
    sql(app.database, poison)
    assert await admin.ask("POST", WEBHOOK, headers=by_header, data=personal("poisoned")) == 503
    sql(app.database, "DROP TRIGGER poison")

    async def fails(*_: object) -> None:
        raise OSError(28, f"cannot write {NUMBER} of {NAME} with {SECRET}")

    def fails_at_once(*_: object, **__: object) -> None:
        raise KeyError(f"{NUMBER} of {NAME} with {SECRET}")

    with monkeypatch.context() as away:
        away.setattr("dashboard.web.hooks.WAIT_SECONDS", 0.2)
        away.setattr(app.database, "write", fails)
        assert await admin.ask("POST", WEBHOOK, headers=by_header, data=personal("away")) == 503
        await app.archive._round()
    with monkeypatch.context() as broken:
        broken.setattr(app.feed, "strip", fails_at_once)
        assert await admin.ask("GET", f"/?campaign={NUMBER}&token={SECRET}") == 500
    with monkeypatch.context() as broken:
        broken.setattr(app.hooks, "_answer", fails)
        assert await admin.ask("POST", f"{WEBHOOK}?token={SECRET}", data=personal("d")) == 503


async def test_no_secret_and_nobodys_number_gets_into_a_log_into_figures_or_before_strangers(
    make_app: MakeApp,
    host: RecordingHost,
    host_was_asked: asyncio.Event,
    outputs: list[io.StringIO],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = await make_app(
        webhook_secrets=(SECRET, OLD_SECRET),
        admin_password=PASSWORD,
        metrics_token=TOKEN,
        recording_hosts=(host.pair,),
    )
    stranger, admin = Visitor(app.test_client()), Visitor(app.test_client())
    await go_through_everything(app, host, stranger, admin)
    async with asyncio.timeout(10):
        await host_was_asked.wait()
    await fail_in_every_way(app, admin, monkeypatch)
    monitor = Visitor(app.test_client())
    assert await monitor.ask("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"}) == 200

    assert admin.saw(NAME), "the pages must have been there, or this proves nothing"
    assert not stranger.saw(NAME)
    written = [stream.getvalue() for stream in outputs] + list(capfd.readouterr())
    assert "could not be stored" in written[0], "the log must have spoken, or this proves nothing"
    for canary in CREDENTIALS:
        assert not admin.saw(canary), canary
    for canary in (*CREDENTIALS, *PERSONAL):
        assert not monitor.saw(canary), canary
        assert [line for each in written for line in each.splitlines() if canary in line] == []


async def test_a_row_that_postgresql_refuses_is_not_quoted_in_the_log(
    make_app: MakeApp, postgres: PostgresServer, postgres_url: str, outputs: list[io.StringIO]
) -> None:
    app = await make_app(database_url=postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    sql(app.database, """ALTER TABLE "call" ADD CONSTRAINT poison CHECK (agent <> 'poison')""")
    response = await app.test_client().post(WEBHOOK, data=personal("p", agent="poison"))
    assert response.status_code == 503
    written = [stream.getvalue() for stream in outputs]
    assert all("CheckViolation" in each for each in written)
    assert not any(canary in each for canary in PERSONAL for each in written)
