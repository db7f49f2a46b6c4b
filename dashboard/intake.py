"""Group commit: reports that wait together are written together, and each is answered only after its commit.

Stands between the webhook and the inbox. Knows no HTTP; a NotStored becomes a 503 further up.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from dataclasses import dataclass
from functools import partial
from itertools import islice
from zoneinfo import ZoneInfo

from dashboard.database import Database, is_away, kind_of
from dashboard.disk import Reserve
from dashboard.phone_numbers import DEFAULT_REGION
from dashboard.store.inbox import Arrival, Receipt, record

log = logging.getLogger(__name__)

# The platform gives up at 5 s; what is not stored by then is answered 503, after which a repeat is harmless.
WAIT_SECONDS = 3.5
WAIT_SECONDS_WHILE_STOPPING = 1.5
LARGEST_BATCH = 256
MOST_WAITING = 1024
MOST_WAITING_BYTES = 64 * 2**20
_TRY_AGAIN_SECONDS = 0.05
_SWEEP_SECONDS = 0.05
_GATHER_SECONDS = 0.02
# A report takes a few turns of the loop from the socket to the queue.
_QUIET_TURNS = 8


class NotStored(Exception):
    """The report could not be stored in time, or too many wait already; sending it again is harmless."""


@dataclass(slots=True, eq=False)
class _Waiting:
    arrival: Arrival
    done: asyncio.Future[Receipt]
    until: float
    """When it stops waiting, by the loop's clock."""


class Intake:
    """Takes arrivals from any number of requests at once and hands them to the one writer in batches."""

    def __init__(
        self,
        database: Database,
        source_timezone: ZoneInfo,
        reserve: Reserve | None = None,
        *,
        region: str = DEFAULT_REGION,
    ) -> None:
        """Without a `reserve`, reports are written until the disk is full to the last byte."""
        self._database = database
        self._record = partial(record, source_timezone=source_timezone, region=region)
        self._reserve = reserve or Reserve(None, 0)
        # In the order of arrival. Whoever stops waiting takes himself out: a storage that stands still for an hour
        # would otherwise gather an hour of bodies that nobody waits for.
        self._queue: dict[_Waiting, None] = {}
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None
        self._stopping = False
        self._away_since = 0.0
        self._away_before = 0.0

    @property
    def waiting(self) -> int:
        """How many reports wait for their commit."""
        return len(self._queue)

    @property
    def waiting_bytes(self) -> int:
        return self._bytes

    @property
    def away_seconds(self) -> float:
        """For how long, in all, reports could not be stored because the database was away."""
        return self._away_before + (time.monotonic() - self._away_since if self._away_since else 0.0)

    def stop(self) -> None:
        """From now on nobody waits longer than a stopping server can, those who wait already included."""
        self._stopping = True
        latest = asyncio.get_running_loop().time() + WAIT_SECONDS_WHILE_STOPPING
        for waiting in self._queue:
            waiting.until = min(waiting.until, latest)

    async def keep(self, arrival: Arrival, at_most: float = WAIT_SECONDS) -> Receipt:
        """Store one arrival; back only when it is committed and synced. Raises NotStored, after `at_most` seconds."""
        size = len(arrival.body)
        if self._reserve.is_short():
            raise NotStored("The disk is nearly full, so nothing more is written. Send it again once there is room.")
        if len(self._queue) >= MOST_WAITING or self._bytes + size > MOST_WAITING_BYTES:
            raise NotStored("Too many reports are waiting to be stored. Send it again in a few seconds.")
        loop = asyncio.get_running_loop()
        patience = min(WAIT_SECONDS_WHILE_STOPPING, at_most) if self._stopping else at_most
        waiting = _Waiting(arrival, loop.create_future(), loop.time() + patience)
        self._bytes += size
        self._queue[waiting] = None
        self._arrived.set()
        if self._sweeper is None:
            self._sweeper = loop.call_later(_SWEEP_SECONDS, self._sweep)
        try:
            return await waiting.done
        finally:
            self._queue.pop(waiting, None)
            self._bytes -= size

    def _sweep(self) -> None:
        """Answer those that have waited long enough. One timer for all: one each cost as much as writing them down."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for waiting in self._queue:
            if waiting.until <= now and not waiting.done.done():
                waiting.done.set_exception(
                    NotStored("The report could not be stored in time. Send it again in a few seconds.")
                )
        self._sweeper = loop.call_later(_SWEEP_SECONDS, self._sweep) if self._queue else None

    async def run(self) -> None:
        """Write batch after batch until cancelled. Never ends by itself, whatever becomes of a batch or a waiter."""
        while True:
            await self._arrived.wait()
            await self._gather()
            batch = list(islice(self._queue, LARGEST_BATCH))
            if not batch:
                self._arrived.clear()
                continue
            try:
                await self._write(batch)
            except Exception as problem:  # noqa: BLE001 - a batch may fail in any way
                if is_away(problem):
                    self._note_away(problem)
                    await asyncio.sleep(_TRY_AGAIN_SECONDS)
                else:
                    await self._one_by_one(batch)

    async def _gather(self) -> None:
        """Let those come who are just arriving: until the loop has read what it had, for a moment at most.

        A batch that sets off at once leaves half of a burst behind, and its thread fights the loop's for the
        interpreter: under 64 senders that cost a quarter of all processor time.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + _GATHER_SECONDS
        size, quiet_turns = len(self._queue), 0
        while quiet_turns < _QUIET_TURNS and size < LARGEST_BATCH and clock() < until:
            await asyncio.sleep(0)
            quiet_turns = quiet_turns + 1 if len(self._queue) == size else 0
            size = len(self._queue)

    async def _write(self, batch: list[_Waiting]) -> None:
        arrivals = [waiting.arrival for waiting in batch]
        receipts = await self._database.write(partial(self._record, arrivals=arrivals))
        self._note_back()
        for waiting, receipt in zip(batch, receipts, strict=True):
            self._queue.pop(waiting, None)
            # A request can be gone by now: set_result on its cancelled future would end this task, and every
            # later webhook would hang.
            if not waiting.done.done():
                waiting.done.set_result(receipt)

    async def _one_by_one(self, batch: list[_Waiting]) -> None:
        """A batch that the database refused goes again report by report, so that one poisoned report harms no other."""
        for waiting in batch:
            if waiting not in self._queue:
                continue
            try:
                await self._write([waiting])
            except Exception as problem:  # noqa: BLE001 - a batch may fail in any way
                if is_away(problem):
                    # The rest still waits in the queue, and finds the database back or is answered in time.
                    return
                # Where it happened, but not the exception's text: the database quotes the row it refused.
                where = "".join(traceback.format_tb(problem.__traceback__))
                size = len(waiting.arrival.body)
                log.error("a report of %d bytes could not be stored: %s\n%s", size, kind_of(problem), where)
                self._queue.pop(waiting, None)
                if not waiting.done.done():
                    waiting.done.set_exception(NotStored("The report could not be stored; the server's log says why."))

    def _note_away(self, problem: Exception) -> None:
        # Once: it is tried twenty times a second, and an outage can last the night.
        if not self._away_since:
            self._away_since = time.monotonic()
            log.warning("storing waits for the database: %s", kind_of(problem))

    def _note_back(self) -> None:
        if self._away_since:
            self._away_before, self._away_since = self.away_seconds, 0.0
            log.warning("storing goes on: the database is back")
