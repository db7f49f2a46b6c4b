"""The PostgreSQL of the tests: what the tests of durability and of faults rest on must hold itself."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.postgres import PostgresServer

REPO = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that these tests may stop without cutting anybody else's sessions."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


def test_a_test_gets_an_empty_database_after_another_filled_one(own_server: PostgresServer) -> None:
    filled = own_server.new_database()
    with psycopg.connect(filled) as connection:
        connection.execute("CREATE TABLE call (id int); CREATE SCHEMA other; CREATE TABLE other.call (id int)")
    own_server.drop_database(filled)
    fresh = own_server.new_database()
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'"
    with psycopg.connect(fresh) as connection:
        assert connection.execute(tables).fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(filled)
    own_server.drop_database(fresh)


def test_a_database_can_be_dropped_while_a_client_holds_a_transaction_in_it(own_server: PostgresServer) -> None:
    url = own_server.new_database()
    forgotten = psycopg.connect(url)
    forgotten.execute("CREATE TABLE call (id int)")
    own_server.drop_database(url)
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("SELECT 1")
    forgotten.close()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_cuts_sessions_and_keeps_what_was_committed(own_server: PostgresServer, mode: str) -> None:
    url = own_server.new_database()
    session = psycopg.connect(url)
    session.execute("CREATE TABLE call (id int)")
    session.commit()
    session.execute("INSERT INTO call VALUES (1)")
    own_server.restart("immediate" if mode == "immediate" else "fast")
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()
    with psycopg.connect(url) as after:
        assert after.execute("SELECT count(*) FROM call").fetchone() == (0,)
    own_server.drop_database(url)


def test_a_frozen_server_answers_nobody_and_thaws(own_server: PostgresServer) -> None:
    with own_server.frozen(), pytest.raises(psycopg.OperationalError, match="timeout"):
        psycopg.connect(own_server.url(), connect_timeout=2)
    with psycopg.connect(own_server.url()) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_nothing_is_left_when_the_test_process_is_killed() -> None:
    program = (
        "import os, signal; from tests.postgres import PostgresServer\n"
        "server = PostgresServer(fsync=False); server.start(); print(server.url(), server.folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    url, folder = killed.stdout.split()
    deadline = time.monotonic() + 10
    while _answers(url) or Path(folder).exists():
        assert time.monotonic() < deadline, "the server or its folder outlived the process that started it"


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
