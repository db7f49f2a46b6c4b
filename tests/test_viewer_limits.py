"""What one visitor may take of the board, and that others do not feel it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from dashboard import machine, stream_limits
from dashboard.masking import Mask
from dashboard.memory import GROWN_BYTES, Memory
from dashboard.roles import REVIEWER, VIEWER, Rights
from dashboard.store import audit
from dashboard.stream_limits import MOST_FILTERS, StreamLimits
from dashboard.web import request_queue
from dashboard.web.downloads import EXPORT, RECORDING, Downloads, TooManyDownloads
from dashboard.web.parts import Callboard
from tests.reports import WEBHOOK, report
from tests.signed_in import browser_of
from tests.test_live import opened

MakeApp = Callable[..., Awaitable[Callboard]]
HUSH = {"Authorization": "Bearer hush"}


@pytest.fixture
async def guarded(make_app: MakeApp) -> Callboard:
    return await make_app(webhook_secrets=("hush",))


class Streams:
    """The streams that one browser holds open."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.pages = AsyncExitStack()

    async def open(self, path: str) -> int:
        """The status of the answer; a stream stays open."""

        class App:
            test_client = staticmethod(lambda: self.client)

        return await opened(App(), self.pages, path)  # type: ignore[arg-type]


async def test_an_account_has_a_limited_number_of_different_live_filters_and_others_are_not_affected(
    guarded: Callboard,
) -> None:
    viewer = Streams(await browser_of(guarded, "vera", Rights(VIEWER)))
    honest = Streams(await browser_of(guarded, "hari", Rights(VIEWER)))
    async with viewer.pages, honest.pages:
        for number in range(MOST_FILTERS):
            assert await viewer.open(f"/live?campaign=c{number}") == 200
        refused = await viewer.client.get("/live?campaign=another")
        assert (refused.status_code, await refused.get_data(), refused.headers["Retry-After"]) == (429, b"", "30")
        assert await viewer.open("/live?campaign=c0") == 200
        assert await honest.open("/live?campaign=another") == 200
        # A wall is a filter, too.
        assert (await viewer.client.get("/wall/live?period=today")).status_code == 429
    async with viewer.pages:
        assert await viewer.open("/live?campaign=another") == 200


async def test_two_hundred_pages_of_one_account_on_the_same_filters_are_all_live(guarded: Callboard) -> None:
    office = Streams(await browser_of(guarded, "office", Rights(VIEWER)))
    async with office.pages:
        answers = await asyncio.gather(*(office.open(f"/live?campaign=c{number % 5}") for number in range(200)))
        assert set(answers) == {200}
        assert guarded.streams.limits.filters == 5


async def test_an_account_has_a_limited_number_of_live_pages(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.web.live.Limits", lambda: stream_limits.Limits(pages=3))
    viewer = Streams(await browser_of(guarded, "vera", Rights(VIEWER)))
    async with viewer.pages:
        assert [await viewer.open("/live") for _ in range(4)] == [200, 200, 200, 429]


async def test_with_too_many_filters_in_all_a_new_one_is_refused_until_one_is_free(guarded: Callboard) -> None:
    guarded.streams.limits = StreamLimits(filters_in_all=2)
    viewer = Streams(await browser_of(guarded, "vera", Rights(VIEWER)))
    honest = Streams(await browser_of(guarded, "hari", Rights(VIEWER)))
    async with honest.pages:
        async with viewer.pages:
            assert [await viewer.open(f"/live?campaign={name}") for name in "ab"] == [200, 200]
            refused = await honest.client.get("/live?campaign=c")
            assert (refused.status_code, await refused.get_data()) == (503, b"")
            assert await honest.open("/live?campaign=a") == 200
        assert await honest.open("/live?campaign=c") == 200


async def test_a_report_reaches_an_honest_page_while_another_account_has_a_thousand_streams(
    guarded: Callboard,
) -> None:
    viewer = Streams(await browser_of(guarded, "vera", Rights(VIEWER)))
    honest = await browser_of(guarded, "hari", Rights(VIEWER))
    async with viewer.pages:
        answers = await asyncio.gather(*(viewer.open(f"/live?campaign=c{number}") for number in range(1_000)))
        assert answers.count(200) == MOST_FILTERS
        assert answers.count(429) == 1_000 - MOST_FILTERS
        async with honest.request("/live?after=0") as page:
            await page.send_complete()
            await page.receive()
            stored = await guarded.test_client().post(WEBHOOK, data=report("Asha"), headers=HUSH)
            assert stored.status_code == 200
            came = b""
            async with asyncio.timeout(5):
                while b'<tr id="call-1"' not in came:
                    came += await page.receive()
            await page.disconnect()


async def test_the_requests_of_one_account_take_turns_with_those_of_another(guarded: Callboard) -> None:
    viewer, honest = [await browser_of(guarded, name, Rights(VIEWER)) for name in ("vera", "hari")]
    order = list[str]()

    async def ask(client: Client, path: str, name: str) -> int:
        answer = await client.get(path)
        order.append(name)
        return answer.status_code

    # From the first answer on, the queue knows whose session it is.
    assert [await ask(client, "/", "first") for client in (viewer, honest)] == [200, 200]
    paths = ("/?campaign=c{}", "/api/figures?campaign=c{}", "/api/calls?campaign=c{}", "/?campaign=c{}&before=1-1")
    greedy = [asyncio.create_task(ask(viewer, paths[number % 4].format(number), "viewer")) for number in range(120)]
    await asyncio.sleep(0)
    last = asyncio.create_task(ask(honest, "/", "honest"))
    await asyncio.gather(last, *greedy)
    assert order.index("honest") < 20


async def test_a_page_is_in_work_for_two_requests_of_an_account_at_a_time(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await browser_of(guarded, "vera", Rights(VIEWER))
    await client.get("/")
    working = most = 0
    reach = guarded.feed.reach

    async def counted(seq: int, at_most: float | None = None) -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0.01)
        await reach(seq, at_most)
        working -= 1

    monkeypatch.setattr(guarded.feed, "reach", counted)
    answers = await asyncio.gather(*(client.get(f"/?campaign={number}") for number in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert most == request_queue.PAGES_EACH


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/figures", b'{"status":"error","message":"Too many requests of yours are waiting.'),
        ("/", b"Too many requests of yours are waiting."),
        ("/live", b""),
    ],
)
async def test_an_account_with_too_many_requests_in_the_queue_is_refused_and_others_are_not(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch, path: str, body: bytes
) -> None:
    monkeypatch.setattr(request_queue, "MOST_WAITING", 2)
    viewer, honest = [await browser_of(guarded, name, Rights(VIEWER)) for name in ("vera", "hari")]
    assert [(await client.get("/")).status_code for client in (viewer, honest)] == [200, 200]
    queue = guarded.requests.streams if path == "/live" else guarded.requests.pages
    turns = [await queue.enter("account:vera") for _ in range(queue.each)]
    waiting = [asyncio.ensure_future(queue.enter("account:vera")) for _ in range(2)]
    await asyncio.sleep(0)
    refused = await viewer.get(path)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
    data: Any = await refused.get_data()
    assert data.startswith(body)
    assert bool(data) == bool(body)
    assert (await honest.get("/")).status_code == 200
    for turn in turns:
        turn.release()
    for each in waiting:
        (await each).release()
    assert (await viewer.get("/")).status_code == 200


async def test_a_page_keeps_its_visitors_turn_until_the_slow_reader_has_it(guarded: Callboard) -> None:
    client = await browser_of(guarded, "vera", Rights(VIEWER))
    await client.get("/")
    pages = guarded.requests.pages
    has_begun, may_send = asyncio.Event(), asyncio.Event()
    scope: Any = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"cookie", b"callboard_session=session-of-vera")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "extensions": {},
        "state": {},
    }

    async def send(event: Any) -> None:
        if event["type"] == "http.response.body":
            has_begun.set()
            await may_send.wait()

    asked: asyncio.Queue[Any] = asyncio.Queue()
    asked.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    reader = asyncio.create_task(guarded(scope, asked.get, send))
    async with asyncio.timeout(5):
        await has_begun.wait()
    assert (pages.busy, pages.working) == ({"account:vera": 1}, 0)
    may_send.set()
    await reader
    assert pages.busy == {}


async def test_an_account_has_two_exports_at_a_time_and_another_account_still_gets_one(guarded: Callboard) -> None:
    rita, ravi = [await browser_of(guarded, name, Rights(REVIEWER)) for name in ("rita", "ravi")]
    for number in range(3):
        stored = await guarded.test_client().post(WEBHOOK, data=report(f"s{number}"), headers=HUSH)
        assert stored.status_code == 200
    with guarded.downloads.counted(EXPORT, "account:rita"):
        assert (await rita.get("/calls.csv")).status_code == 200
        with guarded.downloads.counted(EXPORT, "account:rita"):
            refused = await rita.get("/calls.csv")
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
            assert "Too many exports are running." in await refused.get_data(as_text=True)
            assert (await ravi.get("/calls.jsonl")).status_code == 200
    for _ in range(5):
        assert (await (await rita.get("/calls.csv")).get_data(as_text=True)).count("\r\n") == 4


async def test_one_line_of_the_audit_log_at_a_time_stands_before_the_reports(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [await browser_of(guarded, f"program {number}", Rights(VIEWER)) for number in range(6)]
    for client in clients:
        await client.get("/")
    writing = most = lines = 0
    write = guarded.database.write

    async def counted(fn: Any) -> Any:
        nonlocal writing, most, lines
        if getattr(fn, "func", None) is not audit.note:
            return await write(fn)
        lines, writing = lines + 1, writing + 1
        most = max(most, writing)
        try:
            await asyncio.sleep(0.01)
            return await write(fn)
        finally:
            writing -= 1

    monkeypatch.setattr(guarded.database, "write", counted)
    answers = await asyncio.gather(*(client.get("/api/calls") for client in clients))
    assert {answer.status_code for answer in answers} == {200}
    assert (lines, most) == (6, 1)


def test_downloads_are_limited_in_all_and_each_that_ends_makes_room() -> None:
    downloads = Downloads()
    with downloads.counted(EXPORT, "a"), downloads.counted(EXPORT, "a"), downloads.counted(EXPORT, "b"):
        with pytest.raises(TooManyDownloads), downloads.counted(EXPORT, "c"):
            pass
        with downloads.counted(RECORDING, "c"):
            pass
    with downloads.counted(EXPORT, "c"):
        pass


async def test_memory_is_returned_to_the_system_once_the_process_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    returned = list[int]()
    size = 100 * 2**20
    monkeypatch.setattr(machine, "memory_bytes", lambda: size)
    monkeypatch.setattr(machine, "give_memory_back", lambda: returned.append(size))
    memory = Memory()
    await memory.look()
    size += GROWN_BYTES
    await memory.look()
    assert returned == []
    size += 1
    await memory.look()
    assert returned == [size]


@pytest.mark.parametrize("address", ["/calls/1", "/api/calls/1", "/calls.csv", "/calls.jsonl"])
async def test_while_a_large_call_is_masked_reports_are_stored(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    # Two thousand numbers and 300 kB of digits once stopped everything for half a minute.
    app = await make_app(webhook_secrets=("hush",))
    reviewer = await browser_of(app, "rita", Rights(REVIEWER))
    sender, numbers = app.test_client(), " ".join(f"9198{number:08}" for number in range(2_000))
    body = report("large", to=numbers, transcription="User: 9876543210\n" * 20_000)
    assert (await sender.post(f"{WEBHOOK}?token=hush", data=body)).status_code == 200
    is_masking, is_done = threading.Event(), threading.Event()
    mask_value, mask_text = Mask.value, Mask.__call__

    def hold(mask: Mask, value: Any) -> None:
        if len(str(value)) > 100_000:
            is_masking.set()
            assert is_done.wait(20), "reports are not stored meanwhile"

    def held_value(mask: Mask, value: Any, **given: Any) -> Any:
        hold(mask, value)
        return mask_value(mask, value, **given)

    def held_text(mask: Mask, text: str) -> str:
        hold(mask, text)
        return mask_text(mask, text)

    monkeypatch.setattr(Mask, "value", held_value)
    monkeypatch.setattr(Mask, "__call__", held_text)
    reading = asyncio.create_task(reviewer.get(address))
    try:
        assert await asyncio.to_thread(is_masking.wait, 15)
        async with asyncio.timeout(15):
            assert (await sender.post(f"{WEBHOOK}?token=hush", data=report("next"))).status_code == 200
    finally:
        is_done.set()
    answer = await reading
    assert answer.status_code == 200
    assert b"9876543210" not in await answer.get_data()
