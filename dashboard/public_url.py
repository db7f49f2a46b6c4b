"""The public address of the board: corrected where one thing can be meant, refused otherwise. Pure."""

from __future__ import annotations

import re

from dashboard.links import parse_url

WEBHOOK_PATH = "/webhook/call-webhook"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NAME_ALONE = re.compile(r"[^\s/:@?#\[\]]+\.[^\s/:@?#\[\].0-9]+/*")


class BadPublicUrl(ValueError):
    """The text says what is wrong with the address. It quotes none: an address can hold a password or a secret."""


def read_public_url(text: str) -> str:
    """Scheme, host and port, as a browser sends them in `Origin`: lower case, Unicode domains as `xn--…`.

    "" for "". What CallKaro is given, the webhook's address with its secret, is taken for the board's. Raises
    BadPublicUrl.
    """
    text = text.strip()
    if not text:
        return ""
    if not _SCHEME.match(text):
        # A name can only be meant as https; an IP address or a port is usually plain http.
        if not _NAME_ALONE.fullmatch(text):
            raise BadPublicUrl("must begin with https:// (or http://)")
        text = f"https://{text}"
    elif not text.lower().startswith(("https://", "http://")):
        raise BadPublicUrl("must begin with https:// (or http://)")
    authority = re.split(r"[/?#\\]", text.partition("://")[2], maxsplit=1)[0]
    if "@" in authority:
        raise BadPublicUrl("must hold no user name or password: accounts are made with `user add`")
    url = parse_url(text)
    if url is None:
        raise BadPublicUrl("must be an address such as https://calls.example.com")
    address = f"{url.scheme}://{url.authority}"
    path, _, query = url.target.partition("?")
    if path.rstrip("/") == WEBHOOK_PATH:
        return address
    if path.strip("/"):
        raise BadPublicUrl(
            f"must hold no path: the board is served at the root of a host. Write {address}, and lead it here"
        )
    if query or url.fragment or url.target.endswith("?"):
        raise BadPublicUrl(f"must end after the host. Write {address}")
    return address


def host_name(authority: str) -> str:
    """The host of a `Host` header as it is compared: lower case, Unicode as `xn--…`, no port, brackets or last dot.

    "" for what is no host.
    """
    name, bracket, rest = authority.strip().partition("]")
    host, colon, port = rest.partition(":") if bracket else name.partition(":")
    url = parse_url(f"http://{name + bracket if bracket else host.removesuffix('.')}{colon}{port}/")
    return "" if url is None or url.target != "/" else url.host
