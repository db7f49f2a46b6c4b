"""Rules about the whole tree, so that nobody has to remember them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "dashboard"

# From the roof down: a module may import those that stand below it, never one above or beside it.
LAYERS = (
    ("__main__",),
    ("app",),
    ("doctor",),
    ("connect", "forward_command", "import_command", "recordings_command", "simulator", "users"),
    ("safekeeping",),
    ("web",),
    ("erasure", "tokens"),
    ("accounts", "archive", "forward", "intake", "streams", "upkeep", "watch"),
    ("stream_pieces",),
    ("stream_views",),
    ("feed",),
    ("person_column", "ring", "told"),
    ("render",),
    ("store",),
    ("migrations",),
    ("database",),
    ("patience", "recordings"),
    ("outside",),
    ("index",),
    ("people", "times"),
    ("bitmaps",),
    ("masked_names", "notices"),
    ("filters",),
    ("figures",),
    ("calls",),
    ("callkaro",),
    ("server",),
    ("connections",),
    ("http1", "idle_timer", "page_turns"),
    ("models", "settings", "sse", "zones"),
    ("credentials", "env_file", "memory", "public_url", "targets"),
    (
        "account_names",
        "byte_cache",
        "console",
        "content_encoding",
        "crew",
        "database_url",
        "disk",
        "fair_queue",
        "gaps",
        "hours",
        "links",
        "logs",
        "machine",
        "measures",
        "passwords",
        "platforms",
        "program",
        "prometheus",
        "retention",
        "roles",
        "sheets",
        "stream_limits",
        "time_slices",
    ),
    ("masking",),
    ("phone_numbers",),
)
STOREY = {name: number for number, names in enumerate(LAYERS) for name in names}
PYTHON_FILES = sorted(path for path in HOUSE.rglob("*.py") if "versions" not in path.parts)
TEMPLATES = sorted((ROOT / "templates").glob("*.html"))


def part_of(path: Path) -> str:
    """The part of the house a file belongs to: its module or package directly below `dashboard`."""
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, by its whole name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are written out in full"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_imports_only_point_down(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    for name in imports_of(path):
        words = name.split(".")
        if words[0] != "dashboard" or len(words) < 2 or words[1] not in STOREY or words[1] == part:
            continue
        assert STOREY[words[1]] > STOREY[part], f"{part} stands below {words[1]} and must not import it"


def test_every_part_of_the_house_has_its_storey() -> None:
    parts = {part_of(path) for path in PYTHON_FILES} - {"__init__"}
    assert parts == set(STOREY)


def test_only_web_and_app_know_quart() -> None:
    knowing = {
        part_of(path) for path in PYTHON_FILES if any(name.split(".")[0] == "quart" for name in imports_of(path))
    }
    assert knowing == {"app", "web"}


def test_only_database_tells_sqlite_from_postgresql() -> None:
    telling = {
        part_of(path)
        for path in PYTHON_FILES
        if re.search(r"dialect\.name|import (sqlite3|psycopg)\b", path.read_text(encoding="utf-8"))
    }
    assert telling == {"database"}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_escape_everything_and_keep_to_the_policy(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for forbidden, why in (
        (r"\|\s*safe\b", "everything rendered is text"),
        (r"autoescape\s+false", "everything rendered is text"),
        (r"\sstyle=", "the content security policy blocks style attributes"),
        (r"<script(?![^>]*\ssrc=)", "no inline script"),
        (r"<style", "no inline style"),
        (r"\son[a-z]+=", "no inline handlers"),
        (r"hx-on|hx-vals=.js:|javascript:", "needs eval, which the policy forbids"),
        (r"sse-connect=\"|sse-swap|hx-ext|hx-disabled-elt|htmx:[a-z]+[A-Z]", "htmx 2 syntax: htmx 4 ignores it"),
        (r"=\s*\{\{", "an unquoted attribute lets its value break out"),
    ):
        assert not re.search(forbidden, re.sub(r"hx-sse:connect", "", text)), f"{path.name}: {why}"


def test_our_own_scripts_stay_small() -> None:
    """All our own scripts together, raw: the budget of the design. Such budgets are lost byte by byte."""
    scripts = {path.name: path.stat().st_size for path in (ROOT / "static").glob("*.js")}
    assert sum(scripts.values()) < 35_000, scripts


def test_every_setting_is_in_the_readme() -> None:
    settings = set(re.findall(r'"((?:DASHBOARD_)[A-Z_]+)"', (HOUSE / "settings.py").read_text(encoding="utf-8")))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = {name for name in settings if f"`{name}`" not in readme}
    assert settings
    assert not missing, f"not in the README's table of settings: {sorted(missing)}"


def test_every_runtime_dependency_earns_a_line_in_the_architecture() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = project.split("dependencies = [", 1)[1].split("\n]", 1)[0]
    names = re.findall(r'^\s*"([a-z0-9-]+)', listed, re.MULTILINE)
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert names
    assert [name for name in names if f"`{name}`" not in architecture] == []


def test_the_lock_files_hold_hashes_and_no_addresses() -> None:
    for path in ROOT.glob("requirements*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)
