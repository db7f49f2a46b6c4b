"""`restore`: puts a backup in place of the database; what was there stays beside it. A new epoch begins."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from dashboard.database import Database
from dashboard.database.clock import GivenOut, begin_epoch, given_out
from dashboard.database.sqlite import damage_of, is_in_use
from dashboard.database_url import sqlite_url
from dashboard.disk import sync_folder
from dashboard.migrations import NewerSchema, migrate
from dashboard.recordings.keep import Keep
from dashboard.safekeeping.backup import recordings_beside
from dashboard.safekeeping.steps import CannotRun, cause_of
from dashboard.settings import Settings
from dashboard.store.accounts import end_all_sessions, end_wall_links
from dashboard.store.recordings import discard_unknown
from dashboard.store.tokens import end_all_tokens

_ENDINGS = ("", "-wal", "-shm")
_ANEW = (
    "Pages that were open before load anew.\n"
    "Everybody signs in again; shared walls and API tokens have ended: make them anew.\n"
    "Accounts are as the backup has them, passwords, roles and who was disabled: see `user list`."
)


def add_restore_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", help="a file that `backup` made")
    parser.add_argument("--recordings", action="store_true", help="put the recordings of FILE.recordings.tar back, too")
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="the database was put back by other means (pg_restore): bring its tables up to date, begin its new epoch",
    )


def restore(options: argparse.Namespace, settings: Settings, open_database: Callable[[], Database]) -> int:
    """Raises CannotRun, before anything has been changed."""
    if options.in_place and options.file is not None:
        raise CannotRun(
            f"--in-place is for a database that was put back by other means. To restore {options.file}, leave it out."
        )
    if options.in_place:
        database = open_database()
        database.write_now(partial(_begin_anew, replaced=None))
        print(f"{database.place} is up to date. {_ANEW}")
        database.close()
        return 0
    if options.file is None:
        raise CannotRun("Say which file to restore, as `backup` made it.")
    target = Database(settings.database_url)
    target.close()
    if not target.is_sqlite:
        raise CannotRun(
            f"{target.place} is a PostgreSQL: stop the board, restore it with pg_restore --clean --if-exists "
            f"--dbname=… {options.file}, then run this command with --in-place."
        )
    place = Path(target.place)
    try:
        kept = _put_back(options.file, place)
        print(f"{place} is as {options.file} had it." + (f" What was there is kept in {kept}." if kept else ""))
        if options.recordings:
            count = _put_recordings_back(recordings_beside(options.file), Keep(settings.data_folder / "recordings"))
            print(f"{count} recordings were put back.")
    except OSError as problem:
        where = f"{problem.strerror or problem}{f': {problem.filename}' if problem.filename else ''}"
        raise CannotRun(f"{options.file} could not be restored: {where}.") from problem
    _say_discarded(settings, place)
    print("Whoever was erased since that backup was made is back: erase them again.")
    print(f"Start the board again. {_ANEW}")
    return 0


def _say_discarded(settings: Settings, place: Path) -> None:
    """Have the board remove recordings that came after the backup: no call has them, so nobody could erase them."""
    folder = settings.data_folder / "recordings"
    if not folder.exists() or not _is_of(settings.data_folder, place):
        return
    database = Database(sqlite_url(place))
    try:
        count = sum(database.write_now(partial(discard_unknown, files=names)) for names in Keep(folder).names())
    except (SQLAlchemyError, OSError) as problem:
        raise CannotRun(
            f"{place} was restored, but recordings in {folder} that no call of it has could not be noted: "
            f"{cause_of(problem)}. Mend that, and run this again."
        ) from problem
    finally:
        database.close()
    if count:
        print(f"Recordings in {folder} that no call has now: {count}. The board removes them once it runs.")
        print("To keep them, copy that folder before you start it.")


def _is_of(folder: Path, place: Path) -> bool:
    """Whether the recordings in a data folder are this database's, not those of another board that is kept there."""
    usual = folder / "callboard.db"
    return place.samefile(usual) if usual.exists() else place.resolve().parent == folder.resolve()


def _put_back(file: Path, place: Path) -> Path | None:
    """Gives where the database that was there is kept; None if there was none."""
    _refuse_in_use(place)
    part = place.with_name(f"{place.name}.part")
    _remove(part)
    try:
        _copy_all(file, part)
        _make_ready(file, part, _replaced(place))
        _refuse_in_use(place)
        kept = _keep_aside(place) if place.exists() else None
        part.replace(place)
        sync_folder(place.parent)
        return kept
    finally:
        _remove(part)


def _refuse_in_use(place: Path) -> None:
    if is_in_use(place):
        raise CannotRun(f"A board (or another program) has {place} open. Stop it, and run this again.")


def _copy_all(file: Path, part: Path) -> None:
    """The backup itself stays as it is. Whoever copied a database by hand may have copied its log beside it."""
    for ending in ("", "-wal"):
        source, copy = Path(f"{file}{ending}"), Path(f"{part}{ending}")
        if ending and not source.exists():
            continue
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with source.open("rb") as opened, os.fdopen(descriptor, "wb") as out:
            shutil.copyfileobj(opened, out, 2**20)


def _replaced(place: Path) -> GivenOut | None:
    """What the database that is there has given out; None if there is none, or it is damaged and may not know."""
    if not place.exists():
        return None
    before = Database(sqlite_url(place))
    try:
        return None if before.read_now(damage_of) else before.read_now(given_out)
    except SQLAlchemyError:
        return None
    finally:
        # Whoever opens and leaves it last folds its log into it: then one rename is all there is to do.
        before.close()


def _make_ready(file: Path, part: Path, replaced: GivenOut | None) -> None:
    """Check it, bring its tables up to date, begin its new epoch; all of that on the disk. Raises CannotRun."""
    database = Database(sqlite_url(part))
    try:
        if problem := database.read_now(_problem):
            raise CannotRun(f"{file} cannot be restored: {problem}. Nothing was changed; try an older backup.")
        try:
            migrate(database, copies=False)
        except NewerSchema as newer:
            sentence = f"{file} was made by a newer Callboard: restore it with that version. Nothing was changed."
            raise CannotRun(sentence) from newer
        database.write_now(partial(_begin_anew, replaced=replaced))
    except SQLAlchemyError as problem:
        raise CannotRun(f"{file} cannot be restored: {cause_of(problem)}. Nothing was changed.") from problem
    finally:
        # The last one to leave folds the log into the file.
        database.close()
    if Path(f"{part}-wal").exists():
        raise CannotRun(f"{part} is held open by another program. Nothing was changed; run this again.")
    with part.open("rb") as written:
        os.fsync(written.fileno())


def _begin_anew(session: Session, replaced: GivenOut | None) -> None:
    """A new epoch; and nobody is let in by a sign-in, a link or a token that may have been ended since the backup."""
    begin_epoch(session, replaced)
    end_all_sessions(session)
    end_wall_links(session)
    end_all_tokens(session, int(datetime.now(UTC).timestamp() * 1_000_000))


def _problem(session: Session) -> str:
    if not {"clock", "inbox", "call"} <= set(inspect(session.connection()).get_table_names()):
        return "it is no database of Callboard's"
    damage = damage_of(session)
    return f"it is damaged ({damage})" if damage else ""


def _keep_aside(place: Path) -> Path:
    """Give the database that is there another name beside it, its log with it."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = place.with_name(f"{place.stem}-replaced-{stamp}{place.suffix}")
    if kept.exists():
        raise CannotRun(f"{kept} exists already. Run this again in a second.")
    # Of one that is damaged, or was killed just now, the log is kept beside it.
    for ending in _ENDINGS[1:]:
        if (log := Path(f"{place}{ending}")).exists():
            log.rename(f"{kept}{ending}")
    # Under both names until the new one takes its place: killed here, a server would otherwise begin an empty one.
    os.link(place, kept)
    return kept


def _remove(part: Path) -> None:
    for ending in _ENDINGS:
        Path(f"{part}{ending}").unlink(missing_ok=True)


def _put_recordings_back(archive: Path, keep: Keep) -> int:
    """Every recording of the archive that is what its name says; an archive can hold anything."""
    count = 0
    with tarfile.open(archive) as opened:
        for entry in opened:
            name = Path(entry.name).name
            source = opened.extractfile(entry) if entry.isfile() else None
            if source is None:
                continue
            try:
                place = keep.path(name)
            except ValueError:
                continue
            place.parent.mkdir(mode=0o700, exist_ok=True)
            draft = place.with_name(f"{name}.restored")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
                shutil.copyfileobj(source, out, 2**20)
                out.flush()
                os.fsync(out.fileno())
            with draft.open("rb") as written:
                is_right = hashlib.file_digest(written, "sha256").hexdigest() == name
            if is_right:
                draft.replace(place)
                count += 1
            else:
                draft.unlink()
    return count
