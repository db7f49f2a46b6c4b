"""The board: the calls of a filter, newest first, with their figures and every way to narrow them."""

from __future__ import annotations

from functools import partial

from quart import Blueprint, Response, redirect, request
from quart.typing import ResponseReturnValue

from dashboard.callkaro.report import read_report
from dashboard.callkaro.sample import test_report
from dashboard.database.clock import head_of
from dashboard.filters import CHOICES, BadFilter, CallFilter
from dashboard.intake import NotStored
from dashboard.render import board_link, days_words, export_link, link, masked_row, older_link, read_row_key, toggle
from dashboard.store.calls import rows_by_id
from dashboard.store.inbox import TEST_CALL, Arrival
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import own_address, problem_page, starting_page, viewer
from dashboard.web.parts import WEBHOOK_PATH, board, now_micros
from dashboard.web.visitor import asked_for, rights, sees_names

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
@open_to(Who.VIEWERS)
async def show_board() -> ResponseReturnValue:
    """The page of a filter; with `before=` a page of older calls."""
    return await board_page(call='<aside id="call" hidden></aside>')


async def board_page(*, call: str, title: str = "") -> ResponseReturnValue:
    """The list of this request's filter, and beside it one call, drawn already; `title` is the call's."""
    try:
        wanted = asked_for()
    except BadFilter as problem:
        return problem_page(400, "This address cannot be read", str(problem))
    before_text = request.args.get("before", "")
    before = read_row_key(before_text)
    if before_text and before is None:
        return problem_page(400, "This address cannot be read", "`before` must be the place of a call in the list.")
    feed, draw = board().feed, board().draw
    if not feed.ready.is_set():
        return starting_page()
    await feed.reach(await board().database.read(head_of))
    # No await from here to the cursor: what the page shows and where its stream begins are of one moment.
    ids = feed.index.ids(wanted, feed.today, limit=PAGE_ROWS + 1, before=before)
    cursor = feed.head
    parts = {
        "filters": _filters(wanted),
        "figures": feed.strip(wanted),
        "notices": feed.notices_for(wanted, is_masked=not rights().sees_numbers),
        "outside": feed.outside(wanted),
    }
    live_url = "" if before else _live_url(wanted, cursor)
    board_title = f"{', '.join(wanted.campaign)} · Callboard" if wanted.campaign else "Callboard"
    everything = feed.everything(wanted)
    is_new = feed.is_new and rights().may_manage
    rows = await board().database.read(partial(rows_by_id, ids=ids[:PAGE_ROWS]))
    has_older = len(ids) > PAGE_ROWS and bool(rows)
    shown = rows if rights().sees_numbers else [masked_row(row, draw.region) for row in rows]
    parts["older"] = draw.page("_older.html", older=older_link(wanted, (rows[-1].at, rows[-1].id)) if has_older else "")
    html = draw.page(
        "board.html",
        at="board",
        **viewer(),
        title=title or board_title,
        board_title=board_title,
        wanted=wanted,
        call=draw.markup(call),
        rows=[draw.markup(draw.call_row(row)) for row in shown],
        everything=everything,
        reading_older=before is not None,
        newest_url=board_link(wanted),
        live_url=live_url,
        cursor=cursor,
        setup=is_new,
        webhook_url=own_address() + WEBHOOK_PATH,
        has_secret=bool(board().settings.webhook_secrets),
        is_local=board().settings.is_local,
        **{name: draw.markup(part) for name, part in parts.items()},
    )
    return Response(html, 200, content_type="text/html; charset=utf-8")


@blueprint.post("/test-call")
@open_to(Who.ADMINS)
async def send_test_call() -> ResponseReturnValue:
    """A made-up call, taken in like the platform's: it shows that storing, feed and page work."""
    settings = board().settings
    body = test_report(board().feed.now, settings.source_timezone)
    try:
        await board().intake.keep(Arrival(now_micros(), body, read_report(body), "application/json", TEST_CALL))
    except NotStored as problem:
        return problem_page(503, "The test call could not be stored", str(problem))
    return redirect("/", 303)


def _filters(wanted: CallFilter) -> str:
    feed = board().feed
    offered = feed.index.options(wanted, feed.today)
    if not sees_names():
        offered = {choice: feed.masked_names.options(choice, values) for choice, values in offered.items()}
    options = {choice: _fewer(values, wanted.values(choice)) for choice, values in offered.items()}
    return board().draw.page(
        "_filters.html",
        wanted=wanted,
        options=options,
        periods=feed.index.periods(wanted, feed.today),
        choices=_LABELS,
        link=partial(link, wanted),
        toggle=partial(toggle, wanted),
        period_link=lambda period: board_link(wanted.with_period(period)),
        period_words=days_words(wanted),
        export=export_link(wanted) if rights().may_export else "",
    )


def _fewer(offered: list[tuple[str, int]], chosen: tuple[str, ...]) -> list[tuple[str, int]]:
    """The most frequent values, and those that are chosen: nobody reads a menu of nine thousand."""
    return offered[:MOST_OPTIONS] + [option for option in offered[MOST_OPTIONS:] if option[0] in chosen]


def _live_url(wanted: CallFilter, cursor: int) -> str:
    feed = board().feed
    since = f"after={cursor}&epoch={feed.epoch}&day={feed.today}"
    return "/live?" + "&".join(part for part in (since, wanted.query()) if part)
