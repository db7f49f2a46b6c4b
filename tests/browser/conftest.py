"""A real Chromium in front of a real server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.proxy import Proxy
from tests.running import RunningBoard

expect.set_options(timeout=5_000)

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)


def chromium_path() -> str:
    """CHROMIUM, else one on PATH; none is a failure, because a board that no browser has seen is untested."""
    for name in (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        if name and (path := shutil.which(name)):
            return path
    raise AssertionError("No Chromium was found. Set CHROMIUM to one, or let `make test` install it.")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for this folder: Playwright leaves its loop running, and any later async test would fail of it."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def board(start_board: Callable[..., RunningBoard]) -> RunningBoard:
    return start_board()


@pytest.fixture
def proxy(board: RunningBoard) -> Iterator[Proxy]:
    """Stands before the board, as nginx would, and answers 502 while the board is away."""
    with Proxy(board.port) as made:
        yield made


@dataclass
class Pages:
    """Opens pages and listens to what their consoles say: an error that nobody reads is no error."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    allowed: tuple[str, ...] = ()

    def open(self, url: str, *, live: bool = True, **context: object) -> Page:
        page = self.browser.new_context(**context).new_page()  # type: ignore[arg-type]
        page.on("console", self._hear)
        page.on("pageerror", lambda problem: self.complaints.append(str(problem)))
        page.goto(url)
        if live:
            expect(page.locator("body")).to_have_attribute("data-live", "on")
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(part in message.text for part in self.allowed):
            self.complaints.append(message.text)


@pytest.fixture
def pages(browser: Browser) -> Iterator[Pages]:
    made = Pages(browser)
    yield made
    for context in browser.contexts:
        context.close()
    assert made.complaints == []
