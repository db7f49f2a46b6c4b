"""How fast rows reach a thousand open streams, beside Nchan pushing the very same bytes."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median

from bench import load
from bench.report import Goal, Report, ratios, thousands
from bench.servers import NotMeasured, Server, callboard, nchan, peer
from bench.streams import Arrival, Streams

STREAMS = 1000
ROWS = 200
WARM = 20
BURST_AGAINST_NCHAN = Goal(1.0, at_least=True)
ONE_AGAINST_NCHAN = Goal(2.5, at_least=False)
_ROW_ID = re.compile(rb'id="call-(\d+)"')
_runs = count(1)


@dataclass(frozen=True)
class Fan:
    """One publishing: what was sent to how many, from the first publish to the last stream having all of it."""

    rows: int
    seconds: float
    arrival: Arrival
    cpu: float

    @property
    def expected(self) -> int:
        return self.rows * STREAMS

    @property
    def rate(self) -> float:
        return self.arrival.delivered / self.seconds


@dataclass
class Pusher:
    """A server that pushes, and what its rounds gave."""

    name: str
    start: Callable[[Path], AbstractContextManager[Server]]
    publish: str
    bursts: list[Fan] = field(default_factory=list)
    ones: list[list[Fan]] = field(default_factory=list)
    missing: str = ""

    def seconds_to_all(self) -> list[float]:
        return [median(fan.seconds for fan in fans) for fans in self.ones]

    def lost(self) -> int:
        fans = [*self.bursts, *(fan for fans in self.ones for fan in fans)]
        return sum(fan.expected - fan.arrival.delivered for fan in fans)


def measure(report: Report, *, rounds: int, singles: int) -> None:
    report.title(f"Rows to {thousands(STREAMS)} open streams, every row counted at every stream")
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as scratch:
        rows = Path(scratch) / "rows.json"
        ours = Pusher("Callboard, durable webhooks", callboard, "/webhook/call-webhook")
        theirs = Pusher("Nchan, the same rows posted", nchan, "/publish")
        ceiling = Pusher("the stream client's own ceiling", lambda folder: peer("pusher", folder, str(rows)), "/")
        for number in range(rounds):
            drawn = _round(ours, [], singles, rows)
            if drawn:
                _round(theirs, drawn, singles, rows)
                if number == 0:
                    _round(ceiling, drawn, singles, rows)
    if not ours.bursts:
        theirs.missing = ceiling.missing = "Callboard's rows are needed first."
    for pusher in (ours, theirs, ceiling):
        _say(report, pusher)
    _compare(report, ours, theirs)


def _round(pusher: Pusher, drawn: list[list[str]], singles: int, file: Path) -> list[list[str]]:
    """Publish a warm-up, single rows and a burst; returns the rows as they were drawn on the wire, per publishing."""
    if pusher.missing:
        return []
    seen: list[list[str]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder:
            file.write_text(json.dumps([row for rows in drawn for row in rows]), encoding="utf-8")
            with pusher.start(Path(folder)) as server, Streams(server.port, "/live", STREAMS) as streams:
                fans = []
                for number, size in enumerate([WARM, *[1] * singles, ROWS]):
                    if pusher.publish == "/publish":
                        file.write_text(json.dumps(drawn[number]), encoding="utf-8")
                    fans.append(_publish(pusher, server, streams, size, file))
                    if not drawn:
                        seen.append(rows_drawn(streams.recorded()))
    except (NotMeasured, RuntimeError) as problem:
        pusher.missing = str(problem)
        return []
    pusher.ones.append(fans[1:-1])
    pusher.bursts.append(fans[-1])
    return seen


def _publish(pusher: Pusher, server: Server, streams: Streams, size: int, file: Path) -> Fan:
    if pusher.publish == "/":  # all of them in one order: this server has the rows already
        plan = load.Plan(server.port, f"/{size}", connections=1, total=1)
    elif pusher.publish == "/publish":
        plan = load.Plan(server.port, pusher.publish, total=size, rows=str(file))
    else:
        plan = load.Plan(server.port, pusher.publish, total=size, run=server.port << 8 | next(_runs), recording=False)
    streams.expect(size)
    cpu = server.cpu
    outcome = load.run(plan)
    if outcome.refused or outcome.unanswered:
        raise NotMeasured(f"{pusher.name}: refused {outcome.refused}, unanswered {outcome.unanswered}.")
    arrival = streams.arrival()
    return Fan(size, (arrival.last_ns - outcome.first_ns) / 1e9, arrival, server.cpu - cpu)


def rows_drawn(raw: bytes) -> list[str]:
    """The data of each message that draws a row (its first drawing), out of a chunked answer of server-sent events."""
    rows: dict[bytes, str] = {}
    for message in _unchunked(raw).split(b"\n\n"):
        data = (line[5:].removeprefix(b" ") for line in message.split(b"\n") if line.startswith(b"data:"))
        text = b"\n".join(data)
        if found := _ROW_ID.search(text):
            rows.setdefault(found[1], text.decode())
    return list(rows.values())


def _unchunked(raw: bytes) -> bytes:
    parts = []
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        parts.append(raw[: int(size, 16)])
        raw = raw[int(size, 16) + 2 :]
    return b"".join(parts)


def _say(report: Report, pusher: Pusher) -> None:
    if not pusher.bursts:
        report.line(pusher.name, f"not measured: {pusher.missing}")
        return
    bursts = pusher.bursts
    report.line(
        pusher.name,
        f"{ROWS} rows {thousands(median(fan.rate for fan in bursts)):>8} deliveries/s",
        f"in {median(fan.seconds for fan in bursts):.2f} s",
        f"{median(fan.arrival.received for fan in bursts) / 1e6:.0f} MB",
        f"CPU {median(fan.cpu for fan in bursts):.2f} s (client {median(fan.arrival.cpu for fan in bursts):.2f} s)",
    )
    report.line(
        "",
        f"one row to all {1000 * median(pusher.seconds_to_all()):.0f} ms",
        f"slowest {1000 * max(fan.seconds for fans in pusher.ones for fan in fans):.0f} ms",
        f"{thousands(pusher.lost())} rows missing",
        f"{thousands(sum(fan.arrival.repeats for fan in bursts))} drawn again",
    )


def _compare(report: Report, ours: Pusher, theirs: Pusher) -> None:
    burst = f"deliveries/s, {ROWS} rows to {thousands(STREAMS)} streams, Callboard : Nchan"
    one = f"one row to all {thousands(STREAMS)} streams, time, Callboard : Nchan"
    why = ours.missing or theirs.missing
    if not why and (lost := ours.lost() or theirs.lost()):
        why = f"{thousands(lost)} rows did not arrive in time."
    if why:
        report.not_measured(burst, why)
        report.not_measured(one, why)
        return
    report.figure(burst, ratios([f.rate for f in ours.bursts], [f.rate for f in theirs.bursts]), BURST_AGAINST_NCHAN)
    report.figure(one, ratios(ours.seconds_to_all(), theirs.seconds_to_all()), ONE_AGAINST_NCHAN)
