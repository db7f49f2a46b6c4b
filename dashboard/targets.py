"""Where reports are handed on to, as DASHBOARD_FORWARD_TO names it. Pure; an address never shows itself.

A target is known by its name, or else by its host: a key in its address can be changed, and it goes on where it was.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from dashboard.links import Url, parse_url

MOST = 8
LONGEST_NAME = 60
_BETWEEN = re.compile(r"[\s,]+")
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)=(?P<url>.*)", re.DOTALL)


class BadTargets(ValueError):
    """The text cannot be used; the message says why, without a word of any address but its host."""


@dataclass(frozen=True)
class Target:
    """`url` bears keys more often than not: it is in no message, no log and no repr."""

    name: str
    url: Url = field(repr=False)


def read_targets(text: str, private_hosts: Collection[str]) -> tuple[Target, ...]:
    """Addresses, each perhaps with `name=` before it, with commas or blanks between. Raises BadTargets.

    Plain http would carry people's conversations readable over the internet: it is for `private_hosts` alone, which are
    exact host:port pairs.
    """
    targets: dict[str, Target] = {}
    for number, part in enumerate(filter(None, _BETWEEN.split(text)), 1):
        named = _NAMED.fullmatch(part)
        url = parse_url(named["url"] if named else part)
        if url is None:
            raise BadTargets(
                f"number {number} is not an https address. A comma in an address is written %2C, and there is no place "
                "for user:password@ in it"
            )
        if url.scheme != "https" and _pair(url) not in {host.lower() for host in private_hosts}:
            raise BadTargets(
                f"number {number} is plain http, which anybody on the way can read. Use https, or add {_pair(url)} to "
                "DASHBOARD_FORWARD_HOSTS if it is inside your own network"
            )
        name = named["name"] if named else url.authority
        if name in targets or len(name) > LONGEST_NAME:
            raise BadTargets(f"number {number} needs a short name of its own, such as crm=https://…")
        targets[name] = Target(name, url._replace(fragment=""))
    if len(targets) > MOST:
        raise BadTargets(f"at most {MOST} targets are served")
    return tuple(targets.values())


def _pair(url: Url) -> str:
    return f"{url.bracketed_host}:{url.port}"
