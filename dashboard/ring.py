"""The newest changes of calls, each drawn at most once each way for however many pages it goes to. Knows no page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from dashboard.calls import Facts
from dashboard.render import Renderer, masked_row
from dashboard.sse import sse_frame
from dashboard.store.calls import CallRow
from dashboard.store.news import Gone

RING_SIZE = 1_000


@dataclass(frozen=True)
class Frame:
    """One change of a call, ready to be shown or dropped by a page."""

    row: CallRow | Gone
    facts: Facts | None
    """None of a call that is no more: it is only ever dropped."""
    draw: Renderer = field(repr=False)
    was: frozenset[str | None] = frozenset({None})
    """The campaigns that the call had before; None among them stands for one that is not known."""
    is_early: bool = False
    """Whether it stands where the call first changed: there it is only dropped. A later frame shows it."""

    @cached_property
    def show(self) -> bytes:
        assert isinstance(self.row, CallRow)
        return sse_frame(self.draw.show_call(self.row), id=self.row.seq)

    @cached_property
    def show_masked(self) -> bytes:
        """Drawn only where somebody looks on who may not see numbers."""
        assert isinstance(self.row, CallRow)
        return sse_frame(self.draw.show_call(masked_row(self.row, self.draw.region)), id=self.row.seq)

    @cached_property
    def drop(self) -> bytes:
        return sse_frame(self.draw.drop_call(self.row.id, for_good=self.facts is None), id=self.row.seq)


class Ring:
    """The last RING_SIZE frames or more, in the order of their numbers."""

    def __init__(self) -> None:
        self.start = 0
        """The ring knows every change after this number."""
        self._frames: list[Frame] = []
        self._seqs: list[int] = []

    def extend(self, frames: Sequence[Frame]) -> None:
        self._frames += frames
        self._seqs += (frame.row.seq for frame in frames)
        if len(self._frames) > 2 * RING_SIZE:
            self.start = self._seqs[-RING_SIZE - 1]
            del self._frames[:-RING_SIZE], self._seqs[:-RING_SIZE]

    def since(self, seq: int) -> list[Frame] | None:
        """The newest frame of each call that changed after a number; None if the ring no longer knows them all.

        Only the newest: a call that was made and left a filter since then must not be shown first and then stay, as
        a page that had not seen it made is not told to drop it. Its `was` has every campaign that the call had since
        the number: a page may have seen it in any of them. A call with more of them than the newest frame has comes
        early, too: a page that gets no further than to a number between two moves would know only the second one. One
        that was made since is on no page yet.
        """
        if seq < self.start:
            return None
        of_call: dict[int, list[Frame]] = {}
        for frame in self._frames[bisect_right(self._seqs, seq) :]:
            of_call.setdefault(frame.row.id, []).append(frame)
        since = [frame for frames in of_call.values() for frame in _without_repeats(frames)]
        return sorted(since, key=lambda frame: frame.row.seq)


def _without_repeats(frames: list[Frame]) -> list[Frame]:
    """Of all frames of one call, oldest first, those that a page needs that has none of them."""
    first, newest = frames[0].row, frames[-1]
    was = newest.was.union(*(frame.was for frame in frames[:-1]))
    if was == newest.was or first.seq == first.created_seq:
        return [newest]
    row = newest.row._replace(seq=first.seq)
    return [replace(newest, row=row, was=was, is_early=True), replace(newest, was=was)]
