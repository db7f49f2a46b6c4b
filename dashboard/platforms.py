"""Which platforms throw their files away, told by what each puts into the environment; knows no setting of ours.

A board on SQLite would take in calls there, answer 200, and lose them all at the next restart.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

# Deployed anew with every version: the disk that holds it is not the one that is kept.
_PROGRAM = Path(__file__).resolve().parent


class Platform(NamedTuple):
    """A place that makes its disk anew with every start."""

    name: str
    variables: tuple[str, ...]
    """Any of them is set: we run there."""
    volume: str = ""
    """The variable that holds where its kept disk is mounted."""
    has_disks: bool = False
    """Whether it offers disks that are kept, and tells of them by nothing but the mount."""

    def keeps(self, file: Path, environ: Mapping[str, str], is_mount: Callable[[Path], bool]) -> bool:
        if self.volume:
            folder = environ.get(self.volume, "")
            return folder != "" and file.is_relative_to(folder)
        # Going up from the file, the first mount is the disk that it lies on.
        disk = next((folder for folder in file.parents if is_mount(folder)), Path(file.anchor))
        return self.has_disks and not _PROGRAM.is_relative_to(disk)

    def warning(self, file: Path) -> str:
        or_disk = ", or DASHBOARD_DATA to a folder on a disk attached to it" if self.has_disks or self.volume else ""
        return (
            f"{self.name} throws its files away with every restart, and the calls would go with them: set DATABASE_URL "
            f"to a PostgreSQL database{or_disk}; or, if you know that {file} is kept, set DASHBOARD_DISK=kept."
        )


# Each by what its own documentation promises to set.
PLATFORMS = (
    Platform("Heroku", ("DYNO",)),
    # Files lie in memory there; what can be mounted is a bucket or NFS, on which SQLite's locks do not hold.
    Platform("Cloud Run", ("K_SERVICE", "CLOUD_RUN_JOB")),
    Platform("Render", ("RENDER",), has_disks=True),
    Platform("Railway", ("RAILWAY_ENVIRONMENT_NAME", "RAILWAY_ENVIRONMENT"), volume="RAILWAY_VOLUME_MOUNT_PATH"),
    Platform("Fly.io", ("FLY_APP_NAME",), has_disks=True),
)


def platform_that_loses(
    file: Path, environ: Mapping[str, str], *, is_mount: Callable[[Path], bool] = os.path.ismount
) -> Platform | None:
    """The platform we run on, if it would throw this file away."""
    file = Path(os.path.abspath(file))  # noqa: PTH100  (resolve() would read the disk)
    for platform in PLATFORMS:
        if any(environ.get(name) for name in platform.variables) and not platform.keeps(file, environ, is_mount):
            return platform
    return None
