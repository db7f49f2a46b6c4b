"""The platform's door: a webhook's bytes in, an answer only when they are on the disk.

Speaks ASGI itself, before Quart has made a request of it: routing, contexts and header objects cost as much as storing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qs

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from pydantic_core import to_json

from dashboard.callkaro.report import Ignored, Unreadable
from dashboard.content_encoding import MAX_BODY_BYTES, SUPPORTED, TooLarge
from dashboard.intake import WAIT_SECONDS, Intake, NotStored
from dashboard.prometheus import Histogram
from dashboard.settings import Settings
from dashboard.store.inbox import Arrival
from dashboard.web.client_address import client_of, forwarded_for, is_this_machine, peer_of
from dashboard.web.door import came_by_webhook_door, is_direct, local_only_sentence
from dashboard.web.headers import NOT_STORED
from dashboard.web.misdirected import is_report_like, is_webhook_path, peek, shown_path
from dashboard.web.parts import WEBHOOK_PATH, now_micros
from dashboard.web.refusals import MISSING, TURNED_AWAY, UNGUARDED, WRONG, Refusals
from dashboard.web.report_body import read_body
from dashboard.web.slowdown import NetworkSlowdown

log = logging.getLogger(__name__)

LARGEST_BODY = MAX_BODY_BYTES
# From the request's headers to our answer, a slow body included: the platform gives up at 5 s.
ANSWER_SECONDS = 4.3
BODY_SECONDS = 3.5
# How much of a body that is too large may pass before it is refused, and for how long.
DRAIN_SECONDS = 1.0
MOST_DRAINED = 16 * 2**20
RETRY_AFTER_SECONDS = b"5"
_LONGEST_HEADER = 200


# Of what pages bear, the two that mean something for JSON: all nine took as long as a tenth of storing a report.
_EVERY_ANSWERS = (
    (b"content-type", b"application/json"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", NOT_STORED.encode()),
)


class Answer(NamedTuple):
    """What goes back: a status, a JSON body, and headers beside the usual ones."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


# As the vendor's own examples answer.
RECEIVED = Answer(200, b'{"status":"success","message":"Webhook received"}')
ALL_IS_RIGHT = "The address and the secret are right. Reports are taken here by POST."
_ACCEPT_ENCODING = (b"accept-encoding", SUPPORTED.encode())
_UNKNOWN_EVENT = b'{"status":"error","message":"Unknown event type"}'


def error(status: int, message: str, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(status, to_json({"status": "error", "message": message}), headers)


_WRONG_PATH = error(404, f"Nothing was stored: reports are taken at {WEBHOOK_PATH}.")


class Hooks:
    """Takes in reports. The table of answers is decision 1 of ARCHITECTURE.md."""

    def __init__(self, intake: Intake, settings: Settings, refusals: Refusals) -> None:
        self._intake = intake
        self._settings = settings
        self._refusals = refusals
        self._secrets = [_sha256(secret.encode("utf-8", "surrogateescape")) for secret in settings.webhook_secrets]
        self._wrong_secrets = NetworkSlowdown(most=30, seconds=60)
        self._misdirected_by = NetworkSlowdown(most=1, seconds=60)
        self.answers: dict[int, int] = defaultdict(int)
        """How often each status was answered since the start."""
        self.verdicts: dict[str, int] = defaultdict(int)
        """What became of those that were stored."""
        self.misdirected = 0
        """How many reports were sent to another path."""
        self.seconds = Histogram(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
        """From a request's headers to its answer."""
        self.secrets_used_at = [0] * len(self._secrets)
        """When a report last came with each secret, in microseconds since 1970: which one may be taken out."""

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        began = time.monotonic()
        try:
            answer = await self._answer(scope, receive)
        except Exception as problem:
            # The path alone: the query can hold the secret.
            log.exception("POST %s failed", WEBHOOK_PATH, exc_info=problem)
            sentence = "The server failed; nothing is known to be stored. Send it again."
            answer = error(503, sentence, (b"retry-after", RETRY_AFTER_SECONDS))
        if answer is None:
            return
        self.answers[answer.status] += 1
        self.seconds.observe(time.monotonic() - began)
        if answer.status in TURNED_AWAY:
            self._refusals.count(answer.status)
        await _send(send, answer)

    async def refuse_misdirected(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> ASGIReceiveCallable | None:
        """Answers a report that was posted to an address that takes none, and has the admin see which one it was.

        For every other request it gives the `receive` to go on with.
        """
        headers = dict(scope["headers"])
        if _is_of_page(headers):
            return receive
        has_secret = self._has_secret(scope, headers)
        if not has_secret:
            beginning, receive = await peek(receive)
            if not is_report_like(beginning):
                return receive
        await _drain(receive, LARGEST_BODY)
        self.misdirected += 1
        if has_secret or not self._misdirected_by.is_too_much(client_of(scope, self._settings)):
            path = shown_path(scope["path"], self._settings.webhook_secrets)
            self._refusals.note_misdirected(path, is_certain=has_secret)
        await _send(send, _WRONG_PATH)
        return None

    def _has_secret(self, scope: HTTPScope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request to another path bears a secret. Guesses are counted here too."""
        client = client_of(scope, self._settings)
        if not _secret_given(scope, headers) or self._wrong_secrets.is_over(client):
            return False
        if self._secret_of(scope, headers) is not None:
            return True
        self._wrong_secrets.is_too_much(client)
        return False

    async def _answer(self, scope: HTTPScope, receive: ASGIReceiveCallable) -> Answer | None:
        """The answer to one request; None when whoever asked has left before the body was whole."""
        until = time.monotonic() + ANSWER_SECONDS
        headers = dict(scope["headers"])
        if refusal := self._no_report(scope, headers) or self._refusal(scope, headers):
            await _drain(receive, LARGEST_BODY)
            return refusal
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read_body(receive, headers)
        except TimeoutError:
            return error(408, "The body did not arrive in time. Send it again.")
        except _TooLarge:
            return error(413, f"The body is larger than {LARGEST_BODY // 2**20} MiB.")
        if body is None:
            return None
        try:
            came = await read_body(scope, body)
        except TooLarge:
            return error(413, f"The body is larger than {LARGEST_BODY // 2**20} MiB once it is unpacked.")
        reading = came.reading
        content_type, user_agent = _text(headers, b"content-type"), _text(headers, b"user-agent")
        try:
            arrival = Arrival(now_micros(), came.body, reading, content_type, user_agent, came.packed)
            receipt = await self._intake.keep(arrival, min(WAIT_SECONDS, until - time.monotonic()))
        except NotStored as problem:
            return error(503, str(problem), (b"retry-after", RETRY_AFTER_SECONDS))
        self.verdicts[receipt.verdict] += 1
        if isinstance(reading, Unreadable):
            return error(415, reading.problem, _ACCEPT_ENCODING) if came.is_unknown else error(400, reading.problem)
        if isinstance(reading, Ignored):
            return Answer(400 if self._settings.reject_unknown_events else 200, _UNKNOWN_EVENT)
        return RECEIVED

    def _no_report(self, scope: HTTPScope, headers: Mapping[bytes, bytes]) -> Answer | None:
        """For whoever looks whether the address works; who knows the secret learns so, and what was last refused."""
        if not is_webhook_path(scope["path"]):
            return _WRONG_PATH
        if scope["method"] == "POST":
            return None
        allow = (b"allow", b"POST")
        if self._secret_of(scope, headers) is None:
            return error(405, "This address takes POST only.", allow)
        last = self._refusals.last
        words = {
            "status": "error",
            "message": ALL_IS_RIGHT,
            "last_refusal": last and {"at": last.at, "problem": last.problem},
            "secrets_used_at": self.secrets_used_at,
            # What our proxies add, one entry each: for `doctor`, which asks without any of its own.
            "forwarded_for": len(forwarded_for(scope)),
            "from_this_machine": is_this_machine(peer_of(scope)),
        }
        return Answer(405, to_json(words), (allow,))

    def _refusal(self, scope: HTTPScope, headers: Mapping[bytes, bytes]) -> Answer | None:
        """Why this request is not the platform's, if it is not; nothing of it is stored."""
        if _is_of_page(headers):
            return error(403, "This address takes reports from CallKaro's servers, not from a web page.")
        if not self._secrets:
            # Only a board that is open to this machine alone starts without a secret.
            names = (name.decode("latin-1") for name in headers)
            is_ours = is_direct(_text(headers, b"host"), names, peer_of(scope))
            is_local = is_ours and not came_by_webhook_door(self._settings, scope.get("server"))
            if is_local:
                return None
            self._refusals.note(UNGUARDED)
            return error(403, local_only_sentence())
        number = self._secret_of(scope, headers)
        if number is not None:
            self.secrets_used_at[number] = now_micros()
            return None
        self._refusals.note(WRONG if _secret_given(scope, headers) else MISSING)
        if self._wrong_secrets.is_too_much(client_of(scope, self._settings)):
            return error(429, "Too many requests with a wrong secret. Wait a minute.", (b"retry-after", b"60"))
        return error(
            401,
            "The webhook secret is missing or wrong. Send it as `Authorization: Bearer …` or as ?token=….",
            (b"www-authenticate", b"Bearer"),
        )

    def _secret_of(self, scope: HTTPScope, headers: Mapping[bytes, bytes]) -> int | None:
        """Which of the secrets came, by its place among them; None for none."""
        # Hashes are compared: of equal length whatever is sent. All are, so that time does not tell which one matched.
        sha = _sha256(_secret_given(scope, headers))
        matching = [hmac.compare_digest(sha, secret) for secret in self._secrets]
        return matching.index(True) if True in matching else None


async def _send(send: ASGISendCallable, answer: Answer) -> None:
    headers = [*_EVERY_ANSWERS, (b"content-length", str(len(answer.body)).encode()), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _is_of_page(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a web page sent the request, and not the platform."""
    return b"origin" in headers or b"sec-fetch-site" in headers


class _TooLarge(Exception):
    """The body is over the limit, by its own account or by count."""


async def _read_body(receive: ASGIReceiveCallable, headers: Mapping[bytes, bytes]) -> bytes | None:
    """The whole body; None when its sender has left. Raises _TooLarge, after having let the rest pass."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > LARGEST_BODY:
        # Known before a byte of it is kept: fifty that were first gathered took 125 MB.
        if int(length) <= MOST_DRAINED:
            await _drain(receive, MOST_DRAINED)
        raise _TooLarge
    parts, size = [], 0
    while size <= LARGEST_BODY:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message["body"])
        size += len(parts[-1])
        if not message["more_body"]:
            if size > LARGEST_BODY:
                raise _TooLarge
            return b"".join(parts)
    await _drain(receive, MOST_DRAINED)
    raise _TooLarge


def _secret_given(scope: HTTPScope, headers: Mapping[bytes, bytes]) -> bytes:
    """What came as the secret: a bearer token, or ?token= where no header can be sent; empty when nothing did."""
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer":
        # A plus is a plus: secrets in base64 hold them, and no sender writes one for a blank.
        text = scope["query_string"].replace(b"+", b"%2B").decode("latin-1")
        query = parse_qs(text, encoding="utf-8", errors="surrogateescape")
        given = query.get("token", [""])[0].encode("utf-8", "surrogateescape")
    return given.strip()


async def _drain(receive: ASGIReceiveCallable, most: int) -> None:
    """Let up to `most` bytes of a body pass: a proxy that is cut off while it sends makes a 502 of our answer.

    Whoever could send everything also keeps the connection, and with it the next report sent through it.
    """
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while size < most:
                message = await receive()
                if message["type"] != "http.request" or not message["more_body"]:
                    return
                size += len(message["body"])


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"")[:_LONGEST_HEADER].decode("latin-1")


def _sha256(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
