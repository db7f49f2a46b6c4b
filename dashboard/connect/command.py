"""`connect`, step by step: what is missing is made, what to paste is said, and the first report is waited for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from dashboard.connect.missing import make_missing
from dashboard.connect.options import public_url
from dashboard.connect.paste import what_to_paste
from dashboard.connect.running import RunningServer
from dashboard.connect.wait import Teller, wait_for_report, what_to_check
from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.settings import Settings
from dashboard.store.accounts import has_accounts


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
            return public_url(answer.strip()) if answer.strip() else ""
        except argparse.ArgumentTypeError as problem:
            print(f"It is {problem}.")
        except EOFError:
            return ""
