"""A call's page as its readers use it: links to its parts, keys beyond the loaded rows, and what the audit log says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from dashboard.simulator.clips import ClipHost, load_clips
from tests.browser.conftest import Pages
from tests.browser.test_live_board import named
from tests.browser.test_recording import listen_until
from tests.reports import report
from tests.running import RunningBoard

LONG_CALL: dict[str, Any] = {
    "transcription": "\n".join(f"{side}: line {line}" for line in range(80) for side in ("Agent", "User")),
    "post_call": {f"variable_{number}": "value" for number in range(40)},
}


def distance_below_player(page: Page, head: str) -> float:
    """How many pixels of the page lie between the lower edge of the player and the upper edge of a heading."""
    player, heading = page.locator("#player").bounding_box(), page.locator(head).bounding_box()
    assert player
    assert heading
    return heading["y"] - (player["y"] + player["height"])


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("part", ["transcript", "variables", "attempts"])
def test_a_link_to_a_part_of_the_call_shows_its_heading_below_the_player(
    board: RunningBoard, pages: Pages, part: str, width: int
) -> None:
    board.post(report(**LONG_CALL))
    page = pages.open(f"{board.url}/calls/1", viewport={"width": width, "height": 700})
    page.locator(f'#call nav a[href="#{part}"]').click()
    expect(page.locator(f"#{part}-head")).to_be_in_viewport()
    assert distance_below_player(page, f"#{part}-head") >= 0


def test_the_key_for_the_next_call_loads_older_calls_at_the_end_of_the_list(board: RunningBoard, pages: Pages) -> None:
    for number in range(52):
        board.post(named(f"Caller {number}", minute=number))
    page = pages.open(board.url)
    expect(page.locator("#calls > tr")).to_have_count(50)
    page.locator("#call-3 .who a").click()
    expect(page.locator("#call h2")).to_have_text("Caller 2")
    page.keyboard.press("j")
    expect(page.locator("#call h2")).to_have_text("Caller 1")
    expect(page.locator("#calls > tr")).to_have_count(52)
    page.keyboard.press("j")
    expect(page.locator("#call h2")).to_have_text("Caller 0")
    page.keyboard.press("j")
    expect(page.locator("#said")).to_have_text("There are no older calls.", timeout=15_000)


@pytest.mark.parametrize("problem", ["429", "503", "no answer"])
def test_after_older_calls_could_not_be_loaded_the_key_works_again_and_opens_nothing_by_itself(
    board: RunningBoard, pages: Pages, problem: str
) -> None:
    pages.allowed = ("429", "503", "Failed to load resource", "net::ERR", "htmx")
    for number in range(52):
        board.post(named(f"Caller {number}", minute=number))
    page = pages.open(board.url)
    page.locator("#call-3 .who a").click()
    expect(page.locator("#call h2")).to_have_text("Caller 2")
    asked = list[Route]()
    page.route(re.compile("before="), lambda route: asked.append(route))
    page.keyboard.press("j")
    while not asked:  # the page's requests are handed out while a call of the browser's interface runs
        page.wait_for_timeout(20)
    if problem == "no answer":
        asked[0].abort()
    else:
        asked[0].fulfill(status=int(problem), body="Too many requests of yours are waiting.")
    words = "Older calls could not be loaded. Try again in a few seconds."
    expect(page.locator("#said")).to_have_text(words, timeout=15_000)
    page.unroute(re.compile("before="))
    # A call that comes is no reason to open one, and enters the list as soon as its reader has left.
    page.evaluate("() => { document.activeElement.blur(); byId('list').scrollTo(0, 0); }")
    page.mouse.move(0, 0)
    board.post(named("Newest", minute=59))
    expect(page.locator("#calls > tr").first).to_contain_text("Newest")
    expect(page.locator("#call h2")).to_have_text("Caller 2")
    page.keyboard.press("j")
    expect(page.locator("#call h2")).to_have_text("Caller 1")


def test_a_recording_is_opened_when_it_is_played_and_not_when_its_page_is_loaded(
    start_board: Callable[..., RunningBoard], pages: Pages
) -> None:
    with ClipHost() as host:
        board = start_board(DASHBOARD_RECORDING_HOSTS=host.address)
        page = pages.open(board.url)
        clip = next(iter(load_clips()))
        board.post(report(recordingUrl=f"{host.url}/{clip}?call=1"))
        expect(page.locator("#call-1 .recording")).to_have_text("♪", timeout=10_000)
    page.locator("#call-1 .who a").click()
    expect(page.locator("audio")).to_be_visible()
    audit = pages.open(f"{board.url}/audit", live=False)
    assert "recording opened" not in audit.content()
    page.locator("audio").evaluate("audio => audio.play()")
    listen_until(page, "audio => audio.currentTime > 0.1")
    audit.reload()
    assert "recording opened" in audit.content()


def test_a_transcript_shows_its_speakers_and_when_each_began(board: RunningBoard, pages: Pages) -> None:
    spoken = [
        {"speaker": "Riya", "text": "नमस्ते", "start": 1.5},
        {"speaker": "User", "text": "हाँ जी", "start": 65},
    ]
    board.post(report(transcription=json.dumps(spoken)))
    page = pages.open(f"{board.url}/calls/1")
    turns = page.locator("#transcript .turn")
    expect(turns).to_have_text(["Riya 0:01नमस्ते", "User 1:05हाँ जी"])
    assert [turn.get_attribute("data-speaker") for turn in turns.all()] == ["agent", "customer"]


def test_only_inbound_calls_show_no_figures_of_dialling(board: RunningBoard, pages: Pages) -> None:
    for number in range(2):
        board.post(report(callSid=f"in-{number}", name="inbound", try_count=-1))
    page = pages.open(board.url)
    expect(page.locator('[data-figure="calls"]')).to_have_attribute("data-value", "2")
    expect(page.locator('[data-figure="dialled"], [data-figure="voicemail"]')).to_have_count(0)
    expect(page.locator('[data-figure="connected"] .share')).to_have_text("100 %")
    board.post(report(callSid="out", name="outbound"))
    expect(page.locator('[data-figure="dialled"]')).to_have_attribute("data-value", "3")


def test_the_result_menu_tells_connected_calls_with_and_without_the_converted_apart(
    board: RunningBoard, pages: Pages
) -> None:
    board.post(report(callSid="a", conversion_status=True))
    board.post(report(callSid="b", conversion_status=False))
    page = pages.open(board.url)
    menu = page.locator('details[data-choice="stage"]')
    menu.locator("summary").click()
    menu.get_by_role("link", name="Connected (all)").click()
    page.wait_for_url("**/?figure=connected")
    expect(page.locator("#calls > tr")).to_have_count(2)
    page.goto(board.url)
    menu.locator("summary").click()
    menu.get_by_role("link", name="Connected, not converted").click()
    page.wait_for_url("**/?stage=connected")
    expect(page.locator("#calls > tr")).to_have_count(1)


def test_the_button_that_shows_the_number_goes_once_the_number_is_shown(
    start_board: Callable[..., RunningBoard], pages: Pages
) -> None:
    board = start_board(
        DASHBOARD_WEBHOOK_SECRET="a secret of the test", DASHBOARD_ADMIN_PASSWORD="an admin of the test"
    )
    add = [sys.executable, "-m", "dashboard", "user", "add", "rita", "--role", "reviewer"]
    subprocess.run(add, env=board.environment, input="correct horse battery\n", text=True, check=True)
    board.post(report(to="918765432109"), authorization="Bearer a secret of the test")
    page = pages.open(f"{board.url}/sign-in?next=/calls/1", live=False)
    page.get_by_label("Name").fill("rita")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#call-number")).to_contain_text("•")
    page.get_by_role("button", name="Show the number").click()
    expect(page.locator("#call-number")).to_have_text("+91 87654 32109")
    expect(page.get_by_role("button", name="Show the number")).to_have_count(0)
    expect(page.locator("#call")).to_contain_text("Recorded in the audit log.")
