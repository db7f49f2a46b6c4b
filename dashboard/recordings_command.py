"""`recordings list|retry`: the recordings that are not kept, from the command line, while a server runs or not."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from sqlmodel import Session

from dashboard.database import Database
from dashboard.links import host_of
from dashboard.models import Recording
from dashboard.store import audit
from dashboard.store.recordings import MOST_AT_ONCE, count_by_state, fetch_again, given_up


def add_recordings_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    words = "How many recordings are kept and waited for, and each that was given up, with the reason."
    actions.add_parser("list", help=words, description=words)
    words = "Fetch recordings again that were given up, or those of some calls."
    retry = actions.add_parser("retry", help=words, description=words)
    retry.add_argument("--all", action="store_true", help="all that were given up, or of which the end is missing")
    retry.add_argument("call", nargs="*", type=int, help="numbers of calls, as in /calls/12")


def recordings(options: argparse.Namespace, open_database: Callable[[], Database]) -> int:
    """Run one action; what it says goes to the terminal."""
    if options.action == "retry" and options.all == bool(options.call):
        print("callboard: Give the numbers of calls, or --all for all that were given up.", file=sys.stderr)
        return 2
    database = open_database()
    try:
        if options.action == "list":
            for line in _lines(database):
                print(line)
            return 0
        count = _retry_all(database) if options.all else _retry(database, options.call)
    finally:
        database.close()
    if options.call and not count:
        print("callboard: These calls have no recording that could be fetched.", file=sys.stderr)
        return 1
    print(f"A server that runs fetches {_recordings(count)} from now on.")
    return 0


def _lines(database: Database) -> Iterator[str]:
    counts = database.read_now(count_by_state)
    yield ", ".join(f"{count} {state}" for state, count in counts.items())
    for recording in _given_up(database):
        yield f"  call {recording.call_id} at {host_of(recording.url) or 'no address'}: {_reason(recording)}"


def _reason(recording: Recording) -> str:
    beginning = "only its beginning is kept. " if recording.file else ""
    return beginning + (recording.problem or "given up by an earlier version.")


def _given_up(database: Database) -> Iterator[Recording]:
    last_id = 0
    while found := database.read_now(partial(given_up, after=last_id)):
        yield from found
        last_id = found[-1].call_id


def _retry_all(database: Database) -> int:
    """In steps, so that reports are written in between."""
    count = last_id = 0
    while found := database.read_now(partial(given_up, after=last_id)):
        count += database.write_now(partial(_ask, call_ids=[each.call_id for each in found]))
        last_id = found[-1].call_id
    return count


def _retry(database: Database, call_ids: Sequence[int]) -> int:
    steps = range(0, len(call_ids), MOST_AT_ONCE)
    return sum(database.write_now(partial(_ask, call_ids=call_ids[at : at + MOST_AT_ONCE])) for at in steps)


def _ask(session: Session, call_ids: Sequence[int]) -> int:
    count = fetch_again(session, call_ids)
    if count:
        about = f"/calls/{call_ids[0]}" if len(call_ids) == 1 else f"{count}, calls {call_ids[0]} to {call_ids[-1]}"
        now = time.time_ns() // 1000
        audit.note(session, now=now, account=audit.COMMAND_LINE, action=audit.RECORDING_RETRIED, about=about)
    return count


def _recordings(count: int) -> str:
    return f"{count} recording" if count == 1 else f"{count} recordings"
