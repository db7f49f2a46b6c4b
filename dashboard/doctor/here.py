"""The settings and this machine: files, disk, secrets, descriptors. Asks nobody, changes nothing."""

from __future__ import annotations

import resource
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from dashboard.disk import MIB, free_bytes
from dashboard.doctor.finding import Finding, bad, doubt, good
from dashboard.settings import CONNECT_COMMAND, SHORTEST_TOKEN, Settings, known_settings, settings_file

# Each open page is one, and an office has hundreds; many systems begin with 1,024.
FEW_DESCRIPTORS = 4096
_PREFIX = "DASHBOARD_"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_here(settings: Settings, environ: Mapping[str, str], file_names: Iterable[str]) -> Iterator[Finding]:
    """All that can be seen from here; `file_names` are the settings that the settings file gives."""
    yield from unknown_names([*environ, *file_names])
    yield from settings_file_mode(settings_file(settings.data_folder))
    yield from data_folder(settings.data_folder)
    yield from disk(settings)
    yield from secrets(settings)
    yield from descriptors()
    yield good(
        f"Telephone numbers without a country code are read as numbers of {settings.phone_region} "
        "(DASHBOARD_PHONE_REGION)."
    )


def unknown_names(names: Iterable[str]) -> Iterator[Finding]:
    known = {name.removeprefix(_PREFIX) for name in known_settings()}
    given = {name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)}
    for name in sorted(given - known):
        near = get_close_matches(name, sorted(known), n=1, cutoff=0.7)
        meant = f"Was {_PREFIX}{near[0]} meant?" if near else "The README lists all there are."
        yield bad(f"{_PREFIX}{name} is no setting, and what it says is not heard. {meant}")


def settings_file_mode(path: Path) -> Iterator[Finding]:
    try:
        found = path.stat()
    except FileNotFoundError:
        yield good(f"There is no {path}: all settings come from the environment.")
        return
    except OSError as problem:
        yield bad(f"{path} cannot be looked at: {problem.strerror}. Run this as the board's own user.")
        return
    if found.st_mode & _OTHERS:
        yield bad(f"{path} holds secrets and others on this machine may read it. Mend it: chmod 600 {path}")
    else:
        yield good(f"{path} is readable by its owner alone.")


def data_folder(folder: Path) -> Iterator[Finding]:
    """A server's first start makes the folder; then it, and the recordings in it, must be writable."""
    if not folder.exists():
        yield doubt(f"The data folder {folder} is not there yet: the first start makes it.")
        return
    for each in (folder, folder / "recordings"):
        if not each.exists():
            continue
        try:
            with tempfile.NamedTemporaryFile(dir=each, prefix=".doctor-"):
                pass
        except OSError as problem:
            yield bad(
                f"This user may not write to {each} ({problem.strerror}). Give it to the board's user, or set "
                "DASHBOARD_DATA to a folder it may write to. Run this command as that user, too."
            )
        else:
            yield good(f"{each} can be written to.")
    # Under systemd and in containers nobody else gets as far as this folder; on a shared machine somebody may.
    if (folder / "recordings").exists() and (folder / "recordings").stat().st_mode & _OTHERS:
        yield doubt(f"Others on this machine may look into {folder / 'recordings'}. Mend it: chmod 700 on it.")


def disk(settings: Settings) -> Iterator[Finding]:
    folder = next(each for each in (settings.data_folder, *settings.data_folder.resolve().parents) if each.exists())
    try:
        free = free_bytes(folder)
    except OSError as problem:
        yield bad(f"The disk of {folder} cannot be looked at: {problem.strerror}.")
        return
    left = f"{free // MIB:,} MiB are left on the disk of {folder}"
    if free < settings.disk_reserve:
        yield bad(
            f"{left}, less than DASHBOARD_DISK_RESERVE ({settings.disk_reserve // MIB:,} MiB): a board on SQLite "
            "refuses reports. Free some space."
        )
    elif free < 1024 * MIB:
        yield doubt(f"{left}: recordings may not be kept, and the rest fills up. Free some space.")
    else:
        yield good(f"{left}.")


def secrets(settings: Settings) -> Iterator[Finding]:
    if not settings.webhook_secrets:
        if settings.is_local:
            yield doubt(
                f"There is no webhook secret: the board is for this machine only. To connect: {CONNECT_COMMAND}"
            )
        else:
            yield bad(f"DASHBOARD_WEBHOOK_SECRET is missing, so `serve` refuses to start. Make one: {CONNECT_COMMAND}")
        return
    if any(len(secret) < SHORTEST_TOKEN for secret in settings.webhook_secrets):
        yield bad(
            f"A webhook secret has fewer than {SHORTEST_TOKEN} letters and can be guessed. Make another with "
            "`openssl rand -hex 24`, put it before the old one (separated by a comma), change it in CallKaro, and take "
            "the old one out."
        )
    elif len(settings.webhook_secrets) == 1:
        yield good("There is one webhook secret, and it is long enough.")
    elif len(set(settings.webhook_secrets)) < len(settings.webhook_secrets):
        yield doubt("DASHBOARD_WEBHOOK_SECRET holds the same secret twice. Take one out.")


def descriptors() -> Iterator[Finding]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < FEW_DESCRIPTORS:
        yield doubt(
            f"This user may have {hard:,} descriptors, and each open page is one. Raise it: LimitNOFILE=65536 with "
            "systemd, ulimit -n in a shell, ulimits in a compose file."
        )
    else:
        yield good("There are descriptors enough for thousands of open pages.")
