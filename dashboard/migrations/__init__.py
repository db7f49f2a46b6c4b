"""Brings a database to the tables this program knows: in one transaction, one process at a time, a copy made first."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from dashboard.database import Database
from dashboard.migrations.backup import NotCopied, keep_copy
from dashboard.program import PROGRAM

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["NewerSchema", "NotCopied", "migrate"]

log = logging.getLogger(__name__)

SCRIPTS = Path(__file__).parent
# Any number, the same in every process: it names the lock under which a database is migrated.
_LOCK = 2_011_125_519


class NewerSchema(RuntimeError):
    """The database was made by a newer Callboard; its text says what to do."""


def migrate(database: Database, *, copies: bool = True) -> None:
    """Create or upgrade the tables. All of it happens or nothing; a second process waits and then finds it done.

    A SQLite file that holds tables is copied first, unless it is a copy itself. Raises NewerSchema, NotCopied.
    """
    with database.upgrade(lock=_LOCK) as connection:
        revision, head = revision_of(connection), newest_revision()
        if revision == head:
            return
        if revision is not None and not is_known(revision):
            raise NewerSchema(newer_schema(database.place, revision))
        if copies and database.is_sqlite and inspect(connection).get_table_names():
            copy = keep_copy(database, head)
            log.info("The tables of %s change now. As it was before, it is kept in %s.", database.place, copy)
        # Here and not above: a start that finds its tables made does without Alembic, and reports wait for that start.
        from alembic import command

        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def revision_of(connection: Connection) -> str | None:
    """What the tables are at; None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return revision


def newer_schema(place: str, revision: str) -> str:
    """That the tables are of a newer version, and what to do."""
    return (
        f"The database {place} was made by a newer Callboard (its tables are at {revision}): this version does not "
        "start on it. Start that one again, or put back a backup made before the upgrade: "
        f"`{PROGRAM} restore FILE`."
    )


def is_known(revision: str) -> bool:
    """Whether this version has heard of such tables: of a newer one's it has not."""
    return revision in _revisions()


def newest_revision() -> str:
    """What the tables of this version are at."""
    return max(_revisions())


def _revisions() -> list[str]:
    # By name: the scripts are numbered, each file after its revision.
    return [script.stem.partition("_")[0] for script in (SCRIPTS / "versions").glob("[0-9]*.py")]
