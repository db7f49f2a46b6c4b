"""An ordinary hour, or more: calls at a steady rate, many open pages, one of them a real browser's; who grows?

`python -m bench.hour [--minutes 60] [--rate 5] [--pages 200]`. The browser's page is left alone, as a person leaves it:
what it holds must not go by what has come in. The index grows by design, some 130 bytes a call; that is taken off.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil
from playwright.sync_api import CDPSession, Page, sync_playwright

from bench import load
from bench.dom import ARGUMENTS, chromium_path, live_page
from bench.servers import Server, callboard
from bench.streams import Streams

INDEX_BYTES_A_CALL = 130
# From then on it should be flat: by then caches are warm and the list has its 200 rows.
WARM_MINUTES = 10
MOST_GROWTH = 0.10


class Sample(NamedTuple):
    """Megabytes after a minute of calls; `heap` after a collection, `nodes` of the document."""

    server: float
    tab: float
    heap: float
    nodes: int
    descriptors: int
    rows: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.hour", description="Does anything grow in an hour?")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=float, default=5.0)
    parser.add_argument("--pages", type=int, default=200)
    options = parser.parse_args()
    samples: list[Sample] = []
    with (
        tempfile.TemporaryDirectory(prefix="callboard-hour-") as folder,
        callboard(Path(folder)) as server,
        Streams(server.port, "/live", options.pages),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS) as browser,
    ):
        page = live_page(browser, f"http://127.0.0.1:{server.port}/", watch=False)
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable")
        sent = 0
        for minute in range(1, options.minutes + 1):
            outcome = load.run(
                load.Plan(
                    server.port, "/webhook/call-webhook", connections=4, rate=options.rate, seconds=60, run=minute
                )
            )
            sent += outcome.acknowledged
            rows = page.locator("#calls > tr").count()
            samples.append(_sample(server, devtools, sent, rows))
            print(f"minute {minute:3}  {sent:7,} calls  {_words(samples[-1])}", flush=True)
        calls = _calls_shown(page, sent)
    print(f"The page says {calls:,} calls; {sent:,} were acknowledged.")
    return _judge(samples) or int(calls != sent)


def _calls_shown(page: Page, expected: int) -> int:
    """The page's own count, once it says what is expected or has had five seconds to."""
    until = time.monotonic() + 5
    while True:
        calls = int(page.locator("[data-figure=calls]").get_attribute("data-value") or 0)
        if calls == expected or time.monotonic() > until:
            return calls
        page.wait_for_timeout(100)


def _sample(server: Server, devtools: CDPSession, sent: int, rows: int) -> Sample:
    devtools.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in devtools.send("Performance.getMetrics")["metrics"]}
    return Sample(
        server=(server.memory - sent * INDEX_BYTES_A_CALL) / 1e6,
        tab=_renderer_memory() / 1e6,
        heap=metrics["JSHeapUsedSize"] / 1e6,
        nodes=int(metrics["Nodes"]),
        descriptors=psutil.Process(server.pid).num_fds(),
        rows=rows,
    )


def _renderer_memory() -> int:
    """Resident bytes of the largest renderer among our own browser's processes."""
    own = psutil.Process().children(recursive=True)
    renderers = [child for child in own if "--type=renderer" in " ".join(child.cmdline())]
    return max((int(child.memory_info().rss) for child in renderers), default=0)


def _words(sample: Sample) -> str:
    return (
        f"server {sample.server:6.1f} MB, {sample.descriptors} descriptors; tab {sample.tab:6.1f} MB, "
        f"heap {sample.heap:5.1f} MB, {sample.nodes:,} nodes, {sample.rows} rows"
    )


def _judge(samples: list[Sample]) -> int:
    """The middle of the last minutes beside the middle of the first warm ones."""
    warm = samples[WARM_MINUTES:]
    if len(warm) < 10:
        print("Too short to judge: give it 20 minutes at least.")
        return 0
    failed = 0
    for name in ("server", "tab", "heap", "nodes", "descriptors"):
        first = median(getattr(sample, name) for sample in warm[:5])
        last = median(getattr(sample, name) for sample in warm[-5:])
        growth = last / first - 1
        failed |= growth > MOST_GROWTH
        verdict = "flat" if growth <= MOST_GROWTH else "GROWS"
        print(f"{name:12} {first:10.1f} → {last:10.1f}  {100 * growth:+5.1f} %  {verdict}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
