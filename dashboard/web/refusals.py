"""Reports that were turned away at the platform's door: the last one, in memory alone, and a line in the log.

Of such a request nothing is kept but the moment and what was wrong: who sent it is unknown, so what it says is too.
"""

from __future__ import annotations

import logging
import time

from dashboard.notices import Refusal
from dashboard.settings import CONNECT_COMMAND

log = logging.getLogger(__name__)

MISSING = "A report came without the webhook secret and was refused."
WRONG = "A report came with a wrong webhook secret and was refused."
UNGUARDED = "A report came from another machine, or through a tunnel or proxy, before the board had a webhook secret."

# A campaign sends the same mistake several times a second, and so does a stranger who guesses.
_SECONDS_BETWEEN_LINES = 60.0


class Refusals:
    """The last refusal of this process since it started; the log hears of one a minute at most."""

    def __init__(self) -> None:
        self.last: Refusal | None = None
        self._silent_until = 0.0

    def note(self, problem: str) -> None:
        self.last = Refusal(time.time_ns() // 1000, problem)
        if time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + _SECONDS_BETWEEN_LINES
            log.warning("%s Nothing of it was stored. What to do: %s", problem, CONNECT_COMMAND)
