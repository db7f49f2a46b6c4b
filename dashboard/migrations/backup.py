"""The copy of a SQLite file made before its tables change: beside it, once for each state; knows no migration."""

from __future__ import annotations

import errno
import filecmp
import shutil
from itertools import chain, count
from pathlib import Path

from dashboard.database import Database
from dashboard.disk import sync_folder

# Besides the copy the migration itself needs room, and whoever else uses the disk goes on writing.
_SPARE_BYTES = 16 * 2**20


class NotCopied(RuntimeError):
    """No copy could be made, so nothing was changed; its text says why and what to do."""


def keep_copy(database: Database, revision: str) -> Path:
    """Copy the file as it is before the tables go to `revision`, and give the copy's path; nobody else may write.

    An older copy stays: this one gets the next free name, unless it is the same byte for byte, as when a migration
    fails and the supervisor starts the program again and again. Raises NotCopied.
    """
    file = Path(database.place)
    part = file.with_name(f"{file.stem}-before-{revision}{file.suffix}.part")
    try:
        # Of whoever was killed while copying: the lock says that nobody is at it now.
        part.unlink(missing_ok=True)
        _refuse_full_disk(file)
        database.copy(part)
        return _put_in_place(part, file, revision)
    except OSError as problem:
        raise NotCopied(
            f"The tables of {file} have to be changed, but the copy that is made of it first failed: "
            f"{problem.strerror}. Nothing was changed. Make room in {file.parent} for a copy of the file, or put right "
            "what hinders it there, and start again."
        ) from problem


def _refuse_full_disk(file: Path) -> None:
    """Before, not after: a disk filled to the last byte harms everybody on it."""
    log = file.with_name(f"{file.name}-wal")
    needed = file.stat().st_size + (log.stat().st_size if log.exists() else 0) + _SPARE_BYTES
    if shutil.disk_usage(file.parent).free < needed:
        raise OSError(errno.ENOSPC, f"it needs {needed // 2**20 + 1} MiB, and the disk has less")


def _put_in_place(part: Path, file: Path, revision: str) -> Path:
    names = (
        f"{file.stem}-before-{revision}{ending}{file.suffix}" for ending in chain([""], map("-{}".format, count(2)))
    )
    copy = next(path for path in map(file.with_name, names) if not path.exists() or _is_same(part, path))
    if copy.exists():
        part.unlink()
        return copy
    part.rename(copy)
    sync_folder(file.parent)
    return copy


def _is_same(part: Path, copy: Path) -> bool:
    return filecmp.cmp(part, copy, shallow=False)
