"""What every live board owes the pages in front of it, told by a page that knows only what came over the wire."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session

from dashboard import feed as feed_module
from dashboard import ring as ring_module
from dashboard import stream_pieces
from dashboard import streams as streams_module
from dashboard.app import asset_folder
from dashboard.byte_cache import KEY_BYTES
from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.feed import Feed
from dashboard.filters import NONE, CallFilter, matches, read_filter
from dashboard.render import Renderer
from dashboard.store.calls import facts_after
from dashboard.store.removal import remove_calls
from dashboard.streams import Streams, Visit
from tests.events import read_events
from tests.reports import data_of
from tests.stored import sql, store, told

INDIA = ZoneInfo("Asia/Kolkata")
EVERYTHING = CallFilter()


class Clock:
    """The board's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2025, 12, 19, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Page:
    """A browser's page as the stream makes it: its rows, and the last id it would send when it comes back."""

    def __init__(self, streams: Streams, wanted: CallFilter = EVERYTHING) -> None:
        self.streams, self.wanted = streams, wanted
        self.rows: dict[int, str] = {}
        self.figures: dict[str, int] = {}
        self.cursor = 0
        self.events: list[str] = []
        self._bytes = b""
        self._stream: AsyncIterator[bytes] | None = None

    def load(self) -> None:
        """Draw the page anew, as the board's address does."""
        feed = self.streams.feed
        wanted = feed.index.ids(self.wanted, feed.today, limit=10**6)
        self.rows = dict.fromkeys(wanted, "loaded")
        self.cursor = feed.head

    def connect(self) -> None:
        self._stream = self.streams.follow(self.wanted, self.cursor)
        self._bytes = b""

    async def until(self, condition: Callable[[Page], object], seconds: float = 3) -> None:
        """Read the stream until the page is as it should be."""
        if self._stream is None:
            self.connect()
        async with asyncio.timeout(seconds):
            while not condition(self):
                assert self._stream is not None
                self._read(await anext(self._stream))

    async def cut(self, after: float = 0.0) -> None:
        """Read for a moment, then lose the connection in the middle of whatever was coming."""
        if self._stream is None:
            self.connect()
        assert self._stream is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(after):
                while True:
                    self._read(await anext(self._stream))
        self._stream = None

    async def take(self, events: int) -> None:
        """Read so many events of what is missed, then lose the connection."""
        assert self._stream is not None
        missed = b""
        while missed.count(b"\n\n") < events:
            missed += await anext(self._stream)
        self._read(b"".join(event + b"\n\n" for event in missed.split(b"\n\n")[:events]))
        self._stream = None

    def _read(self, chunk: bytes) -> None:
        self._bytes += chunk
        whole, blank, self._bytes = self._bytes.rpartition(b"\n\n")
        events, last_id = read_events(whole + blank)
        for event in events:
            self.events.append(event.type)
            if event.type == "message":
                self._swap(event.data)
        if last_id:
            self.cursor = int(last_id)

    def _swap(self, html: str) -> None:
        if gone := re.match(r'<hx-upsert hx-target="#calls"><tr id="call-(\d+)" data-gone[^>]*>', html):
            self.rows.pop(int(gone[1]), None)
        elif row := re.match(r'<hx-upsert [^>]*><tr id="call-(\d+)"', html):
            self.rows[int(row[1])] = html
        elif 'id="figures"' in html:
            self.figures = {
                name: int(value) for name, value in re.findall(r'data-figure="(\w+)" data-value="(\d+)"', html)
            }


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_streams(database: Database, clock: Clock) -> Callable[[], Streams]:
    draw = Renderer(asset_folder("templates"), timezone=INDIA, indian_grouping=True, static_version="test")

    def make() -> Streams:
        return Streams(Feed(database, draw, clock, source_zone=INDIA.key), database, draw)

    return make


@asynccontextmanager
async def running(streams: Streams) -> AsyncIterator[Streams]:
    task = asyncio.create_task(streams.feed.run())
    try:
        async with asyncio.timeout(5):
            await streams.feed.ready.wait()
        yield streams
    finally:
        streams.feed.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def streams(make_streams: Callable[[], Streams]) -> AsyncIterator[Streams]:
    async with running(make_streams()) as made:
        yield made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats every few milliseconds."""
    monkeypatch.setattr(feed_module, "BEAT_SECONDS", 0.02)


def call(sid: str, **changes: Any) -> bytes:
    return told(**data_of(sid, **changes))


async def put(database: Database, *bodies: bytes) -> None:
    await database.write(lambda session: None)
    await asyncio.to_thread(store, database, *bodies)


async def test_a_new_call_appears_on_every_page(database: Database, streams: Streams) -> None:
    pages = [Page(streams), Page(streams)]
    await put(database, call("Asha"))
    for page in pages:
        await page.until(lambda page: page.rows and page.figures.get("calls") == 1)


async def test_a_changed_call_is_replaced_not_doubled(database: Database, streams: Streams) -> None:
    page = Page(streams)
    await put(database, call("Asha", conversion_status=False))
    await page.until(lambda page: "Connected" in page.rows.get(1, ""))
    await put(database, call("Asha", conversion_status=True))
    await page.until(lambda page: "Converted" in page.rows[1])
    assert list(page.rows) == [1]


async def test_a_page_that_comes_back_gets_what_it_missed_and_nothing_else(
    database: Database, streams: Streams
) -> None:
    page = Page(streams)
    await put(database, call("Asha"))
    await page.until(lambda page: page.rows)
    await page.cut()
    await put(database, call("Bina"), call("Chitra"))
    page.rows.clear()
    await page.until(lambda page: len(page.rows) == 2)
    assert sorted(page.rows) == [2, 3]


async def test_a_filtered_page_hears_nothing_of_other_campaigns(database: Database, streams: Streams) -> None:
    page = Page(streams, CallFilter(campaign=("north",)))
    page.load()
    page.connect()
    everything = Page(streams)
    await put(database, call("Asha", batchId="south"))
    await everything.until(lambda page: page.rows)
    await put(database, call("Bina", batchId="north"))
    await page.until(lambda page: page.rows)
    assert list(page.rows) == [2]


async def test_a_call_that_changes_campaign_leaves_one_page_and_enters_the_other(
    database: Database, streams: Streams
) -> None:
    north, south = Page(streams, CallFilter(campaign=("north",))), Page(streams, CallFilter(campaign=("south",)))
    await put(database, call("Asha", batchId="north"))
    await north.until(lambda page: page.rows)
    await put(database, call("Asha", batchId="south"))
    await north.until(lambda page: not page.rows)
    await south.until(lambda page: page.rows)


async def test_a_call_that_leaves_a_limit_leaves_the_page_and_one_outside_never_comes(
    database: Database, streams: Streams
) -> None:
    page = Page(streams, CallFilter(scope=("north",)))
    await put(database, call("Asha", batchId="north"), call("Bina", batchId="south"))
    await page.until(lambda page: page.figures.get("calls") == 1)
    assert list(page.rows) == [1]
    await put(database, call("Asha", batchId="south"))
    await page.until(lambda page: not page.rows and page.figures["calls"] == 0)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(3):
        while not condition():  # noqa: ASYNC110 - the feed tells pages alone
            await asyncio.sleep(0.01)


def listed_in(streams: Streams, campaign: str) -> int:
    return streams.feed.index.count(CallFilter(campaign=(campaign,)), streams.feed.today)


@pytest.mark.parametrize("is_erased", [False, True])
async def test_a_call_that_leaves_a_limit_by_two_moves_at_once_leaves_the_page(
    database: Database, streams: Streams, is_erased: bool
) -> None:
    page = Page(streams, CallFilter(scope=("north",)))
    await put(database, call("Asha", batchId="north"))
    await page.until(lambda page: list(page.rows) == [1])
    await page.cut()
    await put(database, call("Asha", batchId="south"))
    await until(lambda: listed_in(streams, "south"))
    if is_erased:
        await database.write(lambda session: remove_calls(session, [1]))
    else:
        await put(database, call("Asha", batchId="west"))
    await until(lambda: not listed_in(streams, "south"))
    await page.until(lambda page: not page.rows)


async def behind_a_call_that_moved_twice(database: Database, streams: Streams) -> Page:
    """A page limited to a campaign that shows a call; it has left by two moves, with calls that came between them."""
    page = Page(streams, CallFilter(scope=("north",)))
    await put(database, call("Asha", batchId="north"))
    await page.until(lambda page: list(page.rows) == [1])
    await page.cut()
    await put(database, call("Asha", batchId="south"))
    await until(lambda: listed_in(streams, "south"))
    await put(database, *(call(f"sid{number}", batchId="north") for number in range(6)))
    await put(database, call("Asha", batchId="west"))
    await streams.feed.reach(await database.read(head_of), 3)
    return page


@pytest.mark.parametrize("ring_size", [1_000, 3], ids=["from the ring", "from the table first"])
async def test_a_call_that_leaves_a_limit_by_two_moves_leaves_a_page_that_is_between_them(
    database: Database, streams: Streams, monkeypatch: pytest.MonkeyPatch, ring_size: int
) -> None:
    monkeypatch.setattr(stream_pieces, "PIECE_BYTES", 1)
    monkeypatch.setattr(ring_module, "RING_SIZE", ring_size)
    page = await behind_a_call_that_moved_twice(database, streams)
    assert (streams.feed.ring.since(page.cursor) is None) == (ring_size == 3)
    await page.until(lambda page: sorted(page.rows) == [2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize("taken", range(1, 9))
async def test_a_call_that_leaves_a_limit_by_two_moves_leaves_a_page_whose_connection_breaks_between_them(
    database: Database, streams: Streams, taken: int
) -> None:
    page = await behind_a_call_that_moved_twice(database, streams)
    page.connect()
    await page.take(taken)
    await page.until(lambda page: sorted(page.rows) == [2, 3, 4, 5, 6, 7])


async def test_of_calls_outside_a_limit_not_even_a_change_is_told(database: Database, streams: Streams) -> None:
    await put(database, call("Asha", batchId="north"), call("Bina", batchId="south"))
    await streams.feed.reach(await database.read(head_of), 5)
    stream = streams.follow(CallFilter(scope=("north",)), streams.feed.head)
    await anext(stream)
    told_of = b""
    await put(database, call("Bina", batchId="south", agent="another"))
    await put(database, call("Bina", batchId="east"))
    await put(database, call("Asha", batchId="south"))
    async with asyncio.timeout(5):
        while b'id="call-1" data-gone' not in told_of:
            told_of += await anext(stream)
    assert b"call-2" not in told_of


async def test_a_call_that_came_and_left_while_nobody_looked_is_not_shown(database: Database, streams: Streams) -> None:
    await put(database, call("Asha", batchId="north"))
    await Page(streams).until(lambda page: page.rows)
    await put(database, call("Asha", batchId="south"))
    await Page(streams).until(lambda page: "south" in page.rows.get(1, ""))
    page = Page(streams, CallFilter(campaign=("north",)))
    await put(database, call("Bina", batchId="north"))
    await page.until(lambda page: 2 in page.rows)
    assert list(page.rows) == [2]


@pytest.mark.parametrize("cursor", [None, -1, 10**18])
async def test_a_cursor_that_cannot_be_means_load_anew(streams: Streams, cursor: int | None) -> None:
    stream = streams.follow(EVERYTHING, cursor)
    await anext(stream)
    assert read_events(await anext(stream)).events[0].type == "reload"


async def test_a_page_that_comes_back_after_midnight_loads_anew(
    make_streams: Callable[[], Streams], clock: Clock, quick: None
) -> None:
    async with running(make_streams()) as streams:
        yesterday = streams.feed.today
        clock.now += timedelta(hours=12)
        streams.feed._beat()
        stream = streams.follow(CallFilter(period="today"), streams.feed.head, day=yesterday)
        await anext(stream)
        assert read_events(await anext(stream)).events[0].type == "reload"


async def test_a_page_that_comes_back_gets_its_figures_though_it_has_its_rows(
    database: Database, streams: Streams
) -> None:
    page = Page(streams)
    await put(database, call("Asha"))
    await page.until(lambda page: page.rows)
    page.cursor = streams.feed.head
    stream = streams.follow(EVERYTHING, page.cursor, is_back=True)
    came = b""
    async with asyncio.timeout(5):
        # The notices may come before them: figures are drawn when it is their turn.
        while b'id="figures"' not in came:
            came = await anext(stream)
    assert b'data-figure="calls" data-value="1"' in came


async def test_a_page_far_behind_loads_anew_though_the_ring_has_it_all(
    database: Database, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_pieces, "MOST_TO_CATCH_UP", 5)
    await put(database, *(call(f"sid{number}") for number in range(6)))
    await streams.feed.reach(6, 3)
    page = Page(streams)
    await page.until(lambda page: "reload" in page.events)
    assert page.rows == {}


async def test_a_page_too_far_behind_is_told_to_load_anew(
    database: Database, make_streams: Callable[[], Streams], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_pieces, "MOST_TO_CATCH_UP", 5)
    await put(database, *(call(f"sid{number}") for number in range(6)))
    async with running(make_streams()) as streams:
        page = Page(streams)
        await page.until(lambda page: "reload" in page.events)
        assert page.rows == {}


async def test_a_page_behind_the_ring_waits_for_a_database_that_fails(
    database: Database, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring_module, "RING_SIZE", 3)
    await put(database, *(call(f"sid{number}") for number in range(10)))
    await streams.feed.reach(10, 3)
    sql(database, "ALTER TABLE call RENAME TO call_away")
    page = Page(streams)
    catching_up = asyncio.create_task(page.until(lambda page: len(page.rows) == 10, seconds=10))
    await until(lambda: page.events or streams.open["board"])
    others = Page(streams)
    others.cursor = 9
    await others.until(lambda page: 10 in page.rows)
    assert not page.rows
    sql(database, "ALTER TABLE call_away RENAME TO call")
    await catching_up


async def test_a_page_that_waits_for_the_database_comes_back_with_its_cursor_when_the_board_closes(
    database: Database, make_streams: Callable[[], Streams], monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(database, call("Asha"))
    async with running(make_streams()) as streams:
        failing = asyncio.Event()

        async def away(read: object) -> None:
            failing.set()
            raise OSError

        monkeypatch.setattr(streams.pieces, "_database", SimpleNamespace(read=away))
        page = Page(streams)
        waiting = asyncio.create_task(page.until(lambda page: page.rows))
        await failing.wait()
        streams.feed.close()
        with pytest.raises(StopAsyncIteration):
            await waiting
        assert "reload" not in page.events


async def test_a_visitor_whose_visit_ends_while_the_database_is_away_gets_no_rows_when_it_is_back(
    database: Database, make_streams: Callable[[], Streams], monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(database, call("Asha"))
    async with running(make_streams()) as streams:
        visit, read = Visit(), database.read

        async def ends_meanwhile(query: Callable[[Session], Any]) -> Any:
            visit.has_ended = True
            return await read(query)

        monkeypatch.setattr(streams.pieces, "_database", SimpleNamespace(read=ends_meanwhile))
        sent = b"".join([chunk async for chunk in streams.follow(EVERYTHING, 0, visit=visit)])
        assert visit.has_ended
        assert b"Asha" not in sent
        assert b"<tr" not in sent


async def test_a_wall_whose_visit_ends_while_it_is_drawn_is_not_sent(streams: Streams) -> None:
    visit = Visit()

    async def ends_meanwhile() -> str:
        visit.has_ended = True
        return "figures"

    assert b"figures" not in b"".join([chunk async for chunk in streams.watch(ends_meanwhile, visit)])


async def test_reads_of_the_table_that_do_not_end_hold_up_no_page_that_needs_the_ring_alone(
    database: Database, make_streams: Callable[[], Streams], monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(database, *(call(f"sid{number}") for number in range(3)))
    async with running(make_streams()) as streams:
        stalled = 0

        async def stall(read: object) -> None:
            nonlocal stalled
            stalled += 1
            await asyncio.Event().wait()

        monkeypatch.setattr(streams.pieces, "_database", SimpleNamespace(read=stall))
        behind = [asyncio.create_task(read_all(streams.follow(EVERYTHING, 0, who=f"viewer {each}"))) for each in "abc"]
        await until(lambda: stalled == 2)
        page = Page(streams)
        page.cursor = 3
        await put(database, *(call(f"new{number}") for number in range(20)))
        await streams.feed.reach(await database.read(head_of), 3)
        await page.until(lambda page: len(page.rows) == 20)
        assert stalled == 2
        for each in behind:
            each.cancel()
        await asyncio.gather(*behind, return_exceptions=True)


async def read_all(stream: AsyncIterator[bytes]) -> None:
    async for _ in stream:
        pass


async def test_calls_that_came_and_changed_while_a_page_was_away_count_once(
    database: Database, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_pieces, "MOST_TO_CATCH_UP", 5)
    for agent in ("first", "second"):
        await put(database, *(call(f"sid{number}", agent=agent) for number in range(4)))
        await streams.feed.reach(await database.read(head_of), 3)
    page = Page(streams)
    await page.until(lambda page: len(page.rows) == 4)
    assert "reload" not in page.events


async def test_a_page_behind_the_ring_reads_the_table(
    database: Database, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring_module, "RING_SIZE", 3)
    for number in range(4):
        await put(database, *(call(f"sid{number}-{each}") for each in range(5)))
        await Page(streams).until(lambda page, number=number: len(page.rows) == 5 * number + 5)  # type: ignore[misc]
    late = Page(streams)
    await late.until(lambda page: len(page.rows) == 20)
    assert late.cursor == 20


async def test_a_heartbeat_moves_the_cursor_of_a_silent_page(database: Database, streams: Streams, quick: None) -> None:
    page = Page(streams, CallFilter(campaign=("nowhere",)))
    await put(database, call("Asha"))
    head = await database.read(head_of)
    streams.feed._beat()
    await page.until(lambda page: page.cursor == head and "beat" in page.events)


async def test_a_page_of_today_loads_anew_when_the_day_turns(
    make_streams: Callable[[], Streams], clock: Clock, quick: None
) -> None:
    async with running(make_streams()) as streams:
        today, always = Page(streams, CallFilter(period="today")), Page(streams)
        await always.until(lambda page: "beat" in page.events)
        await today.until(lambda page: "beat" in page.events)
        clock.now += timedelta(hours=12)
        await today.until(lambda page: "reload" in page.events)
        beats = always.events.count("beat")
        await always.until(lambda page: page.events.count("beat") > beats + 2)
        assert "reload" not in always.events


async def test_a_page_may_change_between_two_processes(database: Database, make_streams: Callable[[], Streams]) -> None:
    async with running(make_streams()) as first, running(make_streams()) as second:
        page = Page(first)
        await put(database, call("Asha"))
        await page.until(lambda page: page.rows)
        await page.cut()
        page.streams = second
        await put(database, call("Bina"))
        await page.until(lambda page: len(page.rows) == 2)


async def test_a_page_that_stalls_delays_nobody(database: Database, streams: Streams) -> None:
    stalled = streams.follow(EVERYTHING, 0)
    await anext(stalled)
    page = Page(streams)
    for number in range(5):
        await put(database, call(f"sid{number}"))
        await page.until(lambda page, number=number: len(page.rows) == number + 1, seconds=1.5)  # type: ignore[misc]


async def test_a_restart_of_the_feed_loses_nothing(database: Database, make_streams: Callable[[], Streams]) -> None:
    async with running(make_streams()) as streams:
        page = Page(streams)
        await put(database, call("Asha"))
        await page.until(lambda page: page.rows)
        await page.cut()
    await put(database, call("Bina"))
    async with running(make_streams()) as streams:
        page.streams = streams
        await page.until(lambda page: len(page.rows) == 2)
        assert sorted(page.rows) == [1, 2]


@pytest.mark.parametrize("piece_bytes", [1, stream_pieces.PIECE_BYTES], ids=["a row each", "whole pieces"])
@pytest.mark.parametrize("seed", range(4))
async def test_wherever_a_page_is_cut_it_ends_equal_to_the_table(
    database: Database, streams: Streams, monkeypatch: pytest.MonkeyPatch, seed: int, piece_bytes: int
) -> None:
    monkeypatch.setattr(stream_pieces, "PIECE_BYTES", piece_bytes)
    chance = random.Random(seed)
    wanted = [
        "",
        "campaign=north",
        "stage=converted&stage=voicemail",
        "figure=connected",
        "reason=none",
        "period=today",
    ]
    limited = [CallFilter(scope=scope) for scope in (("north",), ("south", NONE))]
    pages = [Page(streams, each) for each in (*map(read_filter, map(_pairs, wanted)), *limited) for _ in range(2)]
    for _ in range(25):
        bodies = [
            call(
                f"sid{chance.randrange(30)}",
                batchId=chance.choice(("north", "south", "west", "")),
                hangup_reason=chance.choice(("CLIENT_INITIATED", "VOICEMAIL_DETECTED", "USER_REJECTED", "")),
                conversion_status=chance.choice((True, False)),
                time=chance.choice(("2025-12-19 16:01:07", "2025-12-18 09:00:00")),
            )
            for _ in range(chance.randrange(1, 6))
        ]
        await put(database, *bodies)
        if chance.random() < 0.2:
            ids = [each.id for each in await database.read(partial(facts_after, last_id=0))]
            await database.write(partial(remove_calls, call_ids=chance.sample(ids, 1)))
        await asyncio.gather(*(_live_a_moment(page, chance) for page in pages))
    head = await database.read(head_of)
    await streams.feed.reach(head, 5)
    facts = await database.read(partial(facts_after, last_id=0))
    for page in pages:
        expected = {each.id for each in facts if matches(each, page.wanted, today=streams.feed.today, timezone=INDIA)}
        await page.until(lambda page, expected=expected: set(page.rows) == expected)  # type: ignore[misc]


NORTH_AND = [CallFilter(campaign=("north", f"no campaign {number}")) for number in range(6)]


async def forty_calls(database: Database, streams: Streams) -> int:
    """The number of the last of them."""
    await put(database, *(call(f"sid{number}", batchId="north") for number in range(40)))
    head = await database.read(head_of)
    await streams.feed.reach(head, 5)
    return head


async def short_look(streams: Streams, wanted: CallFilter, cursor: int) -> int:
    """How many rows a page gets that leaves as soon as it has all after its cursor."""
    rows = 0
    stream = streams.follow(wanted, cursor, who="viewer")
    async with asyncio.timeout(5), aclosing(stream):  # type: ignore[type-var]
        while rows < streams.feed.head - cursor:
            rows += (await anext(stream)).count(b'<tr id="call-')
    return rows


async def test_the_bytes_that_pages_share_are_bounded_for_all_filters_and_cursors_together(
    database: Database, streams: Streams
) -> None:
    head = await forty_calls(database, streams)
    shared = streams.pieces.shared
    shared.most_bytes = 40_000
    held = [streams.follow(wanted, head) for wanted in NORTH_AND]
    for stream in held:
        await anext(stream)
    for _ in range(2):
        for wanted in NORTH_AND:
            for cursor in range(head - 39, head):
                assert await short_look(streams, wanted, cursor) == head - cursor
                assert shared.held_bytes <= 40_000
    assert shared.held_bytes > 20_000
    for stream in held:
        await stream.aclose()  # type: ignore[attr-defined]
    assert (shared.held_bytes, len(shared), streams._views) == (0, 0, {})


async def test_what_a_single_page_asked_for_is_not_kept(database: Database, streams: Streams) -> None:
    head = await forty_calls(database, streams)
    held = streams.follow(EVERYTHING, head)
    await anext(held)
    for cursor in range(head - 39, head):
        await short_look(streams, EVERYTHING, cursor)
    assert streams.pieces.shared.held_bytes == KEY_BYTES * len(streams.pieces.shared)
    await held.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_in_memory", [True, False])
async def test_what_a_page_missed_comes_in_pieces_of_bounded_size(
    database: Database,
    make_streams: Callable[[], Streams],
    monkeypatch: pytest.MonkeyPatch,
    is_in_memory: bool,
) -> None:
    monkeypatch.setattr(stream_pieces, "PIECE_BYTES", 4_000)
    monkeypatch.setattr(stream_pieces, "PIECE_ROWS", 7)
    if not is_in_memory:
        await put(database, *(call(f"sid{number}") for number in range(40)))
    async with running(make_streams()) as streams:
        if is_in_memory:
            await forty_calls(database, streams)
        page = Page(streams)
        chunks = [chunk async for chunk in until_at_head(streams.follow(EVERYTHING, 0), page, 40)]
        assert sorted(page.rows) == list(range(1, 41))
        assert page.cursor == streams.feed.head
        rows_of_chunks = [chunk.count(b'<tr id="call-') for chunk in chunks]
        assert sum(rows_of_chunks) == 40
        assert max(rows_of_chunks) <= 6


async def until_at_head(stream: AsyncIterator[bytes], page: Page, rows: int) -> AsyncIterator[bytes]:
    async with asyncio.timeout(5):
        while len(page.rows) < rows:
            chunk = await anext(stream)
            page._read(chunk)
            yield chunk


async def test_a_page_catches_up_while_another_visitor_has_hundreds_behind(
    database: Database, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing is shared: each page of the greedy visitor is a piece of work of its own.
    streams.pieces.shared.most_bytes = 0
    head = await forty_calls(database, streams)
    done = list[str]()

    async def catch_up(who: str) -> None:
        page = Page(streams)
        async for _ in until_at_head(streams.follow(EVERYTHING, head - 39, who=who), page, 39):
            pass
        done.append(who)

    greedy = [asyncio.create_task(catch_up("greedy")) for _ in range(300)]
    await asyncio.sleep(0)
    honest = asyncio.create_task(catch_up("honest"))
    await asyncio.gather(honest, *greedy)
    assert done.index("honest") < 30


async def test_the_figures_of_many_filters_are_not_drawn_in_one_go_and_each_is_drawn(
    database: Database, make_streams: Callable[[], Streams], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_module, "FIGURES_SECONDS", 0.0)
    async with running(make_streams()) as streams:
        pages = [Page(streams, CallFilter(campaign=("north", str(number)))) for number in range(30)]
        for page in pages:
            await page.until(lambda page: page.figures)
        drawn_at = list[int]()
        turn = 0
        draw = streams.feed.strip

        def counted(wanted: CallFilter) -> str:
            drawn_at.append(turn)
            return draw(wanted)

        monkeypatch.setattr(streams.feed, "strip", counted)
        await put(database, call("Asha", batchId="north"))
        readers = [asyncio.create_task(page.until(lambda page: page.figures.get("calls") == 1)) for page in pages]
        while not all(reader.done() for reader in readers):
            turn += 1
            await asyncio.sleep(0)
        await asyncio.gather(*readers)
        assert len(drawn_at) >= 30
        assert max(drawn_at.count(each) for each in drawn_at) == 1


async def test_a_filter_that_cannot_be_drawn_leaves_the_others_their_figures(
    database: Database, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = Page(streams, CallFilter(campaign=("broken",))), Page(streams)
    await sound.until(lambda page: page.figures)
    await broken.until(lambda page: page.figures)
    draw = streams.feed.strip

    def strip(wanted: CallFilter) -> str:
        if wanted.campaign:
            raise ValueError
        return draw(wanted)

    monkeypatch.setattr(streams.feed, "strip", strip)
    await put(database, call("Asha"))
    await sound.until(lambda page: page.figures.get("calls") == 1)


async def test_walls_of_one_filter_are_drawn_once_for_all_of_them(streams: Streams) -> None:
    drawn = list[str]()

    async def draw() -> str:
        drawn.append("once")
        return f"drawing {len(drawn)}"

    walls = [streams.watch(draw, shared_by="today") for _ in range(20)]
    shown = list[bytes]()
    for wall in walls:
        await anext(wall)
        shown.append(await anext(wall))
    assert len(drawn) == 1
    assert set(shown) == {b"data: drawing 1\n\n"}
    for wall in walls:
        await wall.aclose()  # type: ignore[attr-defined]
    assert streams._walls == {}


async def _live_a_moment(page: Page, chance: random.Random) -> None:
    if chance.random() < 0.2:
        await page.cut(chance.random() * 0.02)
    if chance.random() < 0.1:
        await page.cut()
        page.load()


def _pairs(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (part.partition("=") for part in query.split("&")) if name]
