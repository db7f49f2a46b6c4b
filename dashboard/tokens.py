"""`token add|list|end`: tokens for programs from the command line; and what a token is, for its page too."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from dashboard.database import Database
from dashboard.roles import ADMIN, ROLES, VIEWER, Rights
from dashboard.store import audit
from dashboard.store.accounts import has_accounts
from dashboard.store.tokens import NameTaken, add_token, end_token, rights_of, running_token, tokens

LONGEST_NAME = 100
MOST_CAMPAIGNS = 100
# Tells what it is where it was left lying about, to a person and to programs that look for secrets.
_PREFIX = "callboard_"


class BadToken(ValueError):
    """A token that cannot be made; the text says why."""


class NoSuchToken(Exception):
    """Nothing was ended; the text says why."""


def new_token() -> str:
    """256 bits that nobody guesses, so that a plain hash of it may be kept."""
    return _PREFIX + secrets.token_urlsafe(32)


def token_rights(name: str, role: str, campaigns: Iterable[str]) -> Rights:
    """What a token of this name is to open. Raises BadToken."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadToken(f"A name has 1 to {LONGEST_NAME} letters, all of which can be printed.")
    if role not in ROLES:
        raise BadToken(f"The role must be {', '.join(ROLES)}.")
    chosen = tuple(sorted({campaign.strip() for campaign in campaigns if campaign.strip()}))
    if len(chosen) > MOST_CAMPAIGNS or not all(map(str.isprintable, chosen)):
        raise BadToken(f"At most {MOST_CAMPAIGNS} campaigns, each on a line of its own.")
    if role == ADMIN and chosen:
        raise BadToken("An admin sees every campaign. Choose another role to limit a token to some.")
    return Rights(role, chosen)


def rights_in_words(rights: Rights) -> str:
    return f"{rights.role} of {', '.join(rights.campaigns) or 'all campaigns'}"


def add_token_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="action", dest="action")
    words = "Make a token; it is printed once, as the only line of standard output."
    made = actions.add_parser("add", help=words, description=words)
    made.add_argument("name", help="what it is for, such as the program's name")
    made.add_argument("--role", choices=list(ROLES), default=VIEWER, help="what it may do (default %(default)s)")
    words = "limits it to a campaign; may be repeated; without it: all"
    made.add_argument("--campaign", type=_campaign, action="append", default=[], help=words)
    actions.add_parser("list", help="Every token, what it may do, and when it was last used.")
    words = "A token opens nothing any more, from its next request on."
    actions.add_parser("end", help=words, description=words).add_argument("name")


def _campaign(name: str) -> str:
    if not name.strip():
        # A script's empty variable must not open every campaign.
        raise argparse.ArgumentTypeError("names no campaign; leave --campaign out to let it read all of them")
    return name


def token(options: argparse.Namespace, open_database: Callable[[], Database], zone: ZoneInfo) -> int:
    """Run one action; moments are shown in `zone`."""
    database = open_database()
    try:
        match options.action:
            case "add":
                _add(database, options)
            case "end":
                print(database.write_now(lambda session: _end(session, options.name.strip())))
            case _:
                _print_tokens(database, zone)
    except (BadToken, NoSuchToken) as problem:
        print(f"callboard: {problem}", file=sys.stderr)
        return 1
    finally:
        database.close()
    return 0


def _add(database: Database, options: argparse.Namespace) -> None:
    name = options.name.strip()
    rights = token_rights(name, options.role, options.campaign)
    made = new_token()

    def add(session: Session) -> None:
        add_token(session, made, name, rights, _now())
        _note(session, audit.TOKEN_MADE, f"{name}: {rights_in_words(rights)}")

    try:
        database.write_now(add)
    except NameTaken:
        raise BadToken(f"There is a token {name} already. To make it anew: token end, then token add.") from None
    print(made)
    print(f"{name} may read /api/… as {rights_in_words(rights)}. The token is not shown again.", file=sys.stderr)
    if not database.read_now(has_accounts):
        print(
            "This board has no account: programs on this machine need no token, others get in nowhere.", file=sys.stderr
        )


def _end(session: Session, name: str) -> str:
    found = running_token(session, name)
    if found is None or found.id is None:
        raise NoSuchToken(f"There is no token {name} that still opens something. To see those there are: token list.")
    end_token(session, found.id, _now())
    _note(session, audit.TOKEN_ENDED, name)
    return f"{name} opens nothing any more."


def _note(session: Session, action: str, about: str) -> None:
    audit.note(session, now=_now(), account=audit.COMMAND_LINE, action=action, about=about)


def _print_tokens(database: Database, zone: ZoneInfo) -> None:
    found = database.read_now(tokens)
    if not found:
        print("There is no token yet. To make one: token add NAME.")
        return
    width = max(len(each.name) for each in found)
    for each in found:
        state = f"ended {_day(each.ended_at, zone)}" if each.ended_at else f"used {_day(each.seen_at, zone)}"
        print(f"{each.name:{width}}  made {_day(each.created_at, zone)}  {state}  {rights_in_words(rights_of(each))}")


def _day(micros: int | None, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(micros / 1_000_000, zone).strftime("%Y-%m-%d %H:%M") if micros else "never"


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000_000)
