"""The address of the client that sends a request: the audit log, the rate limits and local mode all read it here.

Pure: takes ASGI scopes and texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple

from dashboard.settings import Settings

NO_ADDRESS = "<local>"
"""In place of an address where the connection is a Unix socket."""
# The longest textual IPv6 address has 45 characters; brackets, a zone and a port come on top.
_LONGEST = 100


class Network(NamedTuple):
    """A network that a client belongs to, and how many times the limit of one client it gets."""

    key: str
    factor: int


class Client(NamedTuple):
    """Who sends a request: the address in its canonical spelling, and its networks, the narrowest first."""

    address: str
    networks: tuple[Network, ...]

    @property
    def own_network(self) -> str:
        """What counts as this one client: an IPv4 address or an IPv6 /64."""
        return self.networks[0].key

    @property
    def widest_network(self) -> str:
        return self.networks[-1].key


def client_of(scope: Mapping[str, Any], settings: Settings) -> Client:
    """The client of an ASGI HTTP scope, as seen by the proxies that DASHBOARD_PROXY_HOPS trusts."""
    peer = peer_of(scope)
    hops = settings.proxy_hops
    if hops is None:
        hops = 1 if settings.public_url and is_this_machine(peer) else 0
    return client_at(client_address(peer, forwarded_for(scope), hops))


def peer_of(scope: Mapping[str, Any]) -> str:
    """The other end of the connection; NO_ADDRESS for a Unix socket."""
    return (scope.get("client") or (NO_ADDRESS,))[0] or NO_ADDRESS


def forwarded_for(scope: Mapping[str, Any]) -> list[str]:
    """The entries of all X-Forwarded-For headers, the nearest proxy's last.

    `Forwarded` (RFC 7239) is left out on purpose: a proxy that writes one of the two headers passes the other one on as
    the client sent it, and a client could then choose its own address.
    """
    values = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"]
    return [entry.strip() for entry in ",".join(values).split(",") if entry.strip()]


def client_address(peer: str, entries: Sequence[str], hops: int) -> str:
    """The client's address in its canonical spelling.

    Each of our `hops` proxies adds one entry, so the client is the entry that many from the end; with fewer entries
    than proxies it is the first one. Where that entry is no address ("unknown"), the client is the other end of the
    connection, so that no text of a request becomes a key of its own.
    """
    entry = entries[-hops:][0] if hops and entries else ""
    address = read_address(entry) or read_address(peer)
    return str(address) if address else NO_ADDRESS


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address in a text such as `203.0.113.10:40001`, `[2001:db8::1]:443`, `fe80::1%eth0` or `::ffff:127.0.0.1`.

    Port, brackets, quotes and zone are left out. An IPv4-mapped IPv6 address is read as IPv4: a server bound to [::]
    sees every IPv4 client as one. None for any other text.
    """
    text = text.strip().strip('"').strip()
    if len(text) > _LONGEST:
        return None
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        return _parse(host) if bracket and (not rest or rest.startswith(":")) else None
    host, _, port = text.rpartition(":")
    # Some proxies add the port to an IPv6 address without brackets: then only the text before the last colon is one.
    return _parse(text) or (_parse(host) if port.isascii() and port.isdecimal() else None)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0] if ":" in text else text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def client_at(address: str) -> Client:
    """The client with an address that `client_address` gave.

    A provider hands out IPv6 by whole networks, at least a /64 for each customer and up to a /48, so a /64 counts as
    one client. Wider networks get larger limits: one customer of a /48 has 65,536 different /64.
    """
    parsed = read_address(address)
    if parsed is None:
        return Client(address, (Network(address, 1),))
    widths = ((32, 1), (24, 4)) if isinstance(parsed, IPv4Address) else ((64, 1), (56, 2), (48, 4))
    networks = (Network(str(ip_network((parsed, width), strict=False)), factor) for width, factor in widths)
    return Client(address, tuple(networks))


def is_this_machine(peer: str) -> bool:
    """Whether the other end of a connection is on this machine: a Unix socket or a loopback address."""
    if peer in ("", NO_ADDRESS):
        return True
    address = read_address(peer)
    return address is not None and address.is_loopback
