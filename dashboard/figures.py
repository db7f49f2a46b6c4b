"""What a call counts as: its stage and the figures it is part of, in the words of decision 8. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from typing import NamedTuple

from dashboard.callkaro.vocabulary import (
    CONNECTED_REASONS,
    HANGUP_REASONS,
    NEVER_DIALLED_REASONS,
    TEST_TYPES,
    VOICEMAIL_REASON,
)
from dashboard.calls import Facts

STAGES = {
    "converted": "Converted",
    "voicemail": "Voicemail",
    "connected": "Connected",
    "not-dialled": "Not dialled",
    "not-connected": "Not connected",
}

DURATIONS = {"0": (0, 0), "1-10": (1, 10), "11-30": (11, 30), "31-60": (31, 60), "over-60": (61, None)}


class Figure(IntFlag):
    """The figures a call can be part of, one bit each."""

    CALLS = 1
    DIALLED = 2
    CONNECTED = 4
    VOICEMAIL = 8
    CONVERTED = 16


FIGURES = {
    "calls": Figure.CALLS,
    "dialled": Figure.DIALLED,
    "connected": Figure.CONNECTED,
    "voicemail": Figure.VOICEMAIL,
    "converted": Figure.CONVERTED,
    # Talk is a sum over the connected calls: its link lists those.
    "talk": Figure.CONNECTED,
}


# The figures that count people: ten tries to one person are ten calls and one lead.
PEOPLE = {"leads": Figure.CALLS, "reached": Figure.CONNECTED, "leads_converted": Figure.CONVERTED}
# Of a single weekday nobody knows whether it was an ordinary one.
_FEWEST_WEEKDAYS = 2
# Chance alone moves a smaller usual figure by half of itself, so it is not shown.
MIN_BASELINE = 5


class Figures(NamedTuple):
    """The figures of a set of calls. `talk` is the sum of seconds over its connected calls; the last three are PEOPLE.

    A person is reached, or converted, by any of these calls; calls without a number are nobody's.
    """

    calls: int = 0
    dialled: int = 0
    connected: int = 0
    voicemail: int = 0
    converted: int = 0
    talk: int = 0
    leads: int = 0
    reached: int = 0
    leads_converted: int = 0


class Usual(NamedTuple):
    """What the figures come to on an ordinary day: their means over so many weekdays."""

    calls: float
    dialled: float
    connected: float
    voicemail: float
    converted: float
    talk: float
    leads: float
    reached: float
    leads_converted: float
    weekdays: int


def usual_of(weekdays: Sequence[Figures]) -> Usual | None:
    """The means; None of too few weekdays."""
    if len(weekdays) < _FEWEST_WEEKDAYS:
        return None
    means = (sum(figure) / len(weekdays) for figure in zip(*weekdays, strict=True))
    return Usual._make([*means, len(weekdays)])


def baselines_shown(usual: Usual | None) -> dict[str, float] | None:
    """The usual figures that are large enough to compare with, by name, and `weekdays`; None where there are none."""
    if usual is None:
        return None
    large = {name: mean for name, mean in usual._asdict().items() if mean >= MIN_BASELINE and name != "weekdays"}
    return {**large, "weekdays": usual.weekdays} if large else None


def is_test(call_type: str) -> bool:
    return call_type in TEST_TYPES


def is_connected(reason: str, duration_seconds: int) -> bool:
    """Whether somebody picked up: the platform's first three reasons, or time on a call of an undocumented one."""
    return reason in CONNECTED_REASONS or (reason not in HANGUP_REASONS and duration_seconds > 0)


def stage_of(facts: Facts) -> str:
    """The first that applies, as the key that stands in the URL."""
    if facts.converted:
        return "converted"
    if facts.reason == VOICEMAIL_REASON:
        return "voicemail"
    if is_connected(facts.reason, facts.duration_seconds):
        return "connected"
    return "not-dialled" if facts.reason in NEVER_DIALLED_REASONS else "not-connected"


def figures_of(facts: Facts) -> Figure:
    """Every figure this call is part of; a test call is part of none."""
    if is_test(facts.type):
        return Figure(0)
    part_of = Figure.CALLS
    if facts.reason not in NEVER_DIALLED_REASONS:
        part_of |= Figure.DIALLED
    if is_connected(facts.reason, facts.duration_seconds):
        part_of |= Figure.CONNECTED
    if facts.reason == VOICEMAIL_REASON:
        part_of |= Figure.VOICEMAIL
    if facts.converted:
        part_of |= Figure.CONVERTED
    return part_of


def duration_of(seconds: int) -> str:
    """The key of the duration's bucket: the platform's own five."""
    return next(key for key, (_, most) in DURATIONS.items() if most is None or seconds <= most)
