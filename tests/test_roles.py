"""What a role may see and do, and the campaigns an account is limited to: at every address, page and stream alike."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client
from sqlmodel import Session

from dashboard.filters import CallFilter, read_limited
from dashboard.notices import Trouble
from dashboard.roles import ADMIN, REVIEWER, VIEWER, Rights
from dashboard.store.accounts import disable, find_account, set_rights
from dashboard.web.parts import Callboard
from tests.forms import post, post_by_htmx
from tests.reports import WEBHOOK, report
from tests.signed_in import browser_of
from tests.stored import rows, sql

CANARY = "9812345678"
OTHER = "8044556677"
"""The company's own number, from which it was called."""
TO_ALL = [
    ("boss", Rights(ADMIN)),
    ("ravi", Rights(REVIEWER)),
    ("vani", Rights(VIEWER)),
    ("nora", Rights(VIEWER, ("north",))),
]
STREAMS = {
    "live.live": "/live?after=0",
    "wall.wall_live": "/wall/live?period=today",
    "inbox_live.inbox_live": "/inbox/live?after=0",
}
MakeApp = Callable[..., Awaitable[Callboard]]


def a_call_full_of_numbers(**changes: Any) -> bytes:
    """A call whose number stands wherever a report can hold it, in every way of writing it."""
    return report(
        "canary",
        **{
            "from_": f"91{OTHER}",
            "to": f"91{CANARY}",
            "batchId": "north",
            "call_metadata": {"name": f"Asha {CANARY}", "phone": int(CANARY), f"of +91 {CANARY}": "yes"},
            "transcription": "Agent: So your number is 98123-45678?\nUser: Yes, +91 98123 45678.",
            "disposition_reason": f"Call back on 0{CANARY}",
            "post_call": {"callback": f"{CANARY[:5]} {CANARY[5:]}"},
            "post_call_detail": {"callback": {"value": CANARY, "comment": f"said {CANARY} twice"}},
            "functions_called": [{"name": "dial", "success": True, "args": {"to": [f"+91{CANARY}"]}}],
            "call_link": f"https://callkaro.ai/calls?number=91{CANARY}",
            "recordingUrl": f"http://127.0.0.1:9/{CANARY}.mp3",
            "extra": {"nested": [int(f"91{CANARY}")]},
            **changes,
        },
    )


def has_number(text: str, number: str = CANARY) -> bool:
    """Whether a number can be read in a text, whatever stands between its digits."""
    return number in re.sub(r"[\W_]", "", text) or number in text


@pytest.fixture
async def app(make_app: MakeApp) -> Callboard:
    """A board with a call full of numbers and another campaign's call to the same person."""
    made = await make_app()
    client = made.test_client()
    later = a_call_full_of_numbers(disposition_reason="", post_call={"callback": f"rather +91-{CANARY}"})
    south = report("south", to=f"91{CANARY}", from_="", batchId="south", call_metadata={"name": "Bina"}, agent="zoya")
    for body in (a_call_full_of_numbers(), later, south):
        assert (await client.post(WEBHOOK, data=body)).status_code == 200
    await made.feed.look()
    return made


async def text(client: Client, path: str, status: int = 200, headers: dict[str, str] | None = None) -> str:
    answer = await client.get(path, headers=headers)
    assert answer.status_code == status, path
    return str(await answer.get_data(as_text=True))


@asynccontextmanager
async def stream(client: Client, path: str) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """What a stream brings, up to the moment at which it holds what is waited for."""
    async with client.request(path) as connection:
        await connection.send_complete()

        async def until(part: str) -> str:
            read = b""
            async with asyncio.timeout(5):
                while part.encode() not in read:
                    read += await connection.receive()
            return read.decode()

        yield until
        await connection.disconnect()


async def everything_of(app: Callboard, client: Client) -> dict[str, str]:
    """What every address that can be read answers, by address."""
    answers = {}
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint == "static_file" or rule.endpoint in STREAMS:
            continue
        _, path = rule.build(dict.fromkeys(rule.arguments, 1)) or ("", "")
        answers[path] = str(await (await client.get(path)).get_data(as_text=True))
    for path in (
        "/?campaign=north",
        "/?before=99999999999999999-9",
        "/wall?from=2020-01-01",
        "/calls/1?stage=converted",
    ):
        answers[path] = await text(client, path)
    answers["/calls/1 alone"] = await text(client, "/calls/1", headers={"HX-Request-Type": "partial"})
    async with stream(client, "/live?after=0") as until:
        answers["/live"] = await until('id="call-1"')
    async with stream(client, "/wall/live?from=2020-01-01") as until:
        answers["/wall/live"] = await until("wall-figures")
    return answers


# Masked numbers


async def test_whoever_may_not_see_numbers_finds_none_at_any_address(app: Callboard) -> None:
    for name, rights in TO_ALL:
        if rights.sees_numbers:
            continue
        answers = await everything_of(app, await browser_of(app, name, rights))
        assert [path for path, html in answers.items() if has_number(html) or has_number(html, OTHER)] == [], rights
        for path in ("/", "/live", "/calls/1", "/wall/live", "/calls/1 alone"):
            assert "98•••••678" in answers[path], path


async def test_an_admin_sees_numbers_where_they_are_needed_and_none_on_the_wall(app: Callboard) -> None:
    answers = await everything_of(app, await browser_of(app, "boss", Rights(ADMIN)))
    assert {path for path, html in answers.items() if has_number(html)} >= {"/", "/live", "/calls/1"}
    assert "/number" not in answers["/calls/1"], "there is nothing to be shown"
    assert not has_number(answers["/wall?from=2020-01-01"])
    assert not has_number(answers["/wall/live"])


async def test_a_number_that_a_later_report_corrected_is_masked_too(app: Callboard) -> None:
    client = await browser_of(app, "vani", Rights(VIEWER))
    corrected = a_call_full_of_numbers(to="917000000001")
    assert (await app.test_client().post(WEBHOOK, data=corrected)).status_code == 200
    page = await text(client, "/calls/1", headers={"HX-Request-Type": "partial"})
    page = page[page.index("<aside") :]
    assert "A later report changed" in page
    assert not has_number(page)
    assert not has_number(page, "7000000001")


@pytest.mark.parametrize("path", ["/api/calls/1", "/api/calls", "/calls.csv", "/calls.jsonl", "/calls/1"])
async def test_a_number_of_an_earlier_report_is_masked_for_programs_and_exports_too(app: Callboard, path: str) -> None:
    said = "User: Ring 9123 4567."
    for number in ("+6591234567", "919000000001"):
        body = report("canary", to=number, transcription=said, disposition_reason=said)
        assert (await app.test_client().post(WEBHOOK, data=body)).status_code == 200
    boss, ravi = await browser_of(app, "boss", Rights(ADMIN)), await browser_of(app, "ravi", Rights(REVIEWER))
    if path != "/api/calls":
        assert has_number(await text(boss, path), "91234567")
    assert not has_number(await text(ravi, path), "91234567")


async def test_a_link_that_holds_the_number_is_told_as_text(app: Callboard) -> None:
    assert 'href="https://callkaro.ai/calls?number' in await text(app.test_client(), "/calls/1")
    page = await text(await browser_of(app, "vani", Rights(VIEWER)), "/calls/1")
    assert 'href="https://callkaro.ai' not in page
    assert "https://callkaro.ai/calls?number=9198•••••678" in page


async def test_rows_are_drawn_for_each_as_they_may_see_them_from_one_stream(app: Callboard) -> None:
    boss, vani = await browser_of(app, "boss", Rights(ADMIN)), await browser_of(app, "vani", Rights(VIEWER))
    async with stream(boss, "/live") as seen_by_boss, stream(vani, "/live") as seen_by_vani:
        body = report("new", to=f"91{CANARY}", call_metadata={"name": "Chitra"})
        # Both pages wait at the same number.
        await seen_by_boss(":"), await seen_by_vani(":")
        await app.test_client().post(WEBHOOK, data=body)
        assert has_number(await seen_by_boss("Chitra"))
        assert not has_number(await seen_by_vani("Chitra"))


# A number shown when it is needed


async def test_a_reviewer_has_a_number_shown_and_it_is_written_down(app: Callboard) -> None:
    client = await browser_of(app, "ravi", Rights(REVIEWER))
    assert 'action="/calls/1/number"' in await text(client, "/calls/1")
    answer = await post_by_htmx(client, "/calls/1/number")
    assert answer.headers["Cache-Control"] == "no-store"
    shown = await answer.get_data(as_text=True)
    assert "<bdi>+91 98123 45678</bdi>" in shown
    assert 'hx-target="#reveal"' in shown  # the button that asked for it goes
    lines = [(line["account"], line["action"], line["about"]) for line in rows(app.database, "audit")]
    assert lines == [("ravi", "number shown", "/calls/1")]


async def test_without_javascript_the_page_comes_back_with_that_number_and_no_other(app: Callboard) -> None:
    client = await browser_of(app, "ravi", Rights(REVIEWER))
    answer = await post(client, "/calls/1/number?campaign=north")
    page = await answer.get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert '<span id="call-number" aria-live="polite">+91 98123 45678</span>' in page
    assert page.count("98123 45678") == 1
    assert "/number" not in page
    assert not has_number(page, OTHER)
    assert 'data-query="campaign=north"' in page
    assert len(rows(app.database, "audit")) == 1


async def test_a_viewer_has_no_button_and_no_way_around_it(app: Callboard) -> None:
    client = await browser_of(app, "vani", Rights(VIEWER))
    assert "/number" not in await text(client, "/calls/1")
    for send in (post, post_by_htmx):
        answer = await send(client, "/calls/1/number")
        assert answer.status_code == 403
        assert not has_number(await answer.get_data(as_text=True))
    assert rows(app.database, "audit") == []


# A limit to campaigns


async def test_a_limited_account_finds_nothing_of_other_campaigns_anywhere(app: Callboard) -> None:
    client = await browser_of(app, "nora", Rights(REVIEWER, ("north",)))
    answers = await everything_of(app, client)
    answers["chosen"] = await text(client, "/?agent=none")
    async with stream(client, "/live?after=0") as until:
        answers["figures"] = await until('id="figures"')
    assert [path for path, html in answers.items() if re.search("Bina|south|zoya", html)] == []
    for path in ("/", "/?campaign=north", "/wall?from=2020-01-01", "figures"):
        assert 'data-figure="calls" data-value="1"' in answers[path], path
    assert json.loads(answers["/api/board"]) == {"calls": 1, "simulated": 0}
    assert 'id="outside" data-outside="0"' in await text(client, "/?campaign=north")
    assert answers["/calls/1"].count('<li data-stage="') == 1, "attempts of other campaigns"


async def test_an_address_widens_no_limit(app: Callboard) -> None:
    client = await browser_of(app, "nora", Rights(VIEWER, ("north",)))
    page = await text(client, "/?campaign=south")
    assert 'data-figure="calls" data-value="0"' in page
    assert "Bina" not in page
    assert "Clear all" in page
    assert "Clear all" not in await text(client, "/"), "a limit is no choice that could be cleared"
    for query in ("scope=south", "scope=", "period=30d&scope=south&scope=north"):
        page = await text(client, f"/?{query}")
        assert "Bina" not in page
        assert "scope=south" not in page


async def test_a_call_outside_the_limit_is_no_call(app: Callboard) -> None:
    client = await browser_of(app, "nora", Rights(REVIEWER, ("north",)))
    answers = [await text(client, f"/calls/{call_id}", 404) for call_id in (2, 99)]
    assert answers[0] == answers[1]
    assert await text(client, "/calls/2/recording", 404) == await text(client, "/calls/99/recording", 404)
    for call_id in (2, 99):
        assert (await post(client, f"/calls/{call_id}/number")).status_code == 404
    assert rows(app.database, "audit") == []


async def test_a_recording_outside_the_limit_is_not_played(app: Callboard) -> None:
    await app.test_client().post(
        WEBHOOK, data=report("heard", batchId="south", recordingUrl="http://127.0.0.1:9/a.mp3")
    )
    app.keep.path("a" * 64).parent.mkdir(parents=True, exist_ok=True)
    app.keep.path("a" * 64).write_bytes(b"sound")
    sql(app.database, f"UPDATE recording SET file = '{'a' * 64}', state = 'kept', content_type = 'audio/mpeg'")
    nora = await browser_of(app, "nora", Rights(VIEWER, ("north",)))
    sara = await browser_of(app, "sara", Rights(VIEWER, ("south",)))
    assert (await nora.get("/calls/3/recording")).status_code == 404
    assert (await sara.get("/calls/3/recording")).status_code == 200


async def test_whoever_hears_a_recording_is_written_down_and_seeking_on_in_it_is_not(app: Callboard) -> None:
    await app.test_client().post(WEBHOOK, data=report("heard", recordingUrl="http://127.0.0.1:9/a.mp3"))
    app.keep.path("a" * 64).parent.mkdir(parents=True, exist_ok=True)
    app.keep.path("a" * 64).write_bytes(b"s" * 100_000)
    sql(app.database, f"UPDATE recording SET file = '{'a' * 64}', state = 'kept', content_type = 'audio/mpeg'")
    asha, vani = [await browser_of(app, name, Rights(VIEWER)) for name in ("asha", "vani")]
    for told, client in ((1, asha), (2, vani)):
        for _ in range(2):
            await client.get("/calls/3/recording", headers={"Range": "bytes=70000-"})
            assert len(rows(app.database, "audit")) == told, "whoever begins in the middle has opened it, once"
    sql(app.database, "DELETE FROM audit WHERE account = 'asha'")
    told, seeks = 1, ("bytes=65536-", "bytes=70000-80000", "bytes=99999-", "bytes=100000-")
    openings = ("bytes=0-", "bytes=0-99", "bytes=1-", "bytes=00-", "bytes=00001-", "bytes=65535-")
    others = ("bytes=-99999999", "bytes=-1", "items=0-", "BYTES=0-", "bytes=70000-,0-", "bytes=9-1", "nonsense", "")
    for asked in (*seeks, *openings, *others, None):
        headers = {} if asked is None else {"Range": asked}
        answer = await vani.get("/calls/3/recording", headers=headers)
        told += asked not in seeks and answer.status_code != 416
        assert (len(rows(app.database, "audit")), asked) == (told, asked)
    assert told >= len(openings) + len(others)
    await vani.get("/calls/3/recording", headers={"Range": "bytes=70000-", "If-Range": '"another"'})
    lines = rows(app.database, "audit")
    assert {(line["account"], line["action"], line["about"]) for line in lines} == {
        ("vani", "recording opened", "/calls/3")
    }
    assert len(lines) == told + 1, "a range of another version is answered with everything"
    sql(app.database, "UPDATE audit SET at = at - 3601000000")
    await vani.get("/calls/3/recording", headers={"Range": "bytes=70000-"})
    assert len(rows(app.database, "audit")) == told + 2, "whoever comes back later opens it again"


async def test_calls_without_a_campaign_are_a_limit_like_any_other(app: Callboard) -> None:
    await app.test_client().post(
        WEBHOOK, data=report("none", batchId="", call_metadata={"name": "Dev"}, to=f"91{CANARY}")
    )
    await app.feed.look()
    client = await browser_of(app, "nina", Rights(VIEWER, ("none",)))
    assert re.findall(r'<tr id="(call-\d+)"', await text(client, "/")) == ["call-3"]
    assert (await text(client, "/calls/3")).count('<li data-stage="') == 1
    await text(client, "/calls/1", 404)


async def test_notices_of_single_reports_are_not_for_those_who_see_some_campaigns(app: Callboard) -> None:
    feed = app.feed
    feed._trouble = Trouble(int(feed.now.timestamp()) * 1_000_000, "The body is not JSON.", "")
    feed._refresh_notices()
    nora, vani = (
        await browser_of(app, "nora", Rights(VIEWER, ("north",))),
        await browser_of(app, "vani", Rights(VIEWER)),
    )
    await app.test_client().post(WEBHOOK, data=report("new", batchId="south", hangup_reason="SECRET_OF_THE_SOUTH"))
    await feed.look()
    feed._refresh_notices()
    for words in ("could not be read", "SECRET_OF_THE_SOUTH"):
        assert words in await text(vani, "/")
        assert words not in await text(nora, "/")
    assert feed.notices_for(CallFilter(scope=("north",)), is_masked=True) is feed.notices_within


async def test_a_wall_that_a_limited_account_shares_keeps_to_its_limit(app: Callboard) -> None:
    client = await browser_of(app, "nora", Rights(REVIEWER, ("north",)))
    page = await (await post(client, "/wall/links", **{"from": "2020-01-01"})).get_data(as_text=True)
    link = re.search(r'id="wall-address">http://[^/]+(/wall[^<]+)<', page)
    assert link is not None
    address = link[1].replace("&amp;", "&")
    assert "north" not in address
    passer_by = app.test_client()
    wall = await text(passer_by, address)
    assert 'data-figure="calls" data-value="1"' in wall
    assert not has_number(wall)
    assert "<bdi>north</bdi>" in wall
    assert "All campaigns" not in wall
    async with stream(passer_by, address.replace("/wall?", "/wall/live?")) as until:
        assert "Bina" not in await until("wall-figures")
    assert (await passer_by.get(f"{address}&campaign=south")).status_code == 303


@pytest.mark.parametrize("change", ["rights", "disabled"])
async def test_walls_that_were_shared_end_with_the_rights_of_who_shared_them(app: Callboard, change: str) -> None:
    links = {}
    for name in ("nora", "ravi"):
        client = await browser_of(app, name, Rights(REVIEWER))
        page = await (await post(client, "/wall/links", **{"from": "2020-01-01"})).get_data(as_text=True)
        found = re.search(r'id="wall-address">http://[^/]+(/wall[^<]+)<', page)
        assert found is not None
        links[name] = found[1].replace("&amp;", "&")

    def end(session: Session) -> None:
        account = find_account(session, "nora")
        assert account is not None
        if change == "rights":
            set_rights(session, account, Rights(REVIEWER, ("north",)))
        else:
            disable(session, account, 1)

    await browser_of(app, "boss", Rights(ADMIN))
    await app.database.write(end)
    assert (await app.test_client().get(links["nora"])).status_code == 303
    await text(app.test_client(), links["ravi"])


def test_a_limit_is_kept_beside_a_filter_and_never_in_its_address() -> None:
    wanted = CallFilter(campaign=("north & south",), period="today", scope=("a=b", "north & south"))
    assert read_limited(wanted.limited_query()) == wanted
    assert "scope" not in wanted.query()
    assert read_limited("period=today") == CallFilter(period="today")


# What is for admins


async def test_admins_pages_are_refused_with_a_sentence_to_all_others(app: Callboard) -> None:
    for name, rights in TO_ALL:
        client = await browser_of(app, name, rights)
        is_admin = rights.role == ADMIN
        own_page = await text(client, "/account")
        for path in ("/audit", "/accounts"):
            page = await text(client, path, 200 if is_admin else 403)
            assert is_admin or "This is for admins" in page
            assert (f'href="{path}"' in own_page) == is_admin
        assert ('href="/accounts"' in await text(client, "/")) == is_admin


async def test_what_reaches_everybody_is_done_by_admins_alone(app: Callboard) -> None:
    client = await browser_of(app, "ravi", Rights(REVIEWER))
    before = [rows(app.database, table) for table in ("account", "call", "audit")]
    form = {"change": "add", "name": "mine", "password": "long enough", "role": "admin"}
    for path in ("/accounts", "/test-call", "/wall/links/end"):
        assert (await post(client, path, **form)).status_code == 403, path
    assert [rows(app.database, table) for table in ("account", "call", "audit")] == before


async def test_a_limited_account_is_not_shown_what_a_call_said_in_another_campaign(app: Callboard) -> None:
    client = app.test_client()
    for campaign, reason in (("south-secret", "USER_REJECTED"), ("north", "USER_BUSY"), ("north", "CLIENT_INITIATED")):
        await client.post(WEBHOOK, data=report("moved", batchId=campaign, hangup_reason=reason))
    call_id = max(row["id"] for row in rows(app.database, "call"))
    limited = await text(await browser_of(app, "nora", Rights(VIEWER, ("north",))), f"/calls/{call_id}")
    assert "south-secret" not in limited
    assert "USER_REJECTED" not in limited
    assert "USER_BUSY" in limited
    assert "in another campaign" in limited
    assert "south-secret" in await text(await browser_of(app, "vani", Rights(VIEWER)), f"/calls/{call_id}")


async def test_a_limited_account_finds_no_report_from_another_campaign_at_any_address(app: Callboard) -> None:
    for campaign in ("south-secret", "north"):
        await app.test_client().post(WEBHOOK, data=report("moved", batchId=campaign))
    await app.feed.look()
    call_id = max(row["id"] for row in rows(app.database, "call"))
    nora = await browser_of(app, "nora", Rights(REVIEWER, ("north",)))
    lists = ("/api/calls", "/api/calls?after_seq=0", "/calls.csv", "/calls.jsonl", "/")
    for address in (f"/calls/{call_id}", f"/api/calls/{call_id}", *lists):
        assert "south-secret" not in await text(nora, address), address
    for address in ("/inbox", f"/inbox?call={call_id}", "/inbox/1", "/inbox/1/body", "/audit"):
        await text(nora, address, 403)
