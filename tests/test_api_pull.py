"""A program that pulls changes has exactly the calls of the table, whatever becomes of them."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from dashboard.database import Database
from dashboard.roles import ADMIN, VIEWER, Rights
from dashboard.store.calls import CallRow
from dashboard.store.news import pulled_since
from dashboard.store.removal import expire_recordings, remove_calls, remove_transcripts
from dashboard.web.parts import Callboard
from tests.cast import enter
from tests.reports import WEBHOOK, report
from tests.stored import column, sql, store

MakeApp = Callable[..., Awaitable[Callboard]]


class Program:
    """Keeps calls by id and deletes what is removed, as /openapi.json says."""

    def __init__(self, client: Client, query: str = "") -> None:
        self.client, self.query, self.seq = client, query, 0
        self.calls: dict[int, dict[str, Any]] = {}
        self.heard: set[int] = set()

    async def page(self, limit: int) -> bool:
        """One page; False when there was nothing after it."""
        answer = await self.client.get(f"/api/calls?after_seq={self.seq}&limit={limit}{self.query}")
        assert answer.status_code == 200
        page = await answer.get_json()
        assert len(page["calls"]) + len(page["removed"]) <= limit
        for call in page["calls"]:
            self.calls[call["id"]] = call
        for each in page["removed"]:
            assert self.seq < each["seq"] <= page["seq"]
            self.calls.pop(each["id"], None)
        self.heard |= {each["id"] for each in (*page["calls"], *page["removed"])}
        before, self.seq = self.seq, page["seq"]
        return bool(self.seq != before)

    async def all_pages(self, limit: int) -> None:
        while await self.page(limit):
            pass


async def listed(client: Client, query: str) -> dict[int, dict[str, Any]]:
    """The calls that the board lists to this client."""
    found: dict[int, dict[str, Any]] = {}
    path = f"/api/calls?limit=500{query}"
    while path:
        page = await (await client.get(path)).get_json()
        assert page["removed"] == []
        found |= {call["id"]: call for call in page["calls"]}
        path = page["next_before"] and f"/api/calls?limit=500{query}&before={page['next_before']}"
    return found


async def something_happens(app: Callboard, chance: random.Random) -> None:
    """A report, new or of a known call, perhaps of another campaign; or something is erased, or grows too old."""
    what = chance.random()
    if what < 0.7:
        changes: dict[str, Any] = {
            "batchId": chance.choice(["a", "b", ""]),
            "disposition_reason": chance.choice(["x", "y"]),
        }
        body = report(f"sid-{chance.randrange(25)}", **changes)
        answer = await app.test_client().post(f"{WEBHOOK}?token=hush", data=body)
        assert answer.status_code == 200
        return
    ids = column(app.database, "call", "id")
    some = chance.sample(ids, min(len(ids), chance.randrange(1, 4)))
    remove = remove_calls if what < 0.85 else chance.choice([remove_transcripts, expire_recordings])
    await app.database.write(partial(remove, call_ids=some))


@pytest.mark.parametrize("seed", range(6))
async def test_a_program_that_pulls_has_exactly_the_calls_of_the_table(make_app: MakeApp, seed: int) -> None:
    app, chance = await make_app(webhook_secrets=("hush",)), random.Random(seed)
    admin = await enter(app, "ada", Rights(ADMIN))
    limited = await enter(app, "nora", Rights(VIEWER, ("a",)))
    programs = [Program(admin), Program(admin, "&campaign=a&campaign=none"), Program(limited), Program(limited)]
    for _ in range(12):
        for _ in range(chance.randrange(1, 12)):
            await something_happens(app, chance)
            await chance.choice(programs[:3]).page(chance.randrange(1, 6))
        for program in programs[:3]:
            await program.all_pages(chance.randrange(1, 6))
            assert program.calls == await listed(program.client, program.query)
    # One that begins late comes to the same.
    await programs[3].all_pages(3)
    assert programs[3].calls == programs[2].calls


async def test_an_erased_call_and_one_that_left_the_filter_are_named_as_removed(client: Client, app: Callboard) -> None:
    for sid in ("one", "two", "three"):
        await client.post(WEBHOOK, data=report(sid, batchId="a"))
    program = Program(client, "&campaign=a")
    await program.all_pages(10)
    assert len(program.calls) == 3
    await app.database.write(partial(remove_calls, call_ids=[1]))
    await client.post(WEBHOOK, data=report("two", batchId="b"))
    page = await (await client.get(f"/api/calls?after_seq={program.seq}&campaign=a")).get_json()
    assert page["calls"] == []
    assert [each["id"] for each in page["removed"]] == [1, 2]
    assert [each["seq"] for each in page["removed"]] == sorted(each["seq"] for each in page["removed"])
    await program.all_pages(1)
    assert [*program.calls] == [3]


async def test_a_limited_token_hears_of_a_call_that_leaves_its_campaigns_and_of_no_other(make_app: MakeApp) -> None:
    app = await make_app(webhook_secrets=("hush",))
    limited = Program(await enter(app, "nora", Rights(VIEWER, ("north",))))

    async def send(sid: str, campaign: str, **changes: Any) -> None:
        body = report(sid, batchId=campaign, **changes)
        assert (await app.test_client().post(f"{WEBHOOK}?token=hush", data=body)).status_code == 200

    await send("moves", "north")
    await send("never ours", "south", recordingUrl="https://files.example/a.wav")
    await limited.all_pages(10)
    assert [*limited.calls] == [1]
    # Its recording changes the other call without any report.
    await app.database.write(partial(expire_recordings, call_ids=[2]))
    await send("moves", "south")
    await limited.all_pages(10)
    assert limited.calls == {}
    assert limited.heard == {1}


def test_a_page_of_changes_reads_calls_and_removals_in_one_order(database: Database) -> None:
    """On both databases."""
    store(database, *(report(sid, batchId="a") for sid in "abcdef"))
    sql(database, "UPDATE call SET data = data")
    database.write_now(partial(remove_calls, call_ids=[2, 4]))
    store(database, report("e", batchId="b"))

    def in_a(row: CallRow) -> bool:
        return row.campaign == "a"

    whole = database.read_now(partial(pulled_since, seq=0, most=100, is_wanted=in_a, is_allowed=lambda _: True))
    assert [each.row.id for each in whole.calls] == [1, 3, 6]
    assert [call_id for call_id, _ in whole.removed] == [2, 4]
    have, seq = set[int](), 0
    while True:
        page = database.read_now(partial(pulled_since, seq=seq, most=2, is_wanted=in_a, is_allowed=lambda _: True))
        have |= {each.row.id for each in page.calls}
        have -= {call_id for call_id, _ in page.removed}
        if page.upto == seq:
            break
        seq = page.upto
    assert have == {1, 3, 6}
    assert seq == whole.upto
