"""Which calls a page shows: read from its URL, asked of one call at a time. The index answers the same for all at once.

Pure: knows the words of the URL and the facts of a call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from dashboard.calls import Facts
from dashboard.figures import DURATIONS, FIGURES, STAGES, duration_of, figures_of, stage_of
from dashboard.masking import others_mask

# Each takes several values, any of which lets a call through; NONE stands for calls that carry no value.
CHOICES = ("campaign", "agent", "version", "type", "stage", "figure", "reason", "duration", "try")
NAMES = ("campaign", "agent", "version", "type", "reason")
"""The choices whose values are texts of the platform's, and can hold anything."""
_DAYS = ("period", "from", "to")
FILTER_NAMES = (*CHOICES, *_DAYS)
NONE = "none"
PERIODS = {"today": 1, "7d": 7, "30d": 30}
PERIOD_NAMES = {"": "All time", "today": "Today", "7d": "Last 7 days", "30d": "Last 30 days"}
_SCOPE = "scope"
_MOST_VALUES = 100
LONGEST_VALUE = 300
"""Characters of a name in an address: stored names have 200 at most, and masks and escapes add a few."""


class BadFilter(ValueError):
    """A filter that cannot be read; its text says which part of the URL and what may stand there."""


class Days(NamedTuple):
    """Days of the board's zone, both included; None is open."""

    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What the URL asks for. Bare means everything. Values are sorted, so equal filters are equal keys."""

    campaign: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    figure: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    duration: tuple[str, ...] = ()
    try_: tuple[str, ...] = ()
    period: str = ""
    from_: date | None = None
    to: date | None = None
    scope: tuple[str, ...] = ()
    """The campaigns that whoever asks is limited to; none means all. Never from a URL and never in one."""
    stored: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For a role that sees names masked: the names that calls have, of each choice of which it chose some. Never in a
    URL. See `masked_names`."""

    def values(self, choice: str) -> tuple[str, ...]:
        return getattr(self, "try_" if choice == "try" else choice)  # type: ignore[no-any-return]

    def sought(self, choice: str) -> tuple[str, ...]:
        """The values that calls have, for those that were chosen."""
        return dict(self.stored).get(choice, self.values(choice))

    def with_values(self, choice: str, values: Iterable[str]) -> CallFilter:
        field = "try_" if choice == "try" else choice
        return replace(self, **{field: tuple(sorted(set(values)))})  # type: ignore[arg-type]

    def with_period(self, period: str) -> CallFilter:
        return replace(self, period=period, from_=None, to=None)

    @property
    def is_bare(self) -> bool:
        return self == CallFilter()

    def query(self) -> str:
        """The filter as it stands in a URL, without the question mark."""
        pairs: list[tuple[str, str]] = [(choice, value) for choice in CHOICES for value in self.values(choice)]
        if self.period:
            pairs.append(("period", self.period))
        pairs += [(name, day.isoformat()) for name, day in (("from", self.from_), ("to", self.to)) if day]
        return urlencode(pairs)

    def limited_query(self) -> str:
        """The filter with the limit it stands under: to be kept, never to be an address. `read_limited` reads it."""
        pairs = [(_SCOPE, value) for value in self.scope]
        return "&".join(part for part in (self.query(), urlencode(pairs)) if part)

    def days(self, today: date) -> Days:
        if self.period:
            return Days(today - timedelta(days=PERIODS[self.period] - 1), today)
        return Days(self.from_, self.to)


_KNOWN_VALUES: dict[str, Iterable[str]] = {"stage": STAGES, "figure": FIGURES, "duration": DURATIONS}


def read_filter(pairs: Iterable[tuple[str, str]]) -> CallFilter:
    """The filter of a query string's (name, value) pairs; other names are passed over, empty values mean all.

    Raises BadFilter.
    """
    chosen: dict[str, set[str]] = {choice: set() for choice in CHOICES}
    single: dict[str, str] = {}
    for name, value in pairs:
        value = value.strip()
        if name in chosen and value:
            chosen[name].add(value)
        elif name in _DAYS and value:
            single[name] = value
        elif name == "q" and value:
            raise BadFilter("q: calls cannot be searched by words yet; take it out of the address.")
    _check_values(chosen)
    chosen["try"] = {value if value == NONE else _read_try(value) for value in chosen["try"]}
    period = single.get("period", "")
    if period and period not in PERIODS:
        raise BadFilter(f"period={quoted(period)} is not known; it may be {', '.join(PERIODS)}.")
    if period and ("from" in single or "to" in single):
        raise BadFilter("Give either period, or from and to, not both.")
    first, last = _read_day("from", single), _read_day("to", single)
    if first and last and first > last:
        raise BadFilter(f"from={first} is after to={last}; swap them.")
    named: dict[str, Any] = {("try_" if name == "try" else name): tuple(sorted(each)) for name, each in chosen.items()}
    return CallFilter(**named, period=period, from_=first, to=last)


def _check_values(chosen: dict[str, set[str]]) -> None:
    """Raises BadFilter for values that no call can have, and for too many."""
    # Names are remembered as they are shown: 20,000 addresses of 15 kB each filled 300 MB.
    if long := next((choice for choice in CHOICES if any(len(each) > LONGEST_VALUE for each in chosen[choice])), None):
        raise BadFilter(f"{long} has a value of more than {LONGEST_VALUE} characters; the names of calls are shorter.")
    for choice, known in _KNOWN_VALUES.items():
        if unknown := chosen[choice] - set(known):
            raise BadFilter(f"{choice}={quoted(min(unknown))} is not known; it may be {', '.join(known)}.")
    if crowded := next((choice for choice in CHOICES if len(chosen[choice]) > _MOST_VALUES), None):
        raise BadFilter(f"{crowded} has more than {_MOST_VALUES} values; choose fewer.")


def read_limited(query: str) -> CallFilter:
    """What `limited_query` gave. Raises BadFilter."""
    pairs = parse_qsl(query)
    return replace(read_filter(pairs), scope=tuple(value for name, value in pairs if name == _SCOPE))


def is_within(campaign: str, scope: Collection[str]) -> bool:
    """Whether a limit to campaigns lets a call of this one through; NONE stands for calls without a campaign."""
    return not scope or (campaign or NONE) in scope


def value_of(facts: Facts, choice: str) -> str:
    """What a call has under a choice of one value (all but `figure`); "" where it has none."""
    match choice:
        case "stage":
            return stage_of(facts)
        case "duration":
            return duration_of(facts.duration_seconds)
        case "try":
            return str(facts.try_count)
        case _:
            return getattr(facts, choice)  # type: ignore[no-any-return]


def matches(facts: Facts, wanted: CallFilter, *, today: date, timezone: ZoneInfo) -> bool:
    """Whether one call is among those the filter wants; the index gives the same answer for all of them."""
    if not is_within(facts.campaign, wanted.scope):
        return False
    for choice in CHOICES:
        values = wanted.values(choice)
        if not values:
            continue
        if choice == "figure":
            if not any(figures_of(facts) & FIGURES[value] for value in values):
                return False
        elif (value_of(facts, choice) or NONE) not in wanted.sought(choice):
            return False
    first, last = wanted.days(today)
    if first is None and last is None:
        return True
    day = day_of(facts.at, timezone)
    return (first is None or day >= first) and (last is None or day <= last)


def day_of(at: int, timezone: ZoneInfo) -> date:
    """The day of the board's zone in which a moment (microseconds, UTC) falls."""
    return local_time(at, timezone).date()


def local_time(at: int, timezone: ZoneInfo) -> datetime:
    """What the clocks of the board's zone show at a moment (microseconds, UTC), to the second."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(timezone)


def quoted(text: str) -> str:
    """What an address says, as a refusal quotes it: the beginning, and no telephone number of it."""
    # An address has up to 15 kB: only its beginning is shown, and the search for numbers keeps other requests waiting.
    return repr(others_mask()(text[:LONGEST_VALUE])[:40])


def _read_try(value: str) -> str:
    """The number as it is written everywhere else: 01 is 1, so that equal filters are equal keys."""
    try:
        return str(int(value[:10]))
    except ValueError:
        raise BadFilter("try must be a whole number: -1 is inbound, 0 the first attempt, 1 the first retry.") from None


def _read_day(name: str, single: Mapping[str, str]) -> date | None:
    text = single.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadFilter(f"{name}={quoted(text)} is not a day; write it as 2026-11-23.") from None


assert {field.name.rstrip("_") for field in fields(CallFilter)} == {*CHOICES, "period", "from", "to", _SCOPE, "stored"}
