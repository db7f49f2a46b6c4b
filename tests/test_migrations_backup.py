"""Before its tables change, a SQLite file is copied: whole, once, and never over another copy."""

from __future__ import annotations

import logging
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from alembic.script import ScriptDirectory

from dashboard import migrations
from dashboard.database import Database
from dashboard.migrations import NotCopied, migrate
from tests.full_disk import files_end_at
from tests.reports import report
from tests.stored import column, store

HEAD = str(ScriptDirectory(str(migrations.SCRIPTS)).get_current_head())
ADDS_A_COLUMN = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", "HEAD"

def upgrade() -> None:
    op.add_column("call", sa.Column("mood", sa.Text, nullable=False, server_default="good"))
""".replace("HEAD", HEAD)
FAILS = ADDS_A_COLUMN + "    raise RuntimeError('this migration is broken')\n"
IS_KILLED = ADDS_A_COLUMN + "    import os\n    os.kill(os.getpid(), 9)\n"


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations of a next version: ours, and what `next_version` adds to them."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrations, "SCRIPTS", folder)
    return folder


def next_version(scripts: Path, text: str = ADDS_A_COLUMN) -> None:
    (scripts / "versions" / "9999_next.py").write_text(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "callboard.db"


@pytest.fixture
def old(file: Path, scripts: Path) -> Iterator[Database]:
    """A database of this version, in use: 50 calls, the newest of them in the write-ahead log alone."""
    database = Database(f"sqlite:///{file}")
    migrate(database)
    store(database, *(report(f"call {number}") for number in range(50)))
    assert file.with_name("callboard.db-wal").stat().st_size > 0
    yield database
    database.close()


def revision_of(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def calls_in(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return int(connection.execute("SELECT count(*) FROM call").fetchone()[0])


def copies(file: Path) -> list[str]:
    """Whatever lies beside the database and belongs to a copy."""
    return sorted(path.name for path in file.parent.iterdir() if "before" in path.name)


def test_a_database_whose_tables_change_is_kept_as_it_was(
    old: Database, file: Path, scripts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    next_version(scripts)
    with caplog.at_level(logging.INFO):
        migrate(old)
    copy = file.with_name("callboard-before-9999.db")
    assert f"it is kept in {copy}." in caplog.text
    assert copies(file) == [copy.name]
    assert (revision_of(copy), revision_of(file)) == (HEAD, "9999")
    assert (calls_in(copy), calls_in(file)) == (50, 50)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert column(old, "call", "mood") == ["good"] * 50


def test_the_copy_put_in_place_of_the_database_is_that_database_again(old: Database, file: Path, scripts: Path) -> None:
    next_version(scripts)
    migrate(old)
    old.close()
    file.with_name("callboard-before-9999.db").replace(file)
    (scripts / "versions" / "9999_next.py").unlink()
    restored = Database(f"sqlite:///{file}")
    migrate(restored)
    store(restored, report("after"))
    restored.close()
    assert calls_in(file) == 51


def test_a_new_database_and_one_that_is_up_to_date_are_not_copied(file: Path, scripts: Path) -> None:
    next_version(scripts)
    for _ in range(2):
        database = Database(f"sqlite:///{file}")
        migrate(database)
        database.close()
    assert revision_of(file) == "9999"
    assert copies(file) == []


def test_a_file_with_the_tables_of_another_program_is_copied_too(file: Path, scripts: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE diary (page TEXT)")
    database = Database(f"sqlite:///{file}")
    migrate(database)
    database.close()
    assert copies(file) == [f"callboard-before-{HEAD}.db"]


def test_postgresql_is_migrated_without_a_copy(postgres_url: str, scripts: Path, tmp_path: Path) -> None:
    database = Database(postgres_url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        migrate(database)
        next_version(scripts)
        migrate(database)
    finally:
        database.close()
    with psycopg.connect(postgres_url) as server:
        assert server.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    assert [path for path in tmp_path.rglob("*-before-*") if path.is_file()] == []


def test_an_older_copy_is_never_written_over(old: Database, file: Path, scripts: Path) -> None:
    next_version(scripts)
    names = ["callboard-before-9999.db", "callboard-before-9999-2.db"]
    for name in names:
        file.with_name(name).write_text("somebody's only copy")
    migrate(old)
    assert {file.with_name(name).read_text() for name in names} == {"somebody's only copy"}
    assert calls_in(file.with_name("callboard-before-9999-3.db")) == 50


def test_a_migration_that_fails_at_every_start_fills_no_disk_with_copies(
    old: Database, file: Path, scripts: Path
) -> None:
    next_version(scripts, FAILS)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="this migration is broken"):
            migrate(old)
    assert copies(file) == ["callboard-before-9999.db"]
    # Taken in by the older version, to which somebody went back.
    store(old, report("another"))
    with pytest.raises(RuntimeError, match="this migration is broken"):
        migrate(old)
    assert copies(file) == ["callboard-before-9999-2.db", "callboard-before-9999.db"]
    assert (calls_in(file), revision_of(file)) == (51, HEAD)


def test_of_threads_that_migrate_at_once_one_makes_the_copy(old: Database, file: Path, scripts: Path) -> None:
    next_version(scripts)
    barrier = Barrier(3)

    def run(_: int) -> None:
        database = Database(f"sqlite:///{file}")
        barrier.wait(10)
        try:
            migrate(database)
        finally:
            database.close()

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(run, range(3)))
    assert copies(file) == ["callboard-before-9999.db"]
    assert column(old, "call", "mood") == ["good"] * 50


PROGRAM = """
import os, sys
from pathlib import Path
from dashboard import migrations
from dashboard.__main__ import main

migrations.SCRIPTS = Path(sys.argv[1])
if sys.argv[2] == "copying":
    os.fsync = lambda _: os.kill(os.getpid(), 9)
sys.exit(main(["migrate"]))
"""


def command(file: Path, scripts: Path, moment: str = "") -> subprocess.CompletedProcess[str]:
    """`python -m dashboard migrate` of the next version; at a moment named it is killed as a power cut would."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(scripts), moment],
        env={"DASHBOARD_DATA": str(file.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("moment", ["copying", "migrating"])
def test_after_a_kill_half_way_the_next_start_works(old: Database, file: Path, scripts: Path, moment: str) -> None:
    next_version(scripts, IS_KILLED)
    assert command(file, scripts, moment).returncode == -signal.SIGKILL
    left = "callboard-before-9999.db.part" if moment == "copying" else "callboard-before-9999.db"
    assert copies(file) == [left]
    assert (calls_in(file), revision_of(file)) == (50, HEAD)
    next_version(scripts)
    ran = command(file, scripts)
    assert (ran.returncode, ran.stdout) == (0, f"The database {file} is up to date.\n")
    assert f"As it was before, it is kept in {file.with_name('callboard-before-9999.db')}." in ran.stderr
    assert copies(file) == ["callboard-before-9999.db"]
    assert calls_in(file.with_name("callboard-before-9999.db")) == 50
    assert (calls_in(file), revision_of(file)) == (50, "9999")


def test_a_disk_without_room_for_the_copy_changes_nothing_and_is_said(
    old: Database, file: Path, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_version(scripts)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 16 * 2**20}))
    with pytest.raises(NotCopied, match=r"it needs 17 MiB, and the disk has less\. Nothing was changed\. Make room in"):
        migrate(old)
    assert (copies(file), revision_of(file)) == ([], HEAD)
    monkeypatch.undo()


def test_a_write_that_fails_while_copying_changes_nothing_and_is_one_sentence(
    old: Database, file: Path, scripts: Path
) -> None:
    next_version(scripts)
    old.close()
    with files_end_at(file.stat().st_size // 2):
        ran = command(file, scripts)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert ran.stderr.startswith(f"callboard: The tables of {file} have to be changed, but the copy")
    assert "Nothing was changed." in ran.stderr
    assert (copies(file), calls_in(file), revision_of(file)) == ([], 50, HEAD)
    assert command(file, scripts).returncode == 0
    assert copies(file) == ["callboard-before-9999.db"]
