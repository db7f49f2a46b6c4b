"""The stream of an open inbox: the reports that came since its cursor, in one write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from dashboard.database import Database
from dashboard.feed import FIGURES_PAUSE_SECONDS, TRY_AGAIN_SECONDS, Feed
from dashboard.render import Renderer
from dashboard.sse import sse_comment, sse_frame
from dashboard.store.inbox_list import InboxRow, Wanted, rows_after
from dashboard.streams import RELOAD, Streams, Visit
from dashboard.web.inbox import PAGE_ROWS, read_wanted
from dashboard.web.live import read_cursor, refuse_stream, stream_response
from dashboard.web.openings import Who, open_to
from dashboard.web.parts import board
from dashboard.web.visitor import visit

blueprint = Blueprint("inbox_live", __name__)


@blueprint.get("/inbox/live")
@open_to(Who.ADMINS)
async def inbox_live() -> ResponseReturnValue:
    """Server-sent events from the cursor on: Last-Event-ID, else ?after=; believed in the life of ?epoch= alone."""
    wanted = read_wanted(request.args.items(multi=True))
    if wanted is None:
        return Response(b"", 400)
    if not board().streams.has_room():
        return Response(b"", 503, headers={"Retry-After": "1"})
    if refusal := refuse_stream(("inbox", wanted)):
        return refusal
    # On a reconnect the address still has the cursor of the page's birth: the header is newer.
    cursor = read_cursor(request.headers.get("Last-Event-ID") or request.args.get("after", ""))
    epoch = board().feed.epoch
    if epoch and request.args.get("epoch", "") not in ("", epoch):
        cursor = None  # of another life of the database: the page may show reports that are no more
    frames = follow_inbox(board().feed, board().database, board().draw, wanted, cursor, visit())
    return stream_response(_counted(board().streams, frames))


async def _counted(streams: Streams, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    with streams.counted("inbox"):
        async for frame in frames:
            yield frame


async def follow_inbox(
    feed: Feed, database: Database, draw: Renderer, wanted: Wanted, cursor: int | None, visitor: Visit
) -> AsyncIterator[bytes]:
    """Everything the filter lets through after the cursor, while the visitor stays and may; outside any request too.

    `cursor` is the number of the last report the page has, or any later one; None is one that cannot be read.
    """
    beats, has_looked, epoch = feed.beats, False, feed.epoch
    yield sse_comment()
    while not (feed.closing or visitor.has_ended):
        moved = feed.moved
        if feed.epoch != epoch:
            cursor, epoch = None, feed.epoch
        if not has_looked or cursor is None or feed.head > cursor:
            rows, cursor = await _news(feed, database, wanted, cursor)
            has_looked = True
            if cursor is None:
                yield RELOAD
                break
            if rows:
                yield sse_frame(draw.show_reports(rows), id=cursor)
                # The first of a burst leaves at once, the others together.
                await asyncio.sleep(FIGURES_PAUSE_SECONDS)
                continue
        if beats != feed.beats:
            beats = feed.beats
            yield sse_frame("", id=cursor, event="beat")
        await moved.wait()
    while not (feed.closing or visitor.has_ended):
        # Held open: a stream that ends is opened again, twice a second.
        await feed.moved.wait()


async def _news(
    feed: Feed, database: Database, wanted: Wanted, cursor: int | None
) -> tuple[list[InboxRow], int | None]:
    """What came after the cursor, and up to which number that is all; None there for a page that should load anew."""
    while cursor is not None and not feed.closing:
        try:
            rows, head = await database.read(partial(rows_after, wanted=wanted, after=cursor, most=PAGE_ROWS))
        except (SQLAlchemyError, OSError):
            await asyncio.sleep(TRY_AGAIN_SECONDS)
            continue
        if len(rows) == PAGE_ROWS or cursor > head:
            # Too much to bring; or from another life of this database: never "nothing new".
            break
        return rows, head
    return [], None
