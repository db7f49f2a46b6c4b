"""The inbox in a real browser: what comes while it is open, and replaying from it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Pages
from tests.reports import report
from tests.running import RunningBoard


def test_a_report_appears_on_an_open_inbox_waits_while_somebody_chooses_and_replays(
    board: RunningBoard, pages: Pages
) -> None:
    page = pages.open(f"{board.url}/inbox")
    expect(page.locator(".empty")).to_be_visible()
    board.post(report("a"))
    expect(page.locator("#reports > tr#report-1")).to_contain_text("New", timeout=2_000)
    board.post(b"{")
    expect(page.locator("#reports > tr").first).to_contain_text("Unreadable")
    page.get_by_label("Choose report 1").check()
    board.post(report("a"))
    expect(page.locator("#held")).to_have_text("1 new")
    expect(page.locator("#reports > tr")).to_have_count(2)
    page.locator("#held").click()
    expect(page.locator("#reports > tr").first).to_contain_text("Duplicate")
    page.get_by_role("button", name="Replay the chosen").click()
    expect(page.get_by_role("heading")).to_have_text("1 report was replayed")
    expect(page.locator("main")).to_contain_text("Its call is as its reports tell it.")
