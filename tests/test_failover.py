"""A PostgreSQL that cannot be written to for a while: a failover, a read-only setting, a role without rights."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from dashboard.database import Database, Kind, is_away, kind_of_failure
from dashboard.database.clock import tick
from dashboard.database.errors import CannotUse
from dashboard.doctor.finding import BAD
from dashboard.doctor.tables import check_tables
from dashboard.migrations import migrate
from dashboard.settings import Settings
from dashboard.store.inbox import Receipt
from tests.failover import HotStandby, Name, execute, make_synchronous, replicated_pair, wait_until_true
from tests.postgres import PostgresServer
from tests.reports import report
from tests.stored import column
from tests.test_intake import ended, send, taking_in

CEILING = 20.0


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[PostgresServer, HotStandby]]:
    with replicated_pair() as servers:
        yield servers


@pytest.fixture
def name(pair: tuple[PostgresServer, HotStandby]) -> Iterator[Name]:
    made = Name(pair[0].port)
    yield made
    made.close()


def write(database: Database) -> int:
    return database.write_now(partial(tick, numbers=1))


def server_port(session: Session) -> int:
    return int(session.execute(text("SELECT inet_server_port()")).scalar_one())


@pytest.fixture
def role(postgres_url: str) -> Iterator[str]:
    """A role that may sign in and has no rights yet."""
    execute_in(postgres_url, "CREATE ROLE clerk LOGIN")
    execute_in(postgres_url, "GRANT USAGE ON SCHEMA public TO clerk")
    yield "clerk"
    execute_in(postgres_url, "DROP OWNED BY clerk CASCADE")
    execute_in(postgres_url, "DROP ROLE clerk")


def url_of(postgres_url: str, role: str) -> str:
    return postgres_url.replace("postgresql://postgres@", f"postgresql+psycopg://{role}@")


def test_a_write_that_met_a_standby_goes_to_the_primary_as_soon_as_the_name_leads_there_again(
    pair: tuple[PostgresServer, HotStandby], name: Name
) -> None:
    primary, standby = pair
    database = Database(name.url())
    migrate(database)
    first = write(database)
    name.move(standby.port)
    # The first one meets the connection that was cut.
    with pytest.raises((DBAPIError, OSError)) as cut:
        write(database)
    with pytest.raises(CannotUse, match="standby") as refused:
        write(database)
    assert is_away(cut.value)
    assert is_away(refused.value)
    name.move(primary.port)
    assert write(database) == first + 1
    database.close()


def test_a_read_never_comes_from_a_standby(pair: tuple[PostgresServer, HotStandby], name: Name) -> None:
    primary, standby = pair
    database = Database(name.url())
    assert database.read_now(server_port) == primary.port
    name.move(standby.port)
    for _ in range(3):
        with pytest.raises((DBAPIError, OSError)):
            database.read_now(server_port)
    name.move(primary.port)
    assert database.read_now(server_port) == primary.port
    database.close()


def test_of_several_hosts_the_one_that_takes_writes_is_found_whatever_their_order(
    pair: tuple[PostgresServer, HotStandby],
) -> None:
    primary, standby = pair
    for ports in ((primary.port, standby.port), (standby.port, primary.port), (1, standby.port, primary.port)):
        hosts, numbers = ",".join(["127.0.0.1"] * len(ports)), ",".join(map(str, ports))
        database = Database(f"postgresql+psycopg://postgres@/postgres?host={hosts}&port={numbers}")
        for door in (database.write_now, database.read_now):
            assert door(server_port) == primary.port
        database.close()


def test_a_role_that_was_read_only_when_its_connection_was_made_stores_once_it_no_longer_is(
    postgres: PostgresServer, postgres_url: str, role: str
) -> None:
    owner = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    migrate(owner)
    execute_in(postgres_url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    execute(postgres, f"ALTER ROLE {role} SET default_transaction_read_only = on")
    database = Database(url_of(postgres_url, role))
    for _ in range(2):
        with pytest.raises(CannotUse, match="default_transaction_read_only"):
            write(database)
    execute(postgres, f"ALTER ROLE {role} RESET default_transaction_read_only")
    assert write(database) == 1
    database.close()
    owner.close()


def test_a_session_that_turns_read_only_is_replaced(postgres: PostgresServer, postgres_url: str, role: str) -> None:
    owner = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    migrate(owner)
    database = Database(url_of(postgres_url, role))
    execute_in(postgres_url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    assert write(database) == 1

    def turn_read_only(session: Session) -> None:
        session.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))

    database.write_now(turn_read_only)
    with pytest.raises(DBAPIError) as refused:
        write(database)
    assert kind_of_failure(refused.value) is Kind.WRONG_NODE
    assert write(database) == 2
    database.close()
    owner.close()


def test_a_reader_leaves_the_old_server_once_the_writer_has_left_it(
    pair: tuple[PostgresServer, HotStandby], postgres: PostgresServer, name: Name
) -> None:
    primary, _ = pair
    database = Database(name.url())
    assert database.read_now(server_port) == database.write_now(server_port) == primary.port
    # The old server lives on, and the reader's connection with it.
    name.move(postgres.port, cut=False)
    with pytest.raises(DBAPIError):
        database.write_now(lambda session: session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())")))
    assert database.write_now(server_port) == postgres.port
    assert database.read_now(server_port) == postgres.port
    database.close()


async def test_reports_wait_for_a_role_that_gets_its_rights_and_are_stored_without_a_restart(
    postgres_url: str, role: str
) -> None:
    owner = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    await asyncio.to_thread(migrate, owner)
    execute_in(postgres_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    database = Database(url_of(postgres_url, role))
    async with taking_in(database) as intake:
        refused = await ended(send(intake, report("refused"), at_most=0.3))
        assert [type(outcome).__name__ for outcome in refused] == ["NotStored"]
        waiting = send(intake, report("a"), report("b"), at_most=CEILING)
        assert not (await asyncio.wait(waiting, timeout=0.3))[0]
        execute_in(postgres_url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        execute_in(postgres_url, f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
        assert all(isinstance(outcome, Receipt) for outcome in await ended(waiting))
    assert sorted(column(owner, "call", "call_sid")) == ["a", "b"]
    await asyncio.to_thread(database.close)
    await asyncio.to_thread(owner.close)


def execute_in(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


async def test_reports_that_meet_a_failover_are_stored_on_the_promoted_standby_without_a_restart() -> None:
    with replicated_pair() as (primary, standby):
        name = Name(primary.port)
        database = Database(name.url())
        await asyncio.to_thread(migrate, database)
        async with taking_in(database) as intake:
            before = await ended(send(intake, report("before")))
            name.move(standby.port)
            waiting = send(intake, report("meanwhile"), at_most=CEILING)
            assert not (await asyncio.wait(waiting, timeout=0.5))[0]
            await asyncio.to_thread(primary.stop, "immediate")
            await asyncio.to_thread(standby.promote)
            after = await ended(waiting)
        assert [receipt.verdict for receipt in before + after] == ["new", "new"]
        assert sorted(column(database, "call", "call_sid")) == ["before", "meanwhile"]
        await asyncio.to_thread(database.close)
        name.close()


def doctors_words(url: str) -> str:
    findings = list(check_tables(Settings(database_url=url)))
    return "\n".join(finding.words for finding in findings if finding.mark == BAD)


def test_the_doctor_says_why_nothing_can_be_stored_and_what_to_do(
    pair: tuple[PostgresServer, HotStandby], postgres_url: str, role: str
) -> None:
    owner = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    migrate(owner)
    owner.close()
    assert doctors_words(url_of(postgres_url, "postgres")) == ""
    execute_in(postgres_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    words = doctors_words(url_of(postgres_url, role))
    assert f"The role {role} may not" in words
    # The statements that are given are enough.
    grants = words.partition("As the owner of the tables: ")[2]
    for grant in filter(None, grants.split(";")):
        execute_in(postgres_url, grant)
    assert doctors_words(url_of(postgres_url, role)) == ""
    execute_in(postgres_url, f"ALTER ROLE {role} SET default_transaction_read_only = on")
    assert "default_transaction_read_only is on" in doctors_words(url_of(postgres_url, role))
    execute_in(postgres_url, f"ALTER ROLE {role} RESET default_transaction_read_only")
    assert "is a standby" in doctors_words(pair[1].url().replace("postgresql:", "postgresql+psycopg:"))


def test_the_doctor_says_when_a_failover_would_lose_commits(pair: tuple[PostgresServer, HotStandby]) -> None:
    primary, _ = pair
    url = primary.url().replace("postgresql:", "postgresql+psycopg:")
    database = Database(url)
    migrate(database)
    database.close()
    says = [finding.words for finding in check_tables(Settings(database_url=url))]
    assert not any("synchronous_standby_names" in words for words in says)
    execute(primary, "ALTER SYSTEM RESET synchronous_standby_names")
    execute(primary, "SELECT pg_reload_conf()")
    wait_until_true(primary, "current_setting('synchronous_standby_names') = ''")
    try:
        says = [finding.words for finding in check_tables(Settings(database_url=url))]
        assert any("Set synchronous_standby_names" in words for words in says)
    finally:
        make_synchronous(primary)


@contextmanager
def silent_port() -> Iterator[int]:
    """A port whose connections are taken and never answered, as by a machine that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield int(door.getsockname()[1])


async def test_hosts_that_answer_nothing_do_not_keep_the_last_one_of_the_list_from_being_reached(
    pair: tuple[PostgresServer, HotStandby],
) -> None:
    primary, _ = pair
    with silent_port() as one, silent_port() as two:
        hosts, ports = ",".join(["127.0.0.1"] * 3), f"{one},{two},{primary.port}"
        database = Database(f"postgresql+psycopg://postgres@/postgres?host={hosts}&port={ports}")
        with suppress(DBAPIError, OSError):
            await database.write(server_port)
        assert await database.write(server_port) == primary.port
        assert await database.read(server_port) == primary.port
        await asyncio.to_thread(database.close)
