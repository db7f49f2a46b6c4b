"""Signing in and out."""

from __future__ import annotations

import asyncio
import secrets
from functools import cache, partial

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from quart import Blueprint, Response, redirect, request
from quart.typing import ResponseReturnValue
from werkzeug.urls import iri_to_uri

from dashboard.callkaro.report import storable
from dashboard.store.accounts import ABSOLUTE_SECONDS, add_account, end_session, find_account, start_session
from dashboard.web.door import COOKIE, SECURE_COOKIE, Slowdown, cookie_name, is_https, is_this_machine
from dashboard.web.pages import theme
from dashboard.web.parts import Callboard, board, now_micros

blueprint = Blueprint("account", __name__)

ADMIN = "admin"
_hasher = PasswordHasher()
# Each check takes 64 MiB: a hundred at once would take 6 GB.
_checks = asyncio.Semaphore(2)
# One address is stopped long before a name is: nobody alone can lock the owner out.
_wrong_by_address = Slowdown(most=10, seconds=60)
_wrong_by_name = Slowdown(most=60, seconds=60)


@blueprint.route("/sign-in", methods=["GET", "POST"])
async def sign_in() -> ResponseReturnValue:
    if request.method == "GET":
        return _page("", request.args.get("next", ""))
    form = await request.form
    name, password, next_page = (str(storable(form.get(field, ""))) for field in ("name", "password", "next"))
    address = _address()
    account = await board().database.read(partial(find_account, name=name))
    async with _checks:
        # Before the password is looked at: a guess that is checked and then called too much has been a guess.
        if _wrong_by_address.is_over(address) or _wrong_by_name.is_over(name):
            return _page("Too many wrong passwords. Wait a minute, then try again.", next_page, name, 429)
        matches = await asyncio.to_thread(_matches, account.password_hash if account else None, password)
        if not matches:
            _wrong_by_address.is_too_much(address)
            _wrong_by_name.is_too_much(name)
    if account is None or account.id is None or not matches:
        return _page("Name or password is wrong. Try again.", next_page, name, 401)
    token = secrets.token_urlsafe(32)
    await board().database.write(partial(start_session, account_id=account.id, token=token, now=now_micros()))
    # A header holds no letter beyond Latin-1.
    response = redirect(iri_to_uri(_safe_next(next_page)), 303)
    assert isinstance(response, Response)
    response.set_cookie(
        cookie_name(),
        token,
        max_age=ABSOLUTE_SECONDS,
        secure=is_https(),
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


@blueprint.post("/sign-out")
async def sign_out() -> ResponseReturnValue:
    for name in (SECURE_COOKIE, COOKIE):
        if token := request.cookies.get(name):
            await board().database.write(partial(end_session, token=token))
    response = redirect("/sign-in", 303)
    assert isinstance(response, Response)
    for name in (SECURE_COOKIE, COOKIE):
        response.delete_cookie(name, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="Lax")
    return response


async def make_admin(app: Callboard) -> None:
    """The account that DASHBOARD_ADMIN_PASSWORD asks for, where there is no account of that name."""
    password = app.settings.admin_password
    if password and await app.database.read(partial(find_account, name=ADMIN)) is None:
        password_hash = await asyncio.to_thread(_hasher.hash, password)
        await app.database.write(partial(add_account, name=ADMIN, password_hash=password_hash, now=now_micros()))


@cache
def _nobodys_hash() -> str:
    """Checked where the name is unknown, so that the answer takes as long as for a known one."""
    return _hasher.hash(secrets.token_urlsafe())


def _address() -> str:
    """Who asks. Behind our proxy that is the last it added to X-Forwarded-For: by the proxy's own address, ten wrong
    passwords of a stranger would lock everybody out.
    """
    peer = request.remote_addr or ""
    if board().settings.public_url and is_this_machine(peer):
        return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or peer
    return peer


def _matches(password_hash: str | None, password: str) -> bool:
    try:
        return _hasher.verify(password_hash or _nobodys_hash(), password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def _page(problem: str, next_page: str, name: str = "", status: int = 200) -> Response:
    html = board().draw.page(
        "sign_in.html",
        at="sign-in",
        account=None,
        theme=theme(),
        problem=problem,
        next=_safe_next(next_page),
        name=name,
    )
    return Response(html, status, content_type="text/html; charset=utf-8")


def _safe_next(next_page: str) -> str:
    """A path of this board, or the board itself: never another site."""
    is_path = next_page.startswith("/") and not next_page.startswith(("//", "/\\"))
    return next_page if is_path and next_page.isprintable() and "\\" not in next_page else "/"
