"""What a call counts as (decision 8)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.callkaro.vocabulary import CALL_TYPES, HANGUP_REASONS, NEVER_DIALLED_REASONS
from dashboard.calls import Facts
from dashboard.figures import (
    DURATIONS,
    FIGURES,
    PEOPLE,
    STAGES,
    Figure,
    Figures,
    Usual,
    baselines_shown,
    duration_of,
    figures_of,
    stage_of,
    usual_of,
)

ALL = {"calls", "dialled", "connected", "voicemail", "converted", "talk"}

reasons = st.sampled_from([*HANGUP_REASONS, "", "NEW_CODE"])
calls = st.builds(
    Facts,
    st.just(1),
    st.just(0),
    st.just(""),
    st.just(""),
    st.just(""),
    st.sampled_from([*CALL_TYPES, "", "new-type"]),
    reasons,
    st.just(0),
    st.integers(0, 10_000),
    st.booleans(),
    st.just(0),
)


def call(**changes: Any) -> Facts:
    return Facts(1, 0, "", "", "", "outbound", "CLIENT_INITIATED", 0, 42, False, 0)._replace(**changes)


def names(facts: Facts) -> set[str]:
    part_of = figures_of(facts)
    return {name for name, figure in FIGURES.items() if part_of & figure}


@pytest.mark.parametrize(
    ("changes", "stage", "figures"),
    [
        ({}, "connected", {"calls", "dialled", "connected", "talk"}),
        ({"duration_seconds": 0}, "connected", {"calls", "dialled", "connected", "talk"}),
        ({"reason": "PARTICIPANT_REMOVED"}, "connected", {"calls", "dialled", "connected", "talk"}),
        ({"reason": "SESSION_TIMEOUT"}, "connected", {"calls", "dialled", "connected", "talk"}),
        ({"reason": "VOICEMAIL_DETECTED"}, "voicemail", {"calls", "dialled", "voicemail"}),
        ({"reason": "USER_REJECTED"}, "not-connected", {"calls", "dialled"}),
        ({"reason": "UNKNOWN"}, "not-connected", {"calls", "dialled"}),
        ({"reason": "INVALID_PHONE_NUMBER"}, "not-dialled", {"calls"}),
        ({"reason": "OUTSIDE_TRIGGER_WINDOW"}, "not-dialled", {"calls"}),
        ({"reason": "NEW_CODE"}, "connected", {"calls", "dialled", "connected", "talk"}),
        ({"reason": "NEW_CODE", "duration_seconds": 0}, "not-connected", {"calls", "dialled"}),
        ({"reason": ""}, "connected", {"calls", "dialled", "connected", "talk"}),
        ({"converted": True}, "converted", ALL - {"voicemail"}),
        ({"converted": True, "reason": "VOICEMAIL_DETECTED"}, "converted", ALL - {"connected", "talk"}),
        ({"type": "outbound-test"}, "connected", set[str]()),
        ({"type": "agent-test", "converted": True}, "converted", set[str]()),
        ({"type": "inbound"}, "connected", {"calls", "dialled", "connected", "talk"}),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else repr(value),
)
def test_a_calls_stage_and_figures(changes: dict[str, Any], stage: str, figures: set[str]) -> None:
    assert (stage_of(call(**changes)), names(call(**changes))) == (stage, figures)


@given(calls)
def test_every_call_has_a_stage_and_the_figures_contain_each_other(facts: Facts) -> None:
    part_of = names(facts)
    assert stage_of(facts) in STAGES
    assert part_of <= ALL
    assert not part_of or "calls" in part_of
    assert "dialled" in part_of or not part_of & {"connected", "voicemail"}
    assert not {"connected", "voicemail"} <= part_of
    assert ("talk" in part_of) == ("connected" in part_of)


@given(calls)
def test_a_documented_reason_decides_alone_whatever_the_duration(facts: Facts) -> None:
    if facts.reason in HANGUP_REASONS:
        assert figures_of(facts) == figures_of(facts._replace(duration_seconds=0))


def test_what_was_never_dialled_is_never_connected() -> None:
    assert all("dialled" not in names(call(reason=reason, duration_seconds=99)) for reason in NEVER_DIALLED_REASONS)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0, "0"), (1, "1-10"), (10, "1-10"), (11, "11-30"), (30, "11-30"), (31, "31-60"), (60, "31-60"), (61, "over-60")],
)
def test_durations_fall_into_the_platforms_buckets(seconds: int, bucket: str) -> None:
    assert duration_of(seconds) == bucket


@given(st.integers(0, 604_800))
def test_every_duration_is_in_the_bucket_that_says_so(seconds: int) -> None:
    least, most = DURATIONS[duration_of(seconds)]
    assert least <= seconds
    assert most is None or seconds <= most


def test_the_sums_stand_in_the_order_of_the_bits() -> None:
    assert [name.lower() for name in Figure.__members__] + ["talk", *PEOPLE] == list(Figures._fields)


def test_what_is_usual_is_the_mean_of_every_figure_and_says_of_how_many_weekdays() -> None:
    assert Usual._fields == (*Figures._fields, "weekdays")
    assert usual_of([Figures(*range(9)), Figures(*range(1, 10)), Figures(*range(2, 11))]) == (*range(1, 10), 3)
    assert usual_of([Figures(calls=1), Figures(calls=2)]) == Usual(1.5, 0, 0, 0, 0, 0, 0, 0, 0, weekdays=2)


def test_a_single_weekday_is_no_habit() -> None:
    assert usual_of([Figures(calls=8)]) is None
    assert usual_of([]) is None


def test_usual_figures_that_are_too_small_to_compare_with_are_left_out() -> None:
    usual = Usual(12.5, 11, 4.9, 0, 5, 60, 4, 3, 2, weekdays=3)
    assert baselines_shown(usual) == {"calls": 12.5, "dialled": 11, "converted": 5, "talk": 60, "weekdays": 3}
    assert baselines_shown(Usual(4, 4, 4, 4, 4, 4, 4, 4, 4, weekdays=4)) is None
    assert baselines_shown(None) is None
