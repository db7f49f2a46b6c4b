"""Whether the platform's clock is in the zone we read it in: its times carry none (decision 7). Pure."""

from __future__ import annotations

from collections import deque

from dashboard.program import PROGRAM

IN_A_ROW = 5
_HALF_HOUR = 30 * 60
# Analysis and delivery take some minutes; zones differ by half hours at least.
_NEAR_SECONDS = 5 * 60
_FURTHEST_SECONDS = 14 * 3600


class ZoneDoubt:
    """Listens to the calls as they arrive, and doubts the setting when several in a row are off by the same half hours.

    Reports that are late for other reasons are late by all sorts of times; an import brings calls that are days old.
    """

    def __init__(self) -> None:
        self._offsets: deque[int] = deque(maxlen=IN_A_ROW)

    def hear(self, *, ended_at: int, received_at: int) -> None:
        """One new call: when it ended as we read its time, and when its report came (both microseconds, UTC)."""
        late_seconds = (received_at - ended_at) // 1_000_000
        halves = round(late_seconds / _HALF_HOUR)
        is_near = -_NEAR_SECONDS <= late_seconds - halves * _HALF_HOUR <= _NEAR_SECONDS
        is_zone_like = is_near and halves != 0 and abs(late_seconds) <= _FURTHEST_SECONDS
        self._offsets.append(halves if is_zone_like else 0)

    @property
    def offset_minutes(self) -> int:
        """How long before their reports the last calls seem to have ended; negative is after; 0 is no doubt."""
        if len(self._offsets) < IN_A_ROW or len(set(self._offsets)) != 1:
            return 0
        return self._offsets[0] * 30

    def sentence(self, zone: str) -> str:
        """What to tell the people in front of the board; "" when there is no doubt."""
        minutes = self.offset_minutes
        if not minutes:
            return ""
        hours = f"{abs(minutes) // 60} h" + (f" {abs(minutes) % 60} min" if minutes % 60 else "")
        when = f"{hours} before" if minutes > 0 else f"{hours} after"
        return (
            f"The last {IN_A_ROW} calls seem to have ended {when} their reports came. CallKaro's times are read as "
            f"{zone}; if that is not its clock, set DASHBOARD_SOURCE_TIMEZONE, start the server "
            f"again, and run `{PROGRAM} rebuild`."
        )
