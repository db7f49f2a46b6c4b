"""The way in from outside: is the board there, through which proxies, and does its stream come through at once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import httpx
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from dashboard.connect.running import RunningServer
from dashboard.database import Database
from dashboard.doctor.finding import DOUBT, GOOD, Finding, bad, doubt, good
from dashboard.settings import CONNECT_COMMAND, Settings
from dashboard.store import audit
from dashboard.store.accounts import accounts, end_session, find_account, start_session
from dashboard.web.hooks import ALL_IS_RIGHT
from dashboard.web.parts import WEBHOOK_PATH, now_micros
from dashboard.web.visitor import COOKIE, SECURE_COOKIE

ANSWER_SECONDS = 5.0
FIRST_BYTES_SECONDS = 1.0
CLOCKS_APART_SECONDS = 30.0


def check_outside(settings: Settings) -> Iterator[Finding]:
    """Asks the server here, if one runs, and the public address. Raises nothing of the network."""
    if settings.webhook_secrets:
        with RunningServer(settings) as server:
            seen = server.look()
            yield Finding(GOOD if seen.state == "ready" else DOUBT, server.in_words(seen).replace("\n\n", " "))
    if not settings.public_url:
        if not settings.is_local:
            yield doubt(f"DASHBOARD_PUBLIC_URL is not set: what to paste into CallKaro lacks it. {CONNECT_COMMAND}")
        return
    if not settings.public_url.startswith("https://"):
        yield bad("DASHBOARD_PUBLIC_URL is not https: CallKaro sends to https only, and passwords travel in the clear.")
    # The environment's proxies are passed over: what counts is the way that others come.
    with httpx.Client(base_url=settings.public_url, timeout=ANSWER_SECONDS, trust_env=False) as client:
        try:
            yield from _through(client, settings)
        except httpx.HTTPError as problem:
            yield bad(
                f"{settings.public_url} cannot be reached from here ({type(problem).__name__}). Check its name, its "
                "certificate, that the proxy runs and leads to this board; some networks do not let a machine reach "
                "its own public address: then try it from elsewhere."
            )


def _through(client: httpx.Client, settings: Settings) -> Iterator[Finding]:
    health = client.get("/healthz")
    if health.status_code in (502, 503, 504):
        yield bad(f"The proxy at {settings.public_url} answers {health.status_code}: the board behind it does not run.")
        return
    if health.text != "alive\n":
        yield bad(f"What answers at {settings.public_url} is no Callboard. Lead that address to {settings.bind}.")
        return
    yield from _clock(health)
    for number, secret in enumerate(settings.webhook_secrets):
        answer = client.get(WEBHOOK_PATH, headers={b"Authorization": f"Bearer {secret}".encode()})
        words = _words(answer)
        if words.get("message") != ALL_IS_RIGHT:
            yield bad(
                f"{settings.public_url} is a board that does not know {_named(number, settings)}. If it is this one, "
                "start it again: it runs with older settings."
            )
            return
        if number == 0:
            yield good(f"{settings.public_url} leads to this board, and it knows the secret.")
            yield from secrets_in_use(words.get("secrets_used_at", []))
            yield proxies(words.get("forwarded_for", 0), bool(words.get("from_this_machine")), settings)
    yield from _stream(client, settings)


def _words(answer: httpx.Response) -> dict[str, Any]:
    try:
        words = answer.json()
    except ValueError:
        words = None
    return words if isinstance(words, dict) else {}


def _named(number: int, settings: Settings) -> str:
    return "the webhook secret" if len(settings.webhook_secrets) == 1 else f"secret {number + 1}"


def _clock(answer: httpx.Response) -> Iterator[Finding]:
    """The proxy's clock against ours: on one machine they are the same, before a network of proxies they are not."""
    try:
        apart = parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()
    except (KeyError, ValueError):
        return
    if abs(apart) > CLOCKS_APART_SECONDS:
        yield bad(
            f"This machine's clock is {abs(apart):.0f} s {'behind' if apart > 0 else 'ahead of'} the proxy's: calls "
            "would stand at the wrong time. Turn on time synchronisation: timedatectl set-ntp true"
        )
    else:
        yield good("This machine's clock agrees with the proxy's.")


def secrets_in_use(used_at: list[int]) -> Iterator[Finding]:
    """While two secrets are valid: which may go. `used_at` in microseconds since 1970, 0 for never since the start."""
    if len(used_at) < 2:
        return
    told = "; ".join(
        f"secret {place} " + (f"last came {_ago(at)} ago" if at else "has not come since the server started")
        for place, at in enumerate(used_at, 1)
    )
    yield doubt(
        f"{len(used_at)} webhook secrets are valid: {told}. Once reports come with the new one alone, take the other "
        "out of DASHBOARD_WEBHOOK_SECRET and start the server again."
    )


def _ago(at: int) -> str:
    seconds = max(0, (now_micros() - at) // 1_000_000)
    return next(
        (f"{seconds // size} {name}" for size, name in ((86400, "d"), (3600, "h"), (60, "min")) if seconds >= size),
        f"{seconds} s",
    )


def proxies(added: int, from_this_machine: bool, settings: Settings) -> Finding:
    """How many entries of X-Forwarded-For our proxies add, against how many are believed."""
    believed = settings.proxy_hops if settings.proxy_hops is not None else int(from_this_machine)
    if added == believed:
        return good(f"Visitors' addresses are told right: {added} proxies name them, and so many are believed.")
    if added < believed:
        return bad(
            f"{believed} entries of X-Forwarded-For are believed and the proxies add {added}, so a visitor can make up "
            f"his address. Set DASHBOARD_PROXY_HOPS={added}, or have the proxy add its visitor's."
        )
    return doubt(
        f"The proxies add {added} entries to X-Forwarded-For and {believed} are believed: the audit log names a proxy, "
        f"and one visitor's wrong passwords slow everybody down. Set DASHBOARD_PROXY_HOPS={added} if all are yours."
    )


def _stream(client: httpx.Client, settings: Settings) -> Iterator[Finding]:
    """Open a page's stream as a signed-in browser would, and see when its first bytes come."""
    try:
        database = Database(settings.database_url)
    except OSError:
        return
    try:
        with _signed_in(database) as token:
            if token:
                cookie = SECURE_COOKIE if settings.public_url.startswith("https://") else COOKIE
                yield _first_bytes(client, {"Cookie": f"{cookie}={token}"})
    except (SQLAlchemyError, OSError):
        yield doubt("Whether the proxy holds the stream back cannot be tried while the database does not answer.")
    finally:
        database.close()


def _first_bytes(client: httpx.Client, headers: dict[str, str]) -> Finding:
    began = time.monotonic()
    try:
        with client.stream("GET", "/live", headers=headers) as answer:
            if answer.status_code != 200:
                return doubt(
                    f"The stream (/live) answered {answer.status_code}. Once the board is ready, run this again."
                )
            if next(answer.iter_raw(), b"") and time.monotonic() - began <= FIRST_BYTES_SECONDS:
                return good("The proxy hands the stream on at once.")
    except httpx.TimeoutException:
        pass
    return bad(
        "The proxy holds the stream (/live) back, so pages are not live. Turn its buffering off for /live: "
        "`proxy_buffering off` in nginx; in Caddy no `encode` for it, as in deploy/Caddyfile; no compression at all."
    )


@contextmanager
def _signed_in(database: Database) -> Iterator[str]:
    """A session of its own, which ends with this; "" where there is no account to have one with."""
    token = secrets.token_urlsafe(32)
    is_signed_in = database.write_now(partial(_sign_in, token=token))
    try:
        yield token if is_signed_in else ""
    finally:
        if is_signed_in:
            database.write_now(partial(end_session, token=token))


def _sign_in(session: Session, token: str) -> bool:
    for line in accounts(session):
        account = find_account(session, line.name)
        if line.disabled_at is None and account is not None and account.id is not None:
            now = now_micros()
            start_session(session, account.id, token, now)
            audit.note(
                session, now=now, account=audit.COMMAND_LINE, action=audit.SIGNED_IN, about="doctor, to try the stream"
            )
            return True
    return False
