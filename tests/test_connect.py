"""`connect`: what it makes, what it says, and what it waits for. Real processes, files and requests."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest

from dashboard.__main__ import main
from dashboard.callkaro import sample
from dashboard.connect.running import RunningServer
from dashboard.connect.wait import in_words
from dashboard.settings import Settings
from dashboard.store.deliveries import Delivery
from tests.reports import WEBHOOK, report
from tests.running import RunningBoard, free_port
from tests.stored import INDIA

URL = "https://calls.example.com"
CEILING_SECONDS = 50
COMMAND = [sys.executable, "-m", "dashboard", "connect"]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RunningBoard]:
    """A board that has not been started yet, and has no settings."""
    board = RunningBoard(tmp_path / "board", {})
    yield board
    board.end()


def settings_file(board: RunningBoard) -> Path:
    return board.folder / "data" / "settings.env"


def settings_of(board: RunningBoard) -> dict[str, str]:
    lines = settings_file(board).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def connect(board: RunningBoard, *options: str, code: int = 0) -> str:
    """Everything that the command says, once it has ended with this code. In this process: a new one takes a second."""
    said = io.StringIO()
    with (
        patch.dict(os.environ, board.environment, clear=True),
        patch("sys.stdin", io.StringIO()),
        redirect_stdout(said),
        redirect_stderr(said),
    ):
        try:
            ended = main(["connect", *options])
        except SystemExit as end:
            ended = int(end.code or 0)
    assert ended == code, said.getvalue()
    return said.getvalue()


class Waiting:
    """The command while it waits; it ends by itself within the ceiling, so that reading ends too."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""

    def says(self, words: str) -> bool:
        """Reads on until it has said so; false if it ended first."""
        assert self.process.stdout is not None
        while words not in self.said:
            line = self.process.stdout.readline()
            if not line:
                return False
            self.said += line
        return True

    def ends(self) -> int:
        rest, _ = self.process.communicate(timeout=CEILING_SECONDS)
        self.said += rest
        return self.process.returncode


@contextmanager
def waiting(board: RunningBoard, *options: str) -> Iterator[Waiting]:
    """The command, from the moment it waits for the first report."""
    with subprocess.Popen(
        [*COMMAND, "--wait", str(CEILING_SECONDS), *options],
        env=board.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        command = Waiting(process)
        try:
            assert command.says("Waiting for the first report"), command.said
            yield command
        finally:
            process.kill()


# What it makes


def test_what_is_missing_is_made_in_a_file_for_its_owner_alone(board: RunningBoard) -> None:
    said = connect(board, "--no-wait", "--public-url", URL)
    made = settings_of(board)
    assert made.keys() == {"DASHBOARD_WEBHOOK_SECRET", "DASHBOARD_ADMIN_PASSWORD", "DASHBOARD_PUBLIC_URL"}
    assert stat.S_IMODE(settings_file(board).stat().st_mode) == 0o600
    assert len(made["DASHBOARD_WEBHOOK_SECRET"]) >= 32
    assert re.fullmatch(r"([a-z]{4}-){4}[a-z]{4}", made["DASHBOARD_ADMIN_PASSWORD"])
    assert made["DASHBOARD_PUBLIC_URL"] == URL
    assert made["DASHBOARD_ADMIN_PASSWORD"] in said.splitlines()
    assert sorted(path.name for path in settings_file(board).parent.iterdir()) == ["callboard.db", "settings.env"]


def test_a_second_run_changes_nothing_and_keeps_the_password_to_itself(board: RunningBoard) -> None:
    connect(board, "--no-wait", "--public-url", URL)
    before, written_at = settings_file(board).read_bytes(), settings_file(board).stat().st_mtime_ns
    said = connect(board, "--no-wait", "--public-url", f"{URL}/")
    assert (settings_file(board).read_bytes(), settings_file(board).stat().st_mtime_ns) == (before, written_at)
    assert settings_of(board)["DASHBOARD_WEBHOOK_SECRET"] in said
    assert settings_of(board)["DASHBOARD_ADMIN_PASSWORD"] not in said


def test_lines_and_comments_that_stand_stay(board: RunningBoard) -> None:
    settings_file(board).parent.mkdir()
    settings_file(board).write_text("# ours: देखो\nDASHBOARD_TIMEZONE=UTC", encoding="utf-8")
    settings_file(board).chmod(0o644)
    connect(board, "--no-wait")
    text = settings_file(board).read_text(encoding="utf-8")
    assert text.startswith("# ours: देखो\nDASHBOARD_TIMEZONE=UTC\n# ")
    assert settings_of(board).keys() == {"DASHBOARD_TIMEZONE", "DASHBOARD_WEBHOOK_SECRET", "DASHBOARD_ADMIN_PASSWORD"}
    assert stat.S_IMODE(settings_file(board).stat().st_mode) == 0o600


def test_what_the_environment_says_is_not_written_again(board: RunningBoard) -> None:
    board.environment |= {"DASHBOARD_WEBHOOK_SECRET": "from outside+&", "DASHBOARD_PUBLIC_URL": URL}
    said = connect(board, "--no-wait")
    assert settings_of(board).keys() == {"DASHBOARD_ADMIN_PASSWORD"}
    assert "DASHBOARD_WEBHOOK_SECRET is set in the environment" in said
    # Fit to stand in an address.
    assert f"{URL}{WEBHOOK}?token=from%20outside%2B%26" in said.splitlines()
    assert "Bearer from outside+&" in said.splitlines()


def test_a_setting_that_the_environment_empties_is_named_and_nothing_is_written(board: RunningBoard) -> None:
    board.environment["DASHBOARD_WEBHOOK_SECRET"] = ""
    assert "DASHBOARD_WEBHOOK_SECRET is set to nothing in the environment" in connect(board, "--no-wait", code=1)
    assert not settings_file(board).exists()


def test_a_board_with_an_account_gets_no_password(board: RunningBoard) -> None:
    board.environment["DASHBOARD_ADMIN_PASSWORD"] = "correct horse battery"
    board.start()
    del board.environment["DASHBOARD_ADMIN_PASSWORD"]
    connect(board, "--no-wait")
    assert settings_of(board).keys() == {"DASHBOARD_WEBHOOK_SECRET"}


def test_another_address_than_the_one_that_stands_is_not_put_in_its_place(board: RunningBoard) -> None:
    connect(board, "--no-wait", "--public-url", URL)
    before = settings_file(board).read_bytes()
    said = connect(board, "--no-wait", "--public-url", "https://other.example.com", code=1)
    assert f"DASHBOARD_PUBLIC_URL is {URL} already" in said
    assert settings_file(board).read_bytes() == before


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "board" / "data").mkdir(parents=True)
    (tmp_path / "board" / "data" / "settings.env").mkdir()
    said = connect(RunningBoard(tmp_path / "board", {}), "--no-wait", code=1)
    assert "settings.env cannot be read" in said


@pytest.mark.parametrize(
    "address",
    [
        "calls.example.com",
        "http://calls.example.com",
        "https://localhost",
        "https://127.0.0.1:8000",
        "https://[::1]",
        "https://calls.example.com/board",
        "https://calls.example.com/?token=x",
        "https://user@calls.example.com",
        "https://calls.example.com:99999",
        "https://",
    ],
)
def test_an_address_that_callkaro_cannot_reach_is_refused(tmp_path: Path, address: str) -> None:
    board = RunningBoard(tmp_path / "board", {})
    assert "argument --public-url" in connect(board, "--no-wait", "--public-url", address, code=2)
    assert not settings_file(board).exists()


def test_the_whole_webhook_address_will_do_too(board: RunningBoard) -> None:
    connect(board, "--no-wait", "--public-url", f"https://Calls.Example.com:8443{WEBHOOK}")
    assert settings_of(board)["DASHBOARD_PUBLIC_URL"] == "https://calls.example.com:8443"


# What it asks and says


def test_without_a_terminal_it_asks_nothing_and_names_the_option(board: RunningBoard) -> None:
    said = connect(board, "--no-wait")
    assert "DASHBOARD_PUBLIC_URL" not in settings_of(board)
    assert "--public-url https://calls.example.com" in said
    assert f"https://YOUR-ADDRESS{WEBHOOK}" in said.splitlines()


def test_on_a_terminal_it_asks_for_the_address_until_it_is_one(board: RunningBoard) -> None:
    keyboard, terminal = os.openpty()
    with os.fdopen(keyboard, "wb", buffering=0) as typed, os.fdopen(terminal, "rb") as stdin:
        typed.write(f"calls.example.com\n{URL}\n".encode())
        done = subprocess.run(
            [*COMMAND, "--no-wait"],
            env=board.environment,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=CEILING_SECONDS,
            check=True,
        )
    assert "not 'calls.example.com'" in done.stdout
    assert settings_of(board)["DASHBOARD_PUBLIC_URL"] == URL


def test_both_ways_are_told_apart_or_the_agents_alone(board: RunningBoard) -> None:
    said = connect(board, "--no-wait", "--public-url", URL)
    secret = settings_of(board)["DASHBOARD_WEBHOOK_SECRET"]
    lines = said.splitlines()
    account, agent = lines.index(f"{URL}{WEBHOOK}?token={secret}"), lines.index(f"{URL}{WEBHOOK}")
    assert account < agent < lines.index("Authorization") < lines.index(f"Bearer {secret}")
    assert "a call that is reported twice is one call" in said
    alone = connect(board, "--no-wait", "--agent").splitlines()
    assert f"Bearer {secret}" in alone
    assert not [line for line in alone if "token=" in line]


def test_what_it_printed_opens_the_door_of_the_server_started_afterwards(board: RunningBoard) -> None:
    said = connect(board, "--no-wait", "--public-url", URL)
    assert f"No server runs at 127.0.0.1:{board.port} yet" in said
    lines = said.splitlines()
    by_token = next(line for line in lines if "?token=" in line).removeprefix(URL)
    by_header = next(line for line in lines if line.endswith(WEBHOOK)).removeprefix(URL)
    header = {lines[lines.index("Authorization")]: next(line for line in lines if line.startswith("Bearer "))}
    password = lines[lines.index(next(line for line in lines if "shown this once" in line)) + 2]
    board.start()
    with httpx.Client(base_url=board.url, trust_env=False) as client:
        assert client.post(by_token, content=report("account")).status_code == 200
        assert client.post(by_header, content=report("agent"), headers=header).status_code == 200
        assert client.post(by_header, content=report("nobody")).status_code == 401
        signed_in = client.post("/sign-in", data={"name": "admin", "password": password})
        assert (signed_in.status_code, signed_in.headers["Location"]) == (303, "/")
    assert f"The server at 127.0.0.1:{board.port} runs, and knows this secret." in connect(board, "--no-wait")


def test_a_server_that_stands_from_before_must_be_started_again(board: RunningBoard) -> None:
    board.start()
    with waiting(board) as command:
        assert "was started with older settings" in command.said
        board.end()
        board.start()
        assert command.says(f"The server at 127.0.0.1:{board.port} runs, and knows this secret.")


def test_somebody_elses_server_is_not_taken_for_ours(board: RunningBoard, tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", str(board.port)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert other.stdout is not None
        assert b"Serving" in other.stdout.readline()
        assert f"What answers at 127.0.0.1:{board.port} is no Callboard" in connect(board, "--no-wait")
    finally:
        other.kill()
        other.communicate()


def test_a_server_that_does_not_answer_is_said_to_be_silent(
    board: RunningBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.connect.running._ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", board.port)):
        assert f"127.0.0.1:{board.port} takes connections and does not answer" in connect(board, "--no-wait")


@pytest.mark.parametrize(
    ("bind", "listener", "place"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8001", "127.0.0.1:8000"),
        ("0.0.0.0:8000", "", "127.0.0.1:8000"),
        (":8000", "", "127.0.0.1:8000"),
        ("[::]:8000", "", "[::1]:8000"),
        ("192.168.1.5:8000", "", "192.168.1.5:8000"),
        ("unix:/run/callboard.sock", "", "unix:/run/callboard.sock"),
        ("fd://3", "127.0.0.1:8001", "127.0.0.1:8001"),
        ("fd://3", "", ""),
    ],
)
def test_the_server_is_asked_where_this_machine_reaches_it(bind: str, listener: str, place: str) -> None:
    settings = Settings(bind=bind, webhook_bind=listener, webhook_secrets=("hush",))
    with RunningServer(settings) as server:
        assert server.place == place
        if not place:
            assert "if it runs already, start it again" in server.in_words(server.look())


# The listener for tunnels


def test_a_tunnel_gets_a_listener_of_its_own_that_is_not_the_board(board: RunningBoard) -> None:
    said = connect(board, "--no-wait", "--tunnel", "https://some-words.example.net")
    listener = f"127.0.0.1:{board.port + 1}"
    assert settings_of(board)["DASHBOARD_WEBHOOK_BIND"] == listener
    assert "DASHBOARD_PUBLIC_URL" not in settings_of(board)
    assert f"A tunnel must lead to http://{listener}" in said
    assert any(line.startswith(f"https://some-words.example.net{WEBHOOK}?token=") for line in said.splitlines())


def test_the_listener_for_tunnels_takes_reports_and_shows_nothing(board: RunningBoard) -> None:
    listener = f"127.0.0.1:{free_port()}"
    board.environment["DASHBOARD_WEBHOOK_BIND"] = listener
    connect(board, "--no-wait")
    board.start()
    secret = {"Authorization": f"Bearer {settings_of(board)['DASHBOARD_WEBHOOK_SECRET']}"}
    with httpx.Client(base_url=f"http://{listener}", trust_env=False) as tunnel:
        for path in ("/", "/live", "/calls/1", "/sign-in", "/healthz", "/readyz", "/static/app.css", "/api/board"):
            answer = tunnel.get(path, headers={"Host": "some-words.example.net", "X-Forwarded-For": "203.0.113.9"})
            assert (answer.status_code, answer.text) == (404, "Only reports are taken here."), path
        through = {"Host": "some-words.example.net", "X-Forwarded-For": "203.0.113.9"}
        assert tunnel.post(WEBHOOK, content=report(), headers=through).status_code == 401
        assert tunnel.post(WEBHOOK, content=report(), headers=through | secret).status_code == 200


@pytest.mark.parametrize(
    "environment",
    [{"DASHBOARD_WEBHOOK_BIND": "127.0.0.1:9"}, {"DASHBOARD_PUBLIC_URL": URL}, {"DASHBOARD_BIND": "0.0.0.0:9"}],
    ids=["listener", "address", "binding"],
)
def test_a_board_that_may_not_start_without_a_secret_names_the_way_out(
    board: RunningBoard, environment: dict[str, str]
) -> None:
    board.environment |= environment
    with pytest.raises(AssertionError, match="ended at once"):
        board.start()
    assert ".venv/bin/python -m dashboard connect" in board.log.read_text()


# What it waits for


def test_it_says_what_arrives_and_ends_with_the_first_call(board: RunningBoard, database_url: str) -> None:
    board.environment["DASHBOARD_DATABASE_URL"] = database_url
    connect(board, "--no-wait", "--public-url", URL)
    board.start()
    bearer = f"Bearer {settings_of(board)['DASHBOARD_WEBHOOK_SECRET']}"
    # What was there before it began is not what it waits for.
    assert board.post(report("long-ago"), Authorization=bearer).status_code == 200
    with waiting(board) as command:
        assert "runs, and knows this secret" in command.said
        assert board.post(b'{"event"', Authorization=bearer).status_code == 400
        assert command.says("cannot be read; its bytes are stored. The body is not JSON: Expecting ':' delimiter")
        assert board.post(b'{"event": "message_received", "data": {}}', Authorization=bearer).status_code == 200
        assert command.says("An event `message_received` arrived and was stored; it is no call. In CallKaro choose")
        assert board.post(sample.test_report(datetime.now(UTC), INDIA), Authorization=bearer).status_code == 200
        assert command.says("A made-up call arrived and was stored")
        assert board.post(report("secretless")).status_code == 401
        assert command.says("A report came without the webhook secret and was refused.")
        assert board.post(report("first"), Authorization=bearer).status_code == 200
        assert command.ends() == 0
    last = command.said.splitlines()[-1]
    campaign = "0303fa770b666a64ab1694c1e"
    assert last == f"Connected: a call of 2m 00s, campaign {campaign}, at 19 Dec 2025, 16:01:07 (Asia/Kolkata)."
    assert "918765432109" not in command.said
    assert "Jatin" not in command.said


def test_a_report_that_the_board_had_already_is_a_connection_too(board: RunningBoard) -> None:
    connect(board, "--no-wait")
    board.start()
    bearer = f"Bearer {settings_of(board)['DASHBOARD_WEBHOOK_SECRET']}"
    assert board.post(report(), Authorization=bearer).status_code == 200
    with waiting(board) as command:
        assert board.post(report(), Authorization=bearer).status_code == 200
        assert command.ends() == 0
    assert "Connected: a call of 2m 00s" in command.said


def test_when_nothing_comes_it_lists_what_to_check(board: RunningBoard) -> None:
    said = connect(board, "--public-url", URL, "--wait", "0.1", code=1)
    assert "No report came from CallKaro within 0.1 s." in said
    for thing in (f"{URL}{WEBHOOK}", "https", "secret", "firewall", "tunnel or proxy", f"127.0.0.1:{board.port}"):
        assert thing in said.partition("No report came")[2], thing


def test_ctrl_c_ends_the_waiting_kindly(board: RunningBoard) -> None:
    with waiting(board) as command:
        command.process.send_signal(signal.SIGINT)
        assert command.ends() == 130
    assert "Not waiting any longer." in command.said
    assert "Traceback" not in command.said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Connected: a call of 2m 00s, campaign c, at 1 Jan 1970, 05:30:01 (Asia/Kolkata)."),
        ({"campaign": ""}, "Connected: a call of 2m 00s, no campaign, at 1 Jan 1970, 05:30:01 (Asia/Kolkata)."),
        (
            {"started_at": None, "duration_seconds": None},
            "Connected: a call of unknown length, campaign c, at a time that was not given.",
        ),
        (
            {"campaign": "\x1b[2Jx\r" + "y" * 99},
            f"Connected: a call of 2m 00s, campaign �[2Jx�{'y' * 54}, at 1 Jan 1970, 05:30:01 (Asia/Kolkata).",
        ),
    ],
    ids=["whole", "no-campaign", "bare", "control-characters"],
)
def test_a_call_is_told_of_in_words_fit_for_a_terminal(changes: dict[str, object], words: str) -> None:
    delivery = Delivery(1, "new", "", "", 1, 1_000_000, 120, "c", is_simulated=False)._replace(**changes)  # type: ignore[arg-type]
    assert in_words(delivery, Settings()) == words
