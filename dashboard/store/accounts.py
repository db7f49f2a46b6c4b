"""Who may sign in, which browsers are signed in, and which walls are shared."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from sqlalchemy import delete, update
from sqlmodel import Session as Connection
from sqlmodel import col, select

from dashboard.models import Account, Session, WallLink

IDLE_SECONDS = 12 * 3600
ABSOLUTE_SECONDS = 7 * 24 * 3600
# How often a visit moves `seen_at`: each page would otherwise be a write.
_SEEN_EVERY_SECONDS = 300


def has_accounts(session: Connection) -> bool:
    return session.exec(select(Account.id).limit(1)).first() is not None


def find_account(session: Connection, name: str) -> Account | None:
    return session.exec(select(Account).where(Account.name == name)).first()


def add_account(session: Connection, name: str, password_hash: str, now: int) -> None:
    session.add(Account(name=name, password_hash=password_hash, created_at=now))


def start_session(session: Connection, account_id: int, token: str, now: int) -> None:
    """Sign a browser in; sessions that have run out are cleared away."""
    session.execute(delete(Session).where(col(Session.created_at) < now - ABSOLUTE_SECONDS * 1_000_000))
    session.add(Session(token_hash=_hash(token), account_id=account_id, created_at=now, seen_at=now))


def end_session(session: Connection, token: str) -> None:
    session.execute(delete(Session).where(col(Session.token_hash) == _hash(token)))


class SignedIn(NamedTuple):
    """Whose session it is, and whether it is time to push its idle limit on."""

    name: str
    is_due: bool


def account_of_session(session: Connection, token: str, now: int) -> SignedIn | None:
    """The account behind a browser's cookie, if its session still runs."""
    statement = (
        select(Account.name, Session.seen_at)
        .join(Session, col(Session.account_id) == Account.id)
        .where(
            Session.token_hash == _hash(token),
            Session.created_at > now - ABSOLUTE_SECONDS * 1_000_000,
            Session.seen_at > now - IDLE_SECONDS * 1_000_000,
        )
    )
    found = session.exec(statement).first()
    return SignedIn(found[0], now - found[1] > _SEEN_EVERY_SECONDS * 1_000_000) if found else None


def note_seen(session: Connection, token: str, now: int) -> None:
    """Push the idle limit of a session on."""
    session.execute(update(Session).where(col(Session.token_hash) == _hash(token)).values(seen_at=now))


def add_wall_link(session: Connection, token: str, query: str, now: int) -> None:
    """Whoever bears the token may see the wall of this filter."""
    session.add(WallLink(token_hash=_hash(token), query=query, created_at=now))


def wall_query(session: Connection, token: str) -> str | None:
    """The filter whose wall a token opens."""
    return session.exec(select(WallLink.query).where(WallLink.token_hash == _hash(token))).first()


def end_wall_links(session: Connection) -> None:
    session.execute(delete(WallLink))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
