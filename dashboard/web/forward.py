"""Where reports are handed on to, for whoever manages the board: how each target stands, and what can be done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from quart import Blueprint, Response, redirect, request
from quart.typing import ResponseReturnValue
from sqlmodel import Session

from dashboard.store import audit
from dashboard.store.forward_state import MOST_COUNTED, CannotSkip, let_be, send_again, skip, target_lines, try_now
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import problem_page, viewer
from dashboard.web.parts import board, now_micros
from dashboard.web.visitor import name_in_audit, visitor_address

blueprint = Blueprint("forward", __name__)

_LONGEST_NUMBER = 18


@blueprint.get("/forward")
@open_to(Who.ADMINS)
async def show_targets() -> ResponseReturnValue:
    lines = await board().database.read(target_lines)
    html = board().draw.page(
        "forward.html", at="forward", **viewer(), lines=lines, now=now_micros(), most_counted=MOST_COUNTED
    )
    return Response(html, 200, content_type="text/html; charset=utf-8")


@blueprint.post("/forward/retry")
@open_to(Who.ADMINS)
async def retry() -> ResponseReturnValue:
    """`target` is tried now; `report` is a number that is sent again, or `all`."""
    return await _act(_retry)


@blueprint.post("/forward/skip")
@open_to(Who.ADMINS)
async def skip_report() -> ResponseReturnValue:
    """`report` is not sent: a number, `all` that were set aside, or none for the one that holds up the line."""
    return await _act(_skip)


async def _act(change: Callable[..., None]) -> ResponseReturnValue:
    form = await request.form
    target, report = form.get("target", ""), form.get("report", "")
    is_number = report.isascii() and report.isdecimal() and len(report) <= _LONGEST_NUMBER
    if report not in ("", "all") and not is_number:
        return problem_page(400, "This cannot be done", "`report` must be the number of a report.")
    asked = partial(
        change,
        target=target,
        report=int(report) if is_number else report,
        account=name_in_audit(),
        address=visitor_address(),
    )
    try:
        await board().database.write(asked)
    except CannotSkip as problem:
        return problem_page(409, "Nothing was changed", f"{problem} Go back to /forward.")
    return redirect("/forward", 303)


def _retry(session: Session, target: str, report: int | str, account: str, address: str) -> None:
    now = now_micros()
    if not try_now(session, target, now):
        raise CannotSkip("There is no such target any more.")
    if report != "":
        count = send_again(session, target, None if isinstance(report, str) else [report], now)
        if not count and report != "all":
            raise CannotSkip(f"Report {report} is not there, or waits in line and is sent in its turn.")
    about = f"{target}: {report or 'what waits'}"
    audit.note(session, now=now, account=account, action=audit.FORWARD_RETRIED, about=about, address=address)


def _skip(session: Session, target: str, report: int | str, account: str, address: str) -> None:
    now = now_micros()
    skipped: int | str = report
    if report != "":
        let_be(session, target, None if isinstance(report, str) else [report], now)
    else:
        skipped = skip(session, target, now)
    about = f"{target}: {skipped}"
    audit.note(session, now=now, account=account, action=audit.FORWARD_SKIPPED, about=about, address=address)
