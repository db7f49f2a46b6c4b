"""What the doctor says: a mark and a sentence."""

from __future__ import annotations

from typing import NamedTuple

GOOD, DOUBT, BAD = "✓", "!", "✗"


class Finding(NamedTuple):
    """`mark` is GOOD, DOUBT (worth a look), or BAD (mend it); `words` say what it is and what to do."""

    mark: str
    words: str


def good(words: str) -> Finding:
    return Finding(GOOD, words)


def doubt(words: str) -> Finding:
    return Finding(DOUBT, words)


def bad(words: str) -> Finding:
    return Finding(BAD, words)
