"""The doors to the database: numbers in the order of commits, reads of one moment, wake-ups, and an end in time."""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from dashboard.crew import StandsStill
from dashboard.database import READERS, Database, is_away, kind_of, sqlite, sqlite_file
from dashboard.database.clock import head_of, tick
from dashboard.store.calls import changed_since
from dashboard.store.inbox import Receipt, record
from tests.postgres import PostgresServer, StopMode
from tests.reports import report
from tests.stored import INDIA, arrival, column, sql, store

CEILING = 20.0
WRITERS = 8


def nothing(session: Session) -> None:
    session.connection()


def write_until_stored(database: Database, *bodies: bytes) -> list[Receipt]:
    """As the intake does it: a database that is away is asked again."""
    step = partial(record, arrivals=[arrival(body) for body in bodies], source_timezone=INDIA)
    until = time.monotonic() + CEILING
    while True:
        try:
            return database.write_now(step)
        except DBAPIError as problem:
            if not is_away(problem) or time.monotonic() > until:
                raise


class Tail:
    """Reads what changed, over and over, as a feed does; `seen` are the numbers and ids in the order they came."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.head = 0
        self.seen: list[tuple[int, int]] = []

    def look(self) -> None:
        changed, self.head = self.database.read_now(partial(changed_since, seq=self.head, most=50))
        self.seen += [(call.seq, call.id) for call in changed]

    def follow(self, ended: Event) -> None:
        while not ended.wait(0.002):
            self.look()
        while self.head < self.database.read_now(head_of):
            self.look()


def test_a_file_that_is_made_here_and_its_logs_are_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "callboard.db"
    before = os.umask(0)
    try:
        database = Database(f"sqlite:///{file}")
        sql(database, "CREATE TABLE made (id INTEGER)")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        database.close()
    finally:
        os.umask(before)
    assert modes == {f"callboard.db{ending}": 0o600 for ending in ("", "-wal", "-shm")}


def test_a_tail_misses_nothing_of_eight_writers_and_no_number_is_given_twice(database: Database) -> None:
    ended = Event()
    tail = Tail(database)

    def write(writer: int) -> list[Receipt]:
        own = Database(database.url.render_as_string(hide_password=False))
        try:
            batches = [[report(f"{writer} {turn} {place}") for place in range(1 + turn % 3)] for turn in range(12)]
            return [receipt for batch in batches for receipt in write_until_stored(own, *batch)]
        finally:
            own.close()

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        following = threads.submit(tail.follow, ended)
        try:
            receipts = [receipt for each in threads.map(write, range(WRITERS)) for receipt in each]
        finally:
            ended.set()
        following.result(CEILING)
    numbers = sorted(receipt.id for receipt in receipts)
    assert numbers == list(range(1, WRITERS * 24 + 1))
    assert [number for number, _ in tail.seen] == numbers
    assert sorted(call_id for _, call_id in tail.seen) == column(database, "call", "id")


def test_a_tail_misses_nothing_of_several_processes(database: Database, tmp_path: Path) -> None:
    url = database.url.render_as_string(hide_password=False)
    environment = os.environ | {"DASHBOARD_DATABASE_URL": url, "DASHBOARD_DATA": str(tmp_path)}
    processes = []
    for number in range(3):
        file = tmp_path / f"{number}.jsonl"
        file.write_bytes(b"\n".join(report(f"{number} {line}") for line in range(150)))
        command = [sys.executable, "-m", "dashboard", "import", str(file)]
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
    tail = Tail(database)
    # On a busy machine three interpreters take long merely to start.
    until = time.monotonic() + 2 * CEILING
    try:
        for process in processes:
            while not _has_ended(process) and time.monotonic() < until:
                tail.look()
        assert [process.wait(1) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    tail.follow(_set())
    assert [number for number, _ in tail.seen] == list(range(1, 451))
    assert len({call_id for _, call_id in tail.seen}) == 450


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.01)
    return process.returncode is not None


def _set() -> Event:
    event = Event()
    event.set()
    return event


def test_whoever_holds_the_clock_commits_before_another_gets_a_number(database: Database) -> None:
    has_ticked, may_commit = Event(), Event()

    def slow(session: Session) -> int:
        number = tick(session, 1)
        has_ticked.set()
        assert may_commit.wait(CEILING)
        return number

    other = Database(database.url.render_as_string(hide_password=False))
    with ThreadPoolExecutor(2) as threads:
        first: Future[int] = threads.submit(database.write_now, slow)
        assert has_ticked.wait(CEILING)
        second: Future[list[Receipt]] = threads.submit(store, other, report("b"))
        try:
            assert not wait([second], timeout=0.3).done
            assert database.read_now(head_of) == 0
        finally:
            may_commit.set()
        assert (first.result(CEILING), second.result(CEILING)[0].id) == (1, 2)
    other.close()


def test_writers_that_read_first_wait_their_turn(database: Database) -> None:
    def count_up(session: Session) -> int:
        return head_of(session) + 1 - tick(session, 1)

    def write(_: int) -> list[int]:
        own = Database(database.url.render_as_string(hide_password=False))
        try:
            return [own.write_now(count_up) for _ in range(15)]
        finally:
            own.close()

    with ThreadPoolExecutor(4) as threads:
        off = [each for written in threads.map(write, range(4)) for each in written]
    assert database.read_now(head_of) == 60
    if database.is_sqlite:
        assert set(off) == {0}


def test_what_goes_wrong_is_said_without_the_values_it_went_wrong_with(database: Database) -> None:
    with pytest.raises(DBAPIError) as failed:
        database.read_now(lambda session: session.execute(text("SELECT * FROM nowhere WHERE a = :a"), {"a": "Jatin"}))
    assert "nowhere" in str(failed.value)
    assert "Jatin" not in str(failed.value)


def test_a_read_is_of_one_moment(database: Database) -> None:
    store(database, report("a"))

    def read_twice(session: Session) -> tuple[int, int, int]:
        before = head_of(session)
        with ThreadPoolExecutor(1) as thread:
            thread.submit(store, database, report("b")).result(CEILING)
        calls = changed_since(session, 0, 10)[0]
        return before, head_of(session), len(calls)

    assert database.read_now(read_twice) == (1, 1, 1)
    assert database.read_now(head_of) == 2


def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    def fail(session: Session) -> None:
        record(session, [arrival(report("a"))], INDIA)
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        database.write_now(fail)
    assert database.read_now(head_of) == 0
    assert [receipt.id for receipt in store(database, report("a"))] == [1]


async def seconds_to_a_change(database: Database) -> float:
    began = time.monotonic()
    await database.next_change()
    return time.monotonic() - began


async def until_it_listens(database: Database) -> None:
    """Until this process would hear of what others write, and nothing that it heard before is left over."""
    await database.next_change()
    listens = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
    if not database.is_sqlite:
        async with asyncio.timeout(CEILING):
            while not await database.read(lambda session: session.execute(listens).scalar_one()):
                pass
    while await seconds_to_a_change(database) < 0.5:
        pass


async def test_an_own_write_wakes_at_once(database: Database) -> None:
    await until_it_listens(database)
    waiting = asyncio.create_task(seconds_to_a_change(database))
    await database.write(partial(tick, numbers=1))
    assert await waiting < 0.5


async def test_what_another_process_writes_wakes_within_half_a_second(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    await until_it_listens(database)
    waiting = asyncio.create_task(seconds_to_a_change(database))
    await asyncio.to_thread(other.write_now, partial(tick, numbers=1))
    assert await waiting < 0.5
    await asyncio.to_thread(other.close)


async def test_without_any_change_one_looks_about_once_a_second(database: Database) -> None:
    await until_it_listens(database)
    assert 0.8 < await seconds_to_a_change(database) < 1.8


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_restarted_postgresql_is_taken_up_again(
    postgres: PostgresServer, postgres_url: str, mode: StopMode
) -> None:
    database = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    await database.write(nothing)
    await database.next_change()
    await asyncio.to_thread(postgres.restart, mode)
    await database.read(nothing)
    await database.write(nothing)
    await until_it_listens(database)
    waiting = asyncio.create_task(seconds_to_a_change(database))
    await database.write(lambda session: session.execute(text("NOTIFY callboard")))
    assert await waiting < 0.5
    await asyncio.to_thread(database.close)


def write_scalar(database: Database, statement: str) -> object:
    """What the connection that writes answers."""
    return database.write_now(lambda session: session.execute(text(statement)).scalar_one())


def test_a_commit_is_on_the_disk(database: Database) -> None:
    if database.is_sqlite:
        asked = [write_scalar(database, f"PRAGMA {name}") for name in ("synchronous", "journal_mode", "busy_timeout")]
        assert asked == [2, "wal", 1000]
    else:
        name = database.url.database
        sql(database, f"ALTER DATABASE {name} SET synchronous_commit = off")
        again = Database(database.url.render_as_string(hide_password=False))
        assert write_scalar(again, "SHOW synchronous_commit") == "on"
        again.close()


def test_a_reader_cannot_write_to_sqlite(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    with pytest.raises(DBAPIError, match="readonly"):
        database.read_now(lambda session: session.execute(text("CREATE TABLE a (b)")))
    database.close()


def test_a_locked_file_is_away_and_a_refused_row_is_not(tmp_path: Path) -> None:
    database, other = (Database(f"sqlite:///{tmp_path / 'a.db'}") for _ in range(2))
    sql(database, "CREATE TABLE a (b CHECK (b <> 'poison'))")
    with pytest.raises(DBAPIError) as refused:
        sql(database, "INSERT INTO a VALUES ('poison')")
    assert (is_away(refused.value), kind_of(refused.value)) == (False, "IntegrityError (SQLITE_CONSTRAINT_CHECK)")

    def hold(session: Session) -> None:
        session.connection()
        with pytest.raises(DBAPIError) as locked:
            other.write_now(nothing)
        assert (is_away(locked.value), kind_of(locked.value)) == (True, "OperationalError (SQLITE_BUSY)")

    database.write_now(hold)
    other.write_now(nothing)
    database.close()
    other.close()


def test_a_value_too_large_for_an_index_of_postgresql_is_not_taken_for_an_outage(postgres_url: str) -> None:
    database = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    sql(database, "CREATE TABLE a (b text PRIMARY KEY)")
    with pytest.raises(DBAPIError) as refused:
        sql(database, f"INSERT INTO a VALUES ('{secrets.token_hex(50_000)}')")
    assert (is_away(refused.value), kind_of(refused.value)) == (False, "ProgramLimitExceeded (54000)")
    database.close()


def test_the_place_shows_no_password() -> None:
    database = Database("postgresql+psycopg://me:secret@127.0.0.1:1/calls")
    assert "secret" not in database.place
    database.close()


USES_ALL_OF_IT = """
import asyncio, sys
from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.migrations import migrate

async def main():
    database = Database(sys.argv[1])
    migrate(database)
    await asyncio.gather(database.next_change(), database.read(head_of), database.write(head_of))
    database.close()

asyncio.run(main())
print("done")
"""


def test_a_process_ends_by_itself_once_the_database_is_closed(database_url: str) -> None:
    command = [sys.executable, "-c", USES_ALL_OF_IT, database_url]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=CEILING, check=False)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("done\n", "", 0)


async def test_closing_does_not_wait_for_a_postgresql_that_stands_still(
    postgres: PostgresServer, postgres_url: str
) -> None:
    database = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    await asyncio.gather(database.write(nothing), database.read(nothing), database.next_change())
    began = time.monotonic()
    with postgres.frozen():
        stuck = [asyncio.create_task(database.write(nothing)), asyncio.create_task(database.read(nothing))]
        await asyncio.wait(stuck, timeout=0.2)
        await asyncio.to_thread(database.close)
        assert time.monotonic() - began < 5
    ended = await asyncio.gather(*stuck, return_exceptions=True)
    assert all(isinstance(each, DBAPIError | OSError) for each in ended)


async def test_a_postgresql_that_stands_still_for_long_is_given_up_and_taken_up_again_at_once(
    postgres: PostgresServer, postgres_url: str
) -> None:
    database = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"), write_seconds=0.4, read_seconds=0.4)
    # A statement is under way in each, when it begins.
    await asyncio.gather(database.write(nothing), *(database.read(nothing) for _ in range(READERS)))
    with postgres.frozen():
        # Several times as long as anything is waited for: nothing may be used up meanwhile.
        for _ in range(4):
            began = time.monotonic()
            work = [database.write(nothing), *(database.read(nothing) for _ in range(2 * READERS))]
            ended = await asyncio.gather(*work, return_exceptions=True)
            assert all(isinstance(each, DBAPIError | OSError) and is_away(each) for each in ended)
            assert time.monotonic() - began < 2
    began = time.monotonic()
    for door in (database.write, database.read):
        while True:
            with suppress(DBAPIError, OSError):
                await door(nothing)
                break
    assert time.monotonic() - began < 2
    await asyncio.to_thread(database.close)


async def test_a_write_that_was_given_up_is_there_once_or_not_at_all(
    postgres: PostgresServer, postgres_url: str
) -> None:
    database = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"), write_seconds=0.5)
    sql(database, "CREATE TABLE a (b int)")
    has_written, may_commit = Event(), Event()

    def write_and_wait(session: Session) -> None:
        session.execute(text("INSERT INTO a VALUES (1)"))
        has_written.set()
        assert may_commit.wait(CEILING)

    given_up = asyncio.create_task(database.write(write_and_wait))
    assert await asyncio.to_thread(has_written.wait, CEILING)
    with pytest.raises(StandsStill):
        await given_up
    # Whoever takes its place hangs up first, so once this is written, the thread comes back to a line that is cut.
    await database.write(lambda session: session.execute(text("INSERT INTO a VALUES (2)")))
    may_commit.set()
    await asyncio.to_thread(database.close)  # and waits for what comes back
    again = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    assert column_of(again, "SELECT b FROM a ORDER BY b") == [2]
    await asyncio.to_thread(again.close)


def column_of(database: Database, statement: str) -> list[object]:
    return database.read_now(lambda session: list(session.execute(text(statement)).scalars()))


async def test_a_file_that_replaces_ours_is_not_damaged_by_the_log_of_the_old_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, copy, old = tmp_path / "a.db", tmp_path / "copy.db", tmp_path / "old.db"
    database = Database(f"sqlite:///{path}")
    await database.write(lambda session: session.execute(text("CREATE TABLE a (b INTEGER PRIMARY KEY, c TEXT)")))
    await write_rows(database, range(100))
    copy_database(database, copy)
    await write_rows(database, range(100, 400))
    os.link(path, old)
    copy.replace(path)
    written = list[int]()
    for number in range(1_000, 1_400):
        with suppress(OSError):
            await write_rows(database, [number])
            written.append(number)
    assert len(written) >= 390
    assert column_of(database, "SELECT b FROM a ORDER BY b") == [*range(100), *written]
    assert database.read_now(sqlite.damage_of) == ""
    database.close()
    # What the old file lacked is in it again: it may still be somewhere, under another name.
    with closing(sqlite3.connect(old)) as connection:
        assert [row[0] for row in connection.execute("SELECT b FROM a ORDER BY b")] == list(range(400))
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert "was replaced while the board runs" in caplog.text


def copy_database(database: Database, path: Path) -> None:
    sqlite.copy(database._read_engine, path)


async def write_rows(database: Database, numbers: Iterable[int]) -> None:
    rows = [{"b": number, "c": "x" * 500} for number in numbers]
    await database.write(lambda session: session.execute(text("INSERT INTO a VALUES (:b, :c)"), rows))


@pytest.mark.parametrize("moment", ["in the middle", "after the last", "and read by another connection"])
async def test_no_row_is_acknowledged_and_lost_while_the_file_is_replaced(tmp_path: Path, moment: str) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    database = Database(f"sqlite:///{path}")
    await database.write(lambda session: session.execute(text("CREATE TABLE a (b INTEGER PRIMARY KEY, c TEXT)")))
    copy_database(database, copy)

    def replace_file(session: Session) -> None:
        session.execute(text("INSERT INTO a VALUES (1, 'lost')"))
        copy.replace(path)
        if moment == "and read by another connection":
            assert column_of(database, "SELECT b FROM a") == []
        if moment == "in the middle":
            session.execute(text("INSERT INTO a VALUES (2, 'lost')"))

    with pytest.raises(OSError, match="was replaced"):
        await database.write(replace_file)
    await write_rows(database, [3])
    assert column_of(database, "SELECT b FROM a") == [3]
    database.close()


@pytest.mark.parametrize("is_opened_meanwhile", [False, True])
async def test_a_commit_during_which_the_file_system_had_an_error_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_opened_meanwhile: bool
) -> None:
    # The kernel may answer the sync of such a commit with success and write nothing.
    errors = tmp_path / "errors_count"
    errors.write_text("0\n")
    monkeypatch.setattr(sqlite_file, "_errors_file_of", lambda _: str(errors))
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    await database.write(lambda session: session.execute(text("CREATE TABLE a (b INTEGER PRIMARY KEY, c TEXT)")))

    def meet_an_error(session: Session) -> None:
        session.execute(text("INSERT INTO a VALUES (1, 'in doubt')"))
        errors.write_text("1\n")
        if is_opened_meanwhile:
            assert column_of(database, "SELECT b FROM a") == []

    with pytest.raises(OSError, match="had an error during the commit") as refused:
        await database.write(meet_an_error)
    assert is_away(refused.value)
    await write_rows(database, [2])
    assert 2 in column_of(database, "SELECT b FROM a")
    database.close()


async def test_another_file_in_the_place_of_ours_is_what_is_written_to_from_then_on(tmp_path: Path) -> None:
    path, other = tmp_path / "a.db", tmp_path / "other.db"
    for each in (path, other):
        made = Database(f"sqlite:///{each}")
        sql(made, "CREATE TABLE a (b)", f"INSERT INTO a VALUES ('{each.stem}')")
        made.close()
    database = Database(f"sqlite:///{path}")
    await database.write(lambda session: session.execute(text("INSERT INTO a VALUES (1)")))
    await database.read(nothing)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    other.replace(path)
    await database.write(lambda session: session.execute(text("INSERT INTO a VALUES (2)")))
    read = await database.read(lambda session: list(session.execute(text("SELECT b FROM a")).scalars()))
    assert read == ["other", 2]
    database.close()


async def test_a_file_that_was_moved_away_is_waited_for_and_no_empty_one_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    database = Database(f"sqlite:///{path}")
    await database.write(lambda session: session.execute(text("CREATE TABLE a (b)")))
    await database.read(nothing)
    aside = path.rename(tmp_path / "aside.db")
    for door in (database.write, database.read):
        with pytest.raises(FileNotFoundError) as gone:
            await door(nothing)
        assert is_away(gone.value)
    assert not path.exists()
    aside.rename(path)
    await database.write(lambda session: session.execute(text("INSERT INTO a VALUES (1)")))
    assert column_of(database, "SELECT b FROM a") == [1]
    database.close()
