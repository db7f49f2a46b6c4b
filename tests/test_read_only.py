"""A file system or a server that cannot be written to: /readyz and the doctor say so, and the board recovers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import DBAPIError

from dashboard.database import Database, Kind, kind_of_failure
from dashboard.doctor.finding import BAD
from dashboard.doctor.tables import check_tables
from dashboard.migrations import migrate
from dashboard.settings import Settings
from dashboard.watch import Watch
from dashboard.web.readiness import Readiness
from tests.failing_disk import failing_disk
from tests.failover import execute
from tests.postgres import PostgresServer
from tests.reports import report
from tests.running import RunningBoard
from tests.stored import column, sql

CEILING = 20.0
# In a process of its own: within one, SQLite uses a file again that it has open for writing.
READER = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.execute("SELECT seq FROM clock").fetchone()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file_system(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which can be made read-only."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=16m", "callboard-test", str(folder))
    yield folder
    run("umount", "--lazy", str(folder))


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def held_open(path: Path) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", READER, str(path)], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        yield


def readiness_of(database: Database) -> Readiness:
    return Readiness(Watch(database, ZoneInfo("Asia/Kolkata"), lambda: datetime.now(UTC)))


def bad_words(url: str) -> str:
    return "\n".join(each.words for each in check_tables(Settings(database_url=url)) if each.mark == BAD)


async def test_sqlite_on_a_read_only_file_system_is_not_ready_and_is_again_once_it_can_be_written_to(
    file_system: Path,
) -> None:
    url = f"sqlite:///{file_system / 'callboard.db'}"
    made = Database(url)
    migrate(made)
    made.close()
    run("mount", "-o", "remount,ro", str(file_system))
    database = Database(url)
    readiness = readiness_of(database)
    assert not await readiness.can_write()
    with pytest.raises((DBAPIError, OSError)) as refused:
        sql(database, "UPDATE clock SET seq = seq")
    assert kind_of_failure(refused.value) is Kind.WRONG_NODE
    assert str(file_system / "callboard.db") in bad_words(url)
    run("mount", "-o", "remount,rw", str(file_system))
    assert await readiness.can_write()
    sql(database, "UPDATE clock SET seq = seq")
    assert bad_words(url) == ""
    database.close()


def test_a_board_whose_disk_turns_read_only_is_not_ready_and_loses_nothing_it_acknowledged(
    start_board: Callable[..., RunningBoard], tmp_path: Path
) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with failing_disk(tmp_path / "disk.img", folder) as disk:
        board = start_board(DASHBOARD_DATA=str(folder / "data"), DASHBOARD_DISK_RESERVE="0")
        assert board.post(report("before")).status_code == 200
        disk.fail()
        assert board.post(report("refused")).status_code == 503
        assert board.get("/readyz").status_code == 503
        assert "Nothing can be stored" in bad_words(f"sqlite:///{folder / 'data' / 'callboard.db'}")
        board.end()
        disk.repair()
        board.start()
        assert board.post(report("after")).status_code == 200
        board.end()
        database = Database(f"sqlite:///{folder / 'data' / 'callboard.db'}")
        assert column(database, "call", "call_sid") == ["before", "after"]
        database.close()
        disk.unmount()


async def test_a_connection_that_was_opened_read_only_is_opened_again_once_it_need_not_be(tmp_path: Path) -> None:
    path = tmp_path / "callboard.db"
    made = Database(f"sqlite:///{path}")
    migrate(made)
    # Another process has the file open, so its log stays: SQLite then opens the file read-only without an error.
    with held_open(path):
        made.close()
        run("mount", "--bind", str(path), str(path))
        database = Database(f"sqlite:///{path}")
        try:
            run("mount", "-o", "remount,ro,bind", str(path))
            with pytest.raises(DBAPIError, match="readonly") as refused:
                sql(database, "UPDATE clock SET seq = seq")
            assert kind_of_failure(refused.value) is Kind.WRONG_NODE
            assert not await readiness_of(database).can_write()
            assert "Nothing can be stored" in bad_words(f"sqlite:///{path}")
        finally:
            run("umount", "--lazy", str(path))
        sql(database, "UPDATE clock SET seq = seq")
        assert await readiness_of(database).can_write()
        database.close()


async def test_a_postgresql_that_became_read_only_is_not_ready_until_it_takes_writes(
    start_board: Callable[..., RunningBoard], postgres: PostgresServer, postgres_url: str
) -> None:
    board = await asyncio.to_thread(start_board, DASHBOARD_DATABASE_URL=postgres_url)
    name = postgres_url.rpartition("/")[2]
    assert await ready(board) == 200
    execute(postgres, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    execute(postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    await until_ready_is(board, 503)
    execute(postgres, f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await until_ready_is(board, 200)


async def ready(board: RunningBoard) -> int:
    return (await asyncio.to_thread(board.get, "/readyz")).status_code


async def until_ready_is(board: RunningBoard, status: int) -> None:
    async with asyncio.timeout(CEILING):
        while await ready(board) != status:
            pass


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("DROP TABLE watch", "lacks watch,"),
        ("ALTER TABLE inbox DROP COLUMN user_agent", "lacks inbox.user_agent,"),
        ("DROP TABLE erased; DROP TABLE watch", "lacks erased, watch,"),
    ],
)
def test_the_doctor_names_every_table_and_column_that_is_not_there(
    database: Database, statement: str, missing: str
) -> None:
    url = database.url.render_as_string(hide_password=False)
    assert "lacks" not in bad_words(url)
    sql(database, *statement.split("; "))
    assert missing in bad_words(url)
