"""A filter as it stands in a URL, and which calls it lets through."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import filters as filter_module
from dashboard.calls import Facts
from dashboard.figures import DURATIONS, FIGURES, STAGES
from dashboard.filters import (
    CHOICES,
    LONGEST_VALUE,
    NONE,
    PERIODS,
    BadFilter,
    CallFilter,
    day_of,
    matches,
    read_filter,
)
from dashboard.masking import others_mask

KOLKATA = ZoneInfo("Asia/Kolkata")
TODAY = date(2025, 12, 19)
# 2025-12-19 16:01:07 in Kolkata.
AT = 1_766_140_267_000_000

words = st.text(min_size=1, max_size=12).map(str.strip).filter(bool)
days = st.dates(date(1, 1, 1), date(9999, 12, 31))


def facts(**changes: Any) -> Facts:
    made = Facts(1, AT, "camp", "agent", "v1", "outbound", "CLIENT_INITIATED", 0, 42, False, 0)
    return made._replace(**changes)


def read(query: str) -> CallFilter:
    return read_filter(parse_qsl(query, keep_blank_values=True))


def lets_through(query: str, **changes: Any) -> bool:
    return matches(facts(**changes), read(query), today=TODAY, timezone=KOLKATA)


@st.composite
def filters(draw: st.DrawFn) -> CallFilter:
    """Any filter a URL can hold."""
    known = {"stage": list(STAGES), "figure": list(FIGURES), "duration": list(DURATIONS)}
    wanted = CallFilter()
    for choice in CHOICES:
        values: st.SearchStrategy[str] = st.sampled_from(known[choice]) if choice in known else words
        if choice == "try":
            values = st.integers(-1, 10**6).map(str)
        wanted = wanted.with_values(choice, draw(st.lists(values, max_size=3)))
    match draw(st.sampled_from(["", "period", "days"])):
        case "period":
            return wanted.with_period(draw(st.sampled_from(list(PERIODS))))
        case "days":
            first, last = sorted([draw(days), draw(days)])
            return replace(wanted, from_=draw(st.sampled_from([None, first])), to=draw(st.sampled_from([None, last])))
    return wanted


@given(filters())
def test_a_filter_in_a_url_is_read_back_as_the_same_filter(wanted: CallFilter) -> None:
    assert read(wanted.query()) == wanted
    assert read(wanted.query()).query() == wanted.query()


@given(filters(), st.randoms())
def test_the_order_of_a_url_has_no_meaning(wanted: CallFilter, random: Any) -> None:
    pairs = parse_qsl(wanted.query())
    random.shuffle(pairs)
    assert read_filter(pairs) == wanted


@given(st.lists(st.tuples(st.sampled_from([*CHOICES, "period", "from", "to", "x"]), st.text(max_size=12)), max_size=6))
def test_any_query_is_a_filter_or_a_problem_in_words(pairs: list[tuple[str, str]]) -> None:
    try:
        wanted = read_filter(pairs)
    except BadFilter as problem:
        words = str(problem)
    else:
        matches(facts(), wanted, today=TODAY, timezone=KOLKATA)
        words = "Fine."
    assert words.endswith(".")
    assert len(words) < 200


def test_a_limit_to_campaigns_is_no_choice_and_holds_beside_every_choice() -> None:
    limited = replace(read("campaign=south"), scope=("north",))
    assert not CallFilter(scope=("north",)).is_bare
    assert limited.query() == "campaign=south"
    for campaign, wanted, expected in (
        ("north", CallFilter(scope=("north",)), True),
        ("", CallFilter(scope=("north",)), False),
        ("", CallFilter(scope=(NONE,)), True),
        ("north", limited, False),
        ("south", limited, False),
    ):
        assert matches(facts(campaign=campaign), wanted, today=TODAY, timezone=KOLKATA) == expected


@pytest.mark.parametrize("name", ["period", "from", "to"])
def test_a_refusal_masks_a_bounded_part_of_a_long_value(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    lengths: list[int] = []

    def mask(text: str) -> str:
        lengths.append(len(text))
        return others_mask()(text)

    monkeypatch.setattr(filter_module, "others_mask", lambda: mask)
    with pytest.raises(BadFilter, match="98•••••210"):
        read(f"{name}=on 9876543210 {'x' * 15_000}")
    assert lengths == [LONGEST_VALUE]


def test_bare_means_everything() -> None:
    assert read("").is_bare
    assert read("campaign=&period=&from=&unknown=1&token=x").is_bare
    assert CallFilter().query() == ""
    assert lets_through("")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (
            "stage=done",
            "stage='done' is not known; it may be converted, voicemail, connected, not-dialled, not-connected.",
        ),
        ("figure=all", "figure='all' is not known; it may be calls, dialled, connected, voicemail, converted, talk."),
        ("duration=long", "duration='long' is not known; it may be 0, 1-10, 11-30, 31-60, over-60."),
        ("period=year", "period='year' is not known; it may be today, 7d, 30d."),
        ("try=first", "try must be a whole number: -1 is inbound, 0 the first attempt, 1 the first retry."),
        ("from=yesterday", "from='yesterday' is not a day; write it as 2026-11-23."),
        ("to=2025-02-30", "to='2025-02-30' is not a day; write it as 2026-11-23."),
        ("from=2025-02-02&to=2025-02-01", "from=2025-02-02 is after to=2025-02-01; swap them."),
        ("period=7d&from=2025-01-01", "Give either period, or from and to, not both."),
        ("&".join(f"agent={number}" for number in range(101)), "agent has more than 100 values; choose fewer."),
        (
            f"campaign={'x' * 301}",
            "campaign has a value of more than 300 characters; the names of calls are shorter.",
        ),
    ],
    ids=range(11),
)
def test_what_cannot_be_read_is_named_with_what_may_stand_there(query: str, problem: str) -> None:
    with pytest.raises(BadFilter) as caught:
        read(query)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("query", "changes", "expected"),
    [
        ("campaign=camp", {}, True),
        ("campaign=other", {}, False),
        ("campaign=other&campaign=camp", {}, True),
        ("campaign=none", {}, False),
        ("campaign=none", {"campaign": ""}, True),
        ("campaign=camp&agent=other", {}, False),
        ("version=v1&type=outbound&reason=CLIENT_INITIATED", {}, True),
        ("stage=connected", {}, True),
        ("stage=connected", {"converted": True}, False),
        ("figure=connected", {"converted": True}, True),
        ("figure=talk", {"reason": "UNKNOWN"}, False),
        ("figure=voicemail&figure=converted", {"converted": True}, True),
        ("figure=calls", {"type": "agent-test"}, False),
        ("duration=31-60", {}, True),
        ("duration=0", {"duration_seconds": 0}, True),
        ("duration=over-60", {"duration_seconds": 61}, True),
        ("try=0", {}, True),
        ("try=00", {}, True),
        ("try=-1", {"try_count": -1}, True),
        ("try=-1", {}, False),
        ("period=today", {}, True),
        ("period=today", {"at": AT - 86_400_000_000}, False),
        ("period=7d", {"at": AT - 6 * 86_400_000_000}, True),
        ("period=7d", {"at": AT - 7 * 86_400_000_000}, False),
        ("from=2025-12-19&to=2025-12-19", {}, True),
        ("from=2025-12-20", {}, False),
        ("to=2025-12-18", {}, False),
    ],
    ids=range(27),
)
def test_which_calls_a_filter_lets_through(query: str, changes: dict[str, Any], expected: bool) -> None:
    assert lets_through(query, **changes) is expected


def test_a_day_is_the_boards_and_ends_at_its_midnight() -> None:
    # 18:30 UTC is midnight in Kolkata.
    midnight = 1_766_082_600_000_000
    assert day_of(midnight - 1, KOLKATA) == TODAY - timedelta(days=1)
    assert day_of(midnight, KOLKATA) == TODAY
    assert lets_through("period=today", at=midnight)
    assert not lets_through("period=today", at=midnight - 1)


def test_equal_choices_are_equal_keys() -> None:
    assert read("agent=b&agent=a&agent=b&try=01") == read("try=1&agent=a&agent=b")
    assert hash(read("agent=b&agent=a")) == hash(read("agent=a&agent=b"))


def test_none_is_the_word_for_no_value() -> None:
    assert NONE in read("campaign=none").campaign
