"""Where a SQLite file would be lost, and what the board says there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dashboard
from dashboard.platforms import PLATFORMS, Platform, platform_that_loses
from dashboard.settings import BadSetting, Settings

VARIABLES = [name for platform in PLATFORMS for name in platform.variables]
CODE = Path(dashboard.__file__).parent.parent
AT_HEROKU = {"DYNO": "web.1"}


def loser(file: str, environ: dict[str, str], mounts: tuple[str, ...] = ()) -> str | None:
    """The name of the platform that would lose this file, where these folders and the root are mounts."""
    found = platform_that_loses(Path(file), environ, is_mount=lambda folder: str(folder) in ("/", *mounts))
    return found and found.name


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_file_on_the_disk_of_the_program_is_lost_on_every_platform(variable: str) -> None:
    environ = {variable: "x"}
    assert loser("/app/data/callboard.db", environ) is not None
    assert loser("data/callboard.db", environ) is not None
    # A host that mounts the folder of the program has mounted what comes with the program.
    assert loser(f"{CODE}/data/callboard.db", environ, mounts=(str(CODE),)) is not None


@pytest.mark.parametrize(
    ("lost_on", "environ"),
    [
        ("Heroku", AT_HEROKU),
        ("Cloud Run", {"K_SERVICE": "callboard"}),
        ("Cloud Run", {"CLOUD_RUN_JOB": "migrate"}),
        (None, {"RENDER": "true"}),
        (None, {"FLY_APP_NAME": "callboard"}),
        ("Railway", {"RAILWAY_ENVIRONMENT_NAME": "production"}),
        ("Railway", {"RAILWAY_ENVIRONMENT": "production"}),
        (None, {"RAILWAY_ENVIRONMENT_NAME": "production", "RAILWAY_VOLUME_MOUNT_PATH": "/disk"}),
        ("Railway", {"RAILWAY_ENVIRONMENT_NAME": "production", "RAILWAY_VOLUME_MOUNT_PATH": "/dis"}),
        ("Railway", {"RAILWAY_ENVIRONMENT_NAME": "production", "RAILWAY_VOLUME_MOUNT_PATH": ""}),
    ],
    ids=range(10),
)
def test_a_file_on_a_disk_of_its_own_is_kept_where_such_disks_can_be_had(
    lost_on: str | None, environ: dict[str, str]
) -> None:
    for file in ("/disk/callboard.db", "/disk/board/data/callboard.db"):
        assert loser(file, environ, mounts=("/disk",)) == lost_on


@given(st.dictionaries(st.sampled_from([*VARIABLES, "PORT", "HOME", "RAILWAY_VOLUME_MOUNT_PATH"]), st.text(max_size=9)))
def test_a_machine_is_a_platform_only_if_one_of_its_variables_says_something(environ: dict[str, str]) -> None:
    found = platform_that_loses(Path("/srv/callboard.db"), environ, is_mount=lambda folder: str(folder) == "/")
    if not any(environ.get(name) for name in VARIABLES):
        assert found is None
    elif found is None:
        # Only a volume that holds the file can have saved it.
        assert environ["RAILWAY_VOLUME_MOUNT_PATH"] == "/"
    else:
        assert any(environ.get(name) for name in found.variables)


@pytest.mark.parametrize("platform", PLATFORMS, ids=[platform.name for platform in PLATFORMS])
def test_the_sentence_says_why_and_what_to_set(tmp_path: Path, platform: Platform) -> None:
    with pytest.raises(BadSetting, match=r"throws its files away .* set DATABASE_URL to .* DASHBOARD_DISK=kept\.$"):
        Settings.from_env({"DASHBOARD_DATA": str(tmp_path), platform.variables[0]: "x"})


def test_postgresql_may_run_anywhere(tmp_path: Path) -> None:
    url = "postgres://u:p@h/d"
    settings = Settings.from_env(AT_HEROKU | {"DASHBOARD_DATA": str(tmp_path), "DATABASE_URL": url})
    assert settings.database_url.startswith("postgresql")


def test_whoever_knows_better_is_believed(tmp_path: Path) -> None:
    environ = AT_HEROKU | {"DASHBOARD_DATA": str(tmp_path), "DASHBOARD_DISK": "kept"}
    assert Settings.from_env(environ).database_url == f"sqlite:///{tmp_path}/callboard.db"
    with pytest.raises(BadSetting, match="DASHBOARD_DISK must be kept"):
        Settings.from_env(environ | {"DASHBOARD_DISK": "yes"})


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_the_board_does_not_start_where_its_calls_would_be_lost(tmp_path: Path, command: str) -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("DASHBOARD_")}
    ran = subprocess.run(
        [sys.executable, "-m", "dashboard", command],
        env=outside | AT_HEROKU | {"DASHBOARD_DATA": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert ran.stderr.startswith("callboard: Heroku throws its files away with every restart")
    assert not (tmp_path / "data").exists()
