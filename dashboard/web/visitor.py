"""Who asks, as the door has found: name and rights, address and session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from ipaddress import ip_address

from quart import g, request

from dashboard.filters import CallFilter, read_filter
from dashboard.roles import EVERYTHING, VIEWER, Rights
from dashboard.store import audit
from dashboard.store.accounts import SignedIn
from dashboard.streams import Visit
from dashboard.web.forms import form_token_of
from dashboard.web.parts import board, now_micros
from dashboard.web.visits import NOBODY

COOKIE = "callboard_session"
SECURE_COOKIE = "__Host-callboard_session"
# What goes on and on is told of once an hour: a recording that is played, a program that asks again and again.
_LATELY_MICROS = 3600 * 1_000_000


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
    return replace(wanted, scope=rights().campaigns)


async def write_down(action: str, about: str) -> None:
    """A line of the audit log about what whoever asks is doing; on the disk when this returns, before a byte leaves."""
    line = partial(
        audit.note, now=now_micros(), account=name_in_audit(), action=action, about=about, address=visitor_address()
    )
    async with board().requests.audit.turn(visitor_key()):
        await board().database.write(line)


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
    return f"address:{visitor_address()}"


def visit() -> Visit:
    """The visit that a stream of this request belongs to, and ends with."""
    found = signed_in()
    return board().visits.of(found.session if found else NOBODY)


def form_token() -> str:
    """What the forms on this request's page carry; "" where nobody has signed in."""
    return form_token_of(request.cookies.get(cookie_name(), "") if signed_in() else "")


def visitor_address() -> str:
    """Who asks, by what our own proxies have added to X-Forwarded-For; what stands left of that anybody can make up.

    By a proxy's own address, ten wrong passwords of a stranger would lock everybody out.
    """
    settings, peer = board().settings, request.remote_addr or ""
    hops = settings.proxy_hops
    if hops is None:
        hops = 1 if settings.public_url and is_this_machine(peer) else 0
    forwarded = ",".join(request.headers.getlist("X-Forwarded-For"))
    chain = [each.strip() for each in forwarded.split(",") if each.strip()]
    return chain[-hops:][0] if hops and chain else peer


def is_this_machine(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return True  # a unix socket has no address
