"""What is kept grows old: packed, then gone, and never back. On both databases."""

from __future__ import annotations

import asyncio
import gzip
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from dashboard.callkaro.report import Unreadable, read_report
from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.models import Inbox
from dashboard.recordings.keep import Keep
from dashboard.retention import FOR_EVER, MICROS_A_DAY, Contradiction, Retention, retention_of
from dashboard.store.bodies import body_of, keep_packed, next_plain, pack, pack_all, unpack
from dashboard.store.calls import changed_since
from dashboard.store.inbox import Arrival, Packed, record
from dashboard.store.news import Gone, news_since
from dashboard.store.recordings import discard
from dashboard.store.removal import remove_calls
from dashboard.store.retention import CHUNK, count_due
from dashboard.store.size import size_of
from dashboard.upkeep import Upkeep
from tests.reports import report
from tests.stored import INDIA, NOON, arrival, calls, column, data, rebuild, rows, sql, store, told, verdicts

ALL = 10**6


def arrive(database: Database, day: int, *bodies: bytes) -> list[str]:
    """These reports, on a day after NOON's; gives their verdicts."""
    at = NOON + day * MICROS_A_DAY
    step = partial(record, arrivals=[arrival(body, at) for body in bodies], source_timezone=INDIA)
    return verdicts(database.write_now(step))


def look_after(
    database: Database, folder: Path, retention: Retention, *, day: int, pack_after_seconds: int = 0
) -> dict[str, int]:
    """All the upkeep there is to do on a day; gives what was done."""

    async def all_steps() -> dict[str, int]:
        now = NOON + day * MICROS_A_DAY
        upkeep = Upkeep(database, Keep(folder), retention, lambda: now, pack_after_seconds=pack_after_seconds)
        while await upkeep.step():
            pass
        return dict(upkeep.done)

    return asyncio.run(all_steps())


def bodies(database: Database) -> list[bytes | None]:
    return database.read_now(lambda session: [body_of(row) for row in session.exec(select(Inbox).order_by("id"))])


def long_report(sid: str, **changes: Any) -> bytes:
    return report(sid, transcription="Agent: Namaste. " * 40, **changes)


# --- packing


@given(st.binary(max_size=500) | st.text(max_size=200).map(lambda text: told(transcription=text)))
def test_a_packed_body_comes_back_byte_for_byte(body: bytes) -> None:
    assert unpack(pack(body)) == body


def test_bodies_are_packed_later_and_read_as_they_came(database: Database, tmp_path: Path) -> None:
    came = [long_report("a"), b"no report", long_report("b"), long_report("a", agent="x")]
    store(database, *came, came[0])
    assert look_after(database, tmp_path, FOR_EVER, day=1)["pack"] >= 3
    assert column(database, "inbox", "packing")[0] == "zlib-1"
    assert sum(len(body) for body in column(database, "inbox", "body") if body) < sum(map(len, came)) / 2
    assert bodies(database) == [*came, None]
    before = rows(database, "call")
    assert rebuild(database) == 0
    assert rows(database, "call") == before
    assert verdicts(store(database, *came)) == ["duplicate", "unreadable", "duplicate", "duplicate"]
    assert look_after(database, tmp_path, FOR_EVER, day=1) == {"pack": 0}


def test_what_came_packed_is_kept_as_it_came_and_read_unpacked(database: Database, tmp_path: Path) -> None:
    body = long_report("a")
    # Of level 0 is larger than the report, so that our own packing is worth it.
    came = [gzip.compress(body), gzip.compress(long_report("b"), 0)]
    arrivals = [
        Arrival(NOON, gzip.decompress(each), read_report(gzip.decompress(each)), packed=Packed(each, "gzip"))
        for each in came
    ]
    database.write_now(partial(record, arrivals=arrivals, source_timezone=INDIA))
    look_after(database, tmp_path, FOR_EVER, day=1)
    assert column(database, "inbox", "packing") == ["", "zlib-1"]
    assert column(database, "inbox", "content_encoding") == ["gzip", "gzip"]
    assert bodies(database) == [body, long_report("b")]
    first, second = column(database, "inbox", "body")
    assert [bytes(first), unpack(bytes(second))] == came


def test_what_has_just_come_in_is_packed_when_it_has_rested(database: Database, tmp_path: Path) -> None:
    arrive(database, 0, long_report("a"))
    arrive(database, 1, long_report("b"))
    look_after(database, tmp_path, FOR_EVER, day=1, pack_after_seconds=600)
    assert column(database, "inbox", "packing") == ["zlib-1", ""]


def test_a_body_that_was_removed_while_it_was_packed_stays_removed(database: Database) -> None:
    store(database, long_report("a"))
    plain = database.read_now(partial(next_plain, before=NOON + MICROS_A_DAY))
    assert plain is not None
    database.write_now(partial(remove_calls, call_ids=[1]))
    database.write_now(partial(keep_packed, ready=pack_all(*plain)))
    assert rows(database, "inbox", "body, packing") == [{"body": None, "packing": "gone"}]


# --- age


def test_a_call_is_as_old_as_its_last_report(database: Database, tmp_path: Path) -> None:
    arrive(database, 0, report("a"), report("b"), report("c"))
    arrive(database, 20, report("a", agent="x"))
    assert look_after(database, tmp_path, Retention(calls=30), day=31)["calls"] == 2
    assert calls(database, "call_sid") == [("a",)]
    assert look_after(database, tmp_path, Retention(calls=30), day=51)["calls"] == 1
    assert calls(database, "call_sid") == []


def test_a_removed_call_takes_a_number_and_is_news(database: Database, tmp_path: Path) -> None:
    arrive(database, 0, report("a"), report("b"))
    head = database.read_now(head_of)
    look_after(database, tmp_path, Retention(calls=30), day=31)
    news, upto = database.read_now(partial(news_since, seq=head, most=ALL))
    assert [(type(change), change.id) for change in news] == [(Gone, 1), (Gone, 2)]
    assert head < news[0].seq < news[1].seq <= upto == database.read_now(head_of)


def test_news_come_in_the_order_of_their_numbers_however_few_are_asked_for(database: Database) -> None:
    store(database, *(report(sid) for sid in "abcdef"))
    database.write_now(partial(remove_calls, call_ids=[2]))
    store(database, report("a", agent="x"))
    database.write_now(partial(remove_calls, call_ids=[3, 4, 1]))
    whole, upto = database.read_now(partial(news_since, seq=0, most=ALL))
    assert [change.id for change in whole if isinstance(change, Gone)] == [2, 1, 3, 4]
    for most in range(1, 8):
        read, seq = [], 0
        while seq < upto:
            some, seq = database.read_now(partial(news_since, seq=seq, most=most))
            assert len(some) <= most
            read += some
        assert read == whole
    assert database.read_now(partial(changed_since, seq=0, most=ALL))[1] == upto


def test_a_repeat_of_a_removed_report_brings_nothing_back_and_another_report_is_a_new_call(
    database: Database, tmp_path: Path
) -> None:
    arrive(database, 0, report("a"))
    look_after(database, tmp_path, Retention(calls=30), day=31)
    assert arrive(database, 32, report("a")) == ["duplicate"]
    assert calls(database, "id") == []
    assert arrive(database, 32, report("a", agent="x")) == ["new"]
    assert calls(database, "id", "agent") == [(2, "x")]


def test_raw_reports_go_and_the_call_stays_through_a_rebuild(database: Database, tmp_path: Path) -> None:
    arrive(database, 0, report("a"), report("b"), b"no report")
    arrive(database, 20, report("b", agent="later"))
    assert look_after(database, tmp_path, Retention(reports=10), day=15)["reports"] == 3
    assert [body is None for body in bodies(database)] == [True, True, True, False]
    before = rows(database, "call")
    sql(database, "UPDATE \"call\" SET agent = 'mended by hand' WHERE id = 1")
    assert rebuild(database) == 0
    assert column(database, "call", "agent") == ["mended by hand", "later"]
    assert rows(database, "call")[1] == before[1]
    assert arrive(database, 21, report("a"), report("a", agent="new")) == ["duplicate", "changed"]
    assert column(database, "call", "agent")[0] == "new"


def test_transcripts_go_with_the_reports_that_hold_them_and_a_rebuild_brings_none_back(
    database: Database, tmp_path: Path
) -> None:
    arrive(database, 0, long_report("a"), report("b", without=("transcription",)))
    head = database.read_now(head_of)
    assert look_after(database, tmp_path, Retention(reports=10, transcripts=10), day=11)["transcripts"] == 1
    assert ["transcription" in call for call in data(database)] == [False, False]
    assert data(database)[0]["agent"] == "6803fa770b666a64ab1694c1e"
    assert [row.id for row in database.read_now(partial(changed_since, seq=head, most=ALL))[0]] == [1]
    assert bodies(database) == [None, None]
    assert rebuild(database) == 0
    assert "transcription" not in data(database)[0]


def test_a_report_that_can_be_read_by_now_does_not_undo_a_removal(database: Database, tmp_path: Path) -> None:
    body = report("a")
    sql(database, "DELETE FROM inbox")
    arrive(database, 0, body)
    arrive(database, 0, report("b"))
    sql(database, "UPDATE inbox SET verdict = 'unreadable', call_id = NULL, event = '' WHERE id = 2")
    sql(database, 'DELETE FROM "call" WHERE id = 2', "UPDATE clock SET call_id = 1")
    database.write_now(partial(remove_calls, call_ids=[1]))
    sql(database, "UPDATE inbox SET sha256 = (SELECT sha256 FROM inbox WHERE id = 1) WHERE id = 2")
    assert rebuild(database) == 0
    assert calls(database, "id") == []


def test_audio_goes_from_the_folder_unless_another_call_has_the_same(database: Database, tmp_path: Path) -> None:
    names = ["a" * 64, "b" * 64]
    for name in names:
        (tmp_path / name[:2]).mkdir()
        (tmp_path / name[:2] / name).write_bytes(b"sound")
        os.utime(tmp_path / name[:2] / name, (0, 0))
    arrive(database, 0, *(report(sid, recordingUrl=f"https://x.example/{sid}") for sid in "abc"))
    arrive(database, 20, report("d", recordingUrl="https://x.example/d"))
    for call_id, name in ((1, names[0]), (2, names[1]), (4, names[1])):
        sql(database, f"UPDATE recording SET state = 'kept', file = '{name}' WHERE call_id = {call_id}")
    assert look_after(database, tmp_path, Retention(audio=10), day=11)["audio"] == 3
    assert column(database, "recording", "state") == ["expired", "expired", "expired", "kept"]
    assert [(tmp_path / name[:2] / name).exists() for name in names] == [False, True]
    assert rows_of_discarded(database) == []
    look_after(database, tmp_path, Retention(audio=10), day=31)
    assert not (tmp_path / names[1][:2] / names[1]).exists()
    assert rebuild(database) == 0
    assert set(column(database, "recording", "state")) == {"expired"}


def test_audio_that_was_discarded_and_has_just_come_again_stays_for_the_call_that_brings_it(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "aa" / ("a" * 64)
    path.parent.mkdir()
    path.write_bytes(b"sound")
    arrive(database, 0, report("a", recordingUrl="https://x.example/a"))
    database.write_now(partial(discard, files=[path.name]))
    look_after(database, tmp_path, FOR_EVER, day=0)
    assert path.exists()
    assert len(rows_of_discarded(database)) == 1
    sql(database, f"UPDATE recording SET state = 'kept', file = '{path.name}'")
    os.utime(path, (0, 0))
    look_after(database, tmp_path, FOR_EVER, day=0)
    assert path.exists()
    assert rows_of_discarded(database) == []


def test_audio_whose_age_has_passed_is_not_fetched_when_its_report_can_be_read_in_the_end(
    database: Database, tmp_path: Path
) -> None:
    puzzle = Unreadable("What is this?")
    came = [report(sid, recordingUrl=f"https://x.example/{sid}") for sid in "ab"]
    for day, body in zip((0, 20), came, strict=True):
        unread = [Arrival(NOON + day * MICROS_A_DAY, body, puzzle)]
        database.write_now(partial(record, arrivals=unread, source_timezone=INDIA))
    look_after(database, tmp_path, Retention(audio=10), day=21)
    assert rebuild(database) == 2
    assert rows(database, "recording", "url, state, file") == [
        {"url": "https://x.example/a", "state": "expired", "file": ""},
        {"url": "https://x.example/b", "state": "waiting", "file": ""},
    ]
    look_after(database, tmp_path, Retention(audio=10), day=31)
    assert set(column(database, "recording", "state")) == {"expired"}
    before = rows(database, "call")
    assert rebuild(database) == 0
    assert rows(database, "call") == before
    # Heard of again, a call is young again.
    arrive(database, 32, report("a", recordingUrl="https://x.example/anew"))
    assert column(database, "recording", "state") == ["waiting", "expired"]


def test_another_address_that_an_old_report_brings_to_expired_audio_brings_it_not_back(
    database: Database, tmp_path: Path
) -> None:
    arrive(database, 0, report("a", recordingUrl="https://x.example/one"))
    anew = [Arrival(NOON, report("a", recordingUrl="https://x.example/two"), Unreadable("What is this?"))]
    database.write_now(partial(record, arrivals=anew, source_timezone=INDIA))
    look_after(database, tmp_path, Retention(audio=10), day=21)
    assert rebuild(database) == 1
    assert rows(database, "recording", "url, state") == [{"url": "https://x.example/two", "state": "expired"}]


def rows_of_discarded(database: Database) -> list[object]:
    return database.read_now(lambda session: list(session.connection().exec_driver_sql("SELECT file FROM discarded")))


def test_more_calls_than_one_step_takes_all_go_and_a_dry_run_counts_them(database: Database, tmp_path: Path) -> None:
    arrive(database, 0, *(long_report(f"call {number}") for number in range(CHUNK + 5)))
    arrive(database, 20, long_report("young"))
    cutoff = NOON + 10 * MICROS_A_DAY
    due = {
        task: database.read_now(partial(count_due, task=task, cutoff=cutoff))
        for task in ("audio", "reports", "transcripts", "calls")
    }
    assert due == {"audio": 0, "reports": CHUNK + 5, "transcripts": CHUNK + 5, "calls": CHUNK + 5}
    done = look_after(database, tmp_path, Retention(reports=10, calls=10), day=20)
    assert (done["reports"], done["calls"]) == (CHUNK + 5, CHUNK + 5)
    assert calls(database, "call_sid") == [("young",)]


def test_upkeep_that_is_stopped_goes_on_where_it_was(database: Database, tmp_path: Path) -> None:
    arrive(database, 0, *(report(f"call {number}") for number in range(2 * CHUNK)))

    async def one_step() -> None:
        upkeep = Upkeep(database, Keep(tmp_path), Retention(calls=1), lambda: NOON + 9 * MICROS_A_DAY)
        assert await upkeep.step()

    asyncio.run(one_step())
    assert len(calls(database, "id")) == CHUNK
    assert look_after(database, tmp_path, Retention(calls=1), day=9)["calls"] == CHUNK
    assert calls(database, "id") == []


def test_the_room_that_data_takes_is_told_by_table_and_call(database: Database) -> None:
    store(database, *(long_report(sid) for sid in "abc"))
    size = database.read_now(size_of)
    assert {"inbox", "call", "clock"} <= set(size.tables)
    assert size.calls == 3
    assert size.per_call == size.database // 3 > 1000


# --- what is asked for


@pytest.mark.parametrize(
    ("given_days", "holds"),
    [
        (Retention(), Retention()),
        (Retention(audio=30), Retention(audio=30)),
        (Retention(calls=90), Retention(calls=90, reports=90)),
        (Retention(calls=90, audio=30, reports=7, transcripts=30), Retention(30, 7, 30, 90)),
    ],
    ids=range(4),
)
def test_how_long_things_are_kept(given_days: Retention, holds: Retention) -> None:
    assert retention_of(given_days) == holds


@pytest.mark.parametrize(
    ("given_days", "words"),
    [
        (Retention(transcripts=30), "DASHBOARD_KEEP_REPORTS_DAYS to 30 or less"),
        (Retention(transcripts=30, reports=31), "DASHBOARD_KEEP_REPORTS_DAYS to 30 or less"),
        (Retention(calls=30, audio=31), "DASHBOARD_KEEP_AUDIO_DAYS to 30 or less"),
        (Retention(calls=30, reports=31), "DASHBOARD_KEEP_REPORTS_DAYS to 30 or less"),
        (Retention(calls=30, reports=31, transcripts=31), "DASHBOARD_KEEP_REPORTS_DAYS to 30 or less"),
    ],
    ids=range(5),
)
def test_settings_that_contradict_each_other_are_refused_with_what_to_set(given_days: Retention, words: str) -> None:
    with pytest.raises(Contradiction, match=words):
        retention_of(given_days)
