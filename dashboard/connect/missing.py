"""What a board that others reach must have and this one has not: made, written down, and said."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dashboard.env_file import BadSetting, add_lines
from dashboard.settings import Settings, settings_file

# Five of these words are 62 bits, and they can be read out on the telephone.
_CONSONANTS, _VOWELS = "bdfghklmnprstvz", "aeiou"
_WORDS, _SYLLABLES = 5, 2


class _Setting(NamedTuple):
    """One setting that is to stand: its value so far, the value to give it where it has none, and what it is."""

    name: str
    standing: str
    made: str
    what: str


def make_missing(settings: Settings, *, public_url: str, for_tunnel: bool, has_account: bool) -> bool:
    """Write what is missing to the settings file and say what was done; whether anything was.

    `public_url` is "" where none was asked for. Raises BadSetting where what is asked for cannot be had.
    """
    path = settings_file(settings.data_folder)
    if public_url and settings.public_url not in ("", public_url):
        raise BadSetting(
            f"DASHBOARD_PUBLIC_URL is {settings.public_url} already, in the environment or in {path}. If {public_url} "
            "is right, change it there and run this again."
        )
    needed = [_secret(settings)]
    if not has_account:
        needed.append(_password(settings))
    if public_url:
        needed.append(_Setting("DASHBOARD_PUBLIC_URL", settings.public_url, public_url, "the address for others"))
    if for_tunnel:
        needed.append(_listener(settings))
    missing = [setting for setting in needed if not setting.standing]
    if missing:
        _write(path, missing)
    for setting in needed:
        if setting.standing and _is_in_environment(setting):
            print(f"{setting.name} is set in the environment, and stays so: start the server with it too.\n")
    if missing:
        _tell(path, missing)
    return bool(missing)


def _write(path: Path, missing: Sequence[_Setting]) -> None:
    for setting in missing:
        if _is_in_environment(setting):
            raise BadSetting(
                f"{setting.name} is set to nothing in the environment, which outranks {path}. Unset it and run this "
                "again."
            )
    add_lines(path, [line for setting in missing for line in (f"# {setting.what}", f"{setting.name}={setting.made}")])


def _tell(path: Path, made: Sequence[_Setting]) -> None:
    print(f"Made and written to {path}, which only you may read:")
    print("\n".join(f"  {setting.name}: {setting.what}" for setting in made) + "\n")
    for setting in made:
        if setting.name == "DASHBOARD_ADMIN_PASSWORD":
            print(f"Sign in on the board as `admin`, with this password. It is shown this once:\n\n{setting.made}\n")


def beside(bind: str) -> str:
    """The port after the board's, on this machine alone: for a listener that takes reports only."""
    port = bind.rpartition(":")[2]
    return f"127.0.0.1:{int(port) + 1 if port.isdecimal() and int(port) < 65535 else 8001}"


def _secret(settings: Settings) -> _Setting:
    return _Setting(
        "DASHBOARD_WEBHOOK_SECRET",
        ",".join(settings.webhook_secrets),
        secrets.token_urlsafe(24),
        "what CallKaro must send; two, separated by a comma, are valid at once",
    )


def _password(settings: Settings) -> _Setting:
    words = (
        "".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(_SYLLABLES)) for _ in range(_WORDS)
    )
    return _Setting(
        "DASHBOARD_ADMIN_PASSWORD",
        settings.admin_password,
        "-".join(words),
        "makes the account `admin` when the server starts; once you have signed in, the line may go",
    )


def _listener(settings: Settings) -> _Setting:
    return _Setting(
        "DASHBOARD_WEBHOOK_BIND",
        settings.webhook_bind,
        beside(settings.bind),
        "takes reports and shows nothing: what a tunnel is to be pointed at",
    )


def _is_in_environment(setting: _Setting) -> bool:
    return setting.name in os.environ or f"{setting.name}_FILE" in os.environ
