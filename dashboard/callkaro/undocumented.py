"""What a report says that the platform's documentation does not have: a new reason, type, event or field. Pure.

Asked of every report, so it costs a look into a set for each of its fields; a report of a hundred thousand names is
looked at until a few strange ones are found.
"""

from __future__ import annotations

from itertools import islice

from dashboard.callkaro.report import DOCUMENTED_FIELDS, EVENT, Ignored, Report, Unreadable, as_key
from dashboard.callkaro.vocabulary import CALL_TYPES, HANGUP_REASONS

REASON, TYPE, EVENT_NAME, FIELD = "reason", "type", "event", "field"
KINDS = {REASON: "Hang-up reason", TYPE: "Call type", EVENT_NAME: "Event", FIELD: "Field"}
"""Every kind of word that is looked after, as a person calls it."""

MOST_FIELDS = 20
"""Of one report: whoever sends more has no new field but something else to say."""

_FIELDS = frozenset(DOCUMENTED_FIELDS)
_DOCUMENTED = {REASON: frozenset(HANGUP_REASONS), TYPE: frozenset(CALL_TYPES), EVENT_NAME: {EVENT}, FIELD: _FIELDS}


def undocumented_in(reading: Report | Ignored | Unreadable) -> list[tuple[str, str]]:
    """(kind, value) of everything in a report that is not documented; values are short enough for an index."""
    if isinstance(reading, Unreadable):
        return []
    if isinstance(reading, Ignored):
        return [(EVENT_NAME, reading.event)] if reading.event else []
    data = reading.data
    found = []
    if not _FIELDS.issuperset(data):
        strange = (name for name in data if name not in _FIELDS)
        found = [(FIELD, as_key(name)) for name in islice(strange, MOST_FIELDS)]
    for kind, name in ((REASON, "hangup_reason"), (TYPE, "name")):
        value = data.get(name)
        if value and not (isinstance(value, str) and is_documented(kind, value)):
            word = as_key(value)
            if word and not is_documented(kind, word):
                found.append((kind, word))
    return found


def is_documented(kind: str, value: str) -> bool:
    return value in _DOCUMENTED.get(kind, ())
