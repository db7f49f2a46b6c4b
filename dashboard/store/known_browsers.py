"""Browsers that accounts have signed in with, and where from. Only the hash of a browser's cookie is stored."""

from __future__ import annotations

import hashlib

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from dashboard.models import KnownBrowser

KEPT_SECONDS = 180 * 24 * 3600
"""How long a browser is known after its last sign-in."""
MOST_OF_ONE_ACCOUNT = 20


def known_as(session: Session, token: str, network: str, account_id: int, now: int) -> str:
    """By what an account knows who signs in: a key of the browser, else of the network; "" where it knows neither."""
    sha = _hash(token)
    is_recent = (KnownBrowser.account_id == account_id, col(KnownBrowser.used_at) > _oldest(now))
    if token and session.exec(select(KnownBrowser).where(KnownBrowser.token_hash == sha, *is_recent)).first():
        return sha.hex()
    is_known = session.exec(select(KnownBrowser).where(KnownBrowser.network == network, *is_recent)).first()
    return f"{account_id} {network}" if is_known else ""


def remember_browser(session: Session, old_token: str, token: str, network: str, account_id: int, now: int) -> None:
    """An account has signed in with the browser that had `old_token` ("" for none) and has `token` from now on.

    The new token also serves the other accounts of that browser, and the old one ends: a token that somebody planted in
    the browser or copied from it gains nothing.
    """
    sha = _hash(token)
    session.execute(delete(KnownBrowser).where(col(KnownBrowser.used_at) <= _oldest(now)))
    if old_token:
        moved = update(KnownBrowser).where(col(KnownBrowser.token_hash) == _hash(old_token)).values(token_hash=sha)
        session.execute(moved)
    mine = (col(KnownBrowser.token_hash) == sha, col(KnownBrowser.account_id) == account_id)
    session.execute(delete(KnownBrowser).where(*mine))
    session.add(KnownBrowser(token_hash=sha, account_id=account_id, network=network, used_at=now))
    session.flush()
    newest_first = (
        select(KnownBrowser.token_hash)
        .where(KnownBrowser.account_id == account_id)
        .order_by(col(KnownBrowser.used_at).desc(), col(KnownBrowser.token_hash))
    )
    for surplus in session.exec(newest_first.offset(MOST_OF_ONE_ACCOUNT)).all():
        is_surplus = (col(KnownBrowser.token_hash) == surplus, col(KnownBrowser.account_id) == account_id)
        session.execute(delete(KnownBrowser).where(*is_surplus))


def forget_browsers_of(session: Session, account_id: int | None) -> None:
    session.execute(delete(KnownBrowser).where(col(KnownBrowser.account_id) == account_id))


def forget_all_browsers(session: Session) -> None:
    session.execute(delete(KnownBrowser))


def _oldest(now: int) -> int:
    return now - KEPT_SECONDS * 1_000_000


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
