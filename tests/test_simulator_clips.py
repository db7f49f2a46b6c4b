"""The clips: small, decodable, as long as the texts say, and served with ranges over real HTTP."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.simulator.clips import ClipHost, Unsatisfiable, load_clips, wanted_span
from dashboard.simulator.conversations import CLIPS, Clip
from dashboard.simulator.make_clips import BITRATE

CLIP_BYTES = load_clips()
FRAME = 108  # bytes of a frame of MPEG-2 layer III at 24 kbit/s and 16 kHz: 72 × 24,000 / 16,000


@pytest.fixture(scope="module")
def host() -> Iterator[ClipHost]:
    with ClipHost() as host:
        yield host


@pytest.fixture
def listener(host: ClipHost) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=host.url, trust_env=False) as client:
        yield client


def test_there_is_a_clip_for_every_spoken_text_and_no_other() -> None:
    assert {f"{clip.name}.mp3" for clip in CLIPS} == CLIP_BYTES.keys()
    assert len({clip.name for clip in CLIPS}) == len(CLIPS)


def test_all_clips_together_are_small() -> None:
    assert sum(map(len, CLIP_BYTES.values())) < 600_000


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_a_clip_is_as_long_as_its_text_says(clip: Clip) -> None:
    seconds = len(CLIP_BYTES[f"{clip.name}.mp3"]) * 8 / BITRATE
    assert 8 <= seconds <= 20
    assert clip.seconds - 1.1 < seconds <= clip.seconds


@pytest.mark.parametrize("name", CLIP_BYTES)
def test_a_clip_is_whole_frames_of_mono_mp3(name: str) -> None:
    clip = CLIP_BYTES[name]
    assert len(clip) % FRAME == 0
    for start in range(0, len(clip), FRAME):
        first, second, third, fourth = clip[start : start + 4]
        assert (first, second) == (0xFF, 0xF3)  # a frame's beginning: MPEG-2, layer III
        assert third & 0b11111100 == 0b00111000  # 24 kbit/s, 16 kHz
        assert fourth >> 6 == 0b11  # mono


def test_a_whole_clip_is_served(listener: httpx.Client) -> None:
    answer = listener.get("/emi.mp3?call=2303fa770b666a64ab1694c1")
    assert answer.status_code == 200
    assert answer.content == CLIP_BYTES["emi.mp3"]
    assert answer.headers["Content-Type"] == "audio/mpeg"
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=0-99", 0, 99), ("bytes=100-", 100, None), ("bytes=-50", -50, None)]
)
def test_a_range_is_served_as_206(asked: str, start: int, end: int | None, listener: httpx.Client) -> None:
    clip = CLIP_BYTES["emi.mp3"]
    answer = listener.get("/emi.mp3", headers={"Range": asked})
    begin = start % len(clip)
    last = len(clip) - 1 if end is None else end
    assert answer.status_code == 206
    assert answer.content == clip[begin : last + 1]
    assert answer.headers["Content-Range"] == f"bytes {begin}-{last}/{len(clip)}"


def test_a_range_behind_the_end_is_416(listener: httpx.Client) -> None:
    size = len(CLIP_BYTES["emi.mp3"])
    answer = listener.get("/emi.mp3", headers={"Range": f"bytes={size}-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize("path", ["/", "/other.mp3", "/../make_clips.py", "/%2e%2e/make_clips.py", "/clips/emi.mp3"])
def test_nothing_but_clips_is_served(path: str, listener: httpx.Client) -> None:
    assert listener.get(path).status_code == 404


def test_head_tells_the_length_without_the_sound(listener: httpx.Client) -> None:
    answer = listener.head("/emi.mp3")
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(CLIP_BYTES["emi.mp3"])
    assert answer.content == b""


def test_other_methods_are_not_known(listener: httpx.Client) -> None:
    assert listener.post("/emi.mp3").status_code == 501


def test_a_closed_host_no_longer_listens() -> None:
    with ClipHost() as host:
        name, _, port = host.address.partition(":")
        socket.create_connection((name, int(port))).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((name, int(port)))


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 300))
def test_a_span_never_leaves_the_clip(first: int, last: int, size: int) -> None:
    try:
        span = wanted_span(f"bytes={first}-{last}", size)
    except Unsatisfiable:
        assert first >= size
    else:
        assert span == ((first, min(last, size - 1)) if first <= last else None)


@given(st.text(max_size=30))
def test_what_is_no_range_asks_for_everything(header: str) -> None:
    assert header.strip().startswith("bytes=") or wanted_span(header, 10) is None
