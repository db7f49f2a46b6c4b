"""When nobody listened: the spans in which some process could store, and the gaps between them.

Pure; imports nothing of the house. Moments are microseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

SHORTEST = 60 * 1_000_000
"""Less than this between two spans is no gap: a restart takes seconds, and a span is known to a quarter of a minute."""

# How a span ended; "" is one that goes on, or whose process was gone without a word.
STOPPED, AWAY, STALLED = "stopped", "away", "stalled"
_WORDS = {
    STOPPED: "The board was stopped.",
    AWAY: "The database was away (locked, full or gone): reports were answered 503.",
    STALLED: "The board or its machine stood still.",
    "": "The board was gone without a word: killed, or its machine lost power.",
}


class Span(NamedTuple):
    """From when to when a process listened. `filled_at`: nobody did, but what was missed was brought in later."""

    start: int
    end: int
    ending: str = ""
    id: int = 0
    filled_at: int | None = None


class Gap(NamedTuple):
    """From when to when nobody listened. `is_open` while it lasts; `filled_at`: when what was missed was brought in."""

    start: int
    end: int
    ending: str
    is_open: bool = False
    filled_at: int | None = None

    @property
    def seconds(self) -> int:
        return (self.end - self.start) // 1_000_000

    @property
    def why(self) -> str:
        """A sentence."""
        return _WORDS[self.ending]


def chains(spans: Iterable[Span]) -> list[list[Span]]:
    """Spans that no gap lies between, together; each chain and all of them in the order of time."""
    found: list[list[Span]] = []
    reached = 0
    for span in sorted(spans):
        if found and span.start - reached < SHORTEST:
            found[-1].append(span)
            reached = max(reached, span.end)
        else:
            found.append([span])
            reached = span.end
    return found


def last_of(chain: Sequence[Span]) -> Span:
    """The span that ended last; of several, one that says how."""
    return max(chain, key=lambda span: (span.end, span.ending))


def gaps_of(listened: Iterable[Span], until: int) -> list[Gap]:
    """The gaps of at least a minute up to a moment, in the order of time. Before the first span nothing is a gap."""
    found = chains(span for span in listened if span.start <= until)
    gaps = [Gap(last_of(chain).end, after[0].start, last_of(chain).ending) for chain, after in pairwise(found)]
    if found and until - (last := last_of(found[-1])).end >= SHORTEST:
        gaps.append(Gap(last.end, until, last.ending, is_open=True))
    return gaps


def with_fills(gaps: Iterable[Gap], fills: Iterable[Span]) -> list[Gap]:
    """The gaps, and when each was filled: only what covers all of it has filled it."""
    ordered = sorted(fills)
    return [gap._replace(filled_at=_filled_at(gap, ordered)) for gap in gaps]


def _filled_at(gap: Gap, fills: Sequence[Span]) -> int | None:
    reached, filled_at = gap.start, 0
    for fill in fills:
        if fill.start <= reached < fill.end and reached < gap.end:
            reached, filled_at = fill.end, max(filled_at, fill.filled_at or 0)
    return filled_at if reached >= gap.end else None


def missed_seconds(gaps: Iterable[Gap], first: int, last: int) -> int:
    """How much of a stretch of time lies in gaps that nothing has filled; `last` is the moment after it."""
    within = (min(gap.end, last) - max(gap.start, first) for gap in gaps if gap.filled_at is None)
    return sum(part for part in within if part > 0) // 1_000_000


def length_words(seconds: int) -> str:
    """11 min; 2 h 05 min; 3 d 4 h."""
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // (24 * 60)} d {minutes // 60 % 24} h"
