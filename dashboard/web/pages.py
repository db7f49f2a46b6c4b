"""Pages that several doors share: a problem, and a server that is still starting."""

from __future__ import annotations

from quart import Response, request

from dashboard.web.door import rights, signed_in
from dashboard.web.parts import board

THEMES = ("light", "dark")


def theme() -> str:
    """What this browser chose; "" follows the system. A cookie: a page is never first drawn in the wrong one."""
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in THEMES else ""


def viewer() -> dict[str, str | bool | None]:
    """What every page draws of who looks at it."""
    found = signed_in()
    # Whoever has a wall's key is nobody, though the board has accounts: not the one who sits at this machine.
    may_manage = rights().may_manage and (found is not None or not board().has_accounts)
    return {"account": found and found.name, "theme": theme(), "may_manage": may_manage}


def own_address() -> str:
    """Where the board is, as others reach it; without DASHBOARD_PUBLIC_URL, as this request did."""
    return board().settings.public_url or request.host_url.rstrip("/")


def problem_page(status: int, title: str, what_to_do: str) -> Response:
    html = board().draw.page("problem.html", at="", account=None, theme=theme(), title=title, what_to_do=what_to_do)
    return Response(html, status, content_type="text/html; charset=utf-8")


def starting_page() -> Response:
    """While the index is loaded: webhooks are taken, pages wait."""
    response = problem_page(
        503, "Starting", "The board is reading its calls. Nothing is lost meanwhile; this page comes back by itself."
    )
    response.headers |= {"Retry-After": "1", "Refresh": "1"}
    return response
