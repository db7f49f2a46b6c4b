"""The token of our own forms: a form that another site made up lacks it. Pure; knows no request.

It follows from the session's cookie, which no page and no other site can read: so there is no key to keep, all server
processes agree, and the token of one sign-in is worth nothing for another.
"""

from __future__ import annotations

import hashlib
import hmac

FIELD = "form_token"
"""The hidden field of every form that changes something."""
STALE = (
    "This page was drawn for another sign-in, or the form came from another site, so nothing was done. "
    "Reload the page and try again."
)


def form_token_of(cookie: str) -> str:
    """What the forms of this session carry; "" where there is no session."""
    if not cookie:
        return ""
    return hmac.new(cookie.encode("utf-8", "surrogateescape"), b"callboard form", hashlib.sha256).hexdigest()


def is_own_form(cookie: str, given: str) -> bool:
    """Whether a form that carries this token was drawn for this session; takes as long whatever is sent."""
    wanted = form_token_of(cookie).encode()
    return hmac.compare_digest(wanted, given.encode("utf-8", "surrogateescape"))
