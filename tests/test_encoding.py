"""A PostgreSQL that is not UTF-8 is refused with a way out; one that is UTF-8 stores every script."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import psycopg
import pytest

from dashboard.database import Database, Kind, kind_of_failure
from dashboard.database.errors import CannotUse
from dashboard.doctor.finding import BAD
from dashboard.doctor.tables import check_tables
from dashboard.migrations import migrate
from dashboard.settings import Settings
from dashboard.store.inbox import record
from tests.postgres import PostgresServer
from tests.reports import report
from tests.stored import INDIA, arrival, column

HINDI = "नमस्ते 😀"


def for_us(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP", "WIN1252"])
def test_another_encoding_is_refused_at_the_start_in_a_sentence(
    postgres: PostgresServer, tmp_path: Path, encoding: str
) -> None:
    url = postgres.encoded_database(encoding)
    database = Database(for_us(url))
    for door in (database.read_now, database.write_now):
        with pytest.raises(CannotUse, match=f"Its encoding is {encoding}.*CREATE DATABASE") as refused:
            door(lambda session: session.connection())
        assert kind_of_failure(refused.value) is Kind.FATAL
    database.close()
    environment = os.environ | {"DASHBOARD_DATABASE_URL": url, "DASHBOARD_DATA": str(tmp_path)}
    command = [sys.executable, "-m", "dashboard", "serve"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert f"Its encoding is {encoding}" in ran.stderr
    assert "Traceback" not in ran.stderr
    findings = list(check_tables(Settings(database_url=for_us(url))))
    assert [finding.mark for finding in findings] == [BAD]
    assert f"Its encoding is {encoding}" in findings[0].words
    assert "CREATE DATABASE" in findings[0].words
    # The statement that is given does make one that is taken.
    statement = findings[0].words.partition("CREATE DATABASE callboard")[2].partition(";")[0]
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE made_{encoding} {statement}")
    database = Database(for_us(postgres.url(f"made_{encoding}".lower())))
    migrate(database)
    database.close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_every_script_is_stored_whatever_the_clients_encoding_is_set_to(
    postgres: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE postgres SET client_encoding = '{encoding}'")
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET client_encoding = '{encoding}'")
    try:
        database = Database(for_us(postgres_url))
        migrate(database)
        arrivals = [arrival(report("a", agent_name=HINDI, agent=HINDI))]
        database.write_now(partial(record, arrivals=arrivals, source_timezone=INDIA))
        assert column(database, "call", "agent") == [HINDI]
        database.close()
    finally:
        monkeypatch.delenv("PGCLIENTENCODING")
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("ALTER ROLE postgres RESET ALL")
            connection.execute(f"ALTER DATABASE {connection.info.dbname} RESET ALL")
