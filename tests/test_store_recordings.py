"""Which recordings are due, who fetches them, and what becomes of them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from dashboard.database import Database, is_away
from dashboard.models import Recording
from dashboard.store.recordings import (
    RETRY_AFTER_SECONDS,
    any_due,
    claim_due,
    discarded,
    note_failed,
    note_kept,
    recording_of,
)
from dashboard.store.removal import expire_recordings
from tests.reports import report
from tests.stored import calls, column, rows, sql, store

URL = "https://one.example/{}.mp3"


def want(database: Database, *sids: str) -> None:
    store(database, *(report(sid, recordingUrl=URL.format(sid)) for sid in sids))


def claim(database: Database, most: int = 10) -> list[Recording]:
    return list(database.write_now(partial(claim_due, most=most)))


def make_due(database: Database) -> None:
    """As if all the waiting had passed."""
    sql(database, "UPDATE recording SET due_at = 0")


def kept(database: Database, claimed: Recording, file: str = "f") -> None:
    database.write_now(partial(note_kept, claimed=claimed, file=file, content_type="audio/mpeg", size=7))


def failed(database: Database, claimed: Recording, *, is_final: bool = False) -> None:
    database.write_now(partial(note_failed, claimed=claimed, problem="No.", is_final=is_final))


def only(database: Database) -> dict[str, Any]:
    (row,) = rows(database, "recording")
    return row


def test_a_recording_is_due_at_once_and_nobodys_else_while_it_is_claimed(database: Database) -> None:
    want(database, "a")
    assert database.read_now(any_due)
    (claimed,) = claim(database)
    assert (claimed.call_id, claimed.url, claimed.attempts) == (1, "https://one.example/a.mp3", 1)
    assert claim(database) == []
    assert not database.read_now(any_due)


def test_a_claim_that_ran_out_comes_up_again(database: Database) -> None:
    want(database, "a")
    claim(database)
    lease = only(database)["due_at"] - time.time_ns() // 1000
    assert 170e6 < lease < 190e6
    make_due(database)
    assert [claimed.attempts for claimed in claim(database)] == [2]


def test_a_call_without_an_address_wants_nothing(database: Database) -> None:
    store(database, report("a", recordingUrl=""), report("b", recordingUrl=None))
    assert not database.read_now(any_due)


def test_the_newest_are_claimed_first_and_no_more_than_asked_for(database: Database) -> None:
    want(database, *"abcd")
    sql(database, "UPDATE recording SET due_at = 10 - call_id")
    assert [claimed.call_id for claimed in claim(database, 3)] == [1, 2, 3]
    assert [claimed.call_id for claimed in claim(database, 3)] == [4]


def test_a_kept_recording_is_a_change_of_its_call(database: Database) -> None:
    want(database, "a", "b")
    kept(database, claim(database)[-1], "ab12")
    recording = database.read_now(lambda session: recording_of(session, 1))
    assert recording is not None
    assert (recording.state, recording.file, recording.size, recording.problem) == ("kept", "ab12", 7, "")
    assert calls(database, "id", "seq") == [(1, 3), (2, 2)]
    make_due(database)
    assert [claimed.call_id for claimed in claim(database)] == [2]


def test_a_failed_attempt_is_shown_and_tried_again_later_and_later_until_it_is_given_up(database: Database) -> None:
    want(database, "a")
    for attempt, seconds in enumerate(RETRY_AFTER_SECONDS):
        failed(database, claim(database)[0])
        row = only(database)
        assert (row["state"], row["problem"]) == ("waiting", "No.")
        assert row["due_at"] - time.time_ns() // 1000 == pytest.approx(seconds * 1e6, abs=5e6)
        assert column(database, "call", "seq") == [2 + attempt]
        make_due(database)
    failed(database, claim(database)[0])
    assert (only(database)["state"], only(database)["problem"]) == ("failed", "No.")
    make_due(database)
    assert claim(database) == []


def test_a_final_failure_is_not_tried_again(database: Database) -> None:
    want(database, "a")
    failed(database, claim(database)[0], is_final=True)
    assert only(database)["state"] == "failed"
    assert column(database, "call", "seq") == [2]


def test_the_outcome_of_an_address_that_a_later_report_replaced_counts_for_nothing(database: Database) -> None:
    want(database, "a")
    (claimed,) = claim(database)
    store(database, report("a", recordingUrl="https://two.example/a.mp3"))
    kept(database, claimed)
    row = only(database)
    assert (row["url"], row["state"], row["attempts"]) == ("https://two.example/a.mp3", "waiting", 0)
    assert column(database, "call", "seq") == [2]


def test_a_kept_recording_is_fetched_anew_only_from_another_address(database: Database) -> None:
    want(database, "a")
    kept(database, claim(database)[0])
    store(database, report("a", recordingUrl=URL.format("a"), agent="x"))
    assert only(database)["state"] == "kept"
    store(database, report("a", recordingUrl=URL.format("b"), agent="x"))
    assert (only(database)["state"], only(database)["file"]) == ("waiting", "f"), "what was kept is played meanwhile"
    (claimed,) = claim(database)
    database.write_now(partial(note_failed, claimed=claimed, problem="gone", is_final=True))
    assert (only(database)["state"], only(database)["file"]) == ("failed", "f")


def test_who_lost_his_claim_cannot_undo_what_the_next_one_kept(database: Database) -> None:
    want(database, "a")
    (slow,) = claim(database)
    make_due(database)
    (quick,) = claim(database)
    kept(database, quick)
    failed(database, slow, is_final=True)
    assert (only(database)["state"], only(database)["file"]) == ("kept", "f")
    assert column(database, "call", "seq") == [2]


def test_audio_that_reached_its_age_while_it_was_fetched_is_thrown_away(database: Database) -> None:
    want(database, "a", "b")
    first, second = claim(database)
    database.write_now(partial(expire_recordings, call_ids=[1, 2]))
    kept(database, first, "ab12")
    failed(database, second, is_final=True)
    assert rows(database, "recording", "state, file, problem") == [{"state": "expired", "file": "", "problem": ""}] * 2
    assert database.read_now(discarded) == [("ab12", False)]


def test_several_processes_that_claim_at_once_never_get_the_same(database: Database) -> None:
    want(database, *(f"call {number}" for number in range(60)))

    def take(_: int) -> list[int]:
        own = Database(database.url.render_as_string(hide_password=False))
        taken: list[int] = []
        try:
            while own.read_now(any_due):
                try:
                    taken += [claimed.call_id for claimed in claim(own, 4)]
                except DBAPIError as problem:
                    if not is_away(problem):
                        raise
        finally:
            own.close()
        return taken

    with ThreadPoolExecutor(4) as threads:
        taken = [call_id for each in threads.map(take, range(4)) for call_id in each]
    assert sorted(taken) == list(range(1, 61))
