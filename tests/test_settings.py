"""What the environment says, and what it may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.settings import BadSetting, Settings


def read(tmp_path: Path, **environment: str) -> Settings:
    return Settings.from_env({"DASHBOARD_DATA": str(tmp_path)} | environment)


def test_an_empty_environment_is_a_board_for_this_machine(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.is_local
    assert (settings.bind, settings.webhook_secrets, settings.admin_password) == ("127.0.0.1:8000", (), "")
    assert settings.database_url == f"sqlite:///{tmp_path / 'callboard.db'}"
    assert (settings.source_timezone.key, settings.timezone.key) == ("Asia/Kolkata", "Asia/Kolkata")


@pytest.mark.parametrize(
    ("environment", "bind", "is_local"),
    [
        ({"DASHBOARD_BIND": "127.0.0.1:9000"}, "127.0.0.1:9000", True),
        ({"DASHBOARD_BIND": "localhost:9000"}, "localhost:9000", True),
        ({"DASHBOARD_BIND": "[::1]:9000"}, "[::1]:9000", True),
        ({"DASHBOARD_BIND": "0.0.0.0:9000"}, "0.0.0.0:9000", False),
        ({"DASHBOARD_BIND": "[::]:9000"}, "[::]:9000", False),
        ({"DASHBOARD_BIND": ":9000"}, ":9000", False),
        ({"PORT": "9000"}, "0.0.0.0:9000", False),
        ({"PORT": "9000", "DASHBOARD_BIND": "127.0.0.1:1"}, "127.0.0.1:1", False),
        ({"DASHBOARD_PUBLIC_URL": "https://board.example"}, "127.0.0.1:8000", False),
    ],
    ids=range(9),
)
def test_who_can_reach_the_board(tmp_path: Path, environment: dict[str, str], bind: str, is_local: bool) -> None:
    settings = read(tmp_path, **environment)
    assert (settings.bind, settings.is_local) == (bind, is_local)


@pytest.mark.parametrize(
    ("url", "read_as"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_a_database_has_one_address_whatever_the_platform_calls_it(tmp_path: Path, url: str, read_as: str) -> None:
    assert read(tmp_path, DASHBOARD_DATABASE_URL=url).database_url == read_as
    assert read(tmp_path, DATABASE_URL=url).database_url == read_as
    assert read(tmp_path, DATABASE_URL="mysql://x", DASHBOARD_DATABASE_URL=url).database_url == read_as


def test_two_secrets_may_be_valid_at_once(tmp_path: Path) -> None:
    assert read(tmp_path, DASHBOARD_WEBHOOK_SECRET=" old , new,, ").webhook_secrets == ("old", "new")


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hush hush hush\n")
    assert read(tmp_path, DASHBOARD_WEBHOOK_SECRET_FILE=str(path)).webhook_secrets == ("hush hush hush",)
    assert read(tmp_path, DASHBOARD_ADMIN_PASSWORD_FILE=str(path)).admin_password == "hush hush hush"


def test_the_settings_file_fills_what_the_environment_leaves_out(tmp_path: Path) -> None:
    lines = "# made by connect\n\nDASHBOARD_WEBHOOK_SECRET = 'from file'\nDASHBOARD_TIMEZONE=UTC\n"
    (tmp_path / "settings.env").write_text(lines)
    assert read(tmp_path).webhook_secrets == ("from file",)
    settings = read(tmp_path, DASHBOARD_WEBHOOK_SECRET="from outside")
    assert (settings.webhook_secrets, settings.timezone.key) == (("from outside",), "UTC")


def test_the_boards_zone_is_the_sources_unless_it_is_set(tmp_path: Path) -> None:
    settings = read(tmp_path, DASHBOARD_SOURCE_TIMEZONE="Asia/Dubai")
    assert (settings.source_timezone.key, settings.timezone.key) == ("Asia/Dubai", "Asia/Dubai")
    assert read(tmp_path, DASHBOARD_SOURCE_TIMEZONE="Asia/Dubai", DASHBOARD_TIMEZONE="UTC").timezone.key == "UTC"


def test_the_choices(tmp_path: Path) -> None:
    assert read(tmp_path, DASHBOARD_UNKNOWN_EVENTS="reject").reject_unknown_events
    assert not read(tmp_path, DASHBOARD_NUMBER_GROUPING="western").indian_grouping
    regions = [read(tmp_path).phone_region, read(tmp_path, DASHBOARD_PHONE_REGION=" ae").phone_region]
    assert regions == ["IN", "AE"]
    hosts = "127.0.0.1:9000, [::1]:9000"
    assert read(tmp_path, DASHBOARD_RECORDING_HOSTS=hosts).recording_hosts == ("127.0.0.1:9000", "[::1]:9000")
    assert (read(tmp_path).proxy_hops, read(tmp_path, DASHBOARD_PROXY_HOPS="0").proxy_hops) == (None, 0)
    assert read(tmp_path, DASHBOARD_PUBLIC_URL="https://board.example/").public_url == "https://board.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("DASHBOARD_SOURCE_TIMEZONE", "Mars/Olympus"),
        ("DASHBOARD_TIMEZONE", "../../etc/passwd"),
        ("DASHBOARD_TIMEZONE", "/etc/localtime"),
        ("DASHBOARD_UNKNOWN_EVENTS", "maybe"),
        ("DASHBOARD_NUMBER_GROUPING", "roman"),
        ("DASHBOARD_PHONE_REGION", "India"),
        ("DASHBOARD_PHONE_REGION", "XX"),
        ("DASHBOARD_PUBLIC_URL", "https://board.example/calls"),
        ("DASHBOARD_RECORDING_HOSTS", "127.0.0.1"),
        ("DASHBOARD_RECORDING_HOSTS", ":80"),
        ("DASHBOARD_PROXY_HOPS", "-1"),
        ("DASHBOARD_PROXY_HOPS", "10"),
        ("DASHBOARD_PROXY_HOPS", "²"),
        ("DASHBOARD_KEEP_AUDIO_DAYS", "0"),
        ("DASHBOARD_KEEP_CALLS_DAYS", "a year"),
        ("DASHBOARD_KEEP_TRANSCRIPTS_DAYS", "30"),
        ("DASHBOARD_ADMIN_PASSWORD", "too short"),
        ("DASHBOARD_DATABASE_URL", "mysql://u:p@h/d"),
        ("DASHBOARD_WEBHOOK_SECRET_FILE", "/nowhere/at/all"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        read(tmp_path, **{name: value})


def test_how_long_things_are_kept_is_read_in_days(tmp_path: Path) -> None:
    assert read(tmp_path).retention == (None, None, None, None)
    settings = read(tmp_path, DASHBOARD_KEEP_CALLS_DAYS="365", DASHBOARD_KEEP_AUDIO_DAYS="30")
    assert settings.retention == (30, 365, None, 365)


def test_no_secret_is_in_a_message_or_a_repr(tmp_path: Path) -> None:
    settings = read(tmp_path, DASHBOARD_WEBHOOK_SECRET="canary-1", DASHBOARD_ADMIN_PASSWORD="canary-2-canary")
    assert "canary" not in repr(settings)
    for refused in (
        {"DASHBOARD_DATABASE_URL": "mysql://u:canary-3@h/d"},
        {"DASHBOARD_DATABASE_URL": "u:canary-3@h/d"},
        {"DASHBOARD_ADMIN_PASSWORD": "canary-4"},
    ):
        with pytest.raises(BadSetting) as caught:
            read(tmp_path, **refused)
        assert "canary" not in str(caught.value)


def test_a_settings_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "settings.env").write_bytes(b"DASHBOARD_BIND=\xff")
    with pytest.raises(BadSetting, match=r"settings\.env"):
        read(tmp_path)


@pytest.mark.parametrize("text", [" , ", ",", " ", "\t"])
def test_commas_and_blanks_without_a_secret_do_not_open_the_webhook(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSetting, match="DASHBOARD_WEBHOOK_SECRET is set and holds no secret"):
        read(tmp_path, DASHBOARD_WEBHOOK_SECRET=text)
    assert read(tmp_path, DASHBOARD_WEBHOOK_SECRET="").webhook_secrets == ()


def test_a_secret_and_a_file_of_another_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hush hush hush\n")
    with pytest.raises(BadSetting, match="are both set, and differ"):
        read(tmp_path, DASHBOARD_WEBHOOK_SECRET="another one", DASHBOARD_WEBHOOK_SECRET_FILE=str(path))
    same = read(tmp_path, DASHBOARD_WEBHOOK_SECRET="hush hush hush", DASHBOARD_WEBHOOK_SECRET_FILE=str(path))
    assert same.webhook_secrets == ("hush hush hush",)


def test_options_of_a_sqlite_address_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="takes no options"):
        read(tmp_path, DASHBOARD_DATABASE_URL=f"sqlite:///{tmp_path}/a.db?mode=ro")
