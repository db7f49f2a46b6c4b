"""Signing in and out, and one's own account."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from quart import Blueprint, Response, redirect, request
from quart.typing import ResponseReturnValue
from sqlmodel import Session
from werkzeug.exceptions import NotFound
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as WerkzeugResponse

from dashboard.account_names import name_key
from dashboard.callkaro.report import storable
from dashboard.models import Account
from dashboard.passwords import SHORTEST, BadPassword, hash_password, is_outdated, matches
from dashboard.roles import ROLES
from dashboard.store import audit
from dashboard.store.accounts import (
    ABSOLUTE_SECONDS,
    account_of_session,
    add_account,
    end_session,
    end_sessions_of,
    find_account,
    keep_hash,
    rights_of,
    set_password,
    start_session,
    still_opens,
)
from dashboard.store.known_browsers import known_as, remember_browser
from dashboard.web.client_address import Client
from dashboard.web.door import refuse_foreign_form
from dashboard.web.known_browser import browser_token, new_browser_token, set_browser_cookie
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import theme, viewer
from dashboard.web.parts import Callboard, board, now_micros
from dashboard.web.sign_in_limits import Attempt
from dashboard.web.visitor import (
    COOKIE,
    SECURE_COOKIE,
    client,
    cookie_name,
    is_https,
    shown_name,
    signed_in,
    visitor_address,
)

blueprint = Blueprint("account", __name__)

ADMIN = "admin"
_WAIT = (
    "Too many wrong passwords. Wait a minute, then try again. A browser that has signed in here before is not affected "
    "by wrong passwords from elsewhere."
)
_CHANGED_MEANWHILE = (
    "Your account was changed at the same moment, elsewhere or by an admin, so nothing was done here. Load this page "
    "anew; if it asks you to sign in, your password is another one now."
)
_RETRY_AFTER = {"Retry-After": "60"}


class _Tokens(NamedTuple):
    """The two cookies of a browser that signs in: the session's, and the one by which it is known afterwards."""

    session: str
    browser: str


def _new_tokens() -> _Tokens:
    return _Tokens(secrets.token_urlsafe(32), new_browser_token())


@blueprint.route("/sign-in", methods=["GET", "POST"])
@open_to(Who.ANYBODY)
async def sign_in() -> ResponseReturnValue:
    if request.method == "GET":
        return _page("", request.args.get("next", ""))
    form = await request.form
    name, password, next_page = (str(storable(form.get(field, ""))) for field in ("name", "password", "next"))
    tokens = None
    # Again only where the account was changed meanwhile, be it that another sign-in has made its hash anew.
    while not tokens:
        look = partial(_account_of_attempt, name=name, who=client(), browser=browser_token())
        account, attempt = await board().database.read(look)
        is_right, slow_down = await _check(account, password, attempt)
        if slow_down:
            return _page(_WAIT, next_page, name, 429)
        if account is None or not is_right:
            return _page("Name or password is wrong. Try again.", next_page, name, 401)
        tokens = await _enter(account, password)
    # A header holds no letter beyond Latin-1.
    return _signed_in(redirect(iri_to_uri(_safe_next(next_page)), 303), tokens)


def _account_of_attempt(session: Session, name: str, who: Client, browser: str) -> tuple[Account | None, Attempt]:
    """The account that a name means, and the attempt to sign in to it."""
    account = find_account(session, name)
    account_id = account.id if account else None
    known = known_as(session, browser, who.own_network, account_id, now_micros())
    return account, Attempt(who, name_key(account.name if account else name), account_id, *known)


async def _enter(account: Account, password: str) -> _Tokens | None:
    """The tokens of a session begun with a password that was right; None if the account is not what it was then."""
    tokens, browser_before, who = _new_tokens(), browser_token(), client()
    fresh_hash = await _renewed(account, password)
    session_before = request.cookies.get(cookie_name(), "")

    def begin(session: Session) -> bool:
        if not still_opens(session, account):
            return False
        # What this browser came with ends: nobody who has planted or copied it goes on with it.
        end_session(session, session_before)
        if fresh_hash:
            keep_hash(session, account, fresh_hash)
        _begin(session, account, tokens, who, audit.SIGNED_IN, browser_before)
        return True

    return tokens if await board().database.write(begin) else None


@blueprint.post("/sign-out")
@open_to(Who.ANYBODY)
async def sign_out() -> ResponseReturnValue:
    await refuse_foreign_form()
    address = visitor_address()
    for name in (SECURE_COOKIE, COOKIE):
        if token := request.cookies.get(name):
            await board().database.write(partial(_end, token=token, address=address))
    response = redirect("/sign-in", 303)
    assert isinstance(response, Response)
    for name in (SECURE_COOKIE, COOKIE):
        response.delete_cookie(name, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="Lax")
    return response


def _end(session: Session, token: str, address: str) -> None:
    now = now_micros()
    if visitor := account_of_session(session, token, now):
        audit.note(session, now=now, account=visitor.name, action=audit.SIGNED_OUT, address=address)
    end_session(session, token)


@blueprint.get("/account")
@open_to(Who.VIEWERS)
async def show_account() -> ResponseReturnValue:
    return await _account_page()


@blueprint.post("/account/password")
@open_to(Who.VIEWERS)
async def change_password() -> ResponseReturnValue:
    """Another password for whoever is signed in; every other browser is signed out."""
    form = await request.form
    present, wanted, again = (str(storable(form.get(field, ""))) for field in ("present", "wanted", "again"))
    account = await _own_account()
    if wanted != again:
        return await _account_page("The two new passwords are not the same. Nothing was changed.", 400)
    visitor = signed_in()
    # The session is the account's own: guesses of others do not keep its owner from changing the password.
    attempt = Attempt(client(), name_key(account.name), account.id, visitor.session.hex() if visitor else "")
    is_right, slow_down = await _check(account, present, attempt)
    if slow_down:
        return await _account_page(_WAIT, 429)
    if not is_right:
        return await _account_page("The present password is wrong. Nothing was changed.", 400)
    try:
        password_hash = await hashed(wanted)
    except BadPassword as problem:
        return await _account_page(str(problem), 400)
    tokens, who = _new_tokens(), client()

    def change(session: Session) -> bool:
        if not still_opens(session, account):
            return False
        set_password(session, account, password_hash)
        _begin(session, account, tokens, who, audit.PASSWORD_SET)
        return True

    if not await board().database.write(change):
        return await _account_page(_CHANGED_MEANWHILE, 409)
    return _signed_in(redirect("/account?changed=1", 303), tokens)


@blueprint.post("/account/sign-out-elsewhere")
@open_to(Who.VIEWERS)
async def sign_out_elsewhere() -> ResponseReturnValue:
    """Every browser but this one asks to sign in from now on."""
    account, tokens, who = await _own_account(), _new_tokens(), client()

    def end(session: Session) -> bool:
        if not still_opens(session, account):
            return False
        end_sessions_of(session, account)
        _begin(session, account, tokens, who, audit.SIGNED_OUT_ELSEWHERE)
        return True

    if not await board().database.write(end):
        return await _account_page(_CHANGED_MEANWHILE, 409)
    return _signed_in(redirect("/account", 303), tokens)


async def hashed(password: str) -> str:
    """A hash of a password, when it is this one's turn. Raises BadPassword."""
    async with board().sign_in_limits.checks:
        return await asyncio.to_thread(hash_password, password)


async def _renewed(account: Account, password: str) -> str:
    """A hash of today's work of a password that was right; "" where there is no need, or it is too short by now."""
    with suppress(BadPassword):
        return await hashed(password) if is_outdated(account.password_hash) else ""
    return ""


async def make_admin(app: Callboard) -> None:
    """The account that DASHBOARD_ADMIN_PASSWORD asks for, where there is no account of that name."""
    password = app.settings.admin_password
    if password and await app.database.read(partial(find_account, name=ADMIN)) is None:
        password_hash = await asyncio.to_thread(hash_password, password)
        await app.database.write(partial(add_account, name=ADMIN, password_hash=password_hash, now=now_micros()))


async def _check(account: Account | None, password: str, attempt: Attempt) -> tuple[bool, bool]:
    """Whether the password is right, and whether there were too many wrong ones for it to be looked at."""
    limits = board().sign_in_limits
    # Before it waits for its turn, or the many that are over the limit would keep the others waiting.
    if limits.is_over(attempt):
        return False, True
    async with limits.turn(attempt):
        # Before the password is looked at: a guess that is checked and then called too much has been a guess.
        if limits.is_over(attempt):
            return False, True
        # Before the attempt itself counts.
        is_slowed = limits.is_slowed(attempt)
        if is_slowed and not attempt.is_own_address:
            account = None
        is_open = account is not None and account.disabled_at is None
        if await asyncio.to_thread(matches, account.password_hash if account and is_open else None, password):
            return True, False
        limits.count_wrong(attempt)
    if account is not None:
        # Of names that are none nothing is written down: strangers could fill the disk, and some type passwords there.
        who, address = account.name, attempt.client.address
        wrong = partial(audit.note, now=now_micros(), account=who, action=audit.WRONG_PASSWORD, address=address)
        await board().database.write(wrong)
    return False, is_slowed


def _begin(
    session: Session, account: Account, tokens: _Tokens, who: Client, action: str, browser_before: str = ""
) -> None:
    """A session of this account in a browser that is known from now on, and the line of the audit log that says why."""
    assert account.id is not None
    now = now_micros()
    start_session(session, account.id, tokens.session, now)
    remember_browser(session, browser_before, tokens.browser, who.own_network, account.id, now)
    audit.note(session, now=now, account=account.name, action=action, address=who.address)


async def _own_account() -> Account:
    """The account of whoever is signed in; there is none on a board that is open to this machine."""
    visitor = signed_in()
    account = await board().database.read(partial(find_account, name=visitor.name)) if visitor else None
    if account is None:
        raise NotFound
    return account


async def _account_page(problem: str = "", status: int = 200) -> Response:
    account = await _own_account()
    own = rights_of(account)
    has_changed = "changed" in request.args and not problem
    html = board().draw.page(
        "account.html",
        at="account",
        **viewer(),
        name=account.name,
        role=own.role,
        role_words=ROLES.get(own.role, "is not known here"),
        campaigns=[shown_name("campaign", name) for name in own.campaigns],
        shortest=SHORTEST,
        problem=problem,
        has_changed=has_changed,
    )
    return Response(html, status, content_type="text/html; charset=utf-8")


def _signed_in(answer: WerkzeugResponse, tokens: _Tokens) -> Response:
    """The answer, with the cookies of a session that was just begun."""
    assert isinstance(answer, Response)
    answer.set_cookie(
        cookie_name(),
        tokens.session,
        max_age=ABSOLUTE_SECONDS,
        secure=is_https(),
        httponly=True,
        samesite="Lax",
        path="/",
    )
    set_browser_cookie(answer, tokens.browser)
    return answer


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
    headers = _RETRY_AFTER if status == 429 else None
    return Response(html, status, headers, content_type="text/html; charset=utf-8")


def _safe_next(next_page: str) -> str:
    """A path of this board, or the board itself: never another site."""
    is_path = next_page.startswith("/") and not next_page.startswith(("//", "/\\"))
    return next_page if is_path and next_page.isprintable() and "\\" not in next_page else "/"
