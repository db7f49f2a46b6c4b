"""Terminals and pipes that are not UTF-8: what a command prints arrives readable there, and ends no command.

Imports nothing of the house.
"""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

ERRORS = "callboard-plain"
_PLAIN = {
    "✓": "+",
    "✗": "x",
    "…": "...",
    "—": "-",
    "–": "-",
    "‑": "-",
    "→": "->",
    "·": "-",
    "•": "*",
    "‘": "'",
    "’": "'",
    "‹": "<",
    "›": ">",
    "“": '"',
    "”": '"',
    "„": '"',
    "«": '"',
    "»": '"',
    "\N{NO-BREAK SPACE}": " ",
}


def set_up() -> None:
    """Standard output and error write what their encoding lacks in plain letters, instead of raising.

    The encoding stays: a terminal shows the bytes of another one as garbage.
    """
    codecs.register_error(ERRORS, in_plain_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def in_plain_letters(problem: UnicodeError) -> tuple[str, int]:
    """The handler: ASCII for the letters that cannot be written, "?" where there is none."""
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    letters = problem.object[problem.start : problem.end]
    return "".join(map(_plain, letters)), problem.end


def is_text(value: object) -> bool:
    """Whether an argument is no string, or one that a database takes: bytes of another encoding come as surrogates.

    Paths may hold any bytes, and are no strings.
    """
    return not isinstance(value, str) or value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _plain(letter: str) -> str:
    bare = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return _PLAIN.get(letter) or bare or "?"
