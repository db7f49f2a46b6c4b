"""The parts of the house that visitors are led to, as `create_app` made them."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import Protocol, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from quart import Quart, current_app
from werkzeug.exceptions import HTTPException

from dashboard.archive import Archive
from dashboard.database import Database
from dashboard.disk import Reserve
from dashboard.erasure import Erased
from dashboard.feed import Feed
from dashboard.forward import Forward
from dashboard.intake import Intake
from dashboard.memory import Memory
from dashboard.prometheus import Histogram
from dashboard.public_url import WEBHOOK_PATH as WEBHOOK_PATH
from dashboard.recordings.keep import Keep
from dashboard.render import Renderer
from dashboard.settings import Settings
from dashboard.streams import Streams
from dashboard.upkeep import Upkeep
from dashboard.watch import Watch
from dashboard.web.downloads import Downloads
from dashboard.web.last_used import LastUsed
from dashboard.web.misdirected import is_webhook_path
from dashboard.web.openings import Who
from dashboard.web.readiness import Readiness
from dashboard.web.refusals import Refusals
from dashboard.web.request_queue import OPENED_AT_ONCE as OPENED_AT_ONCE
from dashboard.web.request_queue import STREAMS as STREAMS
from dashboard.web.request_queue import RequestQueue
from dashboard.web.sign_in_limits import SignInLimits
from dashboard.web.slowdown import NetworkSlowdown
from dashboard.web.tries import Tries
from dashboard.web.visits import Visits

# Characters of a call's data, from which on drawing it takes long.
_LARGE = 100_000


class Hooks(Protocol):
    """The platform's door, and what it counts."""

    answers: dict[int, int]
    verdicts: dict[str, int]
    seconds: Histogram
    secrets_used_at: list[int]
    misdirected: int

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None: ...

    async def refuse_misdirected(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> ASGIReceiveCallable | None: ...


class RecordingCounts:
    """The recordings by state, as they were counted last, and until when (by the loop's clock) that will do."""

    def __init__(self) -> None:
        self.by_state: dict[str, int] = {}
        self.good_until = -math.inf


class BrokenOff(Exception):
    """An answer ends broken on purpose, because its visitor was signed out or the server stops."""


class Callboard(Quart):
    """The app, and its parts by name."""

    settings: Settings
    database: Database
    intake: Intake
    feed: Feed
    streams: Streams
    draw: Renderer
    keep: Keep
    archive: Archive
    upkeep: Upkeep
    forward: Forward
    reserve: Reserve
    readiness: Readiness
    refusals: Refusals
    visits: Visits
    openings: dict[str, Who]
    watch: Watch
    memory: Memory
    tries: Tries
    hooks: Hooks
    sign_in_limits: SignInLimits
    # A program with a wrong token asks on and on, and so does an attacker who guesses.
    wrong_tokens: NetworkSlowdown
    # When sessions and tokens were last used, on its way to the database.
    last_used: LastUsed
    recording_counts: RecordingCounts
    # People who are being erased at this moment.
    erasing: set[asyncio.Task[Erased]]
    # Whether anybody has to sign in; once true, true for good.
    has_accounts: bool = False
    # Whose turn it is to be answered.
    requests: RequestQueue
    # How many exports and recordings each visitor has under way.
    downloads: Downloads
    # Whose turn it is to have a large call drawn.
    large_calls: asyncio.Semaphore
    # The name of a part that has ended though it never should.
    ended: str = ""

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """An answer that is broken off is no failure: every server that runs us would log a traceback for it."""
        with suppress(BrokenOff):
            await super().__call__(scope, receive, send)

    async def asgi_app(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Reports skip Quart; every other request waits for its client's turn."""
        if scope["type"] != "http":
            await super().asgi_app(scope, receive, send)
        elif scope["path"] == WEBHOOK_PATH:
            await self.hooks(scope, receive, send)
        else:
            await self._find_report_or_page(scope, receive, send)

    async def _find_report_or_page(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """All other addresses: nearly the webhook's, an address that takes no report, or a page."""
        path, rest = scope["path"], receive
        is_report = is_webhook_path(path)
        if scope["method"] == "POST" and not is_report and not self._takes_post(path):
            left = await self.hooks.refuse_misdirected(scope, receive, send)
            if left is None:
                return
            rest = left
        if is_report or path.startswith("/webhook"):
            await self.hooks(scope, rest, send)
        else:
            await self.requests.serve(super().asgi_app, scope, rest, send)

    def _takes_post(self, path: str) -> bool:
        try:
            self.url_map.bind("").match(path, method="POST")
        except HTTPException:
            return False
        return True

    def large_call(self, size: int) -> AbstractAsyncContextManager[object]:
        """A turn to draw a call with so many characters of data: large ones go one after the other."""
        return self.large_calls if size > _LARGE else nullcontext()


def board() -> Callboard:
    """The app that answers this request."""
    return cast(Callboard, current_app)


def now_micros() -> int:
    """This moment, as the tables write it: microseconds since 1970, UTC."""
    return time.time_ns() // 1000
