"""Client addresses are read in one way, however a proxy or a socket spells them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.settings import Settings
from dashboard.web.client_address import (
    NO_ADDRESS,
    client_address,
    client_at,
    client_of,
    forwarded_for,
    is_this_machine,
    read_address,
)

V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(IPv6Address)
PUBLIC = Settings(public_url="https://board.example")


def scope(peer: str | None, *forwarded: str) -> dict[str, object]:
    """An ASGI scope with these X-Forwarded-For headers."""
    headers = [(b"x-forwarded-for", value.encode("latin-1", "replace")) for value in forwarded]
    return {"client": peer and (peer, 1234), "headers": headers}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.10", "203.0.113.10"),
        (" 203.0.113.10\t", "203.0.113.10"),
        ("203.0.113.10:40001", "203.0.113.10"),
        ('"203.0.113.10:40001"', "203.0.113.10"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0:0::0001", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("2001:db8:1:2:3:4:5:6:443", "2001:db8:1:2:3:4:5:6"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:7f00:1", "127.0.0.1"),
        ("[::ffff:203.0.113.10]:40001", "203.0.113.10"),
        ("::1", "::1"),
    ],
)
def test_an_address_is_read_without_port_brackets_zone_and_mapping(text: str, address: str) -> None:
    assert str(read_address(text)) == address


@pytest.mark.parametrize(
    "text",
    ["", " ", "unknown", "_hidden", "example.com", "203.0.113.10:", "203.0.113.10:x", "203.0.113.256", "010.0.0.1",
     "[2001:db8::1", "[2001:db8::1]443", "[]", "1", "127.1", "0x7f.0.0.1", "::ffff:999.0.0.1", "%eth0", ":", "::g",
     "203.0.113.10%eth0", "2" * 10_000],
)  # fmt: skip
def test_what_is_no_address_is_none(text: str) -> None:
    assert read_address(text) is None


@given(st.text(max_size=60), st.text(max_size=120), st.integers(0, 9))
def test_any_header_gives_a_key_and_never_an_exception(peer: str, header: str, hops: int) -> None:
    entries = forwarded_for(scope(peer, header))
    address = client_address(peer, entries, hops)
    assert address == NO_ADDRESS or str(read_address(address)) == address
    client = client_at(address)
    assert client.own_network
    assert client.widest_network
    assert isinstance(is_this_machine(peer), bool)


@given(V4, st.integers(0, 65535))
def test_all_spellings_of_an_ipv4_address_are_one_client(address: str, port: int) -> None:
    spellings = [address, f"{address}:{port}", f"::ffff:{address}", f"[::ffff:{address}]:{port}", f" {address} "]
    assert len({client_at(client_address("", [spelling], 1)) for spelling in spellings}) == 1


@given(V6, st.integers(0, 65535))
def test_all_spellings_of_an_ipv6_address_are_one_client(address: IPv6Address, port: int) -> None:
    spellings = [
        address.compressed,
        address.exploded,
        address.exploded.upper(),
        f"[{address.compressed}]",
        f"[{address.compressed}]:{port}",
        f"{address.compressed}%eth0",
        f"{address.exploded}:{port}",
    ]
    assert len({client_at(client_address("", [spelling], 1)) for spelling in spellings}) == 1


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_all_addresses_of_a_slash_64_are_one_client_for_the_limits(network: int, first: int, second: int) -> None:
    here, there = (IPv6Address(network << 64 | host) for host in (first, second))
    if here.ipv4_mapped is None and there.ipv4_mapped is None:
        assert client_at(str(here)).networks == client_at(str(there)).networks


@given(V4, V4)
def test_two_ipv4_addresses_are_two_clients(first: str, second: str) -> None:
    assert (client_at(first).networks[0] == client_at(second).networks[0]) == (first == second)


@pytest.mark.parametrize(
    ("peer", "entries", "hops", "address"),
    [
        ("127.0.0.1", [], 0, "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9"], 0, "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9"], 1, "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.9:40001"], 1, "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.9", "10.0.0.1"], 2, "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9"], 2, "203.0.113.9"),
        ("127.0.0.1", ["unknown"], 1, "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9", "unknown"], 1, "127.0.0.1"),
        ("::ffff:198.51.100.7", ["made up"], 1, "198.51.100.7"),
        ("not an address", [], 0, NO_ADDRESS),
    ],
)
def test_the_client_is_what_the_trusted_proxies_saw(peer: str, entries: list[str], hops: int, address: str) -> None:
    assert client_address(peer, entries, hops) == address


@pytest.mark.parametrize(
    ("peer", "settings", "address"),
    [
        ("127.0.0.1", PUBLIC, "203.0.113.9"),
        ("::1", PUBLIC, "203.0.113.9"),
        ("::ffff:127.0.0.1", PUBLIC, "203.0.113.9"),
        ("::ffff:127.8.9.10", PUBLIC, "203.0.113.9"),
        (None, PUBLIC, "203.0.113.9"),
        ("198.51.100.7", PUBLIC, "198.51.100.7"),
        ("::ffff:198.51.100.7", PUBLIC, "198.51.100.7"),
        ("127.0.0.1", Settings(), "127.0.0.1"),
        ("198.51.100.7", Settings(proxy_hops=1), "203.0.113.9"),
    ],
)
def test_a_proxy_on_this_machine_is_trusted_whatever_socket_it_reaches(
    peer: str | None, settings: Settings, address: str
) -> None:
    assert client_of(scope(peer, "203.0.113.9:40001"), settings).address == address


def test_entries_of_several_headers_are_one_list() -> None:
    assert forwarded_for(scope("127.0.0.1", "a, b", "", " c ,,d")) == ["a", "b", "c", "d"]


def test_a_forwarded_header_is_not_believed() -> None:
    forged = {"client": ("127.0.0.1", 1), "headers": [(b"forwarded", b"for=203.0.113.9")]}
    assert client_of(forged, PUBLIC).address == "127.0.0.1"


@pytest.mark.parametrize(
    ("peer", "is_ours"),
    [("", True), (NO_ADDRESS, True), ("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("198.51.100.7", False), ("::ffff:198.51.100.7", False), ("2001:db8::1", False), ("anything else", False)],
)  # fmt: skip
def test_this_machine_is_a_loopback_address_or_a_unix_socket(peer: str, is_ours: bool) -> None:
    assert is_this_machine(peer) is is_ours


def test_an_ipv4_client_keeps_its_own_address_in_the_audit_log() -> None:
    assert client_at("203.0.113.9").address == "203.0.113.9"
    assert [network.key for network in client_at("203.0.113.9").networks] == ["203.0.113.9/32", "203.0.113.0/24"]
    assert IPv4Address(client_address("::ffff:203.0.113.9", [], 0)) == IPv4Address("203.0.113.9")
