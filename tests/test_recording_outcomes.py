"""The table of outcomes: what a status means, and which settings bring a recording back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.credentials import read_credentials
from dashboard.links import parse_url
from dashboard.recordings.audio import codec_name, is_played, media_type, text_kind
from dashboard.recordings.outcomes import Access, Answer, Failed, Refused, auth_cause, is_gone, of_status, too_large
from tests.audio_samples import ape_tag, gsm_wav, id3_tag, mp3, wav

URL = parse_url("https://media.example/a.mp3?key=secret")
assert URL is not None
AUTH = read_credentials("https://media.example=bearer:one", ())


def test_every_status_is_tried_again_but_for_three() -> None:
    assert URL is not None
    for status in range(201, 600):
        outcome = of_status(Answer(URL, status, 5.0), Access())
        assert isinstance(outcome, Refused if status in (401, 407, 410) else Failed), status
        assert str(status) in outcome.why
        assert "secret" not in outcome.why


def test_a_cause_is_gone_when_the_setting_names_the_host() -> None:
    assert not is_gone("hosts minio.lan:9000", Access(("minio.lan:9001",)))
    assert is_gone("hosts minio.lan:9000", Access(("Minio.lan:9000",)))
    assert is_gone("hosts [::1]:9000", Access(("[::1]:9000",)))


def test_a_cause_is_gone_when_the_limit_is_large_enough() -> None:
    refused = too_large("media.example", 150, Access(max_bytes=100))
    assert not is_gone(refused.cause, Access(max_bytes=149))
    assert is_gone(refused.cause, Access(max_bytes=150))


def test_a_cause_is_gone_when_the_credential_of_the_very_host_is_another() -> None:
    assert URL is not None
    without, one = auth_cause(URL, Access()), auth_cause(URL, Access(credentials=AUTH))
    other = Access(credentials=read_credentials("https://media.example=bearer:two", ()))
    elsewhere = Access(credentials=read_credentials("https://else.example=bearer:two", ()))
    assert not is_gone(without, Access())
    assert not is_gone(without, elsewhere)
    assert is_gone(without, Access(credentials=AUTH))
    assert not is_gone(one, Access(credentials=AUTH))
    assert is_gone(one, other)
    assert is_gone(one, Access())
    assert "one" not in one


@pytest.mark.parametrize("cause", ["", "cut", "not ready", "host", "network", "disk", "gone", "address"])
def test_no_setting_changes_any_other_cause(cause: str) -> None:
    assert not is_gone(cause, Access(("a:1",), AUTH, 2**40))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"<!doctype html>", "a web page"),
        (b"\xef\xbb\xbf\r\n <?xml version='1.0'?>", "a web page"),
        (b' {"status": "processing"}', "JSON"),
        (b"[]", "JSON"),
        ("रिकॉर्डिंग तैयार नहीं है".encode(), "text"),
        (("<p>" + "क" * 2000).encode(), "a web page"),
        (b"ID3 tags are explained here", "text"),
        (b"", None),
        (b"\r\n\r\n", None),
        (b"\xff\xfeh\x00t\x00m\x00l\x00", None),
    ],
)
def test_text_is_told_from_everything_else(head: bytes, kind: str | None) -> None:
    assert text_kind(head) == kind


@pytest.mark.parametrize("body", [mp3(), b"\r\n\r\n" + mp3(), id3_tag() + mp3(), ape_tag() + mp3(), wav(), gsm_wav()])
def test_no_recording_is_taken_for_text(body: bytes) -> None:
    assert text_kind(body) is None


@given(st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1), st.integers(0, 3))
def test_text_that_is_cut_within_a_letter_is_text(text: str, cut: int) -> None:
    body = ("x" + text).encode()
    assert text_kind(body[: len(body) - cut] if len(body) > cut + 4 else body) is not None


def test_browsers_play_what_was_tried_and_nothing_else() -> None:
    assert is_played("audio/wav", "pcm_s16le")
    assert not is_played("audio/wav", "gsm_ms")
    assert not is_played("audio/mp4", "amr_nb")
    assert is_played("audio/mpeg", ""), "kept by an earlier version, which knew no codec"
    assert (media_type("mov,mp4,m4a,3gp,3g2,mj2"), media_type("nsv")) == ("audio/mp4", "application/octet-stream")
    assert (codec_name("gsm_ms"), codec_name("some_codec")) == ("GSM", "SOME CODEC")
