"""The table of recordings as hosts send them, and what is to become of each after the first attempt."""

from __future__ import annotations

import base64
import gzip
import zlib
from functools import cache
from typing import NamedTuple

import brotli

from tests.audio_samples import (
    ape_tag,
    encode,
    gsm_wav,
    id3_tag,
    mp3,
    silent_video,
    wav,
    wav_header,
    wav_of_unknown_length,
)
from tests.recording_host import Answer, audio, encoded, head, later, only_if, redirect, sends, status

MAX_BYTES = 1024**2
PLAYED, DOWNLOAD = "played", "download"
AUTH = "Basic " + base64.b64encode(b"asha:p,ss w%rd").decode()
CREDENTIAL = "basic:asha:p%2Css%20w%25rd"


class Case(NamedTuple):
    """`answer` is what the host says at the case's path, unless `url` names another address ({host} is the host).

    `state`, `kind` and `cause` are the row's; `as_` says whether people play or download what is kept; `words` are in
    the sentence that they read.
    """

    answer: Answer | None
    state: str = "kept"
    kind: str = ""
    cause: str = ""
    as_: str = ""
    words: str = ""
    url: str = ""


def played(answer: Answer, kind: str) -> Case:
    return Case(answer, kind=kind, as_=PLAYED)


def kept(body: bytes, kind: str) -> Case:
    """Sent as what it is not: the host's word does not count."""
    return played(audio(body, "application/octet-stream"), kind)


def download(body: bytes, kind: str) -> Case:
    return Case(audio(body), kind=kind, as_=DOWNLOAD)


def waits(answer: Answer, cause: str, words: str) -> Case:
    return Case(answer, "waiting", cause=cause, words=words)


def refused(cause: str, words: str, answer: Answer | None = None, url: str = "") -> Case:
    return Case(answer, "failed", cause=cause, words=words, url=url)


@cache
def cases() -> dict[str, Case]:
    """All of them, by name; the name is the path at the host, too."""
    return FORMATS | wrapped() | transported() | cut() | not_yet() | stopped()


def aac(container: str, **options: str) -> bytes:
    return encode(container, "aac", options=options)


def opus(container: str) -> bytes:
    return encode(container, "libopus", rate=48000)


FORMATS = {
    "mp3": kept(mp3(), "audio/mpeg"),
    "adts-aac": kept(aac("adts"), "audio/aac"),
    "m4a": kept(aac("ipod"), "audio/mp4"),
    "quicktime": kept(aac("mov"), "audio/mp4"),
    "mp4-fragments": kept(aac("mp4", movflags="frag_keyframe+empty_moov"), "audio/mp4"),
    "ogg-opus": kept(opus("ogg"), "audio/ogg"),
    "ogg-vorbis": kept(
        encode("ogg", "vorbis", rate=48000, layout="stereo", codec_options={"strict": "-2"}), "audio/ogg"
    ),
    "webm-opus": kept(opus("webm"), "audio/webm"),
    "flac": kept(encode("flac", "flac"), "audio/flac"),
    "wav": kept(wav(), "audio/wav"),
    "wav-mulaw": kept(wav("pcm_mulaw"), "audio/wav"),
    "wav-alaw": kept(wav("pcm_alaw"), "audio/wav"),
    "wav-float": kept(wav("pcm_f32le"), "audio/wav"),
    "wav-rf64": kept(encode("wav", "pcm_s16le", options={"rf64": "always"}), "audio/wav"),
    "wav-unknown-length": kept(wav_of_unknown_length(), "audio/wav"),
    "wav-gsm": download(gsm_wav(), "audio/wav"),
    "wav-ima-adpcm": download(wav("adpcm_ima_wav"), "audio/wav"),
    "wav-ms-adpcm": download(wav("adpcm_ms"), "audio/wav"),
    "amr": download(encode("amr", "libopencore_amrnb"), "audio/amr"),
    "alac": download(encode("ipod", "alac"), "audio/mp4"),
}


def wrapped() -> dict[str, Case]:
    """Something before the sound."""
    return {
        "id3": kept(id3_tag() + mp3(), "audio/mpeg"),
        "zeros": kept(bytes(4096) + mp3(), "audio/mpeg"),
        "line-ends": kept(b"\r\n\r\n" + mp3(), "audio/mpeg"),
        "ape": kept(ape_tag() + mp3(), "audio/mpeg"),
    }


def transported() -> dict[str, Case]:
    """Odd ways to say it."""
    raw = zlib.compressobj(wbits=-15)
    signature = "X-Amz-Security-Token=" + "a1%2F" * 3000
    return {
        "called-html": played(audio(mp3(), "text/html"), "audio/mpeg"),
        "called-video": played(audio(wav(), "video/mp4"), "audio/wav"),
        "no-length": played(sends(head(), mp3()), "audio/mpeg"),
        "gzip": played(encoded(gzip.compress(wav()), "gzip"), "audio/wav"),
        "deflate": played(encoded(zlib.compress(wav()), "deflate"), "audio/wav"),
        "deflate-raw": played(encoded(raw.compress(wav()) + raw.flush(), "deflate"), "audio/wav"),
        "brotli": played(encoded(brotli.compress(wav()), "br"), "audio/wav"),
        "gzip-twice": played(encoded(gzip.compress(gzip.compress(wav())), "gzip, gzip"), "audio/wav"),
        "called-gzip": played(encoded(mp3(), "gzip"), "audio/mpeg"),
        "redirected": played(redirect("/mp3"), "audio/mpeg"),
        "redirected-far": played(redirect(f"/mp3?{signature}"), "audio/mpeg"),
        "long-address": Case(
            audio(mp3()), kind="audio/mpeg", as_=PLAYED, url=f"http://{{host}}/long-address?{signature}"
        ),
        "accepts-anything": played(only_if("accept", "*/*", audio(mp3()), status(406)), "audio/mpeg"),
        "password": played(only_if("authorization", AUTH, audio(mp3()), status(401)), "audio/mpeg"),
    }


def cut() -> dict[str, Case]:
    """Kept as far as it came, and tried again."""
    missing = {"state": "waiting", "cause": "cut", "as_": PLAYED}
    packed = gzip.compress(wav(), 1)
    return {
        "cut": Case(
            audio(mp3()[: len(mp3()) // 2], length=len(mp3())), kind="audio/mpeg", words="broke off", **missing
        ),
        "cut-gzip": Case(encoded(packed[: len(packed) // 2], "gzip"), kind="audio/wav", words="broke off", **missing),
        "cut-wav": Case(audio(wav()[: len(wav()) // 2]), kind="audio/wav", words="announces more", **missing),
    }


def not_yet() -> dict[str, Case]:
    """Tried again by itself."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
    return {
        "page": waits(audio(b"<!doctype html><title>Wait</title>"), "not ready", "sent a web page instead"),
        "json": waits(audio(b'{"status": "processing"}', "application/json"), "not ready", "sent JSON instead"),
        "text": waits(audio(b"Recording is being processed."), "not ready", "sent text instead"),
        "page-gzip": waits(encoded(gzip.compress(b"<html>wait</html>"), "gzip"), "not ready", "sent a web page"),
        "picture": waits(audio(png), "not ready", "cannot be decoded as audio"),
        "empty": waits(audio(b""), "not ready", "empty recording"),
        "wav-header": waits(audio(wav_header()), "not ready", "has no sound in it"),
        "video": waits(audio(silent_video(), "video/mp4"), "not ready", "has no sound in it"),
        "accepted": waits(status(202), "not ready", "answered 202"),
        "no-content": waits(sends(head(204)), "not ready", "answered 204"),
        "missing": waits(status(404), "not ready", "does not have the recording (404)"),
        "forbidden": waits(status(403), "auth http://{host} ", "without permission (403)"),
        "range": waits(status(416), "host", "answered 416"),
        "busy": waits(later("900", 429), "host", "answered 429"),
        "away": waits(later("900"), "host", "answered 503"),
        "circle": waits(redirect("/circle"), "network", "led on more than 5 times"),
        "nothing": waits(sends(), "network", "broke off before"),
        "zstd": waits(encoded(b"\x28\xb5\x2f\xfd", "zstd"), "host", "encoding that was not asked for"),
        "bad-gzip": waits(
            encoded(gzip.compress(wav(), 1)[:500] + b"\xff" * 2000, "gzip"), "host", "whose packing is damaged"
        ),
    }


def stopped() -> dict[str, Case]:
    """Given up, until a setting changes or somebody asks."""
    secret = refused("auth http://{host} ", "set one for http://{host}", status(401), "http://{listed}/secret")
    return {
        "secret": secret._replace(
            cause="auth http://{listed} ", words="for http://{listed} in DASHBOARD_RECORDING_AUTH"
        ),
        "gone": refused("gone", "gone for good", status(410)),
        "large": refused("size ", "Set DASHBOARD_RECORDING_MAX_MIB higher", audio(length=MAX_BYTES + 1)),
        "inside": refused("hosts 10.0.0.1:80", "add 10.0.0.1:80 to DASHBOARD_RECORDING", url="http://10.0.0.1/a.mp3"),
        "port": refused("hosts one.example:8080", "Port 8080", url="https://one.example:8080/a.mp3"),
        "ftp": refused("address", "does not begin with http:// or https://", url="ftp://one.example/a.mp3"),
        "userinfo": refused("address", "user name or password before its host", url="https://a:b@one.example/a.mp3"),
        "endless-address": refused("address", "longer than 16,384", url="https://one.example/" + "a" * 17_000),
    }
