"""The calls of a filter as a file: CSV for people, JSON Lines for programs. All of them, however many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from pydantic_core import to_json
from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue
from sqlmodel import Session

from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.feed import Feed
from dashboard.filters import BadFilter, CallFilter
from dashboard.render import board_link
from dashboard.sheets import BOM, csv_row
from dashboard.store import audit
from dashboard.store.calls import ToldCall, data_lengths, told_by_id
from dashboard.streams import Visit
from dashboard.told import CSV_COLUMNS, cells_of, whole_of
from dashboard.web.downloads import EXPORT, TooManyDownloads
from dashboard.web.openings import Who, open_to
from dashboard.web.parts import BrokenOff, board
from dashboard.web.plain import refuse, starting
from dashboard.web.request_queue import hold
from dashboard.web.visitor import asked_for, rights, visit, visitor_key, write_down

blueprint = Blueprint("export", __name__)

# How many ids the index gives at a time, and how many calls are read at a time: fewer where they are large, because
# one can hold 2 MiB, and a slow reader holds one piece.
IDS_AT_ONCE = 2000
CALLS_AT_ONCE = 40
PIECE_CHARACTERS = 2**19

Draw = Callable[[ToldCall], bytes]
"""One call as a line of the file."""
Turn = Callable[[int], AbstractAsyncContextManager[object]]
"""Waits for a turn to draw so many characters."""


class Ended(BrokenOff):
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
        return refuse(400, str(problem))
    if refusal := starting():
        return refusal
    feed, database = board().feed, board().database
    await feed.reach(await database.read(head_of))
    name = f"callboard-calls-{feed.today}.{ending}"
    headers = {"Content-Type": content_type, "Content-Disposition": f'attachment; filename="{name}"'}
    if request.method == "HEAD":
        return Response(b"", 200, headers=headers)
    try:
        hold().until_sent.enter_context(board().downloads.counted(EXPORT, visitor_key()))
    except TooManyDownloads:
        sentence = "Too many exports are running. Wait until one has ended, then try again."
        return refuse(429, sentence, {"Retry-After": "30"})
    hold().release_turn()
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
        while ids:
            if feed.closing or visit.has_ended:
                raise Ended
            fitting, told = await database.read(partial(_read_piece, ids=ids[:CALLS_AT_ONCE]))
            ids = ids[fitting:]
            # Drawn outside of the transaction: a read of more than 10 s is given up, and the file ends broken.
            async with turn(sum(len(each.data) for each in told)):
                lines = await asyncio.to_thread(_draw_piece, told, draw)
            yield lines


def _read_piece(session: Session, ids: Sequence[int]) -> tuple[int, Sequence[ToldCall]]:
    """The first of these calls, as many as have PIECE_CHARACTERS and one at least, and how many ids that is.

    A transaction of its own each time: one long reader would keep SQLite from folding its write-ahead log back into
    the file. An id whose call is gone has no line.
    """
    lengths = data_lengths(session, ids)
    room = PIECE_CHARACTERS
    fitting: list[int] = []
    for call_id in ids:
        room -= lengths.get(call_id, 0)
        if fitting and room < 0:
            break
        fitting.append(call_id)
    return len(fitting), told_by_id(session, fitting, with_data=True)


def _draw_piece(told: Sequence[ToldCall], draw: Draw) -> bytes:
    return b"".join(map(draw, told))
