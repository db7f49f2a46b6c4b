"""Bodies made to break something, a few of them; `python -m bench.hostile` sends the full number."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from bench.hostile import MOST_SECONDS, OpenPage, draw_all, numbered, post_all, read_all
from dashboard.app import asset_folder
from dashboard.callkaro.report import Report, read_report
from dashboard.database import Database
from dashboard.database.clock import head_of
from dashboard.render import Renderer
from dashboard.roles import EVERYTHING, VIEWER, Rights
from dashboard.store.calls import changed_since, facts_after
from dashboard.web.call import Look, _draw, _find
from tests.hostile import HEAVY, heavy_bodies, hostile_body
from tests.running import RunningBoard
from tests.stored import INDIA, rebuild, store

SEED = 7
BODIES = 160


def test_a_body_is_the_same_bytes_every_time() -> None:
    assert [hostile_body(SEED, number) for number in range(50)] == [hostile_body(SEED, number) for number in range(50)]
    assert len({hostile_body(SEED, number) for number in range(500)}) > 450


def test_two_thousand_bodies_are_read_and_none_raises() -> None:
    tally = read_all(numbered(SEED, 2000))
    assert tally.broken == []
    assert tally.count == 2000
    # The generator reaches every answer there is.
    assert all(tally.outcomes[kind] > 20 for kind in ("report", "ignored", "unreadable"))


@pytest.mark.parametrize("name", HEAVY)
def test_a_megabyte_in_one_place_is_read_like_any_other(name: str) -> None:
    tally = read_all([(name, heavy_bodies()[name])])
    assert tally.broken == []
    assert tally.outcomes == {"report": 1}


def test_a_hundred_and_fifty_bodies_over_http_are_stored_and_drawn(start_board: Callable[..., RunningBoard]) -> None:
    board = start_board()
    open_page = OpenPage(board.url)
    posted = post_all(board.url, numbered(SEED, 150))
    assert posted.broken == []
    tallies = [posted, *draw_all(board.url, board.database_file, open_page)]
    assert [problem for tally in tallies for problem in tally.broken] == []
    # A busy machine gets thrice the time that `bench.hostile` gives a quiet one.
    assert max(tally.slowest for tally in tallies) < 3 * MOST_SECONDS, list(map(str, tallies))
    assert "Traceback" not in board.log.read_text()


def test_either_database_takes_what_was_read_and_gives_it_back(database: Database) -> None:
    bodies = [hostile_body(SEED, number) for number in range(BODIES)]
    receipts = [
        receipt for number in range(0, BODIES, 40) for receipt in store(database, *bodies[number : number + 40])
    ]
    assert len(receipts) == BODIES
    renderer = Renderer(asset_folder("templates"), timezone=INDIA, indian_grouping=True, static_version="1")
    rows, head = database.read_now(lambda session: changed_since(session, 0, BODIES))
    assert head == database.read_now(head_of)
    assert {row.facts for row in rows} == set(database.read_now(lambda session: facts_after(session, 0)))
    for row in rows:
        renderer.show_call(row).encode()
        found = database.read_now(partial(_find, call_id=row.id))
        assert found is not None
        for rights in (EVERYTHING, Rights(VIEWER)):
            _, html = _draw(found, renderer, Look(rights))
            html.encode()
    for body, receipt in zip(bodies, receipts, strict=True):
        assert (receipt.call_id is not None) == isinstance(read_report(body), Report)
    # What the inbox tells is what the rows say.
    assert rebuild(database) == 0
