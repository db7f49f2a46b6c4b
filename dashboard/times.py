"""When every call was: its moment, and the day and the clock of the board's zone at that moment.

The index asks it for days, hours and the order of calls. Pure: no clock of its own, knows nothing else of a call.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from pyroaring import BitMap

from dashboard.bitmaps import Groups, Slices, by_value, make_room
from dashboard.filters import Days, local_time

HOURS = 24
_MINUTE = 60 * 1_000_000
_QUARTER_HOUR = 15 * _MINUTE
# A clock's time is a number whose lowest bits are the minute: what stands above them is the hour.
_MINUTE_BITS = 6


class Times:
    """A moment is microseconds since 1970, UTC, as in `Facts.at`."""

    def __init__(self, timezone: ZoneInfo) -> None:
        self.timezone = timezone
        self._at = array("q")
        self._days: Groups[int] = Groups()
        self._moments, self._clocks = Slices(), Slices()

    def __getitem__(self, call_id: int) -> int:
        return self._at[call_id]

    def move(self, call_id: int, before: int | None, after: int | None) -> None:
        """Take a call from one moment to another; None is nowhere."""
        if before == after:
            return
        old_day, old_clock = (None, 0) if before is None else self._day_and_clock(before)
        new_day, new_clock = (None, 0) if after is None else self._day_and_clock(after)
        self._days.move(call_id, old_day, new_day)
        self._clocks.move(call_id, old_clock, new_clock)
        self._moments.move(call_id, _sortable(before or 0), _sortable(after or 0))
        if after is not None:
            make_room(self._at, call_id)
            self._at[call_id] = after

    def extend(self, ids: Sequence[int], moments: Sequence[int]) -> None:
        """Add calls that have no moment yet."""
        make_room(self._at, max(ids))
        for call_id, at in zip(ids, moments, strict=True):
            self._at[call_id] = at
        days, clocks = zip(*map(self._day_and_clock, moments), strict=True)
        self._days.extend(by_value(ids, days))
        self._clocks.extend(ids, clocks)
        self._moments.extend(ids, [_sortable(at) for at in moments])

    def within(self, days: Days) -> BitMap:
        """The calls of these days. Not to be changed."""
        first = days.first.toordinal() if days.first else date.min.toordinal()
        last = days.last.toordinal() if days.last else date.max.toordinal()
        if last - first < len(self._days.calls):
            return self._days.any_of(range(first, last + 1))
        return self._days.any_of([day for day in self._days.calls if first <= day <= last])

    def until(self, day: date, clock: time) -> BitMap | None:
        """The calls of a day before this minute by its clocks. None where no call at all is known before it.

        A day that a clock was put back has some minutes twice: both are before the later ones. Not to be changed.
        """
        ordinal = day.toordinal()
        calls = self._clocks.below(self._days.any_of((ordinal,)), _number(clock), 0)
        return calls if calls or min(self._days.calls, default=ordinal) < ordinal else None

    def hours(self, among: BitMap) -> list[int]:
        """How many of these calls were in each hour of the day, by the clocks."""
        counts = self._clocks.spread(among, _MINUTE_BITS)
        return (counts + [0] * HOURS)[:HOURS]

    def newest(self, among: BitMap, limit: int, before: tuple[int, int] | None) -> list[int]:
        """The newest of these calls by (at, id), newest first; those that follow `before`, if there is one."""
        if before is not None:
            at, call_id = before
            among = self._moments.below(among, _sortable(at), call_id)
        newest = self._moments.largest(among, limit)
        return sorted(newest, key=lambda call_id: (self._at[call_id], call_id), reverse=True)

    def _day_and_clock(self, at: int) -> tuple[int, int]:
        quarter, beyond = divmod(at, _QUARTER_HOUR)
        beginning = _beginning(quarter, self.timezone)
        if beginning is None:
            local = local_time(at, self.timezone)
            return local.toordinal(), _number(local)
        day, clock = beginning
        return day, clock + beyond // _MINUTE


@lru_cache(maxsize=4_096)
def _beginning(quarter: int, timezone: ZoneInfo) -> tuple[int, int] | None:
    """Day and clock as a quarter-hour begins. Zones are offset by whole quarters: its other minutes follow from this.

    None where they do not: until 2011 the clocks of St John's were put back at 00:01, from one day into the day before.
    """
    first, last = (local_time(at, timezone) for at in (quarter * _QUARTER_HOUR, (quarter + 1) * _QUARTER_HOUR - 1))
    if (first.date(), first.hour, first.minute + 14) != (last.date(), last.hour, last.minute):
        return None
    return first.toordinal(), _number(first)


def _number(clock: time | datetime) -> int:
    return clock.hour << _MINUTE_BITS | clock.minute


def _sortable(at: int) -> int:
    """A moment as a number of the same order: seconds, with the microseconds in the low 20 bits.

    The platform's times are whole seconds: those bits stay empty and cost nothing. A plain `at` would fill all but six.
    """
    seconds, microseconds = divmod(at, 1_000_000)
    return seconds << 20 | microseconds
