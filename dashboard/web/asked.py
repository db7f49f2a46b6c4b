"""What a program or a download asks for: the filter in its address, within what whoever asks may see."""

from __future__ import annotations

from quart import Response, request

from dashboard.filters import BadFilter, CallFilter, read_filter
from dashboard.web.door import rights
from dashboard.web.parts import board
from dashboard.web.plain import refuse


def asked_filter() -> CallFilter:
    """The calls that are asked for. Raises BadFilter.

    The one place where the campaigns of whoever asks narrow a filter of the API and of the files.
    """
    wanted = read_filter(request.args.items(multi=True))
    allowed = rights().campaigns
    if not allowed:
        return wanted
    chosen = set(wanted.campaign or allowed) & set(allowed)
    if not chosen:
        # An empty choice would mean all campaigns.
        raise BadFilter(f"campaign must be one that you may see: {', '.join(allowed)}.")
    return wanted.with_values("campaign", chosen)


def may_see(campaign: str) -> bool:
    """Whether whoever asks may see a call of this campaign."""
    allowed = rights().campaigns
    return not allowed or campaign in allowed


def starting() -> Response | None:
    """While the index is loaded: when to ask again."""
    if board().feed.ready.is_set():
        return None
    return refuse(503, "The board is reading its calls. Ask again in a moment.", {"Retry-After": "1"})
