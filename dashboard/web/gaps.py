"""When nobody listened, how to bring in what was missed, and what the calls themselves show to be missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from quart import Blueprint, Response, redirect, request
from quart.typing import ResponseReturnValue
from sqlmodel import Session

from dashboard.calls import micros
from dashboard.gaps import Gap, gaps_of, with_fills
from dashboard.program import PROGRAM
from dashboard.store import audit
from dashboard.store.tries import MOST, LoneTry
from dashboard.store.watches import fill, spans_of, unfill
from dashboard.web.live import read_cursor
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import problem_page, viewer
from dashboard.web.parts import board, now_micros
from dashboard.web.visitor import name_in_audit, rights, visitor_address

blueprint = Blueprint("gaps", __name__)

PAGE_GAPS = 50
SHOWN_TRIES = 50
# A call is reported once it has ended and was analysed: one that was made before the gap may be missing, too.
_EARLIER = timedelta(hours=1)
# A retry can come a day after its first try, which the board was not yet there to hear.
_DAY = 24 * 3600 * 1_000_000


class Line(NamedTuple):
    """A gap and the two commands that bring in what was missed: `fetch` the file, `bring` it in."""

    gap: Gap
    fetch: str
    bring: str


@blueprint.get("/gaps")
@open_to(Who.VIEWERS)
async def show_gaps() -> ResponseReturnValue:
    """Newest first; `?before=<microseconds>` goes on with the gaps that began before that moment."""
    text = request.args.get("before")
    before = None if text is None else read_cursor(text)
    if text is not None and before is None:
        return problem_page(400, "This address cannot be read", "`before` must be when a gap began.")
    gaps, since = await _gaps()
    older = [gap for gap in reversed(gaps) if before is None or gap.start < before]
    lone = None if since is None else await board().tries.known(since + _DAY)
    html = board().draw.page(
        "gaps.html",
        at="gaps",
        **viewer(),
        lines=[_line(gap) for gap in older[:PAGE_GAPS]],
        older=f"/gaps?before={older[PAGE_GAPS - 1].start}" if len(older) > PAGE_GAPS else "",
        since=since,
        source_zone=board().settings.source_timezone.key,
        may_mark=rights().may_manage,
        lone=None if lone is None else _allowed(lone),
        is_at_least=lone is not None and len(lone) >= MOST,
        shown_tries=SHOWN_TRIES,
    )
    return Response(html, 200, content_type="text/html; charset=utf-8")


@blueprint.post("/gaps/filled")
@open_to(Who.ADMINS)
async def mark_filled() -> ResponseReturnValue:
    """What was missed in a gap has been brought in, or need not be; `open` takes that back."""
    form = await request.form
    found = {(gap.start, gap.end): gap for gap in (await _gaps())[0] if not gap.is_open}
    gap = found.get((read_cursor(form.get("start", "")) or 0, read_cursor(form.get("end", "")) or 0))
    if gap is None:
        return problem_page(404, "This gap is not there", "Go back to the list of gaps and load it again.")
    now, who, address, zone = now_micros(), name_in_audit(), visitor_address(), board().settings.timezone
    opens = "open" in form

    def mark(session: Session) -> None:
        if opens:
            unfill(session, gap)
        else:
            fill(session, gap.start, gap.end, now)
        action = audit.GAP_OPENED if opens else audit.GAP_FILLED
        about = " – ".join(f"{_clock(at, zone):%Y-%m-%d %H:%M:%S}" for at in (gap.start, gap.end))
        audit.note(session, now=now, account=who, action=action, about=about, address=address)

    await board().database.write(mark)
    # The figures say so at once; other processes see it a quarter of a minute later.
    await board().watch.look()
    return redirect("/gaps", 303)


async def _gaps() -> tuple[list[Gap], int | None]:
    """The gaps as the table has them, and since when the board was watched."""
    listened, fills = await board().database.read(spans_of)
    gaps = with_fills(gaps_of(listened, micros(board().feed.now)), fills)
    return gaps, min((span.start for span in listened), default=None)


def _line(gap: Gap) -> Line:
    settings = board().settings
    first = _clock(gap.start, settings.source_timezone) - _EARLIER
    last = _clock(gap.end, settings.source_timezone)
    file = f"missed-{first:%Y-%m-%d}.csv"
    # Outwards to the second: a gap is filled by what covers all of it.
    begin, end = _clock(gap.start, settings.timezone), _clock(gap.end + 999_999, settings.timezone)
    return Line(
        gap,
        f"ck calls export --start {first:%Y-%m-%d} --end {last:%Y-%m-%d} --file {file}",
        f'{PROGRAM} import {file} --covers "{begin:%Y-%m-%d %H:%M:%S}" "{end:%Y-%m-%d %H:%M:%S}"',
    )


def _clock(at: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, zone).replace(microsecond=0)


def _allowed(lone: Sequence[LoneTry]) -> Sequence[LoneTry]:
    """Those of the campaigns that whoever asks may see."""
    campaigns = rights().campaigns
    return [row for row in lone if not campaigns or row.campaign in campaigns]
