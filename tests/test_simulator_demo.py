"""The demo from start to end, with a small server of a few lines in the place of the board."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from dashboard.simulator.board import Refused
from dashboard.simulator.board_process import free_address
from dashboard.simulator.demo import demo

CEILING_SECONDS = 20
SMALL_BOARD = """
import json, os, pathlib, signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
seen = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: (seen.with_name("ended").touch(), os._exit(0)))
class Board(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    do_GET = answer
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with seen.open("ab") as file:
            file.write(body + b"\\n")
        self.answer()
    def log_message(self, *args):
        pass
own = {name: value for name, value in os.environ.items() if name.startswith(("DASHBOARD_", "DATABASE", "PORT"))}
seen.with_name("environment").write_text(json.dumps(own))
host, _, port = os.environ["DASHBOARD_BIND"].partition(":")
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer((host, int(port)), Board).serve_forever()
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def script(text: str, folder: Path) -> tuple[str, ...]:
    path = folder / "small_board.py"
    path.write_text(text)
    return (sys.executable, str(path), str(folder / "bodies"))


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(CEILING_SECONDS):
        while not is_so():  # noqa: ASYNC110 - what other processes do cannot set an event
            await asyncio.sleep(0.02)


async def test_the_demo_brings_a_board_with_history_and_goes_on_until_it_is_stopped(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("PORT", "80")
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/real")
    monkeypatch.setenv("DASHBOARD_WEBHOOK_SECRET", "of the real board")
    bodies, said = tmp_path / "bodies", io.StringIO()
    began = time.monotonic()
    running = asyncio.create_task(demo(f"127.0.0.1:{port}", calls=60, out=said, serve=script(SMALL_BOARD, tmp_path)))
    try:
        await until(lambda: "Ctrl-C" in said.getvalue())
        assert time.monotonic() - began < 10
        told = bodies.read_bytes().splitlines()
        assert len(told) >= 60
        await until(lambda: len(bodies.read_bytes().splitlines()) >= len(told) + 2)
        recording = next(url for body in told if (url := json.loads(body)["data"]["recordingUrl"]))
        async with httpx.AsyncClient(trust_env=False) as listener:
            assert (await listener.get(recording, headers={"Range": "bytes=0-9"})).status_code == 206
        environment = json.loads((tmp_path / "environment").read_text())
    finally:
        if not running.done():  # else nobody but the test run would hear the signal
            os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(running, CEILING_SECONDS) == 0
    assert f"The demo board is at http://127.0.0.1:{port}\n" in said.getvalue()
    assert environment.keys() == {
        "DASHBOARD_BIND",
        "DASHBOARD_DATA",
        "DASHBOARD_DATABASE_URL",
        "DASHBOARD_RECORDING_HOSTS",
        "DASHBOARD_DISK",
    }
    assert environment["DASHBOARD_RECORDING_HOSTS"] == recording.split("/")[2]
    assert (tmp_path / "ended").exists()
    assert list(temporary.iterdir()) == []


async def test_a_demo_board_that_cannot_start_shows_its_last_words(
    tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = script("raise SystemExit('The cupboard is bare.')", tmp_path)
    assert await demo(f"127.0.0.1:{port}", out=io.StringIO(), serve=broken) == 1
    said = capsys.readouterr().err
    assert "ended by itself (exit code 1)" in said
    assert "The cupboard is bare." in said


async def test_a_taken_port_makes_way_for_the_next_free_one(taken: int) -> None:
    said = io.StringIO()
    address = free_address(f"127.0.0.1:{taken}", said)
    assert int(address.removeprefix("127.0.0.1:")) > taken
    assert said.getvalue() == f"Port {taken} is taken, so the demo uses {address.removeprefix('127.0.0.1:')}.\n"


@pytest.mark.parametrize("bind", ["0.0.0.0:8000", "192.0.2.1:8000", ":8000", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:0"])
async def test_the_demo_is_for_this_machine_only(bind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refused):
        free_address(bind, io.StringIO())
    assert await demo(bind, out=io.StringIO()) == 1
    assert "for this machine only" in capsys.readouterr().err
