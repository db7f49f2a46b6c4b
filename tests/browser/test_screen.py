"""Master and detail: a call opens beside the list, and nothing moves under a reader's eyes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard.simulator.clips import ClipHost, load_clips
from tests.browser.conftest import Pages
from tests.browser.test_live_board import named, rows
from tests.browser.test_recording import listen_until
from tests.reports import report
from tests.running import RunningBoard

# Serves as `python -m dashboard serve` does, on the evening of the sample's day; the next day begins with a file.
NEAR_MIDNIGHT = """
import asyncio, os
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
import dashboard.feed
from dashboard.app import create_app, stop
from dashboard.server import listen, serve
from dashboard.settings import Settings

dashboard.feed.BEAT_SECONDS = 0.5
tomorrow = Path(os.environ["DASHBOARD_DATA"]).parent.parent / "tomorrow"
evening = datetime(2025, 12, 19, 18, 20, tzinfo=timezone.utc)  # ten to twelve in India
settings = Settings.from_env()
app = create_app(settings, now=lambda: evening + timedelta(hours=tomorrow.exists()))
async def main():
    await serve(app, [listen(settings.bind)], on_stop=partial(stop, app))
asyncio.run(main())
"""
# Chromium without a screen takes every tab for visible; this is what a person's switch between tabs does.
HIDEABLE = """
let hidden = false;
Object.defineProperty(document, 'hidden', {get: () => hidden});
window.hide = (value) => { hidden = value; document.dispatchEvent(new Event('visibilitychange')); };
"""


def open_first(page: Page) -> None:
    page.locator("#calls > tr .stage").first.click()
    expect(page.locator("#call h2")).to_be_visible()


def test_a_call_opens_beside_the_list_and_has_an_address_of_its_own(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha"))
    board.post(named("Bina", minute=1))
    page = pages.open(f"{board.url}/?stage=converted")
    open_first(page)
    expect(page.locator("#call h2")).to_have_text("Bina")
    assert page.url == f"{board.url}/calls/2?stage=converted"
    assert page.title() == "Bina · Callboard"
    expect(page.locator("#list")).to_be_visible()
    expect(page.locator("#call-2")).to_have_attribute("aria-current", "true")
    page.locator("#call-1 .who a").click()
    expect(page.locator("#call h2")).to_have_text("Asha")
    page.go_back()
    expect(page.locator("#call h2")).to_have_text("Bina")
    page.go_back()
    expect(page.locator("#call")).to_be_hidden()
    page.go_forward()
    expect(page.locator("#call h2")).to_have_text("Bina")
    page.get_by_label("Close the call").click()
    expect(page.locator("#call")).to_be_hidden()
    assert page.url == f"{board.url}/?stage=converted"


def test_a_calls_address_opens_the_board_with_the_call(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha"))
    page = pages.open(f"{board.url}/calls/1")
    expect(page.locator("#call h2")).to_have_text("Asha")
    assert rows(page) == ["Asha"]
    board.post(named("Bina", minute=1))
    expect(page.locator("#calls > tr")).to_have_count(2)


def test_choosing_a_filter_keeps_the_open_call(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha", batchId="north"))
    board.post(named("Bina", batchId="south", minute=1))
    page = pages.open(board.url)
    open_first(page)
    page.locator("summary", has_text="Campaign").click()
    page.locator(".options a", has_text="north").click()
    expect(page.locator("#calls > tr")).to_have_count(1)
    page.wait_for_url(f"{board.url}/calls/2?campaign=north")
    expect(page.locator("#call h2")).to_have_text("Bina")
    expect(page.locator("body")).to_have_attribute("data-live", "on")
    page.go_back()
    expect(page.locator("#calls > tr")).to_have_count(2)


def test_on_a_phone_the_call_takes_the_place_of_the_list(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha"))
    page = pages.open(board.url, viewport={"width": 390, "height": 844})
    open_first(page)
    expect(page.locator("#list")).to_be_hidden()
    page.get_by_label("Close the call").click()
    expect(page.locator("#list")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_call_that_is_erased_leaves_the_open_page_and_the_tabs_title(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha", to="919812345210"))
    page = pages.open(board.url)
    open_first(page)
    expect(page).to_have_title(re.compile("Asha"))
    command = [sys.executable, "-m", "dashboard", "erase", "919812345210"]
    subprocess.run(command, env=board.environment, check=True, capture_output=True)
    expect(page.locator("#call")).to_contain_text("This call was taken off the board.")
    expect(page).to_have_title("Callboard")
    expect(page.locator("body")).not_to_contain_text("Asha")


def test_new_calls_wait_while_somebody_reads_and_one_key_shows_them(board: RunningBoard, pages: Pages) -> None:
    for minute in range(3):
        board.post(named(f"sid{minute}", minute=minute))
    page = pages.open(board.url)
    page.locator("#call-2").hover()
    before = page.locator("#call-2").bounding_box()
    board.post(named("Asha", minute=10))
    board.post(named("Bina", minute=11))
    board.post(named("sid0", conversion_status=False))
    expect(page.locator("#held")).to_have_text(re.compile("2 new"))
    # A row that changes where it stands moves nothing.
    expect(page.locator("#call-1 .pill")).to_have_text("Connected")
    assert page.locator("#call-2").bounding_box() == before
    expect(page.locator("[data-figure=calls]")).to_have_attribute("data-value", "5")
    page.keyboard.press("n")
    expect(page.locator("#calls > tr")).to_have_count(5)
    assert rows(page)[:2] == ["Bina", "Asha"]
    expect(page.locator("#held")).to_be_hidden()


def test_when_the_reader_has_gone_the_new_calls_come_by_themselves(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha"))
    page = pages.open(board.url)
    page.locator("#call-1").hover()
    board.post(named("Bina", minute=1))
    expect(page.locator("#held")).to_be_visible()
    page.locator(".brand").hover()
    expect(page.locator("#calls > tr")).to_have_count(2)


def test_a_call_that_leaves_the_filter_stays_until_the_reader_has_gone(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha", batchId="north"))
    board.post(named("Bina", batchId="north", minute=1))
    page = pages.open(f"{board.url}/?campaign=north")
    page.locator("#call-1").hover()
    board.post(named("Bina", batchId="south", minute=1))
    expect(page.locator("#held")).to_be_visible()
    assert rows(page) == ["Bina", "Asha"]
    page.locator(".brand").hover()
    expect(page.locator("#calls > tr")).to_have_count(1)


@pytest.mark.parametrize("count", [300])
def test_a_playing_recording_and_an_open_transcript_survive_a_flood(
    start_board: Callable[..., RunningBoard], pages: Pages, count: int
) -> None:
    with ClipHost() as host:
        board = start_board(DASHBOARD_RECORDING_HOSTS=host.address)
        clip = next(iter(load_clips()))
        board.post(named("Asha", recordingUrl=f"{host.url}/{clip}?call=1"))
        page = pages.open(board.url)
        expect(page.locator("#call-1 .recording")).to_have_text("♪", timeout=10_000)
    page.locator("#call-1 .who a").click()
    audio = page.locator("#call audio")
    audio.evaluate("audio => { audio.loop = true; return audio.play() }")
    turn = page.locator(".turn").first
    turn.hover()
    before = turn.bounding_box(), page.locator("#call-1").bounding_box()
    for number in range(count):
        board.post(report(f"sid{number}", time="2025-12-19 17:00:00"))
    expect(page.locator("#held")).to_have_text(re.compile(f"{count} new"), timeout=10_000)
    assert (turn.bounding_box(), page.locator("#call-1").bounding_box()) == before
    assert not audio.evaluate("audio => audio.paused")
    heard = audio.evaluate("audio => audio.currentTime")
    listen_until(page, f"audio => audio.currentTime != {heard}")
    page.keyboard.press("n")
    expect(page.locator("#held")).to_be_hidden()
    expect(page.locator("#calls > tr")).to_have_count(200)
    assert not audio.evaluate("audio => audio.paused")


def test_a_recording_that_comes_late_is_put_into_the_open_call(
    start_board: Callable[..., RunningBoard], pages: Pages
) -> None:
    with ClipHost() as host:
        board = start_board(DASHBOARD_RECORDING_HOSTS=host.address)
        board.post(named("Asha", recordingUrl=""))
        page = pages.open(f"{board.url}/calls/1")
        expect(page.locator("#player")).to_contain_text("no recording")
        board.post(named("Asha", recordingUrl=f"{host.url}/{next(iter(load_clips()))}?call=1"))
        expect(page.locator("#call audio")).to_be_visible(timeout=10_000)


def test_everything_can_be_done_by_keys(board: RunningBoard, pages: Pages) -> None:
    for minute, name in enumerate(("Asha", "Bina", "Chitra")):
        board.post(named(name, minute=minute))
    page = pages.open(board.url)
    for key, name in (("j", "Chitra"), ("j", "Bina"), ("j", "Asha"), ("j", "Asha"), ("k", "Bina")):
        page.keyboard.press(key)
        expect(page.locator("#call h2")).to_have_text(name)
    page.keyboard.press("Escape")
    expect(page.locator("#call")).to_be_hidden()
    page.keyboard.press("c")
    expect(page.locator("details[data-choice=campaign] .options")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("details[data-choice=campaign] .options")).to_be_hidden()
    page.keyboard.press("t")
    page.wait_for_url("**/?period=today")
    page.keyboard.press("t")
    page.wait_for_url(f"{board.url}/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_new_board_shows_how_to_connect_and_tells_what_arrives(board: RunningBoard, pages: Pages) -> None:
    page = pages.open(board.url)
    expect(page.locator("#webhook-url")).to_have_text(f"{board.url}/webhook/call-webhook")
    expect(page.locator("#notices")).to_contain_text("Waiting for the first report")
    board.post(b'{"event": "message_received", "data": {}}')
    expect(page.locator("#notices")).to_contain_text("choose call_ended")
    board.post(b"{nonsense")
    expect(page.locator("#notices")).to_contain_text("could not be read")
    page.get_by_role("button", name="Send a test call").click()
    expect(page.locator("#calls > tr .badge")).to_have_text("Test")
    expect(page.locator("#notices")).to_contain_text("this board takes in what reaches it")
    board.post(named("Asha"))
    expect(page.locator("#calls > tr")).to_have_count(2)
    expect(page.locator("#notices")).not_to_contain_text("Waiting")
    expect(page.locator("#setup")).to_be_hidden()


def test_light_and_dark_are_remembered(board: RunningBoard, pages: Pages) -> None:
    page = pages.open(board.url)
    page.get_by_label("Light or dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_today_turns_at_midnight_in_list_figures_and_wall(pages: Pages, tmp_path: Path) -> None:
    board = RunningBoard(tmp_path / "night", {}, program=("-c", NEAR_MIDNIGHT))
    board.start()
    try:
        board.post(named("Asha"))
        page = pages.open(f"{board.url}/?period=today")
        wall = pages.open(f"{board.url}/wall?period=today")
        expect(page.locator("#calls > tr")).to_have_count(1)
        expect(wall.locator("[data-figure=calls]")).to_have_attribute("data-value", "1")
        (tmp_path / "tomorrow").touch()
        expect(page.locator("#calls > tr")).to_have_count(0, timeout=10_000)
        expect(page.locator("[data-figure=calls]")).to_have_attribute("data-value", "0")
        expect(wall.locator("[data-figure=calls]")).to_have_attribute("data-value", "0", timeout=10_000)
        board.post(report("Bina", time="2025-12-20 00:01:00"))
        expect(page.locator("#calls > tr")).to_have_count(1)
        for each in (page, wall):
            each.context.close()
    finally:
        board.end()


def test_eight_tabs_are_all_live_when_somebody_looks_at_them(board: RunningBoard, pages: Pages) -> None:
    """A browser has six connections for a board without HTTP/2: hidden tabs let go of theirs, and come back."""
    context = pages.browser.new_context()
    tabs = []
    for _ in range(8):
        tab = context.new_page()
        tab.add_init_script(HIDEABLE)
        tab.goto(board.url)
        expect(tab.locator("body")).to_have_attribute("data-live", "on")
        tabs.append(tab)
        tab.evaluate("() => window.hide(true)")
        expect(tab.locator("body")).to_have_attribute("data-live", "off")
    board.post(named("Asha"))
    for tab in tabs:
        tab.evaluate("() => window.hide(false)")
        expect(tab.locator("body")).to_have_attribute("data-live", "on")
        expect(tab.locator("#calls > tr")).to_have_count(1)
        tab.evaluate("() => window.hide(true)")


def test_a_hidden_tab_that_asked_to_be_told_counts_conversions_in_its_title(board: RunningBoard, pages: Pages) -> None:
    page = pages.open(board.url)
    page.locator("summary", has_text="Alerts").click()
    page.get_by_label("Sound when a call converts").check()
    expect(page.locator("body")).to_have_attribute("data-live", "on")
    page.evaluate(HIDEABLE)
    page.evaluate("() => window.hide(true)")
    board.post(named("Asha", conversion_status=False))
    board.post(named("Bina", conversion_status=True))
    board.post(named("Asha", conversion_status=True))
    expect(page).to_have_title("(2) Callboard")
    page.evaluate("() => window.hide(false)")
    expect(page).to_have_title("Callboard")
    expect(page.locator("#calls > tr")).to_have_count(2)


def test_a_call_that_began_and_converted_while_the_page_was_away_is_one_conversion(
    board: RunningBoard, pages: Pages
) -> None:
    pages.allowed = ("Failed to load resource", "net::ERR", "htmx")
    page = pages.open(board.url)
    hear = "document.addEventListener('call:converted', (event) => told.push(event.detail.id))"
    page.evaluate(f"() => {{ window.told = []; {hear} }}")
    page.context.set_offline(True)
    expect(page.locator("body")).to_have_attribute("data-live", "off")
    board.post(named("Asha", conversion_status=False))
    board.post(named("Bina", conversion_status=True))
    board.post(named("Asha", conversion_status=True))
    page.context.set_offline(False)
    expect(page.locator("#calls > tr")).to_have_count(2)
    board.post(named("Asha", conversion_status=True, disposition_reason="A later word"))
    expect(page.locator("#call-1 .disposition")).to_have_text("A later word")
    assert sorted(page.evaluate("() => told")) == ["call-1", "call-2"]


def test_a_call_that_waits_and_leaves_again_is_never_shown(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha", batchId="north"))
    page = pages.open(f"{board.url}/?campaign=north")
    page.locator("#call-1").hover()
    board.post(named("Bina", batchId="north", minute=1))
    expect(page.locator("#held")).to_have_text(re.compile("1 new"))
    board.post(named("Bina", batchId="south", minute=1))
    expect(page.locator("#held")).to_be_hidden()
    page.locator(".brand").hover()
    expect(page.locator("[data-figure=calls]")).to_have_attribute("data-value", "1")
    assert rows(page) == ["Asha"]


def test_quick_keys_overtake_each_other_and_the_page_stays(board: RunningBoard, pages: Pages) -> None:
    for minute, name in enumerate(("Asha", "Bina", "Chitra")):
        board.post(named(name, minute=minute))
    page = pages.open(board.url)
    page.evaluate("() => { window.isTheSame = true }")
    for key in "jjj":
        page.keyboard.press(key)
    expect(page.locator("#call h2")).to_have_text("Asha")
    page.keyboard.press("k")
    page.keyboard.press("t")
    page.wait_for_url("**/calls/2?period=today")
    expect(page.locator("#call h2")).to_have_text("Bina")
    for key in "tt":
        page.keyboard.press(key)
    expect(page.locator("#board")).to_have_attribute("data-query", "period=today")
    assert page.evaluate("() => window.isTheSame")


def test_a_click_while_the_server_is_away_leaves_the_board_where_it_is(board: RunningBoard, pages: Pages) -> None:
    pages.allowed = ("Failed to load resource", "net::ERR", "htmx")
    board.post(named("Asha"))
    page = pages.open(board.url)
    board.kill()
    expect(page.locator("body")).to_have_attribute("data-live", "off")
    page.evaluate(
        """() => {
          const words = document.getElementById("live-words");
          words.dataset.said = "";
          new MutationObserver(() => (words.dataset.said += words.textContent)).observe(words, { childList: true });
        }"""
    )
    page.locator("#call-1 .who a").click()
    expect(page.locator("#live-words")).to_have_attribute("data-said", re.compile("Not reached: try again"))
    assert rows(page) == ["Asha"]
    board.start()
    expect(page.locator("body")).to_have_attribute("data-live", "on", timeout=10_000)
    page.locator("#call-1 .who a").click()
    expect(page.locator("#call h2")).to_have_text("Asha")


def test_days_chosen_in_the_menu_keep_the_open_call(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha"))
    page = pages.open(board.url)
    open_first(page)
    page.locator("summary", has_text="All time").click()
    page.get_by_label("From", exact=True).fill("2026-01-01")
    page.get_by_role("button", name="Show these days").click()
    page.wait_for_url("**/calls/1?from=2026-01-01")
    expect(page.locator("#calls > tr")).to_have_count(0)
    expect(page.locator("#call h2")).to_have_text("Asha")
