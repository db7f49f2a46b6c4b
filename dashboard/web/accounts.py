"""Who may sign in, and what for: looked after by admins. On a board without accounts it makes the first one."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, request
from quart.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from dashboard.accounts import Act, Change, Refused, add, give_password, give_rights, let_in, shut_out
from dashboard.callkaro.report import storable
from dashboard.filters import CallFilter
from dashboard.passwords import SHORTEST, BadPassword
from dashboard.roles import ADMIN, ROLES, VIEWER, Rights
from dashboard.store.accounts import accounts
from dashboard.web.account import hashed
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import starting_page, viewer
from dashboard.web.parts import board, now_micros
from dashboard.web.visitor import name_in_audit, signed_in_name, visitor_address

blueprint = Blueprint("accounts", __name__)

_ACTS: dict[str, Act] = {
    "add": add,
    "password": give_password,
    "role": give_rights,
    "disable": shut_out,
    "enable": let_in,
}


@blueprint.get("/accounts")
@open_to(Who.ADMINS)
async def show_accounts() -> ResponseReturnValue:
    return await _page()


@blueprint.post("/accounts")
@open_to(Who.ADMINS)
async def change_account() -> ResponseReturnValue:
    """One change; the page says in a sentence what it was, or why it was not made."""
    form = await request.form
    action = form.get("change", "")
    try:
        if action not in _ACTS:
            raise Refused("The form does not say what to change. Load the page anew, then try again.")
        change = await _read(action, form)
        done = await board().database.write(lambda session: _ACTS[action](session, change))
    except (Refused, BadPassword) as problem:
        return await _page(problem=str(problem), status=400)
    if change.name == signed_in_name() or not signed_in_name():
        # Signed out by it, or the first account of all: the sign-in comes next.
        return redirect("/accounts", 303)
    return await _page(done=done)


async def _read(action: str, form: MultiDict[str, str]) -> Change:
    """What a form asks for. Raises Refused and BadPassword."""
    name, password, role = (str(storable(form.get(field, ""))) for field in ("name", "password", "role"))
    campaigns = {str(storable(campaign)) for campaign in form.getlist("campaigns")}
    if action in ("add", "role") and (unknown := campaigns - {*await _campaigns()}):
        raise Refused(f"No call of a campaign {min(unknown)[:40]!r} is on this board. Choose among those listed.")
    return Change(
        name.strip(),
        now_micros(),
        by=name_in_audit(),
        address=visitor_address(),
        password_hash=await hashed(password) if action in ("add", "password") else "",
        rights=Rights(role, tuple(sorted(campaigns))),
    )


async def _campaigns() -> list[str]:
    """Those that calls have, the busiest first, and those that accounts are limited to already."""
    feed = board().feed
    known = [name for name, _ in feed.index.options(CallFilter(), feed.today)["campaign"]]
    lines = await board().database.read(accounts)
    held = {name for line in lines for name in line.rights.campaigns}
    return known + sorted(held - {*known})


async def _page(*, done: str = "", problem: str = "", status: int = 200) -> Response:
    if not board().feed.ready.is_set():
        return starting_page()
    html = board().draw.page(
        "accounts.html",
        at="accounts",
        **viewer(),
        lines=await board().database.read(accounts),
        campaigns=await _campaigns(),
        roles=ROLES,
        admin=ADMIN,
        usual_role=VIEWER,
        shortest=SHORTEST,
        own_name=signed_in_name(),
        done=done,
        problem=problem,
    )
    return Response(html, status, content_type="text/html; charset=utf-8")
