"""The address of the database: read strictly, written so that SQLAlchemy reads the same. Pure."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

# As https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNSTRING-URIS has them.
_HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]*|%2[Ff][A-Za-z0-9_.%-]*)(?::[0-9]{1,5})?"
_AFTER_PASSWORD = re.compile(
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?:/(?P<database>[^/?#@]*))?"
    r"(?:\?(?P<query>[A-Za-z_]+=[^?#]*))?",
    re.ASCII,
)
_END = re.compile(r"(?P<host>\[.*\]|[^:]*)(?::(?P<port>[0-9]+))?")
_BEFORE_HOST = re.compile(r"(?P<user>[^:/?#@]*)(?::(?P<password>.*))?", re.DOTALL)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_SPECIAL = re.compile(r"[/?#@\[\]\s]")

ENCODE = (
    "Write these characters of its user name and password percent-encoded: % as %25, @ as %40, / as %2F, ? as %3F, "
    "# as %23, : as %3A, a blank as %20."
)


class BadUrl(ValueError):
    """An address that cannot be read in one way only; its text says what to do and quotes nothing of the address."""


def sqlite_url(file: Path) -> str:
    """The address of a file. SQLAlchemy takes what follows a "?" for options, and decodes percent signs."""
    return f"sqlite:///{str(file).replace('%', '%25').replace('?', '%3F')}"


def sqlite_file(url: str) -> Path | None:
    """The file that an address leads to, as SQLAlchemy reads it; None for another database."""
    scheme, separator, rest = url.partition(":///")
    return Path(unquote(rest.partition("?")[0])) if separator and scheme == "sqlite" else None


def postgres_url(rest: str) -> str:
    """What follows `postgresql://`, as SQLAlchemy reads it right. Raises BadUrl.

    A password with characters that have a meaning in an address is put right where only one reading is possible.
    Several hosts, separated by commas as libpq takes them, become SQLAlchemy's `?host=…,…&port=…,…`.
    """
    user, password, tail = _split(rest)
    hosts, database = tail["hosts"], unquote(tail["database"] or "")
    pairs = parse_qsl(tail["query"] or "", keep_blank_values=True)
    options = dict(pairs)
    if len(listed := [value for name, value in pairs if name == "host"]) > 1:  # as SQLAlchemy writes several hosts
        options |= _hosts_as_options(",".join(listed))
    # In one place only, so that whatever leaves out the password leaves out this one, too.
    password = options.pop("password", password)
    who = quote(unquote(user), safe="") + ("" if password is None else f":{quote(password, safe='')}")
    if "," in hosts or "%" in hosts:
        options |= _hosts_as_options(hosts)
        hosts = ""
    query = urlencode(options, quote_via=quote, safe=",/")
    address = (f"{who}@" if who else "") + hosts + (f"/{quote(database, safe='')}" if database or query else "")
    return f"postgresql+psycopg://{address}" + (f"?{query}" if query else "")


def _hosts_as_options(hosts: str) -> dict[str, str]:
    ends = [_END.fullmatch(host) for host in hosts.split(",")]
    names = ",".join(unquote(end["host"]).strip("[]") for end in ends if end)
    return {"host": names, "port": ",".join(end["port"] or "5432" for end in ends if end)}


def _split(rest: str) -> tuple[str, str | None, re.Match[str]]:
    """User, password as it is meant (decoded), and the match of the rest."""
    readings = []
    # The password ends at one of the @; without one there is no password.
    for place in [-1, *(found.start() for found in re.finditer("@", rest))]:
        before = _BEFORE_HOST.fullmatch(rest[: max(place, 0)])
        tail = _AFTER_PASSWORD.fullmatch(rest[place + 1 :])
        if before is not None and tail is not None:
            readings.append((before["user"], before["password"], tail))
    if len(readings) != 1:
        raise BadUrl(f"it cannot be read in one way only. {ENCODE}")
    user, password, tail = readings[0]
    if password is None or not _ESCAPE.search(password):
        return user, password, tail
    if _SPECIAL.search(password) or "%" in _ESCAPE.sub("", password):
        raise BadUrl(f"its password is percent-encoded in part only. {ENCODE}")
    return user, unquote(password), tail
