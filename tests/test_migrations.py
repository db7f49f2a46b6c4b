"""The tables: made whole or not at all, once, and as the models say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel

from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.migrations import NewerSchema, migrate
from tests.reports import report
from tests.stored import column, sql, store


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def tables(database: Database) -> list[str]:
    return database.read_now(lambda session: sorted(inspect(session.connection()).get_table_names()))


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    def differences(session: Session) -> list[object]:
        # Alembic mistakes SQLite's default of '' for another one; PostgreSQL's comparison stands for both.
        options = {"compare_type": True, "compare_server_default": not database.is_sqlite}
        context = MigrationContext.configure(session.connection(), opts=options)
        found: list[object] = compare_metadata(context, SQLModel.metadata)
        return found

    assert database.read_now(differences) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    store(database, report("a"))
    migrate(database)
    assert column(database, "call", "id") == [1]


def test_a_migration_that_fails_half_way_leaves_nothing(empty: Database) -> None:
    # The last table of the first migration is in the way.
    sql(empty, 'CREATE TABLE "session" (id integer)')
    with pytest.raises(DBAPIError, match="already exists"):
        migrate(empty)
    assert tables(empty) == ["session"]
    sql(empty, 'DROP TABLE "session"')
    migrate(empty)
    assert empty.read_now(head_of) == 0
    empty.close()


def test_processes_that_migrate_at_once_all_find_it_done(database_url: str, tmp_path: Path) -> None:
    environment = os.environ | {"DASHBOARD_DATABASE_URL": database_url, "DASHBOARD_DATA": str(tmp_path)}
    command = [sys.executable, "-m", "dashboard", "migrate"]
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [(process.communicate(timeout=30)[1], process.returncode) for process in processes]
    assert ends == [("", 0)] * 2


def test_threads_that_migrate_at_the_same_instant_all_find_it_done(database_url: str) -> None:
    barrier = Barrier(6)

    def run(_: int) -> int:
        database = Database(database_url)
        barrier.wait(10)
        try:
            migrate(database)
            return database.read_now(head_of)
        finally:
            database.close()

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(run, range(6))) == [0] * 6


def test_a_writer_that_migrated_does_not_stand_in_a_lock_for_longer_than_before(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(database)
    assert database.write_now(lambda session: session.execute(text("PRAGMA busy_timeout")).scalar_one()) == 1000
    database.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Database) -> None:
    sql(database, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerSchema, match=r"newer Callboard \(its tables are at 9999\): .*\. Start that one again"):
        migrate(database)
    assert (
        database.read_now(lambda session: session.execute(text("SELECT * FROM alembic_version")).scalar_one()) == "9999"
    )


def command(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("DASHBOARD_")}
    run = [sys.executable, "-m", "dashboard", *arguments]
    return subprocess.run(run, env=outside | environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("arguments", [["migrate"], ["serve"]], ids=["migrate", "serve"])
def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path}/file/data/callboard.db"
    ran = command(arguments, DASHBOARD_DATABASE_URL=url, DASHBOARD_DATA=str(tmp_path))
    assert ran.returncode == 1
    assert ran.stderr.startswith("callboard: The folder of the database cannot be made: ")
    assert "DASHBOARD_DATA" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_file_that_is_no_database_is_said_in_a_sentence_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "callboard.db").write_bytes(b"my diary, do not read. " * 100)
    ran = command(["migrate"], DASHBOARD_DATA=str(tmp_path))
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "cannot be used: file is not a database" in ran.stderr
    assert (tmp_path / "callboard.db").read_bytes() == b"my diary, do not read. " * 100


def test_a_postgresql_that_is_not_there_is_said_in_a_sentence_without_the_password(tmp_path: Path) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/calls"
    ran = command(["migrate"], DASHBOARD_DATABASE_URL=url, DASHBOARD_DATA=str(tmp_path))
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "cannot be used" in ran.stderr
    assert "secret" not in ran.stderr


def test_a_newer_database_is_said_in_a_sentence(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(database)
    sql(database, "UPDATE alembic_version SET version_num = '9999'")
    database.close()
    ran = command(["serve"], DASHBOARD_DATA=str(tmp_path), DASHBOARD_BIND="127.0.0.1:1")
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "made by a newer Callboard" in ran.stderr
