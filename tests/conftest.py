"""The words the tests speak in: a report, a database, a board, a running server."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from argon2 import PasswordHasher
from quart.typing import TestClientProtocol

from dashboard import feed, passwords
from dashboard.app import create_app
from dashboard.database import Database
from dashboard.migrations import migrate
from dashboard.settings import Settings
from dashboard.web.parts import Callboard
from tests.postgres import postgres, postgres_url  # noqa: F401  (fixtures)
from tests.running import RunningBoard

# How long an example takes is the machine's doing: on a busy one any may take more than Hypothesis allows by itself.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def patient_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page waits for the call that was just stored, however busy the machine is."""
    monkeypatch.setattr(feed, "REACH_SECONDS", 10.0)


@pytest.fixture
def cheap_sign_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password costs a test next to nothing."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind; a test that takes it runs on both."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url.replace("postgresql://", "postgresql+psycopg://", 1)
    return f"sqlite:///{tmp_path / 'callboard.db'}"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite's with all tables and no rows, to be copied: migrating takes a tenth of a second each time."""
    path = tmp_path_factory.mktemp("migrated") / "callboard.db"
    made = Database(f"sqlite:///{path}")
    migrate(made)
    made.close()
    return path


@pytest.fixture
def database(database_url: str, tmp_path: Path, migrated_file: Path) -> Iterator[Database]:
    """A migrated database of either kind."""
    if database_url.startswith("sqlite:"):
        shutil.copyfile(migrated_file, tmp_path / "callboard.db")
    made = Database(database_url)
    migrate(made)
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{tmp_path / 'callboard.db'}", data_folder=tmp_path)


@pytest.fixture
async def make_app(settings: Settings, migrated_file: Path) -> AsyncIterator[Callable[..., Awaitable[Callboard]]]:
    """Makes boards whose parts run and whose index is loaded; takes what differs from `settings`."""
    if not (file := settings.data_folder / "callboard.db").exists():
        shutil.copyfile(migrated_file, file)
    async with AsyncExitStack() as running:

        async def make(**changes: Any) -> Callboard:
            made = create_app(replace(settings, **changes))
            await running.enter_async_context(made.test_app())  # type: ignore[arg-type]
            async with asyncio.timeout(5):
                await made.feed.ready.wait()
            return made

        yield make


@pytest.fixture
async def app(make_app: Callable[..., Awaitable[Callboard]]) -> Callboard:
    """A board whose parts run, and whose index is loaded."""
    return await make_app()


@pytest.fixture
def client(app: Callboard) -> TestClientProtocol:
    return app.test_client()


@pytest.fixture
def start_board(tmp_path: Path) -> Iterator[Callable[..., RunningBoard]]:
    """Starts real servers (`python -m dashboard serve`) on free ports; each ends with the test."""
    started: list[RunningBoard] = []

    def start(**environment: str) -> RunningBoard:
        board = RunningBoard(tmp_path / f"board-{len(started)}", environment)
        started.append(board)
        board.start()
        return board

    yield start
    for board in started:
        board.end()
