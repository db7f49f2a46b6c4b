"""From webhook sent to row on the screen: a real browser, at a steady rate, while other pages are open."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

from bench import load
from bench.report import Goal, Report
from bench.servers import NotMeasured, callboard
from bench.streams import Streams

RATE = 20.0
OTHER_PAGES = 200
P50 = Goal(100, at_least=False, unit=" ms")
P99 = Goal(500, at_least=False, unit=" ms")
LIVE_WITHIN = 15.0
SETTLED_WITHIN = 10.0
# The browser must load nothing but the page: no updates, no metrics, no QUIC.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Notes the moment at which each caller's name is first in the list; the name tells which webhook it was.
WATCH = """
window.seen = {};
new MutationObserver(changes => {
  const now = performance.timeOrigin + performance.now();
  for (const change of changes) for (const node of change.addedNodes) {
    if (node.nodeType !== Node.ELEMENT_NODE) continue;
    const rows = node.matches('tr[id^="call-"]') ? [node] : node.querySelectorAll('tr[id^="call-"]');
    for (const row of rows) {
      const caller = row.textContent.match(/Caller \\d{7}/);
      if (caller) window.seen[caller[0]] ??= now;
    }
  }
}).observe(document, {childList: true, subtree: true});
"""


def measure(report: Report, *, seconds: float) -> None:
    report.title(
        f"Webhook to row on the screen: {RATE:.0f} calls/s for {seconds:.0f} s beside {OTHER_PAGES} open pages"
    )
    try:
        delays, outcome = _delays(seconds)
    except (NotMeasured, RuntimeError, Error) as problem:
        reason = str(problem).splitlines()[0]
        report.line("Chromium", f"not measured: {reason}")
        for share in ("p50", "p99"):
            report.not_measured(f"webhook sent to row in the DOM, {share}", reason)
        return
    report.line(
        "Chromium",
        f"{len(delays)} of {len(outcome.sent)} rows seen",
        f"slowest {max(delays, default=0.0):.0f} ms",
        f"the webhook's own answer p50 {outcome.p50_ms:.1f} ms, p99 {outcome.p99_ms:.1f} ms",
    )
    if len(delays) < len(outcome.sent):
        why = f"{len(outcome.sent) - len(delays)} rows never came to the page"
        report.not_measured("webhook sent to row in the DOM", why)
        return
    report.figure("webhook sent to row in the DOM, p50", [load.percentile(delays, 0.50)], P50, " ms")
    report.figure("webhook sent to row in the DOM, p99", [load.percentile(delays, 0.99)], P99, " ms")


def _delays(seconds: float) -> tuple[list[float], load.Outcome]:
    """Milliseconds of each row that came, and what the sender saw."""
    with (
        tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder,
        callboard(Path(folder)) as server,
        Streams(server.port, "/live", OTHER_PAGES),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS) as browser,
    ):
        page = live_page(browser, f"http://127.0.0.1:{server.port}/")
        outcome = load.run(load.Plan(server.port, "/webhook/call-webhook", connections=8, rate=RATE, seconds=seconds))
        seen = _seen(page, len(outcome.sent))
        offset = _clock_offset(page)
    return [seen[name] - offset - 1000 * sent for name, sent in outcome.sent.items() if name in seen], outcome


def live_page(browser: Browser, address: str, *, watch: bool = True) -> Page:
    page = browser.new_page()
    if watch:
        page.add_init_script(WATCH)
    page.goto(address)
    page.locator('body[data-live="on"]').wait_for(state="attached", timeout=1000 * LIVE_WITHIN)
    return page


def _seen(page: Page, expected: int) -> dict[str, float]:
    deadline = time.monotonic() + SETTLED_WITHIN
    seen: dict[str, float] = {}
    while len(seen) < expected and time.monotonic() < deadline:
        page.wait_for_timeout(100)
        seen = page.evaluate("() => window.seen")
    return seen


def _clock_offset(page: Page) -> float:
    """Milliseconds by which the page's clock is ahead of ours, taken from the quickest of a few questions."""
    answers = []
    for _ in range(9):
        before = time.time()
        theirs = page.evaluate("() => performance.timeOrigin + performance.now()")
        after = time.time()
        answers.append((after - before, theirs - 500 * (before + after)))
    return float(min(answers)[1])


def chromium_path() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        raise NotMeasured("Chromium is not installed: `apt install chromium`, or set CHROMIUM to the path of one.")
    return found
