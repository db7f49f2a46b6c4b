"""What the server knows of each open page, and what pages of one filter share. Holds state only; serves nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date
from itertools import count

from dashboard.byte_cache import Piece
from dashboard.filters import CallFilter

_numbers = count()


class View:
    """What all pages of one filter and one drawing share, made once for them and again when something has changed."""

    def __init__(self, wanted: CallFilter, is_masked: bool) -> None:
        self.wanted = wanted
        self.is_masked = is_masked
        self.number = next(_numbers)
        self.pages = 0
        self.idle: dict[int, Idle] = {}
        """The pages that wait for news, by the id of the page."""
        self.figures = self.outside = b""
        """As they were drawn last; b"" until the first time."""
        self.figures_version = -1
        """The feed's when they were drawn."""


class Visit:
    """Whether the visitor of a stream may go on looking. Whoever keeps the door says so; streams look at every beat."""

    __slots__ = ("__weakref__", "has_ended")

    def __init__(self) -> None:
        self.has_ended = False


@dataclass(slots=True)
class Page:
    """What the server knows of an open page."""

    view: View
    day: date
    beats: int
    visit: Visit
    who: str
    epoch: str
    """Of the database from which the page was drawn."""
    cursor: int = 0
    is_behind_ring: bool = False
    """Whether it was further behind than the ring goes back, and has not yet got all that the table has."""
    figures: bytes = b""
    outside: bytes = b""
    notices: str = ""

    def go_to(self, piece: Piece) -> None:
        """Note that the page has this piece."""
        self.cursor = piece.upto
        self.is_behind_ring = self.is_behind_ring and not piece.is_last


@dataclass(slots=True, eq=False)
class Idle:
    """A page that waits, and the transport by which it can be reached meanwhile, where it has one."""

    page: Page
    transport: asyncio.WriteTransport | None
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Wall:
    """What all walls of one filter share."""

    def __init__(self) -> None:
        self.pages = 0
        self.drawn_at: object = None
        """The state of the feed for which it was drawn."""
        self.html: str | None = ""
        """None: there is nothing to draw any more."""
