"""Brings a database to the tables this program knows: in one transaction, one process at a time, a copy made first."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from dashboard.database import Database
from dashboard.migrations.backup import NotCopied, keep_copy

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
    config = _config()
    scripts = ScriptDirectory.from_config(config)
    with database.upgrade(lock=_LOCK) as connection:
        revision, head = _revision(connection), scripts.get_current_head()
        if revision == head:
            return
        if revision is not None and not is_known(revision):
            raise NewerSchema(
                f"The database {database.place} was made by a newer Callboard (its tables are at {revision}). "
                "Start that version again, or put back a backup made before the upgrade: "
                ".venv/bin/python -m dashboard restore FILE"
            )
        if copies and database.is_sqlite and head and inspect(connection).get_table_names():
            copy = keep_copy(database, head)
            log.info("The tables of %s change now. As it was before, it is kept in %s.", database.place, copy)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def is_known(revision: str) -> bool:
    """Whether this version has heard of such tables: of a newer one's it has not."""
    scripts = ScriptDirectory.from_config(_config())
    return revision in {script.revision for script in scripts.walk_revisions()}


def newest_revision() -> str | None:
    """What the tables of this version are at."""
    return ScriptDirectory.from_config(_config()).get_current_head()
