"""A backup holds every call that was acknowledged before it began; a restore loses nothing, and pages know of it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from sqlmodel import Session

from dashboard.database import Database
from dashboard.database.clock import UNKNOWN, epoch_of, given_out
from dashboard.database.sqlite import damage_in
from dashboard.filters import CallFilter
from dashboard.migrations import migrate
from dashboard.roles import EVERYTHING
from dashboard.safekeeping import backup as backup_command
from dashboard.safekeeping.backup import backup, recordings_beside
from dashboard.safekeeping.restore import restore
from dashboard.safekeeping.steps import CannotRun
from dashboard.settings import Settings
from dashboard.store.accounts import (
    account_of_session,
    add_account,
    add_wall_link,
    find_account,
    start_session,
    wall_query,
)
from dashboard.store.recordings import discarded
from dashboard.store.tokens import add_token, bearer_of
from dashboard.streams import RELOAD
from dashboard.web.parts import Callboard, now_micros
from tests.reports import WEBHOOK, report
from tests.stored import column, sql, store

MakeApp = Callable[..., Awaitable[Callboard]]


def settings_of(folder: Path) -> Settings:
    folder.mkdir(exist_ok=True)
    return Settings(database_url=f"sqlite:///{folder / 'callboard.db'}", data_folder=folder)


def back_up(settings: Settings, file: Path, *, recordings: bool = False) -> None:
    database = Database(settings.database_url)
    assert backup(Namespace(file=file, recordings=recordings), database, settings) == 0
    database.close()


def put_back(settings: Settings, file: Path | None, *, recordings: bool = False, in_place: bool = False) -> None:
    options = Namespace(file=file, recordings=recordings, in_place=in_place)
    assert restore(options, settings, partial(Database, settings.database_url)) == 0


def fill(settings: Settings, *sids: str) -> None:
    database = Database(settings.database_url)
    migrate(database)
    store(database, *(report(sid) for sid in sids))
    database.close()


def sids_in(file: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return [sid for (sid,) in connection.execute("SELECT call_sid FROM call ORDER BY id")]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix not in (".db-wal", ".db-shm"))


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    """A board's data, with two calls."""
    settings = settings_of(tmp_path / "here")
    fill(settings, "a", "b")
    return settings


async def test_a_backup_under_load_restored_elsewhere_has_every_call_acknowledged_before_it_began(
    app: Callboard, tmp_path: Path
) -> None:
    acknowledged: list[str] = []
    is_over = asyncio.Event()

    async def send() -> None:
        client = app.test_client()
        while not is_over.is_set():
            sid = f"call {len(acknowledged)}"
            assert (await client.post(WEBHOOK, data=report(sid))).status_code == 200
            acknowledged.append(sid)
            if len(acknowledged) == 20:
                has_some.set()

    has_some = asyncio.Event()
    sending = asyncio.create_task(send())
    await has_some.wait()
    before = list(acknowledged)
    await asyncio.to_thread(back_up, app.settings, tmp_path / "copy.db")
    is_over.set()
    await sending
    there = settings_of(tmp_path / "there")
    await asyncio.to_thread(put_back, there, tmp_path / "copy.db")
    restored = sids_in(tmp_path / "there" / "callboard.db")
    assert restored[: len(before)] == before
    assert restored == acknowledged[: len(restored)]


async def test_a_page_from_before_the_restore_loads_anew_and_one_from_after_it_does_not(
    here: Settings, tmp_path: Path, make_app: MakeApp
) -> None:
    back_up(here, tmp_path / "copy.db")
    fill(here, "c", "d")
    database = Database(here.database_url)
    old = database.read_now(epoch_of)
    database.close()
    put_back(here, tmp_path / "copy.db")
    app = await make_app(database_url=here.database_url, data_folder=here.data_folder)
    html = await (await app.test_client().get("/")).get_data(as_text=True)
    assert f"after=5&amp;epoch={app.feed.epoch}&amp;day=" in html
    # Its number is one that the restored database has given out as well.
    for epoch, expected in ((old, RELOAD), (app.feed.epoch, None), ("", None)):
        stream = app.streams.follow(CallFilter(), 2, epoch=epoch)
        await anext(stream)
        assert (await anext(stream) == RELOAD) == (expected == RELOAD)
    async with app.test_client().request(f"/live?after=0&epoch={old}", headers={"Last-Event-ID": "2"}) as connection:
        await connection.send_complete()
        received = b""
        while b"event" not in received:
            received += await connection.receive()
        assert b"event: reload" in received
        await connection.disconnect()


def test_a_backup_is_the_owners_alone_and_never_written_over_another_file(here: Settings, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    back_up(here, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sids_in(file) == ["a", "b"]
    before = file.read_bytes()
    with pytest.raises(CannotRun, match="exists already and stays as it is"):
        back_up(here, file)
    assert file.read_bytes() == before


def test_a_backup_of_nothing_is_refused_and_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="There is no database at"):
        back_up(settings_of(tmp_path / "empty"), tmp_path / "copy.db")
    assert names(tmp_path / "empty") == []


def spoil_pages(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: 3 * 4096] + bytes(4096) + whole[4 * 4096 :])


def make_nonsense(file: Path) -> None:
    file.write_bytes(b"no database " * 1000)


@pytest.mark.parametrize("spoil", [spoil_pages, make_nonsense])
def test_a_damaged_database_is_not_backed_up_but_told_of(
    here: Settings, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(here.data_folder / "callboard.db")
    with pytest.raises(CannotRun, match=r"No backup was made.*Keep it as it is.*restore FILE"):
        back_up(here, tmp_path / "copy.db")
    assert names(tmp_path) == ["here"]


def test_a_backup_that_was_cut_off_has_no_backups_name_and_is_made_anew(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def look(copy: Path) -> str:
        seen.append(names(tmp_path))
        return damage_in(copy)

    monkeypatch.setattr(backup_command, "damage_in", look)
    (tmp_path / "copy.db.part").write_bytes(b"what a power cut left")
    back_up(here, tmp_path / "copy.db")
    assert seen == [["copy.db.part", "here"]]
    assert names(tmp_path) == ["copy.db", "here"]
    assert sids_in(tmp_path / "copy.db") == ["a", "b"]


def test_a_file_to_restore_and_a_database_put_back_by_other_means_are_two_things(
    here: Settings, tmp_path: Path
) -> None:
    back_up(here, tmp_path / "copy.db")
    with pytest.raises(CannotRun, match=r"To restore .*copy\.db, leave it out"):
        put_back(here, tmp_path / "copy.db", in_place=True)


def test_nobody_is_let_in_by_what_was_ended_since_the_backup(here: Settings, tmp_path: Path) -> None:
    database = Database(here.database_url)

    def let_in(session: Session) -> None:
        add_account(session, "asha", "no hash", 1)
        session.flush()
        account = find_account(session, "asha")
        assert account is not None
        assert account.id is not None
        start_session(session, account.id, "a session", now_micros())
        add_wall_link(session, "a link", "period=today", now_micros(), made_by="asha")
        add_token(session, "a token", "crm", EVERYTHING, 1)

    def who_is_in(session: Session) -> tuple[bool, bool, bool]:
        now = now_micros()
        signed_in = account_of_session(session, "a session", now)
        token = bearer_of(session, "a token", now)
        return signed_in is not None, wall_query(session, "a link") is not None, token is not None

    database.write_now(let_in)
    assert database.read_now(who_is_in) == (True, True, True)
    database.close()
    back_up(here, tmp_path / "copy.db")
    put_back(here, tmp_path / "copy.db")
    after = Database(here.database_url)
    assert after.read_now(who_is_in) == (False, False, False)
    assert after.read_now(lambda session: find_account(session, "asha")) is not None
    after.close()


def test_what_a_restore_replaces_is_kept_beside_it(here: Settings, tmp_path: Path) -> None:
    back_up(here, tmp_path / "copy.db")
    fill(here, "c")
    put_back(here, tmp_path / "copy.db")
    assert sids_in(here.data_folder / "callboard.db") == ["a", "b"]
    kept = [name for name in names(here.data_folder) if "replaced" in name]
    assert len(kept) == 1
    assert sids_in(here.data_folder / kept[0]) == ["a", "b", "c"]
    assert names(here.data_folder) == sorted(["callboard.db", *kept])


def test_a_damaged_database_is_replaced_and_kept_too(here: Settings, tmp_path: Path) -> None:
    back_up(here, tmp_path / "copy.db")
    (here.data_folder / "callboard.db").write_bytes(b"not a database any more" * 100)
    put_back(here, tmp_path / "copy.db")
    assert sids_in(here.data_folder / "callboard.db") == ["a", "b"]
    assert len([name for name in names(here.data_folder) if "replaced" in name]) == 1


def numbers_of(settings: Settings, sid: str) -> tuple[int, int]:
    """The number and the call's id that a new report gets."""
    database = Database(settings.database_url)
    (receipt,) = store(database, report(sid))
    database.close()
    assert receipt.call_id is not None
    return receipt.id, receipt.call_id


def test_no_number_of_the_replaced_database_is_used_again(here: Settings, tmp_path: Path) -> None:
    back_up(here, tmp_path / "copy.db")
    fill(here, "c", "d", "e")
    last = numbers_of(here, "f")
    put_back(here, tmp_path / "copy.db")
    number, call_id = numbers_of(here, "after")
    assert last < (number, call_id) < (last[0] + 5, last[1] + 5)
    assert call_id > last[1]


def test_a_backup_that_is_newer_than_what_it_replaces_goes_on_from_its_own_numbers(
    here: Settings, tmp_path: Path
) -> None:
    back_up(here, tmp_path / "old.db")
    fill(here, "c", "d", "e")
    back_up(here, tmp_path / "new.db")
    there = settings_of(tmp_path / "there")
    fill(there, "x")
    put_back(there, tmp_path / "new.db")
    assert numbers_of(there, "after") == (6, 6)


def damaged(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: 3 * 4096] + bytes(4096) + whole[4 * 4096 :])


@pytest.mark.parametrize("spoil", [damaged, Path.unlink], ids=["damaged", "not there"])
def test_numbers_go_far_ahead_where_nobody_knows_the_last_ones(
    here: Settings, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    back_up(here, tmp_path / "copy.db")
    spoil(here.data_folder / "callboard.db")
    put_back(here, tmp_path / "copy.db")
    number, call_id = numbers_of(here, "after")
    assert (number > UNKNOWN.seq, call_id > UNKNOWN.call_id) == (True, True)


@pytest.fixture
def reader(here: Settings) -> Iterator[None]:
    """Another process that has the database open, as an idle server does."""
    program = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1]);"
        "connection.execute('SELECT * FROM call').fetchall(); print('open', flush=True); sys.stdin.read()"
    )
    file = str(here.data_folder / "callboard.db")
    with subprocess.Popen(
        [sys.executable, "-c", program, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield
        process.communicate()


def test_a_restore_is_refused_while_somebody_has_the_database_open(
    here: Settings, tmp_path: Path, reader: None
) -> None:
    back_up(here, tmp_path / "copy.db")
    with pytest.raises(CannotRun, match=r"has .*callboard\.db open. Stop it, and run this again"):
        put_back(here, tmp_path / "copy.db")
    assert names(here.data_folder) == ["callboard.db"]


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def of_somebody_else(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE diary (day)")


def of_a_newer_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


@pytest.mark.parametrize(
    ("spoil", "refusal", "words"),
    [
        (cut_short, CannotRun, "cannot be restored: .*Nothing was changed"),
        (of_somebody_else, CannotRun, "it is no database of Callboard's"),
        (of_a_newer_version, CannotRun, r"copy\.db was made by a newer Callboard: restore it with that version"),
        (Path.unlink, CannotRun, "could not be restored: No such file"),
    ],
    ids=["cut short", "another program's", "newer", "not there"],
)
def test_what_cannot_be_restored_is_refused_and_nothing_is_changed(
    here: Settings, tmp_path: Path, spoil: Callable[[Path], None], refusal: type[Exception], words: str
) -> None:
    back_up(here, tmp_path / "copy.db")
    spoil(tmp_path / "copy.db")
    with pytest.raises(refusal, match=words):
        put_back(here, tmp_path / "copy.db")
    assert names(here.data_folder) == ["callboard.db"]
    assert sids_in(here.data_folder / "callboard.db") == ["a", "b"]


def test_recordings_travel_with_the_backup_and_only_what_is_one_comes_back(here: Settings, tmp_path: Path) -> None:
    name = hashlib.sha256(b"sound").hexdigest()
    place = here.data_folder / "recordings" / name[:2] / name
    place.parent.mkdir(parents=True)
    place.write_bytes(b"sound")
    file = tmp_path / "copy.db"
    back_up(here, file, recordings=True)
    with tarfile.open(recordings_beside(file), "a") as archive:
        for odd in ("../../escaped", "ab/" + "ab" * 32):
            entry = tarfile.TarInfo(odd)
            entry.size = 4
            archive.addfile(entry, BytesIO(b"evil"))
    shutil.rmtree(here.data_folder / "recordings")
    put_back(here, file, recordings=True)
    assert [path.read_bytes() for path in (here.data_folder / "recordings").glob("??/*")] == [b"sound"]
    assert not (tmp_path / "escaped").exists()


def put_recording(folder: Path, sound: bytes) -> str:
    name = hashlib.sha256(sound).hexdigest()
    place = folder / "recordings" / name[:2] / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(sound)
    return name


def discarded_in(settings: Settings) -> list[str]:
    database = Database(settings.database_url)
    found = database.read_now(discarded)
    database.close()
    return [file for file, _ in found]


def test_recordings_that_came_after_the_backup_are_removed_and_the_others_stay(
    here: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known, late = put_recording(here.data_folder, b"known"), put_recording(here.data_folder, b"late")
    (here.data_folder / "recordings" / late[:2] / "note.txt").touch()
    database = Database(here.database_url)
    row = f"(call_id, url, state, attempts, due_at, file) VALUES (1, '', 'kept', 1, 0, '{known}')"
    sql(database, f"INSERT INTO recording {row}")
    database.close()
    back_up(here, tmp_path / "copy.db", recordings=True)
    put_back(here, tmp_path / "copy.db", recordings=True)
    assert discarded_in(here) == [late]
    assert "that no call has now: 1." in capsys.readouterr().out


def test_a_restore_elsewhere_leaves_the_recordings_of_the_board_in_that_folder_alone(
    here: Settings, tmp_path: Path
) -> None:
    put_recording(here.data_folder, b"of the board")
    back_up(here, tmp_path / "copy.db")
    for place in (tmp_path / "tried.db", here.data_folder / "tried.db"):
        tried = replace(here, database_url=f"sqlite:///{place}")
        put_back(tried, tmp_path / "copy.db")
        assert discarded_in(tried) == []


def test_a_database_that_was_put_back_by_other_means_gets_its_new_epoch(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    before = database.read_now(epoch_of)
    assert len(before) == 16
    put_back(Settings(database_url=database_url, data_folder=tmp_path), None, in_place=True)
    assert database.read_now(epoch_of) not in ("", before)
    assert database.read_now(given_out) == UNKNOWN


def test_postgresql_is_copied_by_its_own_program_and_the_password_stays_out_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(database_url="postgresql+psycopg://me:secret@127.0.0.1:1/calls", data_folder=tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        CannotRun, match=r"pg_dump --format=custom --dbname=postgresql://me@127\.0\.0\.1:1/calls --file="
    ):
        back_up(settings, tmp_path / "copy.dump")
    assert not (tmp_path / "copy.dump").exists()
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\necho "$@" "$PGPASSWORD"\n')
    program.chmod(0o700)
    back_up(settings, tmp_path / "copy.dump")
    said = (tmp_path / "copy.dump").read_text()
    assert said == "--format=custom --dbname=postgresql://me@127.0.0.1:1/calls secret\n"
    program.write_text("#!/bin/sh\necho 'no such server' >&2\nexit 1\n")
    with pytest.raises(CannotRun, match="pg_dump made no copy: no such server"):
        back_up(settings, tmp_path / "other.dump")
    assert not (tmp_path / "other.dump").exists()
    with pytest.raises(CannotRun, match="pg_restore"):
        put_back(settings, tmp_path / "copy.dump")


def test_a_backup_can_be_made_of_tables_of_an_older_version(here: Settings, tmp_path: Path) -> None:
    database = Database(here.database_url)
    sql(database, "UPDATE alembic_version SET version_num = '0001'")
    database.close()
    back_up(here, tmp_path / "copy.db")
    assert sids_in(tmp_path / "copy.db") == ["a", "b"]


def test_the_epoch_stays_through_a_start(database: Database) -> None:
    before = column(database, "clock", "epoch")
    migrate(database)
    assert column(database, "clock", "epoch") == before
