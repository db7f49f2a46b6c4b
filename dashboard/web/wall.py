"""The wall: a few large figures and the last conversions of a filter, for a screen that nobody touches for weeks."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from quart import Blueprint, Response, redirect, request
from quart.typing import ResponseReturnValue
from sqlmodel import Session

from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.feed import Feed
from dashboard.filters import BadFilter, CallFilter
from dashboard.render import Renderer
from dashboard.sse import sse_frame
from dashboard.store import audit
from dashboard.store.accounts import add_wall_link, end_wall_links, wall_query
from dashboard.store.calls import rows_by_id
from dashboard.web.live import stream_response
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import own_address, problem_page, starting_page, viewer
from dashboard.web.parts import board, now_micros
from dashboard.web.visitor import (
    asked_for,
    comes_by_link,
    name_in_audit,
    rights,
    signed_in_name,
    visit,
    visitor_address,
)

blueprint = Blueprint("wall", __name__)

LAST_CONVERSIONS = 7


@blueprint.get("/wall")
@open_to(Who.WALL_LINK)
async def show_wall() -> ResponseReturnValue:
    """Without days it goes to today's, by an address that says so."""
    try:
        wanted = asked_for()
    except BadFilter as problem:
        return problem_page(400, "This address cannot be read", str(problem))
    key = request.args.get("key", "")
    if not (wanted.period or wanted.from_ or wanted.to):
        return redirect(_address("/wall", wanted.with_period("today"), key), 303)
    if not board().feed.ready.is_set():
        return starting_page()
    await board().feed.reach(await board().database.read(head_of))
    version = board().draw.static_version
    html = board().draw.page(
        "wall.html",
        at="wall",
        **viewer(),
        wanted=wanted,
        wall=board().draw.markup(await _draw(wanted, "")() or ""),
        live_url=f"{_address('/wall/live', wanted, key)}&drawn={version}",
        may_share=board().has_accounts and not key and rights().may_share,
        may_end=rights().may_manage,
    )
    return Response(html, 200, content_type="text/html; charset=utf-8")


@blueprint.get("/wall/live")
@open_to(Who.WALL_LINK)
async def wall_live() -> ResponseReturnValue:
    """The stream of a wall: the whole partial whenever it has changed."""
    try:
        wanted = asked_for()
    except BadFilter:
        return Response(b"", 400)
    if not (board().feed.ready.is_set() and board().streams.has_room()):
        return Response(b"", 503, headers={"Retry-After": "1"})
    is_outdated = request.args.get("drawn") != board().draw.static_version
    # Who has signed in sees his own wall, whatever key he bears: it must not outlive his session.
    key = request.args.get("key", "") if comes_by_link() else ""
    # A link ends by itself: there is nothing to draw any more.
    frames = board().streams.watch(_draw(wanted, key), None if key else visit())
    return stream_response(_stream(frames, is_outdated))


async def _stream(frames: AsyncIterator[bytes], is_outdated: bool) -> AsyncIterator[bytes]:
    if is_outdated:
        # The board was brought up to date while the wall hung there: its page must be, too.
        yield sse_frame("", event="reload")
    async for frame in frames:
        yield frame


async def draw_wall(feed: Feed, database: Database, draw: Renderer, wanted: CallFilter, key: str = "") -> str | None:
    """The wall's partial, as page and stream show it; outside of any request too. None once its link was ended."""
    if key and await database.read(partial(wall_query, token=key)) is None:
        return None
    today = feed.today
    ids = feed.index.ids(wanted.with_values("figure", ("converted",)), today, limit=LAST_CONVERSIONS)
    overview = wanted.with_values("figure", ())
    figures, usual = feed.index.figures(overview, today), feed.usual(overview)
    rows = await database.read(partial(rows_by_id, ids=ids))
    missed = feed.missed(wanted.days(today))
    scope = [feed.masked_names.shown("campaign", name) for name in wanted.scope]
    return draw.wall(figures, wanted, rows, scope=scope, notices=feed.silence, usual=usual, missed=missed)


def _draw(wanted: CallFilter, key: str) -> Callable[[], Awaitable[str | None]]:
    return partial(draw_wall, board().feed, board().database, board().draw, wanted, key)


@blueprint.post("/wall/links")
@open_to(Who.REVIEWERS)
async def make_link() -> ResponseReturnValue:
    """An address that opens this wall without signing in, and nothing else. It is shown once."""
    form = await request.form
    try:
        wanted = asked_for((name, value) for name, value in form.items(multi=True))
    except BadFilter as problem:
        return problem_page(400, "This wall cannot be shared", str(problem))
    token = secrets.token_urlsafe(24)
    now, who, name, address = now_micros(), signed_in_name(), name_in_audit(), visitor_address()

    def share(session: Session) -> None:
        add_wall_link(session, token, wanted.limited_query(), now, made_by=who)
        shown = _address("/wall", wanted, "")
        audit.note(session, now=now, account=name, action=audit.WALL_SHARED, about=shown, address=address)

    await board().database.write(share)
    html = board().draw.page(
        "wall_link.html",
        at="wall",
        **viewer(),
        address=own_address() + _address("/wall", wanted, token),
        back=_address("/wall", wanted, ""),
    )
    return Response(html, 200, content_type="text/html; charset=utf-8")


@blueprint.post("/wall/links/end")
@open_to(Who.ADMINS)
async def end_links() -> ResponseReturnValue:
    """Every shared wall asks to sign in from now on; those that hang see nothing more."""
    now, who, address = now_micros(), name_in_audit(), visitor_address()

    def end(session: Session) -> None:
        end_wall_links(session)
        audit.note(session, now=now, account=who, action=audit.WALLS_ENDED, address=address)

    await board().database.write(end)
    return redirect("/wall", 303)


def _address(path: str, wanted: CallFilter, key: str) -> str:
    return f"{path}?" + "&".join(part for part in (wanted.query(), f"key={key}" if key else "") if part)
