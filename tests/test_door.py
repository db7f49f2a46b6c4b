"""Who gets in (decision 9): this machine alone, or whoever has signed in; no forged form, no forged Host."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from quart.typing import TestClientProtocol as Client

from dashboard.settings import CONNECT_COMMAND, Settings
from dashboard.web.door import is_direct, is_own_host
from dashboard.web.parts import Callboard
from tests.forms import form_token, post
from tests.reports import WEBHOOK, report
from tests.signed_in import PASSWORD, sign_in

MakeApp = Callable[..., Awaitable[Callboard]]

pytestmark = pytest.mark.usefixtures("cheap_sign_ins")


@pytest.fixture
async def guarded(make_app: MakeApp) -> Callboard:
    """A board with an account: everybody has to sign in."""
    return await make_app(admin_password=PASSWORD, webhook_secrets=("hush",))


# Local mode


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("[::1]:8000", 200),
        ("board.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.nip.io", 403),
        ("192.168.1.5:8000", 403),
        ("0.0.0.0:8000", 403),
        ("127.1", 403),
    ],
)
async def test_a_board_without_an_account_answers_to_this_machines_names_only(
    client: Client, host: str, status: int
) -> None:
    response = await client.get("/", headers={"Host": host})
    assert response.status_code == status
    if status == 403:
        sentence = await response.get_data(as_text=True)
        assert "DASHBOARD_ADMIN_PASSWORD" in sentence
        assert CONNECT_COMMAND in sentence


@pytest.mark.parametrize(
    "host", ["", "[::1", "[bad]:1", "evil@localhost.example", "\x00", "localhost\\evil", "é", "[v1.x]", ":80"]
)
def test_a_host_that_cannot_be_read_is_not_this_machine(host: str) -> None:
    assert not is_direct(host, [], "127.0.0.1")


@pytest.mark.parametrize("peer", ["192.168.1.7", "8.8.8.8", "2001:db8::1"])
def test_whoever_connects_from_another_machine_is_not_this_machine_whatever_the_host_says(peer: str) -> None:
    assert not is_direct("localhost", [], peer)
    assert is_direct("localhost", [], "127.0.0.1")
    assert is_direct("localhost", [], "::1")


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "x-forwarded-anything",
        "Via",
        "CF-Connecting-IP",
        "Cf-Ray",
        "X-Real-IP",
    ],
)
async def test_a_request_that_came_through_something_is_refused_everywhere(app: Callboard, header: str) -> None:
    client = app.test_client()
    for path in ("/", "/live", "/calls/1", "/healthz", "/static/app.css", "/api/board", "/nowhere"):
        response = await client.get(path, headers={header: "127.0.0.1"})
        assert response.status_code == 403, path


async def test_this_machine_needs_no_sign_in(app: Callboard) -> None:
    response = await app.test_client().get("/")
    assert response.status_code == 200
    assert "Sign out" not in await response.get_data(as_text=True)


# Strangers


async def test_a_stranger_cannot_tell_which_calls_or_pages_there_are(guarded: Callboard) -> None:
    client = guarded.test_client()
    assert (await client.post(f"{WEBHOOK}?token=hush", data=report())).status_code == 200
    for path in ("/calls/1", "/calls/2", "/nowhere"):
        assert (await client.get(path)).status_code == 303


async def test_a_stream_a_recording_and_htmx_get_an_empty_401(guarded: Callboard) -> None:
    client = guarded.test_client()
    for path, headers in (("/live", {}), ("/calls/1/recording", {}), ("/", {"HX-Request": "true"})):
        response = await client.get(path, headers=headers)
        assert (response.status_code, await response.get_data()) == (401, b""), path


# Forms of other sites


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Origin": "https://board.example"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://[bad"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 403),
    ],
    ids=range(13),
)
async def test_a_form_of_another_site_does_nothing(make_app: MakeApp, headers: dict[str, str], status: int) -> None:
    app = await make_app(admin_password=PASSWORD, public_url="https://board.example")
    for path, form in (("/sign-in", {"name": "admin", "password": PASSWORD}), ("/sign-out", {})):
        response = await app.test_client().post(path, form=form, headers=headers)
        assert response.status_code == status, path


# Forms of another sign-in


async def test_a_form_without_the_token_of_this_sign_in_does_nothing_and_says_what_to_do(guarded: Callboard) -> None:
    client, other = guarded.test_client(), guarded.test_client()
    assert await sign_in(client) == await sign_in(other) == 303
    for path in (
        "/sign-out",
        "/account/sign-out-elsewhere",
        "/account/password",
        "/wall/links",
        "/test-call",
        "/tokens",
    ):
        for token in ("", "x", "é", form_token(other), form_token(client)[:-1]):
            answer = await client.post(path, form={"form_token": token, "name": "x", "role": "viewer"})
            assert answer.status_code == 403, (path, token)
            assert "Reload the page" in await answer.get_data(as_text=True)
    assert (await client.get("/")).status_code == (await other.get("/")).status_code == 200
    assert (await post(client, "/account/sign-out-elsewhere")).status_code == 303


async def test_the_pages_forms_carry_the_token(guarded: Callboard) -> None:
    client = guarded.test_client()
    await sign_in(client)
    for path, forms in (("/", 2), ("/account", 3), ("/wall?period=today", 3), ("/tokens", 2)):
        html = await (await client.get(path)).get_data(as_text=True)
        assert html.count(f'name="form_token" value="{form_token(client)}"') == html.count('method="post"') == forms


async def test_several_processes_agree_on_the_token_of_a_sign_in(make_app: MakeApp) -> None:
    first, second = await make_app(admin_password=PASSWORD), await make_app(admin_password=PASSWORD)
    client, beside = first.test_client(), second.test_client()
    await sign_in(client)
    beside.cookie_jar = client.cookie_jar
    assert (await beside.post("/sign-out", form={"form_token": form_token(client)})).status_code == 303
    assert (await client.get("/")).status_code == 303


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parent.parent / "templates").glob("*.html")), ids=lambda path: path.name
)
def test_every_form_that_changes_something_carries_the_token(path: Path) -> None:
    forms = re.findall(r"<form\b[^>]*>.*?</form>", path.read_text(encoding="utf-8"), re.DOTALL)
    changing = [form for form in forms if re.match(r'<form[^>]*\bmethod="post"', form)]
    # Who signs in acts by name and password, and has no session yet.
    if path.name == "sign_in.html":
        return
    for form in changing:
        assert '<input type="hidden" name="form_token" value="{{ form_token }}">' in form, form


def test_every_form_says_its_method() -> None:
    """A form without one is sent by GET, and what changes something must not be."""
    for path in (Path(__file__).parent.parent / "templates").glob("*.html"):
        for form in re.findall(r"<form\b[^>]*>", path.read_text(encoding="utf-8")):
            assert re.search(r'\bmethod="(get|post|dialog)"', form), (path.name, form)


# The Host


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("board.example", True),
        ("BOARD.example:443", True),
        ("127.0.0.1:8000", True),
        ("localhost", True),
        ("[::1]:8000", True),
        ("evil.example", False),
        ("board.example.evil.example", False),
        ("evil.board.example", False),
        ("board.example@evil.example", False),
        ("192.168.1.5", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_a_host_is_the_boards_own_or_forged(host: str, is_ours: bool) -> None:
    assert is_own_host(host, Settings(public_url="https://board.example")) is is_ours


async def test_a_forged_host_is_refused_with_a_sentence_but_reports_are_taken(make_app: MakeApp) -> None:
    app = await make_app(admin_password=PASSWORD, public_url="https://board.example", webhook_secrets=("hush",))
    client, forged = app.test_client(), {"Host": "evil.example"}
    for path in ("/", "/sign-in", "/live", "/static/app.css", "/nowhere", "/openapi.json", "/api/board"):
        answer = await client.get(path, headers=forged)
        words = await answer.get_data(as_text=True)
        assert answer.status_code == 421, path
        assert "https://board.example" in words
        assert "evil" not in words + str(answer.headers)
    assert (
        await client.post("/sign-in", form={"name": "admin", "password": PASSWORD}, headers=forged)
    ).status_code == 421
    for path in ("/healthz", "/readyz"):
        assert (await client.get(path, headers=forged)).status_code == 200
    assert (await client.post(f"{WEBHOOK}?token=hush", data=report(), headers=forged)).status_code == 200


async def test_no_link_bears_a_name_that_somebody_made_up(guarded: Callboard) -> None:
    for host, shown in (
        ("localhost:8000", "http://localhost:8000"),
        ("192.168.1.5:8000", "http://192.168.1.5:8000"),
        ("[2001:db8::1]:8000", "http://[2001:db8::1]:8000"),
        ("evil.example", "<DASHBOARD_PUBLIC_URL>"),
    ):
        answer = await guarded.test_client().get("/openapi.json", headers={"Host": host})
        assert (await answer.get_json())["servers"] == [{"url": shown}]


async def test_a_doubled_slash_leads_to_no_other_host(guarded: Callboard) -> None:
    client = guarded.test_client()
    await sign_in(client)
    answer = await client.get("//audit", headers={"Host": "evil.example"})
    assert "evil" not in answer.headers.get("Location", "")


async def test_robots_are_kept_out_under_every_name_and_the_webhooks_listener_has_nothing_to_list(
    make_app: MakeApp,
) -> None:
    app = await make_app(
        public_url="https://board.example",
        webhook_bind="127.0.0.1:8001",
        webhook_secrets=("hush",),
        admin_password="long enough a password",
    )
    client = app.test_client()
    for host in ("board.example", "203.0.113.9", "localhost"):
        answer = await client.get("/robots.txt", headers={"Host": host})
        assert (answer.status_code, answer.mimetype) == (200, "text/plain")
        assert await answer.get_data() == b"User-agent: *\nDisallow: /\n"
    # It takes reports and answers all else with 404.
    listener = await client.get("/robots.txt", scope_base={"server": ("127.0.0.1", 8001)})
    assert listener.status_code == 404
