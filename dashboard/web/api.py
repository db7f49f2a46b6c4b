"""For programs: calls, what changed, figures. Answers are JSON, refusals too; /openapi.json describes them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from pydantic_core import to_json
from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue

from dashboard.callkaro.report import JSON
from dashboard.database.clock import head_of
from dashboard.filters import FILTER_NAMES, BadFilter, CallFilter, is_within, matches, quoted
from dashboard.render import read_row_key, row_key
from dashboard.store import audit
from dashboard.store.calls import ToldCall, changed_since, count_calls, told_by_id
from dashboard.told import summary_of, whole_of
from dashboard.web.live import read_cursor
from dashboard.web.openings import Who, open_to
from dashboard.web.parts import board
from dashboard.web.plain import refuse, starting
from dashboard.web.visitor import asked_for, is_written_down, rights, write_down

blueprint = Blueprint("api", __name__)

USUAL_CALLS, MOST_CALLS = 100, 500


@blueprint.get("/api/board")
@open_to(Who.VIEWERS)
async def show_board() -> dict[str, int]:
    """How many calls the board holds, and how many of them a simulator made."""
    calls, simulated = await board().database.read(partial(count_calls, campaigns=rights().campaigns))
    return {"calls": calls, "simulated": simulated}


@blueprint.get("/api/calls")
@open_to(Who.VIEWERS)
async def list_calls() -> ResponseReturnValue:
    """The calls of a filter, newest first; with `after_seq` those that changed since, in the order of their changes."""
    try:
        wanted, limit = _asked_for("before", "after_seq", "limit"), _limit()
    except BadFilter as problem:
        return refuse(400, str(problem))
    if "after_seq" in request.args and "before" in request.args:
        return refuse(400, "Give either before, or after_seq, not both.")
    if refusal := starting():
        return refusal
    await _note_read()
    return await (_changed(wanted, limit) if "after_seq" in request.args else _newest(wanted, limit))


async def _newest(wanted: CallFilter, limit: int) -> Response:
    text = request.args.get("before", "")
    before = read_row_key(text)
    if text and before is None:
        return refuse(400, "before must be what an earlier answer gave as next_before.")
    feed = board().feed
    await feed.reach(await board().database.read(head_of))
    ids = feed.index.ids(wanted, feed.today, limit=limit + 1, before=before)
    seq = feed.head
    told = await board().database.read(partial(told_by_id, ids=ids[:limit], with_data=False))
    last = told[-1].row if told and len(ids) > limit else None
    return _json(
        {
            "calls": await _summaries(told),
            "next_before": last and row_key(last.at, last.id),
            "seq": seq,
        }
    )


async def _changed(wanted: CallFilter, limit: int) -> Response:
    after = read_cursor(request.args["after_seq"])
    if after is None:
        return refuse(400, "after_seq must be a number: what an earlier answer gave as seq, or 0.")
    database, feed = board().database, board().feed
    head = await database.read(head_of)
    if after > head:
        return refuse(
            400,
            f"after_seq={after} is beyond this board's last number, {head}: it is of another database, or of one from "
            "before a backup was put back. Pull anew from 0.",
        )
    rows, upto = await database.read(partial(changed_since, seq=after, most=limit))
    today, timezone = feed.today, board().draw.timezone
    ids = [row.id for row in rows if matches(row.facts, wanted, today=today, timezone=timezone)]
    told = await database.read(partial(told_by_id, ids=ids, with_data=False))
    return _json({"calls": await _summaries(told), "next_before": None, "seq": upto})


async def _summaries(told: Sequence[ToldCall]) -> list[dict[str, JSON]]:
    """In a thread: 500 calls with masked numbers would keep every stream waiting."""
    draw = partial(summary_of, sees_numbers=rights().sees_numbers, region=board().draw.region)
    return await asyncio.to_thread(lambda: [draw(each) for each in told])


@blueprint.get("/api/calls/<int:call_id>")
@open_to(Who.VIEWERS)
async def show_call(call_id: int) -> ResponseReturnValue:
    """One call, with all that its reports said."""
    found = await board().database.read(partial(told_by_id, ids=[call_id], with_data=True)) if call_id < 2**63 else []
    if not found or not is_within(found[0].row.campaign, rights().campaigns):
        return refuse(404, "There is no such call on this board.")
    await _note_read()
    whole = partial(whole_of, found[0], sees_numbers=rights().sees_numbers, region=board().draw.region)
    async with board().large_call(len(found[0].data)):
        body = await asyncio.to_thread(lambda: to_json(whole()))
    return Response(body, 200, content_type="application/json")


@blueprint.get("/api/figures")
@open_to(Who.VIEWERS)
async def show_figures() -> ResponseReturnValue:
    """The figures of a filter, as the board's strip shows them: the choice of a figure is left aside."""
    try:
        wanted = _asked_for()
    except BadFilter as problem:
        return refuse(400, str(problem))
    if refusal := starting():
        return refusal
    feed = board().feed
    await feed.reach(await board().database.read(head_of))
    overview = wanted.with_values("figure", ())
    usual = feed.usual(overview)
    return _json(
        {
            "figures": feed.index.figures(overview, feed.today)._asdict(),
            "usual": usual and usual._asdict(),
            "hours": feed.index.hours(overview, feed.today),
            "listed": feed.index.count(wanted, feed.today),
            "today": feed.today.isoformat(),
            "timezone": board().draw.timezone.key,
            "seq": feed.head,
        }
    )


async def _note_read() -> None:
    """An export in small pieces is one, too; a program that asks every minute is told of once an hour."""
    read = audit.READ_BY_API, "/api/calls"
    if not await is_written_down(*read):
        await write_down(*read)


def _asked_for(*beside: str) -> CallFilter:
    """The filter of the address. Raises BadFilter, for names too: one that is misspelt would be the calls of all."""
    known = (*FILTER_NAMES, *beside)
    if unknown := request.args.keys() - set(known):
        raise BadFilter(f"{quoted(min(unknown))} is no filter of calls; there are {', '.join(known)}.")
    return asked_for()


def _limit() -> int:
    """How many calls are asked for. Raises BadFilter."""
    text = request.args.get("limit", "")
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if text and not 1 <= limit <= MOST_CALLS:
        raise BadFilter(f"limit must be a number from 1 to {MOST_CALLS}.")
    return limit or USUAL_CALLS


def _json(value: object) -> Response:
    return Response(to_json(value), 200, content_type="application/json")
