"""Refusals in one sentence, in the form that the caller reads: JSON, a line of text, or a page."""

from __future__ import annotations

from pydantic_core import to_json
from quart import Response, request

from dashboard.web.pages import problem_page
from dashboard.web.parts import board

FOR_PROGRAMS = "/api/"
FILES = ("/calls.csv", "/calls.jsonl")
"""Read by people and by programs: the request's Accept header says which of them asks."""
_PAGE_TYPES = ("text/html", "application/xhtml+xml")
_TITLES = {
    400: "This address cannot be read",
    401: "Sign in first",
    403: "This was not done",
    404: "There is nothing here",
    405: "This cannot be done here",
    413: "Too large",
    429: "Too many requests",
    503: "Not yet",
}


def is_for_programs(path: str) -> bool:
    return path.startswith(FOR_PROGRAMS)


def takes_token(path: str) -> bool:
    """Where a token opens as much as a sign-in: never a page, for a page draws forms and links for a person."""
    return is_for_programs(path) or path == "/metrics"


def is_from_a_program() -> bool:
    """Whether this request is answered as a program's: all under /api/, and a file that no browser asks for.

    A browser names HTML in its Accept header; curl and other clients send `*/*` or the type of the file.
    """
    if request.path in FILES:
        return not any(kind in _PAGE_TYPES and quality > 0 for kind, quality in request.accept_mimetypes)
    return is_for_programs(request.path)


def title_of(status: int, default: str = "This was not done") -> str:
    return _TITLES.get(status, default)


def refuse(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """The sentence in the form that the caller reads."""
    if request.path in FILES and not is_from_a_program():
        answer = problem_page(status, title_of(status), sentence)
        answer.headers.update(headers or {})
        return answer
    if is_from_a_program() and not _wants_text():
        body = to_json({"status": "error", "message": sentence})
        return Response(body, status, headers=headers, content_type="application/json")
    return Response(sentence, status, headers=headers, content_type="text/plain; charset=utf-8")


def starting() -> Response | None:
    """While the index is loaded: when to ask again."""
    if board().feed.ready.is_set():
        return None
    return refuse(503, "The board is reading its calls. Ask again in a moment.", {"Retry-After": "1"})


def _wants_text() -> bool:
    """Whether a file's reader takes text and no JSON: `Accept: text/csv`."""
    return request.path in FILES and bool(request.accept_mimetypes) and not request.accept_mimetypes.accept_json
