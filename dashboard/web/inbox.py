"""The inbox: every report as it came, what became of it, and what nobody knew before. For admins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from pydantic_core import to_json
from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue
from sqlmodel import Session

from dashboard import measures
from dashboard.callkaro.report import storable
from dashboard.callkaro.undocumented import KINDS, is_documented
from dashboard.database.clock import head_of
from dashboard.models import Inbox
from dashboard.render import Renderer
from dashboard.store import audit
from dashboard.store.bodies import Body as Stored
from dashboard.store.inbox import deliveries_of
from dashboard.store.inbox_list import VERDICTS, InboxRow, Wanted, WholeReport, find_whole, rows_before
from dashboard.store.undocumented import MOST_VALUES, Stranger, strangers
from dashboard.web.call import shown, tell
from dashboard.web.live import read_cursor
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import problem_page, viewer
from dashboard.web.parts import board
from dashboard.web.visitor import write_down

blueprint = Blueprint("inbox", __name__)

PAGE_ROWS = 100
MOST_STRANGERS = 200
# A page holds so much of a body; the rest is one click away.
MOST_SHOWN_BYTES = 64_000

NO_SUCH_REPORT = ("No such report", "This address belongs to no report of this board. Check the link.")
_GONE = "The report has reached its age or was erased: its bytes are not kept any more, and nothing gives them back."


class Body(NamedTuple):
    """A body as text to be read, and what to know of it."""

    text: str
    words: str


def read_wanted(pairs: Iterable[tuple[str, str]]) -> Wanted | None:
    """Which reports an address or a form asks for; None if it cannot be read. Empty values choose nothing."""
    chosen = {name: value.strip() for name, value in pairs}
    verdict, call = chosen.get("verdict", ""), chosen.get("call", "")
    call_id = read_cursor(call) if call else None
    if (verdict and verdict not in VERDICTS) or (call and call_id is None):
        return None
    return Wanted(verdict, call_id)


@blueprint.get("/inbox")
@open_to(Who.ADMINS)
async def show_inbox() -> ResponseReturnValue:
    """The reports of a filter, newest first; `?before=<id>` goes on with those that came before that one."""
    wanted = read_wanted(request.args.items(multi=True))
    before_text = request.args.get("before", "")
    before = read_cursor(before_text) if before_text else None
    if wanted is None or (before_text and before is None):
        sentence = "`verdict` is one of " + ", ".join(VERDICTS) + "; `call` and `before` are numbers."
        return problem_page(400, "This address cannot be read", sentence)
    rows, cursor, strange = await board().database.read(partial(_page_of, wanted=wanted, before=before))
    listed = rows[:PAGE_ROWS]
    draw, feed, settings = board().draw, board().feed, board().settings
    html = draw.page(
        "inbox.html",
        at="inbox",
        **viewer(),
        wanted=wanted,
        verdicts=[(verdict, _address(wanted._replace(verdict=verdict))) for verdict in ("", *VERDICTS)],
        rows=[draw.markup(draw.page("_inbox_row.html", row=row)) for row in listed],
        older=_address(wanted, before=listed[-1].id) if len(rows) > PAGE_ROWS else "",
        newest="" if before is None else _address(wanted),
        live_url="" if before is not None else _address(wanted, "/inbox/live", after=cursor, epoch=feed.epoch),
        upto=cursor,
        strangers=shown(strange, MOST_STRANGERS),
        kinds=KINDS,
        most_values=MOST_VALUES,
        zone_doubt=feed.zone_doubt,
        source_zone=settings.source_timezone.key,
    )
    return Response(html, 200, content_type="text/html; charset=utf-8")


@blueprint.get("/inbox/<int:inbox_id>")
@open_to(Who.ADMINS)
async def show_report(inbox_id: int) -> ResponseReturnValue:
    found = await board().database.read(partial(_find, inbox_id=inbox_id)) if inbox_id < 2**63 else None
    if found is None:
        return problem_page(404, *NO_SUCH_REPORT)
    # In a thread: megabytes must not hold up everybody else's stream.
    html = await asyncio.to_thread(_draw, *found, board().draw, viewer())
    return Response(html, 200, content_type="text/html; charset=utf-8")


@blueprint.get("/inbox/<int:inbox_id>/body")
@open_to(Who.ADMINS)
async def download_body(inbox_id: int) -> ResponseReturnValue:
    """The bytes that came, unpacked, to be kept and not to be shown: whatever they are, no browser runs them."""
    whole = await board().database.read(partial(find_whole, inbox_id=inbox_id)) if inbox_id < 2**63 else None
    if whole is None:
        return problem_page(404, *NO_SUCH_REPORT)
    if whole.body is None:
        return problem_page(410, "These bytes are gone", _GONE)
    if request.method == "GET":
        await write_down(audit.REPORT_OPENED, f"/inbox/{inbox_id}")
    response = Response(whole.body.data, 200, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="report-{inbox_id}.json"'
    return response


def _shown_body(stored: Stored | None) -> Body:
    if stored is None:
        return Body("", _GONE)
    shown = body_text(stored.data)
    if not stored.unpacked_from:
        return shown
    return Body(shown.text, f"Unpacked from {stored.unpacked_from}, the download too. {shown.words}")


def body_text(body: bytes) -> Body:
    """A body as a page can hold it: any bytes at all give text without NUL and surrogates, and not much of it."""
    # Only what is small is indented: half a million empty lists, a hundred deep, would be a hundred MB of blanks.
    if len(body) <= MOST_SHOWN_BYTES:
        try:
            document = storable(json.loads(body.decode(), strict=False))
            text = to_json(document, indent=2, inf_nan_mode="constants").decode()
            return Body(text[: 8 * MOST_SHOWN_BYTES], "Indented for reading; the download has the bytes as they came.")
        except (ValueError, RecursionError):
            pass
    text = str(storable(body[:MOST_SHOWN_BYTES].decode(errors="replace")))
    if len(body) > MOST_SHOWN_BYTES:
        return Body(text, f"The first {measures.size(MOST_SHOWN_BYTES)} as they came; the download has all of it.")
    return Body(text, "As it came, for it is no JSON; what is no text stands as �. The download has the very bytes.")


def _page_of(session: Session, wanted: Wanted, before: int | None) -> tuple[list[InboxRow], int, list[Stranger]]:
    rows = rows_before(session, wanted, before, PAGE_ROWS + 1)
    strange = [each for each in strangers(session) if not is_documented(each.kind, each.value)]
    return rows, head_of(session), strange


def _find(session: Session, inbox_id: int) -> tuple[WholeReport, Sequence[Inbox]] | None:
    whole = find_whole(session, inbox_id)
    if whole is None:
        return None
    call_id = whole.row.call_id
    return whole, deliveries_of(session, call_id) if call_id is not None else ()


def _draw(
    whole: WholeReport, deliveries: Sequence[Inbox], renderer: Renderer, viewer: dict[str, str | bool | None]
) -> str:
    told = dict(zip([delivery.id for delivery in deliveries], tell(list(deliveries)), strict=True))
    return renderer.page(
        "inbox_report.html",
        at="inbox",
        **viewer,
        row=whole.row,
        all_of_call=_address(Wanted(call_id=whole.row.call_id)),
        told=told.get(whole.row.id),
        sha256=whole.sha256.hex(),
        duplicates=whole.duplicates,
        body=_shown_body(whole.body),
        content_encoding=whole.content_encoding,
    )


def _address(wanted: Wanted, path: str = "/inbox", **more: int | str) -> str:
    query = "&".join(part for part in (wanted.query(), *(f"{name}={value}" for name, value in more.items())) if part)
    return f"{path}?{query}" if query else path
