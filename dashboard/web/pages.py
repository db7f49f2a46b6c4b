"""Pages that several doors share: a problem, and a server that is still starting."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from quart import Response, request

from dashboard.settings import LOOPBACK_HOSTS
from dashboard.web.parts import board
from dashboard.web.visitor import form_token, rights, signed_in

THEMES = ("light", "dark")


def theme() -> str:
    """What this browser chose; "" follows the system. A cookie: a page is never first drawn in the wrong one."""
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in THEMES else ""


def viewer() -> dict[str, str | bool | None]:
    """What every page draws of who looks at it; `form_token` stands in each of its forms."""
    found = signed_in()
    return {
        "account": found and found.name,
        "theme": theme(),
        "form_token": form_token(),
        "may_manage": rights().may_manage,
    }


def own_address() -> str:
    """Where the board is, as others reach it; without DASHBOARD_PUBLIC_URL, as this request did.

    A name in the Host header can be made up, and a link with it would lead elsewhere; an address of numbers is where
    the browser went. What stands in place of a name says what to set.
    """
    return board().settings.public_url or (
        request.host_url.rstrip("/") if _is_numbers_or_here(request.host) else "<DASHBOARD_PUBLIC_URL>"
    )


def _is_numbers_or_here(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in LOOPBACK_HOSTS or bool(ip_address(name))
    except ValueError:
        return False


def problem_page(status: int, title: str, what_to_do: str) -> Response:
    html = board().draw.page("problem.html", at="", **viewer(), title=title, what_to_do=what_to_do)
    return Response(html, status, content_type="text/html; charset=utf-8")


def starting_page() -> Response:
    """While the index is loaded: webhooks are taken, pages wait."""
    response = problem_page(
        503, "Starting", "The board is reading its calls. Nothing is lost meanwhile; this page comes back by itself."
    )
    response.headers |= {"Retry-After": "1", "Refresh": "1"}
    return response
