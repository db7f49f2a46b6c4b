"""Who may sign in, which browsers are signed in, and which walls are shared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, update
from sqlmodel import Session as Connection
from sqlmodel import col, select

from dashboard.models import Account, Session, WallLink
from dashboard.roles import EVERYTHING, Rights

IDLE_SECONDS = 12 * 3600
ABSOLUTE_SECONDS = 7 * 24 * 3600
# How often a visit moves `seen_at`: each page would otherwise be a write.
_SEEN_EVERY_SECONDS = 300


class LastAccount(Exception):
    """Without this account nobody could sign in."""


class AccountLine(NamedTuple):
    """An account as a list shows it; moments in microseconds since 1970, None for "never"."""

    name: str
    created_at: int
    disabled_at: int | None
    seen_at: int | None


def has_accounts(session: Connection) -> bool:
    return session.exec(select(Account.id).limit(1)).first() is not None


def find_account(session: Connection, name: str) -> Account | None:
    """The account of this name, a disabled one too."""
    return session.exec(select(Account).where(Account.name == name)).first()


def accounts(session: Connection) -> Sequence[AccountLine]:
    """Every account by name, with when it was last seen at the board."""
    last_seen = select(func.max(Session.seen_at)).where(Session.account_id == Account.id).scalar_subquery()
    statement = select(Account.name, Account.created_at, Account.disabled_at, last_seen).order_by(Account.name)
    return [AccountLine(*row) for row in session.exec(statement)]


def add_account(session: Connection, name: str, password_hash: str, now: int, rights: Rights = EVERYTHING) -> None:
    campaigns = json.dumps(rights.campaigns)
    session.add(Account(name=name, password_hash=password_hash, role=rights.role, campaigns=campaigns, created_at=now))


def set_password(session: Connection, account: Account, password_hash: str) -> None:
    """Give an account another password, and sign it out everywhere: whoever knew the old one is out, too."""
    account.password_hash = password_hash
    session.add(account)
    end_sessions_of(session, account)


def disable(session: Connection, account: Account, now: int) -> None:
    """Nobody signs in with it any more, and whoever is, is signed out. Raises LastAccount."""
    others = select(Account.id).where(Account.id != account.id, col(Account.disabled_at).is_(None)).limit(1)
    if session.exec(others).first() is None:
        raise LastAccount
    account.disabled_at = now
    session.add(account)
    end_sessions_of(session, account)


def enable(session: Connection, account: Account) -> None:
    account.disabled_at = None
    session.add(account)


def end_sessions_of(session: Connection, account: Account) -> None:
    session.execute(delete(Session).where(col(Session.account_id) == account.id))


def start_session(session: Connection, account_id: int, token: str, now: int) -> None:
    """Sign a browser in; sessions that have run out are cleared away."""
    session.execute(delete(Session).where(col(Session.created_at) < now - ABSOLUTE_SECONDS * 1_000_000))
    session.add(Session(token_hash=_hash(token), account_id=account_id, created_at=now, seen_at=now))


def end_session(session: Connection, token: str) -> None:
    session.execute(delete(Session).where(col(Session.token_hash) == _hash(token)))


class SignedIn(NamedTuple):
    """Whose session it is and what it may do, by which name its stream goes, and whether its idle limit is due."""

    name: str
    rights: Rights
    session: bytes
    is_due: bool


def account_of_session(session: Connection, token: str, now: int) -> SignedIn | None:
    """The account behind a browser's cookie, if its session still runs."""
    sha = _hash(token)
    statement = (
        select(Account.name, Account.role, Account.campaigns, Session.seen_at)
        .join(Session, col(Session.account_id) == Account.id)
        .where(Session.token_hash == sha, *_is_running(now))
    )
    found = session.exec(statement).first()
    if found is None:
        return None
    name, role, campaigns, seen_at = found
    rights = Rights(role, tuple(json.loads(campaigns)))
    return SignedIn(name, rights, sha, now - seen_at > _SEEN_EVERY_SECONDS * 1_000_000)


def running_sessions(session: Connection, token_hashes: Collection[bytes], now: int) -> set[bytes]:
    """Those of these sessions that have neither been ended nor run out."""
    statement = select(Session.token_hash).where(col(Session.token_hash).in_(token_hashes), *_is_running(now))
    return {bytes(sha) for sha in session.exec(statement)}


def _is_running(now: int) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Session.created_at) > now - ABSOLUTE_SECONDS * 1_000_000,
        col(Session.seen_at) > now - IDLE_SECONDS * 1_000_000,
    )


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
