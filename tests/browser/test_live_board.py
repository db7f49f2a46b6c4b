"""What a person in front of the board sees, in a real browser."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Pages
from tests.browser.proxy import Proxy
from tests.reports import report
from tests.running import RunningBoard

CAMPAIGN, OTHER_CAMPAIGN = "aaaa0001", "bbbb0002"


def rows(page: Page) -> list[str]:
    """The customers of the list, from the top."""
    names: list[str] = page.locator("#calls > tr .who a").all_inner_texts()
    return names


def figure(page: Page, name: str) -> int:
    return int(page.locator(f'[data-figure="{name}"]').get_attribute("data-value") or -1)


def named(sid: str, *, minute: int = 0, **changes: Any) -> bytes:
    """A report whose customer bears the callSid's name, so that a row can be told."""
    return report(sid, call_metadata={"name": sid}, time=f"2025-12-19 16:{minute:02d}:00", **changes)


def test_a_posted_call_appears_on_both_open_pages_within_a_second(board: RunningBoard, pages: Pages) -> None:
    first, second = pages.open(board.url), pages.open(board.url)
    board.post(named("Asha"))
    posted_at = time.monotonic()
    for page in (first, second):
        page.wait_for_selector("#calls > tr#call-1", timeout=1_000)
        expect(page.locator("[data-figure=calls]")).to_have_attribute("data-value", "1", timeout=1_000)
    assert time.monotonic() - posted_at < 2


def test_a_call_that_changes_is_replaced_where_it_stands(board: RunningBoard, pages: Pages) -> None:
    page = pages.open(board.url)
    board.post(named("Asha", conversion_status=False))
    expect(page.locator("#call-1 .pill")).to_have_text("Connected")
    board.post(named("Asha", conversion_status=True))
    expect(page.locator("#call-1 .pill")).to_have_text("Converted")
    assert rows(page) == ["Asha"]


def test_a_call_whose_time_changes_moves_to_its_place(board: RunningBoard, pages: Pages) -> None:
    for minute, sid in enumerate(("Asha", "Bina", "Chitra")):
        board.post(named(sid, minute=minute))
    page = pages.open(board.url)
    expect(page.locator("#calls > tr")).to_have_count(3)
    assert rows(page) == ["Chitra", "Bina", "Asha"]
    board.post(named("Asha", minute=30))
    expect(page.locator("#calls > tr").first).to_contain_text("Asha")
    assert rows(page) == ["Asha", "Chitra", "Bina"]


def test_a_late_call_goes_to_its_place_and_not_to_the_top(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha", minute=1))
    board.post(named("Chitra", minute=3))
    page = pages.open(board.url)
    board.post(named("Bina", minute=2))
    expect(page.locator("#calls > tr")).to_have_count(3)
    assert rows(page) == ["Chitra", "Bina", "Asha"]


def test_a_call_older_than_the_pages_last_row_does_not_enter_it(board: RunningBoard, pages: Pages) -> None:
    for number in range(60):
        board.post(report(f"sid{number}", call_metadata={"name": f"n{number}"}, time=f"2025-12-19 16:{number:02d}:00"))
    page = pages.open(board.url)
    expect(page.locator("#calls > tr")).to_have_count(50)
    board.post(report("old", call_metadata={"name": "Old"}, time="2025-12-01 09:00:00"))
    expect(page.locator("[data-figure=calls]")).to_have_attribute("data-value", "61")
    assert "Old" not in rows(page)
    page.locator("#older a").click()
    expect(page.locator("#calls > tr")).to_have_count(61)
    assert rows(page)[-1] == "Old"


def test_a_filtered_page_is_silent_for_another_campaign_and_tells_of_calls_outside(
    board: RunningBoard, pages: Pages
) -> None:
    board.post(named("Asha", batchId=CAMPAIGN))
    page = pages.open(f"{board.url}/?campaign={CAMPAIGN}")
    board.post(named("Bina", batchId=OTHER_CAMPAIGN, minute=1))
    expect(page.locator("#outside")).to_contain_text("1 more call is outside this view.")
    assert (rows(page), figure(page, "calls")) == (["Asha"], 1)
    board.post(named("Chitra", batchId=CAMPAIGN, minute=2))
    expect(page.locator("#calls > tr")).to_have_count(2)
    expect(page.locator("[data-figure=calls]")).to_have_attribute("data-value", "2")
    assert rows(page) == ["Chitra", "Asha"]


def test_a_call_that_changes_campaign_leaves_the_page_of_the_old_one(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha", batchId=CAMPAIGN))
    page, other = pages.open(f"{board.url}/?campaign={CAMPAIGN}"), pages.open(f"{board.url}/?campaign={OTHER_CAMPAIGN}")
    assert (rows(page), rows(other)) == (["Asha"], [])
    board.post(named("Asha", batchId=OTHER_CAMPAIGN))
    expect(page.locator("#calls > tr")).to_have_count(0)
    expect(other.locator("#calls > tr")).to_have_count(1)
    expect(page.locator("[data-figure=calls]")).to_have_attribute("data-value", "0")


def test_pages_heal_by_themselves_after_the_server_was_away_behind_a_proxy(
    board: RunningBoard, proxy: Proxy, pages: Pages
) -> None:
    # 502 by the proxy; 503 by a board that is up but has not read its calls yet.
    pages.allowed = ("502", "503", "Failed to load resource", "ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR")
    opened = [pages.open(proxy.url), pages.open(f"{proxy.url}/?campaign={CAMPAIGN}")]
    board.post(named("Asha", batchId=CAMPAIGN))
    for page in opened:
        expect(page.locator("#calls > tr")).to_have_count(1)
    board.signal(signal.SIGTERM)
    assert board.wait() == 0
    for page in opened:
        expect(page.locator("body")).to_have_attribute("data-live", "off")
    refused = proxy.refused
    until = time.monotonic() + 10
    while time.monotonic() < until or proxy.refused < refused + 4:
        opened[0].wait_for_timeout(100)
    board.start()
    board.post(named("Bina", batchId=CAMPAIGN, minute=1))
    board.post(named("Chitra", batchId=OTHER_CAMPAIGN, minute=2))
    board.post(named("Asha", batchId=CAMPAIGN, disposition_reason="Changed"))
    for page, names in zip(opened, (["Chitra", "Bina", "Asha"], ["Bina", "Asha"]), strict=True):
        expect(page.locator("body")).to_have_attribute("data-live", "on", timeout=10_000)
        expect(page.locator("#calls > tr")).to_have_count(len(names))
        expect(page.locator("#call-1 .disposition")).to_have_text("Changed")
        expect(page.locator("[data-figure=calls]")).to_have_attribute("data-value", str(len(names)))
        assert rows(page) == names
        assert "502" not in page.content()


def test_a_page_that_first_meets_a_502_still_connects(board: RunningBoard, proxy: Proxy, pages: Pages) -> None:
    pages.allowed = ("502", "Failed to load resource", "net::ERR")
    page = pages.open(board.url, live=False)
    page.context.close()
    page = pages.browser.new_context().new_page()
    page.route(
        re.compile("/live"), lambda route: route.fulfill(status=502, body="<h1>502</h1>", content_type="text/html")
    )
    page.goto(board.url)
    expect(page.locator("body")).to_have_attribute("data-live", "off")
    page.unroute(re.compile("/live"))
    expect(page.locator("body")).to_have_attribute("data-live", "on", timeout=10_000)
    board.post(named("Asha"))
    expect(page.locator("#calls > tr")).to_have_count(1)


def test_a_page_whose_scripts_come_slowly_still_connects(board: RunningBoard, pages: Pages) -> None:
    page = pages.browser.new_context().new_page()

    def late(route: Route) -> None:
        page.wait_for_timeout(300)
        route.continue_()

    page.route(re.compile("hx-sse"), late)
    page.goto(board.url)
    expect(page.locator("body")).to_have_attribute("data-live", "on")


def test_clicking_a_figure_lists_just_the_calls_it_counts(board: RunningBoard, pages: Pages) -> None:
    board.post(named("Asha", conversion_status=False))
    board.post(named("Bina", hangup_reason="VOICEMAIL_DETECTED", conversion_status=False, minute=1))
    board.post(named("Chitra", name="agent-test", minute=2))
    page = pages.open(board.url)
    assert rows(page) == ["Chitra", "Bina", "Asha"]
    for name, names in (
        ("calls", ["Bina", "Asha"]),
        ("voicemail", ["Bina"]),
        ("connected", ["Asha"]),
        ("converted", []),
    ):
        assert figure(page, name) == len(names)
        page.locator(f"[data-figure={name}]").click()
        page.wait_for_url(f"**/?figure={name}")
        assert rows(page) == names
        page.goto(board.url)


def test_a_person_signs_in_and_out_where_others_can_reach_the_board(
    start_board: Callable[..., RunningBoard], pages: Pages
) -> None:
    board = start_board(DASHBOARD_WEBHOOK_SECRET="s3cret", DASHBOARD_ADMIN_PASSWORD="open sesame")
    page = pages.open(f"{board.url}/?period=today", live=False)
    expect(page.get_by_role("heading")).to_have_text("Sign in")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill("open sesame")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/?period=today")
    expect(page.locator("body")).to_have_attribute("data-live", "on")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading")).to_have_text("Sign in")


def test_all_fields_of_the_vendors_sample_stand_on_the_calls_page(board: RunningBoard, pages: Pages) -> None:
    board.post(report())
    page = pages.open(f"{board.url}/calls/1", live=False)
    assert page.locator("[data-field]").count() == 21
    for text in ("Jatin", "Customer requested callback", "Customer showed interest", "update_crm", "First attempt"):
        expect(page.locator("main")).to_contain_text(text)
