"""Where people put it: each file of deploy/ does what it says, with the real program wherever one can be had."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from dashboard import connections, feed, server
from dashboard.settings import DEFAULT_BIND, Settings
from dashboard.web.hooks import LARGEST_BODY
from tests.events import read_events
from tests.nginx import CONFIGURATION, Nginx
from tests.reports import WEBHOOK, report
from tests.running import CEILING_SECONDS, RunningBoard

REPO = Path(__file__).parents[1]
DEPLOY = REPO / "deploy"
FILES = sorted(path for path in DEPLOY.iterdir() if path.suffix != ".env")

SECRET = "canary-secret"
PASSWORD = "canary-password"
PROTECTED = {"DASHBOARD_WEBHOOK_SECRET": SECRET, "DASHBOARD_ADMIN_PASSWORD": PASSWORD}
HOOK = f"{WEBHOOK}?token={SECRET}"
Start = Callable[..., RunningBoard]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_file_begins_with_how_to_use_it_and_sets_only_what_there_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    first = text.splitlines()[:2]
    assert all(line.startswith("#") for line in first)
    assert re.search(r"[Cc]opy|docker", " ".join(first))
    known = set(re.findall(r'"((?:DASHBOARD_)[A-Z_]+)"', (REPO / "dashboard" / "settings.py").read_text()))
    assert set(re.findall(r"DASHBOARD_[A-Z]+(?:_[A-Z]+)*", text)) <= known


# nginx


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RunningBoard]:
    """A board that others can reach, by way of a proxy."""
    made = RunningBoard(tmp_path / "board", PROTECTED | {"DASHBOARD_PUBLIC_URL": "https://127.0.0.1"})
    made.start()
    yield made
    made.end()


@pytest.fixture
def nginx(board: RunningBoard, tmp_path: Path) -> Iterator[Nginx]:
    with Nginx(tmp_path / "nginx", board.port) as made:
        yield made


def sign_in(visitor: httpx.Client, password: str = PASSWORD, **headers: str) -> int:
    return visitor.post("/sign-in", data={"name": "admin", "password": password}, headers=headers).status_code


class Stream:
    """An open page's stream; the events come as they arrive."""

    def __init__(self, response: httpx.Response) -> None:
        assert response.status_code == 200
        self._chunks = response.iter_raw()
        self._read = b""

    def until(self, wanted: str) -> float:
        """Read on until an event holds this; gives the moment it was there."""
        until = time.monotonic() + CEILING_SECONDS
        for chunk in self._chunks:
            self._read += chunk
            if any(wanted in event.data for event in read_events(self._read).events):
                return time.monotonic()
            if time.monotonic() > until:
                break
        raise AssertionError(f"{wanted!r} did not come: {self._read[-500:]!r}")

    def listen(self, seconds: float) -> int:
        """Listen for so long, and give how many heartbeats came; raises AssertionError if it ends."""
        until, beats = time.monotonic() + seconds, 0
        for chunk in self._chunks:
            beats += chunk.count(b"\n\n")
            if time.monotonic() > until:
                return beats
        raise AssertionError("the stream ended")


def test_behind_nginx_a_report_is_answered_and_is_on_an_open_page_within_a_second(nginx: Nginx) -> None:
    with nginx.client() as visitor, nginx.client() as platform:
        assert sign_in(visitor) == 303
        with visitor.stream("GET", "/live?after=0") as response:
            assert response.http_version == "HTTP/2"
            assert "content-encoding" not in response.headers
            stream = Stream(response)
            # The second goes to a stream that has had something: it was neither closed nor held back.
            for sid in ("first", "second"):
                sent = time.monotonic()
                answer = platform.post(HOOK, content=report(sid, disposition_reason=f"why the {sid} ended"))
                assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
                assert stream.until(f"why the {sid} ended") - sent < 1
        page = visitor.get("/")
        assert "why the second ended" in page.text
        assert page.headers["strict-transport-security"] == "max-age=31536000"


def test_nginx_takes_exactly_as_much_as_the_board(nginx: Nginx) -> None:
    with nginx.client() as platform:
        largest = platform.post(HOOK, content=b" " * LARGEST_BODY)
        assert (largest.status_code, largest.json()["status"]) == (400, "error")
    # Over HTTP/1.1: httpx waits for room in the window of an HTTP/2 stream that has been answered and closed.
    with nginx.client(http2=False) as platform:
        assert platform.post(HOOK, content=b" " * (LARGEST_BODY + 1)).status_code == 413


def test_plain_http_is_sent_to_https(nginx: Nginx) -> None:
    answer = httpx.get(f"http://127.0.0.1:{nginx.plain_port}/calls/1?a=b")
    assert (answer.status_code, answer.headers["location"]) == (301, "https://127.0.0.1/calls/1?a=b")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80"])
def test_plain_http_redirects_to_no_host_that_a_visitor_names(nginx: Nginx, host: str) -> None:
    answer = httpx.get(f"http://127.0.0.1:{nginx.plain_port}/calls/1", headers={"Host": host})
    assert (answer.status_code, "location" in answer.headers) == (421, False)


def test_another_host_is_refused_behind_nginx(nginx: Nginx) -> None:
    with nginx.client() as visitor:
        assert visitor.get("/sign-in", headers={"Host": "evil.example"}).status_code == 421


def test_no_log_of_nginx_holds_a_key_or_a_number_of_an_address(board: RunningBoard, nginx: Nginx) -> None:
    addresses = [
        f"{path}?{name}={SECRET}"
        for path in (
            "/wall",
            "/wall/live",
            "/live",
            "/",
            "/calls",
            "/webhooks/x",
            "//webhook/call-webhook",
            "/static/x",
        )
        for name in ("key", "token", "q", "next")
    ]
    with nginx.client(http2=False) as visitor:
        for address in addresses:
            asked = visitor.get(address)
            assert asked.status_code in (303, 401, 404, 405), address
            assert SECRET not in asked.headers.get("location", "") or "next=" in address or "q=" in address
        assert visitor.post(f"/calls?key={SECRET}", content=b"body").status_code == 401
        board.end()
        assert {visitor.get(address).status_code for address in addresses} == {502}
        assert visitor.get("/sign-in").status_code == 502
    assert "Connection refused" in nginx.written()
    assert SECRET not in nginx.written()


def test_no_log_of_nginx_holds_the_webhooks_secret_not_even_while_the_board_is_away(
    board: RunningBoard, nginx: Nginx
) -> None:
    with nginx.client() as platform:
        assert platform.post(HOOK, content=report("a")).status_code == 200
        board.end()
        assert platform.post(HOOK, content=report("b")).status_code == 502
        assert platform.get("/sign-in").status_code == 502
    httpx.post(f"http://127.0.0.1:{nginx.plain_port}{HOOK}", content=report("c"))
    assert f'"POST {WEBHOOK}" 200' in nginx.written()
    assert f'"POST {WEBHOOK}" 502' in nginx.written()
    assert "Connection refused" in nginx.written()
    assert SECRET not in nginx.written()


def test_wrong_passwords_lock_out_the_visitor_who_sent_them_and_nobody_else_behind_the_proxy(nginx: Nginx) -> None:
    with nginx.client("127.0.0.2") as stranger, nginx.client("127.0.0.3") as owner:
        answers = [sign_in(stranger, "guess", **{"X-Forwarded-For": f"10.0.0.{number}"}) for number in range(11)]
        assert answers == [401] * 10 + [429]
        assert sign_in(owner) == 303


def test_a_board_for_this_machine_refuses_what_comes_through_nginx_and_says_what_to_set(
    start_board: Start, tmp_path: Path
) -> None:
    with Nginx(tmp_path / "nginx", start_board().port) as nginx, nginx.client() as visitor:
        for answer in (visitor.get("/"), visitor.get("/live"), visitor.post(WEBHOOK, content=report("a"))):
            assert answer.status_code == 403
            assert "DASHBOARD_WEBHOOK_SECRET, DASHBOARD_ADMIN_PASSWORD and DASHBOARD_PUBLIC_URL" in answer.text


BEATS_EVERY = """
import sys
from dashboard import feed
from dashboard.__main__ import main

feed.BEAT_SECONDS = float(sys.argv[1])
sys.exit(main(["serve"]))
"""


@contextmanager
def impatient_stream(folder: Path, beat_seconds: float) -> Iterator[Stream]:
    """The stream of a board behind an nginx that lets a silent one go after a second, where ours waits an hour."""
    board = RunningBoard(
        folder / "board",
        PROTECTED | {"DASHBOARD_PUBLIC_URL": "https://127.0.0.1"},
        program=("-c", BEATS_EVERY, str(beat_seconds)),
    )
    try:
        board.start()
        changes = (("proxy_read_timeout 1h;", "proxy_read_timeout 1s;"),)
        with Nginx(folder / "nginx", board.port, changes=changes) as nginx, nginx.client() as visitor:
            assert sign_in(visitor) == 303
            with visitor.stream("GET", "/live") as response:
                yield Stream(response)
    finally:
        board.end()


def test_the_heartbeat_keeps_a_silent_stream_open_past_nginxs_patience(tmp_path: Path) -> None:
    with impatient_stream(tmp_path, beat_seconds=0.25) as stream:
        assert stream.listen(3) > 3
    # So does the real beat within the real patience, and even within nginx's default of 60 s.
    assert feed.BEAT_SECONDS * 3 < 60
    assert "proxy_read_timeout 1h;" in CONFIGURATION.read_text(encoding="utf-8")


def test_without_a_heartbeat_in_time_nginx_ends_the_stream(tmp_path: Path) -> None:
    with impatient_stream(tmp_path, beat_seconds=30) as stream, pytest.raises(httpx.RemoteProtocolError):
        stream.listen(CEILING_SECONDS)


# systemd


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """A unit file: section, then name, then every value it is given."""

    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = sections.setdefault(heading[1], {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return sections


def test_the_unit_starts_the_board_as_the_readme_does_and_gives_it_time_to_stop() -> None:
    service = unit("callboard.service")["Service"]
    (start,) = service["ExecStart"]
    interpreter, *arguments = start.split()
    assert Path(interpreter).is_relative_to(service["WorkingDirectory"][0])
    ran = subprocess.run([sys.executable, *arguments, "--help"], cwd=REPO, capture_output=True, text=True, check=True)
    assert "Serve the board" in ran.stdout
    stopping = server.GRACEFUL_SECONDS + connections.CUT_SECONDS + server.SHUTDOWN_SECONDS
    assert float(service["TimeoutStopSec"][0]) > stopping
    assert (service["Restart"], service["User"]) == (["always"], ["callboard"])


def test_the_units_data_folder_is_the_one_systemd_makes(tmp_path: Path) -> None:
    service = unit("callboard.service")["Service"]
    environ = dict(line.split("=", 1) for line in service["Environment"])
    settings = Settings.from_env(environ | PROTECTED)
    assert settings.data_folder == Path("/var/lib") / service["StateDirectory"][0]
    assert settings.bind == "fd://3"
    assert not settings.is_local
    (address,) = unit("callboard.socket")["Socket"]["ListenStream"]
    assert address == DEFAULT_BIND


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """Where there is a systemd to ask; elsewhere that no line of them has another form than systemd's."""
    for name in ("callboard.service", "callboard.socket"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        assert all(re.fullmatch(r"(\[\w+\]|#.*|[A-Z]\w+=.*|)", line) for line in text.splitlines())
        (tmp_path / name).write_text(text.replace("/srv/callboard/.venv/bin/python", sys.executable))
    if analyze := shutil.which("systemd-analyze"):
        command = [analyze, "verify", str(tmp_path / "callboard.service"), str(tmp_path / "callboard.socket")]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        # Of our units alone: those of the machine may have faults of their own.
        assert [line for line in said.stderr.splitlines() if "callboard" in line] == []


def test_a_restart_behind_nginx_and_the_socket_unit_makes_a_report_wait_and_loses_none(
    board: RunningBoard, nginx: Nginx
) -> None:
    board.end()
    with socket.create_server(("127.0.0.1", board.port), backlog=128) as systemds:
        board.environment["DASHBOARD_BIND"] = f"fd://{systemds.fileno()}"
        board.pass_fds = (systemds.fileno(),)
        board.start()
        with ThreadPoolExecutor(1) as platform, nginx.client() as client:
            assert client.post(HOOK, content=report("before")).status_code == 200
            board.end()
            waiting = platform.submit(client.post, HOOK, content=report("while it was away"))
            board.start()
            assert waiting.result(CEILING_SECONDS).status_code == 200


# Docker


def read_yaml(text: str) -> Any:
    return yaml.load(text, yaml.SafeLoader)


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_holds_what_the_wheel_holds_installed_by_hash_and_runs_as_nobody_special() -> None:
    said = instructions()
    copied = {rest.split()[0] for word, rest in said if word == "COPY" and not rest.startswith("--from")}
    wheel = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert copied == {"requirements.txt", *wheel["packages"], *wheel["force-include"]}
    assert all((REPO / name).exists() for name in copied)
    setup = (REPO / "bin" / "setup").read_text(encoding="utf-8")
    for option in ("--only-binary :all:", "--require-hashes"):
        assert option in setup
        assert any(word == "RUN" and option in rest for word, rest in said)
    (user,) = (rest for word, rest in said if word == "USER")
    uid, gid = user.split(":")
    assert (uid.isdecimal(), gid.isdecimal(), uid != "0") == (True, True, True)
    made = " ".join(rest for word, rest in said if word == "RUN")
    assert f"groupadd --system --gid {gid} callboard" in made
    assert f"useradd --system --uid {uid} --gid {gid} --no-create-home callboard" in made
    assert ("VOLUME", "/data") in said


def test_every_file_is_copied_into_a_folder_that_the_image_names() -> None:
    has_folder = False
    for word, rest in instructions():
        has_folder = (has_folder and word != "FROM") or word == "WORKDIR"
        assert word != "COPY" or has_folder or rest.split()[-1].startswith("/"), rest


def test_the_images_command_and_health_check_work_on_a_board_with_its_environment(tmp_path: Path) -> None:
    said = dict(instructions())
    environ = dict(pair.split("=", 1) for pair in said["ENV"].split())
    board = RunningBoard(tmp_path, PROTECTED, program=tuple(read_yaml(said["CMD"])[1:]))
    del board.environment["DASHBOARD_BIND"]
    board.environment |= {"PORT": str(board.port)}
    assert environ["PORT"] == said["EXPOSE"]
    assert Settings.from_env({"PORT": environ["PORT"], "DASHBOARD_DATA": str(tmp_path)}).bind == "0.0.0.0:8000"
    check = read_yaml(said["HEALTHCHECK"].partition("CMD ")[2])
    assert check[0] == "python"

    def healthy() -> bool:
        return subprocess.run([sys.executable, *check[1:]], env=board.environment, capture_output=True).returncode == 0

    try:
        board.start()
        assert healthy()
        board.signal(signal.SIGTERM)
        assert board.wait() == 0
        assert not healthy()
    finally:
        board.end()


def test_the_services_of_compose_fit_each_other_and_the_other_files() -> None:
    services = read_yaml((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    board, caddy, postgres = services["board"], services["caddy"], services["postgres"]
    assert (DEPLOY / board["build"]["context"] / board["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    assert caddy["environment"]["CALLBOARD_BOARD"] == f"board:{dict(instructions())['EXPOSE']}"
    assert {f"{{${name}:" for name in caddy["environment"]} <= set(
        re.findall(r"\{\$\w+:", (DEPLOY / "Caddyfile").read_text(encoding="utf-8"))
    )
    assert board["volumes"] == ["data:/data"]
    assert "ports" not in board  # reached by way of Caddy only
    assert "profiles" not in board | caddy
    assert postgres["profiles"] == ["postgres"]


def test_the_caddyfile_leads_to_the_boards_own_address_and_keeps_the_secret_out_of_the_log() -> None:
    lines = [line for line in (DEPLOY / "Caddyfile").read_text(encoding="utf-8").splitlines() if "#" not in line]
    depth = 0
    for line in lines:
        # Caddy's own layout: a tab for each brace that is open.
        depth -= line.strip() == "}"
        assert line == "" or line == "\t" * depth + line.strip()
        depth += line.endswith("{")
    assert depth == 0
    words = " ".join(lines).split()
    assert f"{{$CALLBOARD_BOARD:{DEFAULT_BIND}}}" in words
    assert "replace token hidden" in " ".join(words)
    assert "flush_interval" not in words


# Heroku and its like


def test_the_procfile_releases_and_serves_from_a_clean_copy_of_the_tree_on_the_platforms_variables(
    tmp_path: Path, postgres_url: str
) -> None:
    tree = clean_copy(tmp_path / "app")
    program = ("-m", "honcho", "start", "web")
    board = RunningBoard(tmp_path / "board", PROTECTED, program=program, cwd=tree)
    outside = {name: value for name, value in board.environment.items() if not name.startswith("DASHBOARD_")}
    # On a platform the first `python` is the one that has the packages.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {"PORT": str(board.port), "DATABASE_URL": postgres_url, "DYNO": "web.1", "PATH": path}
    board.environment = outside | PROTECTED | given
    release = [sys.executable, "-m", "honcho", "run", "--", *procfile(tree)["release"].split()]
    ran = subprocess.run(release, cwd=tree, env=board.environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith(" is up to date.\n")
    try:
        board.start()
        assert board.post(report("a"), Authorization=f"Bearer {SECRET}").status_code == 200
        with httpx.Client(base_url=board.url) as visitor:
            assert visitor.get("/").headers["location"].startswith("/sign-in")
            assert sign_in(visitor) == 303
            assert 'id="call-1"' in visitor.get("/").text
        board.signal(signal.SIGTERM)
        board.wait()
    finally:
        board.end()
    # The board went by itself: honcho kills what does not.
    assert "sending SIGTERM to web.1" in board.log.read_text()
    assert "SIGKILL" not in board.log.read_text()
    assert not (tree / "data" / "callboard.db").exists()


def clean_copy(folder: Path) -> Path:
    """What a platform is sent: the files that git knows, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO,
        capture_output=True,
        check=True,
    )
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        if (REPO / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, folder / name)
    return folder


def procfile(tree: Path) -> dict[str, str]:
    lines = (tree / "Procfile").read_text(encoding="utf-8").splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines)}
