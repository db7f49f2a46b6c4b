"""`connect`, step by step: what is missing is made, what to paste is said, and the first report is waited for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from dashboard.connect.missing import make_missing
from dashboard.connect.paste import what_to_paste
from dashboard.connect.running import RunningServer
from dashboard.connect.wait import Teller, wait_for_report, what_to_check
from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.links import parse_url
from dashboard.settings import LOOPBACK_HOSTS, Settings
from dashboard.store.accounts import has_accounts
from dashboard.web.parts import WEBHOOK_PATH


def add_connect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--public-url",
        type=_public_url,
        metavar="URL",
        help="the board's address for others: https://calls.example.com",
    )
    parser.add_argument(
        "--tunnel",
        type=_public_url,
        metavar="URL",
        help="the https address of a tunnel to this machine; it gets a listener of its own that takes reports only",
    )
    parser.add_argument("--agent", action="store_true", help="print only what goes into the settings of a single agent")
    waiting = parser.add_mutually_exclusive_group()
    waiting.add_argument("--no-wait", action="store_true", help="do not wait for the first report")
    waiting.add_argument(
        "--wait", type=_seconds, metavar="SECONDS", help="wait so long at most (default: until Ctrl-C)"
    )


def connect(options: argparse.Namespace, open_database: Callable[[Settings], Database]) -> int:
    """Exit code: 0 once CallKaro's first report is there, or with --no-wait; 1 when none came in time; 130 for Ctrl-C.

    Raises BadSetting, and what `open_database` raises.
    """
    settings = Settings.from_env()
    database = open_database(settings)
    try:
        # Before a word is said: who pastes quicker than we begin to wait has connected all the same.
        began = database.read_now(head_of)
        is_new = make_missing(
            settings,
            public_url=_asked_for(options, settings),
            for_tunnel=bool(options.tunnel),
            has_account=database.read_now(has_accounts),
        )
        settings = Settings.from_env()
        url = options.tunnel or settings.public_url
        print(what_to_paste(settings, url, agent_only=options.agent))
        with RunningServer(settings) as server:
            tell = Teller()
            tell(server.in_words(server.look(), is_outdated=is_new))
            if options.no_wait:
                return 0
            if wait_for_report(database, settings, server, tell, began, options.wait):
                return 0
        print(what_to_check(settings, url, options.wait))
        return 1
    except KeyboardInterrupt:
        print("\nNot waiting any longer. Reports are stored whether this waits or not; it can be run again.")
        return 130
    finally:
        database.close()


def _asked_for(options: argparse.Namespace, settings: Settings) -> str:
    """The board's public address: given, or asked for where somebody can answer; "" for none."""
    if options.public_url or options.tunnel or settings.public_url or not sys.stdin.isatty():
        return options.public_url or ""
    while True:
        try:
            answer = input("The board's public address, such as https://calls.example.com (Enter if it has none yet): ")
            return _public_url(answer.strip()) if answer.strip() else ""
        except argparse.ArgumentTypeError as problem:
            print(f"It is {problem}.")
        except EOFError:
            return ""


def _public_url(text: str) -> str:
    """Raises ArgumentTypeError for what CallKaro's servers cannot reach, or a board does not answer at."""
    url = parse_url(text)
    if url is None or url.scheme != "https" or url.fragment or url.target.rstrip("/") not in ("", WEBHOOK_PATH):
        raise argparse.ArgumentTypeError(f"an address such as https://calls.example.com, without a path, not {text!r}")
    if url.host in LOOPBACK_HOSTS:
        raise argparse.ArgumentTypeError(
            f"an address that the internet can reach, not {url.host}: that is this machine"
        )
    return f"https://{url.authority}"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of seconds from 0 on, not {text!r}")
    return seconds
