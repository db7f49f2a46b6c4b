"""Reports become rows: who a call is, how later reports change it, and the numbers it takes."""

from __future__ import annotations

import hashlib

import pytest

from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.store import inbox
from tests.reports import report
from tests.stored import calls, column, data, rows, store, told, verdicts


def test_a_report_is_written_down_verbatim_and_makes_a_call(database: Database) -> None:
    body = b'\xef\xbb\xbf  {"event":"call_ended",\r\n"data":{"callSid":"a","zz":[1.50,"\\u0000"],"batchId":"b"}}'
    (receipt,) = store(database, body)
    (inbox,) = rows(database, "inbox")
    assert (inbox["body"], inbox["size"], inbox["sha256"]) == (body, len(body), hashlib.sha256(body).digest())
    assert (inbox["id"], inbox["verdict"], inbox["call_id"]) == (receipt.id, "new", receipt.call_id)
    assert calls(database, "id", "call_sid", "campaign", "seq", "created_seq") == [(1, "a", "b", 1, 1)]
    assert data(database) == [{"callSid": "a", "zz": [1.5, "�"], "batchId": "b"}]


def test_the_same_bytes_are_one_call_however_often_and_however_late(database: Database) -> None:
    body = report("a")
    assert verdicts(store(database, body, body, body)) == ["new", "duplicate", "duplicate"]
    assert verdicts(store(database, body)) == ["duplicate"]
    assert calls(database, "id", "seq") == [(1, 1)]
    assert column(database, "inbox", "duplicate_of") == [None, 1, 1, 1]
    assert column(database, "inbox", "call_id") == [1, 1, 1, 1]
    assert column(database, "inbox", "body") == [body, None, None, None]


def test_after_a_b_a_it_stays_b(database: Database) -> None:
    a, b = report("x", hangup_reason="A"), report("x", hangup_reason="B")
    assert verdicts(store(database, a, b, a)) == ["new", "changed", "duplicate"]
    assert verdicts(store(database, b, a)) == ["duplicate", "duplicate"]
    assert calls(database, "reason", "seq", "created_seq") == [("B", 2, 1)]


def test_other_bytes_that_say_the_same_change_nothing_and_take_no_new_number_for_the_call(database: Database) -> None:
    body = report("a")
    assert verdicts(store(database, body, body.replace(b": ", b":"), body + b"\n")) == ["new", "unchanged", "unchanged"]
    assert verdicts(store(database, b" " + body, report("a", without=("agent",)))) == ["unchanged", "unchanged"]
    assert calls(database, "seq") == [(1,)]


def test_a_later_value_wins_key_by_key_and_nothing_is_blanked(database: Database) -> None:
    store(
        database,
        told(callSid="a", agent="one", post_call={"x": 1, "deep": {"p": 1, "q": 2}}, functions_called=[1], time="t"),
        told(callSid="a", agent="", post_call={"y": 2, "deep": {"q": 3}}, functions_called=[], time=None),
        told(callSid="a", post_call={}, batchId="b"),
    )
    assert data(database) == [
        {
            "callSid": "a",
            "agent": "one",
            "post_call": {"x": 1, "deep": {"p": 1, "q": 3}, "y": 2},
            "functions_called": [1],
            "time": "t",
            "batchId": "b",
        }
    ]


def test_tries_are_merged_alike_whether_a_batch_has_leisure_to_read_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_MOST_AT_LEISURE", 150)
    odd = [[], {}, 1.5, "NaN", -0.0, 10**17, "é\U0001f469"]
    store(database, *(told(callSid="a", try_count=number, functions_called=odd) for number in range(4)))
    store(database, *(told(callSid="a", try_count=number, agent="later") for number in range(4)))
    call = {"callSid": "a", "functions_called": odd, "agent": "later"}
    assert data(database) == [call | {"try_count": number} for number in range(4)]


def test_false_and_nought_are_values(database: Database) -> None:
    store(database, told(callSid="a", conversion_status=True, call_duration=60))
    store(database, told(callSid="a", conversion_status=False, call_duration=0))
    assert [(bool(converted), seconds) for converted, seconds in calls(database, "converted", "duration_seconds")] == [
        (False, 0)
    ]


def test_true_is_not_the_same_as_one(database: Database) -> None:
    receipts = store(database, told(callSid="a", call_duration=1), told(callSid="a", call_duration=True))
    assert verdicts(receipts) == ["new", "changed"]
    assert [value["call_duration"] is True for value in data(database)] == [True]
    assert calls(database, "duration_seconds") == [(None,)]


def test_several_tries_of_a_call_are_several_calls_also_in_one_batch(database: Database) -> None:
    store(database, *(told(callSid="a", try_count=number) for number in (0, "1", 1, 2.0, "2", -1)))
    assert calls(database, "id", "try_count") == [(1, 0), (2, 1), (3, 2), (4, -1)]


def test_a_missing_try_means_the_only_try_known(database: Database) -> None:
    store(database, told(callSid="a", try_count=3))
    store(database, told(callSid="a", agent="x"), told(callSid="a", try_count="?", version=1))
    assert calls(database, "try_count", "agent") == [(3, "x")]


def test_a_missing_try_among_several_means_the_first(database: Database) -> None:
    store(database, told(callSid="a", try_count=3), told(callSid="a", try_count=4), told(callSid="a", agent="x"))
    assert calls(database, "try_count", "agent") == [(3, ""), (4, ""), (0, "x")]


def test_a_missing_try_of_an_inbound_call_is_its_own(database: Database) -> None:
    store(database, told(callSid="a", name="inbound"), told(callSid="b", name="outbound"))
    assert calls(database, "call_sid", "try_count") == [("a", -1), ("b", 0)]


def test_reports_without_a_callsid_are_told_apart_by_their_bytes(database: Database) -> None:
    bodies = [told(agent="x"), told(agent="y"), told(agent="x"), told(callSid="", agent="x")]
    assert verdicts(store(database, *bodies)) == ["new", "new", "duplicate", "new"]
    assert column(database, "call", "call_sid") == [
        f"sha256:{hashlib.sha256(body).hexdigest()}" for body in (bodies[0], bodies[1], bodies[3])
    ]


def test_a_number_as_callsid_is_the_same_as_its_text(database: Database) -> None:
    store(database, told(callSid=17), told(callSid=" 17 ", agent="x"))
    assert calls(database, "call_sid", "agent") == [("17", "x")]


def test_a_megabyte_of_callsid_is_a_call_like_any_other(database: Database) -> None:
    long = "ॐ" * 350_000
    assert verdicts(store(database, told(callSid=long), told(callSid=long, agent="x"), told(callSid=long + "!"))) == [
        "new",
        "changed",
        "new",
    ]
    assert column(database, "call", "agent") == ["x", ""]


def test_what_is_no_report_is_kept_and_makes_no_call(database: Database) -> None:
    receipts = store(database, b"\xff\x00", b'{"event":"whatsapp_ended","data":{}}', b'{"event":"call_ended"}')
    assert [(receipt.verdict, receipt.call_id) for receipt in receipts] == [
        ("unreadable", None),
        ("ignored", None),
        ("unreadable", None),
    ]
    assert column(database, "inbox", "body")[0] == b"\xff\x00"
    assert column(database, "inbox", "event") == ["", "whatsapp_ended", ""]
    assert "UTF-8" in column(database, "inbox", "problem")[0]
    assert calls(database, "id") == []


def test_receipts_come_in_order_and_say_what_the_inbox_says(database: Database) -> None:
    receipts = store(database, report("a"), b"{", report("a"), report("b"), report("a", agent="x"), report("c"))
    assert [receipt.id for receipt in receipts] == [1, 2, 3, 4, 5, 6]
    assert [tuple(row.values()) for row in rows(database, "inbox", "id, verdict, call_id")] == receipts
    assert verdicts(receipts) == ["new", "unreadable", "duplicate", "new", "changed", "new"]


def test_a_changed_call_has_the_number_of_the_report_that_changed_it_last(database: Database) -> None:
    store(database, report("a"), report("b"))
    store(
        database, report("b", agent="1"), report("c"), report("b", agent="2"), report("b", agent="2", name="outbound")
    )
    assert calls(database, "id", "seq", "created_seq") == [(1, 1, 1), (2, 5, 2), (3, 4, 4)]
    assert database.read_now(head_of) == 6


def test_ids_of_calls_are_dense_and_never_used_again(database: Database) -> None:
    store(database, report("a"), b"{", report("a"), report("b"))
    assert column(database, "call", "id") == [1, 2]
    database.write_now(lambda session: session.connection().exec_driver_sql('DELETE FROM "call"'))
    store(database, report("c"))
    assert column(database, "call", "id") == [3]


def test_a_call_that_a_later_report_moves_to_another_recording_waits_for_that_one(database: Database) -> None:
    store(database, report("a", recordingUrl="https://one.example/a.mp3"))
    store(database, report("a", recordingUrl="https://two.example/a.mp3"), report("b"))
    store(database, report("a", recordingUrl="https://two.example/a.mp3", agent="x"))
    (recording,) = rows(database, "recording")
    assert (recording["call_id"], recording["url"], recording["state"]) == (1, "https://two.example/a.mp3", "waiting")
