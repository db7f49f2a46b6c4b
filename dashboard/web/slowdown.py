"""Whoever does something wrong too often is not listened to for a while."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict


class Slowdown:
    """Counts what somebody does wrong: more than `most` within `seconds` is too much. Bounded, whoever attacks."""

    _MOST = 10_000

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        # By a hash of who it is: ten thousand made-up names of 60 kB each would take all memory.
        self._counts: OrderedDict[bytes, tuple[float, int]] = OrderedDict()

    def is_over(self, who: str) -> bool:
        """Whether the next wrong thing would be one too many; counts nothing."""
        since, count = self._counts.get(sha_of(who), (0.0, 0))
        return count >= self._most and time.monotonic() - since <= self._seconds

    def is_too_much(self, who: str) -> bool:
        """Count one more wrong thing, and tell whether it was one too many."""
        now, sha = time.monotonic(), sha_of(who)
        since, count = self._counts.pop(sha, (now, 0))
        if now - since > self._seconds:
            since, count = now, 0
        self._counts[sha] = (since, count + 1)
        while len(self._counts) > self._MOST:
            self._counts.popitem(last=False)
        return count >= self._most


def sha_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
