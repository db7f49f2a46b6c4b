"""Work on the event loop in slices of time, so that a long list of it keeps nothing else waiting."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)
log = logging.getLogger(__name__)


class TimeSlices(Generic[Item]):
    """Serves items in the order in which they were added; an item that waits keeps its place when it is added again."""

    def __init__(
        self,
        serve: Callable[[Item], None],
        *,
        seconds: float,
        rest: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` is the length of a slice; after one, the loop is left free for `rest` times as long as it took.

        A slice ends after the item with which it is over, so it takes longer where one item does.
        """
        self._serve = serve
        self._seconds = seconds
        self._rest = rest
        self._clock = clock
        self._waiting: dict[Item, None] = {}
        self._next: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            self._waiting.setdefault(item)
        if self._waiting and self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self.run_slice)

    def discard(self, item: Item) -> None:
        self._waiting.pop(item, None)

    def run_slice(self) -> None:
        """One slice; the next one is scheduled where items are left."""
        began = now = self._clock()
        while self._waiting:
            item = next(iter(self._waiting))
            del self._waiting[item]
            try:
                self._serve(item)
            except Exception:
                # One item that fails must not end the service of all others.
                log.exception("an item could not be served")
            now = self._clock()
            if now - began >= self._seconds:
                break
        loop = asyncio.get_running_loop()
        # Rested for even when nothing waits: the next item may be added at once.
        self._next = loop.call_later(self._rest * (now - began), self._rested) if self._rest else None
        if self._next is None and self._waiting:
            self._next = loop.call_soon(self.run_slice)

    def _rested(self) -> None:
        self._next = None
        if self._waiting:
            self.run_slice()
