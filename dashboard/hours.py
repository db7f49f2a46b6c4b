"""Calling hours: when a board that hears nothing should say so. Pure; imports nothing of the house."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SILENT_MINUTES = 20

_FORM = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))?\s+)?(\d\d?):(\d\d)-(\d\d?):(\d\d)")


class BadHours(ValueError):
    """Hours that cannot be read."""


@dataclass(frozen=True)
class CallingHours:
    """Days of the week, and from when to when on each, on the board's own clock."""

    days: frozenset[int]
    opens: time
    closes: time

    def silent_since(self, last_report: datetime, now: datetime) -> datetime | None:
        """The moment from which nothing was heard, if that is too long ago by now; both in the board's zone.

        What the hours before opening did not bring, nobody misses: silence counts from the opening at the earliest.
        """
        if now.weekday() not in self.days or not self.opens <= now.time() < self.closes:
            return None
        opened = now.replace(hour=self.opens.hour, minute=self.opens.minute, second=0, microsecond=0)
        # As moments: on the clock's face an hour can be missing or double.
        since = max(last_report, opened, key=datetime.timestamp)
        return since if now.timestamp() - since.timestamp() >= SILENT_MINUTES * 60 else None


def read_calling_hours(text: str) -> CallingHours:
    """`mon-sat 10:00-19:00`, `10:00-19:00` for every day. Raises BadHours."""
    found = _FORM.fullmatch(text.strip().lower())
    if not found:
        raise BadHours(text)
    first, last, *clock = found.groups()
    try:
        opens, closes = time(int(clock[0]), int(clock[1])), time(int(clock[2]), int(clock[3]))
        begin, end = (DAYS.index(first), DAYS.index(last or first)) if first else (0, 6)
    except ValueError:
        raise BadHours(text) from None
    if opens >= closes:
        raise BadHours(text)
    # sat-mon goes over the end of the week.
    return CallingHours(frozenset((begin + each) % 7 for each in range((end - begin) % 7 + 1)), opens, closes)
