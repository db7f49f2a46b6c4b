"""Who may sign in, and what for: looked after by admins. On a board without accounts it makes the first one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from quart import Blueprint, Response, redirect, request
from quart.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from dashboard.account_names import name_key
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

# Each account has a form of its own: all campaigns in each made a page of 7.6 MB of 10,000 campaigns and 20 accounts.
_SHOWN, _FOUND = 12, 50
_NEW = ""
"""In place of a name: the form that adds an account."""

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
    if action in ("find", "find-new"):
        return await _page(search=_search(form, is_new=action == "find-new"))
    try:
        if action not in _ACTS:
            raise Refused("The form does not say what to change. Load the page anew, then try again.")
        change = await _read(action, form)
        done = await board().database.write(lambda session: _ACTS[action](session, change))
    except (Refused, BadPassword) as problem:
        return await _page(problem=str(problem), status=400)
    if name_key(change.name) == name_key(signed_in_name()) or not signed_in_name():
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


class _Search(NamedTuple):
    """A form in which campaigns are looked for: whose it is, and what it holds so far."""

    of: str
    """The account's name, or _NEW."""
    name: str
    role: str
    chosen: tuple[str, ...]
    find: str


class Picker(NamedTuple):
    """The campaigns that a form offers."""

    chosen: Sequence[str]
    others: Sequence[str]
    left_out: int
    """How many more there are: to be found by a part of their names."""
    find: str


def pick(known: Sequence[str], chosen: Collection[str], find: str = "") -> Picker:
    """The campaigns that are chosen already, and the first few others of those that have `find` in their names."""
    looked_for = find.casefold().strip()
    others = [name for name in known if name not in chosen and looked_for in name.casefold()]
    most = _FOUND if looked_for else _SHOWN
    return Picker(sorted(chosen), others[:most], len(others[most:]), find.strip())


def _search(form: MultiDict[str, str], *, is_new: bool) -> _Search:
    name, role, find = (str(storable(form.get(field, ""))) for field in ("name", "role", "find"))
    chosen = tuple(sorted({str(storable(campaign)) for campaign in form.getlist("campaigns")}))
    return _Search(_NEW if is_new else name, name, role, chosen, find)


async def _page(*, done: str = "", problem: str = "", status: int = 200, search: _Search | None = None) -> Response:
    if not board().feed.ready.is_set():
        return starting_page()
    known = await _campaigns()

    def picker(of: str, held: Collection[str]) -> Picker:
        if search is None or search.of != of:
            return pick(known, set(held))
        return pick(known, set(search.chosen) & set(known), search.find)

    html = board().draw.page(
        "accounts.html",
        at="accounts",
        **viewer(),
        lines=await board().database.read(accounts),
        picker=picker,
        new=_NEW,
        search=search,
        roles=ROLES,
        admin=ADMIN,
        usual_role=VIEWER,
        shortest=SHORTEST,
        own_name=signed_in_name(),
        done=done,
        problem=problem,
    )
    return Response(html, status, content_type="text/html; charset=utf-8")
