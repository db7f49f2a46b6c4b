"""On a phone everything that is tapped is large enough for a finger, and forms work without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from bench.axe import OF_EVERY_WIDTH, OTHERS, PASSWORD, SIGNED_IN, Boards
from bench.axe import boards as starting_boards
from tests.browser.conftest import Pages
from tests.reports import report
from tests.running import NO_TLS, RunningBoard

PHONE = {"width": 390, "height": 844}
LEAST = 24
"""WCAG 2.2, 2.5.8: CSS pixels, both ways."""
TOO_SMALL = """
least => {
  // A link in running text is as high as its line (WCAG 2.5.8, "Inline").
  const inSentence = element => getComputedStyle(element).display === 'inline' && [...element.parentElement.childNodes]
    .some(node => node.nodeType === Node.TEXT_NODE && /[\\p{L}]{2}/u.test(node.data));
  const boxOf = element => {
    // The label of a checkbox is a part of its target.
    const target = element.matches('[type=checkbox], [type=radio]') ? element.closest('label') ?? element : element;
    return target.getBoundingClientRect();
  };
  return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, audio')]
    .filter(element => element.checkVisibility({checkVisibilityCSS: true}))
    .filter(element => !element.closest('.visually-hidden, .skip') && !inSentence(element))
    .map(element => [element, boxOf(element)])
    .filter(([, box]) => box.width && box.height && (box.width < least - 0.01 || box.height < least - 0.01))
    .map(([element, box]) => `${box.width.toFixed(1)} × ${box.height.toFixed(1)} ${element.outerHTML.slice(0, 110)}`);
}
"""


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boards]:
    with starting_boards(tmp_path_factory.mktemp("boards")) as made:
        yield made


def too_small(page: Page) -> list[str]:
    return [f"{page.url}: {each}" for each in page.evaluate(TOO_SMALL, LEAST)]


def open_everything(page: Page) -> None:
    page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true; })")


def test_everything_that_is_tapped_is_large_enough_on_every_page(boards: Boards, browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)  # type: ignore[arg-type]
    page, found = context.new_page(), list[str]()
    for address in (*OF_EVERY_WIDTH, *OTHERS):
        page.goto(boards.busy.url + address)
        found += too_small(page)
        open_everything(page)
        found += too_small(page)
    page.goto(boards.new.url)
    found += too_small(page)
    assert not found, "\n".join(sorted(set(found)))
    context.close()


def test_everything_that_is_tapped_is_large_enough_for_somebody_who_signed_in(boards: Boards, browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(boards.guarded.url + "/sign-in")
    found = too_small(page)
    page.get_by_label("Name").fill("Admin ")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_have_attribute("data-live", "on")
    for address in SIGNED_IN:
        page.goto(boards.guarded.url + address)
        found += too_small(page)
        open_everything(page)
        found += too_small(page)
    assert not found, "\n".join(sorted(set(found)))
    context.close()


def test_the_picture_of_the_hours_has_a_name_and_its_figure_no_role(boards: Boards, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(boards.busy.url)
    picture = page.get_by_role("img", name="Calls by hour of the day")
    expect(picture).to_be_visible()
    assert picture.evaluate("element => element.localName") == "svg"
    # ARIA in HTML: a figure with a caption takes no role but its own.
    assert page.locator("figure:has(figcaption)[role]").count() == 0
    page.close()


# The campaigns of an account


def board_of_campaigns(start_board: Callable[..., RunningBoard]) -> RunningBoard:
    board = start_board(DASHBOARD_ADMIN_PASSWORD=PASSWORD, DASHBOARD_WEBHOOK_SECRET="s" * 40)
    with httpx.Client(base_url=board.url, verify=NO_TLS, headers={"Authorization": f"Bearer {'s' * 40}"}) as platform:
        for number in range(40):
            body = report(f"s{number}", batchId=f"campaign {number:02}")
            assert platform.post("/webhook/call-webhook", content=body).status_code == 200
    return board


def sign_in(page: Page, board: RunningBoard) -> None:
    page.goto(board.url + "/sign-in?next=/accounts")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts")


def look_for(page: Page, part: str) -> None:
    page.get_by_label("Part of a campaign's name").last.fill(part)
    page.get_by_role("button", name="Find campaigns").last.click()
    # Those that do not match have gone: what is ticked before the answer comes is offered afresh with it.
    expect(page.locator("[id^=campaigns-]").last.get_by_label("campaign 06")).to_have_count(0)
    expect(page.get_by_label("campaign 07").last).to_be_visible()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_an_account_of_two_campaigns_is_made_by_looking_for_them(
    start_board: Callable[..., RunningBoard], browser: Browser, pages: Pages, has_scripts: bool
) -> None:
    board = board_of_campaigns(start_board)
    page = browser.new_context(java_script_enabled=has_scripts, viewport=PHONE).new_page()  # type: ignore[arg-type]
    sign_in(page, board)
    page.get_by_text("Add an account").click()
    page.get_by_label("Name", exact=True).last.fill("vani")
    page.get_by_label("Password").last.fill("a long password")
    look_for(page, "CAMPAIGN 07")
    page.get_by_label("campaign 07").last.check()
    page.get_by_label("Part of a campaign's name").last.fill("paign 3")
    page.get_by_role("button", name="Find campaigns").last.click()
    page.get_by_label("campaign 33").last.check()
    expect(page.get_by_label("campaign 07").last).to_be_checked()
    if not has_scripts:
        # Another page: passwords are never sent back to it.
        page.get_by_label("Password").last.fill("a long password")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("vani can sign in now, as viewer of campaign 07, campaign 33.")).to_be_visible()
    assert pages.complaints == []
