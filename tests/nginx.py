"""A real nginx that runs deploy/nginx.conf in front of a board, on free ports and with a certificate of its own."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx

from tests.running import CEILING_SECONDS, free_port

CONFIGURATION = Path(__file__).parents[1] / "deploy" / "nginx.conf"

# What stands around our file on a machine. What would spoil a stream is on, so that our file has to see to it.
AROUND = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_buffering on;
    gzip on;
    gzip_proxied any;
    gzip_min_length 0;
    gzip_types *;
    include {folder}/callboard.conf;
}}
"""


def nginx_path() -> str:
    """NGINX, else one where Debian has it; none is a failure, because a file that no nginx has read is a guess."""
    for name in (os.environ.get("NGINX", ""), "nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"):
        if name and (path := shutil.which(name)):
            return path
    raise AssertionError("No nginx was found. Set NGINX to one, or let `make test` install it (as root on Debian).")


class Nginx:
    """Answers on `url` once entered; all it writes is in `folder`."""

    def __init__(self, folder: Path, board_port: int, *, changes: tuple[tuple[str, str], ...] = ()) -> None:
        """`changes` are made to the file before it is used: (what stands there, what the test needs)."""
        folder.mkdir()
        self.folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.certificate = folder / "fullchain.pem"
        live = "/etc/letsencrypt/live/calls.example.com"
        self._changes = (
            ("listen [::]:80;\n", ""),
            ("listen [::]:443 ssl http2;\n", ""),
            ("listen 80;", f"listen 127.0.0.1:{self.plain_port};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("server_name calls.example.com;", "server_name 127.0.0.1;"),
            (f"{live}/fullchain.pem", str(self.certificate)),
            (f"{live}/privkey.pem", str(folder / "privkey.pem")),
            ("/var/log/nginx", str(folder)),
            ("http://127.0.0.1:8000;", f"http://127.0.0.1:{board_port};"),
            *changes,
        )

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def client(self, address: str = "127.0.0.1", *, http2: bool = True) -> httpx.Client:
        """A visitor who comes from this address of the machine."""
        trust = ssl.create_default_context(cafile=str(self.certificate))
        transport = httpx.HTTPTransport(http2=http2, verify=trust, local_address=address)
        return httpx.Client(base_url=self.url, transport=transport, timeout=10)

    def written(self) -> str:
        """Everything in its logs."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def __enter__(self) -> Nginx:
        self._make_certificate()
        text = CONFIGURATION.read_text(encoding="utf-8")
        for old, new in self._changes:
            assert old in text, f"{CONFIGURATION.name} no longer has {old!r}"
            text = text.replace(old, new)
        (self.folder / "callboard.conf").write_text(text)
        # A worker of another user could not enter the test's folder.
        around = AROUND.format(folder=self.folder, user="user root;" if os.geteuid() == 0 else "")
        (self.folder / "nginx.conf").write_text(around)
        command = [nginx_path(), "-c", f"{self.folder}/nginx.conf", "-e", f"{self.folder}/error.log"]
        tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert tried.returncode == 0, tried.stderr
        assert "[warn]" not in tried.stderr.replace('the "listen ... http2" directive is deprecated', ""), tried.stderr
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._wait_until_it_listens()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _make_certificate(self) -> None:
        made = subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
                *("-keyout", self.folder / "privkey.pem", "-out", self.certificate, "-days", "2"),
                *("-subj", "/CN=calls.example.com", "-addext", "subjectAltName=IP:127.0.0.1"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr

    def _wait_until_it_listens(self) -> None:
        until = time.monotonic() + CEILING_SECONDS
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                break
        raise AssertionError(f"nginx does not listen: {self.written()[-2000:]}")
