"""A real PgBouncer in transaction mode before a PostgreSQL of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.postgres import CEILING, OWNER, PostgresServer
from tests.running import free_port


def pgbouncer_path() -> str:
    """PGBOUNCER, else one where Debian has it; none is a failure, because only a real one refuses what it refuses."""
    for name in (os.environ.get("PGBOUNCER", ""), "pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer"):
        if name and (path := shutil.which(name)):
            return path
    raise AssertionError(
        "No PgBouncer was found. Set PGBOUNCER to one, or let `make test` install it (root on Debian)."
    )


class PgBouncer:
    """Every database of the server, on a port of its own; each transaction may run in another session."""

    def __init__(self, server: PostgresServer, **settings: str) -> None:
        program = pgbouncer_path()
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="callboard-pgbouncer-"))
        self._log = self._folder / "log"
        given = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            # More than one, so that a transaction does get another session than the one before.
            "min_pool_size": "3",
            "server_round_robin": "1",
            # Its 15 s would be how long reports are refused after a restart of the server behind it.
            "server_login_retry": "1",
        } | settings
        lines = [
            "[databases]",
            f"* = host=127.0.0.1 port={server.port} user={OWNER}",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in given.items()),
        ]
        config = self._folder / "pgbouncer.ini"
        config.write_text("\n".join(lines) + "\n")
        user = "nobody" if os.geteuid() == 0 else None  # PgBouncer refuses to run as root
        self._folder.chmod(0o755)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([program, str(config)], user=user, stdout=log, stderr=log)
        until = time.monotonic() + CEILING
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PgBouncer did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def url(self, database: str = OWNER) -> str:
        return f"postgresql+psycopg://{OWNER}@127.0.0.1:{self.port}/{database}"

    def _accepts(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url().replace("+psycopg", ""), connect_timeout=2).close()
            return True
        return False

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder)
