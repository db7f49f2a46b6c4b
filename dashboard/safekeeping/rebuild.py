"""`rebuild`: tells every call anew from its reports, and says how far it is. Stopped, it can go on."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TextIO

from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.program import PROGRAM
from dashboard.safekeeping.steps import patiently
from dashboard.settings import Settings
from dashboard.store.person_column import forget_other_regions
from dashboard.store.rebuild import find_unread, last_call_id, retell_after, take_in

_SAY_SECONDS = 0.2


class Progress:
    """One line on a terminal, written over and over; anywhere else, nothing."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._is_shown = out.isatty()
        self._started = clock()
        self._said_at = float("-inf")
        self._width = 0

    def say(self, what: str, done: int, share: float, *, is_last: bool = False) -> None:
        """`done` of what is counted since the beginning, and which share of all that is."""
        now = self._clock()
        if not self._is_shown or (now - self._said_at < _SAY_SECONDS and not is_last):
            return
        self._said_at = now
        rate = done / max(now - self._started, 0.001)
        self._write(f"{what}: {100 * min(share, 1.0):.0f} %, {done:,} done, {rate:,.0f} a second")

    def end(self) -> None:
        """Clear the line away, so that what follows stands alone."""
        if self._width:
            self._write("")
            self._out.write("\r")

    def _write(self, line: str) -> None:
        self._out.write(f"\r{line:<{self._width}}")
        self._out.flush()
        self._width = len(line)


def add_rebuild_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--after", type=int, default=None, metavar="ID", help="go on after the call with this id, where it was stopped"
    )


def rebuild(options: argparse.Namespace, open_database: Callable[[], Database], settings: Settings) -> int:
    """Each step is one transaction, so that an end in between leaves calls told anew and calls as they were."""
    database = open_database()
    progress = Progress(sys.stderr)
    reached = options.after or 0
    try:
        patiently(database, database.write_now, partial(forget_other_regions, region=settings.phone_region))
        mended = _take_in_unread(database, settings, progress) if options.after is None else 0
        last = patiently(database, database.read_now, last_call_id) or 1
        next_id: int | None = reached
        while next_id is not None:
            reached = next_id
            progress.say("Calls", reached - (options.after or 0), reached / last)
            retell = partial(retell_after, source_timezone=settings.source_timezone, region=settings.phone_region)
            next_id, count = patiently(database, database.write_now, partial(retell, last_id=reached))
            mended += count
    except KeyboardInterrupt:
        progress.end()
        print(
            "Stopped. What was told anew is kept, the rest is as it was; to go on: "
            f"{PROGRAM} rebuild --after {reached}",
            file=sys.stderr,
        )
        return 130
    finally:
        database.close()
    progress.end()
    print(f"Every call was told anew; {mended} {'row was' if mended == 1 else 'rows were'} not as their reports tell.")
    return 0


def _take_in_unread(database: Database, settings: Settings, progress: Progress) -> int:
    """Reports that could not be read when they came are given to their calls; these have no number to go on from."""
    mended = taken = last_unread = 0
    head = patiently(database, database.read_now, head_of) or 1
    while unread := patiently(database, database.read_now, partial(find_unread, last_id=last_unread)):
        step = partial(take_in, source_timezone=settings.source_timezone, region=settings.phone_region)
        mended += patiently(database, database.write_now, partial(step, inbox_ids=unread))
        last_unread = unread[-1]
        taken += len(unread)
        progress.say("Unread reports", taken, last_unread / head)
    return mended
