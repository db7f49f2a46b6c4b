"""Every command prints in every encoding of a terminal or pipe."""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from dashboard import console
from dashboard.__main__ import _parser, main
from dashboard.database import Database
from dashboard.migrations import migrate
from dashboard.roles import VIEWER, Rights
from dashboard.store.accounts import add_account
from dashboard.store.tokens import add_token

ROOT = Path(__file__).parents[1]
ENCODINGS = ("ascii", "latin-1", "cp1252", "utf-8")


def commands() -> list[str]:
    (subparsers,) = (each for each in _parser()._actions if isinstance(each, argparse._SubParsersAction))
    return list(subparsers.choices)


RUNS = [
    *([name, "--help"] for name in commands()),
    ["--help"],
    ["--version"],
    *([name, action, "--help"] for name in ("user", "token") for action in ("add", "list")),
    ["migrate"],
    ["doctor"],
    ["connect", "--no-wait", "--public-url", "https://calls.example.com"],
    ["user", "list"],
    ["user", "disable", "नोरा"],
    ["user", "disable", "no\udce9body"],
    ["token", "list"],
    ["forward", "list"],
    ["rebuild"],
    ["prune", "--dry-run"],
    ["erase", "--dry-run", "919876543210"],
    ["import", str(ROOT / "docs" / "sample.json")],
    ["import", "/nowhere/\udce9…"],
    ["backup", "/nowhere/…"],
    ["restore", "/nowhere/…"],
    ["simulate", "--calls", "1", "--url", "http://127.0.0.1:1"],
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a board with an account and a token whose names are no ASCII."""
    for name in [name for name in os.environ if name.startswith("DASHBOARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path))
    monkeypatch.setenv("DASHBOARD_FORWARD_TO", "crm=https://crm.example.com/%E2%80%A6")
    database = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    migrate(database)
    rights = Rights(VIEWER, ("उत्तर",))
    database.write_now(partial(add_account, name="आशा", password_hash="x", now=1, rights=rights))
    database.write_now(partial(add_token, token="callboard_x", name="टीवी", rights=rights, now=1))
    database.close()
    return tmp_path


@pytest.mark.parametrize("arguments", RUNS, ids=lambda arguments: ascii(" ".join(arguments))[:60])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_command_prints_in_every_encoding(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], encoding: str
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with suppress(SystemExit):
        main(arguments)
    for stream in (out, err):
        stream.flush()
    printed = b"".join(stream.buffer.getvalue() for stream in (out, err))
    assert printed.decode(encoding)


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1:strict"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}],
    ids=["ascii", "latin-1", "C"],
)
@pytest.mark.parametrize("arguments", [["--help"], ["doctor"], ["user", "list"]], ids=lambda arguments: arguments[0])
def test_a_command_runs_as_a_process_of_an_8_bit_locale(
    folder: Path, environment: dict[str, str], arguments: list[str]
) -> None:
    given = os.environ | {"PYTHONCOERCECLOCALE": "0"} | environment
    ran = subprocess.run([sys.executable, "-m", "dashboard", *arguments], env=given, capture_output=True, check=False)
    assert (ran.returncode in (0, 1), ran.stdout != b"", b"Traceback" in ran.stderr) == (True, True, False)


def test_an_argument_of_another_encoding_is_refused_with_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["user", "disable", "no\udce9body"])
    assert end.value.code == 2
    assert "name is not written in the encoding of this terminal" in capsys.readouterr().err


def test_what_an_encoding_lacks_is_written_in_plain_letters() -> None:
    console.set_up()
    assert "✓ KEEP_…_DAYS → “é” — नमस्ते \udce9".encode("ascii", console.ERRORS) == (
        b'+ KEEP_..._DAYS -> "e" - ' + b"?" * 6 + b" ?"
    )
    assert "é…".encode("latin-1", console.ERRORS) == "é...".encode("latin-1")
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", console.ERRORS)
