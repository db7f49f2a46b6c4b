"""The inbox as its pages ask for it, on both databases."""

from __future__ import annotations

from functools import partial

import pytest
from sqlmodel import Session

from dashboard.database import Database
from dashboard.store.bodies import Body
from dashboard.store.inbox_list import (
    _ROWS,
    InboxRow,
    Wanted,
    _inbox,
    _of,
    find_whole,
    rows_after,
    rows_before,
    sizes_after,
    sizes_of,
)
from tests.reports import report
from tests.stored import NOON, store, told

EVERYTHING = Wanted()
EVENT = b'{"event":"call_started","data":{}}'


@pytest.fixture
def filled(database: Database) -> Database:
    """Reports 1 to 7: new, changed, duplicate, ignored, unreadable, new, unchanged."""
    store(database, report("a"), report("a", agent="x"), report("a"), EVENT, b"{", report("b"), b" " + report("b"))
    return database


def ids(rows: list[InboxRow]) -> list[int]:
    return [row.id for row in rows]


def before(
    database: Database, wanted: Wanted = EVERYTHING, before: int | None = None, most: int = 50
) -> list[InboxRow]:
    return database.read_now(partial(rows_before, wanted=wanted, before=before, most=most))


def test_reports_are_listed_newest_first_and_by_pages(filled: Database) -> None:
    assert ids(before(filled)) == [7, 6, 5, 4, 3, 2, 1]
    assert ids(before(filled, most=3)) == [7, 6, 5]
    assert ids(before(filled, before=5, most=3)) == [4, 3, 2]


def test_a_filter_finds_its_reports_and_no_other(filled: Database) -> None:
    for wanted, found in (
        (Wanted("new"), [6, 1]),
        (Wanted("changed"), [2]),
        (Wanted("unchanged"), [7]),
        (Wanted("duplicate"), [3]),
        (Wanted("ignored"), [4]),
        (Wanted("unreadable"), [5]),
        (Wanted(call_id=1), [3, 2, 1]),
        (Wanted("duplicate", 1), [3]),
        (Wanted("duplicate", 2), []),
        (Wanted(call_id=99), []),
    ):
        assert ids(before(filled, wanted)) == found, wanted
        rows, head = filled.read_now(partial(rows_after, wanted=wanted, after=0, most=50))
        assert (ids(rows), head) == (found[::-1], 7), wanted
        sizes = filled.read_now(partial(sizes_after, wanted=wanted, after=0, upto=7, most=50))
        assert [inbox_id for inbox_id, _ in sizes] == found[::-1], wanted


def test_what_came_after_a_row_is_given_oldest_first_and_bounded(filled: Database) -> None:
    assert ids(filled.read_now(partial(rows_after, wanted=Wanted(), after=3, most=2))[0]) == [4, 5]
    assert [each[0] for each in filled.read_now(partial(sizes_after, wanted=Wanted(), after=2, upto=4, most=9))] == [
        3,
        4,
    ]
    assert filled.read_now(partial(sizes_of, inbox_ids=[5, 99, 4])) == [(4, len(EVENT)), (5, 1)]


def test_a_report_says_how_long_after_its_call_it_came(database: Database) -> None:
    # NOON is 11:30 in India; the call began at 11:20 and took a minute.
    store(database, told(callSid="a", time="2025-12-19 11:20:00", call_duration=60), told(callSid="b"), b"{")
    assert [row.lag_seconds for row in before(database)] == [None, None, (NOON // 1_000_000 - 1_766_123_400) - 60]


def test_a_duplicate_has_the_bytes_of_what_it_repeats_and_the_first_knows_its_repetitions(filled: Database) -> None:
    first, again = (filled.read_now(partial(find_whole, inbox_id=inbox_id)) for inbox_id in (1, 3))
    assert first is not None
    assert again is not None
    assert first.body == again.body == Body(report("a"))
    assert first.sha256 == again.sha256
    assert [inbox_id for inbox_id, _ in first.duplicates] == [3]
    assert list(again.duplicates) == []
    assert filled.read_now(partial(find_whole, inbox_id=99)) is None


def test_what_is_rare_is_found_by_an_index_and_not_by_reading_a_million_rows(filled: Database) -> None:
    def plan(session: Session) -> str:
        connection = session.connection()
        if not filled.is_sqlite:
            # Seven rows are read quicker without any index.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        statement = _of(Wanted("unreadable"), _ROWS).order_by(_inbox.c.id.desc()).limit(50)
        asked = statement.compile(connection, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if filled.is_sqlite else "EXPLAIN"
        return str(connection.exec_driver_sql(f"{explain} {asked}").all())

    assert "inbox_not_new" in filled.read_now(plan)


def test_a_filter_stands_in_an_address_as_it_is_read() -> None:
    assert Wanted().query() == ""
    assert Wanted("new", 7).query() == "verdict=new&call=7"
