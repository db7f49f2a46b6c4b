"""Keeps the watch: writes down that this process can store, four times a minute, and knows when nobody could."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError

from dashboard.calls import micros
from dashboard.database import Database, kind_of
from dashboard.filters import Days
from dashboard.gaps import AWAY, STALLED, Gap, Span, gaps_of, missed_seconds, with_fills
from dashboard.store.watches import leave, listen, spans_of

log = logging.getLogger(__name__)

# What is lost of a span when its process is killed; a quarter of the shortest gap.
BEAT_SECONDS = 15.0
_TRY_AGAIN_SECONDS = 1.0
# A database that stands still answers nothing for ever; the gap must grow on the pages meanwhile.
_PATIENCE_SECONDS = 5.0
# The process is about to end, and waits no longer than it must.
_LAST_WORD_SECONDS = 1.0
_LATEST = 2**62


class Watch:
    """One process's part in the watch log, and what all processes' spans together leave open."""

    def __init__(self, database: Database, timezone: ZoneInfo, now: Callable[[], datetime]) -> None:
        self._database = database
        self._timezone = timezone
        self._now = now
        self._row: int | None = None
        self._beating = asyncio.Lock()
        # How this process's span will have ended, should it come to the next one.
        self._ending = STALLED
        self._listened: list[Span] = []
        self._fills: list[Span] = []
        self._shown: list[tuple[int, int, bool]] = []
        self.gaps: list[Gap] = []
        self.on_change: Callable[[], None] = lambda: None
        """Called when the figures of some view may say something else about gaps."""

    @property
    def since(self) -> int | None:
        """The first moment that is known to have been watched, in microseconds."""
        return min((span.start for span in self._listened), default=None)

    async def run(self) -> None:
        """Look, four times a minute, until cancelled; every second while nothing can be stored."""
        while True:
            could_store = await self.look()
            await asyncio.sleep(BEAT_SECONDS if could_store else _TRY_AGAIN_SECONDS)

    async def look(self) -> bool:
        """Write down that this process can store, and see what gaps there are; whether it could."""
        could_store = await self.beat()
        await self._see()
        return could_store

    async def beat(self) -> bool:
        """Commit a write; whether that could be done. It is what shows that this process can store."""
        # Two at once would begin two rows.
        async with self._beating:
            return await self._listen()

    async def stop(self) -> None:
        """Write down that this process stops; not at any price, for it would be ended otherwise."""
        if self._row is not None:
            with suppress(SQLAlchemyError, OSError):
                async with asyncio.timeout(_LAST_WORD_SECONDS):
                    now = micros(self._now())
                    await self._database.write(partial(leave, row_id=self._row, now=now, ending=self._ending))

    def missed(self, days: Days) -> int:
        """How many seconds of these days lie in gaps that nothing has filled."""
        return missed_seconds(self.gaps, *bounds(days, self._timezone))

    async def _listen(self) -> bool:
        now = micros(self._now())
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                self._row = await self._database.write(partial(listen, row_id=self._row, now=now, ending=self._ending))
        except (SQLAlchemyError, OSError) as problem:
            # Once: an outage can last the night.
            if self._ending != AWAY:
                log.warning("this process cannot store, and does not count as listening: %s", kind_of(problem))
            self._ending = AWAY
            return False
        self._ending = STALLED
        return True

    async def _see(self) -> None:
        with suppress(SQLAlchemyError, OSError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                self._listened, self._fills = await self._database.read(spans_of)
        gaps = with_fills(gaps_of(self._listened, micros(self._now())), self._fills)
        if self._ending == AWAY and gaps and gaps[-1].is_open:
            gaps[-1] = gaps[-1]._replace(ending=AWAY)
        self.gaps = gaps
        shown = [(gap.start, gap.seconds // 60, gap.filled_at is None) for gap in gaps]
        if shown != self._shown:
            self._shown = shown
            self.on_change()


def bounds(days: Days, timezone: ZoneInfo) -> tuple[int, int]:
    """The first moment of these days, and the one after their last; an open end is far away."""
    first = 0 if days.first is None else _midnight(days.first, timezone)
    if days.last is None or days.last == date.max:
        return first, _LATEST
    return first, _midnight(days.last + timedelta(days=1), timezone)


def _midnight(day: date, timezone: ZoneInfo) -> int:
    return micros(datetime.combine(day, time(), timezone))
