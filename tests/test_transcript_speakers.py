"""The speaker of every line of transcripts in nine languages, in the shapes that voice platforms write."""

from __future__ import annotations

import json

import pytest

from dashboard.callkaro.speakers import sides_of
from dashboard.callkaro.transcript import read_transcript

A, C, X = "agent", "customer", "other"

# (name, transcript, [(side, label, text), …])
TRANSCRIPTS: list[tuple[str, str, list[tuple[str, str, str]]]] = [
    ("english", "Agent: Hello\nUser: Hi\nAgent: Bye", [(A, "Agent", "Hello"), (C, "User", "Hi"), (A, "Agent", "Bye")]),
    ("english-ai-agent", "AI Agent: Hello\nUser: Hi", [(A, "AI Agent", "Hello"), (C, "User", "Hi")]),
    (
        "english-agent-with-name",
        "Agent (Riya): Hello\nUser: Hi\nAgent (Riya): Bye",
        [(A, "Agent (Riya)", "Hello"), (C, "User", "Hi"), (A, "Agent (Riya)", "Bye")],
    ),
    (
        "english-name-with-role",
        "Riya (Agent): Hello\nAmit (Customer): Hi\nRiya (Agent): Bye\nAmit (Customer): Bye",
        [
            (A, "Riya (Agent)", "Hello"),
            (C, "Amit (Customer)", "Hi"),
            (A, "Riya (Agent)", "Bye"),
            (C, "Amit (Customer)", "Bye"),
        ],
    ),
    (
        "english-named-agent",
        "Riya: Hello\nUser: Hi\nRiya: Bye",
        [(A, "Riya", "Hello"), (C, "User", "Hi"), (A, "Riya", "Bye")],
    ),
    (
        "english-named-customer",
        "Agent: Hello\nMr. Rao: Hi\nAgent: Bye\nMr. Rao: Bye",
        [(A, "Agent", "Hello"), (C, "Mr. Rao", "Hi"), (A, "Agent", "Bye"), (C, "Mr. Rao", "Bye")],
    ),
    (
        "english-two-names",
        "Riya: Hello\nAmit: Hi\nRiya: Bye\nAmit: Bye",
        [(X, "Riya", "Hello"), (X, "Amit", "Hi"), (X, "Riya", "Bye"), (X, "Amit", "Bye")],
    ),
    (
        "english-three-speakers",
        "Agent: Hello\nUser: Hi\nSupervisor: Wait\nSupervisor: Yes\nUser: OK",
        [(A, "Agent", "Hello"), (C, "User", "Hi"), (X, "Supervisor", "Wait\nYes"), (C, "User", "OK")],
    ),
    (
        "english-numbered",
        "Speaker 1: Hello\nSpeaker 2: Hi\nSpeaker 1: Bye\nSpeaker 2: Bye",
        [(X, "Speaker 1", "Hello"), (X, "Speaker 2", "Hi"), (X, "Speaker 1", "Bye"), (X, "Speaker 2", "Bye")],
    ),
    ("english-upper-case", "AGENT: Hello\nCUSTOMER: Hi", [(A, "AGENT", "Hello"), (C, "CUSTOMER", "Hi")]),
    ("english-case-differs", "Agent: one\nagent: two\nUSER: three", [(A, "Agent", "one\ntwo"), (C, "USER", "three")]),
    (
        "english-note-is-speech",
        "Agent: Please note\nNote: bring your card\nUser: OK",
        [(A, "Agent", "Please note\nNote: bring your card"), (C, "User", "OK")],
    ),
    (
        "english-variable-is-speech",
        "Agent: I read it out\nCustomer name: Jatin\nUser: OK",
        [(A, "Agent", "I read it out\nCustomer name: Jatin"), (C, "User", "OK")],
    ),
    (
        "english-clock-is-speech",
        "Agent: When?\nUser: Meet at 10:30\nat 10:30 sharp\nat 10:30 please",
        [(A, "Agent", "When?"), (C, "User", "Meet at 10:30\nat 10:30 sharp\nat 10:30 please")],
    ),
    (
        "english-address-is-speech",
        "Agent: See\nhttps://a.example\nhttps://b.example\nUser: OK",
        [(A, "Agent", "See\nhttps://a.example\nhttps://b.example"), (C, "User", "OK")],
    ),
    (
        "english-before-first-label",
        "Call begins.\nAgent: Hello\nUser: Hi",
        [(X, "", "Call begins."), (A, "Agent", "Hello"), (C, "User", "Hi")],
    ),
    ("english-markdown", "**Agent**: Hello\n**User**: Hi", [(A, "Agent", "Hello"), (C, "User", "Hi")]),
    ("english-brackets", "[Agent]: Hello\n[User]: Hi", [(A, "Agent", "Hello"), (C, "User", "Hi")]),
    ("english-list", "- Agent: Hello\n- User: Hi", [(A, "Agent", "Hello"), (C, "User", "Hi")]),
    ("english-no-labels", "Hello\nHi", [(X, "", "Hello\nHi")]),
    (
        "english-blank-lines",
        "Agent: Hello\n\nUser: Hi\n\nfrom Pune",
        [(A, "Agent", "Hello"), (C, "User", "Hi\n\nfrom Pune")],
    ),
    ("english-windows-lines", "Agent: Hello\r\nUser: Hi\r\n", [(A, "Agent", "Hello"), (C, "User", "Hi")]),
    ("hindi", "एजेंट: नमस्ते\nग्राहक: हाँ जी", [(A, "एजेंट", "नमस्ते"), (C, "ग्राहक", "हाँ जी")]),
    (
        "hindi-names",
        "रिया: नमस्ते\nग्राहक: हाँ\nरिया: धन्यवाद",
        [(A, "रिया", "नमस्ते"), (C, "ग्राहक", "हाँ"), (A, "रिया", "धन्यवाद")],
    ),
    (
        "hindi-english-labels",
        "Agent: क़ीमत पाँच सौ है\nUser: ठीक है",
        [(A, "Agent", "क़ीमत पाँच सौ है"), (C, "User", "ठीक है")],
    ),
    ("hindi-full-width-colon", "एजेंट： नमस्ते\nयूज़र： हाँ", [(A, "एजेंट", "नमस्ते"), (C, "यूज़र", "हाँ")]),
    (
        "marathi",
        "एजंट: नमस्कार\nग्राहक: बोला\nएजंट: धन्यवाद",
        [(A, "एजंट", "नमस्कार"), (C, "ग्राहक", "बोला"), (A, "एजंट", "धन्यवाद")],
    ),
    ("marathi-assistant", "सहाय्यक: नमस्कार\nवापरकर्ता: हो", [(A, "सहाय्यक", "नमस्कार"), (C, "वापरकर्ता", "हो")]),
    ("bengali", "এজেন্ট: নমস্কার\nগ্রাহক: হ্যাঁ", [(A, "এজেন্ট", "নমস্কার"), (C, "গ্রাহক", "হ্যাঁ")]),
    (
        "bengali-name",
        "রিয়া: নমস্কার\nগ্রাহক: বলুন\nরিয়া: ধন্যবাদ",
        [(A, "রিয়া", "নমস্কার"), (C, "গ্রাহক", "বলুন"), (A, "রিয়া", "ধন্যবাদ")],
    ),
    ("gujarati", "એજન્ટ: નમસ્તે\nગ્રાહક: હા", [(A, "એજન્ટ", "નમસ્તે"), (C, "ગ્રાહક", "હા")]),
    ("tamil", "முகவர்: வணக்கம்\nவாடிக்கையாளர்: சொல்லுங்கள்", [(A, "முகவர்", "வணக்கம்"), (C, "வாடிக்கையாளர்", "சொல்லுங்கள்")]),
    (
        "tamil-name",
        "பிரியா: வணக்கம்\nUser: சரி\nபிரியா: நன்றி",
        [(A, "பிரியா", "வணக்கம்"), (C, "User", "சரி"), (A, "பிரியா", "நன்றி")],
    ),
    ("telugu", "ఏజెంట్: నమస్కారం\nకస్టమర్: చెప్పండి", [(A, "ఏజెంట్", "నమస్కారం"), (C, "కస్టమర్", "చెప్పండి")]),
    ("kannada", "ಏಜೆಂಟ್: ನಮಸ್ಕಾರ\nಗ್ರಾಹಕ: ಹೇಳಿ", [(A, "ಏಜೆಂಟ್", "ನಮಸ್ಕಾರ"), (C, "ಗ್ರಾಹಕ", "ಹೇಳಿ")]),
    ("malayalam", "ഏജന്റ്: നമസ്കാരം\nഉപഭോക്താവ്: പറയൂ", [(A, "ഏജന്റ്", "നമസ്കാരം"), (C, "ഉപഭോക്താവ്", "പറയൂ")]),
    ("malayalam-chillu", "ഏജൻ്റ്: നമസ്കാരം\nഉപയോക്താവ്: ശരി", [(A, "ഏജൻ്റ്", "നമസ്കാരം"), (C, "ഉപയോക്താവ്", "ശരി")]),
    (
        "json-roles",
        json.dumps([{"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Hi"}]),
        [(A, "assistant", "Hello"), (C, "user", "Hi")],
    ),
    (
        "json-parts",
        json.dumps(
            [
                {"role": "assistant", "content": [{"type": "text", "text": "नमस्ते"}, {"type": "text", "text": "जी"}]},
                {"role": "user", "content": [{"type": "audio", "transcript": "हाँ"}]},
            ]
        ),
        [(A, "assistant", "नमस्ते\nजी"), (C, "user", "हाँ")],
    ),
    (
        "json-named-agent",
        json.dumps([{"speaker": "Riya", "text": "Hello"}, {"speaker": "User", "text": "Hi"}]),
        [(A, "Riya", "Hello"), (C, "User", "Hi")],
    ),
    (
        "json-inside-object",
        json.dumps({"messages": [{"role": "bot", "message": "வணக்கம்"}, {"role": "human", "message": "சரி"}]}),
        [(A, "bot", "வணக்கம்"), (C, "human", "சரி")],
    ),
    (
        "json-lines",
        '{"role": "agent", "text": "Hello"}\n{"role": "customer", "text": "Hi"}',
        [(A, "agent", "Hello"), (C, "customer", "Hi")],
    ),
    ("json-label-as-key", json.dumps([{"agent": "Hello"}, {"user": "Hi"}]), [(A, "agent", "Hello"), (C, "user", "Hi")]),
    ("json-pairs", json.dumps([["agent", "Hello"], ["user", "Hi"]]), [(A, "agent", "Hello"), (C, "user", "Hi")]),
    (
        "json-numbered",
        json.dumps([{"speaker": 0, "utterance": "Hello"}, {"speaker": 1, "utterance": "Hi"}]),
        [(X, "Speaker 0", "Hello"), (X, "Speaker 1", "Hi")],
    ),
    (
        "json-system-prompt",
        json.dumps(
            [
                {"role": "system", "content": "Be brief"},
                {"role": "assistant", "content": "Hello"},
                {"role": "user", "content": "Hi"},
            ]
        ),
        [(X, "system", "Be brief"), (A, "assistant", "Hello"), (C, "user", "Hi")],
    ),
]


@pytest.mark.parametrize(("transcript", "turns"), [row[1:] for row in TRANSCRIPTS], ids=[row[0] for row in TRANSCRIPTS])
def test_every_line_has_its_speaker(transcript: str, turns: list[tuple[str, str, str]]) -> None:
    assert [turn[:3] for turn in read_transcript(transcript)] == turns


# (transcript, the second of the call at which each turn begins)
TIMED: list[tuple[str, list[float | None]]] = [
    ("[00:05] Agent: a\n[01:02:03] User: b", [5, 3723]),
    ("00:05 Agent: a\n0:07 User: b", [5, 7]),
    ("(0:05 - 0:07) Agent: a\n(0:07 - 0:09) User: b", [5, 7]),
    ("Agent (00:05): a\nUser [00:07]: b", [5, 7]),
    ("00:00:05.500 --> 00:00:07,000\nAgent: a\n00:00:07,250 --> 00:00:09.000\nUser: b", [5.5, 7.25]),
    ("[12.5s] Agent: a\n[13 s] User: b", [12.5, 13]),
    ("2025-12-19 16:01:07 Agent: a\n2025-12-19 16:01:17 User: b", [0, 10]),
    ("[2025-12-19 16:01:07] Agent: a\n[2025-12-19 16:02:07] User: b", [0, 60]),
    ("Agent: a\nUser: b", [None, None]),
    (json.dumps([{"role": "agent", "text": "a", "start": 1.5}, {"role": "user", "text": "b", "start": 4}]), [1.5, 4]),
    (
        json.dumps([{"role": "agent", "text": "a", "start_ms": 1500}, {"role": "user", "text": "b", "start_ms": 4000}]),
        [1.5, 4],
    ),
    (
        json.dumps(
            [
                {"role": "agent", "text": "a", "timestamp": "2025-12-19T15:25:00.000Z"},
                {"role": "user", "text": "b", "timestamp": "2025-12-19T15:25:03.500Z"},
            ]
        ),
        [0, 3.5],
    ),
    (
        json.dumps(
            [
                {"role": "agent", "text": "a", "timestamp": 1766140267000},
                {"role": "user", "text": "b", "timestamp": 1766140269500},
            ]
        ),
        [0, 2.5],
    ),
    (
        json.dumps([{"role": "agent", "text": "a", "time": "00:05"}, {"role": "user", "text": "b", "time": "00:07"}]),
        [5, 7],
    ),
    (
        json.dumps([{"role": "agent", "text": "a", "time": "soon"}, {"role": "user", "text": "b", "time": -1}]),
        [None, None],
    ),
]


@pytest.mark.parametrize(("transcript", "seconds"), TIMED)
def test_times_of_lines_and_parts_are_read(transcript: str, seconds: list[float | None]) -> None:
    turns = read_transcript(transcript)
    assert [turn.text for turn in turns] == ["a", "b"]
    assert [turn.seconds for turn in turns] == pytest.approx(seconds)


def test_one_unknown_label_is_the_side_that_no_label_names() -> None:
    assert sides_of(["agent", "amit"]) == {"agent": "agent", "amit": "customer"}
    assert sides_of(["user", "riya"]) == {"user": "customer", "riya": "agent"}
    assert sides_of(["agent", "user", "amit"]) == {"agent": "agent", "user": "customer", "amit": "other"}
    assert sides_of(["user", "riya", "amit"]) == {"user": "customer", "riya": "other", "amit": "other"}
