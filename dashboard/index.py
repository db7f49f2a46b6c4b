"""The facts of every call in memory, ready for any filter: which calls, how many of what.

The feed fills it, the pages ask it. It answers as `filters.matches` would, were every call asked one by one.
Pure: no I/O, no clock, one owner, no threads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pyroaring import BitMap

from dashboard.bitmaps import Column, Groups, Slices, by_value, intersection, union
from dashboard.calls import NOBODY, Facts
from dashboard.figures import (
    DURATIONS,
    FIGURES,
    PEOPLE,
    STAGES,
    Figure,
    Figures,
    Usual,
    duration_of,
    figures_of,
    stage_of,
    usual_of,
)
from dashboard.filters import CHOICES, NONE, PERIODS, CallFilter, Days
from dashboard.people import People
from dashboard.times import Times

# The facts that are choices as they are; the other choices follow from how a call went.
_CHOICE_OF = {"try_count": "try"} | {choice: choice for choice in CHOICES if choice in Facts._fields}
# Choices whose values are known beforehand: all are offered, in this order.
_ALWAYS_OFFERED: dict[str, Iterable[str]] = {"stage": STAGES, "figure": FIGURES, "duration": DURATIONS}
# How far back a weekday is compared with the same one of the weeks before.
_WEEKS = 4
# How many calls `load` takes in at a time: enough to be fast, few enough to hold twice.
_PIECE = 20_000
# What decides the outcome of a call: `_outcome` takes these.
_decisive = attrgetter("type", "reason", "duration_seconds", "converted")


class _Places(NamedTuple):
    """Where a call stands beside the choices it carries itself; by default, nowhere."""

    stage: str | None = None
    duration: str | None = None
    figures: int = 0
    seconds: int = 0


class Index:
    def __init__(self, timezone: ZoneInfo) -> None:
        """An index without calls, for a board whose days are those of `timezone`."""
        self._all = BitMap()
        self._times = Times(timezone)
        self._people = People()
        self._columns: dict[str, Column[Any]] = {fact: Column() for fact in Facts._fields if fact not in ("id", "at")}
        self._columns["person"] = self._people
        self._groups: dict[str, Groups[str]] = {choice: Groups() for choice in CHOICES if choice != "figure"}
        self._figures, self._seconds = Slices(), Slices()

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, call_id: int) -> bool:
        return call_id in self._all

    def facts(self, call_id: int) -> Facts:
        """What the index holds of a call. Raises KeyError."""
        if call_id not in self._all:
            raise KeyError(call_id)
        return Facts(call_id, self._times[call_id], *(column[call_id] for column in self._columns.values()))

    def put(self, facts: Facts) -> None:
        """Add a call, or change it. Ids are those of the table, from 1: memory goes by the largest."""
        before = self.facts(facts.id) if facts.id in self._all else None
        if before == facts:
            return
        self._move(facts.id, before, facts)
        self._all.add(facts.id)

    def remove(self, call_id: int) -> None:
        """Take a call out. One that is not here is passed over: a deletion may be read twice."""
        if call_id in self._all:
            self._move(call_id, self.facts(call_id), None)
            self._all.remove(call_id)

    def load(self, many: Iterable[Facts]) -> None:
        """The same as `put` for each in turn, and faster for calls that are not here yet."""
        remaining = iter(many)
        while piece := {facts.id: facts for facts in islice(remaining, _PIECE)}:
            fresh = [facts for facts in piece.values() if facts.id not in self._all]
            for facts in piece.values():
                if facts.id in self._all:
                    self.put(facts)
            if fresh:
                self._extend(fresh)
            # The people of all calls, asked for most, are counted piece by piece: a million at once stop the board.
            self._figures_of(self._all, CallFilter())

    def figures(self, wanted: CallFilter, today: date) -> Figures:
        """What the listed calls count as; test calls count as nothing."""
        return self._figures_of(self._listed(wanted, today), wanted)

    def usual(self, wanted: CallFilter, now: datetime) -> Usual | None:
        """What the same weekday of the last four weeks came to before this minute of the board's clock, as means.

        The filter's own days are put aside. A weekday before the first call of all is unknown, not zero: with fewer
        than two known ones there is nothing usual yet. `now` knows its zone, which may be any.
        """
        here = now.astimezone(self._times.timezone)
        listed = self._listed(wanted.with_period(""), here.date())
        weekdays = [here.date() - timedelta(weeks=weeks) for weeks in range(1, _WEEKS + 1)]
        until = [self._times.until(weekday, here.time()) for weekday in weekdays]
        return usual_of([self._figures_of(intersection([listed, calls])) for calls in until if calls is not None])

    def hours(self, wanted: CallFilter, today: date) -> list[int]:
        """How many of the listed calls count as calls in each hour of the board's day, from midnight on."""
        return self._times.hours(self._listed(wanted, today) & self._figures.having(Figure.CALLS))

    def count(self, wanted: CallFilter, today: date) -> int:
        """How many calls are listed, test calls among them."""
        return len(self._listed(wanted, today))

    def ids(self, wanted: CallFilter, today: date, *, limit: int, before: tuple[int, int] | None = None) -> list[int]:
        """The newest calls by (at, id), newest first; those that follow `before`, the (at, id) of the last one seen."""
        return self._times.newest(self._listed(wanted, today), limit, before)

    def options(self, wanted: CallFilter, today: date) -> dict[str, list[tuple[str, int]]]:
        """For every choice, the values to offer, and how many calls each would list if it alone were chosen there.

        The filter's other choices and its days hold. A value that would list none is offered only while it is chosen.
        """
        sets = self._restrictions(wanted, today)
        listed = self._in_all(sets.values())
        offered: dict[str, list[tuple[str, int]]] = {}
        for choice in CHOICES:
            others = [calls for name, calls in sets.items() if name != choice]
            among = self._in_all(others) if choice in sets else listed
            offered[choice] = self._offer(choice, among, wanted.values(choice))
        return offered

    def periods(self, wanted: CallFilter, today: date) -> dict[str, int]:
        """How many calls each period would list in place of the filter's own days; "" is all time."""
        listed = self._listed(wanted.with_period(""), today)
        counts = {
            period: listed.intersection_cardinality(self._times.within(CallFilter(period=period).days(today)))
            for period in PERIODS
        }
        return {**counts, "": len(listed)}

    def _figures_of(self, listed: BitMap, wanted: CallFilter | None = None) -> Figures:
        """The figures of these calls; their people are followed from one time to the next if a filter wanted them."""
        parts = {figure: listed & self._figures.having(figure) for figure in Figure}
        talk = self._seconds.total(parts[Figure.CONNECTED])
        people = [
            self._people.follow((wanted, figure), parts[figure]) if wanted else self._people.count(parts[figure])
            for figure in PEOPLE.values()
        ]
        # `Figures` has the order of `Figure`, the seconds after it, and then the order of `PEOPLE`.
        return Figures._make([*map(len, parts.values()), talk, *people])

    # The sets that these three give may be the index's own: they are read, never changed.

    def _listed(self, wanted: CallFilter, today: date) -> BitMap:
        return self._in_all(self._restrictions(wanted, today).values())

    def _in_all(self, sets: Collection[BitMap]) -> BitMap:
        return intersection(sets) if sets else self._all

    def _restrictions(self, wanted: CallFilter, today: date) -> dict[str, BitMap]:
        """What each part of the filter lets through, by choice; parts that let everything through are left out."""
        chosen = [choice for choice in self._groups if wanted.values(choice)]
        sets = {choice: self._groups[choice].any_of(wanted.sought(choice)) for choice in chosen}
        if wanted.figure:
            sets["figure"] = union([self._figures.having(FIGURES[value]) for value in wanted.figure])
        if wanted.scope:
            sets["scope"] = self._groups["campaign"].any_of(wanted.scope)
        days = wanted.days(today)
        if days != Days(None, None):
            sets["days"] = self._times.within(days)
        return sets

    def _offer(self, choice: str, among: BitMap, chosen: Collection[str]) -> list[tuple[str, int]]:
        # The board without a filter is asked for most, and there every set is already what would be intersected.
        count: Callable[[BitMap], int] = len if among is self._all else among.intersection_cardinality
        if choice == "figure":
            return [(value, count(self._figures.having(figure))) for value, figure in FIGURES.items()]
        groups = self._groups[choice]
        if choice in _ALWAYS_OFFERED:
            known = _ALWAYS_OFFERED[choice]
            return [(value, count(groups.any_of((value,)))) for value in known]
        counts = dict.fromkeys(chosen, 0) | {value: count(calls) for value, calls in groups.calls.items()}
        offered = [(value, calls) for value, calls in counts.items() if calls or value in chosen]
        return sorted(offered, key=_by_try if choice == "try" else _by_count)

    def _move(self, call_id: int, before: Facts | None, after: Facts | None) -> None:
        """Out of every place where a call stood, into those where it stands now; None is nowhere."""
        for fact, column in self._columns.items():
            old, new = getattr(before, fact, None), getattr(after, fact, None)
            if old == new:
                continue
            column.move(call_id, old, new)
            if fact in _CHOICE_OF:
                self._groups[_CHOICE_OF[fact]].move(call_id, _as_value(old), _as_value(new))
        self._times.move(call_id, getattr(before, "at", None), getattr(after, "at", None))
        was, now = _places(before), _places(after)
        self._groups["stage"].move(call_id, was.stage, now.stage)
        self._groups["duration"].move(call_id, was.duration, now.duration)
        self._figures.move(call_id, was.figures, now.figures)
        self._seconds.move(call_id, was.seconds, now.seconds)

    def _extend(self, fresh: Sequence[Facts]) -> None:
        """`_move` for many calls from nowhere: each part of the index takes in all the calls of a value at once."""
        ids = [facts.id for facts in fresh]
        self._all |= BitMap(ids)
        self._times.extend(ids, [facts.at for facts in fresh])
        # Most of them are with different people: to sort them by person first would take longer.
        self._people.extend((facts.person, (facts.id,)) for facts in fresh)
        for fact, column in self._columns.items():
            if column is self._people:
                continue
            members = by_value(ids, map(attrgetter(fact), fresh))
            column.extend(members)
            if fact in _CHOICE_OF:
                self._groups[_CHOICE_OF[fact]].extend((str(value) or NONE, calls) for value, calls in members)
        stages, durations, figures = zip(*(_outcome(*_decisive(facts)) for facts in fresh), strict=True)
        self._groups["stage"].extend(by_value(ids, stages))
        self._groups["duration"].extend(by_value(ids, durations))
        self._figures.extend(ids, figures)
        self._seconds.extend(ids, [facts.duration_seconds for facts in fresh])


def _places(facts: Facts | None) -> _Places:
    return _Places() if facts is None else _Places(*_outcome(*_decisive(facts)), facts.duration_seconds)


@lru_cache(maxsize=50_000)
def _outcome(call_type: str, reason: str, duration_seconds: int, converted: bool) -> tuple[str, str, int]:
    """Stage, bucket of duration, figures. Remembered, because many calls are alike in what decides these."""
    facts = Facts(0, 0, "", "", "", call_type, reason, 0, duration_seconds, converted, NOBODY)
    return stage_of(facts), duration_of(duration_seconds), int(figures_of(facts))


def _as_value(fact: str | int | None) -> str | None:
    """A fact as it stands in a URL."""
    return None if fact is None else str(fact) or NONE


def _by_count(offered: tuple[str, int]) -> tuple[int, str]:
    return -offered[1], offered[0]


def _by_try(offered: tuple[str, int]) -> tuple[bool, int]:
    return offered[0] == NONE, 0 if offered[0] == NONE else int(offered[0])
