"""What an open, silent page costs the server in memory."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench import load
from bench.report import Goal, Report, thousands
from bench.servers import NotMeasured, callboard
from bench.streams import Streams

STREAMS = 1000
PER_STREAM = Goal(60, at_least=False, unit=" kB")
WHAT = "memory per idle stream"


def measure(report: Report, *, settle: float) -> None:
    report.title(f"Memory: the server with no stream, then with {thousands(STREAMS)} idle ones")
    try:
        with tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder, callboard(Path(folder)) as server:
            # A call, a page and a few streams first: what is loaded once is not the price of a stream.
            load.run(load.Plan(server.port, "/webhook/call-webhook", total=50, run=1, recording=False))
            with Streams(server.port, "/live", 20):
                time.sleep(settle)
            time.sleep(settle)
            before = server.memory
            with Streams(server.port, "/live", STREAMS):
                time.sleep(settle)
                after = server.memory
    except (NotMeasured, RuntimeError) as problem:
        report.line("Callboard", f"not measured: {problem}")
        report.not_measured(WHAT, str(problem))
        return
    report.line("Callboard", f"{before / 1e6:.1f} MB", f"{after / 1e6:.1f} MB with {thousands(STREAMS)} streams")
    report.figure(WHAT, [(after - before) / STREAMS / 1000], PER_STREAM, " kB")
