"""Who asks, as the door has found: name and rights, address and session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from quart import g, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import ServiceUnavailable

from dashboard.database import kind_of
from dashboard.filters import CallFilter, read_filter
from dashboard.masked_names import masked_query
from dashboard.roles import EVERYTHING, VIEWER, Rights
from dashboard.store import audit
from dashboard.store.accounts import SignedIn
from dashboard.streams import Visit
from dashboard.web.client_address import Client, client_of
from dashboard.web.forms import form_token_of
from dashboard.web.parts import board, now_micros
from dashboard.web.request_queue import AUDIT_WAIT_SECONDS, hold
from dashboard.web.visits import NOBODY

log = logging.getLogger(__name__)

COOKIE = "callboard_session"
SECURE_COOKIE = "__Host-callboard_session"
# What goes on and on is told of once an hour: a recording that is played, a program that asks again and again.
_LATELY_MICROS = 3600 * 1_000_000
_NOT_WRITTEN = (
    "What you asked for is shown once the audit log has a line about it, and the line could not be written. Try again "
    "in a few seconds."
)
_RETRY_AFTER = 5


def cookie_name() -> str:
    """Over https the prefixed name alone: it cannot be planted by a neighbouring host or by plain http."""
    return SECURE_COOKIE if is_https() else COOKIE


def is_https() -> bool:
    return board().settings.public_url.startswith("https://")


def signed_in() -> SignedIn | None:
    """Who asks, as `guard` found; None where nobody has to sign in, or anybody may look."""
    found: SignedIn | None = g.get("signed_in")
    return found


def signed_in_name() -> str:
    """The name of who asks; "" where nobody has to sign in."""
    found = signed_in()
    return found.name if found else ""


def comes_by_link() -> bool:
    """Whether who asks has not signed in, and sees a shared wall by its key."""
    return "wall_rights" in g


def rights() -> Rights:
    """What whoever asks may do and see; where nobody has to sign in, everything."""
    found = signed_in()
    if found:
        return found.rights
    shared: Rights | None = g.get("wall_rights")
    # Who comes by the link of a wall has not signed in either.
    return shared or (Rights(VIEWER) if board().has_accounts else EVERYTHING)


def asked_for(pairs: Iterable[tuple[str, str]] | None = None) -> CallFilter:
    """The filter of this request's address, or of `pairs`, within the campaigns that whoever asks is limited to.

    The one way to a filter from a request: no other may show calls. Raises BadFilter.
    """
    wanted = read_filter(request.args.items(multi=True) if pairs is None else pairs)
    if not sees_names():
        feed = board().feed
        wanted = feed.masked_names.filter(wanted)
    return replace(wanted, scope=rights().campaigns)


def sees_names() -> bool:
    """Whether numbers in the names of campaigns and agents are shown. On a wall they are not, whoever looks."""
    return rights().sees_numbers and not request.path.startswith("/wall")


def shown_name(choice: str, name: str) -> str:
    """A name of a campaign or an agent as this request may show it."""
    return name if sees_names() else board().feed.masked_names.shown(choice, name)


def own_query() -> str:
    """The query of this request's address, for links that keep it; its names are as they may be shown."""
    query = request.query_string.decode("latin-1")
    return query if sees_names() else masked_query(query, board().settings.phone_region)


async def write_down(action: str, about: str) -> None:
    """A line of the audit log about what whoever asks is doing; on the disk when this returns, before a byte leaves.

    Raises ServiceUnavailable where it could not be written: then nothing may be shown.
    """
    line = partial(
        audit.note, now=now_micros(), account=name_in_audit(), action=action, about=about, address=visitor_address()
    )
    # The pages of others need not wait for the writer. Those that waited here go on without a common turn, but one by
    # one: as fast as their lines are written.
    hold().release_common()
    try:
        async with asyncio.timeout(AUDIT_WAIT_SECONDS):
            turn = await board().requests.audit.enter(visitor_key())
        try:
            await board().database.write(line)
        finally:
            turn.release()
    except (SQLAlchemyError, OSError) as problem:
        # TimeoutError is an OSError, too.
        log.warning("a line of the audit log could not be written: %s", kind_of(problem))
        raise ServiceUnavailable(_NOT_WRITTEN, retry_after=_RETRY_AFTER) from problem


async def is_written_down(action: str, about: str) -> bool:
    """Whether the audit log has had such a line about whoever asks within the last hour."""
    since, account = now_micros() - _LATELY_MICROS, name_in_audit()
    look = partial(audit.is_noted, since=since, account=account, action=action, about=about)
    return await board().database.read(look)


def name_in_audit() -> str:
    return signed_in_name() or audit.THIS_MACHINE


def visitor_key() -> str:
    """Who asks, as limits count: by account or token, by the key of a wall, else by address."""
    if name := signed_in_name():
        return f"account:{name}"
    if comes_by_link():
        return f"wall:{request.args.get('key', '')}"
    return f"address:{client().own_network}"


def visit() -> Visit:
    """The visit that a stream of this request belongs to, and ends with."""
    found = signed_in()
    return board().visits.of(found.session if found else NOBODY)


def form_token() -> str:
    """What the forms on this request's page carry; "" where nobody has signed in."""
    return form_token_of(request.cookies.get(cookie_name(), "") if signed_in() else "")


def client() -> Client:
    """The client of this request, for rate limits."""
    return client_of(request.scope, board().settings)


def visitor_address() -> str:
    """The address of this request's client, as the audit log names it."""
    return client().address
