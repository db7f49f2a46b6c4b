"""Two processes at the same rows of a PostgreSQL at the same moment: what one takes away, the other does not undo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from dashboard.database import Database
from dashboard.migrations import migrate
from dashboard.retention import MICROS_A_DAY
from dashboard.store.bodies import keep_packed, next_plain, pack_all
from dashboard.store.inbox import record
from dashboard.store.removal import remove_calls
from dashboard.store.retention import next_due, remove_due
from tests.reports import report
from tests.stored import INDIA, NOON, arrival, rows, store

CEILING = 10.0


class Pair:
    """Two processes' ways to one database."""

    def __init__(self, url: str) -> None:
        self.plain_url = url
        self.one, self.other = (Database(url.replace("postgresql:", "postgresql+psycopg:", 1)) for _ in range(2))
        self.threads = ThreadPoolExecutor(1)
        self.acting: Future[Any] | None = None

    def when(self, statement: str, act: Callable[[], Any]) -> None:
        """Just before `one` first runs such a statement, `other` acts, until it is done or waits for `one`."""

        @event.listens_for(self.one._write_engine, "before_cursor_execute")
        def look(_connection: object, _cursor: object, text: str, *_: object) -> None:
            if self.acting is None and text.startswith(statement):
                self.acting = self.threads.submit(act)
                with psycopg.connect(self.plain_url, autocommit=True) as third:
                    while not (self.acting.done() or _someone_waits(third)):
                        pass

    def other_is_done(self) -> None:
        assert self.acting is not None, "the statement never came"
        self.acting.result(CEILING)

    def close(self) -> None:
        self.threads.shutdown()
        self.one.close()
        self.other.close()


def _someone_waits(connection: psycopg.Connection[Any]) -> bool:
    found = connection.execute(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return found.fetchone() is not None


@pytest.fixture
def pair(postgres_url: str) -> Iterator[Pair]:
    made = Pair(postgres_url)
    migrate(made.one)
    yield made
    made.close()


@pytest.mark.parametrize("statement", ["DELETE FROM inbox", "SELECT upkeep.done"])
def test_a_body_that_is_erased_while_another_process_packs_it_is_gone(pair: Pair, statement: str) -> None:
    store(pair.one, report("a", transcription="Agent: Namaste. " * 40))
    plain = pair.one.read_now(partial(next_plain, before=NOON + MICROS_A_DAY))
    assert plain is not None
    pair.when(statement, partial(pair.other.write_now, partial(remove_calls, call_ids=[1])))
    pair.one.write_now(partial(keep_packed, ready=pack_all(*plain)))
    pair.other_is_done()
    assert rows(pair.one, "inbox", "body, packing") == [{"body": None, "packing": "gone"}]


def test_a_report_that_comes_while_its_call_is_found_too_old_is_not_blanked(pair: Pair) -> None:
    store(pair.one, report("a"))
    cutoff = NOON + 30 * MICROS_A_DAY
    due = pair.one.read_now(partial(next_due, task="calls", cutoff=cutoff))
    assert due is not None
    late = [arrival(report("a", agent="later"), cutoff + 1)]
    pair.when("UPDATE clock", partial(pair.other.write_now, partial(record, arrivals=late, source_timezone=INDIA)))
    pair.one.write_now(partial(remove_due, task="calls", due=due, cutoff=cutoff))
    pair.other_is_done()
    assert [row["body"] is None for row in rows(pair.one, "inbox", "body")] == [True, False]
