"""`forward list|retry|skip`: the reports on their way to targets, from the command line, while a server runs or not."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from sqlmodel import Session

from dashboard.database import Database
from dashboard.store import audit
from dashboard.store.forward_state import (
    MOST_COUNTED,
    CannotSkip,
    TargetLine,
    let_be,
    send_again,
    skip,
    target_lines,
    try_now,
)

SHOWN = 10


def add_forward_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    actions.add_parser("list", help="Every target: how many reports wait, the last answer, what was set aside.")
    words = "Try a target now, and send reports to it again, those that were set aside or any other."
    retry = actions.add_parser("retry", help=words, description=words)
    retry.add_argument("--all", action="store_true", help="send all that were set aside")
    words = "Go on without the report that a target waits for, or have done with some that were set aside."
    skips = actions.add_parser("skip", help=words, description=words)
    for action in (retry, skips):
        action.add_argument("target", help="a name that `forward list` shows")
        action.add_argument("report", nargs="*", type=int, help="numbers of reports")


def forward(options: argparse.Namespace, open_database: Callable[[], Database], zone: ZoneInfo) -> int:
    """Run one action; what it says goes to the terminal. Moments are shown in `zone`."""
    database = open_database()
    now = time.time_ns() // 1000
    try:
        if options.action == "list":
            lines = database.read_now(target_lines)
            print("\n".join(words for line in lines for words in _words_of(line, zone)) or NO_TARGET)
        elif options.action == "retry":
            reports = None if options.all else options.report
            print(database.write_now(partial(_retry, target=options.target, reports=reports, now=now)))
        else:
            print(database.write_now(partial(_skip, target=options.target, reports=options.report, now=now)))
    except CannotSkip as problem:
        print(f"callboard: {problem}", file=sys.stderr)
        return 1
    finally:
        database.close()
    return 0


NO_TARGET = "Reports are handed on to nobody. To name a target, set DASHBOARD_FORWARD_TO and start the server."


def _retry(session: Session, target: str, reports: Collection[int] | None, now: int) -> str:
    if not try_now(session, target, now):
        raise CannotSkip(f"There is no target {target}. To see those there are: forward list.")
    count = send_again(session, target, reports, now)
    _note(session, now, audit.FORWARD_RETRIED, f"{target}: {count}")
    again = f"; before those that wait, {_reports(count)} will be sent again" if count else ""
    return f"A server that runs tries {target} within a second{again}."


def _skip(session: Session, target: str, reports: Collection[int], now: int) -> str:
    if reports:
        count = let_be(session, target, reports, now)
        _note(session, now, audit.FORWARD_SKIPPED, f"{target}: {count}")
        return f"{_reports(count)} set aside for {target} will not be sent."
    skipped = skip(session, target, now)
    _note(session, now, audit.FORWARD_SKIPPED, f"{target}: {skipped}")
    return f"{target} goes on without report {skipped}. To send it after all: forward retry {target} {skipped}"


def _note(session: Session, now: int, action: str, about: str) -> None:
    audit.note(session, now=now, account=audit.COMMAND_LINE, action=action, about=about)


def _words_of(line: TargetLine, zone: ZoneInfo) -> list[str]:
    """A target as lines of text."""
    more = "more than " if line.waiting == MOST_COUNTED else ""
    words = [f"{line.target}: {more}{_reports(line.waiting)} waiting" + (_since(line.oldest_at, zone))]
    if line.has_left:
        words.append("  no longer in DASHBOARD_FORWARD_TO: nothing is sent to it")
    if line.answered_at is not None:
        words.append(f"  {_clock(line.answered_at, zone)}  {line.answer}")
    if line.report_id is not None:
        due = _clock(line.due_at, zone)
        words.append(f"  report {line.report_id} holds up the others; tried {line.attempts} times, next at {due}")
    words += [f"  report {each.inbox_id} {each.state}: {each.problem}" for each in line.aside[:SHOWN]]
    if line.aside_count > SHOWN:
        words.append(f"  … {line.aside_count} in all")
    return words


def _since(at: int | None, zone: ZoneInfo) -> str:
    return "" if at is None else f", the oldest since {_clock(at, zone)}"


def _reports(count: int) -> str:
    return f"{count} report" if count == 1 else f"{count} reports"


def _clock(micros: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(micros / 1_000_000, zone).strftime("%Y-%m-%d %H:%M:%S")
