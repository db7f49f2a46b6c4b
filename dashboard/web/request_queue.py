"""Requests wait for their turn, visitor by visitor, so that one who sends thousands slows neither reports nor others.

A turn is taken before a request is looked at, so the visitor is known only by a session or token that was seen before;
all others are one visitor for each address. What the queue believes opens nothing: the door asks the database.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, HTTPScope
from pydantic_core import to_json
from quart import request

from dashboard.fair_queue import FairQueue, TooManyWaiting, Turn
from dashboard.settings import Settings
from dashboard.web.client_address import client_of

STREAMS = ("/live", "/wall/live", "/inbox/live")

# Two thousand pages that came back at once after a restart, each looked up and routed side by side, kept reports
# waiting for 4 s.
OPENED_AT_ONCE = 4
PAGES_AT_ONCE, PAGES_EACH = 4, 2
"""Pages that are made at the same time, in all and for one visitor; each takes some 10 ms of the loop."""
FORMS_EACH = 4
MOST_WAITING = 500
"""Requests of one account in the queue: it asks for as many pages in ten seconds."""
WAIT_SECONDS = 10.0
STREAM_WAIT_SECONDS = 60.0
AUDIT_WAIT_SECONDS = 5.0
"""For the lines of the audit log before one's own: longer than the database takes to write one or to give it up."""
_MOST_KNOWN = 5_000
_UNLIMITED = 1_000_000
_HOLD = "callboard.hold"
_NO_QUEUE = ("/static/", "/healthz", "/readyz", "/metrics")
_SESSION_COOKIES = ("callboard_session", "__Host-callboard_session")

_OWN = 429, "Too many requests of yours are waiting. Ask again in a few seconds."
_BUSY = 503, "The board did not get to your request in time. Ask again in a few seconds."

App = Callable[[HTTPScope, ASGIReceiveCallable, ASGISendCallable], Awaitable[None]]


class Hold:
    """What one request takes up until it has been answered: its turn, and what its route adds to `until_sent`."""

    def __init__(self, queue: RequestQueue | None, credential: bytes, turn: Turn | None) -> None:
        self._queue = queue
        self._credential = credential
        self._turn = turn
        self.until_sent = ExitStack()
        """Closed when the last byte was sent or the visitor has left."""

    def identify(self, who: str) -> None:
        """The door knows now whose request it is; the next one with the same session waits under this name."""
        if self._queue:
            self._queue.remember(self._credential, who)
        if self._turn:
            self._turn.belongs_to(who)

    def release_turn(self) -> None:
        """The answer is long and has a limit of its own: other pages of this visitor need not wait for its end."""
        if self._turn:
            self._turn.release()

    def release_common(self) -> None:
        """This request waits for something that other visitors' pages do not need."""
        if self._turn:
            self._turn.release_common()

    def answer_began(self, *, is_stream: bool) -> None:
        # A page keeps the visitor's own turn until it is sent: slow readers of large pages fill no memory.
        if is_stream:
            self.release_turn()
        else:
            self.release_common()

    def close(self) -> None:
        self.release_turn()
        self.until_sent.close()


class _NoTurn(Exception):
    """No turn came for a request: the status to answer, and the sentence that says why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class RequestQueue:
    """The turns of one process: streams are opened, pages made and forms taken in queues of their own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.streams = FairQueue(at_once=OPENED_AT_ONCE, each=OPENED_AT_ONCE)
        self.pages = FairQueue(at_once=PAGES_AT_ONCE, each=PAGES_EACH)
        # What is sent with another method may be slow to come: it keeps the turn of its own sender only.
        self.forms = FairQueue(at_once=_UNLIMITED, each=FORMS_EACH)
        # Each line of the audit log is a transaction, and reports wait for the one that is being written: a viewer who
        # asked for twenty recordings at a time kept them waiting for half a second.
        self.audit = FairQueue(at_once=1, each=1)
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def remember(self, credential: bytes, who: str) -> None:
        if credential:
            self._known[credential] = who
            self._known.move_to_end(credential)
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    async def serve(self, app: App, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Hand a request to the app when it is its turn, or refuse it."""
        credential = _credential_of(scope)
        known = self._known.get(credential)
        is_stream = scope["path"] in STREAMS and scope["method"] == "GET"
        try:
            turn = await self._turn(scope, known, is_stream=is_stream)
        except _NoTurn as refusal:
            await _refuse(scope["path"], refusal, send)
            return
        hold = Hold(self, credential, turn)
        cast(dict[str, Any], scope)[_HOLD] = hold

        async def send_and_hand_on(event: ASGISendEvent) -> None:
            if event["type"] == "http.response.start":
                hold.answer_began(is_stream=is_stream)
            await send(event)

        try:
            await app(scope, receive, send_and_hand_on)
        finally:
            hold.close()

    async def _turn(self, scope: HTTPScope, known: str | None, *, is_stream: bool) -> Turn | None:
        """None for a request that needs none. Raises _NoTurn."""
        who = known or f"address:{client_of(scope, self._settings).own_network}"
        queue, seconds = self._queue_of(scope, is_known=known is not None, is_stream=is_stream)
        if queue is None:
            return None
        try:
            async with asyncio.timeout(seconds):
                return await queue.enter(who, most_waiting=MOST_WAITING if known else None)
        except TooManyWaiting:
            raise _NoTurn(*_OWN) from None
        except TimeoutError:
            raise _NoTurn(*(_OWN if queue.busy[who] >= queue.each else _BUSY)) from None

    def _queue_of(self, scope: HTTPScope, *, is_known: bool, is_stream: bool) -> tuple[FairQueue | None, float]:
        """Where a request waits for its turn, and for how long."""
        if scope["path"].startswith(_NO_QUEUE):
            return None, 0.0
        if is_stream:
            return self.streams, STREAM_WAIT_SECONDS
        if scope["method"] in ("GET", "HEAD"):
            return self.pages, WAIT_SECONDS
        return self.forms if is_known else None, WAIT_SECONDS


def hold() -> Hold:
    """What this request takes up; nothing where it did not come through the queue."""
    scope = cast(dict[str, Any], request.scope)
    if _HOLD not in scope:
        scope[_HOLD] = Hold(None, b"", None)
    found: Hold = scope[_HOLD]
    return found


def _credential_of(scope: HTTPScope) -> bytes:
    """A hash of the session or token of a request; b"" where it has none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return hashlib.sha256(value).digest()
        if name == b"cookie":
            for part in value.split(b";"):
                cookie, _, token = part.strip().partition(b"=")
                if cookie.decode("latin-1") in _SESSION_COOKIES:
                    return hashlib.sha256(token).digest()
    return b""


async def _refuse(path: str, refusal: _NoTurn, send: ASGISendCallable) -> None:
    """Empty for streams: htmx would put a sentence into the list."""
    sentence = refusal.sentence
    if path in STREAMS:
        body, kind = b"", b"text/html; charset=utf-8"
    elif path.startswith("/api/"):
        body, kind = to_json({"status": "error", "message": sentence}), b"application/json"
    else:
        body, kind = sentence.encode(), b"text/plain; charset=utf-8"
    length = str(len(body)).encode()
    headers = [(b"content-type", kind), (b"content-length", length), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
