"""Reports that were turned away at the platform's door: the last of each reason, in memory alone, and lines in the log.

Of such a request nothing is kept but the moment and what was wrong: who sent it is unknown, so what it says is too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

from dashboard.notices import TROUBLE_MINUTES, Refusal
from dashboard.public_url import WEBHOOK_PATH
from dashboard.settings import CONNECT_COMMAND

log = logging.getLogger(__name__)

MISSING = "A report came without the webhook secret and was refused."
WRONG = "A report came with a wrong webhook secret and was refused."
MISDIRECTED = f"A report was sent to the path {{path}} and refused: the path must be {WEBHOOK_PATH}."
ELSEWHERE = f"A report was sent to a wrong path of this server and refused: the path must be {WEBHOOK_PATH}."
"""The same for those who are no admins: anybody can choose the path, and with it what it reads as."""
UNGUARDED = "A report came from another machine, or through a tunnel or proxy, before the board had a webhook secret."

# A report that was not taken in. Of 401 and 429 `note` tells; whoever is answered 404 or 405 brings none.
TURNED_AWAY = frozenset({403, 408, 413, 503})

# A campaign sends the same mistake several times a second, and so does a stranger who guesses.
_SECONDS_BETWEEN_LINES = 60.0


class Refusals:
    """The last refusal of each reason since this process started; the log hears of each reason once a minute.

    How many reports were turned away is a line a minute, too.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, bool], Refusal] = {}
        """By reason, and whether it is certain: a sender without the secret replaces no other reason."""
        self._certain_until = 0.0
        self._silent_until: dict[str, float] = {}
        self._since: Counter[int] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def last(self) -> Refusal | None:
        """The last refusal; one that may be anybody's only where none was certain within the hour."""
        return next(iter(self.recent()), None)

    def recent(self) -> list[Refusal]:
        """The last refusal of each reason, the newest first; those that are certain come before those that are not."""
        has_certain = time.monotonic() < self._certain_until
        order = sorted(self._last, key=lambda key: (has_certain and key[1], self._last[key].at), reverse=True)
        return [self._last[key] for key in order]

    def note(self, problem: str) -> None:
        """Keep a refusal for the notice."""
        self._note(problem, problem, "", is_certain=True)

    def note_misdirected(self, path: str, *, is_certain: bool) -> None:
        """The same for a report to a wrong path; it is certain when it came with the right secret."""
        self._note(ELSEWHERE, MISDIRECTED.format(path=path), ELSEWHERE, is_certain=is_certain)

    def _note(self, reason: str, problem: str, for_others: str, *, is_certain: bool) -> None:
        now = time.monotonic()
        if is_certain:
            self._certain_until = now + TROUBLE_MINUTES * 60
        self._last[reason, is_certain] = Refusal(time.time_ns() // 1000, problem, for_others)
        if now >= self._silent_until.get(reason, 0.0):
            self._silent_until[reason] = now + _SECONDS_BETWEEN_LINES
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
