"""Guesses are counted: too many within a time, and those who guess wait."""

from __future__ import annotations

import time

import pytest

from dashboard.web.client_address import client_at
from dashboard.web.slowdown import NetworkSlowdown, Slowdown


def test_more_than_the_most_within_the_time_is_too_much() -> None:
    slowdown = Slowdown(most=3, seconds=60)
    assert [slowdown.is_too_much("a") for _ in range(5)] == [False, False, False, True, True]
    assert not slowdown.is_too_much("b")


def test_looking_counts_nothing() -> None:
    slowdown = Slowdown(most=1, seconds=60)
    assert not any(slowdown.is_over("a") for _ in range(5))
    slowdown.is_too_much("a")
    assert slowdown.is_over("a")
    assert not slowdown.is_over("b")


def test_after_its_time_everything_is_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    slowdown = Slowdown(most=1, seconds=60)
    slowdown.is_too_much("a")
    assert slowdown.is_too_much("a")
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not slowdown.is_over("a")
    assert not slowdown.is_too_much("a")


def test_a_million_addresses_take_no_more_room_than_ten_thousand() -> None:
    slowdown = Slowdown(most=1, seconds=60)
    for number in range(12_000):
        slowdown.is_too_much(str(number))
    assert len(slowdown._counts) + len(slowdown._over) == 10_000


def test_a_long_name_takes_no_more_room_than_a_short_one() -> None:
    slowdown = Slowdown(most=1, seconds=60)
    names = ["n" * 60_000 + end for end in ("a", "b", "é\udfff")]
    assert [slowdown.is_too_much(name) for name in names] == [False] * 3
    assert [slowdown.is_over(name) for name in names] == [True] * 3
    assert all(len(key) <= 32 for key in (*slowdown._counts, *slowdown._over))


def test_keys_over_the_limit_are_not_pushed_out_by_any_number_of_others() -> None:
    slowdown = Slowdown(most=2, seconds=60)
    for _ in range(2):
        slowdown.is_too_much("guesser")
    for number in range(11_000):
        slowdown.is_too_much(str(number))
    assert slowdown.is_over("guesser")


# By network


def all_over(slowdown: NetworkSlowdown, addresses: list[str]) -> int:
    """How many failures from these addresses, one after another, come before the limit."""
    for count, address in enumerate(addresses):
        if slowdown.is_too_much(client_at(address)):
            return count
    return len(addresses)


@pytest.mark.parametrize(
    ("addresses", "counted"),
    [
        (["203.0.113.9"] * 100, 10),
        ([f"203.0.113.{number}" for number in range(1, 101)], 40),
        ([f"203.0.{number}.1" for number in range(100)], 100),
        ([f"2001:db8::{number:x}" for number in range(100)], 10),
        ([f"2001:db8:0:{number:x}::1" for number in range(100)], 20),
        ([f"2001:db8:0:{number:x}00::1" for number in range(100)], 40),
        ([f"2001:db8:{number:x}::1" for number in range(100)], 100),
    ],
    ids=["one IPv4", "an IPv4 /24", "many IPv4 /24", "an IPv6 /64", "an IPv6 /56", "an IPv6 /48", "many IPv6 /48"],
)
def test_addresses_of_one_network_share_a_limit_and_wider_networks_have_larger_ones(
    addresses: list[str], counted: int
) -> None:
    assert all_over(NetworkSlowdown(most=10, seconds=60), addresses) == counted


def test_one_client_over_its_limit_does_not_use_up_the_limit_of_its_neighbours() -> None:
    slowdown = NetworkSlowdown(most=10, seconds=60)
    for _ in range(1000):
        slowdown.is_too_much(client_at("203.0.113.9"))
        slowdown.is_too_much(client_at("2001:db8::1"))
    assert slowdown.is_over(client_at("203.0.113.9"))
    assert slowdown.is_over(client_at("2001:db8::2"))
    assert not slowdown.is_over(client_at("203.0.113.10"))
    assert not slowdown.is_over(client_at("2001:db8:0:1::1"))
