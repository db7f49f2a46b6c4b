"""Names that hold telephone numbers, as roles without numbers see and choose them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import masked_names
from dashboard.calls import Facts, person_of
from dashboard.filters import CallFilter
from dashboard.masked_names import MaskedNames, _without_addresses, masked_name, masked_query
from dashboard.masking import Mask
from dashboard.phone_numbers import DEFAULT_REGION, digits_of

OWN, OTHER = "+919812345670", "+919876543210"
NAMES_OF_CALLS = st.sampled_from(
    [
        "",
        "north",
        "south",
        "lead 98123-45670 nov",
        "98123 45670",
        "9812345670",
        "lead 98765-43210",
        "sip:9812345670@a.b",
    ]
)


def facts(number: int, campaign: str, person: str = OWN) -> Facts:
    return Facts(number, 0, campaign, "", "", "outbound", "", 0, 0, False, person_of(person))


def learnt(calls: Iterable[Facts]) -> MaskedNames:
    names = MaskedNames()
    names.learn(list(calls))
    return names


def stored(names: MaskedNames, *campaigns: str) -> set[str]:
    """The names of calls for which these values of a filter stand; a call may also have a masked name for its own."""
    sought = names.filter(CallFilter(campaign=campaigns)).sought("campaign")
    return {name for name in sought if "•" not in name}


@given(st.lists(st.tuples(NAMES_OF_CALLS, st.sampled_from([OWN, OTHER])), max_size=12), NAMES_OF_CALLS)
def test_a_chosen_name_stands_for_all_names_that_are_shown_so(calls: list[tuple[str, str]], chosen: str) -> None:
    names = learnt(facts(number, *call) for number, call in enumerate(calls))
    there = {campaign for campaign, _ in calls} - {""}
    value = names.shown("campaign", chosen)
    expected = {name for name in there if names.shown("campaign", name) == value}
    assert stored(names, value) & there == (expected if value else set())
    options = dict(names.options("campaign", [(name, 1) for name in there]))
    assert sum(options.values()) == len(there)
    assert all(stored(names, shown) for shown in options)


def test_a_name_with_the_number_of_one_of_its_calls_is_masked_from_that_call_on() -> None:
    names = learnt([facts(1, "lead 98 1234 5670", OTHER)])
    before = names.shown("campaign", "lead 98 1234 5670")
    names.learn([facts(2, "lead 98 1234 5670", OWN)])
    shown = names.shown("campaign", "lead 98 1234 5670")
    assert "1234" not in shown
    assert stored(names, shown) == {"lead 98 1234 5670"}
    assert before == shown or not stored(names, before)


def test_a_number_that_is_chosen_finds_no_name_but_the_one_it_is_shown_as() -> None:
    names = learnt([facts(1, "9812345670"), facts(2, "9812399670", "+919812399670")])
    assert names.shown("campaign", "9812345670") == names.shown("campaign", "9812399670")
    assert stored(names, "9812345670") == stored(names, "9812399670") == {"9812345670", "9812399670"}


def test_filters_menus_and_names_mask_nothing_that_was_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [facts(number, f"lead 98{number:03}-45670 nov", f"+9198{number:03}45670") for number in range(100, 900)]
    names = learnt(calls)
    offered = [(call.campaign, 1) for call in calls]
    masked_names._remembered.cache_clear()
    assert not stored(names, "• 0")

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("a name was masked again")

    monkeypatch.setattr(masked_names, "Mask", fail)
    monkeypatch.setattr(masked_names, "others_mask", fail)
    shown = names.options("campaign", offered)
    assert sum(count for _, count in shown) == len(calls)
    for call in calls:
        value = names.shown("campaign", call.campaign)
        assert value != call.campaign
        assert call.campaign in stored(names, value)


def test_names_in_addresses_that_are_longer_than_any_of_a_call_take_no_memory() -> None:
    tracemalloc.start()
    try:
        for number in range(100):
            masked_query(f"campaign={number}{'+x' * 5_000}", "IN")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000


@given(st.lists(st.tuples(NAMES_OF_CALLS, st.sampled_from([OWN, OTHER])), max_size=12))
def test_names_that_are_learnt_call_by_call_are_shown_by_the_numbers_of_all_their_calls(
    calls: list[tuple[str, str]],
) -> None:
    names = MaskedNames()
    for number, call in enumerate(calls):
        names.learn([facts(number, *call)])
    expected: dict[str, set[str]] = {}
    for name in {campaign for campaign, _ in calls} - {""}:
        numbers = {person for campaign, person in calls if campaign == name and person[-7:] in digits_of(name)}
        shown = masked_name(name, DEFAULT_REGION)
        if numbers:
            shown = _without_addresses(Mask(numbers, region=DEFAULT_REGION)(name))
        assert names.shown("campaign", name) == shown
        expected.setdefault(shown, set()).add(name)
    assert all(stored(names, shown) == stands_for for shown, stands_for in expected.items())


def test_memory_goes_by_the_names_that_calls_have() -> None:
    names = MaskedNames()
    name = "lead 2345-670 nov"
    for number in range(700, 1000):
        names.learn([facts(number, name, f"+91{number}2345670")])
    assert list(names._stored["campaign"].values()) == [{name}]
    assert 100 < len(names._numbers["campaign", name]) <= 101


@pytest.mark.parametrize("at", ["@", "%40", "%2540", "&#64;", "&commat;", "\\u0040"])
def test_an_address_in_a_name_is_masked_however_its_sign_is_escaped(at: str) -> None:
    assert masked_name(f"ravi{at}pbx.example.in nov", "IN") == "••••• nov"
    assert masked_name(f"asha and <ravi{at}pbx>, asha", "IN") == "asha and <•••••>, asha"


def test_what_is_beside_an_address_in_a_name_stays() -> None:
    assert masked_name("%40ravi%40pbx.example.in nov", "IN") == "%40••••• nov"
    assert masked_name("<ravi@pbx.example.in>, 50% @ noon", "IN") == "<•••••>, 50% @ noon"


@pytest.mark.parametrize("word", ["@" + "a" * 15_000, "a" * 15_000 + "@", "a@" * 7_500])
def test_a_long_name_in_an_address_is_left_out_of_links(word: str) -> None:
    assert masked_query(f"campaign={word}&days=7", "IN") == "days=7"


def test_a_word_without_an_address_is_searched_from_its_beginning_alone() -> None:
    # An expression that begins at every letter reads 100,000 letters from each of them: some 20 s.
    assert masked_name("a" * 100_000 + " @", "IN") == "a" * 100_000 + " @"
