"""The doctor: each thing a person gets wrong is found, and told with the way to mend it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboard import __main__
from dashboard.database import Database
from dashboard.disk import MIB
from dashboard.doctor.finding import BAD, DOUBT, GOOD, Finding
from dashboard.doctor.here import check_here, data_folder, disk, secrets, settings_file_mode
from dashboard.doctor.outside import check_outside, proxies, secrets_in_use
from dashboard.doctor.tables import check_tables, file_mode
from dashboard.migrations import migrate
from dashboard.settings import Settings
from dashboard.web.parts import now_micros
from tests.reports import report
from tests.running import RunningBoard, free_port
from tests.stored import INDIA, NOON, store

SECRET = "0123456789abcdef0123"


def marks(findings: list[Finding]) -> list[str]:
    return [finding.mark for finding in findings]


def words(findings: list[Finding]) -> str:
    return "\n".join(finding.words for finding in findings)


# Settings


def test_the_region_of_telephone_numbers_is_shown(tmp_path: Path) -> None:
    found = words(list(check_here(Settings(data_folder=tmp_path, phone_region="SG"))))
    assert "read as numbers of SG (DASHBOARD_PHONE_REGION)" in found


def test_a_settings_file_that_others_may_read_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    path = tmp_path / "settings.env"
    assert marks(list(settings_file_mode(path))) == [GOOD]
    path.touch(0o600)
    assert marks(list(settings_file_mode(path))) == [GOOD]
    path.chmod(0o640)
    findings = list(settings_file_mode(path))
    assert marks(findings) == [BAD]
    assert f"chmod 600 {path}" in words(findings)


def test_a_folder_that_can_be_written_to_is_good_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir(mode=0o700)
    assert marks(list(data_folder(tmp_path))) == [GOOD, GOOD]
    assert [path.name for path in tmp_path.rglob("*")] == ["recordings"]
    assert marks(list(data_folder(tmp_path / "none"))) == [DOUBT]


def test_a_folder_that_takes_no_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dashboard.doctor.here.tempfile.NamedTemporaryFile", refuse)
    findings = list(data_folder(tmp_path))
    assert marks(findings) == [BAD]
    assert "Permission denied" in words(findings)


@pytest.mark.parametrize(("free", "mark"), [(10 * MIB, BAD), (500 * MIB, DOUBT), (5000 * MIB, GOOD)])
def test_a_disk_is_told_by_what_is_left_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, mark: str
) -> None:
    monkeypatch.setattr("dashboard.doctor.here.free_bytes", lambda _: free)
    assert marks(list(disk(Settings(data_folder=tmp_path / "not" / "yet")))) == [mark]


@pytest.mark.parametrize(
    ("given", "public_url", "mark"),
    [
        ((), "", DOUBT),
        ((), "https://calls.example.com", BAD),
        (("short",), "", BAD),
        ((SECRET,), "", GOOD),
        ((SECRET, SECRET), "", DOUBT),
    ],
)
def test_a_secret_that_is_missing_short_or_doubled_is_told_and_never_shown(
    given: tuple[str, ...], public_url: str, mark: str
) -> None:
    findings = list(secrets(Settings(webhook_secrets=given, public_url=public_url)))
    assert marks(findings) == [mark]
    assert not any(secret in words(findings) for secret in given)


def test_of_two_secrets_it_is_told_which_one_still_comes() -> None:
    (finding,) = secrets_in_use([now_micros() - 7_200_000_000, 0])
    assert "secret 1 last came 2 h ago; secret 2 has not come" in finding.words
    assert list(secrets_in_use([0])) == []


@pytest.mark.parametrize(
    ("added", "here", "hops", "mark"),
    [(1, True, None, GOOD), (2, True, None, DOUBT), (0, False, None, GOOD), (1, False, 2, BAD), (2, False, 2, GOOD)],
)
def test_proxies_that_are_not_as_many_as_believed_are_told(added: int, here: bool, hops: int | None, mark: str) -> None:
    finding = proxies(added, here, Settings(proxy_hops=hops))
    assert finding.mark == mark
    assert mark == GOOD or f"DASHBOARD_PROXY_HOPS={added}" in finding.words


# Tables


def test_a_database_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "callboard.db"
    assert marks(list(check_tables(Settings(database_url=f"sqlite:///{path}")))) == [DOUBT]
    assert not path.parent.exists()


def test_a_database_file_that_others_may_read_is_told_unless_its_folder_is_closed_to_them(tmp_path: Path) -> None:
    file = tmp_path / "callboard.db"
    file.touch(0o600)
    for folder_mode, mode, mark in (
        (0o755, 0o600, GOOD),
        (0o755, 0o644, DOUBT),
        (0o711, 0o604, DOUBT),
        (0o750, 0o640, DOUBT),
        (0o750, 0o604, GOOD),
        (0o700, 0o644, GOOD),
    ):
        tmp_path.chmod(folder_mode)
        file.chmod(mode)
        assert marks(list(file_mode(file))) == [mark], f"{folder_mode:o} {mode:o}"
    tmp_path.chmod(0o755)
    file.chmod(0o644)
    assert f"chmod 600 {file}" in words(list(file_mode(file)))
    tmp_path.chmod(0o700)


def test_a_database_in_order_is_good_of_either_kind(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    # Two minutes each: they end as their reports come.
    began = datetime.fromtimestamp(NOON / 1_000_000 - 120, INDIA)
    store(database, *(report(f"call {number}", time=f"{began:%Y-%m-%d %H:%M:%S}") for number in range(6)))
    findings = list(check_tables(Settings(database_url=url)))
    assert set(marks(findings)) == {GOOD}, words(findings)
    assert len(findings) >= 3


def test_times_of_another_zone_than_the_setting_says_are_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'callboard.db'}"
    database = Database(url)
    migrate(database)
    began = datetime.fromtimestamp(NOON / 1_000_000 - 120, UTC)
    store(database, *(report(f"call {number}", time=f"{began:%Y-%m-%d %H:%M:%S}") for number in range(6)))
    database.close()
    findings = list(check_tables(Settings(database_url=url)))
    assert marks(findings).count(BAD) == 1
    assert "5 h 30 min before" in words(findings)
    assert "DASHBOARD_SOURCE_TIMEZONE" in words(findings)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "callboard.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    store(database, *(report(f"call {number}") for number in range(50)))
    database.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: 3 * 4096] + bytes(4096) + whole[4 * 4096 :])
    findings = list(check_tables(Settings(database_url=f"sqlite:///{path}")))
    assert BAD in marks(findings)
    assert "restore a backup" in words(findings) or "does not answer as it should" in words(findings)


def test_tables_of_a_newer_version_are_bad_news(tmp_path: Path, migrated_file: Path) -> None:
    path = tmp_path / "callboard.db"
    shutil.copyfile(migrated_file, path)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
    found = next(each for each in check_tables(Settings(database_url=f"sqlite:///{path}")) if "9999" in each.words)
    assert (found.mark, "made by a newer Callboard" in found.words) == (BAD, True)


def test_a_database_that_does_not_answer_is_told_without_its_password() -> None:
    url = f"postgresql+psycopg://me:hunter2hunter2@127.0.0.1:{free_port()}/calls"
    findings = list(check_tables(Settings(database_url=url)))
    assert marks(findings) == [BAD]
    assert "hunter2" not in words(findings)


# From outside


def test_a_public_address_where_nobody_answers_is_told() -> None:
    settings = Settings(public_url=f"http://127.0.0.1:{free_port()}")
    findings = list(check_outside(settings))
    assert marks(findings) == [BAD, BAD]
    assert "is not https" in findings[0].words
    assert "cannot be reached" in findings[1].words


def test_beside_a_running_board_the_whole_way_in_is_tried(
    start_board: Callable[..., RunningBoard], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    board = start_board(
        DASHBOARD_WEBHOOK_SECRET=f"{SECRET},another-{SECRET}",
        DASHBOARD_ADMIN_PASSWORD="a long password",
        DASHBOARD_PROXY_HOPS="0",
    )
    monkeypatch.setenv("DASHBOARD_PUBLIC_URL", board.url)
    for name, value in board.environment.items():
        if name.startswith("DASHBOARD_"):
            monkeypatch.setenv(name, value)
    assert __main__.main(["doctor"]) == 1
    out = capsys.readouterr().out
    told = [line for line in out.splitlines() if line.startswith(BAD)]
    assert len(told) == 1, out
    assert "is not https" in told[0]
    for expected in (
        "leads to this board, and it knows the secret",
        "secret 1 has not come since the server started",
        "so many are believed",
        "hands the stream on at once",
        "tables of",
        "1 to mend",
    ):
        assert expected in out
    assert SECRET not in out
    monkeypatch.setenv("DASHBOARD_WEBHOOK_SECRET", "another-secret-that-it-does-not-know")
    settings = replace(Settings.from_env(), public_url=board.url)
    assert "does not know the webhook secret" in words(list(check_outside(settings)))
