"""What goes where in CallKaro, in words. Pure: settings in, text out."""

from __future__ import annotations

from urllib.parse import quote

from dashboard.connect.missing import beside
from dashboard.settings import Settings
from dashboard.web.parts import WEBHOOK_PATH

_UNKNOWN_URL = "https://YOUR-ADDRESS"

# The two levels, and that only an agent's webhook can send headers, are of CallKaro's documentation.
_ACCOUNT_LEVEL = """\
ACCOUNT LEVEL: one address for all agents. It can send no header, so the secret rides in the address.
In CallKaro: Dashboard → Webhook. Paste this address:

{address}?token={secret}
"""
_AGENT_LEVEL = """\
AGENT LEVEL: for one agent. It can send a header, so the secret stands there and in no log of addresses.
In CallKaro: the agent's settings, webhook. Paste this address:

{address}

and add a header with this name

Authorization

and this value:

Bearer {secret}
"""
_BOTH = "Both may be set: a call that is reported twice is one call on the board.\n"
_UNKNOWN = f"""\
The public address is not known yet. Put it in place of {_UNKNOWN_URL}, or run this again with the option
--public-url https://calls.example.com
"""
_REACHABLE = "The address must be https, and reachable from the internet.\n"
_TUNNEL = """\
A tunnel must lead to http://{listener}, which takes reports only; never to the board.
"""
_NO_TUNNEL = """\
Where that needs a tunnel, run this again with --tunnel and the tunnel's https address. It opens a listener that takes
reports only ({listener}, DASHBOARD_WEBHOOK_BIND): point the tunnel there, never at the board.
"""


def webhook_address(url: str) -> str:
    """Where CallKaro is to send, the secret left out; `url` is "" while nobody knows."""
    return f"{url or _UNKNOWN_URL}{WEBHOOK_PATH}"


def what_to_paste(settings: Settings, url: str, *, agent_only: bool) -> str:
    """The whole text. What is to be copied is alone on its line, with no blanks that would be copied along."""
    secret, address = settings.webhook_secrets[0], webhook_address(url)
    parts = [_AGENT_LEVEL.format(address=address, secret=secret)]
    if not agent_only:
        parts.insert(0, _ACCOUNT_LEVEL.format(address=address, secret=quote(secret, safe="")))
        parts.append(_BOTH)
    if not url:
        parts.append(_UNKNOWN)
    parts.append(_REACHABLE + _about_tunnels(settings))
    return "\n".join(parts)


def _about_tunnels(settings: Settings) -> str:
    if settings.webhook_bind:
        return _TUNNEL.format(listener=settings.webhook_bind)
    return _NO_TUNNEL.format(listener=beside(settings.bind))
