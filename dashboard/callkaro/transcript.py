"""A transcript as turns of speech. Its format is undocumented: every shape seen elsewhere is tried, text comes last."""

from __future__ import annotations

import json
import re
from typing import Literal, NamedTuple

from dashboard.callkaro.report import JSON, as_text, storable

Speaker = Literal["agent", "customer", "other"]

_SPEAKERS: dict[str, Speaker] = {
    **dict.fromkeys(("agent", "assistant", "bot", "ai", "system agent", "voice agent", "एजेंट"), "agent"),
    **dict.fromkeys(
        ("user", "customer", "client", "caller", "human", "lead", "callee", "participant", "ग्राहक"), "customer"
    ),
}
# "Agent: …", "[00:12] User: …", "**Bot**: …"; the label is a word or two at the start of a line. Not \w alone: to it,
# the vowel signs of Indian scripts are no letters.
_LABELLED = re.compile(
    r"^\W{0,3}(?:\[?\d{1,2}:\d{2}(?::\d{2})?\]?\s*)?\**([^\W\d_][^\n:：*]{0,24}?)\**\s*[:：]\s*\**\s?(.*)$"
)


class Turn(NamedTuple):
    """One turn: who spoke, under what label (as it came), and what was said."""

    speaker: Speaker
    label: str
    text: str


def read_transcript(transcription: str, most: int = 1_000_000) -> list[Turn]:
    """The first turns, in order; lines of one speaker in a row are one. Text without labels is one turn of nobody."""
    text = transcription.strip()
    if not text:
        return []
    return _from_json(text, most) or _from_lines(text, most)


def _from_json(text: str, most: int) -> list[Turn]:
    """Turns from a list of {role, content} objects, as chat histories are often written."""
    if not text.startswith("["):
        return []
    try:
        # Read a second time, so its escapes can bring back what the report was cleaned of.
        entries = storable(json.loads(text)[:most])
        turns = [_entry(entry) for entry in entries if isinstance(entry, dict)]
    except (ValueError, RecursionError):
        return []
    return [turn for turn in turns if turn.text] if len(turns) == len(entries) else []


def _entry(entry: dict[str, JSON]) -> Turn:
    label = as_text(entry.get("role") or entry.get("speaker") or entry.get("name"))
    said = entry.get("content") or entry.get("text") or entry.get("message") or entry.get("transcript")
    if isinstance(said, list):
        said = "\n".join(as_text(part) for part in said)
    return Turn(_speaker(label), label, as_text(said))


def _from_lines(text: str, most: int) -> list[Turn]:
    # Lines are gathered in lists: adding each to a growing text takes minutes for a megabyte of short lines.
    spoken: list[tuple[Speaker, str, list[str]]] = []
    for line in text.splitlines():
        labelled = _LABELLED.match(line)
        # Only known labels start a turn: "Note: …" in the middle of a sentence is speech.
        speaker = _speaker(labelled[1]) if labelled else "other"
        if labelled and speaker != "other":
            if not spoken or spoken[-1][0] != speaker:
                if len(spoken) == most:
                    break
                spoken.append((speaker, labelled[1].strip(), []))
            spoken[-1][2].append(labelled[2])
        else:
            if not spoken:
                spoken.append(("other", "", []))
            spoken[-1][2].append(line)
    turns = [Turn(speaker, label, "\n".join(lines).strip()) for speaker, label, lines in spoken]
    return [turn for turn in turns if turn.text]


def _speaker(label: str) -> Speaker:
    return _SPEAKERS.get(label.strip().lower(), "other")
