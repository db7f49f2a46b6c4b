"""Which hosts may be called on: decisions only. Opens no socket.

The address ranges are written out, because `ipaddress.is_global` says yes to 64:ff9b::a9fe:a9fe, 224.0.0.1 and
::127.0.0.1, and its answers change from one Python to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

USUAL_PORTS = frozenset({80, 443})

# The IANA special-purpose registry for IPv4, plus multicast and what follows it.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        "224.0.0.0/3",
        "168.63.129.16/32",  # looks public, but inside Azure it is the machine's own control service
    )
)
# Only 2000::/3 is given out as unicast. Within it these lead elsewhere: Teredo, ORCHID and their neighbours;
# documentation; 6to4, which carries an IPv4 address of the sender's choice; documentation again.
_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# How a machine without IPv4 reaches the IPv4 internet: as public as the IPv4 address in its last four bytes.
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether this IP address belongs to the public internet. Anything that is not an IP address does not."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _is_public_4(parsed) if isinstance(parsed, IPv4Address) else _is_public_6(parsed)


def _is_public_4(address: IPv4Address) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_4)


def _is_public_6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return _is_public_4(IPv4Address(address.packed[-4:]))
    return address in _UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)


def is_listed(host: str, port: int, allowed_hosts: Collection[str]) -> bool:
    """Whether the operator named this very host and port; `localhost:9000` says nothing about `127.0.0.1:9000`."""
    return pair(host, port) in {allowed.lower() for allowed in allowed_hosts}


def port_objection(
    host: str,
    port: int,
    allowed_hosts: Collection[str],
    setting: str,
    usual_ports: Collection[int] = USUAL_PORTS,
) -> str | None:
    """Why this port is not called on, as a sentence, or None. `setting` is the one that `allowed_hosts` come from."""
    if port in usual_ports or is_listed(host, port, allowed_hosts):
        return None
    return (
        f"Port {port} of {host} is not called on: only ports 80 and 443 are. "
        f"If this host is meant, add {pair(host, port)} to {setting}."
    )


def address_objection(
    host: str, port: int, addresses: Iterable[str], allowed_hosts: Collection[str], setting: str
) -> str | None:
    """Why these addresses of the host are not called on, as a sentence, or None. One that is not public condemns all.

    The sentence leaves the addresses out: otherwise the board would read the inner DNS aloud to whoever posts a report.
    """
    if is_listed(host, port, allowed_hosts) or all(map(is_public, addresses)):
        return None
    return (
        f"{host} is not on the public internet, and nothing inside a network is called on. "
        f"If this host is meant, add {pair(host, port)} to {setting}."
    )


def pair(host: str, port: int) -> str:
    """As the settings have it: host:port, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
