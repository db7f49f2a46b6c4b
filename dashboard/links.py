"""The one door for addresses that strangers wrote, before an href or a fetch. Imports nothing of the house.

There is a single parser, and it writes the address anew from the parts it understood. So the browser and the fetcher
get what was checked here and never read the stranger's text themselves (urllib drops tabs, browsers turn `\\` into
`/`).
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import quote

import idna

MAX_LENGTH = 16 * 1024
"""Signed addresses with a session's token are longer than 2,048 characters, and browsers take far longer ones."""
DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(
    r"""(?P<scheme>https?)://
        (?: \[(?P<v6>[0-9a-f:.]+)\] | (?P<name>[^\s/?\#:@\[\]\\]+) )
        (?: :(?P<port>[0-9]{0,5}) )?
        (?P<path>/[^?\#]*)?
        (?: \?(?P<query>[^\#]*) )?
        (?: \#(?P<fragment>.*) )?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ENDS_IN_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# C0, DEL and C1 controls, lone surrogates; a backslash is a slash to a browser and a letter to everybody else.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\\]")
# What a browser leaves as it is. "%" is among it: a signed address must keep its %2F.
_KEPT = "/?:@!$&'()*+,;=%[]~"


class BadAddress(ValueError):
    """The text is no web address; the message says why, as the end of a sentence, and quotes none of it."""


class Url(NamedTuple):
    """An http(s) address in normal form; `host` is ASCII, lower case and without brackets."""

    scheme: str
    host: str
    port: int
    target: str
    fragment: str

    @property
    def bracketed_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        """What stands in a Host header: the port only where it is not the scheme's own."""
        if self.port == DEFAULT_PORTS[self.scheme]:
            return self.bracketed_host
        return f"{self.bracketed_host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return f"{self.origin}{self.target}" + (f"#{self.fragment}" if self.fragment else "")


def parse_url(text: str) -> Url | None:
    """None for everything that is not plainly an http(s) address with a host, whatever else it may be."""
    try:
        return read_url(text)
    except BadAddress:
        return None


def read_url(text: str) -> Url:
    """The address in its parts. Raises BadAddress."""
    if len(text) > MAX_LENGTH:
        raise BadAddress(f"is longer than {MAX_LENGTH:,} characters")
    if text != text.strip() or _FORBIDDEN.search(text):
        raise BadAddress("has a blank around it, a backslash or a control character in it")
    parts = _URL.fullmatch(text)
    if parts is None:
        raise BadAddress(_objection(text))
    scheme = parts["scheme"].lower()
    host = _ipv6(parts["v6"]) if parts["v6"] else _host(parts["name"])
    port = int(parts["port"] or DEFAULT_PORTS[scheme])
    if host is None:
        raise BadAddress("has a host that is neither a name nor an IP address in its usual form")
    if not 0 < port < 65536:
        raise BadAddress("has a port that does not exist")
    target = quote(parts["path"] or "/", safe=_KEPT)
    if parts["query"] is not None:
        target += "?" + quote(parts["query"], safe=_KEPT)
    url = Url(scheme, host, port, target, quote(parts["fragment"] or "", safe=_KEPT))
    # Percent signs make text longer; measured again, so that what came out always goes in.
    if len(str(url)) > MAX_LENGTH:
        raise BadAddress(f"is longer than {MAX_LENGTH:,} characters once its letters are written as %XX")
    return url


def _objection(text: str) -> str:
    """Why a text of harmless characters is no address."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in DEFAULT_PORTS:
        return "does not begin with http:// or https://"
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        return "has a user name or password before its host"
    return "has no host that can be read"


def safe_url(text: str) -> str | None:
    """The address in normal form if it may stand in an href; None means: show it as text."""
    url = parse_url(text)
    return None if url is None else str(url)


def host_of(url: str) -> str:
    """The host to show beside a link, or ""; other scripts as `xn--…`, so that no letter can pose as another."""
    parsed = parse_url(url)
    return "" if parsed is None else parsed.bracketed_host


def _ipv6(text: str) -> str | None:
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        return None


def _host(name: str) -> str | None:
    host = name.lower()
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        return None
    # Browsers and resolvers read 127.1, 0x7f.1, 2130706433 and 017700000001 as 127.0.0.1. No real name ends in a number
    # (WHATWG URL, "ends in a number"), so only the plain spelling of an IPv4 address may.
    if _ENDS_IN_NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            return None
    return host
