"""The inbox's pages, in process: the list, a report, its bytes, replaying, and the stream of an open list."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quart.typing import TestClientProtocol as Client

from dashboard.callkaro.report import Unreadable
from dashboard.roles import VIEWER, Rights
from dashboard.store.accounts import add_account, start_session
from dashboard.store.inbox import Arrival
from dashboard.store.inbox_list import Wanted
from dashboard.streams import RELOAD, Visit
from dashboard.web.inbox import MOST_SHOWN_BYTES, body_text
from dashboard.web.inbox_live import follow_inbox
from dashboard.web.parts import Callboard, now_micros
from dashboard.web.visitor import COOKIE
from tests.events import read_events
from tests.forms import post
from tests.reports import WEBHOOK, report
from tests.stored import INDIA, rows, told

MakeApp = Callable[..., Awaitable[Callboard]]
MARKUP = "<script>alert(1)</script>"


async def take(client: Client, *bodies: bytes) -> None:
    for body in bodies:
        await client.post(WEBHOOK, data=body, headers={"User-Agent": "CallKaro/1", "Content-Type": "application/json"})


async def page(client: Client, path: str, status: int = 200) -> str:
    response = await client.get(path)
    assert response.status_code == status, path
    return await response.get_data(as_text=True)


def listed(html: str) -> list[tuple[int, str]]:
    """(id, verdict) of the rows of the list."""
    found = re.findall(r'<tr id="report-(\d+)" class="report-row" data-key="\d+" data-verdict="(\w+)"', html)
    return [(int(inbox_id), verdict) for inbox_id, verdict in found]


async def puzzle(app: Callboard, *bodies: bytes) -> None:
    """Store these as a board did whose reader could not make anything of them."""
    for body in bodies:
        await app.intake.keep(Arrival(now_micros(), body, Unreadable("What is this?")))


async def test_a_packed_report_is_shown_and_downloaded_unpacked(client: Client) -> None:
    headers = {"Content-Encoding": "gzip"}
    cut = gzip.compress(report("cut"))[:-1]
    await client.post(WEBHOOK, data=gzip.compress(report("packed")), headers=headers)
    await client.post(WEBHOOK, data=cut, headers=headers)
    await client.post(WEBHOOK, data=report("plain"))
    html = await page(client, "/inbox/1")
    assert "<dt><code>Content-Encoding</code></dt><dd><bdi>gzip</bdi></dd>" in html
    assert "Unpacked from gzip, the download too. Indented for reading" in html
    assert "&#34;callSid&#34;: &#34;packed&#34;" in html
    assert await (await client.get("/inbox/1/body")).get_data() == report("packed")
    assert "Unpacked" not in await page(client, "/inbox/2")
    assert await (await client.get("/inbox/2/body")).get_data() == cut
    assert "Content-Encoding" not in await page(client, "/inbox/3")


async def test_an_empty_inbox_says_so(client: Client) -> None:
    html = await page(client, "/inbox")
    assert "No report has come yet." in html
    assert 'href="/inbox" aria-current="page">Inbox' in html


async def test_every_report_is_listed_newest_first_with_what_became_of_it(client: Client) -> None:
    await take(client, report("a"), report("a", agent="x"), report("a"), b'{"event":"whatsapp"}', b"{")
    html = await page(client, "/inbox")
    assert listed(html) == [(5, "unreadable"), (4, "ignored"), (3, "duplicate"), (2, "changed"), (1, "new")]
    assert "The body is not JSON" in html
    assert "event <bdi>whatsapp</bdi>" in html
    assert 'repeats <a href="/inbox/1">report 1</a>' in html
    assert html.count('<a href="/calls/1">Call 1</a>') == 3
    assert "CallKaro/1" in html
    assert listed(await page(client, "/inbox?verdict=unreadable")) == [(5, "unreadable")]
    assert [inbox_id for inbox_id, _ in listed(await page(client, "/inbox?call=1"))] == [3, 2, 1]
    assert "No report matches." in await page(client, "/inbox?call=7&verdict=")


async def test_older_reports_are_reached_page_by_page_and_none_twice(client: Client) -> None:
    await take(client, *(b"{" + b" " * number for number in range(130)), report("a"))
    found: list[int] = []
    path, html = "/inbox?verdict=unreadable", ""
    while path:
        html = await page(client, path)
        found += [inbox_id for inbox_id, _ in listed(html)]
        older = re.search(r'<p id="older"><a href="([^"]+)"', html)
        path = older[1].replace("&amp;", "&") if older else ""
    assert found == list(range(130, 0, -1))
    assert "Back to the newest" in html
    assert "hx-sse:connect" not in html


async def test_an_address_that_cannot_be_read_is_told_why(client: Client) -> None:
    for query in ("verdict=odd", "call=x", "call=-1", "before=x", "before=-1", "call=" + "9" * 40, "verdict=%00"):
        assert "This address cannot be read" in await page(client, f"/inbox?{query}", 400), query


async def test_a_report_is_shown_with_what_it_changed_its_headers_and_its_body(client: Client) -> None:
    await take(client, report("a", agent="one"), report("a", agent="two"), report("a", agent="two"))
    html = await page(client, "/inbox/2")
    assert re.search(r"<bdi>agent</bdi></th><td><bdi>one</bdi></td><td><bdi>two</bdi>", html)
    assert "application/json" in html
    assert "&#34;agent&#34;: &#34;two&#34;" in html
    assert '<a href="/inbox/3">' in html
    assert "The first report." in await page(client, "/inbox/1")
    again = await page(client, "/inbox/3")
    assert "The same report again" in again
    assert '<a href="/inbox/2">report 2</a>' in again
    assert "&#34;agent&#34;: &#34;two&#34;" in again


async def test_a_report_that_is_not_there_is_told_so(client: Client) -> None:
    for path in ("/inbox/9", "/inbox/9/body", f"/inbox/{2**63}", f"/inbox/{10**40}/body", "/inbox/x"):
        await page(client, path, 404)


async def test_any_bytes_are_text_on_the_page_and_the_very_bytes_in_the_download(client: Client) -> None:
    bodies = (
        b"\xff\x00\xfe not text",
        MARKUP.encode(),
        f'{{"event": "{MARKUP}", "data": {{"{MARKUP}": "\\ud800\\u0000"}}}}'.encode(),
        b"[" * 60_000,
        b"\x00" * 2_000_000,
        b'{"data": NaN}',
        b"",
        b'{"event":"call_ended","data":{"x":"' + b"y" * 1_900_000 + b'"}}',
    )
    await take(client, *bodies)
    for number, body in enumerate(bodies, 1):
        html = await page(client, f"/inbox/{number}")
        assert MARKUP not in html
        assert "\x00" not in html
        response = await client.get(f"/inbox/{number}/body")
        assert await response.get_data() == body
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"] == f'attachment; filename="report-{number}.json"'
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Encoding" not in response.headers
    assert MARKUP not in await page(client, "/inbox")


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))))
@settings(max_examples=50)
def test_any_body_is_text_that_a_page_can_hold(body: bytes) -> None:
    text = body_text(body).text
    text.encode()
    assert "\x00" not in text


def test_a_body_of_nothing_but_depth_stays_small() -> None:
    for depth in (90, 900, 9_000, 30_000):
        assert len(body_text(b"[" * depth + b"]" * depth).text) < 20 * MOST_SHOWN_BYTES
    assert len(body_text(b"[" * 90 + b",".join([b"[]"] * 20_000) + b"]" * 90).text) <= 8 * MOST_SHOWN_BYTES


# Replaying


async def replayed(client: Client, status: int = 200, **form: str) -> str:
    response = await post(client, "/inbox/replay", **form)
    assert response.status_code == status
    return await response.get_data(as_text=True)


async def test_a_report_that_can_be_read_by_now_is_taken_in_and_the_answer_says_so(app: Callboard) -> None:
    client = app.test_client()
    await puzzle(app, report("a"), report("b"))
    html = await replayed(client, id="1")
    assert "1 report was replayed" in html
    assert "It can be read now: new." in html
    assert '<a href="/calls/1">Call 1</a>' in html
    assert listed(await page(client, "/inbox")) == [(2, "unreadable"), (1, "new")]
    assert '<tr id="call-1"' in await page(client, "/")


async def test_all_of_a_filter_are_replayed_up_to_the_page_they_were_asked_from(app: Callboard) -> None:
    client = app.test_client()
    await puzzle(app, report("a"), report("b"), report("c"))
    await take(client, b"{")
    html = await replayed(client, all="1", verdict="unreadable", call="", upto="3")
    assert "3 reports were replayed" in html
    assert "Go on" not in html
    assert listed(await page(client, "/inbox?verdict=unreadable")) == [(4, "unreadable")]


async def test_what_takes_too_long_goes_on_where_it_stopped(app: Callboard, monkeypatch: pytest.MonkeyPatch) -> None:
    client = app.test_client()
    monkeypatch.setattr("dashboard.web.replay.MOST_AT_ONCE", 2)
    await puzzle(app, *(report(sid) for sid in "abc"))
    html = await replayed(client, all="1", verdict="unreadable", upto="3")
    assert "2 reports were replayed" in html
    assert '<input type="hidden" name="after" value="2">' in html
    html = await replayed(client, all="1", verdict="unreadable", upto="3", after="2")
    assert "1 report was replayed" in html
    assert "Go on" not in html
    assert listed(await page(client, "/inbox?verdict=unreadable")) == []


async def test_nothing_chosen_is_told_and_nothing_done(client: Client) -> None:
    await take(client, report("a"))
    forms: tuple[dict[str, str], ...] = ({}, {"id": "x"}, {"all": "1", "verdict": "odd"}, {"all": "1", "upto": "x"})
    for form in forms:
        assert "Choose reports" in await replayed(client, 400, **form)


# Who may look


@pytest.fixture
async def guarded(make_app: MakeApp) -> Callboard:
    """A board with the admin, whose session is `admin`, and a viewer, whose session is `viewer`."""
    app = await make_app(admin_password="open sesame", webhook_secrets=("hush",))

    def sign_in_both(session: object) -> None:
        add_account(session, "viewer", "no hash", 1, Rights(VIEWER))  # type: ignore[arg-type]
        for account_id, token in ((1, "admin"), (2, "viewer")):
            start_session(session, account_id, token, now_micros())  # type: ignore[arg-type]

    await app.database.write(sign_in_both)
    await app.test_client().post(WEBHOOK + "?token=hush", data=report("a"))
    return app


def as_(app: Callboard, token: str) -> Client:
    client = app.test_client()
    client.set_cookie("localhost", COOKIE, token)
    return client


async def test_only_admins_get_in_and_others_are_told_whom_to_ask(guarded: Callboard) -> None:
    viewer, admin = as_(guarded, "viewer"), as_(guarded, "admin")
    for path in ("/inbox", "/inbox/1", "/inbox/1/body"):
        html = await page(viewer, path, 403)
        assert "This is for admins" in html
        assert "918765432109" not in html
        await page(admin, path)
    assert (await viewer.post("/inbox/replay", form={"id": "1"})).status_code == 403
    assert await page(viewer, "/inbox/live?after=0", 403) == ""
    assert 'href="/inbox"' not in await page(viewer, "/")
    assert 'href="/inbox"' in await page(admin, "/")
    assert await page(guarded.test_client(), "/inbox/live?after=0", 401) == ""


async def test_downloads_and_replays_stand_in_the_audit_log(guarded: Callboard) -> None:
    admin = as_(guarded, "admin")
    await admin.get("/inbox/1/body")
    await replayed(admin, id="1")
    lines = [(line["account"], line["action"], line["about"]) for line in rows(guarded.database, "audit")]
    assert lines == [("admin", "report downloaded", "/inbox/1"), ("admin", "reports replayed", "/inbox/1")]


# The stream of an open inbox


def follow(app: Callboard, wanted: Wanted, cursor: int | None, visit: Visit) -> AsyncIterator[bytes]:
    return follow_inbox(app.feed, app.database, app.draw, wanted, cursor, visit)


async def test_an_open_inbox_gets_everything_since_its_cursor_in_one_write(app: Callboard) -> None:
    await take(app.test_client(), report("a"), b"{", report("b"))
    stream = follow(app, Wanted(), 1, Visit())
    await anext(stream)
    (event,) = read_events(await anext(stream)).events
    assert re.findall(r'id="report-(\d+)"', event.data) == ["2", "3"]
    assert event.id == "3"
    await take(app.test_client(), report("b"))
    (event,) = read_events(await anext(stream)).events
    assert listed(event.data) == [(4, "duplicate")]


async def test_a_filtered_inbox_gets_its_own_reports_alone(app: Callboard) -> None:
    await take(app.test_client(), report("a"), b"{", report("b"))
    stream = follow(app, Wanted("unreadable"), 0, Visit())
    await anext(stream)
    assert listed(read_events(await anext(stream)).events[0].data) == [(2, "unreadable")]


async def test_a_page_that_missed_too_much_or_comes_from_another_life_loads_anew(app: Callboard) -> None:
    await take(app.test_client(), *(b"{" + b" " * number for number in range(100)))
    for cursor in (0, None, 99_999):
        stream = follow(app, Wanted(), cursor, Visit())
        await anext(stream)
        assert [event.type for event in read_events(await anext(stream)).events] == ["reload"]


async def test_an_open_inbox_ends_with_its_visit(app: Callboard) -> None:
    visit = Visit()
    stream = follow(app, Wanted(), 0, visit)
    await anext(stream)
    visit.has_ended = True
    assert [chunk async for chunk in stream] == []


async def test_the_stream_is_served_to_a_page_with_its_cursor(app: Callboard, client: Client) -> None:
    await take(client, report("a"))
    html = await page(client, "/inbox?verdict=new")
    live = re.search(r'hx-sse:connect="([^"]+)"', html)
    assert live is not None
    assert live[1] == f"/inbox/live?verdict=new&amp;after=1&amp;epoch={app.feed.epoch}"
    async with client.request("/inbox/live?verdict=new&after=0", headers={"Last-Event-ID": "0"}) as connection:
        await connection.send_complete()
        assert b":" in await connection.receive()
        assert b'id="report-1"' in await connection.receive()
        await connection.disconnect()
    assert await page(client, "/inbox/live?verdict=odd", 400) == ""


async def test_a_page_from_before_a_restore_is_told_to_load_anew(client: Client) -> None:
    await take(client, report("a"))
    async with client.request("/inbox/live?after=0&epoch=another", headers={"Last-Event-ID": "1"}) as connection:
        await connection.send_complete()
        assert b":" in await connection.receive()
        assert await connection.receive() == RELOAD
        await connection.disconnect()


# What is told on the board and here


async def noticed(app: Callboard, words: str) -> str:
    """The board, once its notices say so: they are drawn a few times a second."""
    async with asyncio.timeout(5):
        while words not in app.feed.notices:
            await app.feed.moved.wait()
    return await page(app.test_client(), "/")


async def test_a_report_that_could_not_be_read_leads_from_the_board_to_the_inbox(app: Callboard) -> None:
    await take(app.test_client(), report("a"), b"{")
    html = await noticed(app, "could not be read")
    assert '<a href="/inbox?verdict=unreadable">Show it in the inbox</a>' in html


async def test_what_nobody_knew_is_told_on_the_board_and_listed_in_the_inbox_after_a_restart_too(
    make_app: MakeApp,
) -> None:
    app = await make_app()
    await take(app.test_client(), report("a", hangup_reason="LINE_BUSY"), told(callSid="b", **{MARKUP: 1}))
    for each in (app, await make_app()):
        board = await noticed(each, "hang-up reason LINE_BUSY (today")
        assert '<a href="/inbox#undocumented">' in board
        html = await page(each.test_client(), "/inbox")
        assert "<bdi>LINE_BUSY</bdi>" in html
        assert MARKUP not in board + html


async def test_a_doubt_about_the_zone_stands_in_the_inbox_with_the_setting(client: Client) -> None:
    late = f"{datetime.now(INDIA) - timedelta(hours=5, minutes=32):%Y-%m-%d %H:%M:%S}"
    await take(client, *(report(f"sid {number}", time=late) for number in range(5)))
    await page(client, "/")  # waits until the feed has them
    html = await page(client, "/inbox")
    assert "set DASHBOARD_SOURCE_TIMEZONE" in html
    assert "read as Asia/Kolkata" in html
