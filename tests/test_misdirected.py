"""Reports that are sent to a wrong path: taken where the path can only mean ours, else counted and named."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.filters import CallFilter
from dashboard.roles import EVERYTHING, VIEWER, Rights
from dashboard.web.misdirected import is_report_like, is_webhook_path, shown_path
from dashboard.web.parts import Callboard
from tests.reports import WEBHOOK, report
from tests.running import NO_TLS, RunningBoard
from tests.signed_in import browser_of
from tests.test_hooks import stored
from tests.test_roles import text

MakeApp = Callable[..., Awaitable[Callboard]]
SECRET = "a-secret-of-some-length"


@pytest.mark.parametrize(
    "path",
    [
        "//webhook/call-webhook",
        "/webhook//call-webhook//",
        "/webhook/call-webhook/",
        "/webhook/call-webhook%20",
        "/Webhook/Call-Webhook",
    ],
)
async def test_a_path_that_can_only_mean_the_webhooks_takes_reports(make_app: MakeApp, path: str) -> None:
    app = await make_app(webhook_secrets=(SECRET,))
    response = await app.test_client().post(f"{path}?token={SECRET}", data=report())
    assert response.status_code == 200
    assert (await app.test_client().post(f"{path}?token=wrong", data=report())).status_code == 401
    assert (await app.test_client().get(f"{path}?token={SECRET}")).status_code == 405
    assert await stored(app) == (1, ["new"])
    assert app.hooks.misdirected == 0


WRONG_PATHS = [
    "/",
    "/webhook",
    "/webhook/call-webhook/x",
    "/webhooks/call-webhook",
    "/call-webhook",
    "/api/calls",
    "/webhook/call-webhook/webhook/call-webhook",
    "/static/webhook",
]


@pytest.mark.parametrize("path", WRONG_PATHS)
@pytest.mark.parametrize("with_secret", [True, False], ids=["secret", "no-secret"])
async def test_a_report_to_a_wrong_path_is_counted_and_named_to_the_admin(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, path: str, with_secret: bool
) -> None:
    app = await make_app(webhook_secrets=(SECRET,), admin_password="long enough a password")
    caplog.set_level(logging.INFO)
    caplog.clear()
    query = f"?token={SECRET}" if with_secret else ""
    for _ in range(3):
        response = await app.test_client().post(path + query, data=report())
        assert response.status_code == 404
        assert WEBHOOK in (await response.get_json())["message"]
    assert await stored(app) == (0, [])
    assert app.hooks.misdirected == 3
    assert app.refusals.last is not None
    sentence = f"A report was sent to the path {path} and refused: the path must be {WEBHOOK}."
    assert app.refusals.last.problem == sentence
    assert [record.getMessage().partition(" Nothing of it")[0] for record in caplog.records] == [sentence]
    assert SECRET not in caplog.text


async def test_a_report_that_anybody_sent_does_not_take_the_place_of_a_refused_one_of_the_platform(
    make_app: MakeApp,
) -> None:
    app = await make_app(webhook_secrets=(SECRET,), admin_password="long enough a password")
    client = app.test_client()
    await client.post("/elsewhere", data=report())
    assert app.refusals.last is not None
    assert "/elsewhere" in app.refusals.last.problem
    await client.post(f"{WEBHOOK}?token=wrong", data=report())
    wrong = app.refusals.last
    assert "wrong webhook secret" in wrong.problem
    await client.post("/elsewhere", data=report())
    assert app.refusals.last == wrong
    await client.post(f"/elsewhere?token={SECRET}", data=report())
    assert "/elsewhere" in app.refusals.last.problem
    await client.post("/another", data=report(), headers={"X-Forwarded-For": "203.0.113.9"})
    problems = [each.problem for each in app.refusals.recent()]
    # Each reason keeps its last refusal, whatever came after it.
    assert [wrong.problem in problems, "/elsewhere" in problems[0]] == [True, True]


async def test_one_sender_changes_the_named_path_once_a_minute(make_app: MakeApp) -> None:
    app = await make_app(webhook_secrets=(SECRET,), proxy_hops=1)
    client = app.test_client()

    async def named_after(path: str, sender: str) -> str:
        await client.post(path, data=report(), headers={"X-Forwarded-For": sender})
        return app.refusals.last.problem if app.refusals.last else ""

    assert "/first" in await named_after("/first", "203.0.113.9")
    assert "/first" in await named_after("/second", "203.0.113.9")
    assert "/third" in await named_after("/third", "198.51.100.7")
    assert app.hooks.misdirected == 3


async def test_only_admins_read_which_path_it_was_on_the_page_and_in_its_stream(make_app: MakeApp) -> None:
    app = await make_app(webhook_secrets=(SECRET,))
    await app.test_client().post(f"{WEBHOOK}?token={SECRET}", data=report())
    await app.feed.look()
    admin, viewer = await browser_of(app, "ada", EVERYTHING), await browser_of(app, "vani", Rights(VIEWER))
    await app.test_client().post("/Board-moved-to/evil", data=report())
    app.feed._refresh_notices()
    wrong_path = "A report was sent to a wrong path of this server and refused"
    of_admin, of_viewer = [await text(browser, "/") for browser in (admin, viewer)]
    assert "/Board-moved-to/evil" in of_admin
    assert "evil" not in of_viewer
    assert wrong_path in of_viewer
    seen = {is_masked: app.feed.notices_for(CallFilter(), is_masked=is_masked) for is_masked in (True, False)}
    assert ["evil" in seen[is_masked] for is_masked in (True, False)] == [False, True]
    await app.test_client().post(f"{WEBHOOK}?token=wrong", data=report())
    app.feed._refresh_notices()
    assert ["wrong webhook secret" in (page := await text(viewer, "/")), wrong_path in page] == [True, True]


async def test_the_board_names_the_path_and_the_metrics_count_it(app: Callboard) -> None:
    client = app.test_client()
    await client.post("/hooks/callkaro?token=canary", data=report())
    app.feed._refresh_notices()
    html = await (await client.get("/?period=today", follow_redirects=True)).get_data(as_text=True)
    assert "A report was sent to the path /hooks/callkaro and refused: the path must be /webhook/call-webhook." in html
    assert "canary" not in html
    assert "callboard_misdirected_reports_total 1" in await (await client.get("/metrics")).get_data(as_text=True)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/nowhere", {"data": b'{"hello": 1}'}),
        ("/nowhere", {"data": b""}),
        ("/nowhere", {"data": report(), "headers": {"Origin": "https://elsewhere.example"}}),
        ("/sign-in", {"data": report()}),
    ],
    ids=["another", "empty", "page", "form"],
)
async def test_what_is_no_report_or_has_a_page_of_its_own_is_answered_as_before(
    app: Callboard, path: str, options: dict[str, object]
) -> None:
    response = await app.test_client().post(path, **options)
    assert b"Nothing was stored" not in await response.get_data()
    assert (app.hooks.misdirected, app.refusals.last) == (0, None)


async def test_guessing_the_secret_at_other_paths_is_slowed_down_too(make_app: MakeApp) -> None:
    app = await make_app(webhook_secrets=(SECRET,))
    client = app.test_client()
    for guess in range(30):
        await client.post(f"/x?token={guess}", data=b"{}")
    await client.post(f"/x?token={SECRET}", data=b"{}")
    assert app.hooks.misdirected == 0
    # Who sends reports is let in all the same.
    assert (await client.post(f"{WEBHOOK}?token={SECRET}", data=report())).status_code == 200


async def test_over_a_socket_a_large_misdirected_report_gets_its_answer(
    start_board: Callable[..., RunningBoard],
) -> None:
    board = start_board(DASHBOARD_WEBHOOK_SECRET=SECRET)

    async def send() -> list[int]:
        async with httpx.AsyncClient(base_url=board.url, verify=NO_TLS, trust_env=False) as client:
            large = report(transcription="x" * 2**20)
            answers = [await client.post(path, content=large) for path in ("/hooks", "/webhook/x")]
            answers.append(await client.post("/nowhere", content=b"[" + b"1," * 2**19 + b"1]"))
            return [answer.status_code for answer in answers]

    assert await asyncio.wait_for(send(), 15) == [404, 404, 404]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/webhook/call-webhooks", "/webhook/call-webhooks"),
        (f"/webhook/{SECRET}", "/webhook/…"),
        ("/webhook/call-webhook&token=abc", "/webhook/call-webhook…token…"),
        ("/webhook/0123456789abcdef0123456789abcdef", "/webhook/…"),
        ("/to/+91 98765 43210/x", "/to/…/x"),
        ("/x/moved.to:https:/evil.example/sign-in", "/x/moved…to…https…/evil…example/sign-in"),
        ("/<script>alert(1)</script>\x1b[31m", "/…script…alert…1…/script…31m"),
        ("/" + "ab/" * 500, "/" + "ab/" * 19 + "ab…"),
    ],
)
def test_a_path_is_shown_without_what_may_be_private(path: str, shown: str) -> None:
    assert shown_path(path, [SECRET]) == shown


@given(st.text(max_size=400))
def test_any_path_is_shown_short_and_plain(path: str) -> None:
    shown = shown_path("/" + path, [SECRET])
    assert len(shown) <= 61
    assert re.fullmatch("[A-Za-z0-9/_…-]*", shown)


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        (report(), True),
        (b"\xef\xbb\xbf \n" + report(), True),
        (b'{"event": "call_ended"}', False),
        (b'[{"event": 1, "data": 2}]', False),
        (b"event=call_ended&data=1", False),
        (b"", False),
    ],
)
def test_a_report_is_known_by_its_beginning(body: bytes, is_one: bool) -> None:
    assert is_report_like(body) is is_one


@pytest.mark.parametrize("path", ["/webhook/call-webhook/x", "/webhookcall-webhook", "/", "", "//", "/webhook"])
def test_other_paths_do_not_mean_the_webhook(path: str) -> None:
    assert not is_webhook_path(path)
