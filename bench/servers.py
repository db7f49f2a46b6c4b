"""Starting, watching and ending the servers under test: Callboard and its peers, each in its own folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bench.bodies import SECRET

READY_WITHIN = 20.0
ENDED_WITHIN = 15.0
PEERS = Path(__file__).parent / "peers"
NCHAN_MODULES = (
    "/usr/lib/nginx/modules/ngx_nchan_module.so",
    "/usr/lib64/nginx/modules/ngx_nchan_module.so",
    "/usr/share/nginx/modules/ngx_nchan_module.so",
)


class NotMeasured(Exception):
    """Something needed is missing or did not start; the text says what, and what to do."""


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, and what its processes have used."""

    port: int
    pid: int
    database: Path

    @property
    def pids(self) -> list[int]:
        return _family(self.pid)

    @property
    def cpu(self) -> float:
        """Seconds of all its processes since they began."""
        ticks = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    @property
    def memory(self) -> int:
        """Resident bytes of all its processes."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids)
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def callboard(folder: Path, checkout: Path | None = None, **environment: str) -> Iterator[Server]:
    """Callboard of this checkout, or of another one, such as the commit before a change."""
    argv = [sys.executable, "-m", "dashboard", "serve"]
    with _serving("Callboard", folder, argv, ready="/readyz", environment=environment, cwd=checkout) as server:
        yield server


@contextmanager
def callboard_on_granian(folder: Path) -> Iterator[Server]:
    port = free_port()
    migrate = [sys.executable, "-m", "dashboard", "migrate"]
    done = subprocess.run(migrate, env=_environment(folder, port), capture_output=True, text=True, timeout=READY_WITHIN)
    if done.returncode:
        raise NotMeasured(f"`python -m dashboard migrate` failed: {_last(done.stderr)}")
    granian = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--workers", "1", "--no-ws"]
    argv = [*granian, "--host", "127.0.0.1", "--port", str(port), "dashboard.app:create_app"]
    with _serving("Callboard on Granian", folder, argv, port=port, ready="/readyz") as server:
        yield server


@contextmanager
def peer(module: str, folder: Path, *arguments: str) -> Iterator[Server]:
    """A Python peer of `bench.peers`, started as `python -m bench.peers.<module> PORT …`."""
    port = free_port()
    argv = [sys.executable, "-m", f"bench.peers.{module}", str(port), *arguments]
    with _serving(module, folder, argv, port=port) as server:
        yield server


@contextmanager
def nchan(folder: Path) -> Iterator[Server]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    module = next((path for path in NCHAN_MODULES if Path(path).exists()), None)
    if not nginx or not module:
        raise NotMeasured("nginx with the nchan module is not installed: `apt install nginx libnginx-mod-nchan`.")
    port = free_port()
    text = (PEERS / "nchan.conf").read_text(encoding="utf-8")
    for slot, value in {"@MODULE@": module, "@FOLDER@": str(folder), "@PORT@": str(port)}.items():
        text = text.replace(slot, value)
    (folder / "nchan.conf").write_text(text, encoding="utf-8")
    with _serving("Nchan", folder, [nginx, "-p", str(folder), "-c", str(folder / "nchan.conf")], port=port) as server:
        yield server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _serving(
    name: str,
    folder: Path,
    argv: list[str],
    *,
    port: int = 0,
    ready: str = "",
    environment: Mapping[str, str] = MappingProxyType({}),
    cwd: Path | None = None,
) -> Iterator[Server]:
    port = port or free_port()
    log = folder / "server.log"
    with log.open("wb") as output:
        # Its own group of processes: Ctrl-C ends the bench, and the bench ends the server.
        process = subprocess.Popen(
            argv,
            env={**_environment(folder, port), **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=cwd,
        )
    try:
        _wait_until_ready(name, process, port, ready, log)
        yield Server(port, process.pid, folder / "callboard.db")
    finally:
        _end(process)


def _wait_until_ready(name: str, process: subprocess.Popen[bytes], port: int, ready: str, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port, ready):
            return
        time.sleep(0.05)
    ended = process.poll() is not None
    why = f"ended with code {process.returncode}" if ended else f"not ready within {READY_WITHIN:.0f} s"
    raise NotMeasured(f"{name} did not start ({why}): {_last(log.read_text(errors='replace'))}")


def _answers(port: int, path: str) -> bool:
    try:
        if not path:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:  # refused, or urllib's own errors, which derive from it
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    family = _family(process.pid)
    process.terminate()
    try:
        process.wait(ENDED_WITHIN)
    except subprocess.TimeoutExpired:
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()


def _family(pid: int) -> list[int]:
    """The process and those it started, and theirs."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:  # a thread that ended while its folder was being read
                continue
    return found


def _environment(folder: Path, port: int) -> dict[str, str]:
    """The bench's own environment without a setting that could point a server at somebody's real data."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DASHBOARD_")}
    for name in ("DATABASE_URL", "PORT"):
        environment.pop(name, None)
    return environment | {
        "DASHBOARD_BIND": f"127.0.0.1:{port}",
        "DASHBOARD_DATA": str(folder),
        "DASHBOARD_DATABASE_URL": f"sqlite:///{folder / 'callboard.db'}",
        "DASHBOARD_WEBHOOK_SECRET": SECRET,
    }


def _last(log: str) -> str:
    """The line that most likely says why: the last that speaks of an error, else the last."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return next(
        (line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "it said nothing"
    )
