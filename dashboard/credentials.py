"""Passwords and tokens for hosts of recordings, as DASHBOARD_RECORDING_AUTH gives them. Pure; none shows itself.

One credential is `https://host[:port]=basic:user:password` or `https://host[:port]=bearer:token`. Several are separated
by blanks, commas or line ends, so in a user name, password or token such a character is written as in an address: %2C
for a comma, %20 for a blank, %25 for the percent sign itself.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from dashboard.links import Url, parse_url

_BETWEEN = re.compile(r"[\s,]+")
_ENTRY = re.compile(r"(?P<origin>[^=]+)=(?P<scheme>basic|bearer):(?P<secret>.*)", re.IGNORECASE)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TOKEN = re.compile(rb"[\x21-\x7e]+")


class BadCredentials(ValueError):
    """The text cannot be used; the message says why and quotes no user name, password or token."""


@dataclass(frozen=True)
class Credential:
    """`origin` is scheme, host and port, as `Url.origin` has it; `header` is the whole Authorization header."""

    origin: str
    header: str = field(repr=False)

    @property
    def scheme(self) -> str:
        """Basic or Bearer."""
        return self.header.partition(" ")[0]

    @property
    def mark(self) -> str:
        """Tells this credential from the one before it. Two bytes of a hash: too few to test guesses against."""
        return hashlib.sha256(f"{self.origin} {self.header}".encode()).hexdigest()[:4]


def credential_for(credentials: Collection[Credential], url: Url) -> Credential | None:
    """The credential of exactly this scheme, host and port."""
    return next((each for each in credentials if each.origin == url.origin), None)


def read_credentials(text: str, private_hosts: Collection[str]) -> tuple[Credential, ...]:
    """Credentials by origin. Raises BadCredentials.

    Plain http would send them readable over the internet: it is for `private_hosts` alone, exact host:port pairs.
    """
    found: dict[str, Credential] = {}
    for number, part in enumerate(filter(None, _BETWEEN.split(text)), 1):
        credential = _read(part, f"number {number}", [host.lower() for host in private_hosts])
        if credential.origin in found:
            raise BadCredentials(f"number {number} is for {credential.origin}, which has one already")
        found[credential.origin] = credential
    return tuple(found.values())


def _read(part: str, name: str, private_hosts: Sequence[str]) -> Credential:
    entry = _ENTRY.fullmatch(part)
    if entry is None:
        raise BadCredentials(
            f"{name} must be https://host=basic:user:password or https://host=bearer:token; in a password a comma is "
            "written %2C, a blank %20 and the percent sign %25"
        )
    url = parse_url(entry["origin"])
    if url is None or url.target != "/" or url.fragment:
        raise BadCredentials(f"{name} must begin with scheme, host and perhaps port alone, such as https://host:8443")
    pair = f"{url.bracketed_host}:{url.port}"
    if url.scheme != "https" and pair not in private_hosts:
        raise BadCredentials(
            f"{name} is for plain http, which anybody on the way can read. Use https, or add {pair} to "
            "DASHBOARD_RECORDING_HOSTS if it is inside your own network"
        )
    if _BAD_PERCENT.search(entry["secret"]):
        raise BadCredentials(f"{name} has a percent sign before something else than two digits; write it %25")
    is_basic = entry["scheme"].lower() == "basic"
    return Credential(url.origin, _basic(entry["secret"], name) if is_basic else _bearer(entry["secret"], name))


def _basic(secret: str, name: str) -> str:
    user, colon, password = secret.partition(":")
    decoded = unquote_to_bytes(user)
    if not colon or b":" in decoded:
        raise BadCredentials(f"{name} must have basic:user:password, and a user name cannot have a colon")
    return "Basic " + b64encode(decoded + b":" + unquote_to_bytes(password)).decode()


def _bearer(secret: str, name: str) -> str:
    token = unquote_to_bytes(secret)
    if not _TOKEN.fullmatch(token):
        raise BadCredentials(f"{name} must have a token of letters, digits and signs after bearer:")
    return "Bearer " + token.decode()
