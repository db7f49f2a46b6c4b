"""What axe finds on every page and state: `python -m bench.axe` walks all of them, light and dark, at four widths.

The suite walks those whose form goes by the width at each of them, and the others at two.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.dom import ARGUMENTS, chromium_path
from tests.reports import report
from tests.running import RunningBoard

WIDTHS = (390, 900, 1440, 1920)
SCHEMES = ("light", "dark")
PASSWORD = "a password of this run"
REASONS = ("CLIENT_INITIATED", "VOICEMAIL_DETECTED", "USER_REJECTED", "INVALID_PHONE_NUMBER")
LONG_HINDI = "मैं आपको बताना चाहता हूँ कि हमारी कंपनी की नई योजना के बारे में " * 20
LONG_TAMIL = "உங்கள் புதிய திட்டத்தைப் பற்றி நான் தெரிந்துகொள்ள விரும்புகிறேன் " * 20
# Laid out otherwise at every width.
OF_EVERY_WIDTH = ("/", "/calls/5", "/wall")
OTHERS = (
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
SIGNED_IN = ("/", "/calls/1", "/account", "/accounts", "/audit", "/inbox", "/tokens")


@dataclass
class Boards:
    """One with calls of every stage and language, one that is new, one that asks for a password."""

    busy: RunningBoard
    new: RunningBoard
    guarded: RunningBoard


@contextmanager
def boards(folder: Path) -> Iterator[Boards]:
    guard = {"DASHBOARD_ADMIN_PASSWORD": PASSWORD, "DASHBOARD_WEBHOOK_SECRET": "s" * 40}
    made = Boards(
        *(RunningBoard(folder / name, guard if name == "guarded" else {}) for name in ("busy", "new", "guarded"))
    )
    with ExitStack() as stack:
        for board in (made.busy, made.new, made.guarded):
            stack.callback(board.end)
            board.start()
        for number, reason in enumerate(REASONS):
            made.busy.post(report(f"sid{number}", hangup_reason=reason, conversion_status=False, recordingUrl=""))
        long: dict[str, Any] = {
            "call_metadata": {"name": LONG_TAMIL[:120]},
            "disposition_reason": LONG_HINDI,
            "transcription": f"Agent: {LONG_HINDI}\nUser: {LONG_TAMIL}",
        }
        made.busy.post(report("long", **long))
        made.busy.post(report("test", name="agent-test"))
        made.guarded.post(report("long", **long), Authorization=f"Bearer {'s' * 40}")
        yield made


def look_over(boards: Boards, browser: Browser, width: int, scheme: str, addresses: tuple[str, ...]) -> list[str]:
    """What axe finds: of these addresses, of a new board, of an open menu and of the list of keys; a line each."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    found = []
    for address in addresses:
        page.goto(boards.busy.url + address)
        found += complaints(page)
    page.goto(boards.new.url)
    found += complaints(page)
    page.goto(boards.busy.url)
    expect(page.locator("body")).to_have_attribute("data-live", "on")
    page.locator("summary", has_text="Reason").click()
    found += complaints(page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    found += complaints(page)
    context.close()
    return found


def look_over_signed_in(boards: Boards, browser: Browser, width: int, scheme: str) -> list[str]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(boards.guarded.url + "/sign-in")
    found = complaints(page)
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_have_attribute("data-live", "on")
    for address in SIGNED_IN:
        page.goto(boards.guarded.url + address)
        found += complaints(page)
    context.close()
    return found


def complaints(page: Page) -> list[str]:
    return [
        f"{page.url}: {each['id']}: {each['help']}: {node['html'][:150]}"
        for each in Axe().run(page).response["violations"]
        for node in each["nodes"]
    ]


def main() -> int:
    began = time.monotonic()
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="callboard-axe-") as folder,
        boards(Path(folder)) as made,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS)) as browser,
    ):
        for width, scheme in product(WIDTHS, SCHEMES):
            found = look_over(made, browser, width, scheme, OF_EVERY_WIDTH + OTHERS)
            found += look_over_signed_in(made, browser, width, scheme)
            pages = len(OF_EVERY_WIDTH + OTHERS) + 4 + len(SIGNED_IN)
            print(f"{width:5} px, {scheme:5}: {pages} pages and states, {len(found)} complaints", *found, sep="\n  ")
            failed |= bool(found)
    print(f"{time.monotonic() - began:.0f} s in all.")
    return failed


if __name__ == "__main__":
    sys.exit(main())
