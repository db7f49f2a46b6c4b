"""`user add|list|passwd|disable|enable`: accounts from the command line, while a server runs or not."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlmodel import Session

from dashboard.database import Database
from dashboard.models import Account
from dashboard.passwords import BadPassword, hash_password
from dashboard.store import audit
from dashboard.store.accounts import (
    LastAccount,
    accounts,
    add_account,
    disable,
    enable,
    find_account,
    set_password,
)

LONGEST_NAME = 100

Work = Callable[[Session], str]
"""What is done to the database, in one transaction; gives the sentence that says so. Raises Refused."""


class Refused(Exception):
    """Nothing was changed; the text says why."""


class _Asked(NamedTuple):
    """Who is spoken of, from when on, and the hash of a password where one was asked for."""

    name: str
    now: int
    password_hash: str = ""


def add_user_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="action", dest="action")
    for action, words in (
        ("add", "Make an account. The password is asked for, or read from the first line of standard input."),
        ("passwd", "Give an account another password, and sign it out everywhere."),
        ("disable", "Nobody signs in with this account any more; whoever is signed in is out within half a minute."),
        ("enable", "Let a disabled account sign in again."),
    ):
        actions.add_parser(action, help=words, description=words).add_argument("name")
    actions.add_parser("list", help="Every account, and when it was last seen.")


def user(options: argparse.Namespace, open_database: Callable[[], Database], zone: ZoneInfo) -> int:
    """Run one action; what it says goes to the terminal. Moments are shown in `zone`."""
    database = open_database()
    try:
        if options.action == "list":
            _print_accounts(database, zone)
            return 0
        name = options.name.strip()
        hashed = hash_password(_ask_for_password(name)) if options.action in ("add", "passwd") else ""
        now = int(datetime.now(UTC).timestamp() * 1_000_000)
        asked = _Asked(name, now, hashed)
        act = {"add": _add, "passwd": _set_password, "disable": _disable, "enable": _enable}[options.action]
        print(database.write_now(lambda session: act(session, asked)))
    except (Refused, BadPassword) as problem:
        print(f"callboard: {problem}", file=sys.stderr)
        return 1
    finally:
        database.close()
    return 0


def _ask_for_password(name: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"Password for {name}: ")
    if getpass.getpass("Once more: ") != password:
        raise Refused("The two passwords are not the same. Nothing was changed.")
    return password


def _add(session: Session, asked: _Asked) -> str:
    if not asked.name or len(asked.name) > LONGEST_NAME or not asked.name.isprintable():
        raise Refused(f"A name has 1 to {LONGEST_NAME} letters, all of which can be printed.")
    if find_account(session, asked.name) is not None:
        raise Refused(f"There is an account {asked.name} already. To give it another password: user passwd.")
    add_account(session, asked.name, asked.password_hash, asked.now)
    _note(session, asked, audit.ADDED)
    return f"{asked.name} can sign in now."


def _set_password(session: Session, asked: _Asked) -> str:
    set_password(session, _known(session, asked.name), asked.password_hash)
    _note(session, asked, audit.PASSWORD_SET)
    return f"{asked.name} has a new password, and is signed out everywhere."


def _disable(session: Session, asked: _Asked) -> str:
    try:
        disable(session, _known(session, asked.name), asked.now)
    except LastAccount:
        raise Refused(
            f"{asked.name} is the only account that can sign in. Make another one first, with: user add."
        ) from None
    _note(session, asked, audit.DISABLED)
    return f"{asked.name} cannot sign in any more; open pages end within half a minute."


def _enable(session: Session, asked: _Asked) -> str:
    enable(session, _known(session, asked.name))
    _note(session, asked, audit.ENABLED)
    return f"{asked.name} can sign in again, with the same password as before."


def _known(session: Session, name: str) -> Account:
    account = find_account(session, name)
    if account is None:
        raise Refused(f"There is no account {name}. To see those there are: user list.")
    return account


def _note(session: Session, asked: _Asked, action: str) -> None:
    audit.note(session, now=asked.now, account=audit.COMMAND_LINE, action=action, about=asked.name)


def _print_accounts(database: Database, zone: ZoneInfo) -> None:
    lines = database.read_now(accounts)
    if not lines:
        print("There is no account yet. To make one: user add NAME.")
        return
    width = max(len(line.name) for line in lines)
    for line in lines:
        state = f"disabled {_day(line.disabled_at, zone)}" if line.disabled_at else f"seen {_day(line.seen_at, zone)}"
        print(f"{line.name:{width}}  made {_day(line.created_at, zone)}  {state}")


def _day(micros: int | None, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(micros / 1_000_000, zone).strftime("%Y-%m-%d %H:%M") if micros else "never"
