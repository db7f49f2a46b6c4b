"""Refusals in one sentence: JSON for programs, a line of text for everybody else."""

from __future__ import annotations

from pydantic_core import to_json
from quart import Response, request

from dashboard.web.parts import board

FOR_PROGRAMS = "/api/"


def is_for_programs(path: str) -> bool:
    return path.startswith(FOR_PROGRAMS)


def takes_token(path: str) -> bool:
    """Where a token opens as much as a sign-in: never a page, for a page draws forms and links for a person."""
    return is_for_programs(path) or path == "/metrics"


def refuse(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """The sentence, as whoever asks can read it."""
    if is_for_programs(request.path):
        body = to_json({"status": "error", "message": sentence})
        return Response(body, status, headers=headers, content_type="application/json")
    return Response(sentence, status, headers=headers, content_type="text/plain; charset=utf-8")


def starting() -> Response | None:
    """While the index is loaded: when to ask again."""
    if board().feed.ready.is_set():
        return None
    return refuse(503, "The board is reading its calls. Ask again in a moment.", {"Retry-After": "1"})
