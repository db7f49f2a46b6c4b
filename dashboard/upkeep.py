"""Looks after what is kept: packs the bodies of reports, removes what has reached its age. Never in a webhook's way.

In small steps with pauses between them; where it has come to stands in the database, so it goes on after a stop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from dashboard.database import Database, kind_of
from dashboard.recordings.keep import Keep
from dashboard.retention import Retention
from dashboard.store.bodies import PACK, keep_packed, next_plain, pack_all
from dashboard.store.recordings import discarded, forget_discarded
from dashboard.store.retention import TASKS, next_due, remove_due

log = logging.getLogger(__name__)

# What has just come in is likely to be changed, and looked at, first.
PACK_AFTER_SECONDS = 600
# A recording with the same bytes may have been put in the folder just now, and not be written down yet. By then it is,
# or the claim under which it was fetched has run out.
_REST_SECONDS = 180.0
_LOOK_SECONDS = 60.0
_SHORTEST_PAUSE = 0.05
# Of the writer's time, upkeep takes a fifth at most while it has something to do.
_PAUSES_A_STEP = 4


class Upkeep:
    """The upkeep of one database; several processes may be at it, and do nothing twice."""

    def __init__(
        self,
        database: Database,
        keep: Keep,
        retention: Retention,
        now: Callable[[], int],
        *,
        pack_after_seconds: int = PACK_AFTER_SECONDS,
    ) -> None:
        """`now` gives microseconds since 1970."""
        self._database = database
        self._keep = keep
        self._retention = retention
        self._now = now
        self._pack_after = pack_after_seconds * 1_000_000
        self.done: Counter[str] = Counter()
        """How many bodies were packed, and how many of what was removed."""

    async def run(self) -> None:
        """Step after step until cancelled."""
        # A board that starts has its index to read first, and pages that come back.
        await asyncio.sleep(_LOOK_SECONDS)
        while True:
            started = time.monotonic()
            try:
                is_busy = await self.step()
            except (SQLAlchemyError, OSError) as problem:
                log.warning("upkeep waits: %s", kind_of(problem))
                is_busy = False
            except Exception:
                # The next look may go well; one row that cannot be seen to must not end the rest for good.
                log.exception("upkeep stumbled")
                is_busy = False
            took = time.monotonic() - started
            await asyncio.sleep(max(_SHORTEST_PAUSE, _PAUSES_A_STEP * took) if is_busy else _LOOK_SECONDS)

    async def step(self) -> bool:
        """One short transaction of whatever is to be done; False when there is nothing."""
        for task in TASKS:
            cutoff = self._retention.cutoff(task, self._now())
            if cutoff is not None and await self._remove(task, cutoff):
                return True
        return await self._pack() or await self._clear_discarded()

    async def _remove(self, task: str, cutoff: int) -> bool:
        due = await self._database.read(partial(next_due, task=task, cutoff=cutoff))
        if due is None:
            return False
        self.done[task] += await self._database.write(partial(remove_due, task=task, due=due, cutoff=cutoff))
        return True

    async def _pack(self) -> bool:
        plain = await self._database.read(partial(next_plain, before=self._now() - self._pack_after))
        if plain is None:
            return False
        # In a thread: the loop has pages and webhooks to serve.
        ready = await asyncio.to_thread(pack_all, *plain)
        await self._database.write(partial(keep_packed, ready=ready))
        self.done[PACK] += len(ready.bodies)
        return True

    async def _clear_discarded(self) -> bool:
        return await clear_discarded(self._database, self._keep, rest_seconds=_REST_SECONDS) > 0


async def clear_discarded(database: Database, keep: Keep, *, rest_seconds: float = 0) -> int:
    """Remove the next few files that no call has any more; gives of how many nothing is left to do.

    Those that were put there within `rest_seconds` stay until they are looked at again. First the file, then the note
    of it: after a stop in between, it is looked for once more, and nothing is left over.
    """
    files = await database.read(discarded)
    done = [file for file, is_used in files if is_used or await _is_gone(keep, file, rest_seconds)]
    if done:
        await database.write(partial(forget_discarded, files=done))
    return len(done)


async def _is_gone(keep: Keep, file: str, rest_seconds: float) -> bool:
    try:
        return await keep.remove(file, rest_seconds=rest_seconds)
    except ValueError:
        return True  # no name that the folder would ever have given
