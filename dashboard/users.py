"""`user add|list|passwd|role|disable|enable`: accounts from the command line, while a server runs or not."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dashboard.accounts import (
    Act,
    Change,
    Refused,
    add,
    give_password,
    give_rights,
    let_in,
    rights_words,
    shut_out,
)
from dashboard.database import Database
from dashboard.passwords import BadPassword, hash_password
from dashboard.roles import ADMIN, ROLES, Rights
from dashboard.store.accounts import accounts

_ACTS: dict[str, Act] = {
    "add": add,
    "passwd": give_password,
    "role": give_rights,
    "disable": shut_out,
    "enable": let_in,
}


def add_user_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="action", dest="action")
    parsers: dict[str, argparse.ArgumentParser] = {}
    for action, words in (
        ("add", "Make an account. The password is asked for, or read from the first line of standard input."),
        ("passwd", "Give an account another password, and sign it out everywhere."),
        ("role", "Give an account another role and other campaigns, and sign it out everywhere."),
        ("disable", "Nobody signs in with this account any more; whoever is signed in is out within half a minute."),
        ("enable", "Let a disabled account sign in again."),
    ):
        parsers[action] = actions.add_parser(action, help=words, description=words)
        parsers[action].add_argument("name")
    roles = "; ".join(f"{role} {words}" for role, words in ROLES.items())
    parsers["add"].add_argument("--role", choices=ROLES, default=ADMIN, help=f"{roles}. Without it: {ADMIN}.")
    parsers["role"].add_argument("role", choices=ROLES, help=roles)
    for action in ("add", "role"):
        words = "the campaigns whose calls it sees, with commas between; without it: all"
        parsers[action].add_argument("--campaigns", type=_campaigns, default=(), help=words)
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
        change = Change(name, now, password_hash=hashed)
        if options.action in ("add", "role"):
            change = change._replace(rights=Rights(options.role, options.campaigns))
        print(database.write_now(lambda session: _ACTS[options.action](session, change)))
    except (Refused, BadPassword) as problem:
        print(f"callboard: {problem}", file=sys.stderr)
        return 1
    finally:
        database.close()
    return 0


def _campaigns(text: str) -> tuple[str, ...]:
    names = tuple(sorted({name.strip() for name in text.split(",") if name.strip()}))
    if not names:
        # A script's empty variable must not open every campaign.
        raise argparse.ArgumentTypeError("names no campaign; leave --campaigns out to let it see all of them")
    return names


def _ask_for_password(name: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"Password for {name}: ")
    if getpass.getpass("Once more: ") != password:
        raise Refused("The two passwords are not the same. Nothing was changed.")
    return password


def _print_accounts(database: Database, zone: ZoneInfo) -> None:
    lines = database.read_now(accounts)
    if not lines:
        print("There is no account yet. To make one: user add NAME.")
        return
    width = max(len(line.name) for line in lines)
    role_width = max(len(rights_words(line.rights)) for line in lines)
    for line in lines:
        state = f"disabled {_day(line.disabled_at, zone)}" if line.disabled_at else f"seen {_day(line.seen_at, zone)}"
        rights = f"{rights_words(line.rights):{role_width}}"
        print(f"{line.name:{width}}  {rights}  made {_day(line.created_at, zone)}  {state}")


def _day(micros: int | None, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(micros / 1_000_000, zone).strftime("%Y-%m-%d %H:%M") if micros else "never"
