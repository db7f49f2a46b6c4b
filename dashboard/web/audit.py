"""The audit log, for admins: who did what, newest first."""

from __future__ import annotations

from functools import partial

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue

from dashboard.store.audit import newest
from dashboard.web.live import read_cursor
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import problem_page, viewer
from dashboard.web.parts import board

blueprint = Blueprint("audit", __name__)

PAGE_LINES = 100


@blueprint.get("/audit")
@open_to(Who.ADMINS)
async def show_audit() -> ResponseReturnValue:
    """`?before=<id>` goes on with the lines that are older than that one."""
    text = request.args.get("before")
    before = None if text is None else read_cursor(text)
    if text is not None and before is None:
        return problem_page(400, "This address cannot be read", "`before` must be the number of a line.")
    lines = await board().database.read(partial(newest, most=PAGE_LINES + 1, before=before))
    html = board().draw.page(
        "audit.html",
        at="audit",
        **viewer(),
        lines=lines[:PAGE_LINES],
        older=f"/audit?before={lines[PAGE_LINES - 1].id}" if len(lines) > PAGE_LINES else "",
    )
    return Response(html, 200, content_type="text/html; charset=utf-8")
