"""The streams: hands every open page what it has not yet seen.

A page holds a cursor and a filter. There is no queue per page: a slow one reads later, from the ring or the table.
What a page missed leaves in pieces, each made when the one before it was sent: a slow reader holds one piece.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from dashboard import machine
from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.fair_queue import FairQueue
from dashboard.feed import TRY_AGAIN_SECONDS, Feed
from dashboard.filters import CallFilter
from dashboard.render import Renderer
from dashboard.sse import sse_comment, sse_frame
from dashboard.stream_limits import StreamLimits
from dashboard.stream_pieces import Pieces
from dashboard.stream_views import Idle, Page, View, Wall
from dashboard.stream_views import Visit as Visit
from dashboard.time_slices import TimeSlices

T = TypeVar("T")
log = logging.getLogger(__name__)

# How many changes are drawn at once for pages that wait, and for one that asks for its own alone.
_MOST_PUSHED = 250
_MOST_AT_ONCE = 10
# One report to 500 filters takes 5 ms of the loop, and their figures half a second: reports must not wait for that.
ROWS_SECONDS = FIGURES_SECONDS = 0.002
_WALL_REST_SECONDS = 0.01
_COMPLAINT_SECONDS = 60.0

RELOAD = sse_frame("", event="reload")


class Streams:
    """Every open page of one process, and the way to each."""

    def __init__(self, feed: Feed, database: Database, draw: Renderer) -> None:
        self.feed = feed
        self._database = database
        self._draw = draw
        self._views: dict[tuple[CallFilter, bool], View] = {}
        self._walls: dict[Hashable, Wall] = {}
        self.open = {"board": 0, "wall": 0, "inbox": 0}
        """How many streams there are now, by kind of page."""
        self.limits = StreamLimits()
        self.pieces = Pieces(feed, database, draw)
        self._drawing_walls = FairQueue(at_once=2, each=1)
        self._rows = TimeSlices(self._push_to, seconds=ROWS_SECONDS, rest=0.5)
        self._figures = TimeSlices(self._redraw, seconds=FIGURES_SECONDS, rest=4.0)
        self._figures_version = -1
        self._silent_until = 0.0
        self._last_chunk = self._last_framed = b""
        feed.on_news = self._push

    async def follow(
        self,
        wanted: CallFilter,
        cursor: int | None,
        *,
        epoch: str = "",
        day: date | None = None,
        is_back: bool = False,
        transport: asyncio.WriteTransport | None = None,
        visit: Visit | None = None,
        is_masked: bool = False,
        who: str = "",
    ) -> AsyncIterator[bytes]:
        """The stream of one page: everything after its cursor that its filter lets through, while it stays and may.

        `cursor` is the last number the page has; None stands for one that cannot be read. `epoch` is the life of the
        database in which it was given out, where the page knows it; `day` the day on which the page was drawn. A page
        that is back may have its rows from a stream that ended before their figures came. With a `transport`, what
        comes while the page waits is written to it directly, as chunks of the same HTTP/1.1 answer. With `is_masked` no
        row shows its number. `who` is the visitor, whose pages take turns with those of others.
        """
        with self.counted("board"), self._viewed(wanted, is_masked) as view:
            visit = visit or Visit()
            page = Page(view, day or self.feed.today, self.feed.beats, visit, who, self.feed.epoch)
            yield sse_comment()
            is_of_this_life = epoch in ("", self.feed.epoch)
            if cursor is None or not (is_of_this_life and await self._has_been_given_out(cursor)):
                if self._is_over(visit):
                    return
                # From another life of this database, or no number at all: never "nothing new".
                yield RELOAD
                await self._until_over(visit)
                return
            page.cursor = cursor
            if cursor == self.feed.head and not is_back and view.figures_version == self.feed.figures_version:
                page.figures, page.outside = view.figures, view.outside
            while not self._is_over(visit):
                chunk = await self._news(page)
                # While it waited for the database, the visitor may have signed out, or the board begun to close.
                if self._is_over(visit):
                    return
                if chunk is None:
                    yield RELOAD
                    await self._until_over(visit)
                    return
                if chunk:
                    yield chunk
                elif page.beats != self.feed.beats:
                    page.beats = self.feed.beats
                    yield sse_frame("", id=page.cursor, event="beat")
                else:
                    await self._wait_idle(page, transport)

    async def watch(
        self,
        draw: Callable[[], Awaitable[str | None]],
        visit: Visit | None = None,
        *,
        shared_by: Hashable = None,
        who: str = "",
    ) -> AsyncIterator[bytes]:
        """The stream of a page that is one partial: drawn again when figures, notices or the day have moved.

        It ends when there is nothing to draw any more. Pages with the same `shared_by` are drawn once for all of them.
        """
        shown: str | None = ""
        beats = self.feed.beats
        visit = visit or Visit()
        with self.counted("wall"), self._shared_wall(shared_by) as wall:
            yield sse_comment()
            while not self._is_over(visit):
                moved = self.feed.moved
                await self._draw_wall(wall, draw, who)
                if wall.html is None or self._is_over(visit):
                    return
                if wall.html != shown:
                    shown = wall.html
                    yield sse_frame(shown)
                if beats != self.feed.beats:
                    beats = self.feed.beats
                    yield sse_frame("", event="beat")
                await moved.wait()

    async def _draw_wall(self, wall: Wall, draw: Callable[[], Awaitable[str | None]], who: str) -> None:
        def state() -> object:
            return self.feed.figures_version, self.feed.notices, self.feed.today

        if wall.drawn_at == state():
            return
        async with self._drawing_walls.turn(who):
            if wall.drawn_at != (now := state()):
                wall.html = await self._patiently(draw)
                wall.drawn_at = now
                # Other walls wait, and so does all else: a hundred walls must not be drawn in one go.
                await asyncio.sleep(_WALL_REST_SECONDS)

    def has_room(self) -> bool:
        """Whether one more fits. Open pages leave room for reports: those come again by themselves, these may not."""
        most = machine.most_connections() * 3 // 4
        if sum(self.open.values()) < most:
            return True
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + _COMPLAINT_SECONDS
            log.warning("No more than %d open pages fit. Others wait; raise the limit (ulimit -n, LimitNOFILE=).", most)
        return False

    @contextmanager
    def counted(self, kind: str) -> Iterator[None]:
        self.open[kind] += 1
        try:
            yield
        finally:
            self.open[kind] -= 1

    @contextmanager
    def _viewed(self, wanted: CallFilter, is_masked: bool) -> Iterator[View]:
        """The view of this filter while a page looks at it; what is kept for it goes with its last page."""
        view = self._views.get((wanted, is_masked))
        if view is None:
            view = self._views[wanted, is_masked] = View(wanted, is_masked)
            self._figures.add([view])
        view.pages += 1
        try:
            yield view
        finally:
            view.pages -= 1
            if not view.pages:
                del self._views[wanted, is_masked]
                self.pieces.shared.remove_group(view.number)
                self._rows.discard(view)
                self._figures.discard(view)

    @contextmanager
    def _shared_wall(self, shared_by: Hashable) -> Iterator[Wall]:
        # None is shared by no other page.
        key = object() if shared_by is None else shared_by
        wall = self._walls.setdefault(key, Wall())
        wall.pages += 1
        try:
            yield wall
        finally:
            wall.pages -= 1
            if not wall.pages:
                del self._walls[key]

    async def _wait_idle(self, page: Page, transport: asyncio.WriteTransport | None) -> None:
        """Leave the page to `_push_to` until it cannot be served that way."""
        idle = Idle(page, transport)
        page.view.idle[id(page)] = idle
        try:
            await idle.woken.wait()
        finally:
            del page.view.idle[id(page)]

    def _push(self) -> None:
        """There is news: every view is served, and their figures are drawn when it is their turn."""
        views = self._views.values()
        self._rows.add(views)
        if self._figures_version != self.feed.figures_version:
            self._figures_version = self.feed.figures_version
            self._figures.add(views)

    def _push_to(self, view: View) -> None:
        """Hand every idle page of a view its news at once.

        Through task, generator, framework and protocol a row to a thousand pages took 100 ms; this way a third. What is
        no plain case is left to the page's own task: a reader that is slow, a page too far behind.
        """
        for idle in view.idle.values():
            page, transport = idle.page, idle.transport
            is_plain = transport and not (transport.is_closing() or transport.get_write_buffer_size())
            chunk = self._news_at_hand(page, _MOST_PUSHED) if is_plain and not self._is_over(page.visit) else None
            if chunk is None or transport is None:
                idle.woken.set()
            elif chunk:
                transport.write(self._framed(chunk))
            elif page.beats != self.feed.beats:
                page.beats = self.feed.beats
                transport.write(self._framed(sse_frame("", id=page.cursor, event="beat")))

    def _framed(self, chunk: bytes) -> bytes:
        """A chunk of a chunked answer; the last one is kept, because the next page is likely to get the same."""
        if self._last_chunk is not chunk:
            self._last_chunk, self._last_framed = chunk, b"%x\r\n%b\r\n" % (len(chunk), chunk)
        return self._last_framed

    async def _has_been_given_out(self, cursor: int) -> bool:
        """Whether the table has come so far: another process may be ahead of this one, and have drawn the page."""
        if cursor <= self.feed.head:
            return cursor >= 0
        head = await self._patiently(lambda: self._database.read(head_of))
        return head is not None and cursor <= head

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T | None:
        """What `read` gives, tried again while the database is away; None when the board closes meanwhile."""
        while not self.feed.closing:
            try:
                return await read()
            except (SQLAlchemyError, OSError):
                await asyncio.sleep(TRY_AGAIN_SECONDS)
        return None

    async def _news(self, page: Page) -> bytes | None:
        """The next of what this page has not seen, b"" if nothing, None if it should load anew."""
        while True:
            chunk = self._news_at_hand(page, _MOST_AT_ONCE)
            if chunk is not None:
                return chunk
            if self._is_outdated(page):
                return None
            piece = await self._patiently(lambda: self.pieces.next(page))
            if piece is None:
                return None
            page.go_to(piece)
            if piece.data:
                return piece.data

    def _news_at_hand(self, page: Page, most: int) -> bytes | None:
        """As `_news`, all of it, from what memory holds.

        None if that is not enough, if it is more than `most` changes or a piece, or if the page should load anew.
        """
        if self._is_outdated(page):
            return None
        chunk = b""
        if page.cursor < self.feed.head:
            piece = self.pieces.at_hand(page, most)
            if piece is None or piece.upto < self.feed.head:
                return None
            chunk = piece.data
            page.go_to(piece)
        view = page.view
        # A page that has had no figures yet was drawn with newer ones than those that wait to be drawn again.
        if view.figures_version == self.feed.figures_version or page.figures:
            if view.figures != page.figures:
                page.figures = view.figures
                chunk += view.figures
            if view.outside != page.outside:
                page.outside = view.outside
                chunk += view.outside
        notices = self.feed.notices_for(view.wanted, is_masked=view.is_masked)
        if page.notices is not notices:
            page.notices = notices
            chunk += sse_frame(self._draw.replacing("#notices", page.notices))
        return chunk

    def _is_outdated(self, page: Page) -> bool:
        """Whether the page was drawn on another day, where that matters, or from another epoch of the database."""
        return page.epoch != self.feed.epoch or (page.day != self.feed.today and bool(page.view.wanted.period))

    def _redraw(self, view: View) -> None:
        """Draw a view's figures as they are now, and hand them to its pages."""
        view.figures_version = self.feed.figures_version
        view.figures = sse_frame(self._draw.replacing("#figures", self.feed.strip(view.wanted)))
        if not view.wanted.is_bare:
            view.outside = sse_frame(self._draw.replacing("#outside", self.feed.outside(view.wanted)))
        self._push_to(view)

    def _is_over(self, visit: Visit) -> bool:
        return self.feed.closing or visit.has_ended

    async def _until_over(self, visit: Visit) -> None:
        while not self._is_over(visit):
            await self.feed.moved.wait()
