"""The tailer: takes changed calls from the table, feeds the index, and hands every page what it has not yet seen.

A page holds a cursor and a filter. There is no queue per page: a slow one reads later, from the ring or the table.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from weakref import WeakValueDictionary

from sqlalchemy.exc import SQLAlchemyError

from dashboard.database import Database, head_of, kind_of
from dashboard.filters import CallFilter, matches
from dashboard.index import Index
from dashboard.render import Renderer
from dashboard.ring import Frame, Ring
from dashboard.sse import sse_comment, sse_frame
from dashboard.store.calls import CallRow, changed_since, facts_after
from dashboard.zones import ZoneDoubt

log = logging.getLogger(__name__)

# A page that missed more than this is told to load anew: cheaper for it and for us than so many rows.
MOST_TO_CATCH_UP = 500
_CHUNK = 1000
# Under a burst, waiting rows leave together; the first of a burst leaves at once.
PAUSE_SECONDS = 0.05
FIGURES_PAUSE_SECONDS = 0.25
BEAT_SECONDS = 10.0
_TRY_AGAIN_SECONDS = 0.5

RELOAD = sse_frame("", event="reload")


class View:
    """What all pages of one filter share, made once for all of them and anew when something has changed."""

    def __init__(self, wanted: CallFilter) -> None:
        self.wanted = wanted
        # By the cursor they start from: under load nearly all pages are equally far, and get the very same bytes.
        self.batches: dict[int, bytes] = {}
        self.batches_head = 0
        self.figures = self.outside = b""
        self.figures_seq = -1


@dataclass(slots=True)
class _Page:
    """What the server knows of an open page."""

    view: View
    day: date
    beats: int
    cursor: int = 0
    figures_seq: int = 0
    figures: bytes = b""
    outside: bytes = b""


@dataclass(slots=True, eq=False)
class _Idle:
    """A page that waits, and the transport by which it can be reached meanwhile."""

    page: _Page
    transport: asyncio.WriteTransport
    woken: asyncio.Event = field(default_factory=asyncio.Event)


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
        self._ring = Ring()
        self._views: WeakValueDictionary[CallFilter, View] = WeakValueDictionary()
        self._idle: dict[int, _Idle] = {}
        self._last_chunk = self._last_framed = b""
        self._moved = asyncio.Event()
        self._closing = False
        self._day = self.today
        self._beats = 0
        self._figures_seq = 0
        self._figures_at = 0.0
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
        while not (self.ready.is_set() or self._closing):
            try:
                await self._load()
            except (SQLAlchemyError, OSError) as problem:
                log.warning("the index waits for the database: %s", kind_of(problem))
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
        self._beat()
        while not self._closing:
            started = time.monotonic()
            try:
                await self._database.next_change()
                started = time.monotonic()
                await self.look()
            except (SQLAlchemyError, OSError) as problem:
                log.warning("the feed waits for the database: %s", kind_of(problem))
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
            except Exception:
                # Whatever it is, the next look may go well; a feed that has ended leaves every page stale.
                log.exception("the feed stumbled")
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

    async def follow(
        self,
        wanted: CallFilter,
        cursor: int | None,
        *,
        day: date | None = None,
        is_back: bool = False,
        transport: asyncio.WriteTransport | None = None,
    ) -> AsyncIterator[bytes]:
        """The stream of one page: everything after its cursor that its filter lets through, for as long as it stays.

        `cursor` is the last number the page has; None stands for one that cannot be read. `day` is the day on which it
        was drawn. A page that is back may have its rows from a stream that ended before their figures came. With a
        `transport`, what comes while the page waits is written to it directly, as chunks of the same HTTP/1.1 answer.
        """
        view = self._views.get(wanted)
        if view is None:
            view = self._views[wanted] = View(wanted)
        page = _Page(view, day or self._day, self._beats)
        self.pages += 1
        try:
            yield sse_comment()
            if cursor is None or not 0 <= cursor <= await self._table_head():
                # From another life of this database, or no number at all: never "nothing new".
                yield RELOAD
                await self._until_closed()
                return
            page.cursor = cursor
            page.figures_seq = -1 if is_back else cursor
            if cursor == self.head and not is_back:
                page.figures, page.outside = self._figures_of(view)
            while not self._closing:
                moved = self._moved
                chunk = await self._news(page)
                if chunk is None:
                    yield RELOAD
                    await self._until_closed()
                    return
                if chunk:
                    yield chunk
                elif page.beats != self._beats:
                    page.beats = self._beats
                    yield sse_frame("", id=page.cursor, event="beat")
                elif transport is None:
                    await moved.wait()
                else:
                    await self._wait_idle(page, transport)
        finally:
            self.pages -= 1

    async def _wait_idle(self, page: _Page, transport: asyncio.WriteTransport) -> None:
        """Leave the page to `_push` until it cannot be served that way."""
        idle = _Idle(page, transport)
        self._idle[id(page)] = idle
        try:
            await idle.woken.wait()
        finally:
            del self._idle[id(page)]

    def _push(self) -> None:
        """Hand every idle page its news at once.

        Through task, generator, framework and protocol a row to a thousand pages took 100 ms; this way a third. What is
        no plain case is left to the page's own task: a reader that is slow, a page too far behind.
        """
        for idle in self._idle.values():
            page, transport = idle.page, idle.transport
            if self._closing or transport.is_closing() or transport.get_write_buffer_size():
                idle.woken.set()
                continue
            chunk = self._news_at_hand(page)
            if chunk is None:
                idle.woken.set()
            elif chunk:
                transport.write(self._framed(chunk))
            elif page.beats != self._beats:
                page.beats = self._beats
                transport.write(self._framed(sse_frame("", id=page.cursor, event="beat")))

    def _framed(self, chunk: bytes) -> bytes:
        """A chunk of a chunked answer; the last one is kept, because the next page is likely to get the same."""
        if self._last_chunk is not chunk:
            self._last_chunk, self._last_framed = chunk, b"%x\r\n%b\r\n" % (len(chunk), chunk)
        return self._last_framed

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
        chunk = self._news_at_hand(page)
        if chunk is not None:
            return chunk
        if self._is_of_another_day(page) or page.cursor >= self._ring.start:
            return None
        rows, upto = await self._database.read(partial(changed_since, seq=page.cursor, most=MOST_TO_CATCH_UP))
        if len(rows) == MOST_TO_CATCH_UP:
            return None
        frames = [Frame(row, row.facts, self._draw) for row in rows]
        missed = self._batch(page.view.wanted, page.cursor, frames, upto)
        page.cursor = upto
        return missed + (self._news_at_hand(page) or b"")

    def _news_at_hand(self, page: _Page) -> bytes | None:
        """As `_news`, from what memory holds; None if that is not enough, or the page should load anew."""
        if self._is_of_another_day(page):
            return None
        chunk = b""
        if page.cursor < self.head:
            batch = self._batch_since(page.view, page.cursor)
            if batch is None:
                return None
            chunk, page.cursor = batch, self.head
        if page.figures_seq < self._figures_seq:
            page.figures_seq = self._figures_seq
            figures, outside = self._figures_of(page.view)
            if figures != page.figures:
                page.figures = figures
                chunk += figures
            if outside != page.outside:
                page.outside = outside
                chunk += outside
        return chunk

    def _is_of_another_day(self, page: _Page) -> bool:
        return page.day != self._day and bool(page.view.wanted.period)

    def _batch_since(self, view: View, cursor: int) -> bytes | None:
        """The rows after a cursor, up to the head, as bytes; None if the ring lacks some or they are too many."""
        if view.batches_head != self.head:
            view.batches.clear()
            view.batches_head = self.head
        batch = view.batches.get(cursor)
        if batch is None:
            frames = self._ring.since(cursor)
            if frames is None or len(frames) >= MOST_TO_CATCH_UP:
                return None
            batch = view.batches[cursor] = self._batch(view.wanted, cursor, frames, self.head)
        return batch

    def _batch(self, wanted: CallFilter, cursor: int, frames: list[Frame], upto: int) -> bytes:
        today, timezone = self._day, self._draw.timezone
        parts = []
        for frame in frames:
            if wanted.is_bare or matches(frame.facts, wanted, today=today, timezone=timezone):
                parts.append(frame.show)
            elif frame.row.created_seq <= cursor:
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
        return self._draw.outside(listed=self.index.count(wanted, self.today), everything=len(self.index))

    def _figures_of(self, view: View) -> tuple[bytes, bytes]:
        if view.figures_seq != self._figures_seq:
            view.figures_seq = self._figures_seq
            view.figures = sse_frame(self._draw.replacing("#figures", self.strip(view.wanted)))
            if not view.wanted.is_bare:
                view.outside = sse_frame(self._draw.replacing("#outside", self.outside(view.wanted)))
        return view.figures, view.outside

    async def _load(self) -> None:
        head = await self._database.read(head_of)
        last_id = 0
        while facts := await self._database.read(partial(facts_after, last_id=last_id)):
            self.index.load(facts)
            last_id = facts[-1].id
        self.head = self._ring.start = self._figures_seq = head
        # What changed while the chunks were read comes in the ordinary way.
        await self.look()
        self.ready.set()

    def _take_in(self, rows: list[CallRow], head: int) -> None:
        frames = [Frame(row, row.facts, self._draw) for row in rows]
        for row, frame in zip(rows, frames, strict=True):
            self.index.put(frame.facts)
            if row.seq == row.created_seq:
                ended_at = row.at + (row.duration_seconds or 0) * 1_000_000
                self._zone_doubt.hear(ended_at=ended_at, received_at=row.received_at)
        self._ring.extend(frames)
        self.head = head

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
        self._figures_seq = self.head
        self._figures_at = time.monotonic()

    def _beat(self) -> None:
        """Every page hears from us now and then, and the day turns, though no call comes in."""
        if not self._closing:
            # First of all: a page that cannot be drawn must not end the heartbeat of all others.
            asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)
        self._beats += 1
        self._wake()

    def _wake(self) -> None:
        self._day = self.today
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        self._push()

    async def _until_closed(self) -> None:
        while not self._closing:
            await self._moved.wait()
