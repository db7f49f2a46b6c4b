"""A masked number, shown to whoever needs it and may: each time is a line of the audit log."""

from __future__ import annotations

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue

from dashboard.store import audit
from dashboard.web.call import call_for_visitor, call_page, no_such_call
from dashboard.web.openings import Who, open_to
from dashboard.web.parts import board
from dashboard.web.visitor import write_down

blueprint = Blueprint("number", __name__)


@blueprint.post("/calls/<int:call_id>/number")
@open_to(Who.REVIEWERS)
async def show_number(call_id: int) -> ResponseReturnValue:
    """The customer's number, once that is written down: alone for htmx, which puts it in its place, else the page."""
    found = await call_for_visitor(call_id)
    if found is None:
        return no_such_call()
    await write_down(audit.NUMBER_SHOWN, f"/calls/{call_id}")
    if "HX-Request" in request.headers:
        html = board().draw.page("_number.html", number=found.row.customer_number)
        return Response(html, 200, content_type="text/html; charset=utf-8")
    return await call_page(found, shows_number=True)
