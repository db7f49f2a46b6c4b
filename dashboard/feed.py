"""The tailer: takes changed calls from the table, feeds the index, and hands every page what it has not yet seen.

A page holds a cursor and a filter. There is no queue per page: a slow one reads later, from the ring or the table.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property, partial

from sqlalchemy.exc import SQLAlchemyError

from dashboard.calls import Facts
from dashboard.database import Database, head_of
from dashboard.filters import CallFilter, matches
from dashboard.index import Index
from dashboard.render import Renderer
from dashboard.sse import sse_comment, sse_frame
from dashboard.store.calls import CallRow, changed_since, facts_after
from dashboard.zones import ZoneDoubt

log = logging.getLogger(__name__)

RING_SIZE = 10_000
# A page that missed more than this is told to load anew: cheaper for it and for us than so many rows.
MOST_TO_CATCH_UP = 500
_CHUNK = 1000
# Under a burst, waiting rows leave together; the first of a burst leaves at once.
PAUSE_SECONDS = 0.05
FIGURES_PAUSE_SECONDS = 0.25
BEAT_SECONDS = 10.0
_TRY_AGAIN_SECONDS = 0.5

RELOAD = sse_frame("", event="reload")


@dataclass(frozen=True)
class Frame:
    """One change of a call, drawn at most once each way, whatever number of pages it goes to."""

    row: CallRow
    facts: Facts
    draw: Renderer = field(repr=False)

    @cached_property
    def show(self) -> bytes:
        return sse_frame(self.draw.show_call(self.row), id=self.row.seq)

    @cached_property
    def drop(self) -> bytes:
        return sse_frame(self.draw.drop_call(self.row.id), id=self.row.seq)


@dataclass(slots=True)
class _Page:
    """What the server knows of an open page."""

    wanted: CallFilter
    cursor: int
    day: date
    figures_seq: int
    figures: bytes = b""
    outside: bytes = b""


class Feed:
    """The live side of one process: index, ring and everyone who waits for news."""

    def __init__(self, database: Database, draw: Renderer, now: Callable[[], datetime], source_zone: str) -> None:
        self._database = database
        self._draw = draw
        self._now = now
        self._source_zone = source_zone
        self.index = Index(draw.timezone)
        self.head = 0
        self.ready = asyncio.Event()
        self.pages = 0
        self._zone_doubt = ZoneDoubt()
        self._ring: list[Frame] = []
        self._ring_seqs: list[int] = []
        # The ring knows every change after this number.
        self._ring_start = 0
        self._moved = asyncio.Event()
        self._closing = False
        self._figures_seq = 0
        self._figures_at = 0.0
        self._batches: dict[tuple[CallFilter, int, date], bytes] = {}
        self._figures: dict[tuple[CallFilter, date], tuple[bytes, bytes]] = {}
        self._figures_timer: asyncio.TimerHandle | None = None

    @property
    def today(self) -> date:
        return self._now().astimezone(self._draw.timezone).date()

    def close(self) -> None:
        """End every stream; each page comes back by itself with its cursor."""
        self._closing = True
        self._announce()

    async def run(self) -> None:
        """Load the index, then follow the table until cancelled. A database that is away is waited for."""
        while not self.ready.is_set():
            try:
                await self._load()
            except (SQLAlchemyError, OSError) as problem:
                log.warning("the index waits for the database: %s", type(problem).__name__)
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
        while True:
            await self._database.next_change()
            started = time.monotonic()
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as problem:
                log.warning("the feed waits for the database: %s", type(problem).__name__)
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
            await asyncio.sleep(max(0.0, PAUSE_SECONDS - (time.monotonic() - started)))

    async def look(self) -> None:
        """Take in everything the table has beyond the head."""
        while True:
            rows, head = await self._database.read(partial(changed_since, seq=self.head, most=_CHUNK))
            if head > self.head:
                self._take_in(rows, head)
                self._announce()
            if len(rows) < _CHUNK:
                return

    async def reach(self, seq: int, at_most: float = 0.2) -> None:
        """Wait a moment for the index to have all up to `seq`, so that after a 200 the next page shows the call."""
        try:
            async with asyncio.timeout(at_most):
                while self.head < seq and not self._closing:
                    await self._moved.wait()
        except TimeoutError:
            pass

    async def follow(self, wanted: CallFilter, cursor: int | None) -> AsyncIterator[bytes]:
        """The stream of one page: everything after its cursor that its filter lets through, for as long as it stays.

        `cursor` is the last number the page has; None stands for one that cannot be read.
        """
        page = _Page(wanted, 0, self.today, 0)
        self.pages += 1
        try:
            yield sse_comment()
            if cursor is None or not 0 <= cursor <= await self._table_head():
                # From another life of this database, or no number at all: never "nothing new".
                yield RELOAD
                await self._until_closed()
                return
            page.cursor = page.figures_seq = cursor
            while not self._closing:
                moved = self._moved
                chunk = await self._news(page)
                if chunk is None:
                    yield RELOAD
                    await self._until_closed()
                    return
                if chunk:
                    yield chunk
                    continue
                try:
                    async with asyncio.timeout(BEAT_SECONDS):
                        await moved.wait()
                except TimeoutError:
                    yield sse_frame("", id=page.cursor, event="beat")
        finally:
            self.pages -= 1

    async def _table_head(self) -> int:
        """The head as the table has it: another process may be ahead of this one. Waits for a database that is away."""
        while not self._closing:
            try:
                return await self._database.read(head_of)
            except (SQLAlchemyError, OSError):
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
        return self.head

    async def _news(self, page: _Page) -> bytes | None:
        """What this page has not seen, b"" if nothing, None if it should load anew."""
        if page.day != self.today and page.wanted.period:
            return None
        chunk = b""
        if page.cursor < self.head:
            news = await self._since(page)
            if news is None:
                return None
            chunk, page.cursor = news
        if page.figures_seq < self._figures_seq:
            page.figures_seq = self._figures_seq
            figures, outside = self._figures_of(page.wanted)
            if figures != page.figures:
                page.figures = figures
                chunk += figures
            if outside != page.outside:
                page.outside = outside
                chunk += outside
        return chunk

    async def _since(self, page: _Page) -> tuple[bytes, int] | None:
        """The rows after a page's cursor as bytes, and the number up to which they go; None if they are too many."""
        if page.cursor < self._ring_start:
            rows, upto = await self._database.read(partial(changed_since, seq=page.cursor, most=MOST_TO_CATCH_UP))
            if len(rows) == MOST_TO_CATCH_UP:
                return None
            return self._batch(page, [Frame(row, row.facts, self._draw) for row in rows], upto), upto
        # Pages of one filter that are equally far get the same bytes: under load that is nearly all of them.
        key = (page.wanted, page.cursor, self.today)
        batch = self._batches.get(key)
        if batch is None:
            frames = self._ring[bisect_right(self._ring_seqs, page.cursor) :]
            batch = self._batches[key] = self._batch(page, frames, self.head)
        return batch, self.head

    def _batch(self, page: _Page, frames: list[Frame], upto: int) -> bytes:
        today, timezone, wanted = self.today, self._draw.timezone, page.wanted
        parts = []
        for frame in frames:
            if wanted.is_bare or matches(frame.facts, wanted, today=today, timezone=timezone):
                parts.append(frame.show)
            elif frame.row.created_seq <= page.cursor:
                # The page may be showing it: it no longer belongs there.
                parts.append(frame.drop)
        if parts and frames[-1].row.seq != upto:
            parts.append(sse_frame(id=upto))
        return b"".join(parts)

    def strip(self, wanted: CallFilter) -> str:
        """The strip of figures for a filter, as page and stream show it."""
        today = self.today
        # The strip leaves the choice of a figure aside: choosing one lists its calls, and all keep their meaning.
        overview = self.index.figures(wanted.with_values("figure", ()), today)
        return self._draw.figures(
            overview, wanted, listed=self.index.count(wanted, today), doubt=self._zone_doubt.sentence(self._source_zone)
        )

    def outside(self, wanted: CallFilter) -> str:
        """How many calls there are in the view and in all, for the line about calls outside it."""
        return self._draw.outside(wanted, listed=self.index.count(wanted, self.today), everything=len(self.index))

    def _figures_of(self, wanted: CallFilter) -> tuple[bytes, bytes]:
        key = (wanted, self.today)
        if key not in self._figures:
            self._figures[key] = (
                sse_frame(self._draw.replacing("#figures", self.strip(wanted))),
                b"" if wanted.is_bare else sse_frame(self._draw.replacing("#outside", self.outside(wanted))),
            )
        return self._figures[key]

    async def _load(self) -> None:
        head = await self._database.read(head_of)
        last_id = 0
        while facts := await self._database.read(partial(facts_after, last_id=last_id)):
            self.index.load(facts)
            last_id = facts[-1].id
        self.head = self._ring_start = self._figures_seq = head
        # What changed while the chunks were read comes in the ordinary way.
        await self.look()
        self.ready.set()

    def _take_in(self, rows: list[CallRow], head: int) -> None:
        for row in rows:
            facts = row.facts
            self.index.put(facts)
            if row.seq == row.created_seq:
                ended_at = row.at + (row.duration_seconds or 0) * 1_000_000
                self._zone_doubt.hear(ended_at=ended_at, received_at=row.received_at)
            self._ring.append(Frame(row, facts, self._draw))
            self._ring_seqs.append(row.seq)
        if len(self._ring) > 2 * RING_SIZE:
            self._ring_start = self._ring_seqs[-RING_SIZE - 1]
            del self._ring[:-RING_SIZE], self._ring_seqs[:-RING_SIZE]
        self.head = head
        self._batches.clear()

    def _announce(self) -> None:
        wait = FIGURES_PAUSE_SECONDS - (time.monotonic() - self._figures_at)
        if wait <= 0:
            self._refresh_figures()
        elif self._figures_timer is None:
            self._figures_timer = asyncio.get_running_loop().call_later(wait, self._announce_figures)
        self._wake()

    def _announce_figures(self) -> None:
        self._figures_timer = None
        self._refresh_figures()
        self._wake()

    def _refresh_figures(self) -> None:
        self._figures.clear()
        self._figures_seq = self.head
        self._figures_at = time.monotonic()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _until_closed(self) -> None:
        while not self._closing:
            await self._moved.wait()
