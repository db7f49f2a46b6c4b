"""The cookie by which a browser is known to have signed in before. It opens nothing: see `sign_in_limits`."""

from __future__ import annotations

import secrets

from quart import Response, request

from dashboard.store.known_browsers import KEPT_SECONDS
from dashboard.web.visitor import is_https

BROWSER_COOKIE = "callboard_browser"
SECURE_BROWSER_COOKIE = "__Host-callboard_browser"


def browser_token() -> str:
    """What this request's browser carries; "" for none."""
    return request.cookies.get(_cookie_name(), "")


def new_browser_token() -> str:
    return secrets.token_urlsafe(32)


def set_browser_cookie(answer: Response, token: str) -> None:
    answer.set_cookie(
        _cookie_name(), token, max_age=KEPT_SECONDS, secure=is_https(), httponly=True, samesite="Lax", path="/"
    )


def _cookie_name() -> str:
    # As with the session: over https only the prefixed name, which a neighbouring host cannot set.
    return SECURE_BROWSER_COOKIE if is_https() else BROWSER_COOKIE
