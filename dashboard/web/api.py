"""For programs."""

from __future__ import annotations

from functools import partial

from quart import Blueprint

from dashboard.store.calls import count_calls
from dashboard.web.door import rights
from dashboard.web.parts import board

blueprint = Blueprint("api", __name__)


@blueprint.get("/api/board")
async def show_board() -> dict[str, int]:
    """How many calls the board holds, and how many of them a simulator made."""
    calls, simulated = await board().database.read(partial(count_calls, campaigns=rights().campaigns))
    return {"calls": calls, "simulated": simulated}
