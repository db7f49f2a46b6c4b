"""The calls of a filter as a file: CSV for people, JSON Lines for programs. All of them, however many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from pydantic_core import to_json
from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue

from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.feed import Feed
from dashboard.filters import BadFilter, CallFilter
from dashboard.render import board_link
from dashboard.sheets import BOM, csv_row
from dashboard.store import audit
from dashboard.store.calls import ToldCall, told_by_id
from dashboard.streams import Visit
from dashboard.told import CSV_COLUMNS, cells_of, whole_of
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import problem_page
from dashboard.web.parts import board
from dashboard.web.plain import starting
from dashboard.web.visitor import asked_for, rights, visit, write_down

blueprint = Blueprint("export", __name__)

# How many ids the index gives at a time, and how many calls are read at a time: one can hold 2 MiB.
IDS_AT_ONCE = 2000
CALLS_AT_ONCE = 40

Draw = Callable[[ToldCall], bytes]
"""One call as a line of the file."""
Turn = Callable[[int], AbstractAsyncContextManager[object]]
"""Waits for a turn to draw so many characters."""


class Ended(Exception):
    """Whoever asked was signed out, or the server stops: the file must end broken, never look whole."""


@blueprint.get("/calls.csv")
@open_to(Who.REVIEWERS)
async def show_csv() -> ResponseReturnValue:
    cells = partial(cells_of, sees_numbers=rights().sees_numbers, region=board().draw.region)

    def draw(told: ToldCall) -> bytes:
        return csv_row(cells(told))

    return await _export("csv", "text/csv; charset=utf-8", BOM + csv_row(CSV_COLUMNS), draw)


@blueprint.get("/calls.jsonl")
@open_to(Who.REVIEWERS)
async def show_jsonl() -> ResponseReturnValue:
    whole = partial(whole_of, sees_numbers=rights().sees_numbers, region=board().draw.region)

    def draw(told: ToldCall) -> bytes:
        return to_json(whole(told)) + b"\n"

    return await _export("jsonl", "application/jsonl; charset=utf-8", b"", draw)


async def _export(ending: str, content_type: str, head: bytes, draw: Draw) -> ResponseReturnValue:
    try:
        wanted = asked_for()
    except BadFilter as problem:
        return problem_page(400, "This address cannot be read", str(problem))
    if refusal := starting():
        return refusal
    feed, database = board().feed, board().database
    await feed.reach(await database.read(head_of))
    name = f"callboard-calls-{feed.today}.{ending}"
    headers = {"Content-Type": content_type, "Content-Disposition": f'attachment; filename="{name}"'}
    if request.method == "HEAD":
        return Response(b"", 200, headers=headers)
    # Who breaks off at the last byte has what he came for.
    count = feed.index.count(wanted, feed.today)
    await write_down(audit.EXPORTED, f"{count} as {ending}: {board_link(wanted)}")
    lines = _lines(head, wanted, feed, database, board().large_call, draw, visit())
    response = Response(lines, 200, headers=headers)
    # Quart cuts every response after 60 s otherwise.
    response.timeout = None
    return response


async def _lines(
    head: bytes, wanted: CallFilter, feed: Feed, database: Database, turn: Turn, draw: Draw, visit: Visit
) -> AsyncIterator[bytes]:
    """The file in pieces, newest call first. Raises Ended.

    Each piece waits for a thread. That is what lets a client's reset end it: a generator that never waits is
    asked on and on after the connection is gone, and no other request is answered any more.
    """
    today, before = feed.today, None
    if head:
        yield head
    while True:
        ids = feed.index.ids(wanted, today, limit=IDS_AT_ONCE, before=before)
        if not ids:
            return
        before = (feed.index.facts(ids[-1]).at, ids[-1])
        for first in range(0, len(ids), CALLS_AT_ONCE):
            if feed.closing or visit.has_ended:
                raise Ended
            piece = ids[first : first + CALLS_AT_ONCE]
            # A transaction of its own each time: one long reader would keep SQLite from folding its write-ahead log
            # back into the file. Drawn outside of it: a read of more than 10 s is given up, and the file ends broken.
            told = await database.read(partial(told_by_id, ids=piece, with_data=True))
            async with turn(sum(len(each.data) for each in told)):
                lines = await asyncio.to_thread(_draw_piece, told, draw)
            yield lines


def _draw_piece(told: Sequence[ToldCall], draw: Draw) -> bytes:
    return b"".join(map(draw, told))
