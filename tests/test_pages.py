"""The pages, in process: the board, a call, its recording, the static files, and addresses nobody meant."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from dashboard.app import asset_folder
from dashboard.figures import PEOPLE
from dashboard.render import Renderer
from dashboard.roles import VIEWER, Rights
from dashboard.settings import Settings
from dashboard.store.recordings import claim_due, note_failed, note_kept, want_recordings
from dashboard.web.parts import Callboard
from dashboard.web.request_queue import RequestQueue
from dashboard.web.static_files import serve_static
from tests.recording_host import put
from tests.reports import DOCUMENTED, WEBHOOK, report
from tests.signed_in import browser_of
from tests.stored import INDIA

AUDIO = bytes(range(200))


async def take(client: Client, *bodies: bytes) -> None:
    for body in bodies:
        assert (await client.post(WEBHOOK, data=body)).status_code == 200


async def page(client: Client, path: str, status: int = 200) -> str:
    response = await client.get(path)
    assert response.status_code == status, path
    return await response.get_data(as_text=True)


def listed(html: str) -> list[int]:
    return [int(call_id) for call_id in re.findall(r'<tr id="call-(\d+)"', html)]


# The board


async def test_an_empty_board_says_what_to_do(client: Client) -> None:
    html = await page(client, "/")
    assert "No call has been reported yet." in html
    assert "http://localhost/webhook/call-webhook" in html


async def test_after_a_200_the_next_page_shows_the_call(client: Client) -> None:
    for number in range(5):
        await take(client, report(f"sid-{number}"))
        assert len(listed(await page(client, "/"))) == number + 1


async def test_calls_stand_newest_first_by_their_own_time(client: Client) -> None:
    times = ["2025-12-19 10:00:00", "2025-12-19 12:00:00", "2025-12-19 11:00:00"]
    await take(client, *(report(f"sid-{number}", time=time) for number, time in enumerate(times)))
    assert listed(await page(client, "/")) == [2, 3, 1]


async def test_older_calls_are_reached_page_by_page_and_none_twice(client: Client) -> None:
    await take(client, *(report(f"sid-{number}", time=f"2025-12-19 10:{number % 7:02}:00") for number in range(120)))
    found: list[int] = []
    path = "/"
    while path:
        html = await page(client, path)
        found += listed(html)
        older = re.search(r'<p id="older"><a href="([^"]+)"', html)
        path = older[1].replace("&amp;", "&") if older else ""
    assert len(found) == 120
    assert set(found) == set(range(1, 121))


async def test_a_filter_lists_its_calls_and_every_figure_counts_what_it_links_to(client: Client) -> None:
    await take(
        client,
        report("a", hangup_reason="CLIENT_INITIATED", conversion_status=False),
        report("b", hangup_reason="VOICEMAIL_DETECTED", conversion_status=False),
        report("c", hangup_reason="USER_REJECTED", conversion_status=False),
        report("d", name="agent-test"),
    )
    html = await page(client, "/")
    assert listed(await page(client, "/?stage=voicemail")) == [2]
    figures = dict(re.findall(r'data-figure="(\w+)" data-value="(\d+)"', html))
    assert figures == {
        "calls": "3",
        "dialled": "3",
        "connected": "1",
        "converted": "0",
        "voicemail": "1",
        "talk": "120",
        # All three were calls to the same person.
        "leads": "1",
        "reached": "1",
        "leads_converted": "0",
    }
    for name, value in figures.items():
        if name != "talk" and name not in PEOPLE:
            assert len(listed(await page(client, f"/?figure={name}"))) == int(value), name


@pytest.mark.parametrize(
    "query",
    [
        "stage=nothing",
        "try=x",
        "period=never",
        "from=2025-13-01",
        "before=x",
        "before=-",
        "before=1-2-3",
        "from=2025-01-02&to=2025-01-01",
        "&".join(f"agent={number}" for number in range(101)),
    ],
    ids=range(9),
)
async def test_an_address_that_cannot_be_read_is_told_why(client: Client, query: str) -> None:
    assert "This address cannot be read" in await page(client, f"/?{query}", 400)
    if "before" not in query:
        response = await client.get(f"/live?{query}")
        # Empty: htmx would put the words into the list.
        assert (response.status_code, await response.get_data()) == (400, b"")


@pytest.mark.parametrize(
    "query",
    [
        "campaign=%00",
        "campaign=%ff%fe",
        "campaign=%ed%a0%80",
        "campaign=<script>alert(1)</script>",
        "campaign=" + "x" * 300,
        "from=0001-01-01&to=9999-12-31",
        "to=0001-01-01",
        "from=9999-12-31",
        "before=00000000000000000-0000000000",
        "before=9999999999999999999999999-1",
        "before=1-9999999999999999999999999",
        "before=%D9%A3-%D9%A3",
        "&".join(f"x{number}=1" for number in range(500)),
        "try=-1&try=0&try=none&try=99999999",
        "period=today&campaign=none",
    ],
    ids=range(15),
)
async def test_an_odd_address_is_a_board_all_the_same(client: Client, query: str) -> None:
    await take(client, report())
    assert "<script>alert" not in await page(client, f"/?{query}")


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/calls/0",
        "/calls/2",
        "/calls/-1",
        "/calls/x",
        f"/calls/{2**63}",
        "/calls/" + "9" * 100,
        "/calls/" + "9" * 5000,
        f"/calls/{2**63}/recording",
        "/calls/" + "9" * 5000 + "/recording",
        "/static/nothing.css",
        "/static/../pyproject.toml",
        "/static/%2e%2e/pyproject.toml",
        "/static/..%2fpyproject.toml",
        "/static/%00",
        "/static/",
        "/%ff%fe",
        "/calls/%D9%A3",
    ],
    ids=range(18),
)
async def test_what_is_not_there_is_a_404(client: Client, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_a_starting_board_says_so_and_takes_reports(client: Client, app: Callboard) -> None:
    app.feed.ready.clear()
    response = await client.get("/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert (await client.get("/live")).status_code == 503
    assert (await client.get("/readyz")).status_code == 503
    await take(client, report())


async def test_open_pages_leave_room_for_reports(
    client: Client, app: Callboard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dashboard.machine.most_connections", lambda: 4)
    with app.streams.counted("board"), app.streams.counted("wall"), app.streams.counted("inbox"):
        for path in ("/live", "/wall/live?period=today", "/inbox/live?after=0"):
            response = await client.get(path)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        await take(client, report())
    assert [each.message for each in caplog.records if "raise the limit" in each.message] == [
        "No more than 3 open pages fit. Others wait; raise the limit (ulimit -n, LimitNOFILE=)."
    ]
    assert app.streams.has_room()


async def test_the_static_files_may_be_kept_for_ever(client: Client) -> None:
    html = await page(client, "/")
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', html):
        response = await client.get(address)
        assert response.status_code == 200, address
        assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize("query", ["", "?v=", "?v=wrong", "?v={version}&v=wrong", "?w={version}", "?v={version}x"])
async def test_a_static_file_under_another_hash_is_revalidated(app: Callboard, query: str) -> None:
    client = app.test_client()
    address = "/static/app.js" + query.format(version=app.draw.static_version)
    response = await client.get(address)
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "public, no-cache")
    again = await client.get(address, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "public, no-cache")


async def test_a_static_file_that_was_replaced_since_the_start_is_revalidated(tmp_path: Path) -> None:
    """An upgrade puts new files in place while the old version still runs."""
    (tmp_path / "app.js").write_text("old")
    app = Callboard("dashboard", static_folder=None)
    app.draw = Renderer(asset_folder("templates"), timezone=INDIA, indian_grouping=True, static_version="1")
    app.requests = RequestQueue(Settings(data_folder=tmp_path))
    serve_static(app, tmp_path)
    client = app.test_client()
    assert "immutable" in (await client.get("/static/app.js?v=1")).headers["Cache-Control"]
    (tmp_path / "app.js").write_text("newer")
    response = await client.get("/static/app.js?v=1")
    assert (await response.get_data(), response.headers["Cache-Control"]) == (b"newer", "public, no-cache")


async def test_the_board_counts_for_programs(client: Client) -> None:
    await take(client, report("a"), report("b", call_metadata={"_simulated": True}))
    response = await client.get("/api/board")
    assert await response.get_json() == {"calls": 2, "simulated": 1}


# A call


async def test_a_call_shows_all_its_documented_fields_and_every_other(client: Client) -> None:
    await take(client, report(new_field={"deep": [1]}))
    html = await page(client, "/calls/1")
    assert re.findall(r'data-field="([^"]*)"', html) == [*DOCUMENTED, "new_field"]
    for shown in (
        "Jatin",
        "Customer requested callback",
        "update_crm",
        "Succeeded",
        "Customer showed interest",
        "Picked up, customer hung up",
        "First attempt",
        "Full call transcript...",
    ):
        assert shown in html, shown


async def test_a_call_of_which_nothing_is_known_has_a_page(client: Client) -> None:
    await take(client, b'{"event": "call_ended", "data": {}}')
    html = await page(client, "/calls/1")
    assert html.count("not given</dd>") == len(DOCUMENTED)
    assert "Unknown caller" in html


async def test_a_link_is_a_link_only_where_it_leads_to_the_web(client: Client) -> None:
    await take(
        client, report("a", call_link="https://callkaro.ai/x?a=1&b=2"), report("b", call_link="javascript:alert(1)")
    )
    assert 'href="https://callkaro.ai/x?a=1&amp;b=2" rel="noopener noreferrer nofollow"' in await page(
        client, "/calls/1"
    )
    html = await page(client, "/calls/2")
    assert "javascript:alert(1)" in html
    assert 'href="javascript' not in html


async def test_a_call_tells_what_each_of_its_reports_changed(client: Client) -> None:
    first, later = (
        report(conversion_status=False, post_call={"status": "cold"}),
        report(conversion_status=True, post_call={"status": "hot"}),
    )
    await take(client, first, later, first, report(conversion_status=True, post_call={"status": "hot"}, batchId=""))
    html = await page(client, "/calls/1")
    assert html.count("The first report.") == 1
    assert html.count("A later report changed:") == 1
    assert html.count("it changed nothing") == 1
    assert html.count("it said nothing new") == 1
    assert "post_call › status" in html


async def test_reports_too_large_to_compare_are_told_of_all_the_same(client: Client) -> None:
    await take(client, *(report(transcription=letter * 600_000) for letter in "ab"))
    html = await page(client, "/calls/1")
    assert html.count("The first report.") == 1
    assert html.count("too large to be compared") == 1


async def test_what_is_too_much_for_a_page_is_counted_instead(client: Client) -> None:
    extra: dict[str, Any] = {f"extra{number}": 1 for number in range(1500)}
    await take(
        client,
        report(
            functions_called=[{"name": f"f{number}"} for number in range(1500)],
            post_call={f"v{number}": number for number in range(1500)},
            post_call_detail={},
            transcription="Agent: a\nUser: b\n" * 3000,
            **extra,
        ),
    )
    html = await page(client, "/calls/1")
    assert "1,000 more functions are stored and not shown." in html
    assert "1,000 more variables are stored and not shown." in html
    assert f"{1500 + len(DOCUMENTED) - 500:,} more fields are stored and not shown." in html
    assert "The transcript goes on" in html
    assert html.count('<li class="turn"') == 5000


async def test_of_a_megabyte_in_one_place_a_page_has_the_beginning_and_says_so(client: Client) -> None:
    said = "Agent: " + "a" * 60_000 + "\nUser: after it"
    await take(client, report("long", transcription=said, post_call={"x": "b" * 60_000}))
    html = await page(client, "/calls/1")
    assert html.count("a" * 49_990) == 2, "as a turn, and among all fields"
    assert "a" * 50_001 not in html
    assert "b" * 50_001 not in html
    assert "The transcript goes on; exports and the API have its whole text." in html
    assert "… (60,022 characters in all; exports and the API have them)" in html
    assert "… (60,000 characters in all; exports and the API have them)" in html


async def test_a_problem_is_told_to_whoever_is_signed_in_as_to_somebody_who_is(app: Callboard) -> None:
    browser = await browser_of(app, "asha", Rights(VIEWER))
    answer = await browser.get("/nosuch")
    assert (answer.status_code, "asha" in await answer.get_data(as_text=True)) == (404, True)


# Its recording


@pytest.fixture
async def player(app: Callboard) -> Client:
    """A board whose first call has a recording of 200 bytes, and whose second has none."""
    client = app.test_client()
    await take(client, report("a"), report("b"))

    async def chunks() -> AsyncIterator[bytes]:
        yield AUDIO

    kept = await put(app.keep, chunks())
    await app.database.write(partial(want_recordings, urls={1: "https://example.com/a.mp3"}))
    [claimed] = await app.database.write(partial(claim_due, most=1))
    await app.database.write(
        partial(note_kept, claimed=claimed, file=kept.name, content_type="audio/mpeg", size=kept.size)
    )
    assert kept.name == hashlib.sha256(AUDIO).hexdigest()
    return client


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "first", "end"),
    [
        ("", 200, None, 0, 200),
        ("bytes=0-", 206, "bytes 0-199/200", 0, 200),
        ("bytes=0-99", 206, "bytes 0-99/200", 0, 100),
        ("bytes=100-199", 206, "bytes 100-199/200", 100, 200),
        ("bytes=150-99999", 206, "bytes 150-199/200", 150, 200),
        ("bytes=199-", 206, "bytes 199-199/200", 199, 200),
        ("bytes=-50", 200, None, 0, 200),
        ("bytes=0-9,20-29", 200, None, 0, 200),
        ("bytes=", 200, None, 0, 200),
        ("bytes=a-b", 200, None, 0, 200),
        ("items=0-9", 200, None, 0, 200),
        ("bytes=" + "9" * 5000 + "-", 200, None, 0, 200),
        ("\xff", 200, None, 0, 200),
    ],
    ids=range(13),
)
async def test_a_recording_is_played_in_whole_or_in_parts(
    player: Client, asked: str, status: int, content_range: str | None, first: int, end: int
) -> None:
    response = await player.get("/calls/1/recording", headers={"Range": asked} if asked else {})
    assert (response.status_code, response.headers.get("Content-Range")) == (status, content_range)
    assert await response.get_data() == AUDIO[first:end]
    assert response.headers["Content-Type"] == "audio/mpeg"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("asked", ["bytes=200-", "bytes=200-300", "bytes=999999999999999999-", "bytes=5-2"])
async def test_a_part_past_the_end_is_refused_with_the_size(player: Client, asked: str) -> None:
    response = await player.get("/calls/1/recording", headers={"Range": asked})
    if asked == "bytes=5-2":
        # No range at all, says RFC 9110: as if it had not been asked for.
        assert (response.status_code, await response.get_data()) in ((200, AUDIO), (416, b""))
    else:
        assert (response.status_code, response.headers["Content-Range"]) == (416, "bytes */200")
        assert await response.get_data() == b""


async def test_a_head_and_a_conditional_request_are_answered(player: Client) -> None:
    head = await player.head("/calls/1/recording")
    assert (head.status_code, head.headers["Content-Length"]) == (200, "200")
    for headers in ({"If-None-Match": "\xff"}, {"If-Modified-Since": "soon"}, {"If-Range": "x", "Range": "bytes=0-9"}):
        assert (await player.get("/calls/1/recording", headers=headers)).status_code in (200, 206)


async def test_a_call_without_a_recording_says_so(player: Client, app: Callboard) -> None:
    assert "no recording" in await page(player, "/calls/2/recording", 404)
    assert "This call has no recording." in await page(player, "/calls/2")
    assert '<audio controls preload="none" src="/calls/1/recording">' in await page(player, "/calls/1")


async def test_a_recording_whose_file_is_gone_says_what_to_do(player: Client, app: Callboard) -> None:
    assert await app.keep.remove(hashlib.sha256(AUDIO).hexdigest())
    assert "Restore it from a backup" in await page(player, "/calls/1/recording", 404)


async def test_a_recording_that_could_not_be_kept_says_why(player: Client, app: Callboard) -> None:
    await app.database.write(partial(want_recordings, urls={2: "https://example.com/b.mp3"}))
    [claimed] = await app.database.write(partial(claim_due, most=1))
    await app.database.write(partial(note_failed, claimed=claimed, problem="It is <b>no</b> audio.", is_final=True))
    html = await page(player, "/calls/2")
    assert "It is &lt;b&gt;no&lt;/b&gt; audio." in html
    await page(player, "/calls/2/recording", 404)


async def test_many_pages_at_once_are_all_answered(client: Client) -> None:
    await take(
        client,
        *(report(f"sid-{number}") for number in range(10)),
    )
    responses = await asyncio.gather(*(client.get(f"/calls/{number % 10 + 1}") for number in range(60)))
    assert [response.status_code for response in responses] == [200] * 60
