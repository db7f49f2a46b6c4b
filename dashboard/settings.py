"""Every setting, read once from the environment at the door, and the file that `connect` adds some to.

Refuses a database that would be lost. Imports nothing of the house but what hours and targets are, and which platforms
lose disks.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dashboard.disk import MIB, sync_folder
from dashboard.hours import BadHours, CallingHours, read_calling_hours
from dashboard.passwords import SHORTEST
from dashboard.phone_numbers import DEFAULT_REGION, is_region
from dashboard.platforms import platform_that_loses
from dashboard.retention import FOR_EVER, Contradiction, Retention, retention_of
from dashboard.retention import SETTINGS as KEEP_SETTINGS
from dashboard.targets import BadTargets, Target, read_targets

DEFAULT_BIND = "127.0.0.1:8000"
DEFAULT_DATABASE_URL = "sqlite:///data/callboard.db"
CONNECT_COMMAND = ".venv/bin/python -m dashboard connect"
"""The way out of every message about a missing secret, account or address."""
DEFAULT_CALLING_HOURS = "mon-sat 10:00-19:00"
_MOST_HOPS = 9
_MOST_DAYS = 36_500
SHORTEST_TOKEN = 16
"""Of what a program sends: shorter ones can be guessed."""
_LONGEST_NUMBER = 7
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")


class BadSetting(ValueError):
    """A setting that cannot be used; its text names the variable and what to write there."""


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
        for name, value in _read_env_file(settings_file(data_folder)).items():
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
            or f"sqlite:///{data_folder / 'callboard.db'}"
        )
        _refuse_lost_file(env, database_url)
        forward_hosts = _hosts(env, "DASHBOARD_FORWARD_HOSTS")
        return cls(
            database_url=database_url,
            bind=bind,
            webhook_bind=_webhook_bind(env),
            webhook_secrets=tuple(
                secret.strip() for secret in _secret(env, "DASHBOARD_WEBHOOK_SECRET").split(",") if secret.strip()
            ),
            admin_password=_password(env, "DASHBOARD_ADMIN_PASSWORD"),
            public_url=_public_url(env),
            source_timezone=source,
            timezone=_zone(env, "DASHBOARD_TIMEZONE", source.key),
            reject_unknown_events=_choice(env, "DASHBOARD_UNKNOWN_EVENTS", "accept", "reject") == "reject",
            data_folder=data_folder,
            recording_hosts=_hosts(env, "DASHBOARD_RECORDING_HOSTS"),
            forward_targets=_targets(env, forward_hosts),
            forward_hosts=forward_hosts,
            indian_grouping=_choice(env, "DASHBOARD_NUMBER_GROUPING", "indian", "western") == "indian",
            phone_region=_phone_region(env),
            port_given=bool(port),
            calling_hours=_calling_hours(env),
            proxy_hops=_proxy_hops(env),
            retention=_retention(env),
            metrics_token=_metrics_token(env),
            log=_choice(env, "DASHBOARD_LOG", "text", "json"),
            disk_reserve=_disk_reserve(env),
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
    env = _Environment({"DASHBOARD_DATA": "/nonexistent", "DASHBOARD_DISK": "kept"})
    Settings.from_env(env)
    return {name for name in env.asked if name.startswith("DASHBOARD_")}


def data_folder_of(env: Mapping[str, str]) -> Path:
    return Path(env.get("DASHBOARD_DATA", "") or "data")


def names_in_file(path: Path) -> list[str]:
    """The settings that a settings file gives. Raises BadSetting where it cannot be read."""
    return list(_read_env_file(path))


def settings_file(data_folder: Path) -> Path:
    return data_folder / "settings.env"


def add_lines(path: Path, lines: Sequence[str]) -> None:
    """Add lines to the settings file, whose older ones stay; nobody but its owner may read it from then on.

    Whoever starts a server meanwhile reads the file as it was or as it is, never half. Raises BadSetting.
    """
    path = path.resolve()  # a link stays a link
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        gap = "\n" if before and not before.endswith("\n") else ""
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(before + gap + "".join(f"{line}\n" for line in lines))
                file.flush()
                if os.geteuid() == 0:  # or the board's own user could not read what root has added
                    owner = (path if path.exists() else path.parent).stat()
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
                os.fsync(descriptor)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
    except (OSError, UnicodeDecodeError) as problem:
        raise BadSetting(
            f"{path} cannot be written: {getattr(problem, 'strerror', None) or problem}. Set DASHBOARD_DATA to a "
            "folder that this user may write to."
        ) from problem


def _read_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines of the settings file; blank lines and # comments are passed over."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as problem:
        raise BadSetting(f"{path} cannot be read: {problem}.") from problem
    pairs = (line.split("=", 1) for line in map(str.strip, lines) if line and not line.startswith("#") and "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def _secret(env: Mapping[str, str], name: str) -> str:
    """The variable itself, or the content of the file that NAME_FILE points at (how containers hand over secrets)."""
    if path := env.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise BadSetting(f"{name}_FILE points at {path}, which cannot be read: {problem}.") from problem
    return env.get(name, "")


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


def _disk_reserve(env: Mapping[str, str]) -> int:
    text = env.get("DASHBOARD_DISK_RESERVE", "") or "64"
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise BadSetting(f"DASHBOARD_DISK_RESERVE must be a number of MiB, such as 64, or 0 for none, not {text!r}.")
    return int(text) * MIB


def _database_url(url: str) -> str:
    """One scheme for SQLAlchemy, whatever the platform calls it."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    if separator and scheme == "sqlite":
        if rest.strip("/") in ("", ":memory:"):
            raise BadSetting("DASHBOARD_DATABASE_URL must name a file, such as sqlite:///data/callboard.db.")
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
    scheme, _, rest = database_url.partition(":///")
    if scheme == "sqlite" and not disk:
        file = Path(rest.partition("?")[0])
        if platform := platform_that_loses(file, env):
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
    url = env.get("DASHBOARD_PUBLIC_URL", "").rstrip("/")
    if url and not url.startswith(("https://", "http://")):
        raise BadSetting(f"DASHBOARD_PUBLIC_URL must begin with https:// (or http://), not {url!r}.")
    return url


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


def _targets(env: Mapping[str, str], private_hosts: Sequence[str]) -> tuple[Target, ...]:
    try:
        return read_targets(_secret(env, "DASHBOARD_FORWARD_TO"), private_hosts)
    except BadTargets as problem:
        raise BadSetting(f"DASHBOARD_FORWARD_TO: {problem}.") from None
