"""Pages that several doors share: a problem, and a server that is still starting."""

from __future__ import annotations

from quart import Response

from dashboard.web.parts import board


def problem_page(status: int, title: str, what_to_do: str) -> Response:
    html = board().draw.page("problem.html", at="", account=None, title=title, what_to_do=what_to_do)
    return Response(html, status, content_type="text/html; charset=utf-8")


def starting_page() -> Response:
    """While the index is loaded: webhooks are taken, pages wait."""
    response = problem_page(
        503, "Starting", "The board is reading its calls. Nothing is lost meanwhile; this page comes back by itself."
    )
    response.headers |= {"Retry-After": "1", "Refresh": "1"}
    return response
