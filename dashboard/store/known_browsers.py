"""Browsers and addresses that accounts have signed in from. Only the hash of a cookie or of an address is stored."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from dashboard.models import KnownBrowser

KEPT_SECONDS = 180 * 24 * 3600
"""How long a browser or an address is known after the last sign-in from it."""
MOST_BROWSERS, MOST_ADDRESSES = 1_000, 300
"""Of one account. A shared one has up to 200 browsers and as many addresses.

A private window is a new browser at each sign-in: 1,000 leave room for five of each of the 200. An address only helps a
browser that is not known.
"""


class Known(NamedTuple):
    """By what an account knows who signs in, and whether any account has signed in from that address."""

    browser: str = ""
    """A key of the browser; "" where the account does not know it."""
    is_own_address: bool = False
    is_known_address: bool = False


def known_as(session: Session, token: str, network: str, account_id: int | None, now: int) -> Known:
    """What is known of a browser that has `token` and comes from `network`; `account_id` is None for a name of none."""
    browser, address = _hash_of_browser(token), _hash_of_network(network)
    is_recent = col(KnownBrowser.used_at) > _oldest(now)
    at_address = select(KnownBrowser.token_hash).where(KnownBrowser.token_hash == address, is_recent)
    is_known_address = session.exec(at_address.limit(1)).first() is not None
    if account_id is None:
        return Known(is_known_address=is_known_address)
    hashes = col(KnownBrowser.token_hash).in_((browser, address))
    own = select(KnownBrowser.token_hash).where(hashes, KnownBrowser.account_id == account_id, is_recent)
    found = {bytes(sha) for sha in session.exec(own)}
    return Known(f"{account_id} {browser.hex()}" if browser in found else "", address in found, is_known_address)


def remember_browser(session: Session, old_token: str, token: str, network: str, account_id: int, now: int) -> None:
    """An account has signed in from `network`, with the browser that had `old_token` ("" for none) and now has `token`.

    The new token also serves the other accounts of that browser, and the old one ends: a token that somebody planted in
    the browser or copied from it gains nothing.
    """
    session.execute(delete(KnownBrowser).where(col(KnownBrowser.used_at) <= _oldest(now)))
    sha = _hash_of_browser(token)
    if old_token:
        is_old = col(KnownBrowser.token_hash) == _hash_of_browser(old_token)
        session.execute(update(KnownBrowser).where(is_old).values(token_hash=sha))
    for known, is_address in ((sha, False), (_hash_of_network(network), True)):
        _forget(session, known, account_id)
        session.add(KnownBrowser(token_hash=known, account_id=account_id, used_at=now, is_address=is_address))
    session.flush()
    for is_address, most in ((False, MOST_BROWSERS), (True, MOST_ADDRESSES)):
        newest_first = (
            select(KnownBrowser.token_hash)
            .where(KnownBrowser.account_id == account_id, KnownBrowser.is_address == is_address)
            .order_by(col(KnownBrowser.used_at).desc(), col(KnownBrowser.token_hash))
        )
        for surplus in session.exec(newest_first.offset(most)).all():
            _forget(session, surplus, account_id)


def forget_browsers_of(session: Session, account_id: int | None) -> None:
    session.execute(delete(KnownBrowser).where(col(KnownBrowser.account_id) == account_id))


def forget_all_browsers(session: Session) -> None:
    session.execute(delete(KnownBrowser))


def _forget(session: Session, sha: bytes, account_id: int) -> None:
    is_it = (col(KnownBrowser.token_hash) == sha, col(KnownBrowser.account_id) == account_id)
    session.execute(delete(KnownBrowser).where(*is_it))


def _oldest(now: int) -> int:
    return now - KEPT_SECONDS * 1_000_000


# Each kind has a prefix: otherwise a cookie that names a network would be taken for it.


def _hash_of_browser(token: str) -> bytes:
    return hashlib.sha256(b"browser " + token.encode("utf-8", "surrogateescape")).digest()


def _hash_of_network(network: str) -> bytes:
    return hashlib.sha256(b"network " + network.encode()).digest()
