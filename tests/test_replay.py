"""Reports of the inbox read again: as a rebuild of their calls, never as new deliveries."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.callkaro.report import Unreadable, read_report
from dashboard.database import Database
from dashboard.store.inbox import Arrival, Packed, record
from dashboard.store.replay import MOST_BYTES, MOST_ROWS, Replayed, replay, steps_of
from tests.reports import report
from tests.stored import INDIA, NOON, calls, column, rebuild, rows, sql, store, told, verdicts


def unread(database: Database, *bodies: bytes) -> None:
    """Store these as a board did whose reader could not make anything of them."""
    puzzled = [Arrival(NOON, body, Unreadable("What is this?")) for body in bodies]
    database.write_now(partial(record, arrivals=puzzled, source_timezone=INDIA))


def replayed(database: Database, *ids: int) -> list[Replayed]:
    return database.write_now(partial(replay, inbox_ids=ids, source_timezone=INDIA))


def test_replaying_what_is_well_changes_nothing(database: Database) -> None:
    store(database, report("a"), report("b", agent="x"), report("b", agent="y"), report("b", agent="x"), b"{")
    before = rows(database, "call"), rows(database, "inbox")
    found = replayed(database, 1, 2, 3, 4, 5, 99)
    assert [(each.id, each.before, each.verdict, each.has_changed) for each in found] == [
        (1, "new", "new", False),
        (2, "new", "new", False),
        (3, "changed", "changed", False),
        (4, "duplicate", "duplicate", False),
        (5, "unreadable", "unreadable", False),
    ]
    assert (rows(database, "call"), rows(database, "inbox")) == before
    assert "as its reports tell" in found[0].words
    assert "still cannot be read" in found[4].words


def test_a_report_that_can_be_read_by_now_becomes_its_call_in_its_place(database: Database) -> None:
    unread(database, told(callSid="a", agent="first", version="only here"), told(callSid="b"))
    store(database, told(callSid="a", agent="second"))
    (found,) = replayed(database, 1)
    assert (found.verdict, found.call_id, found.has_changed) == ("new", 1, True)
    assert found.words == "It can be read now: new."
    assert calls(database, "id", "call_sid", "agent", "version") == [(1, "a", "second", "")]
    assert column(database, "inbox", "verdict") == ["new", "unreadable", "changed"]
    (found,) = replayed(database, 1)
    assert (found.before, found.has_changed) == ("new", False)


def test_a_call_whose_row_is_wrong_or_gone_is_told_anew_and_no_other(database: Database) -> None:
    store(database, report("a"), report("b"), report("c"))
    before = rows(database, "call")
    sql(database, "UPDATE \"call\" SET agent = 'wrong' WHERE id <> 2", 'DELETE FROM "call" WHERE id = 2')
    found = replayed(database, 1, 2)
    assert [each.has_changed for each in found] == [True, True]
    assert "told anew" in found[0].words
    after = rows(database, "call")
    assert [row["agent"] for row in after] == [before[0]["agent"], before[1]["agent"], "wrong"]
    assert len({row["seq"] for row in after}) == 3


def test_replayed_rows_take_numbers_that_nobody_has_had(database: Database) -> None:
    store(database, report("a"), report("b"))
    unread(database, report("c"), report("d"))
    sql(database, "UPDATE \"call\" SET agent = 'wrong'")
    replayed(database, 1, 2, 3, 4)
    numbers = column(database, "call", "seq")
    assert len(set(numbers)) == 4
    assert min(numbers) > 4
    store(database, report("e"))
    assert column(database, "inbox", "id")[-1] > max(numbers)


@given(st.lists(st.integers(0, 2 * MOST_BYTES), max_size=200))
def test_steps_hold_every_report_once_in_order_and_little_each(sizes: list[int]) -> None:
    numbered = list(enumerate(sizes, 1))
    steps = list(steps_of(numbered))
    assert [inbox_id for step in steps for inbox_id in step] == [inbox_id for inbox_id, _ in numbered]
    for step in steps:
        assert 0 < len(step) <= MOST_ROWS
        assert len(step) == 1 or sum(sizes[inbox_id - 1] for inbox_id in step) <= MOST_BYTES


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_a_packed_report_that_an_older_version_stored_as_unreadable_is_read_and_known_from_then_on(
    database: Database, pack: Callable[[bytes], bytes]
) -> None:
    unread(database, pack(report("a")), pack(report("b")), pack(b"no report"))
    (found,) = replayed(database, 1)
    assert (found.verdict, found.call_id) == ("new", 1)
    assert rebuild(database) == 1
    assert calls(database, "call_sid") == [("a",), ("b",)]
    assert verdicts(store(database, report("a"), report("b"))) == ["duplicate", "duplicate"]
    assert column(database, "inbox", "verdict") == ["new", "new", "unreadable", "duplicate", "duplicate"]
    assert column(database, "inbox", "size")[:2] == [len(report("a")), len(report("b"))]


def test_a_packed_report_of_before_that_came_again_since_becomes_its_first_delivery(database: Database) -> None:
    unread(database, gzip.compress(told(agent="no callSid")))
    store(database, told(agent="no callSid"))
    replayed(database, 1)
    assert column(database, "inbox", "verdict") == ["new", "duplicate"]
    assert calls(database, "id", "agent") == [(1, "no callSid")]


def test_a_packed_report_and_a_plain_one_make_the_same_rows_by_a_rebuild(database: Database) -> None:
    arrivals = [
        Arrival(NOON, body, read_report(body), packed=Packed(gzip.compress(body), "gzip"))
        for body in (told(callSid="a", agent="x"), told(agent="no callSid"), told(callSid="a", agent="y"))
    ]
    database.write_now(partial(record, arrivals=arrivals, source_timezone=INDIA))
    before = rows(database, "call")
    sql(database, "UPDATE \"call\" SET agent = 'wrong'")
    assert rebuild(database) == 2
    assert [row | {"seq": 0} for row in rows(database, "call")] == [row | {"seq": 0} for row in before]
