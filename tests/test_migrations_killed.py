"""Wherever in an upgrade a power cut comes, the database it leaves can be used, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys

from alembic import command
from sqlalchemy import text

from dashboard import migrations
from dashboard.database import Database
from dashboard.migrations import migrate
from tests.reports import report
from tests.stored import calls, column, store

# Upgrades again and again, and dies at ever later statements, until one upgrade is through.
PROGRAM = """
import os, signal, sys
from itertools import count
from sqlalchemy import Engine, event
from dashboard.database import Database
from dashboard.migrations import migrate

def upgrade(dies_at):
    statements = count(1)
    @event.listens_for(Engine, "after_cursor_execute")
    def die(*_):
        if next(statements) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
    migrate(Database(sys.argv[1]), copies=False)
    os._exit(0)

for kills, dies_at in enumerate(count(2, 4)):
    child = os.fork()
    if not child:
        upgrade(dies_at)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        print(kills, os.waitstatus_to_exitcode(status))
        break
"""


def test_an_upgrade_from_the_first_tables_killed_half_way_ends_well(database_url: str) -> None:
    database = Database(database_url)
    with database.upgrade(lock=1) as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        values = "1, 1, 1, 'a', 0, 1, NULL, 1, '', '', '', '', '', NULL, NULL, '', '', '', '918765432109', '', '', '{}'"
        connection.execute(text(f'INSERT INTO "call" VALUES ({values})'))
        connection.execute(text("UPDATE clock SET seq = 1, call_id = 1"))
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, database_url], capture_output=True, text=True, timeout=120, check=True
    )
    kills, code = map(int, ran.stdout.split())
    assert code == 0
    assert kills > 2
    migrate(database)
    store(database, report("b"))
    assert calls(database, "id", "call_sid") == [(1, "a"), (2, "b")]
    assert column(database, "clock", "epoch")[0] != ""
    database.close()
