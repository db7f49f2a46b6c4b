"""Fills columns of calls that an older version stored, before anything is counted or shown."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from dashboard.database import Database
from dashboard.store.former_numbers import are_filled, fill_next
from dashboard.store.person_column import fill, next_step


async def fill_person_column(database: Database, region: str) -> None:
    """Back when all calls that are stored have the person that their number is in this region.

    Webhooks are stored between the steps. A start that was killed goes on where it was.
    Raises SQLAlchemyError, OSError.
    """
    after, started = 0, time.monotonic()
    while step := await database.read(partial(next_step, region=region, after=after)):
        after = step.last_id
        if step.wrong or step.is_noted:
            await database.write(partial(fill, step=step, region=region))
        if step.wrong:
            # The writer is for webhooks first: it gets as much time as a step took.
            await asyncio.sleep(time.monotonic() - started)
        started = time.monotonic()


async def fill_former_numbers(database: Database) -> None:
    """Back when all calls that an older version stored have the numbers that later reports corrected.

    Webhooks are stored between the steps. A start that was killed goes on where it was.
    Raises SQLAlchemyError, OSError.
    """
    if await database.read(are_filled):
        return
    started = time.monotonic()
    while await database.write(fill_next):
        await asyncio.sleep(time.monotonic() - started)
        started = time.monotonic()
