"""What a page missed, in pieces: made one at a time, and shared by pages that are equally far."""

from __future__ import annotations

import asyncio
from functools import partial

from dashboard.byte_cache import ByteCache, Piece
from dashboard.database import Database
from dashboard.fair_queue import FairQueue
from dashboard.feed import Feed
from dashboard.filters import CallFilter, is_within, matches
from dashboard.render import Renderer
from dashboard.ring import Frame
from dashboard.sse import sse_frame
from dashboard.store.news import count_since, news_since
from dashboard.stream_views import Page

MOST_TO_CATCH_UP = 500
"""A page that missed more is told to reload: cheaper for it and for the server than so many rows."""
SHARED_BYTES = 4 * 2**20
"""What is kept of the bytes that several pages get, for all filters and cursors together."""
PIECE_BYTES = 32 * 2**10
"""A piece ends with the row with which it is this large; a row is drawn from clipped texts and has some 2 kB."""
PIECE_ROWS = 50


class Pieces:
    """The changes after a page's cursor that its filter lets through, as bytes."""

    def __init__(self, feed: Feed, database: Database, draw: Renderer) -> None:
        self._feed = feed
        self._database = database
        self._draw = draw
        self.shared: ByteCache[tuple[int, bool]] = ByteCache(SHARED_BYTES)
        """By view and how far pages are: under load nearly all are equally far, and get the very same bytes."""
        self._shared_at = ("", 0)
        self._turns = FairQueue(at_once=2, each=1)
        self._reads = FairQueue(at_once=2, each=1)

    def at_hand(self, page: Page, most: int) -> Piece | None:
        """The next piece from memory; None where memory lacks it, or it is more than `most` changes."""
        if piece := self._shared(page):
            return piece
        frames = self._frames(page)
        if frames is None or len(frames) > min(most, MOST_TO_CATCH_UP - 1):
            return None
        return self._piece(page, frames, self._feed.head)

    async def next(self, page: Page) -> Piece | None:
        """The next piece, from memory or the table; None if the page should reload. Raises what the database raises.

        The visitors take turns, a piece in each turn of the loop: a viewer with 500 pages that are far behind would
        otherwise keep the loop busy for seconds.
        """
        async with self._turns.turn(page.who):
            if piece := self._shared(page):
                return piece
            # Everything else that is ready runs before the next piece of anybody.
            await asyncio.sleep(0)
            frames = self._frames(page)
            if frames is not None:
                return self._piece(page, frames, self._feed.head) if len(frames) < MOST_TO_CATCH_UP else None
        # Turns of their own: a database that does not answer must not hold up pages that need none.
        async with self._reads.turn(page.who):
            return self._shared(page) or await self._of_table(page)

    def _shared(self, page: Page) -> Piece | None:
        """What another page of this view got from the same cursor on, as long as nothing has changed since."""
        # The epoch too: after a failover another database may be at the same number.
        now = (self._feed.epoch, self._feed.head)
        if self._shared_at != now:
            self._shared_at = now
            self.shared.clear()
        return self.shared.get(page.view.number, self._place(page))

    def _place(self, page: Page) -> tuple[int, bool]:
        """How far a page is.

        One that began with the table goes on with it until it has all: what the ring has then does not say what a call
        was before, if it moved before the ring begins and again since.
        """
        page.is_behind_ring |= page.cursor < self._feed.ring.start
        return page.cursor, page.is_behind_ring

    def _frames(self, page: Page) -> list[Frame] | None:
        """What the ring has for a page; None if it needs the table."""
        cursor, is_behind_ring = self._place(page)
        return None if is_behind_ring else self._feed.ring.since(cursor)

    async def _of_table(self, page: Page) -> Piece | None:
        seq = page.cursor
        if await self._database.read(partial(count_since, seq=seq, most=MOST_TO_CATCH_UP)) >= MOST_TO_CATCH_UP:
            return None
        rows, upto = await self._database.read(partial(news_since, seq=seq, most=PIECE_ROWS))
        frames = [Frame(row, row.facts, self._draw) for row in rows]
        return self._piece(page, frames, upto, is_last=len(rows) < PIECE_ROWS)

    def _piece(self, page: Page, frames: list[Frame], upto: int, *, is_last: bool = True) -> Piece:
        """The rows of a page from its cursor on: of all frames, or of the first ones if those fill a piece."""
        view, cursor, place = page.view, page.cursor, self._place(page)
        wanted, today, timezone = view.wanted, self._feed.today, self._draw.timezone
        parts: list[bytes] = []
        last = size = 0
        for number, frame in enumerate(frames, 1):
            facts, last = frame.facts, frame.row.seq
            if facts and (wanted.is_bare or matches(facts, wanted, today=today, timezone=timezone)):
                if frame.is_early:
                    continue
                parts.append(frame.show_masked if view.is_masked else frame.show)
            elif frame.row.created_seq <= cursor and _may_have_known(wanted, frame):
                # The page may be showing it: it no longer belongs there.
                parts.append(frame.drop)
            else:
                continue
            size += len(parts[-1])
            if size >= PIECE_BYTES and number < len(frames):
                upto, is_last = last, False
                break
        if parts and last != upto:
            parts.append(sse_frame(id=upto))
        piece = Piece(b"".join(parts), upto, is_last)
        self.shared.offer(view.number, place, piece)
        return piece


def _may_have_known(wanted: CallFilter, frame: Frame) -> bool:
    """Whether a page of this limit may have heard of the call: of others it is not told that they change.

    The table does not say what a call was: a page that is back after a restart may be told an id that it never had.
    """
    return any(campaign is None or is_within(campaign, wanted.scope) for campaign in frame.was)
