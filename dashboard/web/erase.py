"""Erasing one person everywhere, for admins: what would go is shown first, and goes only when that is confirmed."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from dashboard.callkaro.report import storable
from dashboard.database import kind_of
from dashboard.erasure import AFTERWARDS, By, Erased, TooShort, erase, find
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import viewer
from dashboard.web.parts import Callboard, board, now_micros
from dashboard.web.visitor import name_in_audit, visitor_address

log = logging.getLogger(__name__)

blueprint = Blueprint("erase", __name__)

_LONGEST = 60
# A board that stops has ten seconds for all its parts.
_FINISH_SECONDS = 3.0


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
            by = By(name_in_audit(), visitor_address(), now_micros())
            return _page(number, erased=await _erase(app, number, by))
        return _page(number, found=await find(app.database, number, app.settings.phone_region))
    except TooShort as problem:
        return _page(number, problem=str(problem), status=400)
    except (SQLAlchemyError, OSError):
        sentence = "The database was away. What was erased so far is gone; erase the number again for the rest."
        return _page(number, problem=sentence, status=503)


async def finish(app: Callboard) -> None:
    """Wait for what is being erased, though not for ever: of what is left the audit log says how far it came."""
    if app.erasing:
        _, late = await asyncio.wait(app.erasing, timeout=_FINISH_SECONDS)
        for task in late:
            task.cancel()


async def _erase(app: Callboard, number: str, by: By) -> Erased:
    """To the end, whoever leaves: a request is cancelled when its tab is closed, and half a person would stay."""
    task = asyncio.create_task(erase(app.database, app.keep, number, by, app.settings.phone_region))
    app.erasing.add(task)
    task.add_done_callback(partial(_report_end, app))
    return await asyncio.shield(task)


def _report_end(app: Callboard, task: asyncio.Task[Erased]) -> None:
    app.erasing.discard(task)
    # Whoever asked may have left, and sees no page that says so.
    if not task.cancelled() and (problem := task.exception()) and not isinstance(problem, TooShort):
        log.warning("an erasure was stopped half-way: %s", kind_of(problem))


def _page(
    number: str = "", *, found: Erased | None = None, erased: Erased | None = None, problem: str = "", status: int = 200
) -> Response:
    html = board().draw.page(
        "erase.html",
        at="account",
        **viewer(),
        number=number,
        found=found,
        erased=erased,
        problem=problem,
        afterwards=AFTERWARDS,
    )
    return Response(html, status, content_type="text/html; charset=utf-8")
