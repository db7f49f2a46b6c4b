"""Tokens for programs, made and ended by admins. A token is shown once; the table has its hash."""

from __future__ import annotations

from functools import partial

from quart import Blueprint, Response, redirect, request
from quart.typing import ResponseReturnValue
from sqlmodel import Session

from dashboard.callkaro.report import storable
from dashboard.roles import ROLES, VIEWER, Rights
from dashboard.store import audit
from dashboard.store.tokens import NameTaken, add_token, end_token, rights_of, tokens
from dashboard.tokens import BadToken, new_token, rights_in_words, token_rights
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import own_address, viewer
from dashboard.web.parts import board, now_micros
from dashboard.web.visitor import name_in_audit, visitor_address

blueprint = Blueprint("tokens", __name__)


@blueprint.get("/tokens")
@open_to(Who.ADMINS)
async def show_tokens() -> ResponseReturnValue:
    return await _page()


@blueprint.post("/tokens")
@open_to(Who.ADMINS)
async def make_token() -> ResponseReturnValue:
    """A new token, on a page that shows it this once."""
    form = await request.form
    name, role, campaigns = (str(storable(form.get(field, ""))).strip() for field in ("name", "role", "campaigns"))
    try:
        rights = token_rights(name, role, campaigns.splitlines())
        token = new_token()
        await board().database.write(
            partial(_add, token=token, name=name, rights=rights, who=name_in_audit(), address=visitor_address())
        )
    except (BadToken, NameTaken) as problem:
        words = str(problem) or f"There is a token {name} already. Choose another name, or end that one first."
        return await _page(words, 400, name=name, role=role, campaigns=campaigns)
    words = rights_in_words(rights)
    html = board().draw.page(
        "token_made.html", at="account", **viewer(), token=token, name=name, rights=words, url=own_address()
    )
    return Response(html, 200, content_type="text/html; charset=utf-8")


@blueprint.post("/tokens/<int:token_id>/end")
@open_to(Who.ADMINS)
async def stop_token(token_id: int) -> ResponseReturnValue:
    """It opens nothing from now on; one that was ended already stays so."""
    if token_id < 2**31:
        end = partial(_end, token_id=token_id, who=name_in_audit(), address=visitor_address())
        await board().database.write(end)
    return redirect("/tokens", 303)


def _add(session: Session, token: str, name: str, rights: Rights, who: str, address: str) -> None:
    now = now_micros()
    add_token(session, token, name, rights, now)
    about = f"{name}: {rights_in_words(rights)}"
    audit.note(session, now=now, account=who, action=audit.TOKEN_MADE, about=about, address=address)


def _end(session: Session, token_id: int, who: str, address: str) -> None:
    now = now_micros()
    if name := end_token(session, token_id, now):
        audit.note(session, now=now, account=who, action=audit.TOKEN_ENDED, about=name, address=address)


async def _page(
    problem: str = "", status: int = 200, *, name: str = "", role: str = VIEWER, campaigns: str = ""
) -> Response:
    found = await board().database.read(tokens)
    html = board().draw.page(
        "tokens.html",
        at="account",
        **viewer(),
        tokens=[(token, rights_in_words(rights_of(token))) for token in found],
        roles=ROLES,
        problem=problem,
        name=name,
        role=role,
        campaigns=campaigns,
        has_accounts=board().has_accounts,
    )
    return Response(html, status, content_type="text/html; charset=utf-8")
