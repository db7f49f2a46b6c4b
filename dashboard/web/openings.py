"""Who may use which address: said beside each route, obeyed by the door.

A route that says nothing would be open or shut by accident, so the board does not start with one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar

from dashboard.roles import ADMIN, REVIEWER, VIEWER, Rights

View = TypeVar("View", bound=Callable[..., Any])

_MARK = "open_to"


class Who(Enum):
    """Whom an address is open to, from everybody down to admins; each but the first has to be signed in."""

    ANYBODY = "anybody"
    """It shows nothing of any call."""
    WALL_LINK = "whoever has the wall's link, and everybody who is signed in"
    VIEWERS = "everybody who is signed in"
    REVIEWERS = "reviewers and admins"
    ADMINS = "admins"

    def lets_in(self, rights: Rights) -> bool:
        """Whether whoever has these rights is among them."""
        match self:
            case Who.REVIEWERS:
                return rights.role in (REVIEWER, ADMIN)
            case Who.ADMINS:
                return rights.role == ADMIN
            case _:
                return rights.role in (VIEWER, REVIEWER, ADMIN)


class Undeclared(Exception):
    """A route does not say whom it is open to; the text names it."""


def open_to(who: Who) -> Callable[[View], View]:
    """Says whom a route is open to; stands between the route and its function."""

    def declare(view: View) -> View:
        setattr(view, _MARK, who)
        return view

    return declare


def openings_of(views: Mapping[str, Callable[..., Any]]) -> dict[str, Who]:
    """Whom every endpoint is open to, by its name. Raises Undeclared."""
    openings = {endpoint: getattr(view, _MARK, None) for endpoint, view in views.items()}
    if silent := sorted(endpoint for endpoint, who in openings.items() if who is None):
        raise Undeclared(f"These routes do not say whom they are open to, with @open_to: {', '.join(silent)}.")
    return {endpoint: who for endpoint, who in openings.items() if who is not None}
