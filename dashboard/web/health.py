"""For whoever watches the server: is it alive, can it store."""

from __future__ import annotations

import asyncio

from quart import Blueprint, Response
from sqlalchemy.exc import SQLAlchemyError

from dashboard.web.openings import Who, open_to
from dashboard.web.parts import board

blueprint = Blueprint("health", __name__)

_PATIENCE_SECONDS = 2.0


@blueprint.get("/healthz")
@open_to(Who.ANYBODY)
async def healthz() -> Response:
    """Alive: the loop answers."""
    return _say(200, "alive")


@blueprint.get("/readyz")
@open_to(Who.ANYBODY)
async def readyz() -> Response:
    """Ready: the writer gets its lock, no part has ended, and the index is loaded."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await board().database.write(lambda session: session.connection())
    except (SQLAlchemyError, OSError, TimeoutError):
        return _say(503, "the writer cannot get at the database")
    if board().ended:
        return _say(503, f"a part of the board has stopped ({board().ended}); the log says why")
    if not board().feed.ready.is_set():
        return _say(503, "the board is reading its calls")
    return _say(200, "ready")


def _say(status: int, words: str) -> Response:
    return Response(words + "\n", status, content_type="text/plain; charset=utf-8")
