"""DASHBOARD_RECORDING_AUTH: how it is written, and to whom its passwords are sent."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.credentials import BadCredentials, Credential, credential_for, read_credentials
from dashboard.doctor.here import recording_credentials
from dashboard.links import parse_url
from dashboard.recordings.decoder import Decoder
from dashboard.recordings.fetch import fetch_recording
from dashboard.recordings.keep import Keep
from dashboard.recordings.outcomes import Access, Failed, Fetched, Outcome, Refused
from dashboard.settings import BadSetting, Settings
from tests.recording_host import MP3, RecordingHost, audio, only_if, redirect, status


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_passwords_and_tokens_are_read_for_exact_hosts() -> None:
    text = "https://Media.example=basic:asha:p:w https://[2001:db8::1]:8443=bearer:abc.def,\nhttp://pbx.lan:80=basic:a:"
    assert read_credentials(text, ["PBX.lan:80"]) == (
        Credential("https://media.example", basic("asha", "p:w")),
        Credential("https://[2001:db8::1]:8443", "Bearer abc.def"),
        Credential("http://pbx.lan", basic("a", "")),
    )


@given(st.text(min_size=1).filter(lambda user: ":" not in user), st.text())
def test_any_user_name_and_password_can_be_written(user: str, password: str) -> None:
    text = f"https://one.example=basic:{quote(user, safe='')}:{quote(password, safe='')}"
    assert read_credentials(text, ()) == (Credential("https://one.example", basic(user, password)),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://one.example", "number 1 must be https://host=basic:user:password or"),
        ("https://one.example=basic:asha:a,b", "number 2 must be https://host=basic:user:password or"),
        ("https://one.example=digest:asha:b", "number 1 must be https://host=basic:user:password or"),
        ("https://one.example/path=basic:asha:b", "number 1 must begin with scheme, host and perhaps port alone"),
        ("https://one.example?a=basic:asha:b", "number 1 must be"),
        ("one.example=basic:asha:b", "number 1 must begin with scheme, host and perhaps port alone"),
        ("http://one.example=basic:asha:b", "add one.example:80 to DASHBOARD_RECORDING_HOSTS"),
        ("https://one.example=basic:asha:100%", "has a percent sign before something else than two digits"),
        ("https://one.example=basic:asha", "number 1 must have basic:user:password"),
        ("https://one.example=basic:a%3Aa:b", "a user name cannot have a colon"),
        ("https://one.example=bearer:", "number 1 must have a token of letters"),
        ("https://one.example=bearer:a%0D%0AX:%20b", "number 1 must have a token of letters"),
        ("https://a.example=bearer:b https://A.example:443=bearer:c", "number 2 is for https://a.example, which has"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason_that_quotes_no_secret(text: str, reason: str) -> None:
    with pytest.raises(BadCredentials) as refused:
        read_credentials(text, ())
    assert reason in str(refused.value)
    assert "asha" not in str(refused.value)


def test_a_credential_is_for_its_very_scheme_host_and_port() -> None:
    credentials = read_credentials("https://media.example=bearer:t", ())
    for address in ("https://media.example/a?b", "https://MEDIA.example:443/"):
        url = parse_url(address)
        assert url is not None
        assert credential_for(credentials, url) is not None
    for address in (
        "http://media.example/",
        "https://media.example:8443/",
        "https://a.media.example/",
        "https://media.example.evil.example/",
    ):
        url = parse_url(address)
        assert url is not None
        assert credential_for(credentials, url) is None


def test_settings_show_no_password(tmp_path: Path) -> None:
    (tmp_path / "settings.env").write_text("DASHBOARD_RECORDING_AUTH=https://media.example=basic:asha:hush%20now\n")
    settings = Settings.from_env({"DASHBOARD_DATA": str(tmp_path)})
    assert settings.recording_credentials == (Credential("https://media.example", basic("asha", "hush now")),)
    shown = repr(settings) + repr(settings.recording_credentials) + str(list(recording_credentials(settings)))
    assert "https://media.example (Basic)" in shown
    assert not any(secret in shown for secret in ("hush", "asha", basic("asha", "hush now")))
    with pytest.raises(BadSetting, match=r"^DASHBOARD_RECORDING_AUTH: number 1 must be"):
        Settings.from_env({"DASHBOARD_DATA": str(tmp_path), "DASHBOARD_RECORDING_AUTH": "hush"})


def test_a_password_can_come_from_a_file_with_one_credential_a_line(tmp_path: Path) -> None:
    (tmp_path / "auth").write_text("https://a.example=bearer:one\nhttps://b.example=bearer:two\n")
    env = {"DASHBOARD_DATA": str(tmp_path), "DASHBOARD_RECORDING_AUTH_FILE": str(tmp_path / "auth")}
    assert [each.origin for each in Settings.from_env(env).recording_credentials] == [
        "https://a.example",
        "https://b.example",
    ]


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    made = Decoder()
    yield made
    await made.close()


async def fetch(url: str, access: Access, folder: Path, decoder: Decoder) -> Outcome:
    return await fetch_recording(url, access=access, into=Keep(folder, low_water=0), decoder=decoder)


async def test_a_credential_is_sent_to_its_host_and_left_behind_at_a_redirect(
    tmp_path: Path, decoder: Decoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with RecordingHost({"/there.mp3": audio()}) as other, RecordingHost() as carrier:
        carrier.answers = {"/a.mp3": redirect("/b.mp3"), "/b.mp3": redirect(other.url("/there.mp3"))}
        pairs = (carrier.pair, other.pair)
        access = Access(pairs, read_credentials(f"http://{carrier.pair}=basic:asha:hush", pairs))
        assert isinstance(await fetch(carrier.url("/a.mp3"), access, tmp_path, decoder), Fetched)
        sent = [request.headers.get("authorization") for request in carrier.requests]
        assert sent == [basic("asha", "hush")] * 2, "a redirect within the host keeps it"
        assert [request.headers.get("authorization") for request in other.requests] == [None]
    assert not any(secret in caplog.text for secret in ("hush", basic("asha", "hush").split()[1]))


async def test_a_host_that_wants_a_token_gives_the_recording_to_whoever_sends_it(
    tmp_path: Path, decoder: Decoder
) -> None:
    async with RecordingHost() as carrier:
        carrier.answers["/a.mp3"] = only_if("authorization", "Bearer right", audio(MP3), status(401))
        for token, kind, words in (
            ("right", Fetched, ""),
            ("wrong", Refused, f"Check what DASHBOARD_RECORDING_AUTH has for http://{carrier.pair}."),
        ):
            access = Access((carrier.pair,), read_credentials(f"http://{carrier.pair}=bearer:{token}", [carrier.pair]))
            outcome = await fetch(carrier.url("/a.mp3"), access, tmp_path, decoder)
            assert isinstance(outcome, kind)
            assert isinstance(outcome, Fetched) or words in outcome.why
        outcome = await fetch(carrier.url("/a.mp3"), Access((carrier.pair,)), tmp_path, decoder)
        assert isinstance(outcome, Refused)
        assert f"set one for http://{carrier.pair} in DASHBOARD_RECORDING_AUTH" in outcome.why
        carrier.answers["/a.mp3"] = status(403)
        assert isinstance(await fetch(carrier.url("/a.mp3"), Access((carrier.pair,)), tmp_path, decoder), Failed)
