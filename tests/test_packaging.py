"""The wheel holds all that the board needs, and runs where there is no checkout."""

from __future__ import annotations

import ast
import email
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from dashboard.program import command_of

REPO = Path(__file__).parents[1]
SECONDS = 60


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        *("-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir"),
        *("--wheel-dir", str(folder), str(REPO)),
        cwd=folder,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and nothing else of the project; what it depends on comes from the environment."""
    folder = tmp_path_factory.mktemp("installed")
    _run("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(folder), str(wheel), cwd=folder)
    return folder


def _run(*arguments: str, cwd: Path, path: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DASHBOARD_", "PYTHON"))}
    environment |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1"} | ({"PYTHONPATH": str(path)} if path else {})
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _files(folder: str) -> set[str]:
    paths = (path.relative_to(REPO / folder) for path in (REPO / folder).rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if "__pycache__" not in path.parts}


@pytest.mark.parametrize(
    ("folder", "inside"),
    [("dashboard", "dashboard"), ("templates", "dashboard/templates"), ("static", "dashboard/static")],
)
def test_every_file_of_the_board_travels_in_the_wheel(wheel: Path, folder: str, inside: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    missing = {name for name in _files(folder) if f"{inside}/{name}" not in packed}
    assert not missing


def test_nothing_but_the_board_travels_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    version = wheel.name.split("-")[1]
    assert tops == {"dashboard", f"callboard-{version}.dist-info"}


def test_the_wheel_describes_itself(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "# Callboard" in str(metadata.get_payload())


def test_the_words_of_an_installed_board_name_commands_that_are_there(installed: Path, tmp_path: Path) -> None:
    words = "import sys; sys.argv[0] = {!r}; from dashboard.settings import CONNECT_COMMAND as c; print(c)"
    words += "; from dashboard.program import DEMO_COMMAND as d; print(d)"
    for started_as, program in (
        ("/usr/bin/callboard", "/usr/bin/callboard"),
        ("/x/__main__.py", "python -m dashboard"),
    ):
        said = _run("-c", words.format(started_as), cwd=tmp_path, path=installed)
        assert said.splitlines() == [f"{program} connect", f"{program} demo"]


def test_only_one_module_names_the_interpreter_of_a_checkout() -> None:
    files = [*(REPO / "dashboard").rglob("*.py"), *(REPO / "templates").glob("*.html")]
    naming = {path.name for path in files if ".venv/bin" in path.read_text(encoding="utf-8")}
    assert naming == {"program.py"}


def test_a_script_that_the_shell_finds_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "bin" / "callboard"
    script.parent.mkdir()
    script.touch(0o755)
    assert command_of(str(script), tmp_path) == str(script)
    monkeypatch.setenv("PATH", str(script.parent))
    assert command_of(str(script), tmp_path) == "callboard"
    assert command_of("/x/dashboard/__main__.py", tmp_path / "dashboard") == "python -m dashboard"
    (tmp_path / "pyproject.toml").touch()
    assert command_of("/x/dashboard/__main__.py", tmp_path / "dashboard") == ".venv/bin/python -m dashboard"


def test_every_package_that_the_board_imports_is_declared() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (REPO / "dashboard").rglob("*.py"))
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    imported = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    providers = importlib.metadata.packages_distributions()
    needed = {
        providers[name][0].lower().replace("_", "-") for name in imported - sys.stdlib_module_names - {"dashboard"}
    }
    stated = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    declared = {re.split(r"[\[<>=~]", requirement)[0] for requirement in stated}
    assert needed <= declared
    # Not imported by name: the zone data that zoneinfo reads where the system has none.
    assert declared - needed == {"tzdata"}


def test_a_start_loads_what_it_needs_and_no_more() -> None:
    # Reports wait while a board starts.
    words = "import dashboard.__main__, sys; print([name for name in sys.argv[1:] if name in sys.modules])"
    named = ("alembic", "psycopg", "httpx", "anyio._backends._asyncio")
    assert _run("-c", words, *named, cwd=REPO).strip() == "['anyio._backends._asyncio']"


def test_the_wheel_carries_the_version_that_the_package_states(wheel: Path, installed: Path) -> None:
    stated = _run("-c", "import dashboard; print(dashboard.__version__)", cwd=installed, path=installed)
    assert wheel.name.startswith(f"callboard-{stated.strip()}-")


def test_the_installed_package_is_the_one_that_runs(installed: Path, tmp_path: Path) -> None:
    where = _run("-c", "import dashboard; print(dashboard.__file__)", cwd=tmp_path, path=installed)
    assert Path(where.strip()).is_relative_to(installed)


def test_the_installed_command_says_what_it_can_do(installed: Path, tmp_path: Path) -> None:
    assert "serve" in _run("-m", "dashboard", "--help", cwd=tmp_path, path=installed)
    assert "serve" in _run(str(installed / "bin" / "callboard"), "--help", cwd=tmp_path, path=installed)


def test_the_installed_package_makes_its_database(installed: Path, tmp_path: Path) -> None:
    _run("-m", "dashboard", "migrate", cwd=tmp_path, path=installed)
    assert (tmp_path / "data" / "callboard.db").stat().st_size > 0


def test_the_installed_package_draws_the_board_and_sends_its_scripts(installed: Path, tmp_path: Path) -> None:
    program = """
import asyncio, re
from dashboard.app import create_app
from dashboard.settings import Settings

async def visit():
    async with (app := create_app(Settings.from_env())).test_app() as running:
        client = running.test_client()
        page = await (await client.get("/")).get_data(as_text=True)
        script = re.search(r'src="([^"]*htmx-4.0.1.min.js[^"]*)"', page)[1]
        print((await client.get(script)).status_code)

asyncio.run(visit())
"""
    _run("-m", "dashboard", "migrate", cwd=tmp_path, path=installed)
    assert _run("-c", program, cwd=tmp_path, path=installed).strip() == "200"
