"""How many live pages one visitor may have open, and on how many different filters. Pure: counts, knows no page.

A page costs a connection and some 50 kB. A filter costs more: every change is compared with it, and its figures are
drawn again several times a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)

MOST_PAGES = 300
"""Live pages of one account, token or wall link: an office that shares one account has 200.

A report to 500 pages, 20 times a second, takes a fifth of a processor.
"""
MOST_FILTERS = 50
"""Different filters among the live pages of one visitor."""
MOST_FILTERS_IN_ALL = 500


class TooMany(Exception):
    """No further live page: of this visitor, or `in_all`."""

    def __init__(self, *, in_all: bool) -> None:
        super().__init__("too many live pages or filters")
        self.in_all = in_all


class Limits(NamedTuple):
    """None is no limit of its own: the number of connections still is one."""

    pages: int | None = MOST_PAGES
    filters: int = MOST_FILTERS


class StreamLimits:
    """Counts the live pages of one process by visitor and filter."""

    def __init__(self, *, filters_in_all: int = MOST_FILTERS_IN_ALL) -> None:
        self._filters_in_all = filters_in_all
        self._pages: Counter[str] = Counter()
        self._filters: dict[str, Counter[Hashable]] = {}
        self._all_filters: Counter[Hashable] = Counter()

    @property
    def filters(self) -> int:
        """How many different filters there are now."""
        return len(self._all_filters)

    def pages_of(self, who: str) -> int:
        return self._pages[who]

    @contextmanager
    def counted(self, who: str, wanted: Hashable, limits: Limits) -> Iterator[None]:
        """Count a page while it is open. Raises TooMany."""
        own: Counter[Hashable] = self._filters.get(who, Counter())
        if limits.pages is not None and self._pages[who] >= limits.pages:
            raise TooMany(in_all=False)
        if wanted not in own and len(own) >= limits.filters:
            raise TooMany(in_all=False)
        if wanted not in self._all_filters and len(self._all_filters) >= self._filters_in_all:
            raise TooMany(in_all=True)
        self._filters[who] = own
        own[wanted] += 1
        self._all_filters[wanted] += 1
        self._pages[who] += 1
        try:
            yield
        finally:
            _count_down(own, wanted)
            _count_down(self._all_filters, wanted)
            _count_down(self._pages, who)
            if not own:
                del self._filters[who]


def _count_down(counter: Counter[Key], key: Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
