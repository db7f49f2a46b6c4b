"""What is done to accounts, by command and by page alike: refused with a sentence, or done and written down at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlmodel import Session

from dashboard.account_names import name_key
from dashboard.models import Account
from dashboard.roles import ADMIN, EVERYTHING, ROLES, Rights
from dashboard.store import audit
from dashboard.store.accounts import (
    LastAdmin,
    accounts,
    add_account,
    disable,
    enable,
    find_account,
    has_accounts,
    set_password,
    set_rights,
)
from dashboard.store.tokens import tokens

LONGEST_NAME = 100


class Refused(Exception):
    """Nothing was changed; the text says why."""


class Change(NamedTuple):
    """Whose account is changed and when, by whom and from where, and what to: a password's hash, or rights."""

    name: str
    now: int
    by: str = audit.COMMAND_LINE
    address: str = ""
    password_hash: str = ""
    rights: Rights = EVERYTHING


Act = Callable[[Session, Change], str]
"""Done in one transaction; gives the sentence that says so. Raises Refused."""


def add(session: Session, change: Change) -> str:
    name = change.name
    if not name_key(name) or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(f"A name has 1 to {LONGEST_NAME} letters, all of which can be printed.")
    if name_key(name) in audit.NOT_ACCOUNTS or name_key(name).startswith(audit.BEARER_OF):
        raise Refused(f"The audit log calls something else {name}. Choose another name.")
    if alike := next((line.name for line in accounts(session) if name_key(line.name) == name_key(name)), None):
        raise Refused(f"There is an account {alike} already. Choose another name, or give that one another password.")
    _check(change.rights)
    if change.rights.role != ADMIN and not has_accounts(session):
        raise Refused("The first account must be an admin: somebody has to look after the others.")
    add_account(session, name, change.password_hash, change.now, change.rights)
    _note(session, change, name, audit.ADDED, rights_words(change.rights))
    return f"{name} can sign in now, as {rights_words(change.rights)}."


def give_password(session: Session, change: Change) -> str:
    account = _known(session, change.name)
    set_password(session, account, change.password_hash)
    _note(session, change, account.name, audit.PASSWORD_SET)
    return f"{account.name} has a new password, and is signed out everywhere."


def give_rights(session: Session, change: Change) -> str:
    account = _known(session, change.name)
    _check(change.rights)
    try:
        set_rights(session, account, change.rights)
    except LastAdmin:
        raise Refused(f"{account.name} is the only admin who can sign in. Make another one first.") from None
    _note(session, change, account.name, audit.RIGHTS_CHANGED, rights_words(change.rights))
    return f"{account.name} is {rights_words(change.rights)} now, and has to sign in again."


def shut_out(session: Session, change: Change) -> str:
    account = _known(session, change.name)
    try:
        disable(session, account, change.now)
    except LastAdmin:
        raise Refused(f"{account.name} is the only admin who can sign in. Make another one first.") from None
    _note(session, change, account.name, audit.DISABLED)
    running = [token.name for token in tokens(session) if token.ended_at is None]
    rest = (
        f" API tokens are nobody's and go on: end those {account.name} knows ({', '.join(running)})." if running else ""
    )
    return f"{account.name} cannot sign in any more; open pages end within half a minute.{rest}"


def let_in(session: Session, change: Change) -> str:
    account = _known(session, change.name)
    enable(session, account)
    _note(session, change, account.name, audit.ENABLED)
    return f"{account.name} can sign in again, with the same password as before."


def rights_words(rights: Rights) -> str:
    """`viewer of north, south`, as lists and the audit log say it."""
    return f"{rights.role} of {', '.join(rights.campaigns)}" if rights.campaigns else rights.role


def _check(rights: Rights) -> None:
    if rights.role not in ROLES:
        raise Refused(f"There is no role {rights.role[:40]!r}. There are {', '.join(ROLES)}.")
    if rights.role == ADMIN and rights.campaigns:
        raise Refused("An admin sees every campaign. Choose another role to limit an account to some.")


def _known(session: Session, name: str) -> Account:
    account = find_account(session, name)
    if account is None:
        raise Refused(f"There is no account {name}. To see those there are: user list.")
    return account


def _note(session: Session, change: Change, name: str, action: str, what: str = "") -> None:
    about = f"{name}: {what}" if what else name
    audit.note(session, now=change.now, account=change.by, action=action, about=about, address=change.address)
