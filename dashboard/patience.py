"""What is done after an attempt to hand a report on: it is sent, tried later, or set aside. Pure."""

from __future__ import annotations

from typing import NamedTuple

from dashboard.outside.post import Answer

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 3600.0
# A target may ask for more patience than we have by ourselves, but not to be forgotten.
LONGEST_ASKED_SECONDS = 86_400.0
PATIENCE_SECONDS = 3 * 86_400
"""How old a report may become before it is set aside, counted from its arrival.

Counted from the first attempt it would be three days for each in turn: a line behind a dead target would never end.
"""
REFUSED_TRIES = 4
"""How often a report is sent that the target refuses for what it is."""

# Of all 4xx these speak of us (key, quota, time), not of the report: the next report would fare no better.
_ABOUT_US = frozenset({401, 402, 403, 407, 408, 425, 429})


class Sent(NamedTuple):
    words: str


class Later(NamedTuple):
    """The line waits `seconds`, then sends the same report."""

    words: str
    seconds: float


class Aside(NamedTuple):
    """The line goes on without this report, after `seconds`."""

    words: str
    seconds: float = 0


class Gone(NamedTuple):
    """There is nothing to send any more."""

    words: str = "Its bytes were erased before it was handed on."


Outcome = Sent | Later | Aside | Gone


def judge(answer: Answer, *, attempt: int, failures: int, age_seconds: float, chance: float) -> Outcome:
    """What this answer means for a report of this age, sent for the `attempt`-th time.

    `failures` is how many attempts before this one failed in a row, `chance` any number from 0 to 1.
    """
    status = answer.status
    if status is not None and 200 <= status < 300:
        return Sent(answer.words)
    seconds = wait_seconds(failures, answer.retry_after, chance)
    if age_seconds >= PATIENCE_SECONDS:
        return Aside(given_up(answer.words), seconds)
    if is_refused(status) and attempt >= REFUSED_TRIES:
        return Aside(f"{answer.words} It was sent {attempt} times.")
    return Later(answer.words, seconds)


def is_refused(status: int | None) -> bool:
    """Whether the target will not have this very report: it must not hold up the others."""
    return status is not None and 400 <= status < 500 and status not in _ABOUT_US


def given_up(words: str) -> str:
    return f"Given up after {PATIENCE_SECONDS // 86_400} days. {words}"


def wait_seconds(failures: int, retry_after: float | None, chance: float) -> float:
    """Five seconds, then twice as long each time, up to an hour; never sooner than the target asked for."""
    delay = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures, 20))
    # Not all boards that wait for one target come back in the same second.
    delay = max(FIRST_SECONDS, delay * (1 - chance / 4))
    return max(delay, min(retry_after or 0, LONGEST_ASKED_SECONDS))
