"""How fast the index takes calls in and answers, and what it weighs: `python -m bench.index --calls 1000000`."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from dashboard.callkaro.vocabulary import CONNECTED_REASONS, HANGUP_REASONS
from dashboard.calls import Facts, person_of
from dashboard.filters import CallFilter, day_of
from dashboard.index import Index

TIMEZONE = ZoneInfo("Asia/Kolkata")
END = 1_790_000_000
YEAR = 365 * 86_400
CAMPAIGNS, AGENTS, VERSIONS = 400, 40, 120
REASONS = [*HANGUP_REASONS, ""]
TYPES = ["outbound", "outbound-api", "outbound-scheduled", "inbound", "outbound-test", ""]


def made_up(calls: int, seed: int = 1) -> Iterator[Facts]:
    """A year of calls in about their order; a campaign's share falls with its number, and it runs for two months."""
    random = Random(seed)
    for call_id in range(1, calls + 1):
        share = call_id / calls
        running = int(share * CAMPAIGNS * 5 / 6)
        campaign = running + min(int(random.expovariate(1 / 12)), CAMPAIGNS // 6)
        reason = random.choices(REASONS, weights=(30, 9, 1, 8, 12, 25, 8, 2, 1, 1, 1, 1, 1, 1))[0]
        picked_up = reason in CONNECTED_REASONS
        yield Facts(
            id=call_id,
            at=(END - YEAR + int(share * YEAR) - random.randrange(900)) * 1_000_000,
            campaign=f"campaign-{campaign}" if random.random() < 0.95 else "",
            agent=f"agent-{campaign % AGENTS}",
            version=f"version-{campaign % AGENTS}-{int(share * VERSIONS / AGENTS)}",
            type=random.choices(TYPES, weights=(70, 10, 8, 8, 3, 1))[0],
            reason=reason,
            try_count=random.choices((0, 1, 2, 3, -1), weights=(60, 20, 8, 4, 8))[0],
            duration_seconds=int(random.expovariate(1 / 50)) if picked_up else 0,
            converted=picked_up and random.random() < 0.15,
            person=person_of(f"+9198{random.randrange(calls * 3 // 10):08}"),
        )


def best_ms(ask: Callable[[], object], between: Callable[[], object] = int, times: int = 7) -> float:
    took = []
    for _ in range(times):
        between()
        start = time.perf_counter()
        ask()
        took.append(time.perf_counter() - start)
    return min(took) * 1e3


def megabytes() -> float:
    """The most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--calls", type=int, default=1_000_000)
    calls: int = arguments.parse_args().calls
    index, empty, taken = Index(TIMEZONE), megabytes(), 0.0
    pieces = made_up(calls)
    while piece := [facts for facts, _ in zip(pieces, range(50_000), strict=False)]:
        start = time.perf_counter()
        index.load(piece)
        taken += time.perf_counter() - start
    print(f"load    {calls:,} calls in {taken:.1f} s, {calls / taken:,.0f}/s, {megabytes() - empty:.0f} MB")
    measure_changes(index, calls)
    measure_questions(index)


def measure_changes(index: Index, calls: int) -> None:
    some = min(calls, 20_000)
    changed = [facts._replace(reason="UNKNOWN", duration_seconds=7) for facts in map(index.facts, range(1, some + 1))]
    held = [index.facts(facts.id) for facts in changed]
    new = [facts._replace(id=facts.id + calls) for facts in held]
    for word, work in (("change", changed), ("back", held), ("add", new)):
        start = time.perf_counter()
        for facts in work:
            index.put(facts)
        print(f"{word:7} {some / (time.perf_counter() - start):,.0f}/s")
    start = time.perf_counter()
    for facts in new:
        index.remove(facts.id)
    print(f"remove  {some / (time.perf_counter() - start):,.0f}/s")


def change_some(index: Index) -> None:
    """A hundred of the newest calls turn out otherwise: as many as come between two figures of a very busy board."""
    for call_id in range(len(index) - 100, len(index)):
        facts = index.facts(call_id)
        index.put(facts._replace(reason="" if facts.reason else "CLIENT_INITIATED", converted=not facts.converted))


def measure_questions(index: Index) -> None:
    today = day_of(END * 1_000_000, TIMEZONE)
    campaign = f"campaign-{CAMPAIGNS // 2}"
    now = datetime.fromtimestamp(END, TIMEZONE)
    month_ago = today - timedelta(days=60)
    filters = {
        "everything": CallFilter(),
        "today": CallFilter(period="today"),
        "30 days": CallFilter(period="30d"),
        "half a year": CallFilter(from_=today - timedelta(days=182)),
        "a campaign": CallFilter(campaign=(campaign,)),
        "a stage": CallFilter(stage=("connected",)),
        "a figure": CallFilter(figure=("dialled",)),
        "rare": CallFilter(campaign=(campaign,), reason=("SESSION_TIMEOUT",), stage=("converted",)),
        "three at once": CallFilter(agent=("agent-3",), stage=("connected",), from_=month_ago),
        "all nine": CallFilter(
            campaign=tuple(f"campaign-{n}" for n in range(CAMPAIGNS // 2)),
            agent=tuple(f"agent-{n}" for n in range(AGENTS // 2)),
            version=tuple(f"version-{n}-1" for n in range(AGENTS // 2)),
            type=("outbound", "inbound"),
            stage=("connected", "converted", "not-connected"),
            figure=("calls",),
            reason=("CLIENT_INITIATED", "USER_UNAVAILABLE"),
            duration=("0", "11-30", "31-60"),
            try_=("-1", "0", "1"),
            from_=today - timedelta(days=300),
        ),
    }
    offered = sum(len(values) for values in index.options(CallFilter(), today).values())
    print(f"\n{offered} options. Milliseconds, best of 7. Figures are those after 100 changes; before that a filter's")
    print("people are counted for the first time, then for the second, and remembered.\n")
    heads = ("first", "second", "figures", "hours", "usual", "ids", "page 2", "options", "periods", "board")
    print(f"{'':14}{'calls':>10}" + "".join(f"{head:>9}" for head in heads))
    for name, wanted in filters.items():
        first = index.ids(wanted, today, limit=50)
        last = (index.facts(first[-1]).at, first[-1]) if first else None
        took = [
            best_ms(lambda: index.figures(wanted, today), times=1),  # noqa: B023
            best_ms(lambda: index.figures(wanted, today), times=1),  # noqa: B023
            best_ms(lambda: index.figures(wanted, today), between=lambda: change_some(index)),  # noqa: B023
            best_ms(lambda: index.hours(wanted, today)),  # noqa: B023
            best_ms(lambda: index.usual(wanted, now)),  # noqa: B023
            best_ms(lambda: index.ids(wanted, today, limit=50)),  # noqa: B023
            best_ms(lambda: index.ids(wanted, today, limit=50, before=last)),  # noqa: B023
            best_ms(lambda: index.options(wanted, today)),  # noqa: B023
            best_ms(lambda: index.periods(wanted, today)),  # noqa: B023
        ]
        board = sum(took[2:]) - took[6]
        print(f"{name:14}{index.count(wanted, today):10,}" + "".join(f"{ms:9.3f}" for ms in (*took, board)))


if __name__ == "__main__":
    main()
