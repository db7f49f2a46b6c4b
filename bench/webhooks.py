"""How many durable webhooks one process takes in a second, beside the same server doing nothing and the plain way."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import load
from bench.bodies import BODY_BYTES
from bench.report import Goal, Report, ratios, thousands
from bench.servers import NotMeasured, Server, callboard, callboard_on_granian, peer

PATH = "/webhook/call-webhook"
OURS, NOOP, PLAIN = "Callboard", "no-op Quart, same server", "FastAPI + SQLModel per request"
BEFORE = "Callboard of the other checkout"
VENDOR, GRANIAN = "vendor's FastAPI, stores nothing", "Callboard on Granian"
AGAINST_NOOP = Goal(0.8, at_least=True)
AGAINST_PLAIN = Goal(4.0, at_least=True)
AGAINST_BEFORE = Goal(0.97, at_least=True)


@dataclass
class Contender:
    """A server, and what its rounds gave."""

    name: str
    start: Callable[[Path], AbstractContextManager[Server]]
    stores: bool = False
    rounds: list[load.Outcome] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # seconds per thousand requests
    stored: int = 0
    missing: str = ""

    @property
    def rates(self) -> list[float]:
        return [outcome.rate for outcome in self.rounds]


def contenders(before: Path | None = None) -> list[Contender]:
    # Ours runs between those that it is measured against.
    other = [Contender(BEFORE, lambda folder: callboard(folder, before), stores=True)] if before else []
    return [
        *other,
        Contender(NOOP, lambda folder: peer("noop_quart", folder)),
        Contender(OURS, callboard, stores=True),
        Contender(PLAIN, lambda folder: peer("plain_fastapi", folder, str(folder / "callboard.db")), stores=True),
        Contender(VENDOR, lambda folder: peer("vendor_fastapi", folder)),
        Contender(GRANIAN, callboard_on_granian, stores=True),
    ]


def measure(report: Report, *, rounds: int, seconds: float, warm: float, before: Path | None = None) -> None:
    """`before` is another checkout of Callboard, which is measured in the same rounds."""
    report.title(f"Webhooks: 64 keep-alive connections, {BODY_BYTES / 1000:.0f} kB bodies, every call another one")
    field_of_runners = contenders(before)
    for number in range(rounds):
        # There and back again, so that no one always runs on the warmer machine.
        for contender in field_of_runners if number % 2 == 0 else reversed(field_of_runners):
            if not contender.missing:
                _round(contender, number, seconds, warm)
    for contender in field_of_runners:
        _say(report, contender)
    by_name = {contender.name: contender for contender in field_of_runners}
    if before:
        _compare(report, by_name[OURS], by_name[BEFORE], AGAINST_BEFORE)
    _compare(report, by_name[OURS], by_name[NOOP], AGAINST_NOOP)
    _compare(report, by_name[OURS], by_name[PLAIN], AGAINST_PLAIN)
    _compare(report, by_name[OURS], by_name[VENDOR], None)
    _compare(report, by_name[GRANIAN], by_name[OURS], None)


def _round(contender: Contender, number: int, seconds: float, warm: float) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder:
            with contender.start(Path(folder)) as server:
                before = server.cpu
                plan = load.Plan(server.port, PATH, seconds=seconds, warm=warm, run=server.port << 8 | number)
                outcome = load.run(plan)
                cpu = server.cpu - before
                if contender.stores:
                    contender.stored += _stored(server.database)
            contender.rounds.append(outcome)
            contender.cpu.append(1000 * cpu / max(1, outcome.acknowledged))
    except NotMeasured as problem:
        contender.missing = str(problem)


def _stored(database: Path) -> int:
    """Rows by plain sqlite3, while the server still runs: what another process can read has been committed."""
    with closing(sqlite3.connect(database)) as connection:
        calls: int = connection.execute("SELECT count(*) FROM call").fetchone()[0]
        return calls


def _say(report: Report, contender: Contender) -> None:
    if contender.missing:
        report.line(contender.name, f"not measured: {contender.missing}")
        return
    acknowledged = sum(outcome.acknowledged for outcome in contender.rounds)
    figures = [
        f"{thousands(median(contender.rates)):>6}/s",
        f"p50 {median(outcome.p50_ms for outcome in contender.rounds):5.1f} ms",
        f"p99 {median(outcome.p99_ms for outcome in contender.rounds):6.1f} ms",
        f"{median(contender.cpu):.2f} s CPU per 1,000",
    ]
    if contender.stores:
        sign = "=" if contender.stored == acknowledged else "≠"
        figures.append(f"{thousands(acknowledged)} acknowledged {sign} {thousands(contender.stored)} stored")
    troubled = [outcome for outcome in contender.rounds if outcome.refused or outcome.unanswered]
    figures += [f"refused {outcome.refused}, unanswered {outcome.unanswered}" for outcome in troubled]
    report.line(contender.name, *figures)


def _compare(report: Report, ours: Contender, theirs: Contender, goal: Goal | None) -> None:
    what = f"webhooks/s, {ours.name} : {theirs.name}"
    if missing := ours.missing or theirs.missing:
        report.not_measured(what, missing)
    else:
        report.figure(what, ratios(ours.rates, theirs.rates), goal)
