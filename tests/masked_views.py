"""Everything that an account can read of a board, by address: for tests of what masked roles see."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from quart.typing import TestClientProtocol as Client

from dashboard.app import create_app
from dashboard.settings import Settings
from dashboard.store.inbox import record
from dashboard.web.parts import Callboard
from tests.stored import INDIA, NOON, arrival, column

STREAMS = {"live.live", "wall.wall_live", "inbox_live.inbox_live"}
FIRST_DAY = "2020-01-01"
"""A day before every call of the tests: today's wall has none of them."""


@asynccontextmanager
async def board_with(
    settings: Settings, folder: Path, migrated_file: Path, batches: Sequence[Sequence[bytes]]
) -> AsyncIterator[Callboard]:
    """A board in a folder of its own that holds these reports, stored at fixed moments, batch after batch."""
    made = _make(settings, folder, migrated_file)
    async with made.test_app():
        async with asyncio.timeout(20):
            await made.feed.ready.wait()
        for number, bodies in enumerate(batches):
            arrivals = [arrival(body, NOON + 1000 * number + place) for place, body in enumerate(bodies)]
            await made.database.write(partial(record, arrivals=arrivals, source_timezone=INDIA))
        # Recordings are given up in the background: each change of their state takes a number.
        async with asyncio.timeout(20):
            moved = made.feed.moved
            while "waiting" in await asyncio.to_thread(column, made.database, "recording", "state"):
                await moved.wait()
                moved = made.feed.moved
        await made.feed.look()
        yield made


def _make(settings: Settings, folder: Path, migrated_file: Path) -> Callboard:
    folder.mkdir()
    shutil.copyfile(migrated_file, folder / "callboard.db")
    return create_app(replace(settings, database_url=f"sqlite:///{folder / 'callboard.db'}", data_folder=folder))


async def seen(
    app: Callboard, client: Client, *, call_ids: Sequence[int] = (1,), more: Sequence[str] = ()
) -> dict[str, str]:
    """What each address answers to this account's GET, head and body, and what the streams bring first."""
    answers = {}
    for path in [*_addresses(app, call_ids), *more]:
        answers[path] = await answer_of(client, path)
    for call_id in call_ids:
        answers[f"/calls/{call_id} alone"] = await answer_of(
            client, f"/calls/{call_id}", headers={"HX-Request-Type": "partial"}
        )
    for path in ("/live?after=0", f"/wall/live?from={FIRST_DAY}"):
        answers[path] = await _stream(client, path)
    return answers


async def answer_of(client: Client, path: str, headers: dict[str, str] | None = None) -> str:
    answer = await client.get(path, headers=headers)
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return f"{answer.status_code}\n{head}\n\n{await answer.get_data(as_text=True)}"


def _addresses(app: Callboard, call_ids: Sequence[int]) -> list[str]:
    found = [
        f"/?from={FIRST_DAY}",
        f"/wall?from={FIRST_DAY}",
        "/api/calls?after_seq=0",
        "/?campaign=none",
        "/?stage=nonsense",
    ]
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint == "static_file" or rule.endpoint in STREAMS:
            continue
        for number in call_ids if rule.arguments else (0,):
            _, path = rule.build(dict.fromkeys(rule.arguments, number)) or ("", "")
            found.append(path)
    return found


async def _stream(client: Client, path: str) -> str:
    """What a stream brings at once, without its beats: up to the first quarter of a second without anything."""
    read = b""
    async with client.request(path) as connection:
        await connection.send_complete()
        try:
            while True:
                async with asyncio.timeout(0.25 if b"id=" in read else 5):
                    read += await connection.receive()
        except TimeoutError:
            pass
        await connection.disconnect()
    return re.sub(r"event: beat\n(?:.+\n)*\n", "", read.decode())
