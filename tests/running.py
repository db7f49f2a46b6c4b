"""A real server of the board, as a person starts it."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx

from tests.reports import WEBHOOK

CEILING_SECONDS = 20
# Every client reads all of the system's certificates otherwise, a tenth of a second each, to speak plain HTTP.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class RunningBoard:
    """`python -m dashboard serve` on a port that stays the same over restarts; its log is in `folder`."""

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        *,
        program: tuple[str, ...] = ("-m", "dashboard", "serve"),
        pass_fds: tuple[int, ...] = (),
        cwd: Path | None = None,
        python: str = sys.executable,
    ) -> None:
        """`program` is what `python` is to run, in the folder `cwd`; `pass_fds` what it inherits, as from systemd."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.log = folder / "serve.log"
        outside = {name: value for name, value in os.environ.items() if not name.startswith("DASHBOARD_")}
        # Without PYTHONDONTWRITEBYTECODE, which our terminals may have set: every start would compile the whole board.
        ours = ("PORT", "DATABASE_URL", "PYTHONDONTWRITEBYTECODE")
        self.environment = (
            {name: value for name, value in outside.items() if name not in ours}
            | {"DASHBOARD_DATA": str(folder / "data"), "DASHBOARD_BIND": f"127.0.0.1:{self.port}"}
            | environment
        )
        self.program = program
        self.pass_fds = pass_fds
        self.cwd = cwd
        self.python = python
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database_file(self) -> Path:
        return self.folder / "data" / "callboard.db"

    def start(self) -> None:
        """Start it and wait until it can store."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.python, *self.program],
                env=self.environment,
                pass_fds=self.pass_fds,
                cwd=self.cwd,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        until = time.monotonic() + CEILING_SECONDS
        with httpx.Client(base_url=self.url, timeout=2, verify=NO_TLS) as client:
            while time.monotonic() < until:
                with suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        return
                # A pause that ends at once if the server does; without one the asking took the server's processor.
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.05)
                    raise AssertionError(f"the server ended at once: {self.log.read_text()[-2000:]}")
        raise AssertionError(f"the server was not ready in time: {self.log.read_text()[-2000:]}")

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=10, verify=NO_TLS)

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        return httpx.post(self.url + WEBHOOK, content=body, headers=headers, timeout=10, verify=NO_TLS)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = CEILING_SECONDS) -> int:
        """Its exit code, once it has ended."""
        assert self.process is not None
        return self.process.wait(seconds)

    def kill(self) -> None:
        """As a power cut would end it."""
        self.signal(signal.SIGKILL)
        self.wait()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
