"""Erasing one person everywhere, for admins: what would go is shown first, and goes only when that is confirmed."""

from __future__ import annotations

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from dashboard.callkaro.report import storable
from dashboard.erasure import By, Erased, TooShort, erase, find
from dashboard.web.door import signed_in_name, visitor_address
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import viewer
from dashboard.web.parts import board, now_micros

blueprint = Blueprint("erase", __name__)

_LONGEST = 60


@blueprint.get("/erase")
@open_to(Who.ADMINS)
async def ask() -> ResponseReturnValue:
    """The form. The number never stands in an address: those are kept by browsers and proxies."""
    return _page()


@blueprint.post("/erase")
@open_to(Who.ADMINS)
async def erase_person() -> ResponseReturnValue:
    """Says what would go; with `sure` it goes."""
    form = await request.form
    number = str(storable(form.get("number", "")))[:_LONGEST].strip()
    is_sure = form.get("sure") == "yes"
    app = board()
    try:
        if is_sure:
            by = By(signed_in_name() or "this machine", visitor_address(), now_micros())
            return _page(number, erased=await erase(app.database, app.keep, number, by))
        return _page(number, found=await find(app.database, number))
    except TooShort as problem:
        return _page(number, problem=str(problem), status=400)
    except (SQLAlchemyError, OSError):
        sentence = "The database was away. What was erased so far is gone; erase the number again for the rest."
        return _page(number, problem=sentence, status=503)


def _page(
    number: str = "", *, found: Erased | None = None, erased: Erased | None = None, problem: str = "", status: int = 200
) -> Response:
    html = board().draw.page(
        "erase.html", at="account", **viewer(), number=number, found=found, erased=erased, problem=problem
    )
    return Response(html, status, content_type="text/html; charset=utf-8")
