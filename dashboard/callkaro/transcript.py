"""A transcript as turns of speech. Its format is undocumented, so every shape seen elsewhere is tried. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from dashboard.callkaro.report import JSON, as_number, as_text, storable
from dashboard.callkaro.speakers import MAX_LABEL_LENGTH, Speaker, is_known, label_key, sides_of

_CLOCK = r"(?:\d{4}-\d\d-\d\d[ T])?\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,3})?|\d{1,5}(?:\.\d{1,3})?\s?s(?:ec)?\b"
_TIME = rf"(?P<time>{_CLOCK})(?:\s*(?:-->|[-–—])\s*(?:{_CLOCK}))?"
# "[00:12] ", "(0:12 - 0:15) ", "00:12 - ", "2025-12-19 16:01:07 " before a label or on a line of its own.
_TIMED = re.compile(rf"[\[(]?\s*{_TIME}\s*[\])]?\s*[-–—|,]?\s*")
# A label or a clock needs a colon, a time in seconds a digit.
_MAY_BE_LABELLED = re.compile(r"[:：\d]").search
_BULLET = re.compile(r"[\s*•>#\-–—]{0,5}")
# "Agent: …", "**Bot**: …", "[User]: …", "Riya (00:12): …". A label starts with a letter of any script. The vowel signs
# of Indian scripts are not in \w, so a label is everything up to the colon.
_LABELLED = re.compile(
    rf"(?P<open>[\[(<]?)\**\s*(?P<label>[^\W\d_][^\n:：*]{{0,{MAX_LABEL_LENGTH - 1}}}?)\s*\**\s*"
    rf"(?:[\[(]\s*{_TIME}\s*[\])])?\s*\**\s*[:：](?!//)\s*\**\s?(?P<text>.*)$"
)
# Enough to find every speaker of an hour's call; a megabyte of two-letter lines is searched no further.
_MAX_LINES_SEARCHED = 20_000
_MAX_LABEL_WORDS = 5
_LABEL_NAMES = ("role", "speaker", "name", "participant", "sender", "source", "from", "speaker_label")
_TEXT_NAMES = ("content", "text", "message", "transcript", "utterance", "sentence")
_START_NAMES = ("start", "start_time", "startTime", "start_ms", "timestamp", "time", "offset", "at", "created_at")
_LIST_NAMES = ("messages", "transcript", "turns", "chat_history", "conversation", "utterances", "segments", "history")
# Larger numbers are moments since 1970, in seconds or milliseconds, and not seconds of a call.
_MAX_CALL_SECONDS = 7 * 24 * 3600.0
_MILLISECONDS_FROM = 100_000_000_000.0


class Turn(NamedTuple):
    """One turn: who spoke, under what label (as it came), what was said, and at which second of the call."""

    speaker: Speaker
    label: str
    text: str
    seconds: float | None = None


class _Line(NamedTuple):
    """A line of a transcript. `key` is "" where the line has no label; `text` is the line without time and label."""

    whole: str
    key: str
    label: str
    text: str
    time: str


def read_transcript(transcription: str, most: int = 1_000_000) -> list[Turn]:
    """The first `most` turns, in order; consecutive lines of one label are one turn. Text without labels is one turn.

    A label starts a turn if it names a side ("Agent", "ग्राहक") or if it begins at least two lines ("Riya").
    """
    text = transcription.strip()
    if not text:
        return []
    return _from_json(text, most) or _from_lines(text, most)


def _from_lines(text: str, most: int) -> list[Turn]:
    lines = text.splitlines()
    counts = Counter(line.key for line in map(_line, lines[:_MAX_LINES_SEARCHED]) if line.key)
    speakers = {key for key, count in counts.items() if count > 1 or is_known(key)}
    sides = sides_of(key for key in counts if key in speakers)
    seconds_of = _clock()
    # Lines are gathered in lists: adding each to a growing text takes minutes for a megabyte of short lines.
    turns: list[tuple[Speaker, str, list[str], float | None]] = []
    last, cue = "", ""
    for whole in lines:
        line = _line(whole) if _MAY_BE_LABELLED(whole) else None
        if line is None and turns:
            # Most lines of a long turn: reading each one took two seconds for a megabyte of short lines.
            turns[-1][2].append(whole)
            continue
        line = line or _plain(whole)
        if line.time and not line.text.strip() and not line.key:
            # A time on a line of its own belongs to the speech below it.
            cue = line.time
            continue
        is_start = line.key in speakers
        if not turns or (is_start and line.key != last):
            if len(turns) == most:
                break
            side, label = (sides[line.key], line.label) if is_start else ("other", "")
            turns.append((side, label, [], seconds_of(line.time or cue)))
            last = line.key if is_start else ""
        turns[-1][2].append(line.text if is_start or not line.key else line.whole)
        cue = ""
    found = [Turn(side, label, "\n".join(said).strip(), at) for side, label, said, at in turns]
    return [turn for turn in found if turn.text]


def _plain(whole: str) -> _Line:
    return _Line(whole, "", "", whole, "")


def _line(whole: str) -> _Line:
    if not _MAY_BE_LABELLED(whole):
        return _plain(whole)
    # Most lines begin with a letter: two regular expressions fewer for each of them.
    begin = None if whole[0].isalpha() else _BULLET.match(whole)
    at = begin.end() if begin else 0
    timed = None if whole[at : at + 1].isalpha() else _TIMED.match(whole, at)
    time = timed["time"] if timed else ""
    labelled = _LABELLED.match(whole, timed.end() if timed else at)
    rest = whole[timed.end() :] if timed else whole
    if labelled is None:
        # Without a label the line keeps its sign for a list item: it is part of what was said.
        return _Line(whole, "", "", rest, time)
    opening, words, its_time, text = labelled.group("open", "label", "time", "text")
    key, label = _label_of(words, opening)
    # "Meet at 10:30" holds no label.
    if not key or (words[-1].isdecimal() and text[:1].isdecimal()):
        return _Line(whole, "", "", rest, time)
    return _Line(rest, key, label, text, time or its_time or "")


@lru_cache(1_000)
def _label_of(words: str, opening: str) -> tuple[str, str]:
    """The key and the text of a label; ("", "") for more words than a label has. `opening` is a bracket before it."""
    label = words.strip()
    label = label.rstrip("])> ") if opening else label
    return (label_key(label), label) if len(label.split()) <= _MAX_LABEL_WORDS else ("", "")


def _from_json(text: str, most: int) -> list[Turn]:
    """Turns from a list of objects, as chat histories are written: alone, inside an object, or one object a line."""
    entries = _entries(text)
    if not entries:
        return []
    parts = [_entry(entry) for entry in entries[:most]]
    found = [part for part in parts if part]
    if len(found) < len(parts):
        return []
    sides = sides_of(label_key(label) for label, _, _ in found)
    seconds_of = _clock()
    turns = [Turn(sides[label_key(label)], label, said, seconds_of(start)) for label, said, start in found]
    return [turn for turn in turns if turn.text]


def _entries(text: str) -> list[JSON]:
    if text[0] not in "[{":
        return []
    try:
        # The text was a string inside a report, so its escapes can bring back what the report was cleaned of.
        value = storable(json.loads(text))
    except (ValueError, RecursionError):
        return _json_lines(text)
    if isinstance(value, dict):
        value = next((value[name] for name in _LIST_NAMES if isinstance(value.get(name), list)), [])
    return value if isinstance(value, list) else []


def _json_lines(text: str) -> list[JSON]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not all(line.lstrip().startswith("{") for line in lines):
        return []
    try:
        return [storable(json.loads(line)) for line in lines]
    except (ValueError, RecursionError):
        return []


def _entry(entry: JSON) -> tuple[str, str, JSON] | None:
    """(label, what was said, when it began) of one entry; None for what cannot be a turn."""
    if isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry):
        return entry[0].strip(), entry[1].strip(), None
    if not isinstance(entry, dict):
        return None
    if len(entry) == 1 and not entry.keys() & {*_LABEL_NAMES, *_TEXT_NAMES}:
        [(label, said)] = entry.items()
        return (label.strip(), said.strip(), None) if isinstance(said, str) else None
    label = _first(entry, _LABEL_NAMES)
    name = f"Speaker {label}" if isinstance(label, int) else as_text(label)
    start = next((entry[name] for name in _START_NAMES if entry.get(name) not in (None, "")), None)
    if entry.get("start_ms") is not None and start is entry["start_ms"] and (number := as_number(start)) is not None:
        start = number / 1000
    return name, _said(_first(entry, _TEXT_NAMES)), start


def _first(entry: dict[str, JSON], names: tuple[str, ...]) -> JSON:
    return next((entry[name] for name in names if entry.get(name) not in (None, "", [], {})), None)


def _said(value: JSON) -> str:
    """The words of an entry: text, or a list of parts, each a text or an object that holds one."""
    if isinstance(value, list):
        return "\n".join(filter(None, map(_said, value)))
    if isinstance(value, dict) and (inner := _first(value, _TEXT_NAMES)) is not None:
        return _said(inner) if isinstance(inner, list | dict) else as_text(inner)
    return as_text(value)


def _clock() -> Callable[[JSON], float | None]:
    """A reader of times, as seconds of the call. Moments of a day are counted from the first one that it reads."""
    first: list[float] = []

    def seconds_of(value: JSON) -> float | None:
        if value in (None, ""):
            return None
        seconds, is_moment = _read_clock(value)
        if seconds is None or not is_moment:
            return seconds
        first.append(seconds)
        since = seconds - first[0]
        return since if 0 <= since <= _MAX_CALL_SECONDS else None

    return seconds_of


def _read_clock(value: JSON) -> tuple[float | None, bool]:
    """(seconds, whether they are those of a moment and not of the call)."""
    number = as_number(value)
    if number is not None:
        if number >= _MILLISECONDS_FROM:
            return number / 1000, True
        return (number, number > _MAX_CALL_SECONDS) if number >= 0 else (None, False)
    text = as_text(value).replace(",", ".") if isinstance(value, str) else ""
    if text.rstrip("sec ").replace(".", "", 1).isdecimal():
        return float(text.rstrip("sec ")), False
    try:
        if "-" in text:
            return datetime.fromisoformat(text.replace(" ", "T")).timestamp(), True
        parts = [float(part) for part in text.split(":")]
    except (ValueError, OverflowError):
        return None, False
    if not 2 <= len(parts) <= 3:
        return None, False
    return sum(part * 60**power for power, part in enumerate(reversed(parts))), False
