"""Serves the clips over real HTTP, with ranges, on a loopback port. Knows their bytes; knows no calls and no board."""

from __future__ import annotations

import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Unsatisfiable(ValueError):
    """A range that begins behind the end of the clip."""


def load_clips() -> dict[str, bytes]:
    """File name → bytes of every clip of the package, also when it is installed from a wheel."""
    folder = files("dashboard.simulator") / "clips"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name.endswith(".mp3")}


def wanted_span(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte asked for by a Range header. None means everything: no range, or one we need not honour."""
    match = RANGE.fullmatch(header.strip())
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
    if start >= size:
        raise Unsatisfiable(f"The clip has only {size} bytes.")
    return start, end


class ClipHost:
    """`with ClipHost() as host:` answers GET and HEAD at `host.url`/<name>.mp3, whatever stands after a `?`."""

    def __init__(self) -> None:
        self._server = _ClipServer(("127.0.0.1", 0), _ClipRequest)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="clips", daemon=True)

    @property
    def address(self) -> str:
        """host:port, as DASHBOARD_RECORDING_HOSTS takes it."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _ClipServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a listener that keeps its connection open must not keep the demo from ending
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], request: type[BaseHTTPRequestHandler]) -> None:
        self.clips = load_clips()
        super().__init__(address, request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A listener that hangs up in mid-clip is no news."""


class _ClipRequest(BaseHTTPRequestHandler):
    server: _ClipServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        clip = self.server.clips.get(urlsplit(self.path).path.removeprefix("/"))
        if clip is None:
            self._head(HTTPStatus.NOT_FOUND, 0)
            return
        try:
            span = wanted_span(self.headers.get("Range", ""), len(clip))
        except Unsatisfiable:
            self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, {"Content-Range": f"bytes */{len(clip)}"})
            return
        if span is None:
            self._head(HTTPStatus.OK, len(clip))
            part = clip
        else:
            part = clip[span[0] : span[1] + 1]
            self._head(
                HTTPStatus.PARTIAL_CONTENT, len(part), {"Content-Range": f"bytes {span[0]}-{span[1]}/{len(clip)}"}
            )
        if with_body:
            self.wfile.write(part)

    def _head(self, status: HTTPStatus, length: int, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Type": "audio/mpeg", "Content-Length": str(length), "Accept-Ranges": "bytes"}
        for name, value in (headers | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        """Silent: the demo's terminal belongs to the demo."""
