"""The inbox is the truth: whatever way reports came in, and whatever became of the rows, it tells the same calls."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.callkaro.report import Unreadable
from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.store.inbox import Arrival, Receipt, record
from dashboard.store.rebuild import CHUNK
from tests.reports import report
from tests.stored import INDIA, NOON, arrival, calls, column, data, rebuild, rows, sql, store, told

Rows = list[dict[str, Any]]

# Few callSids, tries and values, so that most reports meet another one of the same call.
values = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 2), st.floats(allow_nan=False), st.text("a१\x00\ud800", max_size=2)
)
nested = st.dictionaries(st.sampled_from("xy"), st.one_of(values, st.dictionaries(st.just("z"), values)), max_size=2)
fields = st.fixed_dictionaries(
    {},
    optional={
        "callSid": st.sampled_from(["a", "b", "", None]),
        "try_count": st.sampled_from([0, 1, "1", 2, "?"]),
        "name": st.sampled_from(["inbound", "outbound"]),
        "call_duration": values,
        "conversion_status": values,
        "time": st.sampled_from(["2025-12-19 16:01:07", "soon"]),
        "recordingUrl": st.sampled_from(["https://one.example/", "https://two.example/"]),
        "post_call": nested,
        "call_metadata": nested,
        "more": values,
    },
)
bodies = st.one_of(fields.map(lambda data: told(**data)), st.just(b"no report"))
# Deliveries: some reports, in any order, any of them again, in batches of any size.
deliveries = st.lists(bodies, min_size=1, max_size=6).flatmap(
    lambda some: st.lists(st.lists(st.sampled_from(some), min_size=1, max_size=5), min_size=1, max_size=5)
)


def emptied(database: Database) -> None:
    tables = ("inbox", "recording", '"call"')
    sql(database, *(f"DELETE FROM {table}" for table in tables), "UPDATE clock SET seq = 0, call_id = 0")
    database._last_seen = 0  # as a process that has seen none of these numbers


def unread(database: Database, *bodies: bytes) -> list[Receipt]:
    """Store these as a board did whose reader could not make anything of them."""
    puzzled = [Arrival(NOON, body, Unreadable("What is this?")) for body in bodies]
    return database.write_now(partial(record, arrivals=puzzled, source_timezone=INDIA))


def without_seq(calls: Rows) -> Rows:
    return [{name: value for name, value in call.items() if name != "seq"} for call in calls]


@given(batches=deliveries)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_reports_are_batched_the_calls_are_the_same_and_a_rebuild_agrees(
    database: Database, batches: list[list[bytes]]
) -> None:
    emptied(database)
    one_by_one = [body for batch in batches for body in batch]
    for number, body in enumerate(one_by_one):
        database.write_now(partial(record, arrivals=[arrival(body, NOON + number)], source_timezone=INDIA))
    expected = [rows(database, table) for table in ("call", "inbox")]
    emptied(database)
    number = 0
    for batch in batches:
        arrivals = [arrival(body, NOON + number + place) for place, body in enumerate(batch)]
        number += len(batch)
        database.write_now(partial(record, arrivals=arrivals, source_timezone=INDIA))
    assert [rows(database, table) for table in ("call", "inbox")] == expected
    assert rebuild(database) == 0
    assert [rows(database, table) for table in ("call", "inbox")] == expected


def test_a_rebuild_restores_every_column_but_the_number(database: Database) -> None:
    url = "https://one.example/a.mp3"
    store(database, *(report(sid, recordingUrl=url) for sid in "abcd"), told(callSid="e", try_count=7))
    store(database, report("a", agent="x"), report("b", conversion_status=False), told(callSid="e", agent="x"))
    before = rows(database, "call")
    texts = ["call_sid", "type", "agent", "version", "campaign", "reason", "from_number", "to_number", "data"]
    texts += ["customer_name", "customer_number", "disposition", "recording_url"]
    blanked = ", ".join(f"{name} = ''" for name in texts)
    numbers = "created_seq = 0, at = 0, started_at = NULL, received_at = 0, duration_seconds = NULL, converted = NULL"
    sql(
        database,
        f'UPDATE "call" SET {blanked}, {numbers}, try_count = 99 WHERE id = 1',
        """UPDATE "call" SET data = '{"agent":', try_count = 98 WHERE id = 2""",
        'UPDATE "call" SET try_count = 97 WHERE id = 5',
        'DELETE FROM "call" WHERE id = 3',
    )
    head = database.read_now(head_of)
    assert rebuild(database) == 4
    after = rows(database, "call")
    assert without_seq(after) == without_seq(before)
    assert after[3] == before[3]
    mended = [call["seq"] for call in after if call["id"] != 4]
    assert len(set(mended)) == 4
    assert min(mended) > head
    assert rebuild(database) == 0


def test_a_rebuild_leaves_kept_recordings_alone_and_wants_lost_ones_again(database: Database) -> None:
    store(database, *(report(sid, recordingUrl=f"https://one.example/{sid}.mp3") for sid in "ab"))
    sql(
        database,
        "UPDATE recording SET state = 'kept', file = 'f' WHERE call_id = 1",
        "DELETE FROM recording WHERE call_id = 2",
        "UPDATE \"call\" SET recording_url = ''",
    )
    assert rebuild(database) == 2
    assert [(each["state"], each["file"]) for each in rows(database, "recording")] == [("kept", "f"), ("waiting", "")]


def test_more_calls_than_one_step_takes_are_all_rebuilt(database: Database) -> None:
    sids = [f"call {number}" for number in range(CHUNK + 5)]
    store(database, *(report(sid) for sid in sids))
    sql(database, "UPDATE \"call\" SET agent = ''")
    assert rebuild(database) == len(sids)
    assert set(column(database, "call", "agent")) == {"6803fa770b666a64ab1694c1e"}
    assert len(set(column(database, "call", "seq"))) == len(sids)


def test_reports_that_can_be_read_by_now_are_taken_in(database: Database) -> None:
    store(database, report("a"))
    unread(database, report("b", agent="x"), b"still nothing", report("b", agent="y"))
    head = database.read_now(head_of)
    assert rebuild(database) >= 1
    assert calls(database, "id", "call_sid", "agent", "created_seq")[1:] == [(2, "b", "y", 2)]
    assert column(database, "call", "seq")[1] > head
    assert column(database, "inbox", "verdict") == ["new", "new", "unreadable", "changed"]
    assert column(database, "inbox", "problem") == ["", "", "What is this?", ""]
    assert column(database, "inbox", "call_id") == [1, 2, None, 2]
    assert rebuild(database) == 0
    store(database, report("b", agent="x"), report("c"))
    assert calls(database, "id", "call_sid", "agent")[1:] == [(2, "b", "y"), (3, "c", "6803fa770b666a64ab1694c1e")]


def test_a_report_taken_in_late_has_its_place_in_the_order(database: Database) -> None:
    unread(database, told(callSid="a", agent="first", version="only here"))
    store(database, told(callSid="a", agent="second"), report("b"))
    assert rebuild(database) == 1
    assert data(database)[0] == {"callSid": "a", "agent": "second", "version": "only here"}
    assert calls(database, "id", "call_sid", "received_at") == [(1, "a", NOON), (2, "b", NOON + 1)]
    assert column(database, "inbox", "verdict") == ["new", "changed", "new"]


def test_bytes_that_were_unread_first_and_read_later_count_where_they_came_first(database: Database) -> None:
    a, b = told(callSid="a", agent="A"), told(callSid="a", agent="B")
    unread(database, a, a)
    store(database, b, a)
    store(database, a)
    assert column(database, "call", "agent") == ["A"]
    assert rebuild(database) == 1
    assert column(database, "call", "agent") == ["B"]
    assert column(database, "inbox", "verdict") == ["new", "duplicate", "changed", "duplicate", "duplicate"]
    assert column(database, "inbox", "duplicate_of") == [None, 1, None, 1, 1]
    assert column(database, "inbox", "body") == [a, None, b, None, None]
    assert rebuild(database) == 0


def test_a_report_without_a_try_that_is_taken_in_late_belongs_to_the_only_try(database: Database) -> None:
    unread(database, told(callSid="a", agent="x"))
    store(database, told(callSid="a", try_count=3))
    rebuild(database)
    assert calls(database, "id", "try_count", "agent") == [(1, 3, "x")]
    assert rebuild(database) == 0


def test_more_unread_reports_than_one_step_takes_are_all_taken_in(database: Database) -> None:
    sids = [f"call {number}" for number in range(CHUNK + 5)]
    unread(database, *(report(sid) for sid in sids))
    assert rebuild(database) == len(sids)
    assert column(database, "call", "id") == list(range(1, len(sids) + 1))
    assert column(database, "call", "call_sid") == sids
    assert [json.loads(text)["callSid"] for text in column(database, "call", "data")] == sids
