"""Who may sign in, which browsers are signed in, and which walls are shared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, update
from sqlmodel import Session as Connection
from sqlmodel import col, select

from dashboard.account_names import name_key
from dashboard.models import Account, Session, WallLink
from dashboard.roles import ADMIN, EVERYTHING, Rights
from dashboard.store.known_browsers import forget_all_browsers, forget_browsers_of

IDLE_SECONDS = 12 * 3600
ABSOLUTE_SECONDS = 7 * 24 * 3600
# How often a visit moves `seen_at`: each page would otherwise be a write.
_SEEN_EVERY_SECONDS = 300


class LastAdmin(Exception):
    """Without this account as an admin nobody could look after the others."""


class AccountLine(NamedTuple):
    """An account as a list shows it; moments in microseconds since 1970, None for "never"."""

    name: str
    rights: Rights
    created_at: int
    disabled_at: int | None
    seen_at: int | None


def has_accounts(session: Connection) -> bool:
    return session.exec(select(Account.id).limit(1)).first() is not None


def find_account(session: Connection, name: str) -> Account | None:
    """The account of this name, a disabled one too; without one, the only account whose name reads the same."""
    exact = session.exec(select(Account).where(Account.name == name)).first()
    if exact is not None or not (key := name_key(name)):
        return exact
    alike = [found for found in session.exec(select(Account.name)) if name_key(found) == key]
    # Accounts of older versions may have names that read the same: then only the exact spelling tells which is meant.
    return session.exec(select(Account).where(Account.name == alike[0])).one() if len(alike) == 1 else None


def accounts(session: Connection) -> Sequence[AccountLine]:
    """Every account by name, with when it was last seen at the board."""
    last_seen = select(func.max(Session.seen_at)).where(Session.account_id == Account.id).scalar_subquery()
    statement = select(Account, last_seen).order_by(Account.name)
    return [
        AccountLine(account.name, rights_of(account), account.created_at, account.disabled_at, seen_at)
        for account, seen_at in session.exec(statement)
    ]


def rights_of(account: Account) -> Rights:
    return _rights(account.role, account.campaigns)


def _rights(role: str, campaigns: str) -> Rights:
    """What the two columns of an account say."""
    return Rights(role, tuple(json.loads(campaigns)))


def add_account(session: Connection, name: str, password_hash: str, now: int, rights: Rights = EVERYTHING) -> None:
    campaigns = json.dumps(rights.campaigns)
    session.add(Account(name=name, password_hash=password_hash, role=rights.role, campaigns=campaigns, created_at=now))


def set_rights(session: Connection, account: Account, rights: Rights) -> None:
    """Another role, other campaigns. Whoever uses it signs in anew: no page keeps the old ones. Raises LastAdmin."""
    if rights.role != ADMIN:
        _keep_an_admin(session, account)
    account.role, account.campaigns = rights.role, json.dumps(rights.campaigns)
    session.add(account)
    end_sessions_of(session, account)
    _end_wall_links_of(session, account)


def still_opens(session: Connection, account: Account) -> bool:
    """Whether an account, as it was read a while ago, has neither been disabled nor got another hash since.

    Its row is locked, where rows can be: who changes it now does so after us, and ends the session that we begin.
    """
    unchanged = (Account.id == account.id, Account.password_hash == account.password_hash)
    return session.exec(select(Account.id).where(*unchanged, _is_open()).with_for_update()).first() is not None


def keep_hash(session: Connection, account: Account, password_hash: str) -> None:
    """The same password, hashed anew: nobody is signed out."""
    session.execute(update(Account).where(col(Account.id) == account.id).values(password_hash=password_hash))


def set_password(session: Connection, account: Account, password_hash: str) -> None:
    """Give an account another password, and sign it out everywhere: whoever knew the old one is out, too."""
    account.password_hash = password_hash
    session.add(account)
    end_sessions_of(session, account)


def disable(session: Connection, account: Account, now: int) -> None:
    """Nobody signs in with it any more, and whoever is, is signed out. Raises LastAdmin."""
    _keep_an_admin(session, account)
    account.disabled_at = now
    session.add(account)
    end_sessions_of(session, account)
    _end_wall_links_of(session, account)


def _keep_an_admin(session: Connection, account: Account) -> None:
    """Raises LastAdmin if there is no admin beside this account who can sign in."""
    admins = select(Account.id).where(Account.role == ADMIN, _is_open())
    # Locked, where rows can be: two admins who take each other away at once would both find the other still there.
    if [*session.exec(admins.order_by(col(Account.id)).with_for_update())] == [account.id]:
        raise LastAdmin


def enable(session: Connection, account: Account) -> None:
    account.disabled_at = None
    session.add(account)


def end_sessions_of(session: Connection, account: Account) -> None:
    """Sign an account out everywhere. Its browsers are no longer known either: one of them may have been stolen."""
    forget_browsers_of(session, account.id)
    session.execute(delete(Session).where(col(Session.account_id) == account.id))


def end_all_sessions(session: Connection) -> None:
    forget_all_browsers(session)
    session.execute(delete(Session))


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
    return SignedIn(name, _rights(role, campaigns), sha, now - seen_at > _SEEN_EVERY_SECONDS * 1_000_000)


def running_sessions(session: Connection, token_hashes: Collection[bytes], now: int) -> set[bytes]:
    """Those of these sessions that have neither been ended, with their account or alone, nor run out."""
    statement = (
        select(Session.token_hash)
        .join(Account, col(Session.account_id) == Account.id)
        .where(col(Session.token_hash).in_(token_hashes), *_is_running(now))
    )
    return {bytes(sha) for sha in session.exec(statement)}


def _is_running(now: int) -> tuple[ColumnElement[bool], ...]:
    return (
        _is_open(),
        col(Session.created_at) > now - ABSOLUTE_SECONDS * 1_000_000,
        col(Session.seen_at) > now - IDLE_SECONDS * 1_000_000,
    )


def _is_open() -> ColumnElement[bool]:
    return col(Account.disabled_at).is_(None)


def note_seen(session: Connection, token: str, now: int) -> None:
    """Push the idle limit of a session on."""
    session.execute(update(Session).where(col(Session.token_hash) == _hash(token)).values(seen_at=now))


def add_wall_link(session: Connection, token: str, query: str, now: int, made_by: str) -> None:
    """Whoever bears the token may see the wall of this filter, until the account `made_by` gets other rights."""
    session.add(WallLink(token_hash=_hash(token), query=query, created_at=now, made_by=made_by))


def wall_query(session: Connection, token: str) -> str | None:
    """The filter whose wall a token opens."""
    return session.exec(select(WallLink.query).where(WallLink.token_hash == _hash(token))).first()


def end_wall_links(session: Connection) -> None:
    session.execute(delete(WallLink))


def _end_wall_links_of(session: Connection, account: Account) -> None:
    session.execute(delete(WallLink).where(col(WallLink.made_by) == account.name))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
