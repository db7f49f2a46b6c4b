"""No masked role reads a number at any address, in whatever way and in whatever field a report spells it."""

from __future__ import annotations

import html
import re
import unicodedata
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from dashboard.roles import REVIEWER, VIEWER, Rights
from dashboard.settings import Settings
from tests.masked_views import board_with, seen
from tests.phone_spellings import PEOPLE, Person
from tests.signed_in import browser_of
from tests.stored import told

WIDEST_GAP = r"[\W_]{0,8}"


def forms_of(person: Person) -> list[str]:
    return list(dict.fromkeys([*map(str, person.spellings), *person.quoted]))


def reports_about(person: Person, in_words: str) -> list[list[bytes]]:
    """One call for every spelling: it is in all the fields that can hold text, `in_words` in the names."""
    forms = forms_of(person)
    # A text may quote a number with the escapes of an address or of JSON; the call's own number has none.
    numbers = [form if form in map(str, person.spellings) else forms[0] for form in forms]
    return [
        [
            told(**fields_with(form, to, place, in_words))
            for place, (form, to) in enumerate(zip(forms, numbers, strict=True))
        ]
    ]


def fields_with(form: str, to: str, place: int, in_words: str) -> dict[str, Any]:
    return {
        "callSid": f"{place} {form}",
        "name": "outbound",
        "agent": in_words.format(form),
        "versionId": in_words.format(form),
        "from": "918044556677",
        "to": to,
        "time": "2025-12-19 16:01:07",
        "call_duration": 63,
        "transcription": f"Agent: Is it {form}?\nUser: Yes, {form}.",
        "batchId": in_words.format(form),
        "hangup_reason": in_words.format(form),
        "call_metadata": {"name": f"Asha {form}", "alt_phone": form, "nested": [form, {f"key {form}": [form]}]},
        "post_call": {"number": form, f"of {form}": f"it is {form}"},
        "post_call_detail": {"number": {"value": form, "comment": f"said {form}"}},
        "functions_called": [{"name": f"call {form}", "success": True, "parameters": {"to": form}, "response": form}],
        "disposition_reason": f"Call {form} again",
        "call_link": f"https://calls.example/{form}?to={form}",
        "unknown_field": {"deep": form},
    }


def plain(answer: str) -> str:
    """An answer without the escapes of HTML, URLs and JSON, with one form for every digit."""
    for _ in range(2):
        answer = unquote(html.unescape(answer))
        answer = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), answer)
    answer = re.sub(r"\\[nrt]", " ", re.sub(r"<[^<>]{1,40}>", " ", answer))
    return "".join(
        str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in unicodedata.normalize("NFKC", answer)
    )


def readable(core: str, answer: str) -> list[str]:
    """Where the digits of a number can be read, with what surrounds them."""
    pattern = WIDEST_GAP.join(core) if core.isdecimal() else re.escape(core)
    found = re.finditer(rf".{{0,40}}{pattern}.{{0,10}}", plain(answer), re.IGNORECASE)
    return [each[0] for each in islice(found, 3)]


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.core)
# A short name is shown whole, a long one is shortened.
@pytest.mark.parametrize("in_words", ["{}", "Re {}", "a campaign for {}"], ids=["bare", "short", "in words"])
@pytest.mark.parametrize("rights", [Rights(VIEWER), Rights(REVIEWER)], ids=["viewer", "reviewer"])
async def test_no_spelling_of_a_number_is_readable_at_any_address(
    settings: Settings, tmp_path: Path, migrated_file: Path, rights: Rights, person: Person, in_words: str
) -> None:
    reports = reports_about(person, in_words)
    call_ids = range(1, len(reports[0]) + 1)
    async with board_with(settings, tmp_path / "board", migrated_file, reports) as app:
        found = await seen(app, await browser_of(app, "someone", rights), call_ids=call_ids)
    leaks = {path: where for path, answer in found.items() if (where := readable(person.core, answer))}
    assert leaks == {}
    assert sum(answer.startswith("200") for answer in found.values()) > 2 * len(call_ids)


def test_the_check_reads_numbers_through_every_escape() -> None:
    spaced = ("98123 45670", "98123%2045670", "98123&#32;45670", "98123\\u002045670", "98123<b>45670")
    for answer in (*spaced, "९८१२३४५६७०"):
        assert readable("9812345670", answer)
    assert not readable("9812345670", "98•••••670")
