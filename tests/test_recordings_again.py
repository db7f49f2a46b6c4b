"""Recordings that were given up or cut: what brings them back, by itself, by a report, by a person."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic import command as alembic
from alembic.script import ScriptDirectory

from dashboard.__main__ import main
from dashboard.archive import Archive
from dashboard.credentials import read_credentials
from dashboard.database import Database
from dashboard.migrations import _config, migrate
from dashboard.models import Recording
from dashboard.recordings.keep import Keep
from dashboard.recordings.outcomes import Access
from dashboard.store.recordings import (
    RETRY_AFTER_SECONDS,
    claim_due,
    discarded,
    fetch_again,
    given_up,
    note_failed,
    note_kept,
    open_causes,
    release,
)
from dashboard.store.removal import expire_recordings
from dashboard.web.parts import Callboard
from tests.audio_samples import gsm_wav, wav, wav_header
from tests.cast import enter_cast
from tests.forms import post
from tests.recording_host import MP3, RecordingHost, audio, only_if, put, status
from tests.reports import WEBHOOK, report
from tests.stored import column, rebuild, rows, sql, store

URL = "https://one.example/{}.mp3"
CEILING = 30.0


def want(database: Database, *sids: str) -> None:
    store(database, *(report(sid, recordingUrl=URL.format(sid)) for sid in sids))


def claim(database: Database) -> Recording:
    sql(database, "UPDATE recording SET due_at = 0 WHERE state = 'waiting'")
    (claimed,) = database.write_now(partial(claim_due, most=1))
    return claimed


def keep(database: Database, file: str, size: int, cut_off: str = "") -> None:
    kept = partial(note_kept, file=file, content_type="audio/wav", size=size, codec="pcm_s16le", cut_off=cut_off)
    database.write_now(partial(kept, claimed=claim(database)))


def fail(database: Database, cause: str = "gone", *, is_final: bool = True, **more: Any) -> None:
    failed = partial(note_failed, problem="No.", is_final=is_final, cause=cause, **more)
    database.write_now(partial(failed, claimed=claim(database)))


def only(database: Database) -> dict[str, Any]:
    (row,) = rows(database, "recording")
    return row


# --- a recording without its end


def test_a_recording_without_its_end_is_kept_and_tried_again(database: Database) -> None:
    want(database, "a")
    keep(database, "half", 5, "It broke off.")
    row = only(database)
    assert (row["state"], row["file"], row["cause"], row["problem"]) == ("waiting", "half", "cut", "It broke off.")
    keep(database, "whole", 10)
    row = only(database)
    assert (row["state"], row["file"], row["cause"], row["problem"], row["size"]) == ("kept", "whole", "", "", 10)
    assert database.read_now(discarded) == [("half", False)]


def test_a_longer_beginning_takes_the_place_of_a_shorter_one_and_never_the_other_way(database: Database) -> None:
    want(database, "a")
    keep(database, "half", 5, "It broke off.")
    keep(database, "more", 7, "It broke off.")
    keep(database, "less", 2, "It broke off.")
    assert (only(database)["file"], only(database)["size"]) == ("more", 7)
    assert {file for file, _ in database.read_now(discarded)} == {"half", "less"}


def test_a_beginning_never_takes_the_place_of_a_whole_recording(database: Database) -> None:
    want(database, "a")
    keep(database, "whole", 10)
    store(database, report("a", recordingUrl=URL.format("other")))
    keep(database, "half", 50, "It broke off.")
    row = only(database)
    assert (row["state"], row["file"], row["cause"], row["problem"]) == ("waiting", "whole", "", "It broke off.")


def test_a_beginning_is_kept_in_the_end_and_said_to_be_one(database: Database) -> None:
    want(database, "a")
    keep(database, "half", 5, "It broke off.")
    fail(database, "host", is_final=False)
    assert (only(database)["state"], only(database)["cause"]) == ("waiting", "cut")
    fail(database, "gone")
    assert (only(database)["state"], only(database)["file"], only(database)["cause"]) == ("kept", "half", "cut")
    assert [each.call_id for each in database.read_now(given_up)] == [1]


def test_a_recording_that_breaks_off_every_time_is_given_up_with_what_came(database: Database) -> None:
    want(database, "a")
    for _ in range(len(RETRY_AFTER_SECONDS) + 1):
        keep(database, "half", 5, "It broke off.")
    assert (only(database)["state"], only(database)["cause"]) == ("kept", "cut")


# --- when the next attempt is due


@pytest.mark.parametrize(
    ("asked", "seconds"), [(None, 10), (3.0, 10), (900.0, 900), (10.0**9, RETRY_AFTER_SECONDS[-1])]
)
def test_what_a_host_asks_for_is_heeded_within_bounds(database: Database, asked: float | None, seconds: float) -> None:
    want(database, "a")
    fail(database, "host", is_final=False, wait_seconds=asked)
    assert only(database)["due_at"] - time.time_ns() // 1000 == pytest.approx(seconds * 1e6, abs=10e6)


def test_a_full_disk_uses_up_no_attempt(database: Database) -> None:
    want(database, "a")
    for _ in range(20):
        fail(database, "disk", is_final=False, is_counted=False)
    assert (only(database)["state"], only(database)["attempts"]) == ("waiting", 0)


# --- what brings one back


def test_a_later_report_that_names_the_recording_brings_it_back(database: Database) -> None:
    want(database, "a")
    fail(database)
    before = column(database, "call", "seq")
    store(database, report("a", recordingUrl=URL.format("a"), extra="more"))
    assert (only(database)["state"], only(database)["attempts"], only(database)["problem"]) == ("waiting", 0, "")
    fail(database)
    store(database, report("a", recordingUrl=URL.format("a")) + b"\n")
    assert only(database)["state"] == "waiting", "also one that changes nothing"
    assert column(database, "call", "seq") > before
    fail(database)
    store(database, report("a", recordingUrl=""))
    assert only(database)["state"] == "failed", "one without the recording says nothing of it"


def test_a_repeat_of_the_same_report_brings_nothing_back(database: Database) -> None:
    want(database, "a")
    fail(database)
    want(database, "a")
    assert only(database)["state"] == "failed"


def test_a_rebuild_brings_back_what_was_given_up_and_leaves_alone_what_is_kept(database: Database) -> None:
    want(database, "a")
    keep(database, "whole", 10)
    want(database, "b")
    fail(database)
    assert rebuild(database) == 0
    assert rows(database, "recording", "state, file") == [
        {"state": "kept", "file": "whole"},
        {"state": "waiting", "file": ""},
    ]


def test_one_that_has_reached_its_age_stays_away(database: Database) -> None:
    want(database, "a")
    database.write_now(partial(expire_recordings, call_ids=[1]))
    assert database.write_now(partial(fetch_again, call_ids=[1, 99])) == 0
    assert only(database)["state"] == "expired"


def test_those_that_a_setting_kept_away_come_back_and_no_others(database: Database) -> None:
    want(database, "a", "b", "c", "d")
    for cause in ("hosts a:1", "hosts b:2", "gone", "auth https://c -"):
        fail(database, cause, is_final=cause != "auth https://c -")
    assert sorted(database.read_now(open_causes)) == ["auth https://c -", "gone", "hosts a:1", "hosts b:2"]
    gone = ["hosts a:1", "auth https://c -"]
    assert database.write_now(partial(release, causes=gone)) == 2
    assert database.write_now(partial(release, causes=gone)) == 0
    assert sorted(column(database, "recording", "state")) == ["failed", "failed", "waiting", "waiting"]
    assert sorted(column(database, "recording", "cause")) == ["", "", "gone", "hosts b:2"]


def test_all_that_were_given_up_come_back_in_steps(database: Database) -> None:
    want(database, *(f"call {number}" for number in range(5)))
    sql(database, "UPDATE recording SET state = 'failed', cause = 'hosts a:1'")
    assert [database.write_now(partial(release, causes=["hosts a:1"], most=2)) for _ in range(4)] == [2, 2, 1, 0]


# --- the settings of the next start


async def settle(
    database: Database, folder: Path, access: Access, state: str, problem: str | None = None
) -> dict[str, Any]:
    """What an archive with these settings makes of the one recording there is; `problem` "" waits for none."""
    archive = asyncio.create_task(Archive(database, Keep(folder, low_water=0), access).run())
    try:
        async with asyncio.timeout(CEILING):
            while True:
                row = await asyncio.to_thread(only, database)
                is_said = row["problem"] or state == "kept" if problem is None else problem in row["problem"]
                if row["state"] == state and is_said and not (problem == "" and row["problem"]):
                    return row
                await asyncio.sleep(0.05)
    finally:
        archive.cancel()
        await asyncio.wait([archive])


async def test_a_host_that_the_settings_name_later_is_called_on_after_the_next_start(
    database: Database, tmp_path: Path
) -> None:
    async with RecordingHost({"/a.mp3": audio()}) as host:
        store(database, report("a", recordingUrl=host.url("/a.mp3")))
        await settle(database, tmp_path, Access(), "failed")
        assert host.connections == 0
        row = await settle(database, tmp_path, Access((host.pair,)), "kept")
    assert (row["problem"], row["cause"]) == ("", "")


async def test_a_limit_that_is_raised_and_a_password_that_is_set_bring_recordings_back(
    database: Database, tmp_path: Path
) -> None:
    async with RecordingHost() as host:
        pairs = (host.pair,)
        store(database, report("a", recordingUrl=host.url("/a.mp3")))
        host.answers["/a.mp3"] = only_if("authorization", "Bearer t", audio(), status(401))
        access = Access(pairs, max_bytes=100)
        await settle(database, tmp_path, access, "failed", "without permission (401)")
        access = Access(pairs, read_credentials(f"http://{host.pair}=bearer:t", pairs), 100)
        await settle(database, tmp_path, access, "failed", "larger than")
        await settle(database, tmp_path, replace(access, max_bytes=len(MP3)), "kept")


async def test_a_recording_that_broke_off_is_whole_after_the_next_attempt(database: Database, tmp_path: Path) -> None:
    body = wav()
    async with RecordingHost({"/a.wav": audio(body[:9000], length=len(body))}) as host:
        store(database, report("a", recordingUrl=host.url("/a.wav")))
        row = await settle(database, tmp_path, Access((host.pair,)), "waiting")
        assert (row["size"], row["cause"]) == (9000, "cut")
        host.answers["/a.wav"] = audio(body)
        sql(database, "UPDATE recording SET due_at = 0")
        row = await settle(database, tmp_path, Access((host.pair,)), "kept")
    assert (row["size"], row["cause"], row["problem"]) == (len(body), "", "")


async def test_the_rest_of_a_beginning_is_fetched_when_the_setting_that_stopped_it_has_changed(
    database: Database, tmp_path: Path
) -> None:
    body = wav()
    async with RecordingHost({"/a.wav": audio(body[:9000], length=len(body))}) as host:
        pairs = (host.pair,)
        store(database, report("a", recordingUrl=host.url("/a.wav")))
        await settle(database, tmp_path, Access(pairs), "waiting", "broke off")
        host.answers["/a.wav"] = only_if("authorization", "Bearer t", audio(body), status(401))
        sql(database, "UPDATE recording SET due_at = 0")
        row = await settle(database, tmp_path, Access(pairs), "kept", "without permission (401)")
        assert row["size"] == 9000
        credentials = read_credentials(f"http://{host.pair}=bearer:t", pairs)
        row = await settle(database, tmp_path, Access(pairs, credentials), "kept", "")
    assert (row["size"], row["problem"]) == (len(body), "")


@pytest.mark.parametrize("cause", ["hosts one.example:443", "auth https://one.example -", "size 1000"])
def test_a_beginning_comes_back_when_its_setting_changes_and_stays_a_beginning(database: Database, cause: str) -> None:
    want(database, "a")
    keep(database, "half", 5, "It broke off.")
    fail(database, cause)
    row = only(database)
    assert (row["state"], row["cause"]) == ("kept", f"cut {cause}")
    assert [each.call_id for each in database.read_now(given_up)] == [1]
    assert list(database.read_now(open_causes)) == [f"cut {cause}"]
    assert database.write_now(partial(release, causes=[f"cut {cause}"])) == 1
    row = only(database)
    assert (row["state"], row["file"], row["cause"]) == ("waiting", "half", "cut")


# --- the button and the command


async def failed_call(app: Callboard) -> None:
    """A call whose recording was given up."""
    await app.test_client().post(WEBHOOK, data=report("a", recordingUrl="ftp://one.example/a.mp3"))
    async with asyncio.timeout(CEILING):
        while True:
            if (await asyncio.to_thread(only, app.database))["state"] == "failed":
                return
            await asyncio.sleep(0.05)


async def test_an_admin_has_a_button_that_fetches_a_recording_again(app: Callboard) -> None:
    await failed_call(app)
    client = app.test_client()
    html = await (await client.get("/calls/1?period=today")).get_data(as_text=True)
    assert "The recording could not be kept. The recording&#39;s address does not begin with http" in html
    assert 'action="/calls/1/recording/retry?period=today" method="post"' in html
    seq = (await asyncio.to_thread(column, app.database, "call", "seq"))[0]
    answer = await client.post("/calls/1/recording/retry?period=today")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/calls/1?period=today")
    assert (await asyncio.to_thread(column, app.database, "call", "seq"))[0] > seq, "open pages hear of it"
    (line,) = [each for each in await asyncio.to_thread(rows, app.database, "audit") if "fetched" in each["action"]]
    assert (line["action"], line["about"]) == ("recording fetched again", "/calls/1")


async def test_a_call_without_a_recording_has_nothing_to_fetch(app: Callboard) -> None:
    await app.test_client().post(WEBHOOK, data=report("a", recordingUrl=""))
    for call_id in (1, 2, 2**63, 10**30):
        answer = await app.test_client().post(f"/calls/{call_id}/recording/retry")
        assert answer.status_code == 404


async def test_only_admins_fetch_again(app: Callboard) -> None:
    await failed_call(app)
    cast = await enter_cast(app)
    for name, client in cast.items():
        html = await (await client.get("/calls/1")).get_data(as_text=True)
        assert ("Fetch again" in html) == (name == "ada")
        answer = await post(client, "/calls/1/recording/retry")
        assert answer.status_code == (303 if name == "ada" else 403)


async def test_a_codec_that_no_browser_plays_is_offered_as_a_file_with_the_reason(app: Callboard) -> None:
    await app.test_client().post(WEBHOOK, data=report("a", recordingUrl="ftp://one.example/a.mp3"))
    await asyncio.to_thread(
        sql,
        app.database,
        "UPDATE recording SET state = 'kept', file = 'f', content_type = 'audio/wav', codec = 'gsm_ms', problem = ''",
    )
    html = await (await app.test_client().get("/calls/1")).get_data(as_text=True)
    assert "<audio" not in html
    assert "Most browsers cannot play its codec, GSM." in html
    assert '<a href="/calls/1/recording" download="call-1.wav">Download it</a>' in html


async def test_a_recording_without_its_end_is_played_and_said_to_be_cut(app: Callboard) -> None:
    await app.test_client().post(WEBHOOK, data=report("a", recordingUrl="ftp://one.example/a.mp3"))
    await asyncio.to_thread(
        sql,
        app.database,
        "UPDATE recording SET state = 'kept', file = 'f', content_type = 'audio/wav', codec = 'pcm_s16le', "
        "cause = 'cut', problem = 'It broke off.'",
    )
    html = await (await app.test_client().get("/calls/1")).get_data(as_text=True)
    assert "<audio" in html
    assert "The end of this recording is missing. It broke off.</p>" in html
    assert "Fetch again" in html


def test_the_command_lists_and_fetches_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(database)
    want(database, "a", "b", "c")
    for _ in range(3):
        fail(database)
    assert main(["recordings", "list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "0 waiting, 0 kept, 3 failed",
        *(f"  call {number} at one.example: No." for number in (1, 2, 3)),
    ]
    assert main(["recordings", "retry", "2"]) == 0
    assert capsys.readouterr().out == "A server that runs fetches 1 recording from now on.\n"
    assert main(["recordings", "retry", "--all"]) == 0
    assert capsys.readouterr().out == "A server that runs fetches 2 recordings from now on.\n"
    assert column(database, "recording", "state") == ["waiting"] * 3
    assert main(["recordings", "retry", "7"]) == 1
    assert main(["recordings", "retry"]) == 2
    assert main(["recordings", "retry", "--all", "1"]) == 2
    audit = rows(database, "audit", "account, action, about")
    assert audit == [
        {"account": "command line", "action": "recording fetched again", "about": about}
        for about in ("/calls/2", "2, calls 1 to 3")
    ]
    database.close()


# --- the upgrade


def test_what_an_earlier_version_gave_up_is_fetched_once_after_the_upgrade(database_url: str) -> None:
    database = Database(database_url)
    scripts = _config()
    before = ScriptDirectory.from_config(scripts).get_revision("0013").down_revision
    with database.upgrade(lock=1) as connection:
        scripts.attributes["connection"] = connection
        alembic.upgrade(scripts, str(before))
    row = "INSERT INTO recording (call_id, url, state, attempts, due_at, file) VALUES "
    sql(
        database,
        row + "(1, 'https://one.example/', 'failed', 1, 5, ''), (2, 'https://one.example/', 'kept', 1, 5, 'f')",
    )
    migrate(database, copies=False)
    assert column(database, "recording", "state") == ["waiting", "kept"]
    fail(database, "network", is_final=False)
    assert rows(database, "recording", "state, cause, codec, file") == [
        {"state": "failed", "cause": "network", "codec": "", "file": ""},
        {"state": "kept", "cause": "", "codec": "", "file": "f"},
    ]
    database.close()


async def test_what_an_earlier_version_kept_is_decoded_and_no_player_is_dead(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(database)
    folder = Keep(tmp_path / "recordings", low_water=0)

    async def one(body: bytes) -> AsyncIterator[bytes]:
        yield body

    async with RecordingHost() as host:
        bodies = {"wav": wav(), "gsm": gsm_wav(), "header": wav_header(), "odd": b"ID3 what is this"}
        store(database, *(report(name, recordingUrl=host.url(f"/{name}")) for name in bodies))
        for call_id, body in enumerate(bodies.values(), 1):
            file = (await put(folder, one(body))).name
            kept = f"SET state = 'kept', file = '{file}', content_type = 'audio/wav' WHERE call_id = {call_id}"
            sql(database, f"UPDATE recording {kept}")
        seqs = column(database, "call", "seq")
        archive = asyncio.create_task(Archive(database, folder, Access((host.pair,)), examine_after_seconds=0.0).run())
        async with asyncio.timeout(CEILING):
            while True:
                found = await asyncio.to_thread(rows, database, "recording")
                if found[0]["codec"] and found[2]["problem"]:
                    break
                await asyncio.sleep(0.05)
        archive.cancel()
        await asyncio.wait([archive])
    assert [row["codec"] for row in found] == ["pcm_s16le", "gsm_ms", "", "unknown"]
    assert [row["state"] for row in found] == ["kept", "kept", "waiting", "kept"]
    assert found[2]["file"] == ""
    assert "(404)" in found[2]["problem"], "a header alone is discarded and asked for once more"
    changed = [now > before for now, before in zip(column(database, "call", "seq"), seqs, strict=True)]
    assert changed == [False, True, True, True]
    database.close()
