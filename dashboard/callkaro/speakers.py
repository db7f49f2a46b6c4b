"""Which labels of a transcript name a speaker, and on which side of the call that speaker is. Pure.

CallKaro does not document the labels of its transcripts. Its agents speak nine languages, so the words for "agent" and
"customer" are listed in all of them. Sources: the labels used by common voice-agent platforms and their Indian users.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Literal

Speaker = Literal["agent", "customer", "other"]

MAX_LABEL_LENGTH = 40
_AGENT_WORDS = """
    agent assistant bot ai voicebot callbot robot operator representative executive
    एजेंट एजेन्ट सहायक असिस्टेंट बॉट प्रतिनिधि एजंट एजन्ट सहाय्यक प्रतिनिधी
    এজেন্ট সহকারী বট প্রতিনিধি એજન્ટ સહાયક બોટ પ્રતિનિધિ
    முகவர் ஏஜென்ட் ஏஜெண்ட் உதவியாளர் பிரதிநிதி ఏజెంట్ సహాయకుడు సహాయకురాలు బాట్ ప్రతినిధి
    ಏಜೆಂಟ್ ಸಹಾಯಕ ಬಾಟ್ ಪ್ರತಿನಿಧಿ ഏജന്റ് ഏജൻ്റ് സഹായി ബോട്ട് പ്രതിനിധി
"""
_CUSTOMER_WORDS = """
    user customer client caller human lead callee participant borrower patient prospect
    ग्राहक यूजर यूज़र उपयोगकर्ता कॉलर ग्राहकाने वापरकर्ता কাস্টমার গ্রাহক ব্যবহারকারী কলার
    ગ્રાહક વપરાશકર્તા કોલર வாடிக்கையாளர் பயனர் அழைப்பாளர் కస్టమర్ వినియోగదారు వినియోగదారుడు కాలర్
    ಗ್ರಾಹಕ ಬಳಕೆದಾರ ಕರೆಗಾರ ഉപഭോക്താവ് ഉപയോക്താവ് കസ്റ്റമർ വിളിക്കുന്നയാൾ
"""
# Parts of a call that are neither side's speech.
_OTHER_WORDS = "system tool function narrator note silence event"
# Words that may accompany a known word in a label, such as "AI Agent" and "Virtual assistant".
_ADJECTIVES = "ai voice virtual sales support call calling the our automated digital phone human"
_WORD = re.compile(r"[^\s()\[\]{}<>/|,\-–—_.#]+")
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


@lru_cache(1_000)
def label_key(label: str) -> str:
    """The form in which labels are compared: case, joiners and repeated blanks make no difference."""
    text = "".join(sign for sign in unicodedata.normalize("NFC", label) if unicodedata.category(sign) != "Cf")
    return " ".join(text.casefold().split())


def _keys(words: str) -> frozenset[str]:
    return frozenset(label_key(word) for word in words.split())


_SIDES: dict[str, Speaker] = {
    **dict.fromkeys(_keys(_OTHER_WORDS), "other"),
    **dict.fromkeys(_keys(_CUSTOMER_WORDS), "customer"),
    **dict.fromkeys(_keys(_AGENT_WORDS), "agent"),
}
_EXTRA = _keys(_ADJECTIVES)


def is_known(key: str) -> bool:
    """Whether a label names a side by itself: "Agent", "AI Agent", "Agent (Riya)", "Customer 1"; not "Customer name".

    `key` is what `label_key` returns. A known label starts a turn even where it appears once.
    """
    words = _WORD.findall(_BRACKETED.sub(" ", key))
    sides = {_SIDES[word] for word in words if word in _SIDES and word not in _EXTRA}
    if not sides:
        # "AI" alone is a side; in "AI Agent" it is an adjective.
        sides = {_SIDES[word] for word in words if word in _SIDES}
    if len(sides) != 1 or sides == {"other"}:
        return False
    return all(word in _SIDES or word in _EXTRA or word.isdecimal() for word in words)


def _side(key: str) -> Speaker | None:
    """The side that the words of a label name; None where they name none, or both."""
    if key in _SIDES:
        return _SIDES[key]
    words = _WORD.findall(key)
    sides = {_SIDES[word] for word in words if word in _SIDES and word not in _EXTRA}
    sides = sides or {_SIDES[word] for word in words if word in _SIDES}
    return sides.pop() if len(sides) == 1 else None


def sides_of(keys: Iterable[str]) -> dict[str, Speaker]:
    """The side of each speaker's label of one transcript.

    A call has two sides. Where one side is named by its label and exactly one label remains, that label is the other
    side: in "Riya: …", "User: …", Riya is the agent.
    """
    sides = {key: _side(key) for key in dict.fromkeys(keys)}
    known = {side for side in sides.values() if side in ("agent", "customer")}
    unknown = [key for key, side in sides.items() if side is None and key]
    guess = _opposite(known) if len(unknown) == 1 else None
    return {key: side or (guess if key in unknown and guess else "other") for key, side in sides.items()}


def _opposite(known: Collection[Speaker]) -> Speaker | None:
    if len(known) != 1:
        return None
    return "customer" if "agent" in known else "agent"
