"""Every route, every method, every kind of visitor: who is let in, who is refused how, and what each answer carries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from quart.testing import connections
from quart.typing import TestClientProtocol as Client
from werkzeug.datastructures import Headers
from werkzeug.routing import Rule

from dashboard import passwords
from dashboard.app import create_app
from dashboard.roles import Rights
from dashboard.settings import Settings
from dashboard.web import health
from dashboard.web.headers import HEADERS
from dashboard.web.openings import Undeclared, Who, open_to, openings_of
from dashboard.web.parts import Callboard
from dashboard.web.sign_in_limits import SignInLimits
from tests.cast import CAST, enter_cast
from tests.forms import form_token
from tests.reports import WEBHOOK, report

MakeApp = Callable[..., Awaitable[Callboard]]
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
STREAMS = ("live.live", "wall.wall_live", "inbox_live.inbox_live")
# What shows nothing of any call. Whoever adds to it has thought about it.
OPEN = {
    "static_file",
    "robots",
    "health.healthz",
    "health.readyz",
    "account.sign_in",
    "account.sign_out",
    "openapi.show_openapi",
}


def addresses(app: Callboard) -> Iterator[tuple[Rule, str]]:
    """Every route with an address of it. The webhook has a door of its own: tests/test_hooks.py."""
    for rule in app.url_map.iter_rules():
        values = {name: "app.css" if name == "filename" else 1 for name in rule.arguments}
        _, path = rule.build(values) or ("", "")
        yield rule, f"{path}?period=today" if rule.endpoint.startswith("wall.") else path


async def ask(client: Client, method: str, path: str, *, is_stream: bool = False) -> tuple[int, Headers]:
    """Status and headers of one request; of a stream no more than its beginning is read."""
    if is_stream:
        async with client.request(path, method=method) as connection:
            await connection.send_complete()
            await connection.receive()
            await connection.disconnect()
        assert isinstance(connection, connections.TestHTTPConnection)
        assert connection.status_code is not None
        assert connection.headers is not None
        return connection.status_code, connection.headers
    fields = {"form": {"form_token": form_token(client)}} if method == "POST" else {}
    answer = await getattr(client, method.lower())(path, **fields)
    return answer.status_code, answer.headers


@pytest.fixture(autouse=True)
def _passwords_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
async def guarded(make_app: MakeApp) -> Callboard:
    """A board with a call on it."""
    app = await make_app(webhook_secrets=("hush",))
    app.sign_in_limits = SignInLimits(by_client=100)
    assert (await app.test_client().post(f"{WEBHOOK}?token=hush", data=report())).status_code == 200
    return app


async def test_every_route_lets_in_whom_it_says_and_refuses_all_others(guarded: Callboard) -> None:
    cast = await enter_cast(guarded)
    for rule, path in addresses(guarded):
        who = guarded.openings[rule.endpoint]
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            is_stream = rule.endpoint in STREAMS and method == "GET"
            if rule.endpoint in STREAMS and method == "HEAD":
                continue  # its body is endless, and only a real server leaves it out
            for name, rights in CAST.items():
                # Signing out would end the session of the others' turns.
                client = guarded.test_client() if rule.endpoint == "account.sign_out" else cast[name]
                status, headers = await ask(client, method, path, is_stream=is_stream and who.lets_in(rights))
                where = (name, method, path, status)
                if who.lets_in(rights):
                    assert status in (200, 303, 400, 404, 409) or rule.endpoint == "account.sign_in", where
                    assert not headers.get("Location", "").startswith("/sign-in?"), where
                else:
                    assert status == 403, where


async def test_every_route_asks_a_stranger_to_sign_in(guarded: Callboard) -> None:
    await enter_cast(guarded)
    stranger = guarded.test_client()
    for rule, path in addresses(guarded):
        for method in METHODS:
            status, headers = await ask(stranger, method, path)
            where = (method, path, status)
            if rule.endpoint in OPEN and method in (rule.methods or ()):
                assert status in (200, 303, 401), where
            elif status == 303:
                assert method in ("GET", "HEAD"), where
                assert headers["Location"].startswith("/sign-in?next="), where
            else:
                assert status == 401, where


async def test_a_method_that_a_route_does_not_take_is_a_405(guarded: Callboard) -> None:
    admin = (await enter_cast(guarded))["ada"]
    for rule, path in addresses(guarded):
        taken = {method for each, other in addresses(guarded) if other == path for method in each.methods or ()}
        for method in set(METHODS) - taken:
            status, headers = await ask(admin, method, path)
            assert status == 405, (method, path, status)
            assert "GET" in headers["Allow"] or "POST" in headers["Allow"]
        status, _ = await ask(admin, "OPTIONS", path)
        assert status == 200, path
        assert rule.methods is not None


async def test_every_answer_carries_the_headers_and_calls_are_stored_nowhere(guarded: Callboard) -> None:
    cast = await enter_cast(guarded)
    pages = [(path, rule.endpoint in STREAMS) for rule, path in addresses(guarded) if "GET" in (rule.methods or ())]
    for client in (cast["ada"], cast["vera"], guarded.test_client()):
        is_known = bool(form_token(client))
        for path, is_stream in [*pages, ("/nowhere", False), ("/calls/99", False), ("/api/calls/99", False)]:
            status, headers = await ask(client, "GET", path, is_stream=is_stream and is_known)
            for name, value in HEADERS.items():
                assert headers[name] == value, (path, name)
            is_file = path.startswith("/static/")
            assert ("no-store" in headers["Cache-Control"]) != is_file, (path, status)
    for path in (f"{WEBHOOK}?token=hush", WEBHOOK, "/webhook/other"):
        answer = await guarded.test_client().post(path, data=b"{}")
        assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")
        assert answer.headers["Cache-Control"] == "no-store"


def test_the_policy_lets_nothing_in_that_stands_in_a_page() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert {"script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert "microphone=()" in HEADERS["Permissions-Policy"]


async def test_only_these_are_open_to_anybody(app: Callboard) -> None:
    assert {endpoint for endpoint, who in app.openings.items() if who is Who.ANYBODY} == OPEN
    assert {endpoint for endpoint, who in app.openings.items() if who is Who.WALL_LINK} == {
        "wall.show_wall",
        "wall.wall_live",
    }


def test_a_board_with_a_route_that_says_nothing_does_not_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(health.healthz, "open_to")
    with pytest.raises(Undeclared, match=r"health\.healthz"):
        create_app(replace(settings))


async def test_what_is_declared_is_told_from_the_function_itself() -> None:
    @open_to(Who.ADMINS)
    async def page() -> str:
        return ""

    assert openings_of({"page": page}) == {"page": Who.ADMINS}
    await asyncio.wait_for(page(), 1)


@pytest.mark.parametrize(
    ("who", "let_in"),
    [
        (Who.ANYBODY, "ada rita vera"),
        (Who.WALL_LINK, "ada rita vera"),
        (Who.VIEWERS, "ada rita vera"),
        (Who.REVIEWERS, "ada rita"),
        (Who.ADMINS, "ada"),
    ],
)
def test_each_opening_is_for_its_roles(who: Who, let_in: str) -> None:
    assert [name for name, rights in CAST.items() if who.lets_in(rights)] == let_in.split()
    assert not who.lets_in(Rights("a role nobody knows"))


async def test_who_may_not_is_told_why_and_is_shown_no_way_there(guarded: Callboard) -> None:
    cast = await enter_cast(guarded)
    refused = await cast["vera"].get("/audit")
    assert refused.status_code == 403
    assert "This is for admins, and you are signed in as viewer." in await refused.get_data(as_text=True)
    for path, shown in (
        ("/account", "/tokens"),
        ("/account", "/audit"),
        ("/", "/calls.csv"),
        ("/wall?period=today", "wall/links"),
    ):
        html = {name: await (await client.get(path)).get_data(as_text=True) for name, client in cast.items()}
        assert shown in html["ada"]
        assert shown not in html["vera"]
        assert (shown in html["rita"]) == (shown in ("/calls.csv", "wall/links"))
