"""The parts of the house that visitors are led to, as `create_app` made them."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, HTTPScope, Scope
from quart import Quart, current_app

from dashboard.archive import Archive
from dashboard.database import Database
from dashboard.disk import Reserve
from dashboard.erasure import Erased
from dashboard.feed import Feed
from dashboard.forward import Forward
from dashboard.intake import Intake
from dashboard.prometheus import Histogram
from dashboard.recordings.keep import Keep
from dashboard.render import Renderer
from dashboard.settings import Settings
from dashboard.streams import Streams
from dashboard.upkeep import Upkeep
from dashboard.watch import Watch
from dashboard.web.openings import Who
from dashboard.web.readiness import Readiness
from dashboard.web.refusals import Refusals
from dashboard.web.tries import Tries
from dashboard.web.visits import Visits

WEBHOOK_PATH = "/webhook/call-webhook"
STREAMS = ("/live", "/wall/live", "/inbox/live")
# Two thousand pages that came back at once after a restart, each looked up and routed side by side, kept reports
# waiting for 4 s.
OPENED_AT_ONCE = 4
# Characters of a call's data, from which on drawing it takes long.
_LARGE = 100_000


class Hooks(Protocol):
    """The platform's door, and what it counts."""

    answers: dict[int, int]
    verdicts: dict[str, int]
    seconds: Histogram
    secrets_used_at: list[int]

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None: ...


class RecordingCounts:
    """The recordings by state, as they were counted last, and until when (by the loop's clock) that will do."""

    def __init__(self) -> None:
        self.by_state: dict[str, int] = {}
        self.good_until = -math.inf


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
    tries: Tries
    hooks: Hooks
    recording_counts: RecordingCounts
    # People who are being erased at this moment.
    erasing: set[asyncio.Task[Erased]]
    # Whether anybody has to sign in; once true, true for good.
    has_accounts: bool = False
    # Whose turn it is to open a stream.
    turns: asyncio.Semaphore
    # Whose turn it is to have a large call drawn.
    large_calls: asyncio.Semaphore
    # The name of a part that has ended though it never should.
    ended: str = ""

    async def asgi_app(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Reports go straight to their door; all else is for Quart, and of streams a few at a time are opened."""
        if scope["type"] == "http" and scope["path"].startswith("/webhook"):
            await self.hooks(scope, receive, send)
        # GET alone: what is sent with another method may be slow to come, and keep the turn.
        elif scope["type"] == "http" and scope["path"] in STREAMS and scope["method"] == "GET":
            await self._open_stream(scope, receive, send)
        else:
            await super().asgi_app(scope, receive, send)

    async def _open_stream(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """A stream has its turn until its answer begins; from then on it costs next to nothing."""
        await self.turns.acquire()
        has_turn = True

        def hand_on() -> None:
            nonlocal has_turn
            if has_turn:
                has_turn = False
                self.turns.release()

        async def send_and_hand_on(event: ASGISendEvent) -> None:
            hand_on()
            await send(event)

        try:
            await super().asgi_app(scope, receive, send_and_hand_on)
        finally:
            hand_on()

    def large_call(self, size: int) -> AbstractAsyncContextManager[object]:
        """A turn to draw a call with so many characters of data: large ones go one after the other."""
        return self.large_calls if size > _LARGE else nullcontext()


def board() -> Callboard:
    """The app that answers this request."""
    return cast(Callboard, current_app)


def now_micros() -> int:
    """This moment, as the tables write it: microseconds since 1970, UTC."""
    return time.time_ns() // 1000
