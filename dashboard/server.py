"""Between the machine and the app: our own listening sockets and signals around Hypercorn; knows no route, no page."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.config import Config
from hypercorn.typing import AppWrapper, ASGIFramework, LifespanState

from dashboard.connections import BACKLOG, Connections, one_complaint_about_descriptors

STALLED_SECONDS = 20.0
"""How long a peer may leave sent bytes unread before the kernel drops it."""

UNSENT_BYTES = 128 * 1024
"""How much a slow reader may have waiting in the kernel: unbounded, each stalled page held 2.8 MB of it."""

GRACEFUL_SECONDS = 1.7
"""From the stop signal to the cut: longer than the 1.5 s that a report may wait to be stored while the board stops."""

SHUTDOWN_SECONDS = 10.0

log = logging.getLogger(__name__)


class CannotListen(Exception):
    """The socket cannot be opened; the text tells the person why and what to set."""


def listen(bind: str, *, setting: str = "DASHBOARD_BIND", stalled_after: float = STALLED_SECONDS) -> socket.socket:
    """A listening socket for `host:port`, `[v6]:port`, `unix:/path` or `fd://N` (handed over by systemd or a parent).

    Options are set on the listener because Linux hands them on to every connection it accepts.
    Raises CannotListen, whose text names `setting`.
    """
    try:
        sock = _bound(bind)
    except OSError as problem:
        raise CannotListen(_sentence(problem, bind, setting)) from problem
    except ValueError as problem:
        raise CannotListen(
            f"{setting} must be host:port (127.0.0.1:8000, [::1]:8000), unix:/path/of/socket or fd://3, not {bind!r}."
        ) from problem
    try:
        if sock.family != socket.AF_UNIX:
            _let_go_of_lost_peers(sock, stalled_after)
        sock.listen(BACKLOG)
    except OSError as problem:
        sock.close()
        raise CannotListen(_sentence(problem, bind, setting)) from problem
    sock.setblocking(False)
    sock.set_inheritable(False)
    return sock


def _bound(bind: str) -> socket.socket:
    """Raises OSError when the machine refuses, ValueError when `bind` is none of the four forms."""
    scheme, separator, rest = bind.partition(":")
    if scheme == "fd" and separator:
        return _handed_over(int(rest.removeprefix("//")))
    if scheme == "unix" and separator:
        return _unix(rest)
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535 or (":" in host) != host.startswith("["):
        raise ValueError(bind)
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _handed_over(descriptor: int) -> socket.socket:
    sock = socket.socket(fileno=descriptor)
    if sock.type != socket.SOCK_STREAM:
        sock.detach()
        raise OSError(errno.ENOTSOCK, "that descriptor is not a stream socket")
    return sock


def _unix(path: str) -> socket.socket:
    """Takes the place of a socket file that nobody answers on any more (its owner was killed), of nothing else."""
    if not path:
        raise ValueError(path)
    if Path(path).is_socket():
        with socket.socket(socket.AF_UNIX) as probe, suppress(ConnectionRefusedError):
            probe.connect(path)
            raise OSError(errno.EADDRINUSE, "somebody answers there")
        Path(path).unlink()
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path)
    except OSError:
        sock.close()
        raise
    return sock


def _let_go_of_lost_peers(sock: socket.socket, stalled_after: float) -> None:
    """Without these a page that stops reading, or a laptop that is shut, keeps its stream and connection for ever."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_NODELAY", 1),
        ("TCP_USER_TIMEOUT", round(stalled_after * 1000)),
        ("TCP_NOTSENT_LOWAT", UNSENT_BYTES),
        ("TCP_KEEPIDLE", 15),
        ("TCP_KEEPALIVE", 15),  # what macOS calls TCP_KEEPIDLE; each system lacks some of these names
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 3),
    ):
        if (option := getattr(socket, name, None)) is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _sentence(problem: OSError, bind: str, setting: str) -> str:
    match problem.errno:
        case errno.EADDRINUSE:
            return f"Something else already listens on {bind}. Stop it, or set {setting} to another port."
        case errno.EACCES | errno.EPERM if bind.startswith("unix:"):
            return f"This user may not make a socket at {bind}. Set {setting} to a path in a folder it may write to."
        case errno.EACCES | errno.EPERM:
            return f"This user may not listen on {bind}. Set {setting} to a port from 1024 up."
        case errno.EADDRNOTAVAIL:
            return (
                f"{bind} is no address of this machine. Set {setting} to 127.0.0.1:8000 (reached from this machine "
                "only) or 0.0.0.0:8000 (from every network it is on)."
            )
    return (
        f"Cannot listen on {bind}: {problem.strerror or problem}. Set {setting} to an address such as 127.0.0.1:8000."
    )


def raise_descriptor_limit() -> None:
    """A stream is a descriptor; many systems start a process with 1,024 of them though it may have far more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # macOS says "unlimited" and then refuses it
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(
    app: ASGIFramework,
    sockets: Sequence[socket.socket],
    *,
    on_stop: Callable[[], None],
    stop_signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
    graceful_seconds: float = GRACEFUL_SECONDS,
) -> None:
    """Answer on these sockets (which it closes) until a stop signal; then finish what was begun, and return.

    The first signal calls `on_stop`, which must end the streams; the second cuts every connection; a third kills.
    Raises what the app's start-up raised.
    """
    raise_descriptor_limit()
    config, asgi, state = _config(), ASGIWrapper(app), LifespanState()
    connections = Connections(asgi, config, state)
    stop = asyncio.Event()

    def stop_or_cut() -> None:
        if stop.is_set():
            connections.cut()
        stop.set()

    with _hearing(stop_signals, stop_or_cut), one_complaint_about_descriptors():
        async with _lifespan(asgi, config, state):
            try:
                await connections.admit(sockets)
                await stop.wait()
            finally:
                try:
                    on_stop()
                finally:
                    await connections.see_off(graceful_seconds)


def _config() -> Config:
    config = Config()
    config.accesslog = None  # a request line would carry the webhook's ?token= into the log
    config.errorlog = log
    config.include_server_header = False
    config.keep_alive_max_requests = sys.maxsize
    config.shutdown_timeout = SHUTDOWN_SECONDS
    return config


@asynccontextmanager
async def _lifespan(asgi: AppWrapper, config: Config, state: LifespanState) -> AsyncIterator[None]:
    """The app is started before the first connection and shut down after the last."""
    lifespan = Lifespan(asgi, config, asyncio.get_running_loop(), state)
    task = asyncio.create_task(lifespan.handle_lifespan())
    await lifespan.wait_for_startup()
    if task.done():
        task.result()
    try:
        yield
    finally:
        await lifespan.wait_for_shutdown()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@contextmanager
def _hearing(signals: Sequence[signal.Signals], heard: Callable[[], None]) -> Iterator[None]:
    """Two signals are ours to hear; the third is the system's again, should even the cut not help."""
    loop = asyncio.get_running_loop()
    times = 0

    def count() -> None:
        nonlocal times
        times += 1
        if times == 2:
            forget()
        heard()

    def forget() -> None:
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, count)
    try:
        yield
    finally:
        forget()
