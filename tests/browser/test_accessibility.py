"""Nothing that axe can find stands in anybody's way: every page, light and dark, from a phone to a wall."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.reports import report
from tests.running import RunningBoard

LONG_HINDI = "मैं आपको बताना चाहता हूँ कि हमारी कंपनी की नई योजना के बारे में " * 20
REASONS = ("CLIENT_INITIATED", "VOICEMAIL_DETECTED", "USER_REJECTED", "INVALID_PHONE_NUMBER")
LONG_TAMIL = "உங்கள் புதிய திட்டத்தைப் பற்றி நான் தெரிந்துகொள்ள விரும்புகிறேன் " * 20


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningBoard, RunningBoard]]:
    """A board with calls of every stage and language, and one that is new."""
    busy, new = (RunningBoard(tmp_path_factory.mktemp("board"), {}) for _ in range(2))
    try:
        busy.start()
        new.start()
        for number, reason in enumerate(REASONS):
            busy.post(report(f"sid{number}", hangup_reason=reason, conversion_status=False, recordingUrl=""))
        busy.post(
            report(
                "long",
                call_metadata={"name": LONG_TAMIL[:120]},
                disposition_reason=LONG_HINDI,
                transcription=f"Agent: {LONG_HINDI}\nUser: {LONG_TAMIL}",
            )
        )
        busy.post(report("test", name="agent-test"))
        yield busy, new
    finally:
        busy.end()
        new.end()


def complaints(page: Page) -> list[str]:
    found: dict[str, Any] = Axe().run(page).response
    return [
        f"{page.url}: {each['id']}: {each['help']}: {node['html'][:150]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


# Colours change with the scheme and places with the width: the widths between are looked at in one scheme each.
@pytest.mark.parametrize(
    ("width", "scheme"),
    [(390, "light"), (390, "dark"), (900, "dark"), (1440, "light"), (1440, "dark"), (1920, "light")],
)
def test_axe_finds_nothing_on_any_page(
    boards: tuple[RunningBoard, RunningBoard], browser: Browser, width: int, scheme: str
) -> None:
    busy, new = boards
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    found = []
    # What stands differently at every width, and what does not.
    same = (
        "/?campaign=nowhere",
        "/sign-in",
        "/nowhere",
        "/audit",
        "/accounts",
        "/erase",
        "/tokens",
        "/inbox",
        "/inbox/1",
        "/forward",
        "/gaps",
    )
    for address in ("/", "/calls/5", "/wall", *(same if width in (390, 1440) else ())):
        page.goto(busy.url + address)
        found += complaints(page)
    page.goto(new.url)
    found += complaints(page)
    page.goto(busy.url)
    expect(page.locator("body")).to_have_attribute("data-live", "on")
    page.locator("summary", has_text="Reason").click()
    found += complaints(page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    found += complaints(page)
    context.close()
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("address", ["/", "/calls/5", "/wall", "/accounts", "/inbox", "/inbox/5"])
def test_nothing_is_wider_than_a_phone(
    boards: tuple[RunningBoard, RunningBoard], browser: Browser, address: str
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(boards[0].url + address)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
