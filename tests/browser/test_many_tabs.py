"""Many tabs of one browser over HTTP/1.1, which gives them six connections together."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Pages
from tests.browser.test_live_board import named
from tests.browser.test_screen import HIDEABLE
from tests.running import RunningBoard

TABS = 8
MOST_STREAMS = 4
LEASE_SECONDS = 40
"""How long a tab keeps its place without a sign of life: LEASE_MS in tabs.js."""
ALERTS = "localStorage.setItem('alert-sound', 'on');"
# A chime is two tones.
COUNT_CHIMES = """
window.chimes = 0;
const Tone = OscillatorNode;
window.OscillatorNode = class extends Tone { constructor(...given) { super(...given); window.chimes += 0.5; } };
"""
WITHOUT_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined });"


def new_tab(context: BrowserContext, url: str) -> Page:
    tab = context.new_page()
    tab.add_init_script(HIDEABLE + ALERTS + COUNT_CHIMES)
    tab.goto(url)
    expect(tab.locator("body")).to_have_attribute("data-live", "on")
    return tab


def hide(tab: Page, is_hidden: bool) -> None:
    tab.evaluate(f"() => window.hide({'true' if is_hidden else 'false'})")


def answers(tab: Page) -> bool:
    """Whether a click in this tab would reach the server."""
    asked = "async () => (await fetch('/', { signal: AbortSignal.timeout(4000) })).ok"
    return bool(tab.evaluate(asked))


def live(tabs: list[Page]) -> list[Page]:
    return [tab for tab in tabs if tab.locator("body").get_attribute("data-live") == "on"]


@pytest.mark.parametrize("script", ["", WITHOUT_LOCKS], ids=["with locks", "without locks"])
def test_with_alerts_on_eight_tabs_answer_and_a_conversion_is_heard_once(
    board: RunningBoard, pages: Pages, script: str
) -> None:
    context = pages.browser.new_context()
    context.add_init_script(script or "0")
    tabs = list[Page]()
    for _ in range(TABS):
        if tabs:
            hide(tabs[-1], True)
        tabs.append(new_tab(context, board.url))
    for tab in tabs:
        assert answers(tab)
    hidden, visible = tabs[:-1], tabs[-1]
    # One hidden tab keeps its stream for the alerts of all.
    assert live([visible]) == [visible]
    assert len(live(hidden)) == 1
    board.post(named("Asha", conversion_status=True))
    expect(visible.locator("#calls > tr")).to_have_count(1)
    expect(live(hidden)[0]).to_have_title("(1) Callboard")
    visible.wait_for_timeout(500)
    assert sum(tab.evaluate("() => window.chimes") for tab in tabs) == 1
    # Those that come back have what they missed, and say nothing of it again.
    for tab in hidden:
        hide(visible, True)
        hide(tab, False)
        expect(tab.locator("body")).to_have_attribute("data-live", "on")
        expect(tab.locator("#calls > tr")).to_have_count(1)
        visible = tab
    visible.wait_for_timeout(500)
    assert sum(tab.evaluate("() => window.chimes") for tab in tabs) == 1


def chimes(tabs: list[Page]) -> int:
    """How many sounds all tabs together have made."""
    return sum(tab.evaluate("() => window.chimes") for tab in tabs)


@pytest.mark.timeout(120)
def test_another_hidden_tab_keeps_its_stream_when_the_one_that_did_is_closed(board: RunningBoard, pages: Pages) -> None:
    context = pages.browser.new_context()
    tabs = list[Page]()
    for _ in range(3):
        tabs.append(new_tab(context, board.url))
        hide(tabs[-1], True)
    expect(tabs[0].locator("body")).to_have_attribute("data-live", "on")
    assert len(live(tabs)) == 1
    tabs.pop(0).close(run_before_unload=True)
    # A tab that is closed gives its place away; one that cannot do so any more keeps it until its lease ends.
    until = time.monotonic() + LEASE_SECONDS + 5
    while len(live(tabs)) != 1:
        assert time.monotonic() < until, "no hidden tab is live"
        tabs[0].wait_for_timeout(50)
    board.post(named("Asha", conversion_status=True))
    expect(live(tabs)[0]).to_have_title("(1) Callboard")
    # The tabs agree on the one that makes the sound after they have set their titles.
    while not chimes(tabs) and time.monotonic() < until:
        tabs[0].wait_for_timeout(50)
    tabs[0].wait_for_timeout(500)
    assert chimes(tabs) == 1


def test_four_of_eight_visible_tabs_are_live_and_one_that_is_turned_to_takes_the_place_of_another(
    board: RunningBoard, pages: Pages
) -> None:
    context = pages.browser.new_context()
    tabs = list[Page]()
    for _ in range(TABS):
        tabs.append(new_tab(context, board.url))
        assert answers(tabs[-1])
    assert live(tabs) == tabs[-MOST_STREAMS:]
    for tab in tabs:
        assert answers(tab)
    paused = tabs[0]
    expect(paused.locator("#live-words")).to_have_text("Paused: too many open tabs")
    board.post(named("Asha"))
    for tab in live(tabs):
        expect(tab.locator("#calls > tr")).to_have_count(1)
    assert paused.locator("#calls > tr").count() == 0
    paused.get_by_role("button", name="Resume").click()
    expect(paused.locator("body")).to_have_attribute("data-live", "on")
    expect(paused.locator("#calls > tr")).to_have_count(1)
    expect(paused.get_by_role("button", name="Resume")).to_be_hidden()
    expect(tabs[-MOST_STREAMS].locator("#live-words")).to_have_text("Paused: too many open tabs")
    assert len(live(tabs)) == MOST_STREAMS
    # A tab that is closed makes room for one that waits.
    closed = live(tabs)[0]
    closed.close(run_before_unload=True)
    tabs.remove(closed)
    until = time.monotonic() + 10
    while len(live(tabs)) < MOST_STREAMS:
        assert time.monotonic() < until, "the place of a closed tab stays empty"
        tabs[0].wait_for_timeout(50)


@pytest.mark.parametrize("path", ["/", "/wall?period=today", "/inbox"])
def test_a_page_whose_stream_is_refused_for_its_number_says_so_and_is_live_once_there_is_room(
    board: RunningBoard, pages: Pages, path: str
) -> None:
    pages.allowed = ("429", "Failed to load resource", "htmx")
    page = pages.open(board.url + path)
    words = page.locator("#live-words")
    page.route("**/live?*", lambda route: route.fulfill(status=429, headers={"Retry-After": "1"}))
    page.evaluate("() => { live.connection.reader.cancel(); }")
    expect(words).to_have_text("Not live: too many open pages")
    page.reload()
    expect(words).to_have_text("Not live: too many open pages", timeout=8_000)
    page.unroute("**/live?*")
    expect(words).to_have_text("Live", timeout=10_000)
