"""The demo's own board: the real server in a process of its own, and the address it gets. Knows no calls."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import httpx

from dashboard.database_url import sqlite_url
from dashboard.simulator.board import Refused

SERVE = (sys.executable, "-m", "dashboard", "serve")
LOOPBACK = ("127.0.0.1", "localhost")
PORTS_TRIED = 50
READY_WITHIN_SECONDS = 30
ENDED_WITHIN_SECONDS = 10
LOG_LINES_SHOWN = 15
# These would lead the demo's board to another database, port or secret than its own.
FOREIGN = ("PORT", "DATABASE_URL", "DATABASE_URL_FILE")


@dataclass(frozen=True)
class BoardProcess:
    process: asyncio.subprocess.Process
    log: Path

    async def wait_until_ready(self, board: httpx.AsyncClient) -> None:
        """Raises Refused if it ends before it is ready, or takes too long."""
        try:
            async with asyncio.timeout(READY_WITHIN_SECONDS):
                while not await _is_ready(board):
                    self.refuse_ended()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise Refused(
                f"The demo board was not ready after {READY_WITHIN_SECONDS} s. {self._last_words()}"
            ) from None

    def refuse_ended(self) -> None:
        if self.process.returncode is not None:
            raise Refused(f"The demo board ended by itself (exit code {self.process.returncode}). {self._last_words()}")

    async def end(self) -> None:
        """As any supervisor would end it."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(ENDED_WITHIN_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return "Its last words:\n" + "\n".join(lines) if lines else "It said nothing."


@asynccontextmanager
async def board_process(
    address: str, folder: Path, recording_host: str, serve: tuple[str, ...] = SERVE
) -> AsyncIterator[BoardProcess]:
    """Started with everything it keeps in `folder`; ended on the way out."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *serve,
            env=_environment(address, folder, recording_host),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the demo; the board is ended by it, in order
        )
    board = BoardProcess(process, log)
    try:
        yield board
    finally:
        await board.end()


def _environment(address: str, folder: Path, recording_host: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("DASHBOARD_") and name not in FOREIGN
    }
    return kept | {
        "DASHBOARD_BIND": address,
        "DASHBOARD_DATA": str(folder),
        "DASHBOARD_DATABASE_URL": sqlite_url(folder / "callboard.db"),
        "DASHBOARD_RECORDING_HOSTS": recording_host,
        "DASHBOARD_DISK": "kept",  # for as long as the demo lasts
    }


async def _is_ready(board: httpx.AsyncClient) -> bool:
    try:
        return (await board.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


def free_address(bind: str, out: TextIO) -> str:
    """The address asked for, or the same host with the next free port, said aloud. Raises Refused."""
    host, _, port = bind.rpartition(":")
    if host not in LOOPBACK or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Refused(f"The demo is for this machine only: give it an address such as 127.0.0.1:8000, not {bind!r}.")
    wanted = int(port)
    for candidate in range(wanted, min(wanted + PORTS_TRIED, 65536)):
        if _is_free(host, candidate):
            if candidate != wanted:
                print(f"Port {wanted} is taken, so the demo uses {candidate}.", file=out, flush=True)
            return f"{host}:{candidate}"
    raise Refused(f"No port from {wanted} on is free on {host}. End what listens there, or name another port.")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free, as for the server
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
