"""What the load client sends: realistic `call_ended` reports of about 3 kB. Knows the vendor's page, and no server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

BODY_BYTES = 3000
VARIANTS = 24
SECRET = "bench-secret-of-this-run"

# Slots have the width of what fills them, so that Content-Length is a constant of the variant.
_SID, _MOMENT, _CALLER = "SID" + "0" * 22, "0000-00-00 00:00:00", "Caller 0000000"
_KOLKATA = timedelta(hours=5, minutes=30)

_TURNS = (
    ("Agent", "Good afternoon, am I speaking with the person who asked about the two-bedroom flats last week?"),
    ("User", "Yes, that is me. I am driving just now, but tell me quickly."),
    ("Agent", "जी बिल्कुल, मैं बस दो मिनट लूँगी। क्या आप इस शनिवार को साइट देखने आ सकते हैं?"),
    ("User", "शनिवार को मुश्किल है, रविवार सुबह ग्यारह बजे ठीक रहेगा।"),
    ("Agent", "Sunday at eleven it is. I will send the location and the price list on WhatsApp."),
    ("User", "Is the registration cost included, and what would the monthly instalment come to?"),
    ("Agent", "Registration is separate; with a loan of forty lakh over twenty years it is near 34,700 rupees."),
    ("User", "Alright. Please also ask your manager whether parking can be included."),
)
_ENDINGS = ("CLIENT_INITIATED", "PARTICIPANT_REMOVED", "VOICEMAIL_DETECTED", "USER_UNAVAILABLE", "SESSION_MOMENTOUT")
_STATUSES = ("interested", "callback", "not_interested", "site_visit")


@dataclass(frozen=True)
class Variant:
    """One body cut open at its slots, behind its own HTTP head."""

    head: bytes
    sid: bytes
    moment: bytes
    end: bytes

    def request(self, sid: bytes, moment: bytes, caller: bytes) -> bytes:
        return b"".join((self.head, sid, self.sid, moment, self.moment, caller, self.end))


def call_requests(host: str, path: str, *, run: int, recording: bool) -> Iterator[tuple[str, bytes]]:
    """Endless (caller's name, whole HTTP request), each of another call; `run` keeps callSids of two senders apart.

    With `recording` false the field is there but empty, as for a call nobody answered: no second drawing of a row
    then stands between two fan-outs that are compared.
    """
    variants = [_variant(number, host, path, recording) for number in range(VARIANTS)]
    second, moment = 0, b""
    for number in count():
        if (now := int(time.time())) != second:  # formatted once a second, not once a call
            second, moment = now, _kolkata(now)
        caller = f"Caller {number:07d}"
        sid = f"{run & 0xFFFFFFFF:08x}{number:017x}".encode()
        yield caller, variants[number % VARIANTS].request(sid, moment, caller.encode())


def row_requests(host: str, path: str, rows: list[str]) -> Iterator[tuple[str, bytes]]:
    """The given texts as HTTP requests, once each: what the publisher of a push server sends."""
    for number, row in enumerate(rows):
        body = row.encode()
        yield f"row {number}", _head(host, path, len(body), "text/html") + body


def _variant(number: int, host: str, path: str, recording: bool) -> Variant:
    body = json.dumps({"event": "call_ended", "data": _data(number, recording)}, ensure_ascii=False).encode()
    # "data" lists callSid, then time, then the caller's name: the order in which the slots are cut.
    before, rest = body.split(_SID.encode())
    between, rest = rest.split(_MOMENT.encode())
    until, end = rest.split(_CALLER.encode())
    return Variant(_head(host, path, len(body), "application/json") + before, between, until, end)


def _head(host: str, path: str, length: int, content_type: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {SECRET}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _data(number: int, recording: bool) -> dict[str, Any]:
    """The 21 fields of the vendor's page, with a transcript that fills the body up to BODY_BYTES."""
    status = _STATUSES[number % len(_STATUSES)]
    data: dict[str, Any] = {
        "callSid": _SID,
        "name": "outbound",
        "agent": f"6803fa770b666a64ab1694c{number % 4:02x}",
        "versionId": f"1203fa770b666a64ab1694c{number % 4:02x}",
        "from": "918040001234",
        "to": f"9198765{43210 + number:05d}",
        # A private address: a careful server refuses it without sending a packet, so the run stays on loopback.
        "recordingUrl": f"https://127.0.0.1:9/recordings/{number}.mp3" if recording else "",
        "call_duration": 20 + 7 * number,
        "time": _MOMENT,
        "transcription": "",
        "batchId": f"0303fa770b666a64ab1694c{number % 6:02x}",
        "hangup_reason": _ENDINGS[number % len(_ENDINGS)],
        "call_metadata": {"name": _CALLER, "age": 25 + number, "city": "Pune", "lead_source": "website"},
        "try_count": number % 3,
        "post_call": {"lead_status": status, "budget": 4_000_000 + 50_000 * number, "visit_day": "Sunday"},
        "post_call_detail": {
            "lead_status": {"value": status, "comment": "Asked about the instalment and agreed to a visit"},
            "budget": {"value": 4_000_000 + 50_000 * number, "comment": "Named while talking about the loan"},
            "visit_day": {"value": "Sunday", "comment": "Eleven in the morning"},
        },
        "functions_called": [{"name": "update_crm", "success": True, "timestamp": "2025-12-19T15:25:00.000Z"}],
        "disposition_reason": "Customer requested callback",
        "conversion_status": number % 4 == 0,
        "next_call_scheduled": number % 5 == 0,
        "call_link": f"https://callkaro.ai/dashboard/call-history?call_id=bench{number}",
    }
    data["transcription"] = _transcript(number, BODY_BYTES - len(json.dumps(data, ensure_ascii=False).encode()))
    return data


def _transcript(number: int, size: int) -> str:
    lines: list[str] = []
    turn = number
    while sum(len(line.encode()) + 2 for line in lines) < size:
        speaker, words = _TURNS[turn % len(_TURNS)]
        lines.append(f"{speaker}: {words}")
        turn += 1
    return "\n".join(lines)


def _kolkata(second: int) -> bytes:
    """The platform's `time`: Kolkata's, without a zone."""
    return (datetime.fromtimestamp(second, UTC) + _KOLKATA).strftime("%Y-%m-%d %H:%M:%S").encode()
