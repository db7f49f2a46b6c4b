"""`prune` and `erase`: what has reached its age, or one person, taken away from the command line."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from dashboard import measures
from dashboard.database import Database
from dashboard.erasure import AFTERWARDS, By, Erased, TooShort, erase, find
from dashboard.recordings.keep import Keep
from dashboard.retention import FOR_EVER, SETTINGS, Retention
from dashboard.safekeeping.steps import CannotRun, cause_of
from dashboard.settings import Settings
from dashboard.store import audit
from dashboard.store.bodies import PACK
from dashboard.store.retention import TASKS, count_due
from dashboard.store.size import Size, size_of
from dashboard.upkeep import Upkeep

_WORDS = {
    "audio": "recordings",
    "reports": "raw reports",
    "transcripts": "transcripts",
    "calls": "calls",
    PACK: "raw reports packed",
}


def add_prune_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="change nothing; say what would go, and what takes room")


def add_erase_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", help="the customer's number in any spelling; - reads it from standard input")
    parser.add_argument("--dry-run", action="store_true", help="change nothing; say what would go")


def prune(options: argparse.Namespace, open_database: Callable[[], Database], settings: Settings) -> int:
    """Everything that a serving board would remove and pack by itself, at once."""
    database = open_database()
    try:
        if options.dry_run:
            _say_due(database, settings.retention)
        else:
            keep = Keep(settings.data_folder / "recordings")
            asyncio.run(_prune(Upkeep(database, keep, settings.retention, _now, pack_after_seconds=0), database))
    except (SQLAlchemyError, OSError) as problem:
        raise _stopped(database, problem) from problem
    finally:
        database.close()
    return 0


async def _prune(upkeep: Upkeep, database: Database) -> None:
    while await upkeep.step():
        pass
    await database.fold()
    done = [f"{upkeep.done[task]} {words}" for task, words in _WORDS.items() if upkeep.done[task]]
    print(f"Done: {', '.join(done) or 'there was nothing to do'}.")


def _say_due(database: Database, retention: Retention) -> None:
    if retention == FOR_EVER:
        print(f"Everything is kept for ever: none of {', '.join(SETTINGS.values())} is set.")
    for task in TASKS:
        if (cutoff := retention.cutoff(task, _now())) is not None:
            due = database.read_now(partial(count_due, task=task, cutoff=cutoff))
            print(f"{due} {_WORDS[task]} are older than {getattr(retention, task)} days and would go.")
    print(*_size_lines(database.read_now(size_of)), sep="\n")


def _size_lines(size: Size) -> list[str]:
    tables = sorted(size.tables.items(), key=lambda table: -table[1])
    lines = [f"  {name:<16} {measures.size(room):>10}" for name, room in tables if room >= 2**14]
    each = f", {size.per_call:,} bytes a call" if size.calls else ""
    database, recordings = measures.size(size.database), measures.size(size.recordings)
    return [f"{size.calls:,} calls; the database takes {database}{each}; recordings take {recordings}.", *lines]


def erase_person(options: argparse.Namespace, open_database: Callable[[], Database], settings: Settings) -> int:
    """One person everywhere."""
    number = sys.stdin.readline().strip() if options.number == "-" else options.number
    database = open_database()
    try:
        if options.dry_run:
            found = asyncio.run(find(database, number, settings.phone_region))
            print(f"Would be erased: {found.words}. Nothing was changed.")
        else:
            keep = Keep(settings.data_folder / "recordings")
            found = asyncio.run(
                erase(database, keep, number, By(audit.COMMAND_LINE, "", _now()), settings.phone_region)
            )
            print(f"Erased: {found.words}.")
            print(*_after_words(found), sep="\n")
        for sentence in found.sentences:
            print(sentence)
    except TooShort as problem:
        raise CannotRun(str(problem)) from problem
    except (SQLAlchemyError, OSError) as problem:
        raise _stopped(database, problem) from problem
    finally:
        database.close()
    return 0


def _after_words(found: Erased) -> list[str]:
    lines = list(AFTERWARDS)
    if not found.is_folded:
        lines.append("The database's log was in use and still holds some of it: run the same command once more.")
    return lines


def _stopped(database: Database, problem: Exception) -> CannotRun:
    return CannotRun(
        f"Stopped half-way by {database.place}: {cause_of(problem)}. What was done so far is kept; "
        "run the same command again for the rest."
    )


def _now() -> int:
    return time.time_ns() // 1000
