"""The simulated account: endless webhook bodies, the same for the same seed. Reads no clock, opens no socket."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from itertools import count
from random import Random
from typing import TypeVar

from dashboard.simulator import oddities
from dashboard.simulator.cast import CAMPAIGNS, HELPLINE, Campaign, Person, make_person
from dashboard.simulator.outcomes import Attempt, Outcome, draw_outcome
from dashboard.simulator.reports import INDIA, body_of, make_report

What = TypeVar("What")

CALL_TYPES = {
    "outbound": 68,
    "outbound-api": 12,
    "outbound-scheduled": 7,
    "inbound": 10,
    "outbound-test": 2,
    "agent-test": 1,
}
LAST_TRY = 3
RETRIED_SHARE = 0.75  # of calls that were dialled and not taken up
CALLS_UNTIL_RETRY = (12, 60)
CALLS_UNTIL_FULLER = (8, 30)
CALLS_UNTIL_REPEAT = (0, 2)
RINGS_AGAIN_SHARE = 0.3  # of inbound calls
SECONDS_TO_REPORT = (3, 9)  # the platform analyses a call before it reports it

LEAST_TODAY_SHARE = 0.05  # of a back story, however early in the morning
# How busy each hour of the day is; a little goes on at night as well.
BUSY_AT_HOUR = (*(0.02,) * 7, 0.05, 0.2, 0.7, 1, 1, 0.9, 0.6, 0.7, 0.9, 1, 1, 1, 0.8, 0.4, 0.1, 0.03, 0.02)
SLOT = timedelta(minutes=15)


class Story(Iterator[bytes]):
    """Webhook bodies without end. `now` is asked for every call; a moment without a zone is taken as India's.

    Without `clip_base_url` no call has a recording, since none could be fetched.
    """

    def __init__(self, seed: int, now: datetime | Callable[[], datetime], clip_base_url: str | None = None) -> None:
        self._random = Random(seed)  # noqa: S311 - it must be the same again for the same seed
        self._now = now if callable(now) else lambda: now
        self._clip_base_url = clip_base_url
        self._attempts: list[tuple[int, int, Attempt]] = []  # a heap: due after so many calls, tie-breaker, attempt
        self._bodies: list[tuple[int, int, bytes]] = []  # a heap: due after so many calls, tie-breaker, body
        self._promises = count()
        self._callers: deque[Person] = deque(maxlen=50)
        self._people = 0
        self.calls = 0  # different calls told so far; a body may be another report of the same one

    def __next__(self) -> bytes:
        return self._due_body() or self._tell_live()

    def take(self, calls: int) -> Iterator[bytes]:
        """The reports of exactly so many more calls, with all their repeats and later, fuller reports."""
        last = self.calls + calls
        while self.calls < last:
            yield next(self)
        yield from self._remaining_bodies()

    def back_story(self, days: int, calls: int) -> Iterator[bytes]:
        """So many calls spread over today and the days before it, in order and all ended before now."""
        now = self._local_now()
        for made_at in sorted(self._past_moments(now, days, calls)):
            while body := self._due_body():
                yield body
            attempt = self._next_attempt()
            outcome = draw_outcome(self._random, attempt, made_at.hour)
            latest = now - timedelta(seconds=outcome.seconds + SECONDS_TO_REPORT[1])
            yield self._tell(attempt, outcome, min(made_at, latest))
        yield from self._remaining_bodies()

    def _tell_live(self) -> bytes:
        attempt, now = self._next_attempt(), self._local_now()
        outcome = draw_outcome(self._random, attempt, now.hour)
        ago = timedelta(seconds=outcome.seconds + self._random.randint(*SECONDS_TO_REPORT))
        return self._tell(attempt, outcome, now - ago - oddities.draw_lateness(self._random))

    def _tell(self, attempt: Attempt, outcome: Outcome, made_at: datetime) -> bytes:
        report = make_report(self._random, attempt, outcome, made_at, self._clip_base_url)
        report = oddities.draw_oddity(self._random, report)
        self.calls += 1
        body = body_of(report)
        if outcome.connected and self._happens(oddities.FULLER_LATER_SHARE):
            self._promise(self._bodies, CALLS_UNTIL_FULLER, body)
            body = body_of(oddities.without_findings(report))
        if self._happens(oddities.REPEATED_SHARE):
            self._promise(self._bodies, CALLS_UNTIL_REPEAT, body)
        self._follow_up(attempt, outcome)
        return body

    def _follow_up(self, attempt: Attempt, outcome: Outcome) -> None:
        if not attempt.call_type.startswith("outbound") or attempt.call_type == "outbound-test":
            return
        if outcome.callback:
            again = replace(attempt, call_type="outbound-scheduled", try_count=0)
            self._promise(self._attempts, CALLS_UNTIL_RETRY, again)
        elif outcome.retryable and attempt.try_count < LAST_TRY and self._happens(RETRIED_SHARE):
            again = replace(attempt, try_count=attempt.try_count + 1)
            self._promise(self._attempts, CALLS_UNTIL_RETRY, again)

    def _next_attempt(self) -> Attempt:
        if self._attempts and self._attempts[0][0] <= self.calls:
            return heapq.heappop(self._attempts)[2]
        call_type = self._random.choices(list(CALL_TYPES), list(CALL_TYPES.values()))[0]
        if call_type == "inbound":
            return self._attempt(self._caller(), HELPLINE, call_type, try_count=-1)
        campaign = self._random.choices(CAMPAIGNS, [campaign.weight for campaign in CAMPAIGNS])[0]
        return self._attempt(self._new_person(campaign), campaign, call_type, try_count=0)

    def _attempt(self, person: Person, campaign: Campaign, call_type: str, try_count: int) -> Attempt:
        agent = self._random.choice(campaign.agents)
        return Attempt(person, campaign, agent, self._random.choice(agent.versions), call_type, try_count)

    def _caller(self) -> Person:
        if self._callers and self._happens(RINGS_AGAIN_SHARE):
            return self._random.choice(self._callers)
        self._callers.append(self._new_person(HELPLINE))
        return self._callers[-1]

    def _new_person(self, campaign: Campaign) -> Person:
        self._people += 1
        return make_person(self._random, campaign, self._people)

    def _past_moments(self, now: datetime, days: int, calls: int) -> list[datetime]:
        """So many moments before now, every day as busy as the others as far as it has come; today is never empty."""
        midnight = datetime.combine(now, time.min)
        today = _slots(midnight, now) or [midnight]
        earlier = _slots(midnight - timedelta(days=days - 1), midnight)
        busy_today, busy_earlier = sum(map(_busyness, today)), sum(map(_busyness, earlier))
        share = max(LEAST_TODAY_SHARE, busy_today / (busy_today + busy_earlier))
        calls_today = round(calls * share)
        return self._moments(today, calls_today) + self._moments(earlier, calls - calls_today)

    def _moments(self, slots: list[datetime], calls: int) -> list[datetime]:
        chosen = self._random.choices(slots, [_busyness(slot) for slot in slots], k=calls) if calls else []
        return [slot + timedelta(seconds=self._random.randrange(SLOT.seconds)) for slot in chosen]

    def _promise(self, heap: list[tuple[int, int, What]], calls_until: tuple[int, int], what: What) -> None:
        heapq.heappush(heap, (self.calls + self._random.randint(*calls_until), next(self._promises), what))

    def _due_body(self) -> bytes | None:
        return heapq.heappop(self._bodies)[2] if self._bodies and self._bodies[0][0] <= self.calls else None

    def _remaining_bodies(self) -> Iterator[bytes]:
        while self._bodies:
            yield heapq.heappop(self._bodies)[2]

    def _local_now(self) -> datetime:
        now = self._now()
        return now.astimezone(INDIA).replace(tzinfo=None) if now.tzinfo else now

    def _happens(self, share: float) -> bool:
        return self._random.random() < share


def _slots(start: datetime, end: datetime) -> list[datetime]:
    """The quarter-hours from start until end."""
    return [start + SLOT * index for index in range(-((start - end) // SLOT))]


def _busyness(slot: datetime) -> float:
    return BUSY_AT_HOUR[slot.hour]
