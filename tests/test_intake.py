"""Group commit under every fault: an answer only after the commit, an answer in time, and a writer that never ends."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client
from sqlmodel import Session

from dashboard.database import Database
from dashboard.intake import LARGEST_BATCH, MOST_WAITING, MOST_WAITING_BYTES, WAIT_SECONDS, Intake, NotStored
from dashboard.migrations import migrate
from dashboard.store.inbox import Receipt
from dashboard.web.parts import Callboard
from tests.postgres import PostgresServer
from tests.reports import WEBHOOK, report
from tests.running import RunningBoard
from tests.stored import INDIA, arrival, column, sql, told

CEILING = 20.0
# Decision 1: what could not be stored within 3.5 s is answered; the rest is for a busy machine.
LATEST = 4.5


@asynccontextmanager
async def taking_in(database: Database) -> AsyncIterator[Intake]:
    """An intake at work, which must still be at work in the end."""
    intake = Intake(database, INDIA)
    running = asyncio.create_task(intake.run())
    yield intake
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])


@pytest.fixture
async def intake(database: Database) -> AsyncIterator[Intake]:
    async with taking_in(database) as intake:
        yield intake


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    """A SQLite database, for what only its locks can show."""
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(database)
    yield database
    database.close()


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Another connection holds the whole file, as a backup or a shell might."""
    other = sqlite3.connect(str(database.url.database), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    yield
    other.execute("ROLLBACK")
    other.close()


def send(intake: Intake, *bodies: bytes, at_most: float = WAIT_SECONDS) -> list[asyncio.Task[Receipt]]:
    return [asyncio.create_task(intake.keep(arrival(body), at_most)) for body in bodies]


async def ended(tasks: list[asyncio.Task[Receipt]]) -> list[Any]:
    """What became of each: its receipt, or the exception."""
    async with asyncio.timeout(CEILING):
        return await asyncio.gather(*tasks, return_exceptions=True)


def are_not_stored(outcomes: list[Any]) -> bool:
    return all(isinstance(outcome, NotStored) for outcome in outcomes)


async def timed(work: Awaitable[Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return await work, time.monotonic() - began


async def test_what_waits_together_is_stored_together_in_the_order_it_came(intake: Intake, database: Database) -> None:
    receipts = await ended(send(intake, *(report(f"call {number}") for number in range(2 * LARGEST_BATCH + 10))))
    assert [receipt.id for receipt in receipts] == list(range(1, 2 * LARGEST_BATCH + 11))
    assert column(database, "call", "call_sid")[-1] == f"call {2 * LARGEST_BATCH + 9}"
    assert intake.waiting == 0


async def test_those_who_are_just_arriving_go_with_the_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However busy the machine is: what counts here is turns of the loop, not time.
    monkeypatch.setattr("dashboard.intake._GATHER_SECONDS", 10.0)
    written: list[int] = []
    write = database.write

    async def counting(fn: Callable[[Session], Any]) -> Any:
        receipts = await write(fn)
        written.append(len(receipts))
        return receipts

    monkeypatch.setattr(database, "write", counting)

    async def after(turns: int, into: Intake) -> Receipt:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await into.keep(arrival(report(f"call {turns}")))

    async with taking_in(database) as taking:
        tasks = [asyncio.create_task(after(turns, taking)) for turns in range(30)]
        assert all(isinstance(outcome, Receipt) for outcome in await ended(tasks))
    assert written == [30]


async def test_requests_that_leave_while_they_wait_end_neither_the_writer_nor_other_requests(
    intake: Intake, database: Database
) -> None:
    for turn in range(10):
        tasks = send(intake, *(report(f"{turn} {number}") for number in range(20)))
        # Some leave before they are taken up, some while their batch is written, some at the very end.
        for _ in range(turn):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await ended(tasks)
        assert all(isinstance(outcome, Receipt) for outcome in outcomes[1::2])
    assert {f"{turn} {number}" for turn in range(10) for number in range(1, 20, 2)} <= set(
        column(database, "call", "call_sid")
    )
    assert intake.waiting == 0


async def test_a_future_that_is_cancelled_while_its_batch_is_written_harms_nobody(file: Database) -> None:
    async with taking_in(file) as intake:
        with locked(file):
            tasks = send(intake, report("a"), report("b"))
            # The batch is in the writer's hands, which stands before the lock.
            await asyncio.wait(tasks, timeout=0.2)
            next(iter(intake._queue)).done.cancel()
        outcomes = await ended(tasks)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        # Not "duplicate": the batch was written once.
        assert (outcomes[1].id, outcomes[1].verdict) == (2, "new")
        assert isinstance((await ended(send(intake, report("c"))))[0], Receipt)


POISON = {
    "sqlite": (
        """CREATE TRIGGER poison BEFORE INSERT ON "call" WHEN new.agent = 'poison'
           BEGIN SELECT RAISE(ABORT, 'poisoned'); END""",
    ),
    "postgresql": ("""ALTER TABLE "call" ADD CONSTRAINT poison CHECK (agent <> 'poison')""",),
}


async def test_a_poisoned_report_harms_no_other_and_its_words_stay_out_of_the_log(
    intake: Intake, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    sql(database, *POISON[database.url.get_backend_name()])
    poisoned = report("p", agent="poison", call_metadata={"name": "Somebody Private"}, to="917777777777")
    bodies = [report("a"), report("b"), poisoned, report("c"), poisoned + b" ", b"{", report("a")]
    outcomes, seconds = await timed(ended(send(intake, *bodies)))
    assert are_not_stored([outcomes[2], outcomes[4]])
    assert "log says why" in str(outcomes[2])
    assert [outcome.verdict for outcome in outcomes if isinstance(outcome, Receipt)] == [
        "new",
        "new",
        "new",
        "unreadable",
        "duplicate",
    ]
    assert seconds < 3
    assert column(database, "call", "call_sid") == ["a", "b", "c"]
    assert "could not be stored" in caplog.text
    assert "Somebody Private" not in caplog.text
    assert "917777777777" not in caplog.text
    sql(database, "DROP TRIGGER poison" if database.is_sqlite else 'ALTER TABLE "call" DROP CONSTRAINT poison')
    assert isinstance((await ended(send(intake, poisoned)))[0], Receipt)


async def test_a_lock_of_a_second_is_waited_for(file: Database) -> None:
    async with taking_in(file) as intake:
        with locked(file):
            tasks = send(intake, report("a"), report("b"))
            # Longer than one attempt stands before a lock.
            assert not (await asyncio.wait(tasks, timeout=1.3))[0]
        outcomes, seconds = await timed(ended(tasks))
    assert [outcome.id for outcome in outcomes] == [1, 2]
    assert seconds < 1.5


async def test_a_lock_that_stays_is_answered_in_time_and_forgotten_once_it_is_gone(
    file: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with taking_in(file) as intake:
        with locked(file):
            outcomes, seconds = await timed(ended(send(intake, *(report(str(number)) for number in range(300)))))
            assert caplog.text.count("storing waits for the database: OperationalError (SQLITE_BUSY)") == 1
            assert are_not_stored(outcomes)
            assert 3.4 < seconds < LATEST
            assert intake.waiting == 0
        receipts, seconds = await timed(ended(send(intake, report("after"))))
        assert receipts[0].verdict == "new"
        assert seconds < 2
    assert "after" in column(file, "call", "call_sid")
    assert caplog.text.count("the database is back") == 1


async def test_a_postgresql_that_stands_still_is_answered_in_time_and_works_afterwards(
    postgres: PostgresServer, postgres_url: str
) -> None:
    database = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    migrate(database)
    async with taking_in(database) as intake:
        with postgres.frozen():
            outcomes, seconds = await timed(ended(send(intake, report("a"), report("b"))))
            assert are_not_stored(outcomes)
            assert seconds < LATEST
        receipts, seconds = await timed(ended(send(intake, report("a"), report("c"))))
        assert [receipt.verdict for receipt in receipts] in (["new", "new"], ["duplicate", "new"])
        assert seconds < 2
    sids = column(database, "call", "call_sid")
    assert {"a", "c"} <= set(sids) <= {"a", "b", "c"}
    assert len(sids) == len(set(sids))
    await asyncio.to_thread(database.close)


async def test_a_postgresql_that_stands_still_for_long_holds_the_writer_no_longer_than_that(
    postgres: PostgresServer, postgres_url: str
) -> None:
    database = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"), write_seconds=0.3)
    await asyncio.to_thread(migrate, database)
    async with taking_in(database) as intake:
        await ended(send(intake, report("before")))
        with postgres.frozen():
            # Long enough for the write, its thread and a few new connections to be given up one after the other.
            for turn in range(5):
                outcomes, seconds = await timed(ended(send(intake, report(f"refused {turn}"), at_most=0.5)))
                assert are_not_stored(outcomes)
                assert seconds < 1.5
        receipts, seconds = await timed(ended(send(intake, report("after"))))
        assert [receipt.verdict for receipt in receipts] == ["new"]
        assert seconds < 2
        assert intake.away_seconds > 2
    assert {"before", "after"} <= set(column(database, "call", "call_sid"))
    await asyncio.to_thread(database.close)


async def test_a_postgresql_that_restarts_meanwhile_costs_no_report(
    postgres: PostgresServer, postgres_url: str
) -> None:
    database = Database(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    migrate(database)
    async with taking_in(database) as intake:
        await ended(send(intake, report("before")))
        await asyncio.to_thread(postgres.stop, "immediate")
        # How long a restart takes is the machine's affair: they wait for as long as the test may.
        tasks = send(intake, report("a"), report("b"), at_most=CEILING)
        await asyncio.to_thread(postgres.start)
        receipts = await ended(tasks)
    assert [receipt.verdict for receipt in receipts] == ["new", "new"]
    await asyncio.to_thread(database.close)


async def test_more_reports_than_may_wait_are_refused_at_once(file: Database) -> None:
    async with taking_in(file) as intake:
        with locked(file):
            tasks = send(intake, *(told(callSid=str(number)) for number in range(MOST_WAITING + 5)))
            refused, _ = await asyncio.wait(tasks, timeout=0.5)
            assert len(refused) == 5
            assert all("Too many" in str(task.exception()) for task in refused)
            assert intake.waiting == MOST_WAITING
        outcomes = await ended(tasks)
    assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == MOST_WAITING


async def test_more_bytes_than_may_wait_are_refused_at_once(file: Database) -> None:
    large = b" " * (MOST_WAITING_BYTES // 4)
    async with taking_in(file) as intake:
        with locked(file):
            tasks = send(intake, *(large + str(number).encode() for number in range(3)), *[large] * 2)
            refused, _ = await asyncio.wait(tasks, timeout=0.5)
            assert len(refused) == 2
            for task in tasks:
                task.cancel()
            await ended(tasks)
        # Whoever left no longer counts.
        assert isinstance((await ended(send(intake, large)))[0], Receipt)


async def test_reports_that_nobody_waits_for_any_more_are_not_kept_in_memory(file: Database) -> None:
    async with taking_in(file) as intake:
        with locked(file):
            for _ in range(3):
                tasks = send(intake, *(report(str(number)) for number in range(200)))
                await asyncio.wait(tasks, timeout=0.1)
                for task in tasks:
                    task.cancel()
                await ended(tasks)
                assert (intake.waiting, intake._bytes) == (0, 0)


async def test_a_stopping_server_lets_nobody_wait_long_those_who_wait_already_included(file: Database) -> None:
    async with taking_in(file) as intake:
        with locked(file):
            earlier = send(intake, report("a"))
            await asyncio.wait(earlier, timeout=0.2)
            intake.stop()
            outcomes, seconds = await timed(ended(earlier + send(intake, report("b"))))
        assert are_not_stored(outcomes)
        assert 1.3 < seconds < 2.2


async def test_a_request_that_is_cut_while_it_waits_does_not_end_the_door(app: Callboard, client: Client) -> None:
    with locked(app.database):
        cut = [asyncio.create_task(_post(client, report(f"cut {number}"))) for number in range(5)]
        await asyncio.wait(cut, timeout=0.3)
        for task in cut:
            task.cancel()
        await asyncio.wait(cut)
        kept = asyncio.create_task(_post(client, report("kept")))
        await asyncio.wait([kept], timeout=0.2)
    assert await kept == 200
    assert await _post(client, report("later")) == 200


async def _post(client: Client, body: bytes) -> int:
    return (await client.post(WEBHOOK, data=body)).status_code


async def post_and_leave(board: RunningBoard, body: bytes, linger: float) -> None:
    """A client that hangs up while it waits for its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", board.port)
    writer.write(request_of(board, body))
    await writer.drain()
    try:
        async with asyncio.timeout(linger):
            await reader.read(1)
    except TimeoutError:
        pass
    # Cut, not closed: as when a machine goes away.
    writer.transport.abort()


async def post(board: RunningBoard, body: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", board.port)
    writer.write(request_of(board, body))
    try:
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


def request_of(board: RunningBoard, body: bytes) -> bytes:
    head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: 127.0.0.1:{board.port}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def test_clients_that_hang_up_under_load_leave_a_server_that_answers_every_other_one(
    start_board: Callable[..., RunningBoard], database_url: str
) -> None:
    board = await asyncio.to_thread(start_board, DASHBOARD_DATABASE_URL=database_url)
    async with asyncio.timeout(CEILING):
        for turn in range(6):
            stayed = [post(board, report(f"stays {turn} {number}")) for number in range(20)]
            left = [post_and_leave(board, report(f"leaves {turn} {number}"), number * 0.002) for number in range(20)]
            answers = await asyncio.gather(*stayed, *left)
            assert answers[:20] == [200] * 20
        assert await post(board, report("at last")) == 200
    await asyncio.to_thread(board.end)
    database = Database(database_url)
    sids = column(database, "call", "call_sid")
    database.close()
    assert len(sids) == len(set(sids))
    assert {f"stays {turn} {number}" for turn in range(6) for number in range(20)} | {"at last"} <= set(sids)
    assert "stopped" not in board.log.read_text()
