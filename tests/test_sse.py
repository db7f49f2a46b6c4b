"""The wire format, read back by a reader that follows the standard to the letter."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.sse import sse_comment, sse_frame
from tests.events import Event, read_events

texts = st.text(
    alphabet=st.one_of(st.sampled_from("\r\n:\0 \u2028\x85\ufeffaid"), st.characters(codec="utf-8")), max_size=60
)


def with_one_kind_of_line_end(text: str) -> str:
    return re.sub("\r\n|\r", "\n", text)


@given(texts, st.none() | st.integers(0, 2**62))
def test_what_is_written_is_read(text: str, number: int | None) -> None:
    expected = Event("message", with_one_kind_of_line_end(text), "" if number is None else str(number))
    assert read_events(sse_frame(text, id=number)).events == [expected]


@given(st.lists(st.tuples(texts, st.integers(0, 10**9)), max_size=5))
def test_frames_in_one_write_stay_apart(frames: list[tuple[str, int]]) -> None:
    stream = sse_comment() + b"".join(sse_frame(text, id=number) for text, number in frames)
    assert [(event.data, event.id) for event in read_events(stream).events] == [
        (with_one_kind_of_line_end(text), str(number)) for text, number in frames
    ]


@pytest.mark.parametrize(
    "forged",
    [
        "a\rid: 999\rdata: forged",
        "a\r\n\r\nid: 999\r\nevent: reload\r\ndata: forged\r\n\r\n",
        "a\n\nid: 999\n\n",
        "\rid: 999\r\r",
        "\n:comment\nretry: 0\n\n",
    ],
    ids=repr,
)
def test_no_line_end_in_a_text_forges_a_field(forged: str) -> None:
    read = read_events(sse_frame(forged, id=7))
    assert [(event.type, event.id) for event in read.events] == [("message", "7")]
    assert read.last_id == "7"


def test_a_number_alone_moves_the_cursor_and_dispatches_nothing() -> None:
    assert read_events(sse_frame("a", id=1) + sse_frame(id=2)) == ([Event("message", "a", "1")], "2")


def test_an_event_without_a_text_is_still_one() -> None:
    assert read_events(sse_frame("", id=3, event="beat")).events == [Event("beat", "", "3")]


def test_a_comment_means_nothing() -> None:
    assert read_events(sse_comment() + sse_frame("a") + sse_comment()).events == [Event("message", "a", "")]


def test_a_frame_that_was_cut_is_no_event_yet() -> None:
    frame = sse_frame("text", id=5)
    assert all(read_events(frame[:length]).events == [] for length in range(len(frame)))
