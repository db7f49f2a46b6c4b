"""Returns free memory to the system: the C library keeps it otherwise, for as long as the process runs."""

from __future__ import annotations

import asyncio

from dashboard import machine

LOOK_SECONDS = 10.0
GROWN_BYTES = 4 * 2**20
"""Less than this is not worth the few milliseconds for which the allocator is locked.

With 16 MB, what a wave of requests left in its last seconds stayed with the process.
"""


class Memory:
    """Looks now and then whether this process has grown since it last returned memory."""

    def __init__(self) -> None:
        self._least = 0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        now = machine.memory_bytes()
        if not self._least:
            self._least = now
        elif now > self._least + GROWN_BYTES:
            await asyncio.to_thread(machine.give_memory_back)
            self._least = machine.memory_bytes()
        else:
            self._least = min(self._least, now)
