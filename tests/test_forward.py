"""Reports on their way to real targets, whatever target, database and server do meanwhile."""

from __future__ import annotations

import asyncio
import gzip
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from dashboard import forward as forward_part
from dashboard.callkaro.report import Unreadable, read_report
from dashboard.database import Database
from dashboard.forward import A_ROUND, Forward
from dashboard.migrations import migrate
from dashboard.models import Forward as ForwardRow
from dashboard.models import ForwardAside, Inbox
from dashboard.outside import post as post_part
from dashboard.outside.post import Limits
from dashboard.patience import REFUSED_TRIES
from dashboard.store.forward import IS_HANDED_ON, Standing, standing
from dashboard.store.forward_state import CannotSkip, let_be, send_again, skip, target_lines, try_now
from dashboard.store.inbox import IMPORTED, TEST_CALL, Arrival, Packed, record
from dashboard.targets import Target
from dashboard.web.parts import Callboard
from tests.reports import WEBHOOK, report
from tests.stored import INDIA, NOON, column, rows, sql, store
from tests.target_host import CEILING, Post, TargetHost, head, refuses, says

SECOND = 1_000_000
BY_HAND = (IMPORTED, TEST_CALL)
DAY = 86_400


@pytest.fixture(autouse=True)
def _quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward_part, "_ROUND_SECONDS", 0.02)
    monkeypatch.setattr(forward_part, "_LOOK_SECONDS", 0.02)


@pytest.fixture
async def host() -> AsyncIterator[TargetHost]:
    async with TargetHost() as host:
        yield host


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    """A SQLite database, for what is the same on both kinds."""
    made = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(made)
    yield made
    made.close()


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = NOON + SECOND

    def __call__(self) -> int:
        return self.at

    def pass_by(self, seconds: float) -> None:
        self.at += int(seconds * SECOND)


@asynccontextmanager
async def forwarding(
    database: Database, host: TargetHost, *targets: Target, clock: Clock | None = None, **options: Any
) -> AsyncIterator[Forward]:
    """The part at work, with its targets begun; it must still be at work in the end."""
    part = Forward(
        database,
        targets or (host.target(),),
        options.pop("hosts", (host.pair,)),
        now=clock or Clock(),
        chance=lambda: 0,
        **options,
    )
    running = asyncio.create_task(part.run())
    await eventually(database, lambda: bool(part.standing))
    yield part
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])


def reports(first: int, count: int) -> list[bytes]:
    return [report(f"call {number}") for number in range(first, first + count)]


async def put(database: Database, *bodies: bytes) -> list[int]:
    """Store these; gives their inbox ids."""
    return [receipt.id for receipt in await asyncio.to_thread(store, database, *bodies)]


async def eventually(database: Database, holds: Callable[[], bool]) -> None:
    """Once this holds; looked at after every write, and now and then, for not all that counts is written."""
    async with asyncio.timeout(CEILING):
        while True:
            database._changed.clear()
            if await asyncio.to_thread(holds):
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await database._changed.wait()


async def until(database: Database, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The row of the target `crm`, once this holds for it."""
    await eventually(database, lambda: holds(targets_of(database)["crm"]))
    return targets_of(database)["crm"]


def targets_of(database: Database) -> dict[str, dict[str, Any]]:
    return {line.target: line._asdict() for line in database.read_now(target_lines)}


def is_up_to_date(row: dict[str, Any]) -> bool:
    return not row["waiting"]


def states(database: Database, *inbox_ids: int) -> dict[int, list[str]]:
    """What became of these reports at every target, from the rows of the tables; reports that are not handed on are
    left out.
    """
    statement = select(Inbox.id).where(col(Inbox.id).in_(inbox_ids), IS_HANDED_ON)
    meant = database.read_now(lambda session: session.exec(statement).all())
    targets = database.read_now(lambda session: session.exec(select(ForwardRow).order_by(ForwardRow.target)).all())
    set_aside = database.read_now(lambda session: session.exec(select(ForwardAside)).all())
    asides = {(row.target, row.inbox_id): row.state for row in set_aside}
    found: dict[int, list[str]] = {}
    for inbox_id in meant:
        for row in targets:
            if aside := asides.get((row.target, inbox_id)):
                found.setdefault(inbox_id, []).append(aside)
            elif inbox_id > row.began_after and (inbox_id <= row.cursor or row.left_at is None):
                is_tried = inbox_id == row.report_id
                state = "sent" if inbox_id <= row.cursor else "tried again later" if is_tried else "waiting"
                found.setdefault(inbox_id, []).append(state)
    return found


# --- what is sent, and how


async def test_a_report_arrives_as_it_came_with_a_number_by_which_it_is_known_again(
    file: Database, host: TargetHost
) -> None:
    body = b'\xef\xbb\xbf{"event": "call_ended",  "data": {"callSid": "\\ud800 \xff"}}\r\n\x00'
    async with forwarding(file, host):
        arrival = Arrival(NOON, body, read_report(body), "application/json; charset=UTF-8", "CallKaro/1.0")
        (receipt,) = await file.write(partial(record, arrivals=[arrival], source_timezone=INDIA))
        await host.until(lambda: bool(host.posts))
        await until(file, is_up_to_date)
    (post,) = host.posts
    assert (post.target, post.body) == ("/hook?key=canary", body)
    assert post.headers["content-type"] == "application/json; charset=UTF-8"
    assert (post.number, post.attempt) == (receipt.id, 1)
    assert post.headers["x-callboard-received"] == "2025-12-19T06:00:00Z"
    assert states(file, receipt.id) == {receipt.id: ["sent"]}


async def test_a_packed_report_is_handed_on_unpacked_and_one_that_cannot_be_unpacked_as_it_came(
    file: Database, host: TargetHost
) -> None:
    packed, damaged = Packed(gzip.compress(report("a")), "gzip"), b"\x28\xb5\x2f\xfd"
    async with forwarding(file, host):
        arrivals = [
            Arrival(NOON, report("a"), read_report(report("a")), "application/json", packed=packed),
            Arrival(NOON, damaged, read_report(damaged), "application/json", packed=Packed(damaged, "zstd")),
            Arrival(NOON, gzip.compress(report("b")), Unreadable("An older version could not unpack it.")),
        ]
        await file.write(partial(record, arrivals=arrivals, source_timezone=INDIA))
        await host.until(lambda: len(host.taken) == 3)
    assert [(post.body, post.headers.get("content-encoding")) for post in host.posts] == [
        (report("a"), None),
        (damaged, "zstd"),
        (report("b"), None),
    ]


async def test_everything_authenticated_goes_on_but_the_same_bytes_again_and_what_came_by_hand(
    file: Database, host: TargetHost
) -> None:
    async with forwarding(file, host):
        other = b'{"event": "other", "data": {}}'
        await put(file, report("a"), b"not JSON", report("a"), b"not JSON", other, other)
        again = await put(file, b"not JSON", b"\x00\x00", other)
        by_hand = [
            Arrival(NOON, report(agent), read_report(report(agent)), "", agent) for agent in (IMPORTED, TEST_CALL)
        ]
        await file.write(partial(record, arrivals=by_hand, source_timezone=INDIA))
        ids = await put(file, report("b"))
        await host.until(lambda: host.taken[-1:] == ids)
    assert [post.body for post in host.posts] == [report("a"), b"not JSON", other, b"\x00\x00", report("b")]
    assert states(file, *again) == {again[1]: ["sent"]}


async def test_what_was_put_in_by_hand_before_is_handed_on_when_it_comes_by_the_webhook(
    file: Database, host: TargetHost
) -> None:
    body = b"not JSON"
    async with forwarding(file, host):
        by_hand = [Arrival(NOON, body, read_report(body), "", IMPORTED)]
        await file.write(partial(record, arrivals=by_hand, source_timezone=INDIA))
        ids = await put(file, body)
        await host.until(lambda: host.taken == ids)


async def test_no_header_makes_a_report_look_as_if_it_had_been_put_in_by_hand(
    make_app: Callable[..., Awaitable[Callboard]],
) -> None:
    app = await make_app()
    for user_agent in ("import", "test call", *(mark.encode().decode("latin-1") for mark in BY_HAND)):
        headers = {"User-Agent": user_agent}
        assert (await app.test_client().post(WEBHOOK, data=report(user_agent), headers=headers)).status_code == 200
    agents = await asyncio.to_thread(column, app.database, "inbox", "user_agent")
    assert len(agents) == 4
    assert not set(agents) & set(BY_HAND)


def test_what_marks_a_report_as_put_in_by_hand_holds_a_letter_that_no_header_can_hold() -> None:
    for mark in BY_HAND:
        with pytest.raises(UnicodeEncodeError):
            mark.encode("latin-1")


async def test_a_header_that_cannot_be_sent_holds_nothing_up(file: Database, host: TargetHost) -> None:
    async with forwarding(file, host):
        for content_type in ("", "text/é", " x ", "a\tb", "x" * 200):
            body = report(content_type)
            arrival = Arrival(NOON, body, read_report(body), content_type, "")
            await file.write(partial(record, arrivals=[arrival], source_timezone=INDIA))
        await host.until(lambda: len(host.taken) == 5)
    assert [post.headers.get("content-type") for post in host.posts] == [None] * 4 + ["x" * 200]


async def test_a_new_target_begins_at_the_head(file: Database, host: TargetHost) -> None:
    before = await put(file, *reports(0, 3))
    async with forwarding(file, host):
        (later,) = await put(file, report("later"))
        await host.until(lambda: host.taken == [later])
    assert states(file, *before, later) == {later: ["sent"]}


async def test_a_target_that_was_left_out_for_long_begins_anew_and_one_left_out_for_a_day_goes_on(
    file: Database, host: TargetHost
) -> None:
    clock = Clock()
    other = host.target("other")
    for days, is_kept in ((1, True), (4, False)):
        async with forwarding(file, host, clock=clock):
            pass
        async with forwarding(file, host, other, clock=clock):
            missed = await put(file, report(f"missed {days}"))
        clock.pass_by(days * DAY)
        async with forwarding(file, host, clock=clock):
            sentinel = await put(file, report(f"after {days}"))
            await host.until(lambda ids=sentinel: bool(set(ids) & set(crm_taken(host))))  # type: ignore[misc]
        assert (missed[0] in crm_taken(host)) == is_kept
        host.posts.clear()


def crm_taken(host: TargetHost) -> list[int]:
    return [post.number for post in host.posts if post.target.startswith("/hook?key=canary")]


async def test_all_arrive_once_and_in_order_under_load_and_over_restarts(database: Database, host: TargetHost) -> None:
    count = 3 * A_ROUND
    async with forwarding(database, host):
        loading = asyncio.create_task(_load(database, count))
        await host.until(lambda: len(host.posts) >= 20)
    for most in (60, 110, count):
        async with forwarding(database, host):
            await host.until(lambda most=most: len(host.posts) >= most)  # type: ignore[misc]
    assert [post.number for post in host.posts] == await loading
    assert {post.attempt for post in host.posts} == {1}
    assert host.connections < count / 4, "connections are used again"


async def _load(database: Database, count: int) -> list[int]:
    return [number for first in range(0, count, 10) for number in await put(database, *reports(first, 10))]


async def test_two_boards_on_one_database_send_each_report_once_and_in_order(
    database: Database, host: TargetHost
) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    async with forwarding(database, host), forwarding(other, host):
        ids = [number for first in range(0, 80, 20) for number in await put(database, *reports(first, 20))]
        await host.until(lambda: len(host.posts) >= len(ids))
        await until(database, is_up_to_date)
    assert [post.number for post in host.posts] == ids
    await asyncio.to_thread(other.close)


async def test_each_target_has_a_line_of_its_own(file: Database, host: TargetHost) -> None:
    async with TargetHost() as broken:
        broken.answer = says(503)
        two = (host.target("crm"), broken.target("sheet"))
        async with forwarding(file, host, *two, hosts=(host.pair, broken.pair)):
            ids = await put(file, *reports(0, 5))
            await host.until(lambda: host.taken == ids)
            await broken.until(lambda: bool(broken.posts))
            await eventually(file, lambda: states(file, ids[0]) == {ids[0]: ["sent", "tried again later"]})
    assert [states(file, *ids)[number] for number in ids[1:]] == [["sent", "waiting"]] * 4
    assert [post.number for post in broken.posts] == ids[:1]


# --- targets that do not take it


async def test_a_target_that_is_away_is_tried_later_and_later_and_gets_all_in_order_when_it_is_back(
    file: Database, host: TargetHost
) -> None:
    clock = Clock()
    host.answer = says(503)
    async with forwarding(file, host, clock=clock) as part:
        ids = await put(file, *reports(0, 4))
        for failures, wait in enumerate((5, 10, 20, 40, 80), 1):
            row = await until(file, lambda row, count=failures: row["attempts"] == count)  # type: ignore[misc]
            assert (row["waiting"], row["oldest_at"], row["report_id"]) == (4, NOON, ids[0])
            assert row["due_at"] - clock.at == wait * SECOND
            clock.pass_by(wait - 0.001)
            assert not any(each.is_due for each in await standing_of(part))
            clock.pass_by(0.001)
        host.answer = says(200)
        await host.until(lambda: host.taken == ids)
        row = await until(file, is_up_to_date)
    assert (row["failing_since"], row["attempts"], row["answer"]) == (None, 0, "127.0.0.1 answered 200.")
    assert [post.attempt for post in host.posts] == [1, 2, 3, 4, 5, 6, 1, 1, 1]


async def standing_of(part: Forward) -> list[Standing]:
    """How the targets stand at the present time of its clock."""
    return await part._database.read(partial(standing, targets=list(part._targets), now=part._now()))


async def test_a_target_that_takes_no_connections_gets_its_reports_once_it_does(
    file: Database, host: TargetHost
) -> None:
    clock = Clock()
    port = host.port
    await host.__aexit__()
    async with forwarding(file, host, clock=clock):
        ids = await put(file, *reports(0, 3))
        row = await until(file, lambda row: row["attempts"] == 1)
        assert row["answer"] == f"127.0.0.1 takes no connections on port {port}."
        async with host:
            clock.pass_by(5)
            await host.until(lambda: host.taken == ids)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_target_is_left_alone_for_as_long_as_it_asks(file: Database, host: TargetHost, status: int) -> None:
    clock = Clock()
    host.answer = says(status, "Retry-After: 700")
    async with forwarding(file, host, clock=clock):
        await put(file, report("a"))
        row = await until(file, lambda row: row["attempts"] == 1)
    assert row["due_at"] - clock.at == 700 * SECOND


async def test_a_redirect_is_a_failure_and_is_not_followed(file: Database, host: TargetHost) -> None:
    async with TargetHost() as elsewhere:
        host.answer = says(307, f"Location: http://{elsewhere.pair}/")
        async with forwarding(file, host, hosts=(host.pair, elsewhere.pair)):
            await put(file, report("a"))
            row = await until(file, lambda row: row["attempts"] == 1)
        assert elsewhere.connections == 0
    assert "answered 307. Redirects are not followed" in row["answer"]


async def test_a_private_address_is_not_called_on_unless_its_very_pair_is_named(
    file: Database, host: TargetHost
) -> None:
    async with forwarding(file, host, hosts=("127.0.0.1:1", f"localhost:{host.port}")):
        await put(file, report("a"))
        row = await until(file, lambda row: row["attempts"] == 1)
    assert host.connections == 0
    assert f"add {host.pair} to DASHBOARD_FORWARD_HOSTS" in row["answer"]


async def test_a_name_that_leads_inside_is_not_called_on(file: Database, host: TargetHost) -> None:
    async def inside(name: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    target = Target("crm", host.target().url._replace(host="crm.example"))
    async with forwarding(file, host, target, resolve=inside):
        await put(file, report("a"))
        row = await until(file, lambda row: row["attempts"] == 1)
    assert host.connections == 0
    assert "crm.example is not on the public internet" in row["answer"]


async def test_a_refused_report_is_set_aside_after_a_few_tries_and_does_not_hold_up_the_others(
    database: Database, host: TargetHost
) -> None:
    clock = Clock()
    async with forwarding(database, host, clock=clock) as part:
        host.answer = refuses(report("bad"), 422)
        ids = await put(database, report("bad"), *reports(0, 2))
        for attempt in range(1, REFUSED_TRIES):
            await until(database, lambda row, count=attempt: row["attempts"] == count)  # type: ignore[misc]
            clock.pass_by(60)
        await host.until(lambda: host.taken == ids[1:])
        await until(database, is_up_to_date)
        assert states(database, *ids) == {ids[0]: ["set aside"], ids[1]: ["sent"], ids[2]: ["sent"]}
        (each,) = await standing_of(part)
        assert (each.aside, each.failing_since) == (1, None)
        (aside,) = rows_aside(database)
        assert aside["problem"] == "127.0.0.1 answered 422. It was sent 4 times."


def rows_aside(database: Database) -> list[dict[str, Any]]:
    return [each._asdict() for each in targets_of(database)["crm"]["aside"]]


async def test_what_was_set_aside_can_be_sent_again_and_goes_before_those_that_wait(
    file: Database, host: TargetHost
) -> None:
    clock = Clock()
    async with forwarding(file, host, clock=clock):
        ids = await put(file, *reports(0, 2))
        await host.until(lambda: host.taken == ids)
        await until(file, is_up_to_date)
        sql(file, f"INSERT INTO forward_aside VALUES ('crm', {ids[0]}, 'set aside', 'Refused.', 1)")
        assert await file.write(partial(send_again, target="crm", inbox_ids=None, now=clock.at)) == 1
        await host.until(lambda: host.taken == [*ids, ids[0]])
        await eventually(file, lambda: states(file, ids[0]) == {ids[0]: ["sent later"]})
        assert rows_aside(file) == []


async def test_a_report_behind_which_others_wait_can_be_skipped_and_sent_after_all(
    file: Database, host: TargetHost
) -> None:
    clock = Clock()
    host.answer = says(500)
    async with forwarding(file, host, clock=clock):
        ids = await put(file, *reports(0, 3))
        await until(file, lambda row: row["attempts"] == 1)
        host.answer = says(200)
        assert await file.write(partial(skip, target="crm", now=clock.at)) == ids[0]
        await host.until(lambda: host.taken == ids[1:])
        await until(file, is_up_to_date)
        with pytest.raises(CannotSkip, match="No report holds up crm"):
            await file.write(partial(skip, target="crm", now=clock.at))
        with pytest.raises(CannotSkip, match="no target nobody"):
            await file.write(partial(skip, target="nobody", now=clock.at))
        assert states(file, ids[0]) == {ids[0]: ["skipped"]}
        # One that was sent can be sent once more, too.
        assert await file.write(partial(send_again, target="crm", inbox_ids=[ids[0], ids[1], 99], now=clock.at)) == 2
        await host.until(lambda: host.taken == [*ids[1:], *ids[:2]])


async def test_with_trying_now_nobody_waits_for_the_next_try(file: Database, host: TargetHost) -> None:
    clock = Clock()
    host.answer = says(500)
    async with forwarding(file, host, clock=clock):
        ids = await put(file, report("a"))
        await until(file, lambda row: row["attempts"] == 1)
        host.answer = says(200)
        assert await file.write(partial(try_now, target="crm", now=clock.at))
        assert not await file.write(partial(try_now, target="nobody", now=clock.at))
        await host.until(lambda: host.taken == ids)


async def test_what_nobody_wants_to_send_again_is_let_be(file: Database) -> None:
    await asyncio.to_thread(store, file, *reports(0, 2))
    sql(file, "INSERT INTO forward_aside VALUES ('crm', 1, 'set aside', '', 1), ('crm', 2, 'set aside', '', 1)")
    assert await file.write(partial(let_be, target="crm", inbox_ids=[2], now=3)) == 1
    assert column_of(file) == [(1, "set aside"), (2, "skipped")]
    assert await file.write(partial(let_be, target="crm", inbox_ids=None, now=3)) == 1


def column_of(database: Database) -> list[tuple[int, str]]:
    statement = "SELECT inbox_id, state FROM forward_aside ORDER BY inbox_id"
    return database.read_now(lambda session: [tuple(row) for row in session.connection().exec_driver_sql(statement)])


async def test_behind_a_dead_target_no_report_waits_longer_than_three_days(
    database: Database, host: TargetHost
) -> None:
    clock = Clock()
    host.answer = says(503)
    async with forwarding(database, host, clock=clock):
        old = await put(database, *reports(0, 3))
        await until(database, lambda row: row["attempts"] == 1)
        clock.pass_by(4 * DAY)
        # One arrives while the others have become too old.
        body = report("young")
        arrival = Arrival(clock.at, body, read_report(body), "", "")
        (young,) = await database.write(partial(record, arrivals=[arrival], source_timezone=INDIA))
        await until(database, lambda row: row["report_id"] == young.id)
        assert states(database, *old) == {number: ["set aside"] for number in old}
        assert rows_aside(database)[0]["problem"].startswith("Given up after 3 days. 127.0.0.1 answered 503.")
        host.answer = says(200)
        clock.pass_by(3600)
        await host.until(lambda: host.taken == [young.id])


async def test_an_erased_body_is_passed_over_with_a_note(file: Database, host: TargetHost) -> None:
    clock = Clock()
    host.answer = says(503)
    async with forwarding(file, host, clock=clock):
        ids = await put(file, *reports(0, 3))
        await until(file, lambda row: row["attempts"] == 1)
        sql(file, f"UPDATE inbox SET body = NULL WHERE id IN ({ids[0]}, {ids[1]})")
        host.answer = says(200)
        clock.pass_by(5)
        await host.until(lambda: host.taken == ids[2:])
        await until(file, is_up_to_date)
    assert states(file, *ids) == {ids[0]: ["erased"], ids[1]: ["erased"], ids[2]: ["sent"]}


async def test_an_answer_without_end_is_a_2xx_all_the_same(file: Database, host: TargetHost) -> None:
    async def endless(_: Post) -> bytes:
        return head(200, length=10**9) + bytes(200_000)

    host.answer = endless
    async with forwarding(file, host):
        ids = await put(file, *reports(0, 3))
        await host.until(lambda: host.taken == ids)
        await until(file, is_up_to_date)
    assert host.connections == 3


async def test_a_target_that_never_answers_is_given_up_for_now(file: Database, host: TargetHost) -> None:
    async def silent(_: Post) -> bytes:
        await asyncio.Event().wait()
        return b""

    host.answer = silent
    async with forwarding(file, host, limits=Limits(silence_seconds=0.1)):
        await put(file, report("a"))
        row = await until(file, lambda row: row["attempts"] == 1)
    assert row["answer"] == "127.0.0.1 was silent for 0.1 seconds."


async def test_a_target_that_breaks_off_gets_the_report_again_under_its_number(
    file: Database, host: TargetHost
) -> None:
    async def breaks_off(_: Post) -> bytes:
        return b""

    clock = Clock()
    host.answer = breaks_off
    async with forwarding(file, host, clock=clock):
        ids = await put(file, report("a"))
        await until(file, lambda row: row["attempts"] == 1)
        host.answer = says(200)
        clock.pass_by(5)
        await host.until(lambda: host.taken == ids)
    assert [(post.number, post.attempt) for post in host.posts] == [(ids[0], 1), (ids[0], 2)]


# --- what goes wrong on our side


async def test_a_lease_that_ran_out_lets_another_board_go_on_and_counts_for_nothing(
    file: Database, host: TargetHost
) -> None:
    clock = Clock()
    doors, called = asyncio.Event(), asyncio.Event()

    async def holding(_: Post) -> bytes:
        called.set()
        await doors.wait()
        return head(500)

    host.answer = holding
    async with forwarding(file, host, clock=clock, limits=Limits(total_seconds=10)) as slow:
        ids = await put(file, report("a"))
        await asyncio.wait_for(called.wait(), CEILING)
        slow.stop()  # it claims nothing itself
        clock.pass_by(3600)
        async with TargetHost() as same:
            other = Target("crm", same.target().url)
            async with forwarding(file, same, other, clock=clock):
                await same.until(lambda: same.taken == ids)
                await until(file, is_up_to_date)
                doors.set()
                await host.until(lambda: len(host.posts) > 0)
        row = await until(file, is_up_to_date)
    assert (row["attempts"], row["answer"]) == (0, "127.0.0.1 answered 200.")


async def test_a_board_that_stops_while_a_report_is_on_its_way_does_not_send_it_twice(
    file: Database, host: TargetHost
) -> None:
    called, doors = asyncio.Event(), asyncio.Event()

    async def slow(_: Post) -> bytes:
        called.set()
        await doors.wait()
        return head(200)

    host.answer = slow
    async with forwarding(file, host) as part:
        ids = await put(file, *reports(0, 3))
        await asyncio.wait_for(called.wait(), CEILING)
        part.stop()
        asyncio.get_running_loop().call_later(0.05, doors.set)
    assert host.taken == ids[:1]
    async with forwarding(file, host):
        await host.until(lambda: host.taken == ids)
    assert [post.number for post in host.posts] == ids


async def test_a_database_that_is_away_costs_no_report_and_sends_none_twice(tmp_path: Path, host: TargetHost) -> None:
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(database)
    called, doors = asyncio.Event(), asyncio.Event()

    async def slow(_: Post) -> bytes:
        called.set()
        await doors.wait()
        return head(200)

    host.answer = slow
    async with forwarding(database, host):
        ids = await put(database, *reports(0, 3))
        await asyncio.wait_for(called.wait(), CEILING)
        other = sqlite3.connect(tmp_path / "callboard.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        doors.set()
        # Longer than one attempt to write stands before a lock.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.3):
                await until(database, is_up_to_date)
        other.execute("ROLLBACK")
        other.close()
        await until(database, is_up_to_date)
    assert [post.number for post in host.posts] == ids
    await asyncio.to_thread(database.close)


async def test_while_reports_wait_to_be_stored_nothing_is_handed_on(file: Database, host: TargetHost) -> None:
    is_busy = True
    async with forwarding(file, host, is_busy=lambda: is_busy) as part:
        ids = await put(file, report("a"))
        await eventually(file, lambda: part.standing[0].is_due)
        assert host.posts == []
        is_busy = False
        await host.until(lambda: host.taken == ids)


async def test_no_address_is_in_the_log_or_the_database_whatever_happens(
    file: Database, host: TargetHost, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    async with forwarding(file, host, clock=clock):
        host.answer = says(500)
        await put(file, report("a"))
        await until(file, lambda row: row["attempts"] == 1)
        host.answer = says(301, "Location: /canary")
        clock.pass_by(3600)
        await until(file, lambda row: row["attempts"] == 2)
        host.answer = says(200)
        clock.pass_by(3600)
        await until(file, is_up_to_date)

    async def fails(*_: object) -> None:
        raise ValueError("canary")

    monkeypatch.setattr(forward_part, "post", fails)
    async with forwarding(file, host, clock=clock):
        await put(file, report("stumbles"))
        await eventually(file, lambda: "could not be handed on to crm: ValueError" in caplog.text)
        assert (await until(file, lambda row: row["attempts"] == 1))["failing_since"]
    assert "did not go to crm" in caplog.text
    assert "canary" not in caplog.text
    assert "canary" not in str(rows(file, "inbox", "id, problem")) + str(targets_of(file))
    assert column(file, "inbox", "id")


async def test_an_odd_retry_after_beside_a_2xx_is_a_2xx_and_beside_a_503_no_wish(
    file: Database, host: TargetHost
) -> None:
    clock = Clock()
    odd = "Retry-After: Mon, 01 Jan 99999999999 00:00:00 GMT"
    host.answer = says(200, odd)
    async with forwarding(file, host, clock=clock):
        ids = await put(file, *reports(0, 2))
        await host.until(lambda: host.taken == ids)
        await until(file, is_up_to_date)
        host.answer = says(503, odd)
        await put(file, report("later"))
        row = await until(file, lambda row: row["attempts"] == 1)
    assert (row["answer"], row["due_at"] - clock.at) == ("127.0.0.1 answered 503.", 5 * SECOND)


async def test_a_fault_of_ours_is_an_attempt_like_any_other_and_ends_after_three_days(
    file: Database, host: TargetHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("canary")

    clock = Clock()
    monkeypatch.setattr(post_part, "_answer_of", fails)
    async with forwarding(file, host, clock=clock):
        ids = await put(file, report("a"))
        first = await until(file, lambda row: row["attempts"] == 1)
        clock.pass_by(5)
        row = await until(file, lambda row: row["attempts"] == 2)
        assert (first["due_at"], row["due_at"]) == (clock.at, clock.at + 10 * SECOND)
        assert row["failing_since"] == clock.at - 5 * SECOND
        assert row["answer"] == "This board failed to send it (KeyError): a fault of its own, please report it."
        clock.pass_by(3 * DAY)
        await eventually(file, lambda: states(file, *ids) == {ids[0]: ["set aside"]})


async def test_a_body_that_cannot_be_unpacked_holds_up_its_line_for_three_days_at_most(
    file: Database, host: TargetHost
) -> None:
    clock = Clock()
    async with forwarding(file, host, clock=clock):
        host.answer = says(503)
        ids = await put(file, report("a"))
        await until(file, lambda row: row["attempts"] == 1)
        sql(file, f"UPDATE inbox SET packing = 'zlib-1' WHERE id = {ids[0]}")
        host.answer = says(200)
        clock.pass_by(5)
        row = await until(file, lambda row: row["attempts"] == 2)
        assert row["answer"].startswith("This board failed to send it")
        clock.pass_by(3 * DAY)
        await eventually(file, lambda: states(file, *ids) == {ids[0]: ["set aside"]})
    assert len(host.posts) == 1
