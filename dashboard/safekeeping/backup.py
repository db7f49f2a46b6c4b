"""`backup`: the whole database as one file, while a server runs; the recordings beside it, if they are wanted."""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from dashboard import measures
from dashboard.database import Database
from dashboard.database.sqlite import damage_in
from dashboard.disk import sync_folder
from dashboard.program import PROGRAM
from dashboard.safekeeping.steps import CannotRun, cause_of
from dashboard.settings import Settings

_KEEP = (
    f"Keep it as it is, with its -wal beside it, and put an earlier backup back: {PROGRAM} restore "
    "FILE. What `doctor` says of it helps, too."
)


def add_backup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the file to make; one that exists is never written over")
    parser.add_argument(
        "--recordings", action="store_true", help="the kept recordings, too, as FILE.recordings.tar beside it"
    )


def backup(options: argparse.Namespace, database: Database, settings: Settings) -> int:
    """Every call whose report was answered before this begins is in it. `database` may be of any version."""
    file: Path = options.file
    archive = recordings_beside(file)
    try:
        for path in (file, archive) if options.recordings else (file,):
            if path.exists():
                raise CannotRun(f"{path} exists already and stays as it is. Give another name.")
        _copy(database, file)
        print(f"The database stands in {file} ({measures.size(file.stat().st_size)}).")
        if options.recordings:
            # After the database: a recording that comes in between is one more, not one too few.
            count = _new_file(archive, lambda out: _pack(settings.data_folder / "recordings", out))
            print(f"{count} recordings stand in {archive} ({measures.size(archive.stat().st_size)}).")
    except OSError as problem:
        raise CannotRun(f"No backup was made in {file}: {problem.strerror or problem}.") from problem
    except SQLAlchemyError as problem:
        raise CannotRun(
            f"No backup was made in {file}: the database {database.place} does not open: {cause_of(problem)}. {_KEEP}"
        ) from problem
    finally:
        database.close()
    return 0


def recordings_beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.recordings.tar")


def _copy(database: Database, file: Path) -> None:
    if database.is_sqlite:
        if not Path(database.place).exists():
            raise CannotRun(f"There is no database at {database.place}. Set DASHBOARD_DATA or DASHBOARD_DATABASE_URL.")
        with _becoming(file) as part:
            database.copy(part)
            if damage := damage_in(part):
                raise CannotRun(f"No backup was made: the database {database.place} is damaged ({damage}). {_KEEP}")
    else:
        _new_file(file, lambda out: _dump(database, out))


@contextmanager
def _becoming(file: Path) -> Iterator[Path]:
    """Another name until it is whole: what a power cut leaves must not pass for a backup. Raises FileExistsError."""
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        yield part
        if file.exists():
            raise FileExistsError(errno.EEXIST, "it exists already", str(file))
        part.rename(file)
        sync_folder(file.parent)
    finally:
        part.unlink(missing_ok=True)


def dump_command(database: Database) -> list[str]:
    """What makes a copy of a PostgreSQL database; the password is left out and goes through the environment."""
    given = database.url
    bare = URL.create("postgresql", given.username, None, given.host, given.port, given.database, given.query)
    return ["pg_dump", "--format=custom", f"--dbname={bare.render_as_string()}"]


def _dump(database: Database, out: BinaryIO) -> int:
    command = dump_command(database)
    advice = f"Run it where the server's own programs are: {' '.join(command)} --file=FILE"
    if shutil.which(command[0]) is None:
        raise CannotRun(f"PostgreSQL is copied by its own pg_dump, and that is not installed here. {advice}")
    environment = os.environ | ({"PGPASSWORD": str(database.url.password)} if database.url.password else {})
    ran = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, env=environment, text=True, check=False)
    if ran.returncode != 0:
        said = (ran.stderr.strip().splitlines() or ["it did not say why"])[0]
        raise CannotRun(f"pg_dump made no copy: {said}. {advice}")
    return 0


def _pack(folder: Path, out: BinaryIO) -> int:
    """Every kept recording, by its place in the folder; one that is removed meanwhile is left out."""
    count = 0
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in sorted(folder.glob("??/*")):
            try:
                entry = archive.gettarinfo(path, arcname=str(path.relative_to(folder)))
                with path.open("rb") as file:
                    archive.addfile(entry, file)
            except FileNotFoundError:
                continue
            count += 1
    return count


def _new_file(path: Path, write: Callable[[BinaryIO], int]) -> int:
    """A file of the owner's alone, on the disk when this returns; nothing is left of one that did not become whole."""
    with _becoming(path) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            result = write(file)
            file.flush()
            os.fsync(file.fileno())
    return result
