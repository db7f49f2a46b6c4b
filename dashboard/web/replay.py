"""Reports of the inbox read again: one, some that were chosen, or all of a filter in steps that hold nobody up."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session
from werkzeug.datastructures import MultiDict

from dashboard.database import is_away
from dashboard.store import audit
from dashboard.store.inbox_list import Wanted, sizes_after, sizes_of
from dashboard.store.replay import Replayed, replay, steps_of
from dashboard.web.inbox import read_wanted
from dashboard.web.live import read_cursor
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import problem_page, viewer
from dashboard.web.parts import board, now_micros
from dashboard.web.visitor import name_in_audit, visitor_address

blueprint = Blueprint("replay", __name__)

# One answer tells of so many, and takes about so long; what is left is a click away.
MOST_AT_ONCE = 500
SECONDS = 4.0


class Asked(NamedTuple):
    """What to replay: the chosen ids, or all of `wanted` between two numbers, the second included."""

    wanted: Wanted
    ids: tuple[int, ...] = ()
    after: int = 0
    upto: int | None = None


@blueprint.post("/inbox/replay")
@open_to(Who.ADMINS)
async def replay_reports() -> ResponseReturnValue:
    """Each report goes through the reader again, and its call is told anew; the page says what became of each."""
    asked = _read(await request.form)
    if asked is None:
        return problem_page(400, "Nothing was replayed", "Choose reports in the inbox first, then replay them.")
    by_id = partial(sizes_of, inbox_ids=asked.ids)
    by_filter = partial(
        sizes_after, wanted=asked.wanted, after=asked.after, upto=asked.upto or 0, most=MOST_AT_ONCE + 1
    )
    sizes = await board().database.read(by_filter if asked.upto is not None else by_id)
    replayed, problem = await _replay(sizes[:MOST_AT_ONCE])
    left = [inbox_id for inbox_id, _ in sizes[len(replayed) :]]
    html = board().draw.page(
        "replayed.html",
        at="inbox",
        **viewer(),
        replayed=replayed,
        problem=problem,
        asked=asked,
        left=left,
        after=replayed[-1].id if replayed else asked.after,
    )
    return Response(html, 200 if not problem else 503, content_type="text/html; charset=utf-8")


async def _replay(sizes: list[tuple[int, int]]) -> tuple[list[Replayed], str]:
    """Step by step until all are done or it has taken long; a sentence where the database went away on the way."""
    done: list[Replayed] = []
    until = time.monotonic() + SECONDS
    settings = board().settings
    replay_them = partial(replay, source_timezone=settings.source_timezone, region=settings.phone_region)
    step_of = partial(_step, replay_them=replay_them, who=name_in_audit(), address=visitor_address())
    for step in steps_of(sizes):
        if time.monotonic() > until:
            break
        try:
            done += await board().database.write(partial(step_of, inbox_ids=step))
        except (SQLAlchemyError, OSError) as problem:
            if not is_away(problem):
                raise
            return done, "The database does not answer. What is listed here was done; go on in a moment."
    return done, ""


def _step(
    session: Session, inbox_ids: list[int], replay_them: Callable[..., list[Replayed]], who: str, address: str
) -> list[Replayed]:
    replayed = replay_them(session, inbox_ids)
    about = f"/inbox/{inbox_ids[0]}" if len(inbox_ids) == 1 else f"{len(inbox_ids)}, {inbox_ids[0]} to {inbox_ids[-1]}"
    audit.note(session, now=now_micros(), account=who, action=audit.REPLAYED, about=about, address=address)
    return replayed


def _read(form: MultiDict[str, str]) -> Asked | None:
    """What a form asks for; None where that is nothing, or cannot be read."""
    wanted = read_wanted(form.items())
    numbers = {name: [read_cursor(text) for text in form.getlist(name)] for name in ("id", "after", "upto")}
    if wanted is None or any(None in each for each in numbers.values()):
        return None
    ids, after, upto = ([number or 0 for number in numbers[name]] for name in ("id", "after", "upto"))
    if "all" in form:
        return Asked(wanted, (), after[0] if after else 0, upto[0] if upto else 0)
    return Asked(wanted, tuple(ids)) if ids else None
