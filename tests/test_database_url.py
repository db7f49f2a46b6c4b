"""The address of the database: read in one way only, with whatever characters a password or a folder has."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from dashboard.database import Database
from dashboard.database_url import BadUrl, postgres_url, sqlite_file, sqlite_url
from dashboard.settings import BadSetting, Settings
from tests.test_database import nothing


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("me:secret@host:5432/calls", "secret"),
        ("me:se@cret@host:5432/calls", "se@cret"),
        ("me:se/cret@host:5432/calls", "se/cret"),
        ("me:se?cret@host:5432/calls", "se?cret"),
        ("me:se#cret@host:5432/calls", "se#cret"),
        ("me:se:cret@host:5432/calls", "se:cret"),
        ("me:5432/x@host:5432/calls", "5432/x"),
        ("me:100%@host:5432/calls", "100%"),
        ("me:a@b/c#d?e%@host:5432/calls", "a@b/c#d?e%"),
        ("me:se%40cret@host:5432/calls", "se@cret"),
        ("me:पासवर्ड@host:5432/calls", "पासवर्ड"),
        ("me@host:5432/calls?password=se%40cret", "se@cret"),
        ("me:@host:5432/calls", ""),
        ("me@host:5432/calls", None),
    ],
)
def test_a_password_is_read_as_it_was_meant(written: str, password: str | None) -> None:
    url = make_url(postgres_url(written))
    assert (url.username, url.password, url.host, url.port, url.database) == ("me", password, "host", 5432, "calls")
    assert "password" not in url.query


@pytest.mark.parametrize(
    "written",
    [
        "me:sec@ret?a=b@host/calls",
        "me:sec%40ret@secret@host/calls",
        "me:sec%40ret%@host/calls",
        "me@sec:ret@host/calls",
        "me:secret@host/calls/secret",
        "me:secret@ho st/calls",
        "me:secret@host:secret/calls",
        "me:secret@host/calls#secret",
    ],
)
def test_an_address_that_has_two_readings_or_none_is_refused_without_a_word_of_it(tmp_path: Path, written: str) -> None:
    with pytest.raises(BadUrl):
        postgres_url(written)
    environment = {"DASHBOARD_DATA": str(tmp_path), "DASHBOARD_DATABASE_URL": f"postgresql://{written}"}
    with pytest.raises(BadSetting, match="percent-encoded") as refused:
        Settings.from_env(environment)
    assert "sec" not in str(refused.value)
    assert "ret" not in str(refused.value)
    for command in ("serve", "doctor"):
        ran = subprocess.run(
            [sys.executable, "-m", "dashboard", command],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 1
        assert "percent-encoded" in ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        assert "sec" not in ran.stdout + ran.stderr


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_percent_encoded_password_is_read_whatever_it_is(password: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in password.encode())
    assert make_url(postgres_url(f"me:{encoded}@host/calls")).password == password


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="%"), min_size=1))
def test_a_password_without_percent_signs_is_read_as_it_is_or_refused(password: str) -> None:
    with suppress(BadUrl):
        assert make_url(postgres_url(f"me:{password}@host/calls")).password == password


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("me@one,two:6000/calls", "one,two", "5432,6000"),
        ("me@one:1,two:2/calls?sslmode=require", "one,two", "1,2"),
        ("me@/calls?host=one:1&host=two:2", "one,two", "1,2"),
        ("me@[::1]:1,[::2]:2/calls", "::1,::2", "1,2"),
        ("me@%2Frun%2Fpostgresql/calls", "/run/postgresql", 5432),
    ],
)
def test_several_hosts_reach_the_driver_as_they_were_written(written: str, host: str, port: object) -> None:
    url = make_url(postgres_url(written))
    _, options = url.get_dialect()().create_connect_args(url)
    assert options["host"] == host
    assert str(options["port"]) == str(port)


def test_the_place_shows_no_password_of_the_options_either() -> None:
    database = Database("postgresql+psycopg://me@one/calls?password=secret&sslpassword=secret")
    assert database.place == "postgresql://one/calls"
    database.close()


@pytest.mark.parametrize("folder", ["what?", "a%20b", "100%", "a#b", "a b", "a?mode=ro", "%3F", "ü", "a&b;c", "a:b@c"])
def test_the_database_lies_in_exactly_the_data_folder(tmp_path: Path, folder: str) -> None:
    settings = Settings.from_env({"DASHBOARD_DATA": str(tmp_path / folder)})
    database = Database(settings.database_url)
    database.write_now(nothing)
    database.close()
    assert sqlite_file(settings.database_url) == tmp_path / folder / "callboard.db"
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.db")] == [Path(folder) / "callboard.db"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1), min_size=1))
def test_a_file_has_an_address_that_leads_back_to_it(parts: list[str]) -> None:
    path = Path("/", *parts)
    assert sqlite_file(sqlite_url(path)) == path
    assert make_url(sqlite_url(path)).database == str(path)
