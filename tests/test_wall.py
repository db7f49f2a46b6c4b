"""The wall: large figures, masked numbers, and a link that opens it and nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.filters import CallFilter
from dashboard.masking import masked
from dashboard.store.accounts import end_wall_links
from dashboard.web.parts import Callboard
from dashboard.web.wall import draw_wall
from tests.events import read_events
from tests.forms import post
from tests.reports import report

MakeApp = Callable[..., Awaitable[Callboard]]
WEBHOOK = "/webhook/call-webhook"
PASSWORD = "open sesame"


async def text(app: Callboard, path: str, status: int = 200) -> str:
    response = await app.test_client().get(path)
    assert response.status_code == status, path
    return str(await response.get_data(as_text=True))


async def test_a_wall_without_days_goes_to_todays(app: Callboard) -> None:
    response = await app.test_client().get("/wall?campaign=north")
    assert response.status_code == 303
    assert response.headers["Location"] == "/wall?campaign=north&period=today"


async def test_the_wall_shows_figures_and_conversions_of_its_filter_with_masked_numbers(app: Callboard) -> None:
    client = app.test_client()
    for name, campaign, converted in (("Asha", "north", True), ("Bina", "south", True), ("Chitra", "north", False)):
        body = report(name, call_metadata={"name": name}, batchId=campaign, conversion_status=converted)
        assert (await client.post(WEBHOOK, data=body)).status_code == 200
    html = await text(app, "/wall?campaign=north&from=2025-12-01")
    assert 'data-figure="calls" data-value="2"' in html
    assert 'data-figure="converted" data-value="1"' in html
    assert re.findall(r"<b><bdi>(\w+)", html) == ["Asha"]
    number = re.search(r'class="number">([^<]+)<', html)
    assert number is not None
    assert "•••••" in number[1]
    assert not re.search(r"\d{6}", html[html.index('id="wall"') : html.index('id="stream"')].replace(number[1], ""))


async def test_a_wall_is_drawn_again_when_something_has_changed(app: Callboard) -> None:
    client = app.test_client()
    stream = app.streams.watch(partial(draw_wall, app.feed, app.database, app.draw, CallFilter()))
    await anext(stream)
    assert 'data-figure="calls" data-value="0"' in read_events(await anext(stream)).events[0].data
    await client.post(WEBHOOK, data=report("Asha"))
    assert 'data-figure="calls" data-value="1"' in read_events(await anext(stream)).events[0].data


async def test_a_wall_of_an_older_version_is_told_to_load_anew(app: Callboard) -> None:
    async with app.test_client().request("/wall/live?period=today&drawn=older") as connection:
        await connection.send_complete()
        assert b"event: reload" in await connection.receive()
        await connection.disconnect()


@pytest.fixture
async def guarded(make_app: MakeApp) -> Callboard:
    return await make_app(admin_password=PASSWORD, webhook_secrets=("hush",))


async def shared_link(app: Callboard, query: str) -> str:
    """What the signed-in person gets when she asks for a link, as path and query."""
    client = app.test_client()
    await client.post("/sign-in", form={"name": "admin", "password": PASSWORD})
    form = dict(part.split("=") for part in query.split("&"))
    html = await (await post(client, "/wall/links", **form)).get_data(as_text=True)
    found = re.search(r'id="wall-address">http://[^/]+(/wall[^<]+)<', html)
    assert found is not None
    return found[1].replace("&amp;", "&")


async def test_a_link_opens_its_wall_and_nothing_else(guarded: Callboard) -> None:
    link = await shared_link(guarded, "campaign=north&period=today")
    html = await text(guarded, link)
    assert "Make a link" not in html
    assert f"{link.replace('/wall?', '/wall/live?').replace('&', '&amp;')}&amp;drawn=" in html
    key = link.rpartition("key=")[2]
    for path in (f"/?key={key}", f"/calls/1?key={key}", f"/live?key={key}", f"/api/board?key={key}"):
        assert (await guarded.test_client().get(path)).status_code in (303, 401), path
    for other in (link.replace("north", "south"), f"/wall?period=today&key={key}", link[:-1]):
        assert (await guarded.test_client().get(other)).status_code == 303, other


async def test_ended_links_open_nothing(guarded: Callboard) -> None:
    link = await shared_link(guarded, "period=today")
    client = guarded.test_client()
    await client.post("/sign-in", form={"name": "admin", "password": PASSWORD})
    assert (await post(client, "/wall/links/end")).status_code == 303
    assert (await guarded.test_client().get(link)).status_code == 303


@pytest.mark.parametrize(
    ("number", "shown"),
    [("919876543210", "98•••••210"), ("+91 98765 43210", "98•••••210"), ("12345", "•••••"), ("", "")],
)
def test_numbers_are_masked_but_for_their_ends(number: str, shown: str) -> None:
    assert masked(number) == shown


@given(st.text(alphabet="0123456789+ ", max_size=20))
def test_a_masked_number_never_tells_more_than_five_digits(number: str) -> None:
    assert sum(map(str.isdecimal, masked(number))) <= 5


async def test_a_wall_that_hangs_shows_nothing_more_once_its_link_was_ended(guarded: Callboard) -> None:
    link = await shared_link(guarded, "period=today")
    key = link.rpartition("key=")[2]
    wanted = CallFilter(period="today")
    draw = partial(draw_wall, guarded.feed, guarded.database, guarded.draw, wanted, key)
    stream = guarded.streams.watch(draw)
    await anext(stream)
    assert b"wall-figures" in await anext(stream)
    await guarded.database.write(end_wall_links)
    await guarded.test_client().post(f"{WEBHOOK}?token=hush", data=report("Asha"))
    async with asyncio.timeout(5):
        assert b"wall-figures" not in b"".join([frame async for frame in stream])
