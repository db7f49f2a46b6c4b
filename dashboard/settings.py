"""Every setting, read once from the environment at the door, and the file that `connect` adds some to.

Refuses a database that would be lost. Imports nothing of the house but what hours and targets are, and which platforms
lose disks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dashboard.credentials import BadCredentials, Credential, read_credentials
from dashboard.database_url import BadUrl, postgres_url, sqlite_file, sqlite_url
from dashboard.disk import MIB
from dashboard.env_file import BadSetting as BadSetting
from dashboard.env_file import misspelled, read_env_file
from dashboard.hours import BadHours, CallingHours, read_calling_hours
from dashboard.passwords import SHORTEST
from dashboard.phone_numbers import DEFAULT_REGION, is_region
from dashboard.platforms import platform_that_loses
from dashboard.program import PROGRAM
from dashboard.public_url import BadPublicUrl, read_public_url
from dashboard.retention import FOR_EVER, Contradiction, Retention, retention_of
from dashboard.retention import SETTINGS as KEEP_SETTINGS
from dashboard.targets import BadTargets, Target, read_targets

T = TypeVar("T")

DEFAULT_BIND = "127.0.0.1:8000"
DEFAULT_DATABASE_URL = "sqlite:///data/callboard.db"
CONNECT_COMMAND = f"{PROGRAM} connect"
"""The way out of every message about a missing secret, account or address."""
DEFAULT_CALLING_HOURS = "mon-sat 10:00-19:00"
_MOST_HOPS = 9
_MOST_DAYS = 36_500
SHORTEST_TOKEN = 16
"""Of what a program sends: shorter ones can be guessed."""
_LONGEST_NUMBER = 7
_SECRETS = ("DASHBOARD_WEBHOOK_SECRET", "DASHBOARD_ADMIN_PASSWORD", "DASHBOARD_METRICS_TOKEN")
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")


@dataclass(frozen=True)
class Settings:
    """What the environment says. A test builds one with the few fields it cares about."""

    database_url: str = DEFAULT_DATABASE_URL
    bind: str = DEFAULT_BIND
    webhook_bind: str = ""
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    admin_password: str = field(default="", repr=False)
    public_url: str = ""
    source_timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Kolkata"))
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Kolkata"))
    reject_unknown_events: bool = False
    data_folder: Path = Path("data")
    recording_hosts: tuple[str, ...] = ()
    recording_credentials: tuple[Credential, ...] = field(default=(), repr=False)
    recording_max_bytes: int = 100 * MIB
    forward_targets: tuple[Target, ...] = ()
    forward_hosts: tuple[str, ...] = ()
    indian_grouping: bool = True
    phone_region: str = DEFAULT_REGION
    port_given: bool = False
    calling_hours: CallingHours | None = None
    proxy_hops: int | None = None
    retention: Retention = FOR_EVER
    metrics_token: str = field(default="", repr=False)
    log: str = "text"
    disk_reserve: int = 64 * MIB
    """Bytes of the database's disk that reports leave free."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the board: the one case that needs no account (decision 9)."""
        host = self.bind.rpartition(":")[0]
        return host in LOOPBACK_HOSTS and not self.public_url and not self.port_given

    @property
    def webhook_port(self) -> int | None:
        """The port of the door for tunnels, if there is one: no other listener of ours has it."""
        return int(self.webhook_bind.rpartition(":")[2]) if self.webhook_bind else None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the environment, after `settings.env` in the data folder has filled what it leaves out.

        Raises BadSetting with the variable's name.
        """
        env = environ if isinstance(environ, _Environment) else _Environment(os.environ if environ is None else environ)
        data_folder = data_folder_of(env)
        path = settings_file(data_folder)
        for name, value in read_env_file(path).items():
            if value and name in _SECRETS and env.get(name) == "" and not env.get(f"{name}_FILE"):
                raise BadSetting(
                    f"{name} is set to nothing in the environment, which outranks {path}, where it has a value. Unset "
                    "it, or take the line out of the file."
                )
            env.setdefault(name, value)
        port = env.get("PORT", "")
        if port and not (port.isdecimal() and 0 < int(port) < 65536):
            raise BadSetting(f"PORT must be a number from 1 to 65535, not {port!r}.")
        bind = env.get("DASHBOARD_BIND", "") or (f"0.0.0.0:{port}" if port else DEFAULT_BIND)
        if ":" not in bind:
            raise BadSetting(f"DASHBOARD_BIND must be an address such as 127.0.0.1:8000, not {bind!r}.")
        source = _zone(env, "DASHBOARD_SOURCE_TIMEZONE", "Asia/Kolkata")
        database_url = _database_url(
            _secret(env, "DASHBOARD_DATABASE_URL")
            or _secret(env, "DATABASE_URL")
            or sqlite_url(data_folder / "callboard.db")
        )
        _refuse_lost_file(env, database_url)
        forward_hosts = _hosts(env, "DASHBOARD_FORWARD_HOSTS")
        recording_hosts = _hosts(env, "DASHBOARD_RECORDING_HOSTS")
        return cls(
            database_url=database_url,
            bind=bind,
            webhook_bind=_webhook_bind(env),
            webhook_secrets=_webhook_secrets(env),
            admin_password=_password(env, "DASHBOARD_ADMIN_PASSWORD"),
            public_url=_public_url(env),
            source_timezone=source,
            timezone=_zone(env, "DASHBOARD_TIMEZONE", source.key),
            reject_unknown_events=_choice(env, "DASHBOARD_UNKNOWN_EVENTS", "accept", "reject") == "reject",
            data_folder=data_folder,
            recording_hosts=recording_hosts,
            recording_credentials=_parsed(env, "DASHBOARD_RECORDING_AUTH", read_credentials, recording_hosts),
            recording_max_bytes=_mib(env, "DASHBOARD_RECORDING_MAX_MIB", "100", 1),
            forward_targets=_parsed(env, "DASHBOARD_FORWARD_TO", read_targets, forward_hosts),
            forward_hosts=forward_hosts,
            indian_grouping=_choice(env, "DASHBOARD_NUMBER_GROUPING", "indian", "western") == "indian",
            phone_region=_phone_region(env),
            port_given=bool(port),
            calling_hours=_calling_hours(env),
            proxy_hops=_proxy_hops(env),
            retention=_retention(env),
            metrics_token=_metrics_token(env),
            log=_choice(env, "DASHBOARD_LOG", "text", "json"),
            disk_reserve=_mib(env, "DASHBOARD_DISK_RESERVE", "64", 0),
        )


class _Environment(dict[str, str]):
    """An environment that remembers which names were asked for: those are all the settings there are."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


def known_settings() -> set[str]:
    """The names of all settings, DASHBOARD_… alone; a secret's _FILE among them."""
    return {name for name in _all_names() if name.startswith("DASHBOARD_")}


def _all_names() -> set[str]:
    env = _Environment({"DASHBOARD_DATA": "/nonexistent", "DASHBOARD_DISK": "kept"})
    Settings.from_env(env)
    return env.asked


def unknown_settings(environ: Mapping[str, str], data_folder: Path) -> list[str]:
    """A sentence for each name, of the environment and the settings file, that is no setting."""
    of_file: Mapping[str, str] = {}
    with suppress(BadSetting):  # `from_env` says so
        of_file = read_env_file(settings_file(data_folder))
    return list(misspelled(environ, of_file, _all_names()))


def data_folder_of(env: Mapping[str, str]) -> Path:
    return Path(env.get("DASHBOARD_DATA", "") or "data")


def settings_file(data_folder: Path) -> Path:
    return data_folder / "settings.env"


def _secret(env: Mapping[str, str], name: str) -> str:
    """The variable itself, or the content of the file that NAME_FILE points at (how containers hand over secrets)."""
    if path := env.get(f"{name}_FILE"):
        try:
            # With a byte order mark, which some editors write, the secret would be another one.
            secret = Path(path).read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise BadSetting(f"{name}_FILE points at {path}, which cannot be read: {problem}.") from problem
        if not secret:
            raise BadSetting(f"{name}_FILE points at {path}, which is empty.")
        if env.get(name) and env[name] != secret:
            raise BadSetting(f"{name} and {name}_FILE are both set, and differ. Remove {name} if the file is right.")
        return secret
    return env.get(name, "")


def _webhook_secrets(env: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets, separated by commas. A text of commas and blanks alone is a mistake: it would open the webhook."""
    name = "DASHBOARD_WEBHOOK_SECRET"
    text = _secret(env, name)
    secrets = tuple(secret for part in text.split(",") if (secret := part.strip()))
    if text and not secrets:
        raise BadSetting(f"{name} is set and holds no secret. Set it to a secret, or remove it.")
    return secrets


def _password(env: Mapping[str, str], name: str) -> str:
    password = _secret(env, name)
    if password and len(password) < SHORTEST:
        raise BadSetting(f"{name} needs at least {SHORTEST} letters: a few words make one that can be remembered.")
    return password


def _proxy_hops(env: Mapping[str, str]) -> int | None:
    text = env.get("DASHBOARD_PROXY_HOPS", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) <= _MOST_HOPS):
        raise BadSetting(
            f"DASHBOARD_PROXY_HOPS must be how many proxies stand before the board, 0 to {_MOST_HOPS}, not {text!r}."
        )
    return int(text)


def _retention(env: Mapping[str, str]) -> Retention:
    """How long things are kept; what is not set is kept for ever, or as long as its call."""
    days: dict[str, int] = {}
    for part, name in KEEP_SETTINGS.items():
        if text := env.get(name, ""):
            if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _MOST_DAYS):
                raise BadSetting(f"{name} must be a number of days, 1 to {_MOST_DAYS}, not {text!r}.")
            days[part] = int(text)
    try:
        return retention_of(Retention(**days))
    except Contradiction as problem:
        raise BadSetting(str(problem)) from None


def _metrics_token(env: Mapping[str, str]) -> str:
    token = _secret(env, "DASHBOARD_METRICS_TOKEN")
    if token and len(token) < SHORTEST_TOKEN:
        raise BadSetting(
            f"DASHBOARD_METRICS_TOKEN needs at least {SHORTEST_TOKEN} letters, such as `openssl rand -hex 24` gives."
        )
    return token


def _mib(env: Mapping[str, str], name: str, default: str, least: int) -> int:
    """A number of MiB, in bytes."""
    text = env.get(name, "") or default
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER and int(text) >= least):
        none = ", or 0 for none" if least == 0 else ""
        raise BadSetting(f"{name} must be a number of MiB, such as {default}{none}, not {text!r}.")
    return int(text) * MIB


def _database_url(url: str) -> str:
    """One scheme for SQLAlchemy, whatever the platform calls it."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        try:
            return postgres_url(rest)
        except BadUrl as problem:
            raise BadSetting(f"DASHBOARD_DATABASE_URL cannot be used: {problem}") from None
    if separator and scheme == "sqlite":
        if rest.strip("/") in ("", ":memory:"):
            raise BadSetting("DASHBOARD_DATABASE_URL must name a file, such as sqlite:///data/callboard.db.")
        if "?" in rest:
            raise BadSetting(
                "DASHBOARD_DATABASE_URL takes no options after the file's name: remove what begins with ?."
            )
        return url
    # Without a scheme the whole text could hold a password.
    begins = f", not {scheme + separator!r}" if separator else ""
    raise BadSetting(f"DASHBOARD_DATABASE_URL must begin with sqlite:///, postgresql:// or postgres://{begins}.")


def _calling_hours(env: Mapping[str, str]) -> CallingHours | None:
    text = env.get("DASHBOARD_CALLING_HOURS", "") or DEFAULT_CALLING_HOURS
    if text == "off":
        return None
    try:
        return read_calling_hours(text)
    except BadHours:
        raise BadSetting(
            f"DASHBOARD_CALLING_HOURS must be such as {DEFAULT_CALLING_HOURS}, or off, not {text!r}."
        ) from None


def _refuse_lost_file(env: Mapping[str, str], database_url: str) -> None:
    """A SQLite file on a disk that is thrown away, unless somebody knows better."""
    disk = env.get("DASHBOARD_DISK", "")
    if disk not in ("", "kept"):
        raise BadSetting(f"DASHBOARD_DISK must be kept, or not be set at all, not {disk!r}.")
    file = sqlite_file(database_url)
    if file is not None and not disk and (platform := platform_that_loses(file, env)):
        raise BadSetting(platform.warning(file))


def _zone(env: Mapping[str, str], name: str, default: str) -> ZoneInfo:
    key = env.get(name, "") or default
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSetting(f"{name} must be a time zone such as Asia/Kolkata or UTC, not {key!r}.") from None


def _phone_region(env: Mapping[str, str]) -> str:
    region = (env.get("DASHBOARD_PHONE_REGION", "") or DEFAULT_REGION).strip().upper()
    if not is_region(region):
        raise BadSetting(f"DASHBOARD_PHONE_REGION must be a country's two letters, such as IN or AE, not {region!r}.")
    return region


def _choice(env: Mapping[str, str], name: str, *choices: str) -> str:
    value = env.get(name, "") or choices[0]
    if value not in choices:
        raise BadSetting(f"{name} must be {' or '.join(choices)}, not {value!r}.")
    return value


def _public_url(env: Mapping[str, str]) -> str:
    try:
        return read_public_url(env.get("DASHBOARD_PUBLIC_URL", ""))
    except BadPublicUrl as problem:
        raise BadSetting(f"DASHBOARD_PUBLIC_URL {problem}.") from None


def _webhook_bind(env: Mapping[str, str]) -> str:
    bind = env.get("DASHBOARD_WEBHOOK_BIND", "")
    host, _, port = bind.rpartition(":")
    if bind and not (host in LOOPBACK_HOSTS and port.isdecimal() and 0 < int(port) < 65536):
        raise BadSetting(f"DASHBOARD_WEBHOOK_BIND must be a loopback address and port (127.0.0.1:8001), not {bind!r}.")
    return bind


def _hosts(env: Mapping[str, str], setting: str) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in env.get(setting, "").split(",") if host.strip())
    for host in hosts:
        name, _, port = host.rpartition(":")
        if not name or not port.isdecimal():
            raise BadSetting(f"{setting} takes exact host:port pairs, not {host!r}.")
    return hosts


def _parsed(env: Mapping[str, str], name: str, read: Callable[[str, Sequence[str]], T], hosts: Sequence[str]) -> T:
    """What `read` makes of a secret setting; `hosts` may be called on inside a network."""
    try:
        return read(_secret(env, name), hosts)
    except (BadTargets, BadCredentials) as problem:
        raise BadSetting(f"{name}: {problem}.") from None
