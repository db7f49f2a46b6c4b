"""The board through PgBouncer in transaction mode: each transaction may run in another session of the server's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from sqlmodel import Session

from dashboard.database import LOOK_SECONDS, Database, Kind
from dashboard.database.errors import CannotUse
from dashboard.doctor.finding import BAD
from dashboard.doctor.tables import check_tables
from dashboard.migrations import migrate
from dashboard.settings import Settings
from dashboard.store.inbox import Receipt
from tests.pgbouncer import PgBouncer
from tests.postgres import PostgresServer
from tests.reports import report
from tests.running import RunningBoard
from tests.stored import column
from tests.test_intake import ended, send, taking_in

LIMITS = {
    "statement_timeout": "3s",
    "lock_timeout": "3s",
    "synchronous_commit": "on",
    "TimeZone": "UTC",
    "idle_in_transaction_session_timeout": "5s",
}


@pytest.fixture(scope="module", params=["refuses the options", "drops the options"])
def pooler(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[PgBouncer]:
    settings = {"ignore_startup_parameters": "options"} if request.param == "drops the options" else {}
    made = PgBouncer(postgres, **settings)
    yield made
    made.close()


@pytest.fixture
def url(pooler: PgBouncer, postgres_url: str) -> str:
    return pooler.url(urlsplit(postgres_url).path[1:])


def limits(session: Session) -> dict[str, str]:
    return {name: str(session.execute(text(f"SHOW {name}")).scalar_one()) for name in LIMITS}


def test_every_transaction_has_its_limits_and_leaves_none_behind(url: str, postgres_url: str) -> None:
    database = Database(url)
    for _ in range(4):
        assert database.write_now(limits) == LIMITS
        assert database.read_now(limits) == LIMITS | {"idle_in_transaction_session_timeout": "0"}
    assert database.is_pooled
    database.close()
    direct = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    assert direct.write_now(limits) == LIMITS
    assert not direct.is_pooled
    direct.close()


async def test_reports_are_stored_and_statements_that_repeat_are_never_prepared(url: str) -> None:
    database = Database(url)
    await asyncio.to_thread(migrate, database)
    async with taking_in(database) as intake:
        for turn in range(30):
            (receipt,) = await ended(send(intake, report(f"call {turn}")))
            assert isinstance(receipt, Receipt)
    assert len(column(database, "call", "call_sid")) == 30
    prepared = text("SELECT count(*) FROM pg_prepared_statements")
    assert {database.read_now(lambda session: session.execute(prepared).scalar_one()) for _ in range(6)} == {0}
    await asyncio.to_thread(database.close)


async def test_news_is_looked_for_several_times_a_second_because_no_notification_comes_through(url: str) -> None:
    database = Database(url)
    await asyncio.to_thread(migrate, database)
    began = time.monotonic()
    for _ in range(3):
        await database.next_change()
    assert time.monotonic() - began < 3 * LOOK_SECONDS
    listening = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    assert await database.read(lambda session: session.execute(listening).scalar_one()) == 0
    await asyncio.to_thread(database.close)


def test_options_of_the_address_that_the_pooler_refuses_are_named_with_two_ways_out(
    postgres: PostgresServer,
) -> None:
    pooler = PgBouncer(postgres)
    database = Database(f"{pooler.url()}?options=-c%20search_path%3Dpublic")
    with pytest.raises(CannotUse, match=r"ignore_startup_parameters.*") as refused:
        database.read_now(limits)
    assert refused.value.kind is Kind.FATAL
    (finding,) = check_tables(Settings(database_url=f"{pooler.url()}?options=-c%20search_path%3Dpublic"))
    assert finding.mark == BAD
    assert "Remove them from the address" in finding.words
    database.close()
    pooler.close()


def test_a_board_serves_through_a_pooler_and_another_ones_call_shows(
    start_board: Callable[..., RunningBoard], url: str
) -> None:
    boards = [start_board(DASHBOARD_DATABASE_URL=url) for _ in range(2)]
    for number, board in enumerate(boards):
        assert board.post(report(f"call of {number}")).status_code == 200
    until = time.monotonic() + 20
    while not all(f'id="call-{number}"' in board.get("/").text for board in boards for number in (1, 2)):
        assert time.monotonic() < until
    findings = list(check_tables(Settings(database_url=url)))
    assert not [finding.words for finding in findings if finding.mark == BAD]
    assert any("Connections go through a pooler" in finding.words for finding in findings)
