"""One person, erased everywhere: not in a table, a file, a log or an open page, and a repeat brings nothing back."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import shutil
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from dashboard import erasure
from dashboard.app import create_app
from dashboard.callkaro.report import Unreadable, read_report
from dashboard.database import Database
from dashboard.erasure import By, Erased, TooShort, erase, find
from dashboard.filters import CallFilter
from dashboard.migrations import migrate
from dashboard.models import Recording
from dashboard.passwords import hash_password
from dashboard.phone_numbers import mentions, person_key
from dashboard.recordings.keep import Keep
from dashboard.roles import ADMIN, VIEWER, Rights
from dashboard.settings import Settings
from dashboard.store import audit
from dashboard.store.accounts import add_account
from dashboard.store.inbox import Arrival, Packed, record
from dashboard.store.persons import Target, blank_unread, unread_quoting
from dashboard.store.quoted_elsewhere import blank_headers
from dashboard.store.recordings import note_kept
from dashboard.store.removal import Removed, remove_calls
from dashboard.web.parts import Callboard
from tests.events import read_events
from tests.forms import form_token, post
from tests.reports import WEBHOOK, report
from tests.signed_in import browser_of
from tests.stored import INDIA, NOON, calls, column, data, rebuild, rows, sql, store, verdicts

MakeApp = Callable[..., Awaitable[Callboard]]

NUMBER, OTHER = "918765432109", "919000000001"
ALL_THREE = "3 calls, 3 reports, 0 recordings, 0 lines of the audit log"
SPELLINGS = (NUMBER, "+91 87654 32109", "+91-8765-432-109")
PASSWORD = "correct horse"
WHO = By("asha", "127.0.0.1", NOON)


def fill(database: Database, folder: Path) -> list[bytes]:
    """Three calls of the person in three spellings, one of somebody else, and whatever else quotes the number."""
    bodies = [
        report(f"call {number}", to=spelling, recordingUrl=f"https://x.example/{number}")
        for number, spelling in enumerate((*SPELLINGS, OTHER))
    ]
    store(database, *bodies, b"a report about +91 8765432109 that nobody can read", b"another one")
    for call_id, sound in ((1, b"mine"), (2, b"shared"), (4, b"shared")):
        name = hashlib.sha256(sound).hexdigest()
        (folder / name[:2]).mkdir(exist_ok=True)
        (folder / name[:2] / name).write_bytes(sound)
        sql(database, f"UPDATE recording SET state = 'kept', file = '{name}' WHERE call_id = {call_id}")
    for about in (f"looked for {SPELLINGS[1]}", "/calls/1", "0012918765432109"):
        database.write_now(partial(audit.note, now=NOON, account="bina", action="number shown", about=about))
    return bodies


def run_erase(database: Database, folder: Path, number: str) -> Erased:
    return asyncio.run(erase(database, Keep(folder), number, WHO))


@pytest.mark.parametrize("number", ["+91 8765 432109"], ids=["spelt otherwise"])
def test_a_person_goes_from_everywhere_and_nobody_else_does(database: Database, tmp_path: Path, number: str) -> None:
    bodies = fill(database, tmp_path)
    found = asyncio.run(find(database, number))
    assert found == Erased(Removed(3, 3, 2), 1, 1, [], corrected=[])
    assert len(calls(database, "id")) == 4
    assert run_erase(database, tmp_path, number) == found
    assert calls(database, "id", "customer_number") == [(4, OTHER)]
    assert [path.read_bytes() for path in tmp_path.glob("??/*")] == [b"shared"]
    assert column(database, "recording", "call_id") == [4]
    kept = [body for body in column(database, "inbox", "body") if body is not None]
    assert [bytes(body) for body in kept] == [bodies[3], b"another one"]
    lines = [(line["account"], line["action"], line["about"]) for line in rows(database, "audit")]
    assert lines == [
        ("bina", "number shown", "(erased)"),
        ("bina", "number shown", "/calls/1"),
        ("bina", "number shown", "0012918765432109"),
        ("asha", "person erased", "3 calls, 4 reports, 2 recordings, 1 line of the audit log"),
    ]
    assert rebuild(database) == 0
    assert verdicts(store(database, *bodies)) == ["duplicate"] * 4
    assert calls(database, "id") == [(4,)]
    assert asyncio.run(find(database, number)).removed == Removed()


def test_the_bytes_are_not_in_the_sqlite_files_any_more(tmp_path: Path) -> None:
    file = tmp_path / "callboard.db"
    database = Database(f"sqlite:///{file}")
    migrate(database)
    store(database, *(report(f"call {number}", to=NUMBER, transcription="x" * 9000) for number in range(5)))
    store(database, report("call 1", to=NUMBER, agent="changed"), report("other", to=OTHER))
    files = (file, file.with_name("callboard.db-wal"))
    assert any(NUMBER.encode() in each.read_bytes() for each in files)
    assert run_erase(database, tmp_path / "recordings", NUMBER).is_folded
    assert [NUMBER.encode() in each.read_bytes() for each in files] == [False, False]
    assert OTHER.encode() in file.read_bytes()
    database.close()


def test_another_report_of_an_erased_call_comes_as_a_new_call(database: Database, tmp_path: Path) -> None:
    fill(database, tmp_path)
    run_erase(database, tmp_path, NUMBER)
    assert verdicts(store(database, report("call 0", to=NUMBER, agent="later"))) == ["new"]
    assert calls(database, "id") == [(4,), (5,)]
    assert data(database)[1]["agent"] == "later"


def test_a_call_whose_number_a_later_report_corrected_is_told_of_and_left_alone(
    database: Database, tmp_path: Path
) -> None:
    fill(database, tmp_path)
    store(database, report("corrected", to="+91 87654 32109", call_metadata={"name": "Erasmus"}))
    store(database, report("corrected", to=OTHER))
    found = asyncio.run(find(database, NUMBER))
    assert (found.removed.calls, found.corrected) == (3, [5])
    assert "Not touched: /calls/5. An earlier report of each had this number" in found.sentences[-1]
    assert run_erase(database, tmp_path, NUMBER).corrected == [5]
    assert calls(database, "id") == [(4,), (5,)]
    assert run_erase(database, tmp_path, OTHER).corrected == []
    assert calls(database, "id") == []


def test_the_number_leaves_packed_reports_that_told_of_no_call(database: Database, tmp_path: Path) -> None:
    quoting, other = b"a report about +91 8765432109", b"about somebody else"
    arrivals = [
        Arrival(NOON, quoting, read_report(quoting), packed=Packed(gzip.compress(quoting), "gzip")),
        Arrival(NOON, gzip.compress(quoting + b"!"), Unreadable("An older version could not unpack it.")),
        Arrival(NOON, other, read_report(other), packed=Packed(gzip.compress(other), "gzip")),
        Arrival(NOON, b"\xff", read_report(b"\xff"), packed=Packed(b"\xff", f"x-{NUMBER}")),
    ]
    database.write_now(partial(record, arrivals=arrivals, source_timezone=INDIA))
    assert run_erase(database, tmp_path, NUMBER).unread == 3
    assert [row["body"] is None for row in rows(database, "inbox")] == [True, True, False, True]
    assert column(database, "inbox", "content_encoding") == ["", "", "gzip", ""]


def test_the_number_leaves_the_event_and_the_headers_of_reports_that_told_of_no_call(
    database: Database, tmp_path: Path
) -> None:
    store(database, b'{"event": "number_918765432109", "data": {}}', b'{"event": "whatsapp", "data": {}}')
    sql(database, "UPDATE inbox SET user_agent = 'phone/918765432109', content_type = 'text/x' WHERE id = 2")
    assert run_erase(database, tmp_path, NUMBER).unread == 2
    assert [tuple(row.values()) for row in rows(database, "inbox", "event, content_type, user_agent")] == [
        ("",) * 3
    ] * 2


SHORT = "8765432109"


def test_the_number_leaves_the_sentence_that_says_why_a_report_could_not_be_read(
    database: Database, tmp_path: Path
) -> None:
    reading = Unreadable(f"The encoding {NUMBER} is not known.")
    database.write_now(partial(record, arrivals=[Arrival(NOON, b"{}", reading)], source_timezone=INDIA))
    run_erase(database, tmp_path, NUMBER)
    assert column(database, "inbox", "problem") == ["(erased)"]


def test_thousands_of_reports_that_quote_the_number_are_blanked_in_small_steps(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unread = [f"number {each}: {NUMBER}".encode() for each in range(1_200)]
    store(database, *unread, *(report(f"call {each}", to=OTHER) for each in range(1_200)))
    sql(database, f"UPDATE inbox SET user_agent = 'agent ' || id || ' of {NUMBER}' WHERE call_id IS NOT NULL")
    steps = list[int]()

    def counted(blank: Callable[..., None]) -> Callable[..., None]:
        def step(session: Session, ids: Sequence[int]) -> None:
            steps.append(len(ids))
            blank(session, ids)

        return step

    monkeypatch.setattr(erasure, "blank_unread", counted(blank_unread))
    monkeypatch.setattr(erasure, "blank_headers", counted(blank_headers))
    erased = run_erase(database, tmp_path, NUMBER)
    assert (erased.unread, erased.elsewhere) == (1_200, 1_200)
    assert sum(steps) == 2_400
    assert max(steps) <= 500
    assert not [agent for agent in column(database, "inbox", "user_agent") if NUMBER in agent]
    assert set(column(database, "inbox", "body")[:1_200]) == {None}


def test_large_reports_are_read_a_few_megabytes_at_a_time(database: Database) -> None:
    large = [f"{each} {NUMBER}".encode() + b" " * 900_000 for each in range(12)]
    store(database, *large)
    target = Target(NUMBER, "IN")
    after, steps = 0, list[Sequence[int]]()
    while step := database.read_now(partial(unread_quoting, after=after, target=target)):
        steps.append(step.ids)
        after = step.last
    assert [len(ids) for ids in steps] == [4, 4, 4]


def test_a_number_goes_with_and_without_its_country_code_and_a_zero(database: Database, tmp_path: Path) -> None:
    for asked, stored in (
        (NUMBER, SHORT),
        (SHORT, NUMBER),
        (f"+{NUMBER}", "08765 432109"),
        (f"0{SHORT}", f"00{NUMBER}"),
        (NUMBER, f"{NUMBER} ext 5"),
        (NUMBER, f"{NUMBER}.0"),
    ):
        sql(database, "DELETE FROM inbox", 'DELETE FROM "call"')
        store(database, report("a", to=stored))
        found = asyncio.run(find(database, asked))
        assert (asked, found.removed.calls, found.others) == (asked, 1, [])
        assert run_erase(database, tmp_path, asked) == found
        assert calls(database, "id") == []


def test_numbers_that_may_be_the_same_persons_are_told_of_and_left_alone(database: Database, tmp_path: Path) -> None:
    for asked, stored, is_told in (
        (NUMBER, "65432109", True),
        (NUMBER, f"+91 87654 32109;ext=2 or {OTHER}", True),
        (NUMBER, f"{OTHER}/{SHORT}", True),
        (NUMBER, f"Ravi {SHORT}", True),
        ("+971501234567", "0501234567", True),
        ("+6591234568", "6591234568", True),
        (NUMBER, f"{OTHER} ext 5", False),
        (NUMBER, "5432109", False),
        (NUMBER, f"44{SHORT}", True),
        (NUMBER, OTHER, False),
        ("0000009", "9000009", False),
    ):
        sql(database, "DELETE FROM inbox", 'DELETE FROM "call"')
        store(database, report("a", to=stored))
        found = asyncio.run(find(database, asked))
        assert (asked, found.others) == (asked, [person_key(stored)] if is_told else [])
        assert run_erase(database, tmp_path, asked) == found
        assert calls(database, "customer_number") == [(stored,)]


def test_such_numbers_are_told_of_where_reports_and_the_audit_log_quote_them(database: Database) -> None:
    for asked, text, told in (
        ("+971501234567", "call 050 123 4567, please", ["0501234567"]),
        ("+6591234568", "call 65 9123 4568", ["91234568"]),
        (SHORT, f"call +{NUMBER}", []),
        (NUMBER, f"call +1 {SHORT}", []),
        (NUMBER, f"call 44{SHORT} or 5432109", [f"44{SHORT}"]),
        (SHORT, f"order 00129{SHORT}", []),
    ):
        sql(database, "DELETE FROM audit")
        store(database, text.encode())
        assert (text, asyncio.run(find(database, asked)).others) == (text, told)
        sql(database, "DELETE FROM inbox")
        database.write_now(partial(audit.note, now=NOON, account="bina", action="looked", about=text))
        assert (text, asyncio.run(find(database, asked)).others) == (text, told)


async def test_an_admin_is_told_of_such_numbers_before_and_after(app: Callboard) -> None:
    await app.test_client().post(WEBHOOK, data=report("a", to=f"{OTHER}/{SHORT}"))
    admin = await browser_of(app, "asha", Rights(ADMIN))
    for sure in ("", "yes"):
        html = await (await post(admin, "/erase", number=NUMBER, sure=sure)).get_data(as_text=True)
        assert f"Not touched: {OTHER}{SHORT}." in html


def audited(database: Database) -> list[tuple[str, str]]:
    return [(line["action"], line["about"]) for line in rows(database, "audit")]


@pytest.mark.parametrize("steps", [1, 2])
def test_an_erasure_that_stops_half_way_stands_in_the_audit_log(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    store(database, *(report(f"call {number}", to=NUMBER) for number in range(3)))
    monkeypatch.setattr("dashboard.erasure.CALLS_AT_ONCE", 1)
    write, written = database.write, iter(range(steps))

    async def until_it_is_away(step: Callable[..., Any]) -> Any:
        if next(written, None) is None:
            raise OSError("away")
        return await write(step)

    monkeypatch.setattr(database, "write", until_it_is_away)
    with pytest.raises(OSError, match="away"):
        run_erase(database, tmp_path, NUMBER)
    assert len(calls(database, "id")) == 3 - steps
    began = (
        f"{steps} call{'s' * (steps > 1)}, {steps} report{'s' * (steps > 1)}, 0 recordings, 0 lines of the audit log"
    )
    assert audited(database) == [("person erased", f"under way, or stopped half-way: so far {began}")]
    monkeypatch.setattr(database, "write", write)
    run_erase(database, tmp_path, NUMBER)
    assert calls(database, "id") == []
    assert [about.partition(" call")[0] for _, about in audited(database)] == [
        f"under way, or stopped half-way: so far {steps}",
        str(3 - steps),
    ]


async def leave_while_it_erases(app: Callboard, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """An admin has a person erased, and closes the tab after the first step; the event lets the second begin."""
    client = await browser_of(app, "asha", Rights(ADMIN))
    for sid in ("a", "b", "c"):
        await app.test_client().post(WEBHOOK, data=report(sid, to=NUMBER))
    monkeypatch.setattr("dashboard.erasure.CALLS_AT_ONCE", 1)
    write, may_go_on, waits = app.database.write, asyncio.Event(), asyncio.Event()

    async def one_then_wait(step: Callable[..., Any]) -> Any:
        if len(calls(app.database, "id")) < 3:
            waits.set()
            await may_go_on.wait()
        return await write(step)

    monkeypatch.setattr(app.database, "write", one_then_wait)
    body = urlencode({"form_token": form_token(client), "number": NUMBER, "sure": "yes"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with asyncio.timeout(5), client.request("/erase", method="POST", headers=headers) as connection:
        await connection.send(body)
        await connection.send_complete()
        await waits.wait()
        await connection.disconnect()
    return may_go_on


async def test_an_erasure_goes_on_when_whoever_asked_for_it_leaves(
    app: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = await leave_while_it_erases(app, monkeypatch)
    may_go_on.set()
    async with asyncio.timeout(5):
        while audited(app.database) != [("person erased", ALL_THREE)]:
            await app.database.next_change()
    assert calls(app.database, "id") == []


async def test_a_board_that_stops_waits_for_an_erasure(
    settings: Settings, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(migrated_file, settings.data_folder / "callboard.db")
    app = create_app(settings)
    running = app.test_app()
    await running.startup()
    may_go_on = await leave_while_it_erases(app, monkeypatch)
    stopping = asyncio.create_task(running.shutdown())
    async with asyncio.timeout(5):
        while not app.feed.closing:
            await app.feed.moved.wait()
        may_go_on.set()
        await stopping
    after = Database(settings.database_url)
    assert (audited(after), calls(after, "id")) == ([("person erased", ALL_THREE)], [])
    after.close()


def test_a_few_digits_are_nobodys_number(database: Database, tmp_path: Path) -> None:
    for number in ("", "12345", "everybody"):
        with pytest.raises(TooShort, match="fewer than 6 digits"):
            run_erase(database, tmp_path, number)


def test_a_recording_that_arrives_for_an_erased_call_is_not_left_lying_in_the_folder(
    database: Database, tmp_path: Path
) -> None:
    store(database, report("a", to=NUMBER, recordingUrl="https://x.example/a"))
    claimed = Recording(call_id=1, url="https://x.example/a", attempts=1)
    database.write_now(partial(remove_calls, call_ids=[1]))
    name = hashlib.sha256(b"late").hexdigest()
    (tmp_path / name[:2]).mkdir()
    (tmp_path / name[:2] / name).write_bytes(b"late")
    database.write_now(partial(note_kept, claimed=claimed, file=name, content_type="audio/mpeg", size=4))
    run_erase(database, tmp_path, NUMBER)
    assert list(tmp_path.glob("??/*")) == []


@given(digits=st.from_regex(r"\A[1-9][0-9]{5,14}\Z"), gap=st.sampled_from(["", " ", "-", ") ", "."]))
def test_a_number_is_found_in_groups_and_never_inside_a_longer_one(digits: str, gap: str) -> None:
    key = person_key(digits)
    assert mentions(f"call {gap.join(digits)}, please", key)
    assert mentions(f'{{"to":"{key}"}}', key)
    assert not mentions(f"call {digits}7", key)
    assert not mentions(f"call 7{digits}", key)


async def test_open_pages_drop_the_calls_and_the_figures_follow(app: Callboard) -> None:
    client = app.test_client()
    for sid, number in (("a", NUMBER), ("b", OTHER), ("c", SPELLINGS[1])):
        await client.post(WEBHOOK, data=report(sid, to=number))
    await app.feed.reach(3, at_most=3)
    stream = app.streams.follow(CallFilter(), app.feed.head)
    page = {1, 2, 3}
    received = b""
    await erase(app.database, app.keep, NUMBER, WHO)
    async with asyncio.timeout(5):
        while page != {2} or b'data-figure="calls" data-value="1"' not in received:
            received += await anext(stream)
            page -= {int(gone) for gone in re.findall(rb'id="call-(\d+)" data-gone', received)}
    assert int(read_events(received).last_id) == app.feed.head
    assert len(app.feed.index) == 1
    assert (await client.get("/calls/1")).status_code == 404
    assert 'id="call-1"' not in await (await client.get("/")).get_data(as_text=True)
    # A page that was away meanwhile hears of it from the table as well.
    app.feed.ring.start = app.feed.head
    app.feed.ring._frames.clear()
    app.feed.ring._seqs.clear()
    late = app.streams.follow(CallFilter(), 3)
    await anext(late)
    assert {int(gone) for gone in re.findall(rb'id="call-(\d+)" data-gone', await anext(late))} == {1, 3}


async def test_a_number_in_place_of_a_word_leaves_the_notices_and_the_inbox_too(app: Callboard) -> None:
    client = app.test_client()
    await client.post(WEBHOOK, data=report("a", to=NUMBER, hangup_reason=NUMBER))
    await client.post(WEBHOOK, data=report("b", to=OTHER, hangup_reason="LINE_BUSY"))
    await app.feed.reach(2, at_most=3)
    app.feed._refresh_notices()
    assert "87•••••109" in app.feed.notices
    await erase(app.database, app.keep, NUMBER, WHO)
    await app.feed.look()
    app.feed._refresh_notices()
    assert "87•••••109" not in app.feed.notices
    assert "LINE_BUSY" in app.feed.notices
    assert NUMBER not in await (await client.get("/inbox")).get_data(as_text=True)


async def test_another_process_drops_them_too(make_app: MakeApp) -> None:
    one, other = await make_app(), await make_app()
    for sid, number in (("a", NUMBER), ("b", OTHER)):
        await one.test_client().post(WEBHOOK, data=report(sid, to=number))
    await other.feed.reach(2, at_most=3)
    assert len(other.feed.index) == 2
    await erase(one.database, one.keep, NUMBER, WHO)
    async with asyncio.timeout(5):
        while len(other.feed.index) == 2:
            await other.feed.moved.wait()
    assert 1 not in other.feed.index


async def signed_in(app: Callboard, name: str, role: str) -> Any:
    hashed = await asyncio.to_thread(hash_password, PASSWORD)
    await app.database.write(partial(add_account, name=name, password_hash=hashed, now=NOON, rights=Rights(role)))
    client = app.test_client()
    assert (await client.post("/sign-in", form={"name": name, "password": PASSWORD})).status_code == 303
    return client


async def test_an_admin_is_shown_what_would_go_and_a_viewer_nothing(app: Callboard) -> None:
    for sid, number in (("a", NUMBER), ("b", OTHER)):
        await app.test_client().post(WEBHOOK, data=report(sid, to=number))
    admin, viewer = await signed_in(app, "asha", ADMIN), await signed_in(app, "bina", VIEWER)
    for answer in (await viewer.get("/erase"), await post(viewer, "/erase", number=NUMBER, sure="yes")):
        assert answer.status_code == 403
    assert "/erase" in await (await admin.get("/account")).get_data(as_text=True)
    assert "/erase" not in await (await viewer.get("/account")).get_data(as_text=True)
    assert (await admin.get("/erase")).status_code == 200
    html = await (await post(admin, "/erase", number=SPELLINGS[1])).get_data(as_text=True)
    assert "1 call, 1 report, 0 recordings, 0 lines of the audit log" in html
    assert len(app.feed.index) == 2
    html = await (await post(admin, "/erase", number=SPELLINGS[1], sure="yes")).get_data(as_text=True)
    assert "Erased: 1 call, 1 report" in html
    assert "Backups made before" in html
    assert "callboard-replaced-" in html
    assert "callboard.db-wal-replaced-" in html
    log = await (await admin.get("/audit")).get_data(as_text=True)
    assert "person erased" in log
    assert not mentions(log, person_key(NUMBER))
    answer = await post(admin, "/erase", number="12<script>")
    assert answer.status_code == 400
    assert "fewer than 6 digits" in await answer.get_data(as_text=True)


async def test_a_call_whose_things_have_reached_their_age_says_so(app: Callboard) -> None:
    client = app.test_client()
    await client.post(WEBHOOK, data=report("a", recordingUrl="https://x.example/a"))
    await client.post(WEBHOOK, data=report("a", agent="later"))
    await app.database.write(
        lambda session: session.connection().exec_driver_sql("UPDATE recording SET state = 'expired', file = ''")
    )
    await app.database.write(
        lambda session: session.connection().exec_driver_sql("INSERT INTO upkeep VALUES ('transcripts', 2)")
    )
    await app.database.write(
        lambda session: session.connection().exec_driver_sql("UPDATE inbox SET body = NULL, packing = 'gone'")
    )
    await app.database.write(
        lambda session: session.connection().exec_driver_sql(
            "UPDATE call SET data = json_remove(data, '$.transcription')"
        )
    )
    html = await (await client.get("/calls/1")).get_data(as_text=True)
    assert "The recording has reached its age" in html
    assert "No transcript is kept of a call of this age" in html
    assert "is not kept any more" in html


@pytest.mark.parametrize("number", ["", " ", "+", "-", "0000000", "anonymous", "unknown", "266696687"])
def test_a_text_that_names_no_person_erases_no_call_without_a_number(database: Database, number: str) -> None:
    store(database, report("a", to="anonymous"), report("b", to=""), report("c", to=NUMBER))
    with pytest.raises(TooShort):
        asyncio.run(find(database, number))
    assert len(calls(database, "id")) == 3


def test_a_word_in_place_of_a_number_is_taken_out_of_no_text(database: Database, tmp_path: Path) -> None:
    words = ("ravi", "unknown")
    store(database, *(report(word, to=word) for word in words), report("b", to=NUMBER), report("b", to="ravi"))
    store(database, report("c", to=OTHER, transcription="ravi is unknown"), b"no report of ravi, unknown")
    sql(database, "UPDATE inbox SET user_agent = 'unknown/ravi', content_type = 'ravi' WHERE call_id IS NOT NULL")
    for about in words:
        database.write_now(partial(audit.note, now=NOON, account="bina", action="number shown", about=about))
    for number in (NUMBER, "ravi"):
        erased = run_erase(database, tmp_path, number)
        assert (erased.unread, erased.audit_lines, erased.elsewhere, list(erased.others)) == (0, 0, 0, [])
    assert [sid for (sid,) in calls(database, "call_sid")] == ["unknown", "c"]
    assert column(database, "audit", "about")[:2] == list(words)
    assert set(column(database, "inbox", "user_agent")[:-1]) == {"unknown/ravi"}
    assert data(database)[-1]["transcription"] == "ravi is unknown"
