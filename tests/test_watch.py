"""The watch log on both databases, and a process that keeps its part in it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from dashboard.calls import micros
from dashboard.database import Database
from dashboard.filters import Days
from dashboard.gaps import AWAY, STALLED, STOPPED, Gap, gaps_of, with_fills
from dashboard.migrations import migrate
from dashboard.store import watches
from dashboard.store.tries import lone_tries
from dashboard.store.watches import fill, leave, listen, spans_of, unfill
from dashboard.watch import Watch
from tests.stored import rows, sql, store, told

INDIA = ZoneInfo("Asia/Kolkata")
START = 1_766_124_000_000_000
SECOND = 1_000_000
BEAT = 15 * SECOND


def log_of(database: Database) -> list[tuple[Any, ...]]:
    """Every row, in seconds since START."""
    found = rows(database, "watch", "started_at, last_at, ending")
    return [((row["started_at"] - START) // SECOND, (row["last_at"] - START) // SECOND, row["ending"]) for row in found]


def listening(database: Database, row: int | None, at: int, ending: str = STALLED) -> int:
    """One beat of a process, `at` seconds after START."""
    return database.write_now(partial(listen, row_id=row, now=START + at * SECOND, ending=ending))


def gaps(database: Database, until: int) -> list[Gap]:
    listened, fills = database.read_now(spans_of)
    return with_fills(gaps_of(listened, START + until * SECOND), fills)


# The store


def test_a_process_that_goes_on_has_one_row(database: Database) -> None:
    row = listening(database, None, 0)
    for at in range(15, 301, 15):
        assert listening(database, row, at) == row
    assert log_of(database) == [(0, 300, "")]


def test_a_process_that_could_not_store_for_a_minute_begins_a_new_row_and_says_why(database: Database) -> None:
    row = listening(database, None, 0)
    assert listening(database, row, 59, AWAY) == row
    assert listening(database, row, 119, AWAY) != row
    assert log_of(database) == [(0, 59, AWAY), (119, 119, "")]


def test_a_clock_that_is_put_back_takes_nothing_from_a_span(database: Database) -> None:
    row = listening(database, None, 100)
    assert listening(database, row, 40) == row
    assert log_of(database) == [(100, 100, "")]


def test_a_clean_stop_is_written_down(database: Database) -> None:
    row = listening(database, None, 0)
    database.write_now(partial(leave, row_id=row, now=START + 7 * SECOND, ending=STALLED))
    assert log_of(database) == [(0, 7, STOPPED)]


def test_while_one_of_two_processes_listens_there_is_no_gap(database: Database) -> None:
    one, two = listening(database, None, 0), listening(database, None, 5)
    for at in range(20, 400, 20):
        listening(database, one if at < 200 else two, at)
    assert one != two
    assert gaps(database, 400) == []
    assert [gap.seconds for gap in gaps(database, 600)] == [220]


def test_a_night_of_starts_every_two_seconds_leaves_one_row_and_the_same_gaps(database: Database) -> None:
    for at in (*range(0, 120, 2), *range(3600, 3700, 2)):
        listening(database, None, at)
    before = gaps(database, 3700)
    listening(database, None, 3 * 3600)
    assert log_of(database) == [(0, 118, ""), (3600, 3698, ""), (3 * 3600, 3 * 3600, "")]
    assert gaps(database, 3700) == before


def test_the_oldest_rows_are_forgotten_and_their_ids_never_used_again(database: Database, monkeypatch: Any) -> None:
    monkeypatch.setattr(watches, "MOST_ROWS", 3)
    ids = [listening(database, None, at) for at in range(0, 40_000, 4_000)]
    assert ids == sorted(set(ids))
    assert [row[0] for row in log_of(database)] == [24_000, 28_000, 32_000, 36_000]
    # A process that comes back after all that goes on with a row of its own.
    assert listening(database, ids[0], 40_000) not in ids


def test_a_gap_is_filled_and_opened_again(database: Database) -> None:
    for at in (0, 300):
        listening(database, None, at)
    (gap,) = gaps(database, 300)
    database.write_now(partial(fill, start=gap.start, end=gap.end, now=START + 999 * SECOND))
    (filled,) = gaps(database, 300)
    assert filled.filled_at == START + 999 * SECOND
    database.write_now(partial(unfill, gap=filled))
    assert gaps(database, 300) == [gap]


def lone(database: Database, since: int = 0) -> list[int]:
    return [row.id for row in database.read_now(partial(lone_tries, since=since))]


def test_a_retry_whose_try_before_it_is_not_there_is_found_where_tries_bear_one_callsid(database: Database) -> None:
    store(database, *(told(callSid="a", name="outbound", try_count=number) for number in (0, 1, 3)))
    store(database, told(callSid="b", name="outbound", try_count=1), told(callSid="c", name="inbound", try_count=-1))
    assert sorted(lone(database)) == [3, 4]


def test_types_whose_tries_were_never_seen_to_bear_one_callsid_are_not_counted(database: Database) -> None:
    store(database, told(callSid="a", name="outbound", try_count=1), told(callSid="b", name="outbound", try_count=2))
    assert lone(database) == []
    store(database, *(told(callSid="c", name="outbound-api", try_count=number) for number in (0, 1, 3)))
    assert lone(database) == [5]


def test_a_retry_without_a_callsid_and_one_from_before_the_watch_are_not_counted(database: Database) -> None:
    store(database, *(told(callSid="a", try_count=number, time="2025-12-19 16:00:00") for number in (0, 1, 3)))
    store(database, told(to="1", try_count=1), told(callSid="b", try_count=1, time="2025-12-01 16:00:00"))
    since = micros(datetime(2025, 12, 10, tzinfo=UTC))
    assert lone(database, since) == [3]
    assert sorted(lone(database)) == [3, 5]


# A process


class Clock:
    def __init__(self) -> None:
        self.now = datetime.fromtimestamp(START // SECOND, UTC)

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, **time: float) -> None:
        self.now += timedelta(**time)


async def test_a_machine_that_slept_leaves_a_gap_that_says_so(database: Database) -> None:
    clock = Clock()
    watch = Watch(database, INDIA, clock)
    assert await watch.look()
    assert watch.gaps == []
    clock.goes_on(hours=2)
    await watch.look()
    (gap,) = watch.gaps
    assert (gap.seconds, gap.ending, gap.is_open) == (7200, STALLED, False)
    day = clock().astimezone(INDIA).date()
    assert watch.missed(Days(day, day)) == 7200
    assert watch.missed(Days(None, day - timedelta(days=1))) == 0


async def test_a_process_that_stops_says_so_to_the_next(database: Database) -> None:
    clock = Clock()
    first, second = Watch(database, INDIA, clock), Watch(database, INDIA, clock)
    await first.look()
    clock.goes_on(seconds=5)
    await first.stop()
    clock.goes_on(minutes=11)
    await second.look()
    assert [(gap.seconds, gap.ending) for gap in second.gaps] == [(660, STOPPED)]


async def test_a_process_that_never_could_store_has_nothing_to_say_when_it_stops(database: Database) -> None:
    sql(database, "DROP TABLE watch")
    watch = Watch(database, INDIA, Clock())
    assert not await watch.look()
    await watch.stop()
    assert watch.gaps == []


async def test_while_the_database_is_locked_nobody_listens_and_the_gap_grows(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(database)
    clock, changes = Clock(), []
    watch = Watch(database, INDIA, clock)
    watch.on_change = lambda: changes.append([gap.seconds // 60 for gap in watch.gaps])
    await watch.look()
    with closing(sqlite3.connect(tmp_path / "callboard.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        clock.goes_on(seconds=90)
        assert not await watch.look()
        assert [(gap.seconds, gap.ending, gap.is_open) for gap in watch.gaps] == [(90, AWAY, True)]
        other.execute("ROLLBACK")
    clock.goes_on(seconds=40)
    assert await watch.look()
    assert [(gap.seconds, gap.ending, gap.is_open) for gap in watch.gaps] == [(130, AWAY, False)]
    assert changes == [[1], [2]]
    await asyncio.to_thread(database.close)


async def test_another_process_that_can_store_closes_the_gap(database: Database) -> None:
    clock = Clock()
    mine, other = Watch(database, INDIA, clock), Watch(database, INDIA, clock)
    await mine.look()
    clock.goes_on(minutes=3)
    await other.look()
    assert [gap.seconds for gap in other.gaps] == [180]

    def listened_all_along(session: Session) -> None:
        session.connection().exec_driver_sql(f"UPDATE watch SET last_at = last_at + {200 * SECOND} WHERE id = 1")

    await database.write(listened_all_along)
    await other.look()
    assert other.gaps == []
