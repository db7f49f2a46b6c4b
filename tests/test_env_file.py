"""The settings file: each line read as it is meant, or refused with its number. No setting is lost in silence."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.env_file import BadSetting, add_lines, misspelled, parse_env_file, read_env_file
from dashboard.settings import Settings, known_settings, unknown_settings
from tests.running import RunningBoard

SECRET = "DASHBOARD_WEBHOOK_SECRET"


def text_file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "settings.env"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfDASHBOARD_WEBHOOK_SECRET=hush",
        "DASHBOARD_WEBHOOK_SECRET=hush\n".encode("utf-16"),
        "\ufeffDASHBOARD_WEBHOOK_SECRET=hush\n".encode("utf-16-be"),
        b"# first\n\xef\xbb\xbfDASHBOARD_WEBHOOK_SECRET=hush\n",
        b"export DASHBOARD_WEBHOOK_SECRET=hush",
        b"  export\tDASHBOARD_WEBHOOK_SECRET = hush  ",
        b"DASHBOARD_WEBHOOK_SECRET=hush # for CallKaro",
        b"DASHBOARD_WEBHOOK_SECRET=hush\t# for CallKaro",
        b"DASHBOARD_WEBHOOK_SECRET='hush' # it's quoted",
        b'DASHBOARD_WEBHOOK_SECRET="hush"# quoted',
        "DASHBOARD_WEBHOOK_SECRET=“hush”".encode(),
        "DASHBOARD_WEBHOOK_SECRET=‘hush’".encode(),
        b"A=1\r\nDASHBOARD_WEBHOOK_SECRET=hush\r\n",
        b"A=1\rDASHBOARD_WEBHOOK_SECRET=hush\r",
        b"DASHBOARD_WEBHOOK_SECRET=\n# what CallKaro must send\nDASHBOARD_WEBHOOK_SECRET=hush",
        b"DASHBOARD_WEBHOOK_SECRET=hush\nDASHBOARD_WEBHOOK_SECRET='hush'",
        "DASHBOARD_WEBHOOK_SECRET=\u00a0hush\u200b".encode(),
    ],
    ids=range(17),
)
def test_a_secret_is_read_however_the_file_was_written(content: bytes) -> None:
    assert parse_env_file(content)[SECRET] == "hush"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("a#b", "a#b"),
        ("#b", "#b"),
        (" # nothing", ""),
        ("'a # b'", "a # b"),
        ("a b", "a b"),
        ("a=b==", "a=b=="),
        (r'"a\"b\\c"', r'a"b\c'),
        (r"'a\"b'", r"a\"b"),
        ("pa\"s's", "pa\"s's"),
        ('""', ""),
        ("a\u2028b", "a\u2028b"),
        ("pa’ss", "pa’ss"),
        ("'pass’'", "pass’"),
        ("नमस्ते", "नमस्ते"),
    ],
)
def test_a_value_is_what_was_meant(value: str, read: str) -> None:
    assert parse_env_file(f"A={value}\nB=1".encode()) == {"A": read, "B": "1"}


@pytest.mark.parametrize(
    "line",
    ["A=b", "A='b c'", 'A="b c"', "A=b#c", "A=b # c", "export A=b", "A='b' # c", r'A="b\"c\\d"', "A=", "A=#b", "A='#'"],
)
def test_a_line_is_read_as_a_shell_reads_it(tmp_path: Path, line: str) -> None:
    path = text_file(tmp_path, line.encode())
    shell = subprocess.run(["sh", "-c", f'. {path}; printf %s "$A"'], capture_output=True, text=True, check=True)
    assert read_env_file(path) == {"A": shell.stdout}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"DASHBOARD_WEBHOOK_SECRET: canary", "not NAME=value"),
        (b"DASHBOARD_WEBHOOK_SECRET canary", "not NAME=value"),
        (b"export DASHBOARD_WEBHOOK_SECRET", "not NAME=value"),
        (b"MY SECRET=canary", "not NAME=value"),
        (b"=canary", "not NAME=value"),
        (b"; canary", "not NAME=value"),
        (b"DASHBOARD_WEBHOOK_SECRET='canary", "quotes around the value of DASHBOARD_WEBHOOK_SECRET do not match"),
        (b"DASHBOARD_WEBHOOK_SECRET='canary'x", "quotes around the value of DASHBOARD_WEBHOOK_SECRET do not match"),
        ("DASHBOARD_WEBHOOK_SECRET=”canary”".encode(), "begins or ends with a curved quote"),
        ("DASHBOARD_WEBHOOK_SECRET=„canary“ # ours".encode(), "begins or ends with a curved quote"),
        ("DASHBOARD_WEBHOOK_SECRET=canary”".encode(), "begins or ends with a curved quote"),
        (
            "DASHBOARD_TIMEZONE=‘canary".encode(),
            "quotes around the value of DASHBOARD_TIMEZONE do not match",
        ),
        (b"DASHBOARD_WEBHOOK_SECRET=canary\\", "ends in a backslash"),
        (b"DASHBOARD_WEBHOOK_SECRET=can\x00ary", "control character"),
        (b"DASHBOARD_WEBHOOK_SECRET=\xe9canary", "no UTF-8 text"),
        (b"DASHBOARD_TIMEZONE=canary", "DASHBOARD_TIMEZONE has another value in line 1"),
        (b"DASHBOARD_TIMEZONE=", "DASHBOARD_TIMEZONE has another value in line 1"),
    ],
    ids=range(17),
)
def test_a_line_that_cannot_be_read_is_refused_by_its_number(tmp_path: Path, line: bytes, words: str) -> None:
    path = text_file(tmp_path, b"DASHBOARD_TIMEZONE=UTC\n\n" + line + b"\nB=1\n")
    with pytest.raises(BadSetting, match=re.escape(f"{path}, line 3: ") + ".*" + re.escape(words)) as caught:
        read_env_file(path)
    assert "canary" not in str(caught.value)


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters="'"), max_size=60))
def test_whatever_stands_in_single_quotes_is_the_value(value: str) -> None:
    assert parse_env_file(f"A='{value}'".encode()) == {"A": value}


@given(st.binary(max_size=200))
def test_any_file_at_all_is_read_or_refused(content: bytes) -> None:
    try:
        parse_env_file(content)
    except ValueError as problem:
        number, words = problem.args
        assert (number >= 1, words.endswith(".")) == (True, True)


def test_every_setting_there_is_is_known() -> None:
    assert {"DASHBOARD_BIND", "DASHBOARD_DATA", "DASHBOARD_WEBHOOK_SECRET_FILE", "DASHBOARD_LOG"} <= known_settings()
    assert list(misspelled(known_settings(), known_settings(), known_settings())) == []


def test_a_name_with_a_typo_is_reported_with_the_nearest_one() -> None:
    known = {"DASHBOARD_WEBHOOK_SECRET", "DASHBOARD_BIND", "PORT"}
    environment = ["DASHBOARD_WEBHOOK_SECERT", "DASHBORD_BIND", "dashboard_bind", "DASHBOARD_XYZZY", "PATH", "PORT"]
    sentences = list(misspelled(environment, ["WEBHOOK_SECRET", "TZ"], known))
    assert [(words.split()[0], words.partition("heard. ")[2]) for words in sentences] == [
        ("DASHBOARD_WEBHOOK_SECERT", "Was DASHBOARD_WEBHOOK_SECRET meant?"),
        ("DASHBOARD_XYZZY", "The README lists all there are."),
        ("DASHBORD_BIND", "Was DASHBOARD_BIND meant?"),
        ("TZ", "The README lists all there are."),
        ("WEBHOOK_SECRET", "Was DASHBOARD_WEBHOOK_SECRET meant?"),
        ("dashboard_bind", "Was DASHBOARD_BIND meant?"),
    ]


def test_a_file_that_cannot_be_read_hides_no_typo_of_the_environment(tmp_path: Path) -> None:
    text_file(tmp_path, b"no setting")
    assert len(unknown_settings({"DASHBOARD_XYZZY": "1"}, tmp_path)) == 1


def test_lines_are_added_to_a_file_of_any_encoding(tmp_path: Path) -> None:
    path = text_file(tmp_path, "A=1\r\nB=é".encode("utf-16"))
    add_lines(path, ["C=2"])
    assert read_env_file(path) == {"A": "1", "B": "é", "C": "2"}


@pytest.mark.parametrize("name", ["DASHBOARD_WEBHOOK_SECRET", "DASHBOARD_ADMIN_PASSWORD", "DASHBOARD_METRICS_TOKEN"])
def test_a_secret_of_the_file_that_an_empty_variable_would_hide_is_refused(tmp_path: Path, name: str) -> None:
    text_file(tmp_path, f"{name}=canary-canary-canary".encode())
    environment = {"DASHBOARD_DATA": str(tmp_path)}
    with pytest.raises(BadSetting, match=f"{name} is set to nothing in the environment") as caught:
        Settings.from_env(environment | {name: ""})
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(Settings.from_env(environment))


def test_a_secret_file_with_a_byte_order_mark_or_nothing_in_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    environment = {"DASHBOARD_DATA": str(tmp_path), f"{SECRET}_FILE": str(path)}
    path.write_bytes(b"\xef\xbb\xbfhush\r\n")
    assert Settings.from_env(environment).webhook_secrets == ("hush",)
    path.write_bytes(b"\xef\xbb\xbf \n")
    with pytest.raises(BadSetting, match="which is empty"):
        Settings.from_env(environment)


def test_a_server_keeps_the_secret_of_a_file_with_a_byte_order_mark_and_warns_of_typos(
    start_board: Callable[..., RunningBoard], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    text_file(
        tmp_path / "data", b"\xef\xbb\xbfDASHBOARD_WEBHOOK_SECRET=a-secret-of-some-length # ours\r\nDASHBORD_LOG=json"
    )
    board = start_board(DASHBOARD_DATA=str(tmp_path / "data"))
    assert board.post(b"{}").status_code == 401
    assert board.post(b"{}", Authorization="Bearer a-secret-of-some-length").status_code == 400
    assert (
        "DASHBORD_LOG is no setting, and what it says is not heard. Was DASHBOARD_LOG meant?" in board.log.read_text()
    )
