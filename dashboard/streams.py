"""The streams: hands every open page what it has not yet seen.

A page holds a cursor and a filter. There is no queue per page: a slow one reads later, from the ring or the table.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from sqlalchemy.exc import SQLAlchemyError

from dashboard import machine
from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.feed import TRY_AGAIN_SECONDS, Feed
from dashboard.filters import CallFilter, is_within, matches
from dashboard.render import Renderer
from dashboard.ring import Frame
from dashboard.sse import sse_comment, sse_frame
from dashboard.store.news import news_since

T = TypeVar("T")
log = logging.getLogger(__name__)

# A page that missed more than this is told to load anew: cheaper for it and for us than so many rows.
MOST_TO_CATCH_UP = 500
_COMPLAINT_SECONDS = 60.0

RELOAD = sse_frame("", event="reload")


class View:
    """What all pages of one filter and one drawing share, made once for them and anew when something has changed."""

    def __init__(self, wanted: CallFilter, is_masked: bool) -> None:
        self.wanted = wanted
        self.is_masked = is_masked
        # By the cursor they start from: under load nearly all pages are equally far, and get the very same bytes.
        self.batches: dict[int, bytes] = {}
        self.batches_head = 0
        self.figures = self.outside = b""
        self.figures_version = -1


class Visit:
    """Whether the visitor of a stream may go on looking. Whoever keeps the door says so; streams look at every beat."""

    __slots__ = ("__weakref__", "has_ended")

    def __init__(self) -> None:
        self.has_ended = False


@dataclass(slots=True)
class _Page:
    """What the server knows of an open page."""

    view: View
    day: date
    beats: int
    visit: Visit
    epoch: str
    cursor: int = 0
    figures_version: int = -1
    figures: bytes = b""
    outside: bytes = b""
    notices: str = ""


@dataclass(slots=True, eq=False)
class _Idle:
    """A page that waits, and the transport by which it can be reached meanwhile."""

    page: _Page
    transport: asyncio.WriteTransport
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """Every open page of one process, and the way to each."""

    def __init__(self, feed: Feed, database: Database, draw: Renderer) -> None:
        self.feed = feed
        self._database = database
        self._draw = draw
        self._views: WeakValueDictionary[tuple[CallFilter, bool], View] = WeakValueDictionary()
        self._idle: dict[int, _Idle] = {}
        self.open = {"board": 0, "wall": 0, "inbox": 0}
        """How many streams there are now, by kind of page."""
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
    ) -> AsyncIterator[bytes]:
        """The stream of one page: everything after its cursor that its filter lets through, while it stays and may.

        `cursor` is the last number the page has; None stands for one that cannot be read. `epoch` is the life of the
        database in which it was given out, where the page knows it; `day` the day on which the page was drawn. A page
        that is back may have its rows from a stream that ended before their figures came. With a `transport`, what
        comes while the page waits is written to it directly, as chunks of the same HTTP/1.1 answer. With `is_masked` no
        row shows its number.
        """
        view = self._views.get((wanted, is_masked))
        if view is None:
            view = self._views[wanted, is_masked] = View(wanted, is_masked)
        visit = visit or Visit()
        page = _Page(view, day or self.feed.today, self.feed.beats, visit, self.feed.epoch)
        with self.counted("board"):
            yield sse_comment()
            is_of_this_life = epoch in ("", self.feed.epoch)
            if cursor is None or not (is_of_this_life and await self._has_been_given_out(cursor)):
                # From another life of this database, or no number at all: never "nothing new".
                yield RELOAD
                await self._until_over(visit)
                return
            page.cursor = cursor
            if cursor == self.feed.head and not is_back:
                page.figures, page.outside = self._figures_of(view)
            while not self._is_over(visit):
                moved = self.feed.moved
                chunk = await self._news(page)
                if chunk is None:
                    yield RELOAD
                    await self._until_over(visit)
                    return
                if chunk:
                    yield chunk
                elif page.beats != self.feed.beats:
                    page.beats = self.feed.beats
                    yield sse_frame("", id=page.cursor, event="beat")
                elif transport is None:
                    await moved.wait()
                else:
                    await self._wait_idle(page, transport)

    async def watch(
        self, draw: Callable[[], Awaitable[str | None]], visit: Visit | None = None
    ) -> AsyncIterator[bytes]:
        """The stream of a page that is one partial: drawn again when figures, notices or the day have moved.

        It ends when there is nothing to draw any more.
        """
        shown, drawn_at, beats = "", None, self.feed.beats
        visit = visit or Visit()
        with self.counted("wall"):
            yield sse_comment()
            while not self._is_over(visit):
                moved = self.feed.moved
                state = (self.feed.figures_version, self.feed.notices, self.feed.today)
                if state != drawn_at:
                    html = await self._patiently(draw)
                    drawn_at = state
                    if html is None:
                        return
                    if html != shown:
                        shown = html
                        yield sse_frame(html)
                if beats != self.feed.beats:
                    beats = self.feed.beats
                    yield sse_frame("", event="beat")
                await moved.wait()

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
            if self._is_over(page.visit) or transport.is_closing() or transport.get_write_buffer_size():
                idle.woken.set()
                continue
            chunk = self._news_at_hand(page)
            if chunk is None:
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

    async def _news(self, page: _Page) -> bytes | None:
        """What this page has not seen, b"" if nothing, None if it should load anew."""
        chunk = self._news_at_hand(page)
        if chunk is not None:
            return chunk
        if self._is_outdated(page) or page.cursor >= self.feed.ring.start:
            return None
        rows, upto = await self._database.read(partial(news_since, seq=page.cursor, most=MOST_TO_CATCH_UP))
        if len(rows) == MOST_TO_CATCH_UP:
            return None
        frames = [Frame(row, row.facts, self._draw) for row in rows]
        missed = self._batch(page.view, page.cursor, frames, upto)
        page.cursor = upto
        return missed + (self._news_at_hand(page) or b"")

    def _news_at_hand(self, page: _Page) -> bytes | None:
        """As `_news`, from what memory holds; None if that is not enough, or the page should load anew."""
        if self._is_outdated(page):
            return None
        chunk = b""
        if page.cursor < self.feed.head:
            batch = self._batch_since(page.view, page.cursor)
            if batch is None:
                return None
            chunk, page.cursor = batch, self.feed.head
        if page.figures_version != self.feed.figures_version:
            page.figures_version = self.feed.figures_version
            figures, outside = self._figures_of(page.view)
            if figures != page.figures:
                page.figures = figures
                chunk += figures
            if outside != page.outside:
                page.outside = outside
                chunk += outside
        notices = self.feed.notices_for(page.view.wanted)
        if page.notices is not notices:
            page.notices = notices
            chunk += sse_frame(self._draw.replacing("#notices", page.notices))
        return chunk

    def _is_outdated(self, page: _Page) -> bool:
        """Whether the page was drawn on another day, where that matters, or of another life of the database."""
        return page.epoch != self.feed.epoch or (page.day != self.feed.today and bool(page.view.wanted.period))

    def _batch_since(self, view: View, cursor: int) -> bytes | None:
        """The rows after a cursor, up to the head, as bytes; None if the ring lacks some or they are too many."""
        if view.batches_head != self.feed.head:
            view.batches.clear()
            view.batches_head = self.feed.head
        batch = view.batches.get(cursor)
        if batch is None:
            frames = self.feed.ring.since(cursor)
            if frames is None or len(frames) >= MOST_TO_CATCH_UP:
                return None
            batch = view.batches[cursor] = self._batch(view, cursor, frames, self.feed.head)
        return batch

    def _batch(self, view: View, cursor: int, frames: list[Frame], upto: int) -> bytes:
        wanted, today, timezone = view.wanted, self.feed.today, self._draw.timezone
        parts = []
        for frame in frames:
            facts = frame.facts
            if facts and (wanted.is_bare or matches(facts, wanted, today=today, timezone=timezone)):
                parts.append(frame.show_masked if view.is_masked else frame.show)
            elif frame.row.created_seq <= cursor and _may_have_known(wanted, frame):
                # The page may be showing it: it no longer belongs there.
                parts.append(frame.drop)
        if parts and frames[-1].row.seq != upto:
            parts.append(sse_frame(id=upto))
        return b"".join(parts)

    def _figures_of(self, view: View) -> tuple[bytes, bytes]:
        if view.figures_version != self.feed.figures_version:
            view.figures_version = self.feed.figures_version
            view.figures = sse_frame(self._draw.replacing("#figures", self.feed.strip(view.wanted)))
            if not view.wanted.is_bare:
                view.outside = sse_frame(self._draw.replacing("#outside", self.feed.outside(view.wanted)))
        return view.figures, view.outside

    def _is_over(self, visit: Visit) -> bool:
        return self.feed.closing or visit.has_ended

    async def _until_over(self, visit: Visit) -> None:
        while not self._is_over(visit):
            await self.feed.moved.wait()


def _may_have_known(wanted: CallFilter, frame: Frame) -> bool:
    """Whether a page of this limit may have heard of the call: of others it is not told that they change.

    The table does not say what a call was: a page that is back after a restart may be told an id that it never had.
    """
    return frame.was is None or is_within(frame.was, wanted.scope)
