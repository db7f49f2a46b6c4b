"""A page's stream: reads its cursor and filter, and hands over to the streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from datetime import date
from typing import Any, cast

from quart import Blueprint, Response, request

from dashboard.connections import TRANSPORT
from dashboard.filters import BadFilter
from dashboard.stream_limits import Limits, TooMany
from dashboard.web.openings import Who, open_to
from dashboard.web.parts import board
from dashboard.web.request_queue import hold
from dashboard.web.visitor import asked_for, comes_by_link, rights, signed_in, visit, visitor_key

blueprint = Blueprint("live", __name__)

# Screens that show one shared wall. The link may have come to anybody.
MOST_BY_LINK = 100
STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    # A proxy that stores or compresses the stream holds every call back until its buffer is full.
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


@blueprint.get("/live")
@open_to(Who.VIEWERS)
async def live() -> Response:
    """Server-sent events from the cursor on: Last-Event-ID, else ?after=, else from now.

    `?epoch=` says in which life of the database that number was given out; of another one, it is not believed.
    """
    feed = board().feed
    if not (feed.ready.is_set() and board().streams.has_room()):
        # Empty: htmx would put an error's text into the list.
        return Response(b"", 503, headers={"Retry-After": "1"})
    try:
        wanted = asked_for()
    except BadFilter:
        return Response(b"", 400)
    if refusal := refuse_stream((wanted, not rights().sees_numbers)):
        return refusal
    # On a reconnect the address still has the cursor of the page's birth: the header is newer.
    text = request.headers.get("Last-Event-ID") or request.args.get("after")
    cursor = feed.head if text is None else read_cursor(text)
    extensions = cast(dict[str, Any], request.scope.get("extensions") or {})
    is_back = "Last-Event-ID" in request.headers
    stream = board().streams.follow(
        wanted,
        cursor,
        epoch=request.args.get("epoch", ""),
        day=_day(),
        is_back=is_back,
        transport=extensions.get(TRANSPORT),
        visit=visit(),
        is_masked=not rights().sees_numbers,
        who=visitor_key(),
    )
    return stream_response(stream)


def refuse_stream(wanted: Hashable) -> Response | None:
    """Count one more live page of this visitor until it has ended; the answer where it has, or all have, too many.

    `wanted` stands for what is made once for all pages that want the same.
    """
    limits = Limits() if signed_in() else Limits(pages=MOST_BY_LINK if comes_by_link() else None)
    try:
        hold().until_sent.enter_context(board().streams.limits.counted(visitor_key(), wanted, limits))
    except TooMany as problem:
        # Empty, as above. The page says what 429 means.
        return Response(b"", 503 if problem.in_all else 429, headers={"Retry-After": "30"})
    return None


def stream_response(frames: AsyncIterator[bytes]) -> Response:
    """The answer whose body are these frames; to HEAD the headers alone.

    Hypercorn lets the app go on after the headers of such an answer: an endless one left the connection deaf, and the
    report that a proxy sent through it next was lost.
    """
    response = Response(b"" if request.method == "HEAD" else frames, 200, headers=STREAM_HEADERS)
    # Quart cuts every response after 60 s otherwise.
    response.timeout = None
    return response


def _day() -> date | None:
    """The day on which the page was drawn: a laptop that was closed over midnight comes back with yesterday's page."""
    try:
        return date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return None


def read_cursor(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
