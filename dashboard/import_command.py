"""`import`: takes in a file of calls, and names line by line what it had to leave out."""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from sqlmodel import Session

from dashboard.callkaro.dates import FIRST_YEAR, ORDERS
from dashboard.callkaro.export import NO_SID, Record, records_of, take
from dashboard.callkaro.import_row import IDENTITY, Source, Taken
from dashboard.callkaro.report import JSON, as_text, read_report, read_time
from dashboard.callkaro.table_file import NotReadable
from dashboard.calls import merge, micros, try_of
from dashboard.database import Database
from dashboard.safekeeping.steps import CannotRun, patiently
from dashboard.settings import Settings
from dashboard.store.calls import data_of_ids, data_of_sids
from dashboard.store.inbox import IGNORED, IMPORTED, UNCHANGED, UNREADABLE, Arrival, is_same, record
from dashboard.store.person_column import forget_other_regions
from dashboard.store.watches import fill
from dashboard.web.parts import now_micros

_BATCH = 200
_MOST_ZEROS = 8
_LOST_ZEROS = "callSid: the board has a call whose callSid has zeros before these digits, and a spreadsheet drops them"
_WHICH_TRY = (
    "try_count: other rows of the file have this callSid and say otherwise; which try each is cannot be known, so add "
    "the column try_count"
)
# A clock may be wrong by some hours, and a time may be of another zone than the board's.
_MOST_AHEAD = timedelta(days=1)
MOST_NAMED = 50
"""Left-out rows that are named; the others are counted."""
_MOST_COLUMNS, _LONGEST_COLUMN = 20, 60


@dataclass
class _Outcome:
    """What became of a file's calls."""

    verdicts: Counter[str] = field(default_factory=Counter)
    without_sid: int = 0
    left_out: int = 0
    named: list[str] = field(default_factory=list)
    coarse: int = 0
    timeless: int = 0
    strange: tuple[str, ...] = ()

    @property
    def unread(self) -> int:
        return self.verdicts[UNREADABLE] + self.verdicts[IGNORED]

    @property
    def is_whole(self) -> bool:
        return not (self.without_sid or self.left_out or self.unread or self.timeless)

    def leave_out(self, place: str, problems: Sequence[str]) -> None:
        if NO_SID in problems:
            self.without_sid += 1
        else:
            self.left_out += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(f"  {place}: {'; '.join(problems)}.")


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--dates",
        choices=ORDERS,
        default="",
        help="what dates such as 01/10/2026 begin with, where nothing in the file decides it",
    )
    parser.add_argument(
        "--covers",
        nargs=2,
        metavar=("FROM", "TO"),
        help="the file has all calls between these times of the board's zone: the gaps between them are filled",
    )


def import_file(options: argparse.Namespace, open_database: Callable[[Settings], Database]) -> int:
    """The command. Ends with 1 where a row was left out: a person or a script should look at it."""
    settings = Settings.from_env()
    covered = _covered(options.covers, settings)
    database = open_database(settings)
    outcome = _Outcome()
    try:
        _take_in(database, settings, options, outcome)
        if covered and outcome.is_whole:
            patiently(database, database.write_now, partial(fill, start=covered[0], end=covered[1], now=now_micros()))
    except OSError as problem:
        raise CannotRun(f"{options.file} cannot be read: {problem.strerror}.") from problem
    except NotReadable as problem:
        raise CannotRun(f"{options.file} cannot be taken in. {problem}") from problem
    finally:
        database.close()
    _say(outcome)
    if covered:
        print(f"The gaps between these times are {_filled(outcome)}; see /gaps.")
    return 1 if outcome.left_out or outcome.without_sid else 0


def _filled(outcome: _Outcome) -> str:
    if outcome.is_whole:
        return "filled"
    # Where they were is not known, so neither is whether the file has what the gaps missed.
    return "not marked as filled" + (", because new calls came without a time" if outcome.timeless else "")


def _say(outcome: _Outcome) -> None:
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(outcome.verdicts.items()))
    print(f"Taken in: {verdicts or 'nothing'}")
    if outcome.without_sid:
        print(
            f"Left out: {outcome.without_sid} without a callSid, by which the board knows its calls. Fetch it again "
            "with that field."
        )
    if outcome.left_out:
        print(
            f"Left out: {outcome.left_out} that cannot be taken in as they are. Correct these cells, or put an "
            "apostrophe before text that is right, and import the file again: nothing is doubled."
        )
    for line in outcome.named:
        print(line)
    if rest := outcome.without_sid + outcome.left_out - len(outcome.named):
        print(f"  … and {rest} more.")
    if names := outcome.strange:
        named = ", ".join(name[:_LONGEST_COLUMN] for name in names[:_MOST_COLUMNS])
        others = f" and {len(names) - _MOST_COLUMNS} more" if len(names) > _MOST_COLUMNS else ""
        print(f"Columns that are no field of a report, and were not taken in: {named}{others}.")
    if outcome.coarse:
        print(f"Times without seconds: {outcome.coarse}. Of known calls the board's own time stays, others get :00.")
    if outcome.timeless:
        print(f"New calls without a time: {outcome.timeless}. They count as of now.")
    if outcome.unread:
        print(
            f"No calls: {outcome.unread}; /inbox shows them, and why. If the file was cut off on its way, fetch it "
            "again."
        )


def _take_in(database: Database, settings: Settings, options: argparse.Namespace, outcome: _Outcome) -> None:
    """Take in a file batch by batch. Raises OSError, NotReadable."""
    with ExitStack() as stack:
        file = stack.enter_context(options.file.open("rb"))
        if not file.seekable():
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            file = io.BufferedReader(copy.raw)
        source, records = records_of(file, options.dates, settings.source_timezone)
        outcome.strange = source.strange
        patiently(database, database.write_now, partial(forget_other_regions, region=settings.phone_region))
        while batch := list(islice(records, _BATCH)):
            bodies = list(_bodies(database, batch, source, outcome))
            arrivals = [Arrival(now_micros(), body, read_report(body), "application/json", IMPORTED) for body in bodies]
            if arrivals:
                zone, region = settings.source_timezone, settings.phone_region
                write = partial(record, arrivals=arrivals, source_timezone=zone, region=region)
                outcome.verdicts.update(receipt.verdict for receipt in patiently(database, database.write_now, write))


def _bodies(database: Database, batch: list[Record], source: Source, outcome: _Outcome) -> Iterator[bytes]:
    """The reports of a batch that the board has to store."""
    known = patiently(database, database.read_now, partial(_known_to, batch=batch))
    for each in batch:
        before = known.call_of(each)
        taken = take(each, before, source)
        is_same = each.is_ours and before is not None and not taken.problems and says_nothing_new(taken, before)
        if is_same:
            outcome.verdicts[UNCHANGED] += 1
        elif problems := taken.problems or known.problems_of(each, source) or _implausible(each, taken, source, before):
            outcome.leave_out(each.place, problems)
        else:
            outcome.timeless += before is None and taken.data is not None and not taken.data.get("time")
            yield taken.body
        outcome.coarse += taken.is_coarse


def _implausible(each: Record, taken: Taken, source: Source, before: Mapping[str, JSON] | None) -> tuple[str, ...]:
    """What is wrong with the time of a row: 26-Nov-05 was read as a day of 2005, twenty years before the call.

    A report as it was sent and our own lines have it from the platform, and no spreadsheet wrote them.
    """
    time = as_text((taken.data or {}).get("time"))
    if each.body or (each.is_ours and each.cells is None) or time == as_text((before or {}).get("time")):
        return ()
    moment = read_time(time, source.zone)
    if moment is None or (moment.year >= FIRST_YEAR and moment <= datetime.now(UTC) + _MOST_AHEAD):
        return ()
    return (f"time: it reads as {moment:%Y-%m-%d}; a call was neither before {FIRST_YEAR} nor will be after tomorrow",)


@dataclass
class _Known:
    """What the board has of the calls of a batch."""

    by_sid: dict[str, dict[int, dict[str, JSON]]]
    without_sid: dict[int, dict[str, JSON]]

    def call_of(self, each: Record) -> dict[str, JSON] | None:
        """The data of a record's call; None where the board has none."""
        if sid := each.identity.call_sid:
            tries = self.by_sid.get(sid, {})
            return tries.get(try_of(each.identity, list(tries)))
        # A call that was reported without a callSid is the one of its number, if it says what that says.
        return self.without_sid.get(each.id or 0)

    def problems_of(self, each: Record, source: Source) -> tuple[str, ...]:
        """Why a record that says something new cannot be told from other calls."""
        sid = each.identity.call_sid
        if not sid and not each.body:
            return (NO_SID,)
        if each.lacks_try and each.sid in source.unclear:
            return (_WHICH_TRY,)
        if each.lacks_try and len(tries := self.by_sid.get(sid, {})) > 1:
            return (f"try_count: the board has {len(tries)} tries of this callSid, so the file has to say which it is",)
        is_short = each.cells is not None and sid not in self.by_sid and any(map(self.by_sid.get, _with_zeros(sid)))
        return (_LOST_ZEROS,) if is_short else ()


def _known_to(session: Session, batch: list[Record]) -> _Known:
    sids = {each.identity.call_sid for each in batch} - {""}
    by_sid = data_of_sids(session, sids.union(*map(_with_zeros, sids)))
    by_id = data_of_ids(session, {each.id for each in batch if each.id is not None and not each.identity.call_sid})
    return _Known(by_sid, {number: data for number, data in by_id.items() if not as_text(data.get("callSid"))})


def _with_zeros(sid: str) -> list[str]:
    """The ids of which a spreadsheet may have left these digits: it would make another call of one that is known."""
    if not sid.isdecimal():
        return []
    return [sid.rjust(length, "0") for length in range(len(sid) + 1, len(sid) + 1 + _MOST_ZEROS)]


def says_nothing_new(taken: Taken, before: dict[str, JSON]) -> bool:
    """Whether a record leaves a call as it is. Its try is no news: our exports give it where no report did."""
    said = {name: value for name, value in (taken.data or {}).items() if name not in IDENTITY}
    return is_same(merge(before, said), before)


def _covered(times: Iterable[str] | None, settings: Settings) -> tuple[int, int] | None:
    """The stretch of time that a file has all calls of, in microseconds."""
    if not times:
        return None
    begin, end = times
    first, last = (read_time(each, settings.timezone) for each in (begin, end))
    if first is None or last is None or first >= last:
        raise CannotRun(
            f'--covers takes two times of {settings.timezone.key}, the earlier first, such as "2026-11-25 10:00:00" '
            '"2026-11-25 10:20:00".'
        )
    if micros(last) > now_micros():
        raise CannotRun(
            f"--covers ends in the time to come: no file has its calls. Give a time that is past, not {end}."
        )
    return micros(first), micros(last)
