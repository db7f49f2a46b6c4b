"""The board: the calls of a filter, newest first, with their figures and every way to narrow them."""

from __future__ import annotations

from functools import partial

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue

from dashboard.database import head_of
from dashboard.filters import CHOICES, BadFilter, CallFilter, read_filter
from dashboard.render import link, older_link, read_row_key, toggle
from dashboard.store.calls import rows_by_id
from dashboard.web.door import signed_in_name
from dashboard.web.pages import problem_page, starting_page
from dashboard.web.parts import board

blueprint = Blueprint("board", __name__)

PAGE_ROWS = 50
MOST_OPTIONS = 200
_LABELS = {
    "campaign": "Campaign",
    "stage": "Stage",
    "reason": "Reason",
    "agent": "Agent",
    "version": "Version",
    "type": "Type",
    "duration": "Duration",
    "try": "Try",
    "figure": "Figure",
}
assert set(_LABELS) == set(CHOICES)


@blueprint.get("/")
async def show_board() -> ResponseReturnValue:
    """The page of a filter; with `before=` a page of older calls."""
    feed, draw = board().feed, board().draw
    try:
        wanted = read_filter(request.args.items(multi=True))
    except BadFilter as problem:
        return problem_page(400, "This address cannot be read", str(problem))
    before_text = request.args.get("before", "")
    before = read_row_key(before_text)
    if before_text and before is None:
        return problem_page(400, "This address cannot be read", "`before` must be the place of a call in the list.")
    if not feed.ready.is_set():
        return starting_page()
    await feed.reach(await board().database.read(head_of))
    # No await from here to the cursor: what the page shows and where its stream begins are of one moment.
    ids = feed.index.ids(wanted, feed.today, limit=PAGE_ROWS + 1, before=before)
    cursor = feed.head
    options = {
        choice: _fewer(offered, wanted.values(choice))
        for choice, offered in feed.index.options(wanted, feed.today).items()
    }
    figures = feed.strip(wanted)
    outside = feed.outside(wanted)
    periods = feed.index.periods(wanted, feed.today)
    everything = len(feed.index)
    rows = await board().database.read(partial(rows_by_id, ids=ids[:PAGE_ROWS]))
    has_older = len(ids) > PAGE_ROWS and bool(rows)
    filters = draw.page(
        "_filters.html",
        wanted=wanted,
        options=options,
        periods=periods,
        choices=_LABELS,
        link=partial(link, wanted),
        toggle=partial(toggle, wanted),
        period_link=partial(_period_link, wanted),
        period_words=_period_words(wanted),
    )
    html = draw.page(
        "board.html",
        at="board",
        account=await signed_in_name(),
        wanted=wanted,
        filters=draw.markup(filters),
        figures=draw.markup(figures),
        outside=draw.markup(outside),
        rows=[draw.markup(draw.call_row(row)) for row in rows],
        older=draw.markup(
            draw.page("_older.html", older=older_link(wanted, (rows[-1].at, rows[-1].id)) if has_older else "")
        ),
        everything=everything,
        reading_older=before is not None,
        newest_url=f"/?{wanted.query()}" if not wanted.is_bare else "/",
        live_url="" if before else _live_url(wanted, cursor),
        webhook_url=f"{board().settings.public_url or request.host_url.rstrip('/')}/webhook/call-webhook",
    )
    return Response(html, 200, content_type="text/html; charset=utf-8")


def _fewer(offered: list[tuple[str, int]], chosen: tuple[str, ...]) -> list[tuple[str, int]]:
    """The most frequent values, and those that are chosen: nobody reads a menu of nine thousand."""
    return offered[:MOST_OPTIONS] + [option for option in offered[MOST_OPTIONS:] if option[0] in chosen]


def _live_url(wanted: CallFilter, cursor: int) -> str:
    return "/live?" + "&".join(part for part in (f"after={cursor}&day={board().feed.today}", wanted.query()) if part)


def _period_link(wanted: CallFilter, period: str) -> str:
    query = wanted.with_period(period).query()
    return f"/?{query}" if query else "/"


def _period_words(wanted: CallFilter) -> str:
    words = {"": "All time", "today": "Today", "7d": "Last 7 days", "30d": "Last 30 days"}
    if wanted.from_ or wanted.to:
        return f"{wanted.from_ or 'the first call'} to {wanted.to or 'today'}"
    return words[wanted.period]
