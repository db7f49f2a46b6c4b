"""Rate limits for wrong passwords, tokens and secrets: in memory, bounded, one object of each app."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict

from dashboard.web.client_address import Client

_FACTORS = (1, 2, 4)


class Slowdown:
    """Counts failures by key: a key that has `most` within `seconds` is over the limit for the rest of that time."""

    _MOST = 10_000

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        # Keys are hashed: ten thousand made-up names of 60 kB each would take all memory.
        self._counts: OrderedDict[bytes, tuple[float, int]] = OrderedDict()
        """Keys below the limit: when their time began and how many failures they have."""
        self._over: OrderedDict[bytes, float] = OrderedDict()
        """Keys over the limit, and when their time began."""

    def is_over(self, who: str) -> bool:
        """Whether the limit is reached; counts nothing."""
        return self._is_over(sha_of(who))

    def is_too_much(self, who: str) -> bool:
        """Count one failure; gives whether the limit had been reached before it."""
        now, sha = time.monotonic(), sha_of(who)
        if self._is_over(sha):
            return True
        self._over.pop(sha, None)
        since, count = self._counts.pop(sha, (now, 0))
        if now - since > self._seconds:
            since, count = now, 0
        if count + 1 >= self._most:
            self._over[sha] = since
        else:
            self._counts[sha] = (since, count + 1)
        # Keys over the limit are dropped last: otherwise an attacker could free one by filling the table with others.
        while len(self._counts) + len(self._over) > self._MOST:
            (self._counts or self._over).popitem(last=False)
        return False

    def _is_over(self, sha: bytes) -> bool:
        since = self._over.get(sha)
        return since is not None and time.monotonic() - since <= self._seconds


class NetworkSlowdown:
    """The same by client address: one IPv4 address or IPv6 /64 counts as one, wider networks have larger limits."""

    def __init__(self, *, most: int, seconds: float) -> None:
        self._by_factor = {factor: Slowdown(most=most * factor, seconds=seconds) for factor in _FACTORS}

    def is_over(self, client: Client) -> bool:
        return any(self._by_factor[network.factor].is_over(network.key) for network in client.networks)

    def is_too_much(self, client: Client) -> bool:
        """Count one failure; gives whether a limit of one of the client's networks had been reached before it.

        A failure over a limit is not counted, so one client alone cannot use up the limit of its wider networks.
        """
        if self.is_over(client):
            return True
        for network in client.networks:
            self._by_factor[network.factor].is_too_much(network.key)
        return False


def sha_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
