"""Reports that were turned away at the platform's door: the last one, in memory alone, and lines in the log.

Of such a request nothing is kept but the moment and what was wrong: who sent it is unknown, so what it says is too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

from dashboard.notices import TROUBLE_MINUTES, Refusal
from dashboard.settings import CONNECT_COMMAND

log = logging.getLogger(__name__)

MISSING = "A report came without the webhook secret and was refused."
WRONG = "A report came with a wrong webhook secret and was refused."
MISDIRECTED = "A report was sent to the path {path} and refused: the path must be {right}."
UNGUARDED = "A report came from another machine, or through a tunnel or proxy, before the board had a webhook secret."

# A report that was not taken in. Of 401 and 429 `note` tells; whoever is answered 404 or 405 brings none.
TURNED_AWAY = frozenset({403, 408, 413, 503})

# A campaign sends the same mistake several times a second, and so does a stranger who guesses.
_SECONDS_BETWEEN_LINES = 60.0


class Refusals:
    """The last refusal of this process since it started; the log hears of the first, and of the others by the minute.

    That is a line a minute for each of the two kinds: what is to be done, and how many there were.
    """

    def __init__(self) -> None:
        self.last: Refusal | None = None
        self._certain_until = 0.0
        self._silent_until = 0.0
        self._since: Counter[int] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def note(self, problem: str, *, is_certain: bool = True) -> None:
        """Keep a refusal for the notice. One that may be anybody's does not take the place of one that is certain."""
        if is_certain:
            self._certain_until = time.monotonic() + TROUBLE_MINUTES * 60
        if is_certain or time.monotonic() >= self._certain_until:
            self.last = Refusal(time.time_ns() // 1000, problem)
        if time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + _SECONDS_BETWEEN_LINES
            log.warning("%s Nothing of it was stored. What to do: %s", problem, CONNECT_COMMAND)

    def count(self, status: int) -> None:
        """One more report was answered so: said at once when it is the first for a while, else with the others."""
        if self._timer is None:
            log.warning("A report was answered %d; nothing is known to be stored of it.", status)
            self._timer = asyncio.get_running_loop().call_later(_SECONDS_BETWEEN_LINES, self._sum_up)
        else:
            self._since[status] += 1

    def _sum_up(self) -> None:
        self._timer = None
        if self._since:
            counts = ", ".join(f"{count} with {status}" for status, count in sorted(self._since.items()))
            log.warning("In the last %d s more reports were answered so: %s.", _SECONDS_BETWEEN_LINES, counts)
            self._since.clear()
            self._timer = asyncio.get_running_loop().call_later(_SECONDS_BETWEEN_LINES, self._sum_up)
