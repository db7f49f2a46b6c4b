"""Whether a write commits: tried once for all who want to know, and not again within a second."""

from __future__ import annotations

import asyncio
import math

from dashboard.watch import Watch

PATIENCE_SECONDS = 2.0
# Whoever watches, or a stranger who asks a thousand times a second, causes one small transaction a second.
KEPT_SECONDS = 1.0


class Readiness:
    """The last answer of one process's writer, and the question that is on its way, if one is."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._asking: asyncio.Task[None] | None = None
        self._good_until = -math.inf

    async def can_write(self) -> bool:
        """Within PATIENCE_SECONDS. A writer that does not answer is not asked again until it has answered."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._good_until:
            return True
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        # Not wait_for: it would cancel the question that others wait for too.
        await asyncio.wait([self._asking], timeout=PATIENCE_SECONDS)
        return loop.time() < self._good_until

    async def _ask(self) -> None:
        # A transaction that writes nothing succeeds on a standby, and on a file system that has become read-only.
        could_store = await self._watch.beat()
        self._good_until = asyncio.get_running_loop().time() + KEPT_SECONDS if could_store else -math.inf
