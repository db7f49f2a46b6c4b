"""A queue in which the visitors take turns: one who asks for a thousand things delays nobody who asks for one."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooManyWaiting(Exception):
    """This visitor already has as many requests in the queue as it holds for one."""


class Turn:
    """A place at work. It counts in all until `release_common`, and for its visitor until `release`."""

    def __init__(self, queue: FairQueue, who: str) -> None:
        self._queue = queue
        self._who = who
        self._is_common = self._is_own = True

    def release_common(self) -> None:
        """Make room for another visitor; the visitor of this turn still has it."""
        if self._is_common:
            self._is_common = False
            self._queue.working -= 1
            self._queue.admit()

    def release(self) -> None:
        """Make room for anybody. Calling it again does nothing."""
        self.release_common()
        if self._is_own:
            self._is_own = False
            self._queue.leave(self._who)

    def belongs_to(self, who: str) -> None:
        """Count this turn for another visitor: who it was is known only now."""
        if self._is_own and who != self._who:
            self._queue.leave(self._who)
            self._who = who
            self._queue.busy[who] += 1


class FairQueue:
    """At most `at_once` turns at a time, at most `each` of them of one visitor; free turns go round the visitors."""

    def __init__(self, *, at_once: int, each: int) -> None:
        self.at_once = at_once
        self.each = each
        self.working = 0
        self.busy: Counter[str] = Counter()
        """How many turns each visitor has."""
        # By visitor: the one that has waited longest for a turn first.
        self._waiting: OrderedDict[str, deque[asyncio.Future[Turn]]] = OrderedDict()

    def waiting(self, who: str) -> int:
        return len(self._waiting.get(who, ()))

    async def enter(self, who: str, *, most_waiting: int | None = None) -> Turn:
        """Wait for a turn. Raises TooManyWaiting where so many of this visitor wait already."""
        if not self.waiting(who) and self._may_begin(who):
            return self._begin(who)
        if most_waiting is not None and self.waiting(who) >= most_waiting:
            raise TooManyWaiting
        place: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(place)
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                place.result().release()
            else:
                self._forget(who, place)
            raise

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[Turn]:
        turn = await self.enter(who)
        try:
            yield turn
        finally:
            turn.release()

    def leave(self, who: str) -> None:
        self.busy[who] -= 1
        if not self.busy[who]:
            del self.busy[who]
        self.admit()

    def admit(self) -> None:
        """Give free turns to those who wait, one visitor after the other."""
        while (who := next((each for each in self._waiting if self._may_begin(each)), None)) is not None:
            places = self._waiting[who]
            place = places.popleft()
            if places:
                self._waiting.move_to_end(who)
            else:
                del self._waiting[who]
            if not place.cancelled():
                place.set_result(self._begin(who))

    def _may_begin(self, who: str) -> bool:
        return self.working < self.at_once and self.busy[who] < self.each

    def _begin(self, who: str) -> Turn:
        self.working += 1
        self.busy[who] += 1
        return Turn(self, who)

    def _forget(self, who: str, place: asyncio.Future[Turn]) -> None:
        places = self._waiting.get(who)
        if places and place in places:
            places.remove(place)
            if not places:
                del self._waiting[who]
