"""A transcript as turns, whatever shape it came in."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.callkaro.transcript import Turn, read_transcript


@pytest.mark.parametrize(
    ("transcription", "turns"),
    [
        ("", []),
        (" \n ", []),
        ("Full call transcript...", [Turn("other", "", "Full call transcript...")]),
        ("Agent: Hello\nUser: Hi", [Turn("agent", "Agent", "Hello"), Turn("customer", "User", "Hi")]),
        ("assistant: Hello\r\nHUMAN: Hi", [Turn("agent", "assistant", "Hello"), Turn("customer", "HUMAN", "Hi")]),
        ("Agent: one\nand two\nAgent: three", [Turn("agent", "Agent", "one\nand two\nthree")]),
        ("[00:12] **Bot**: Hello", [Turn("agent", "Bot", "Hello", 12)]),
        ("- 1:02:03 Customer : Hi", [Turn("customer", "Customer", "Hi", 3723)]),
        ("एजेंट: नमस्ते\nग्राहक: हाँ जी", [Turn("agent", "एजेंट", "नमस्ते"), Turn("customer", "ग्राहक", "हाँ जी")]),
        ("Before.\nAgent: Note: call back", [Turn("other", "", "Before."), Turn("agent", "Agent", "Note: call back")]),
        ("Agent: a\nNote: b", [Turn("agent", "Agent", "a\nNote: b")]),
        ("Agent：全角", [Turn("agent", "Agent", "全角")]),
        ("Agent:\nUser: hi", [Turn("customer", "User", "hi")]),
    ],
)
def test_lines_become_turns(transcription: str, turns: list[Turn]) -> None:
    assert read_transcript(transcription) == turns


@pytest.mark.parametrize(
    ("entries", "turns"),
    [
        ([{"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Hi"}],
         [Turn("agent", "assistant", "Hello"), Turn("customer", "user", "Hi")]),
        ([{"speaker": "Priya", "text": "Hi"}], [Turn("other", "Priya", "Hi")]),
        ([{"role": "user", "content": ["a", "b"]}], [Turn("customer", "user", "a\nb")]),
        ([{"role": "user", "content": None}, {"role": "bot", "message": "x"}], [Turn("agent", "bot", "x")]),
        ([{"role": None, "content": {"odd": 1}}], [Turn("other", "", '{"odd": 1}')]),
    ],
)  # fmt: skip
def test_a_chat_history_in_json_becomes_turns(entries: list[object], turns: list[Turn]) -> None:
    assert read_transcript(json.dumps(entries)) == turns


@pytest.mark.parametrize("text", ["[1, 2]", "[", "[" * 5000, '["a"]', "[not json]", "[" + "7" * 5000 + "]", "[]"])
def test_what_only_looks_like_json_is_text(text: str) -> None:
    assert read_transcript(text) == [Turn("other", "", text)]


def test_an_escape_cannot_bring_back_what_the_report_was_cleaned_of() -> None:
    [turn] = read_transcript('[{"role": "user", "content": "\\ud800\\u0000"}]')
    assert turn.text == "\N{REPLACEMENT CHARACTER}" * 2


def test_deep_entries_are_no_error() -> None:
    for depth in (90, 300, 900, 980, 2000):
        assert read_transcript('[{"role": "user", "content": [' + "[" * depth + "]" * depth + "]}]")


@given(st.text(max_size=200))
def test_every_text_has_turns_and_none_of_them_is_empty(text: str) -> None:
    turns = read_transcript(text)
    assert all(turn.text == turn.text.strip() != "" for turn in turns)
    assert bool(turns) or not text.replace(":", "").strip() or len(text) < 60


@given(st.lists(st.tuples(st.sampled_from(["Agent", "User"]), st.text("abc é", min_size=1, max_size=9)), max_size=9))
def test_no_word_of_a_labelled_transcript_is_lost(lines: list[tuple[str, str]]) -> None:
    turns = read_transcript("\n".join(f"{label}: {said}" for label, said in lines))
    assert " ".join(turn.text for turn in turns).split() == " ".join(said for _, said in lines).split()


@pytest.mark.parametrize("line", ["a\n", "Agent: a\n", "Agent: a\nUser: b\n", "*", "a:", " *", "[00:00]"])
def test_a_megabyte_is_read_in_a_moment(line: str) -> None:
    text = line * (2**20 // len(line))
    began = time.thread_time()
    read_transcript(text)
    # A sum of strings in this place took minutes; a busy machine takes two seconds.
    assert time.thread_time() - began < 20


def test_only_as_many_turns_are_read_as_are_asked_for() -> None:
    long = "Agent: a\nUser: b\n" * 50
    assert read_transcript(long, most=7) == read_transcript(long)[:7]
    entries = json.dumps([{"role": "user", "content": "a"}] * 50)
    assert len(read_transcript(entries, most=7)) == 7
