"""Markup in every field on every page of a real browser: nothing runs, nothing is loaded, no dialog opens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright

from bench.dom import ARGUMENTS, chromium_path
from bench.faults.client import burst, new_board
from bench.faults.payloads import payloads
from bench.faults.table import Run
from tests.reports import data_of

PAYLOADS = 500
SEEN_WITHIN = 20.0
MANY_PATHS = ("/", "/?period=today", "/wall", "/api/board", "/inbox", "/audit")
# Links that would run if somebody clicked, in a whole document.
_DANGEROUS = """[...document.querySelectorAll('a[href], area[href], form[action]')].filter(
    each => !/^(https?|mailto|tel):$/.test(new URL(each.href || each.action, location).protocol)).length"""


class Canary:
    """A server that nobody has a reason to ask."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        canary = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path not in ("/control", "/favicon.ico"):
                    canary.asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_HEAD = do_OPTIONS = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()


class Watched:
    """A browser's page, and everything on it that should never happen."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.page: Page = browser.new_page(base_url=url)
        self.dialogs = self.executions = self.links = self.refusals = self.pages = 0
        self.page.on("dialog", self._note_dialog)
        self.page.on("console", lambda message: self._note_words(message.text))
        # Whatever sets it in any document is seen, also if the document is gone a moment later.
        self.page.expose_function("noteRan", self._note_ran)
        self.page.add_init_script(
            "Object.defineProperty(window, 'ran', {set: value => window.noteRan(String(value)), get: () => undefined})"
        )

    def visit(self, path: str, *, is_there: bool = True) -> None:
        answer = self.page.goto(path, wait_until="load")
        assert not is_there or (answer and answer.status == 200), f"nothing to be seen at {path}"
        self.look()

    def look(self) -> None:
        self.pages += 1
        self.links += int(self.page.evaluate(_DANGEROUS))

    def _note_dialog(self, dialog: object) -> None:
        self.dialogs += 1
        dialog.dismiss()  # type: ignore[attr-defined]

    def _note_ran(self, _: str) -> None:
        self.executions += 1

    def _note_words(self, text: str) -> None:
        self.refusals += "Content Security Policy" in text


def measure(run: Run) -> None:
    canary = Canary()
    found = payloads(PAYLOADS, canary.url)
    board = new_board(run.place("markup"))
    board.start()
    try:
        with canary.listening(), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
            _check_that_it_would_be_seen(browser)
            # Open all the while: what the stream puts into a page is another way in than the page itself.
            live, walker = Watched(browser, board.url), Watched(browser, board.url)
            live.visit("/")
            ids = _post(run, board.port, found)
            live.page.locator("#calls > tr").nth(40).wait_for(state="attached", timeout=15_000)
            live.look()
            _walk(run, walker, ids, found)
            live.look()
            browser.close()
    finally:
        board.end()
    ran, dialogs = live.executions + walker.executions, live.dialogs + walker.dialogs
    links, refusals = live.links + walker.links, live.refusals + walker.refusals
    figure = (
        f"{ran} ran, {len(canary.asked)} asked the canary, {dialogs} dialogs, {links} dangerous links; "
        f"{walker.pages + live.pages} pages looked at, {refusals} stopped by the policy alone"
    )
    for path in canary.asked:
        run.say(f"  asked the canary: {path}")
    what = f"{len(found)} pieces of hostile markup in every field, on every page, in Chromium"
    run.row(what, figure, "0, 0, 0, 0", not (ran or canary.asked or dialogs or links))


def _check_that_it_would_be_seen(browser: Browser) -> None:
    """On a page that puts text in as markup the payloads do run: otherwise the row would say nothing."""
    # A canary of its own: what the browser still asks when the page is closed would count against the board.
    canary = Canary()
    with canary.listening():
        _look_at_control(browser, canary)


def _look_at_control(browser: Browser, canary: Canary) -> None:
    control = Watched(browser, canary.url)
    control.visit("/control")
    # A refresh would leave the page before the others have run.
    staying = [text for text in payloads(40, canary.url) if "http-equiv" not in text]
    control.page.evaluate("markup => { document.body.innerHTML = markup }", "".join(staying))
    until = time.monotonic() + SEEN_WITHIN
    while not (control.executions and canary.asked) and time.monotonic() < until:
        control.page.wait_for_timeout(100)
    assert control.executions, "no payload runs even where nothing stops it"
    assert canary.asked, "the canary does not hear the browser"
    control.page.close()


def _post(run: Run, port: int, found: list[str]) -> int:
    """As many calls as it takes that every payload stands in every field once; the number of them."""
    each = run.choose(10, 1)  # payloads in one field of one call
    bodies = []
    for number in range(0, len(found), each):
        text = " ".join(found[number : number + each])
        bodies.append((f"markup {number}", _body(f"markup {number}", text)))
    ledger = burst(port, bodies, at_once=4)
    assert len(ledger.acknowledged) == len(bodies), f"not all were taken: {dict(ledger.statuses)}"
    return len(bodies)


def _body(sid: str, text: str) -> bytes:
    data: dict[str, Any] = {name: text for name, value in data_of().items() if isinstance(value, str)}
    data |= {
        "callSid": f"{sid} {text}",
        "transcription": f"Agent: {text}\nUser: {text}",
        "call_metadata": {"name": text, text: text},
        "post_call": {text: text, "lead_status": text},
        "post_call_detail": {text: {"value": text, "comment": text}},
        "functions_called": [{"name": text, "success": text, "timestamp": text}],
        "time": "2025-12-19 16:01:07",
        "conversion_status": True,
        text: text,
    }
    return json.dumps({"event": "call_ended", "data": data}).encode()


def _walk(run: Run, page: Watched, calls: int, found: list[str]) -> None:
    for call in range(1, calls + 1):
        page.visit(f"/calls/{call}")
    for path in MANY_PATHS:
        page.visit(path)
    _walk_back(page)
    for text in found[:: run.choose(50, 4)]:
        hostile = quote(text, safe="")
        page.visit(f"/?campaign={hostile}")
        page.visit(f"/nowhere/{hostile}", is_there=False)
        page.visit(f"/sign-in?next={hostile}")


def _walk_back(page: Watched) -> None:
    """The board from its first page to its oldest, which leads back to the first."""
    path, been = "/", set[str]()
    while path and path not in been:
        been.add(path)
        page.visit(path)
        older = page.page.locator("#older a").first
        path = str(older.get_attribute("href")) if older.count() else ""
