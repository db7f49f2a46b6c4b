"""When two spellings of an account's name are the same name. Pure."""

from __future__ import annotations

import re
import unicodedata

# What Unicode counts as letters and signs, and no screen shows: joiners, fillers, variation selectors, empty Braille.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# A name has at most 100 letters; each may have been typed as several code points.
_LONGEST_TYPED = 1000


def name_key(name: str) -> str:
    """What all spellings of a name have in common: neither case, nor Unicode normal form, nor blanks at its ends or
    repeated in it, nor characters that no screen shows make another name.

    Phones write the first letter large and add a blank after a suggested word; keyboards differ in the normal form.
    """
    shown = _UNSEEN.sub("", unicodedata.normalize("NFKC", name[:_LONGEST_TYPED]))
    folded = unicodedata.normalize("NFKC", shown.casefold())
    return " ".join("".join(char for char in folded if unicodedata.category(char) != "Cf").split())
