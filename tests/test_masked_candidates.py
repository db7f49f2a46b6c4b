"""Nothing that a masked role is shown follows from the hidden digits: trying candidates against it finds nothing."""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from dashboard.roles import REVIEWER, VIEWER, Rights
from dashboard.settings import Settings
from tests.masked_views import answer_of, board_with, seen
from tests.signed_in import browser_of
from tests.stored import told

# Alike in what a mask shows, the first two and the last three digits of the national number.
NUMBERS = ("919812345678", "919854321678")


def reports_about(number: str) -> list[list[bytes]]:
    """A call without `callSid`, and one with the number in its id: first reports, then later ones."""
    fields: dict[str, Any] = {
        "name": "outbound",
        "agent": "6803fa770b666a64ab1694c1e",
        "from": "918044556677",
        "to": number,
        "time": "2025-12-19 16:01:07",
        "call_duration": 63,
        "transcription": f"Agent: Is {number} yours?\nUser: Yes.",
        "batchId": "north",
        "hangup_reason": "CLIENT_INITIATED",
        "call_metadata": {"name": "Asha", "phone": number},
        "conversion_status": True,
        "call_link": f"https://calls.example/{number}",
    }
    long_id = "x" * 300 + number
    # A private address: given up at once, and only once.
    recording = f"http://127.0.0.1:9/{number}.mp3"
    first = [
        told(**fields),
        told(**fields | {"callSid": f"in-{number}"}),
        told(**fields | {"callSid": long_id, "recordingUrl": recording}),
    ]
    later = [told(**fields | {"callSid": f"in-{number}", "disposition_reason": f"Call {number} again"})]
    return [first, later]


def without_what_differs(answer: str) -> str:
    """An answer without what differs between two boards whatever they hold: epochs, session and form tokens."""
    answer = re.sub(r"epoch=[0-9a-f]+", "epoch=", answer)
    # When the board itself began to listen.
    answer = re.sub(r'<time datetime="2[^"]*">[^<]*</time>', "", answer) if "<h1>Gaps" in answer else answer
    return re.sub(r'name="form_token" value="[0-9a-f]+"', "", answer)


@pytest.mark.parametrize("rights", [Rights(VIEWER), Rights(REVIEWER), Rights(REVIEWER, ("north",))], ids=str)
async def test_boards_that_differ_only_in_hidden_digits_answer_alike(
    settings: Settings, tmp_path: Path, migrated_file: Path, rights: Rights
) -> None:
    async with AsyncExitStack() as stack:
        answers = []
        for place, number in enumerate(NUMBERS):
            app = await stack.enter_async_context(
                board_with(settings, tmp_path / f"board-{place}", migrated_file, reports_about(number))
            )
            found = await seen(app, await browser_of(app, "someone", rights), call_ids=(1, 2, 3))
            answers.append({path: without_what_differs(answer) for path, answer in found.items()})
    assert answers[0].keys() == answers[1].keys()
    assert [path for path in answers[0] if answers[0][path] != answers[1][path]] == []
    assert "98•••••678" in answers[0]["/calls/1"], "the calls are there"


async def test_a_call_without_an_id_of_the_platform_has_only_the_boards(
    settings: Settings, tmp_path: Path, migrated_file: Path
) -> None:
    async with board_with(settings, tmp_path / "board", migrated_file, reports_about(NUMBERS[0])) as app:
        for name, rights in (("ravi", Rights(REVIEWER)), ("boss", Rights("admin"))):
            client = await browser_of(app, name, rights)
            listed, whole = [await answer_of(client, path) for path in ("/api/calls", "/api/calls/1")]
            assert "sha256" not in listed + whole
            call = json.loads(whole.partition("\n\n")[2])
            assert (call["id"], call["call_sid"]) == (1, "")
