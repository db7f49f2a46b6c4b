"""What the board counts of itself, and who may read it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from quart.typing import TestClientProtocol as Client

from dashboard.filters import CallFilter
from dashboard.roles import REVIEWER, Rights
from dashboard.store.accounts import add_account, find_account, start_session
from dashboard.web.parts import Callboard, now_micros
from dashboard.web.slowdown import NetworkSlowdown
from tests.reports import WEBHOOK, report

MakeApp = Callable[..., Awaitable[Callboard]]
TOKEN = "0123456789abcdef0123"


async def read(client: Client, **headers: str) -> dict[str, float]:
    """Every line by its name and labels."""
    response = await client.get("/metrics", headers=headers)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = (await response.get_data(as_text=True)).splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


async def test_every_report_is_counted_once_by_its_answer_and_by_what_became_of_it(app: Callboard) -> None:
    client = app.test_client()
    for body in (report("a"), report("a"), b"{", b'{"event": "other", "data": {}}'):
        await client.post(WEBHOOK, data=body)
    await client.post(WEBHOOK, data=report("b"), headers={"Origin": "https://elsewhere.example"})
    async with asyncio.timeout(5):
        while app.feed.head < 4:
            await app.feed.moved.wait()
    seen = await read(client)
    assert seen['callboard_webhook_answers_total{status="200"}'] == 3
    assert seen['callboard_webhook_answers_total{status="400"}'] == 1
    assert seen['callboard_webhook_answers_total{status="403"}'] == 1
    for verdict, count in (("new", 1), ("duplicate", 1), ("unreadable", 1), ("ignored", 1), ("changed", 0)):
        assert seen[f'callboard_reports_stored_total{{verdict="{verdict}"}}'] == count
    assert seen["callboard_webhook_seconds_count"] == 5
    assert seen["callboard_report_lag_seconds_count"] == 1
    assert (seen["callboard_seq"], seen["callboard_seq_behind"]) == (4, 0)
    assert (seen["callboard_calls"], seen["callboard_reports_waiting"]) == (1, 0)


async def test_open_pages_are_counted_while_they_are_open(app: Callboard) -> None:
    client = app.test_client()
    stream = app.streams.follow(CallFilter(), 0)
    await anext(stream)
    assert (await read(client))['callboard_streams{page="board"}'] == 1
    await stream.aclose()  # type: ignore[attr-defined]
    assert (await read(client))['callboard_streams{page="board"}'] == 0


async def test_the_process_and_the_program_are_told(app: Callboard) -> None:
    seen = await read(app.test_client())
    assert seen["process_resident_memory_bytes"] > 10**7
    assert 0 < seen["process_open_fds"] < seen["process_max_fds"]
    assert any(re.fullmatch(r'callboard_build_info\{version="[^"]+",.*database="sqlite"\}', name) for name in seen)
    assert [seen[f'callboard_recordings{{state="{state}"}}'] for state in ("waiting", "kept", "failed")] == [0, 0, 0]


async def test_while_the_database_is_away_the_rest_is_told_all_the_same(
    app: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise OSError

    async def none() -> bool:
        return False

    monkeypatch.setattr("dashboard.web.door._has_accounts", none)
    monkeypatch.setattr(app.database, "read", away)
    seen = await read(app.test_client())
    assert seen["callboard_database_readable"] == 0
    assert "callboard_seq" not in seen
    assert "callboard_reports_waiting" in seen


async def test_a_board_with_accounts_shows_it_to_an_admin_and_to_whoever_bears_the_token(make_app: MakeApp) -> None:
    app = await make_app(admin_password="a long password", metrics_token=TOKEN)
    tokens = {}
    for role in ("admin", REVIEWER):
        if role == REVIEWER:
            await app.database.write(
                partial(add_account, name=role, password_hash="", now=now_micros(), rights=Rights(REVIEWER))
            )
        account = await app.database.read(partial(find_account, name=role))
        assert account is not None
        assert account.id is not None
        tokens[role] = f"token-of-{role}"
        await app.database.write(partial(start_session, account_id=account.id, token=tokens[role], now=now_micros()))
    client = app.test_client()
    assert (await client.get("/metrics")).status_code == 401
    await read(client, Authorization=f"Bearer {TOKEN}")
    await read(client, Cookie=f"callboard_session={tokens['admin']}")
    cookie = {"Cookie": f"callboard_session={tokens[REVIEWER]}"}
    assert (await client.get("/metrics", headers=cookie)).status_code == 403
    for wrong in (f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", "Bearer ä", TOKEN):
        assert (await client.get("/metrics", headers={"Authorization": wrong})).status_code == 401
    # The token opens nothing else.
    for path in ("/", "/calls/1", "/live", "/audit", "/api/board"):
        assert (await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})).status_code in (303, 401)


async def test_without_a_token_in_the_settings_an_empty_one_opens_nothing(make_app: MakeApp) -> None:
    client = (await make_app(admin_password="a long password")).test_client()
    for given in ("Bearer ", "Bearer", "bearer x"):
        assert (await client.get("/metrics", headers={"Authorization": given})).status_code == 401


async def test_wrong_tokens_are_slowed_down_and_the_right_one_is_taken_all_the_same(make_app: MakeApp) -> None:
    app = await make_app(admin_password="a long password", metrics_token=TOKEN)
    app.wrong_tokens = NetworkSlowdown(most=3, seconds=60)
    client = app.test_client()
    for _ in range(3):
        assert (await client.get("/metrics", headers={"Authorization": "Bearer wrong"})).status_code == 401
    assert (await client.get("/metrics", headers={"Authorization": "Bearer wrong"})).status_code == 429
    assert (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
