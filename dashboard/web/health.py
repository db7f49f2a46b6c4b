"""For whoever watches the server: is it alive, can it store."""

from __future__ import annotations

from quart import Blueprint, Response

from dashboard.web.openings import Who, open_to
from dashboard.web.parts import board

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@open_to(Who.ANYBODY)
async def healthz() -> Response:
    """Alive: the loop answers."""
    return _say(200, "alive")


@blueprint.get("/readyz")
@open_to(Who.ANYBODY)
async def readyz() -> Response:
    """Ready: a write commits, the disk has room, no part has ended, and the index is loaded."""
    if not await board().readiness.can_write():
        return _say(503, "nothing can be stored in the database; `python -m dashboard doctor` says why")
    if board().reserve.is_short():
        return _say(503, "the disk is nearly full: reports are refused until there is room")
    if board().ended:
        return _say(503, f"a part of the board has stopped ({board().ended}); the log says why")
    if not board().feed.ready.is_set():
        return _say(503, "the board is reading its calls")
    return _say(200, "ready")


def _say(status: int, words: str) -> Response:
    return Response(words + "\n", status, content_type="text/plain; charset=utf-8")
