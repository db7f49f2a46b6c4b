"""Who gets in at every address but the webhook's: this machine alone, or whoever has signed in (decision 9)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from functools import partial
from urllib.parse import SplitResult, urlencode, urlsplit

from quart import Response, g, redirect, request, url_for
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden

from dashboard.filters import BadFilter, read_filter, read_limited
from dashboard.masked_names import masked_filter
from dashboard.public_url import host_name
from dashboard.roles import VIEWER, Rights
from dashboard.settings import CONNECT_COMMAND, LOOPBACK_HOSTS, Settings
from dashboard.store import audit
from dashboard.store.accounts import SignedIn, account_of_session, has_accounts, note_seen, wall_query
from dashboard.store.tokens import bearer_of, note_used
from dashboard.web.client_address import is_this_machine, peer_of
from dashboard.web.forms import FIELD, STALE, is_own_form
from dashboard.web.openings import Who
from dashboard.web.parts import STREAMS, board, now_micros
from dashboard.web.plain import FILES, is_from_a_program, refuse, takes_token
from dashboard.web.request_queue import hold
from dashboard.web.slowdown import sha_of
from dashboard.web.visitor import client, cookie_name, signed_in, visitor_key
from dashboard.web.visits import NOBODY

# Whoever watches the server asks by whatever name he has for it, and learns nothing of it.
_BY_ANY_HOST = ("health.healthz", "health.readyz", "robots")

# A program that watches the board opens this one with DASHBOARD_METRICS_TOKEN. That it asks from this machine is not
# enough where there are accounts: a proxy here that names no one would open it to the world.
METRICS_ENDPOINT = "metrics.metrics"

# Of a shared wall, and of the webhook, whose address somebody may open under a wrong path.
_KEYS = ("key", "token")
_FORWARDED = {"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "x-original-host"}
_FORWARDED_PREFIXES = ("x-forwarded-", "x-envoy-", "cf-", "fly-", "ngrok-", "tailscale-")


def is_direct(host: str, header_names: Iterable[str], peer: str) -> bool:
    """Whether a request was made on this machine and came straight here, not through a tunnel or proxy.

    `peer` is who connected: other servers than ours may listen to the world without our settings knowing.
    """
    if _split(f"//{host}").hostname not in LOOPBACK_HOSTS or not is_this_machine(peer):
        return False
    names = {name.lower() for name in header_names}
    return not (names & _FORWARDED or any(name.startswith(_FORWARDED_PREFIXES) for name in names))


def local_only_sentence() -> str:
    return (
        "This board has no account yet, so it is open to this machine only, and this request came from elsewhere or "
        f"through a tunnel or proxy. Run `{CONNECT_COMMAND}` where it runs, which makes what is missing "
        "(DASHBOARD_WEBHOOK_SECRET, DASHBOARD_ADMIN_PASSWORD and DASHBOARD_PUBLIC_URL), then start the server again."
    )


def is_own_host(host: str, settings: Settings) -> bool:
    """Whether a request's Host is a name of this board: its public one, or this machine's."""
    name = host_name(host)
    return name in LOOPBACK_HOSTS or (name != "" and name == host_name(_split(settings.public_url).netloc))


def came_by_webhook_door(settings: Settings, server: tuple[str, int | None] | None) -> bool:
    """Whether a request came in by DASHBOARD_WEBHOOK_BIND: the door to point a tunnel at, for reports and nothing else.

    `server` is the address it arrived at, as ASGI gives it.
    """
    port = (server or ("", None))[1]
    return port is not None and port == settings.webhook_port


async def guard() -> ResponseReturnValue | None:
    """Before every request: let in, send to the sign-in, or refuse. Raises Forbidden."""
    if came_by_webhook_door(board().settings, request.scope.get("server")):
        return Response("Only reports are taken here.", 404, content_type="text/plain; charset=utf-8")
    if refusal := _host_refusal() or _cross_site_refusal():
        return refusal
    # Of an address that is none of the board's, nothing is said to a stranger: it might be a call's.
    who = board().openings.get(request.endpoint or "")
    is_ours = is_direct(request.host, request.headers.keys(), peer_of(request.scope))
    if who is Who.ANYBODY and (is_ours or board().has_accounts):
        return None
    if not await _has_accounts():
        return None if is_ours else refuse(403, local_only_sentence())
    if who is Who.ANYBODY or (request.endpoint == METRICS_ENDPOINT and _has_metrics_token()):
        return None
    return await _let_in(who)


async def _let_in(who: Who | None) -> ResponseReturnValue | None:
    """Whoever bears a token or has signed in, if the address is open to him. Raises Forbidden."""
    if takes_token(request.path) and "Authorization" in request.headers:
        if refusal := await _by_token():
            return refusal
    else:
        g.signed_in = await _signed_in()
    found = signed_in()
    if found is None:
        is_walls = who is Who.WALL_LINK and await _has_wall_key()
        return None if is_walls else _ask_to_sign_in()
    hold().identify(visitor_key())
    if who is None:
        return None
    if not who.lets_in(found.rights):
        raise Forbidden(f"This is for {who.value}, and you are signed in as {found.rights.role}. Ask an admin for it.")
    if request.method == "POST":
        await refuse_foreign_form()
    return None


async def _by_token() -> Response | None:
    """Let in whoever bears a token, as what it may do; else the refusal.

    A right token is taken whatever else its network has sent: none can be guessed, and to look for one is a single
    read by an index. The limit is there for programs that go on with a token that was ended.
    """
    scheme, _, token = request.headers["Authorization"].partition(" ")
    is_bearer = scheme.lower() == "bearer"
    now = now_micros()
    find = partial(bearer_of, token=token.strip(), now=now)
    found = await board().database.read(find) if is_bearer else None
    if found is None:
        if board().wrong_tokens.is_too_much(client()):
            return refuse(429, "Too many requests with a wrong token. Wait a minute.", {"Retry-After": "60"})
        sentence = "This token opens nothing: it was never made, or was ended. An admin makes one at /tokens."
        return refuse(401, sentence, {"WWW-Authenticate": "Bearer"})
    if found.is_due:
        board().last_used.note(found.token_id, partial(note_used, token_id=found.token_id, now=now))
    g.signed_in = SignedIn(f"{audit.BEARER_OF}{found.name}", found.rights, NOBODY, is_due=False)
    return None


async def refuse_foreign_form() -> None:
    """A form must carry the token of the session it acts for. Raises Forbidden."""
    given = (await request.form).get(FIELD, "")
    if not is_own_form(request.cookies.get(cookie_name(), ""), given):
        raise Forbidden(STALE)


async def _has_accounts() -> bool:
    """Whether anybody has to sign in: from the moment on at which an account is made, by a command beside us too."""
    app = board()
    app.has_accounts = app.has_accounts or await app.database.read(has_accounts)
    return app.has_accounts


async def _has_wall_key() -> bool:
    """Whether this request bears the key of a shared wall, and asks for just that wall."""
    key = request.args.get("key", "")
    query = await board().database.read(partial(wall_query, token=key)) if key else None
    if query is None:
        return False
    try:
        shared = read_limited(query)
        # The wall's own addresses have its names as a wall shows them, whatever was shared.
        region = board().settings.phone_region
        asked = masked_filter(read_filter(request.args.items(multi=True)), region)
        is_shared = asked.query() == masked_filter(shared, region).query()
    except BadFilter:
        return False
    # The limit of whoever shared it; and a wall never shows numbers.
    g.wall_rights = Rights(VIEWER, shared.scope)
    return is_shared


def _has_metrics_token() -> bool:
    """Whether this request bears DASHBOARD_METRICS_TOKEN."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    wanted = board().settings.metrics_token
    if not wanted or scheme.lower() != "bearer":
        return False
    # Bytes, for compare_digest takes no letters beyond ASCII; hashes, for it tells how long they are.
    # It may be a token of ours instead: whoever looks for that counts the wrong ones.
    return hmac.compare_digest(sha_of(given), sha_of(wanted))


async def _signed_in() -> SignedIn | None:
    token = request.cookies.get(cookie_name())
    if not token:
        return None
    now = now_micros()
    found = await board().database.read(partial(account_of_session, token=token, now=now))
    if found is not None and found.is_due:
        board().last_used.note(found.session, partial(note_seen, token=token, now=now))
    return found


def _host_refusal() -> Response | None:
    """Nobody has the board write a name of his own into its links, or reaches it from a page by a name he owns.

    Not of reports: those never come here, because whatever name the platform was given, a report must not be lost.
    """
    settings = board().settings
    if not settings.public_url or request.endpoint in _BY_ANY_HOST or is_own_host(request.host, settings):
        return None
    return refuse(
        421,
        f"This board is at {settings.public_url}, and this request asked for another host. Use that address; if you "
        "did, have the proxy pass the Host header on, or set DASHBOARD_PUBLIC_URL to the address that others use.",
    )


def _cross_site_refusal() -> Response | None:
    """A form on another site must not act with our visitor's cookie."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    # Many a proxy puts its own name into Host: then only the public address tells that the form is ours.
    ours = origin is None or origin == board().settings.public_url or _split(origin).netloc == request.host
    # A browser that hides where it comes from ("null") still says whether that is this site.
    ours = ours or (origin == "null" and site == "same-origin")
    if site in (None, "same-origin", "none") and ours:
        return None
    return refuse(
        403,
        "This form was sent from another site, so nothing was done. Open the board itself and send it again. "
        "If you did, DASHBOARD_PUBLIC_URL must be the address in your browser: set it and start the server again.",
    )


def _ask_to_sign_in() -> ResponseReturnValue:
    """A page goes to the sign-in; all others get an empty 401, or htmx would put the sign-in page into the list."""
    sign_in = url_for("account.sign_in", next=_next_page() if request.method in ("GET", "HEAD") else "/")
    if request.path in STREAMS or "HX-Request" in request.headers:
        return Response(b"", 401, headers={"HX-Redirect": sign_in})
    if takes_token(request.path):
        sentence = "Sign in, or send a token as `Authorization: Bearer …`. An admin makes one at /tokens."
        return refuse(401, sentence, {"WWW-Authenticate": "Bearer"})
    if request.path in FILES and (is_from_a_program() or request.method not in ("GET", "HEAD")):
        return refuse(401, "This file is for reviewers and admins who have signed in. A token reads /api/calls.")
    if request.endpoint == "recordings.recording":
        return Response(b"", 401)
    if request.method not in ("GET", "HEAD"):
        # Never a redirect: a sender that follows it is answered 200 by the sign-in page, and takes that for success.
        return Response(b"", 401)
    return redirect(sign_in, 303)


def _next_page() -> str:
    """Where to go after the sign-in: this address without its keys, which proxies write into their logs."""
    pairs = [(name, value) for name, value in request.args.items(multi=True) if name not in _KEYS]
    if len(pairs) == len(list(request.args.items(multi=True))):
        return request.full_path.rstrip("?")
    return f"{request.path}?{urlencode(pairs)}" if pairs else request.path


def _split(address: str) -> SplitResult:
    """A stranger's address in parts; of one that cannot be read, every part is empty."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")
