"""A recording, from the platform's host to the listener's ear."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page, expect

from dashboard.simulator.clips import ClipHost, load_clips
from tests.browser.conftest import Pages
from tests.reports import report
from tests.running import RunningBoard


def test_a_recording_is_kept_and_plays_with_seeking(start_board: Callable[..., RunningBoard], pages: Pages) -> None:
    with ClipHost() as host:
        board = start_board(DASHBOARD_RECORDING_HOSTS=host.address)
        page = pages.open(board.url)
        clip = next(iter(load_clips()))
        board.post(report(recordingUrl=f"{host.url}/{clip}?call=1"))
        expect(page.locator("#call-1 .recording")).to_have_text("♪", timeout=10_000)
    # From here on the platform's host is gone: what plays is what was kept.
    page.locator("#call-1 .who a").click()
    page.wait_for_url("**/calls/1")
    audio = page.locator("audio")
    audio.evaluate("audio => audio.play()")
    listen_until(page, "audio => audio.currentTime > 0.2")
    length = audio.evaluate("audio => audio.duration")
    assert length > 5
    audio.evaluate("audio => { audio.currentTime = audio.duration - 2 }")
    listen_until(page, "audio => !audio.seeking")
    assert audio.evaluate("audio => audio.currentTime") > length - 2.5
    assert audio.evaluate("audio => audio.seekable.length") == 1


def listen_until(page: Page, condition: str) -> None:
    """Playwright's own wait evaluates text in the page, which the page's policy forbids."""
    until = time.monotonic() + 5
    while not page.locator("audio").evaluate(condition):
        assert time.monotonic() < until, f"never came: {condition}"
        page.wait_for_timeout(20)
