"""Hostile webhook bodies through the parser and through a real server, which then has to draw all it stored.

`python -m bench.hostile` prints the figures and ends with 1 where a promise is broken: nothing raises, no 5xx, no
answer over a second, every stored call is drawn on its page, on the board and in the stream, every report on its page
and in the inbox, no markup gets through.
"""

from __future__ import annotations

import argparse
import re
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from itertools import islice
from pathlib import Path
from threading import Condition, Event, Thread, local
from types import MappingProxyType
from typing import TypeVar
from zoneinfo import ZoneInfo

import httpx
from pydantic_core import from_json, to_json

from bench.bodies import SECRET
from bench.servers import callboard
from dashboard.callkaro.report import LONGEST_CALL_SECONDS, CallReport, Ignored, Report, Unreadable, read_report
from dashboard.callkaro.transcript import read_transcript
from dashboard.calls import columns_of, merge, micros
from tests.events import read_events
from tests.hostile import heavy_bodies, hostile_bodies

WEBHOOK = "/webhook/call-webhook"
WHOLE: Mapping[str, str] = MappingProxyType({})
PART: Mapping[str, str] = MappingProxyType({"HX-Request-Type": "partial"})
MOST_SECONDS = 1.0
AT_ONCE = 2
EXPECTED_STATUSES = {200, 400}
_PATIENCE = 30.0
_ZONE = ZoneInfo("Asia/Kolkata")
_EARLIEST, _LATEST = (micros(datetime(year, 1, 1, tzinfo=UTC)) for year in (2000, 2100))
_REPORT_SHOWN = re.compile(rb'<tr id="report-(\d+)" class=')
_SHOWN = re.compile(rb'<tr id="call-(\d+)" class=')
# Pieces of the hostile markup, as they would stand in a page if they were not escaped.
_THROUGH = re.compile(
    rb"<script>alert|<img src=x|<h1>out|<hx-partial hx-target='body'|' onmouseover='alert"
    rb'|href="(?:javascript|data|vbscript|file):',
    re.IGNORECASE,
)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class Tally:
    """What a phase saw; `broken` are the promises it saw broken, in words."""

    name: str
    count: int = 0
    slowest: float = 0.0
    slowest_what: str = ""
    outcomes: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def note(self, what: str, outcome: str, seconds: float) -> None:
        self.count += 1
        self.outcomes[outcome] += 1
        if seconds > self.slowest:
            self.slowest, self.slowest_what = seconds, what

    def __str__(self) -> str:
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        slowest = f"slowest {1000 * self.slowest:6.0f} ms ({self.slowest_what})"
        return f"{self.name:<16} {self.count:>8,}   {slowest}   {outcomes}"


def read_all(bodies: Iterable[tuple[str, bytes]]) -> Tally:
    """Every body through everything that is pure: reading, columns, transcript, JSON there and back, merging."""
    tally = Tally("bodies read")
    before: dict[str, object] = {}
    for what, body in bodies:
        began = time.perf_counter()
        try:
            reading = read_report(body)
            taken = time.perf_counter() - began
            tally.note(what, type(reading).__name__.lower(), taken)
            if isinstance(reading, Report):
                before = _check_report(reading, before)
            elif isinstance(reading, Ignored | Unreadable):
                reading[0].encode()
        except Exception as problem:  # noqa: BLE001 (whatever it is, it is what this looks for)
            tally.broken.append(f"{what}: {problem!r:.200}")
    return tally


def _check_report(reading: Report, before: dict[str, object]) -> dict[str, object]:
    """All that storing and drawing will take for granted. Raises AssertionError, or whatever breaks."""
    data = reading.data
    stored = to_json(data)
    assert b"\\u0000" not in stored or b"\\\\u0000" in stored, "NUL got through"
    assert from_json(stored) == data, "JSON there and back is another value"
    columns = columns_of(
        CallReport.model_validate(data), try_count=0, first_received_at=_EARLIEST, source_timezone=_ZONE
    )
    for value in columns.values():
        if isinstance(value, str):
            assert "\0" not in value
            value.encode()
    assert _EARLIEST <= columns["at"] < _LATEST
    assert columns["duration_seconds"] is None or 0 <= columns["duration_seconds"] <= LONGEST_CALL_SECONDS
    for name in ("type", "agent", "version", "campaign", "reason", "customer_name", "customer_number", "disposition"):
        assert len(columns[name]) <= 200, name
    for turn in read_transcript(CallReport.model_validate(data).transcription):
        turn.text.encode()
    once = merge(before, data)
    assert merge(once, data) == once, "a repetition changes the call"
    return data


def post_all(
    url: str,
    bodies: Iterable[tuple[str, bytes]],
    *,
    token: str = "",
    name: str = "bodies posted",
    at_once: int = AT_ONCE,
) -> Tally:
    """Every body to the webhook, a few at a time."""
    tally = Tally(name)
    with _Clients(url, at_once) as clients:

        def post(numbered: tuple[str, bytes]) -> tuple[str, int, float]:
            what, body = numbered
            began = time.perf_counter()
            answer = clients.mine().post(WEBHOOK, content=body, params={"token": token} if token else {})
            return what, answer.status_code, time.perf_counter() - began

        for what, status, seconds in clients.each(post, bodies):
            tally.note(what, str(status), seconds)
            if status not in EXPECTED_STATUSES:
                tally.broken.append(f"{what}: answered {status}")
    return tally


def draw_all(url: str, database: Path, open_page: OpenPage) -> list[Tally]:
    """Every stored call on its own page, on the board page by page, and on a page that was open all the time.

    And every report on its page, and in the inbox page by page.
    """
    with closing(sqlite3.connect(database)) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM call ORDER BY id")]
        reports = [row[0] for row in connection.execute("SELECT id FROM inbox ORDER BY id")]
    calls, whole = Tally("calls drawn"), Tally("reports drawn")
    with _Clients(url) as clients:
        # As a board asks for it; the list beside it is drawn by `_walk_board`.
        for page in clients.each(lambda call_id: _get(clients.mine(), f"/calls/{call_id}", PART), ids):
            _judge(calls, page)
        board, listed = _walk_board(clients.mine())
        for page in clients.each(lambda inbox_id: _get(clients.mine(), f"/inbox/{inbox_id}"), reports):
            _judge(whole, page)
        inbox, received = _walk(clients.mine(), "/inbox", Tally("inbox pages"), _REPORT_SHOWN)
    if received != set(reports):
        inbox.broken.append(f"{len(received):,} of {len(reports):,} reports were there")
    stream, streamed = open_page.judge(set(ids))
    for tally, found in ((board, listed), (stream, streamed)):
        if found != set(ids):
            tally.broken.append(f"{len(found):,} of {len(ids):,} calls were there")
    return [calls, board, stream, whole, inbox]


@dataclass(frozen=True)
class _Page:
    path: str
    status: int
    body: bytes
    seconds: float


def _get(client: httpx.Client, path: str, headers: Mapping[str, str] = WHOLE) -> _Page:
    began = time.perf_counter()
    answer = client.get(path, headers=headers)
    return _Page(path, answer.status_code, answer.content, time.perf_counter() - began)


def _judge(tally: Tally, page: _Page) -> None:
    tally.note(page.path, str(page.status), page.seconds)
    if page.status != 200:
        tally.broken.append(f"{page.path}: answered {page.status}")
    if through := _THROUGH.search(page.body):
        tally.broken.append(f"{page.path}: markup got through: {through[0]!r}")


def _walk_board(client: httpx.Client) -> tuple[Tally, set[int]]:
    """The board from its first page to its oldest, and once through the filters that it offers there."""
    tally, found = _walk(client, "/", Tally("board pages"), _SHOWN)
    first = _get(client, "/")
    for link in islice(re.findall(rb'<li><a href="([^"]+)"', first.body), 150):
        _judge(tally, _get(client, unescape(link.decode())))
    return tally, found


def _walk(client: httpx.Client, path: str, tally: Tally, row: re.Pattern[bytes]) -> tuple[Tally, set[int]]:
    """A list from its first page to its oldest, and the ids of the rows that were in it."""
    found = set[int]()
    while path:
        page = _get(client, path)
        _judge(tally, page)
        found |= {int(row_id) for row_id in row.findall(page.body)}
        older = re.search(rb'<p id="older"><a href="([^"]+)"', page.body)
        path = unescape(older[1].decode()) if older else ""
    return tally, found


class OpenPage:
    """A page that is open from the start: what its stream brings, read in a thread that ends with the server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._chunks: list[bytes] = []
        self._shown = set[int]()
        self._news = Condition()
        self._connected = Event()
        Thread(target=self._read, name="open page", daemon=True).start()
        if not self._connected.wait(_PATIENCE):
            raise AssertionError("The stream did not open.")

    def judge(self, ids: set[int]) -> tuple[Tally, set[int]]:
        """What it has been shown, once that is every call of these ids or it has waited for long enough."""
        began = time.perf_counter()
        with self._news:
            self._news.wait_for(lambda: self._shown >= ids, _PATIENCE)
            stream, shown = b"".join(self._chunks), set(self._shown)
        tally = Tally("stream frames")
        for event in read_events(stream).events:
            tally.note("after the last answer", event.type, time.perf_counter() - began)
        if through := _THROUGH.search(stream):
            tally.broken.append(f"/live: markup got through: {through[0]!r}")
        return tally, shown

    def _read(self) -> None:
        # A beat comes every ten seconds: no news for longer is an error.
        before = b""
        with (
            suppress(httpx.TransportError),
            httpx.Client(trust_env=False, timeout=_PATIENCE) as client,
            client.stream("GET", f"{self._url}/live?after=0") as answer,
        ):
            self._connected.set()
            for chunk in answer.iter_raw():
                with self._news:
                    self._chunks.append(chunk)
                    # A row's beginning can lie in two chunks.
                    self._shown |= {int(call_id) for call_id in _SHOWN.findall(before[-50:] + chunk)}
                    self._news.notify_all()
                before = chunk


class _Clients:
    """A few threads with a connection each."""

    def __init__(self, url: str, at_once: int = AT_ONCE) -> None:
        self._url = url
        self._threads = ThreadPoolExecutor(at_once)
        self._local = local()
        self._all: list[httpx.Client] = []

    def __enter__(self) -> _Clients:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()
        for client in self._all:
            client.close()

    def mine(self) -> httpx.Client:
        if not hasattr(self._local, "client"):
            self._local.client = httpx.Client(base_url=self._url, timeout=_PATIENCE, trust_env=False)
            self._all.append(self._local.client)
        client: httpx.Client = self._local.client
        return client

    def each(self, do: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return self._threads.map(do, items)


def numbered(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Bodies with the name under which `hostile_body` makes them again."""
    return ((f"body {seed}/{number}", body) for number, body in enumerate(hostile_bodies(seed, count)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--read", type=int, default=100_000, help="bodies through the parser (default %(default)s)")
    parser.add_argument("--post", type=int, default=5_000, help="bodies through HTTP (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tallies = [read_all(numbered(options.seed, options.read))]
    print(tallies[0], flush=True)
    with tempfile.TemporaryDirectory(prefix="callboard-hostile-") as folder, callboard(Path(folder)) as server:
        url = f"http://127.0.0.1:{server.port}"
        open_page = OpenPage(url)
        heavy = heavy_bodies().items()
        # One by one: each keeps a core busy for up to half a second.
        tallies.append(post_all(url, heavy, token=SECRET, name="heavy ones", at_once=1))
        print(tallies[-1], flush=True)
        tallies.append(post_all(url, numbered(options.seed, options.post), token=SECRET))
        print(tallies[-1], flush=True)
        for tally in draw_all(url, server.database, open_page):
            tallies.append(tally)
            print(tally, flush=True)
    broken = [problem for tally in tallies for problem in tally.broken]
    broken += [
        f"{tally.name}: {tally.slowest_what} took {tally.slowest:.2f} s"
        for tally in tallies[1:]
        if tally.slowest > MOST_SECONDS
    ]
    print(f"{len(broken)} promises broken" if broken else "Every promise held.")
    for problem in broken[:50]:
        print(f"  {problem}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
