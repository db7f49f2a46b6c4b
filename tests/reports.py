"""Reports as the platform sends them."""

from __future__ import annotations

import copy
import json
from typing import Any

DOCUMENTED: dict[str, Any] = {
    "callSid": "2303fa770b666a64ab1694c1e",
    "name": "outbound",
    "agent": "6803fa770b666a64ab1694c1e",
    "versionId": "1203fa770b666a64ab1694c1e",
    "from": "919876543210",
    "to": "918765432109",
    "recordingUrl": "https://example.com/recording.mp3",
    "call_duration": 120,
    "time": "2025-12-19 16:01:07",
    "transcription": "Full call transcript...",
    "batchId": "0303fa770b666a64ab1694c1e",
    "hangup_reason": "CLIENT_INITIATED",
    "call_metadata": {"name": "Jatin", "age": 25},
    "try_count": 0,
    "post_call": {"lead_status": "interested"},
    "post_call_detail": {"lead_status": {"value": "interested", "comment": "Customer showed interest"}},
    "functions_called": [{"name": "update_crm", "success": True, "timestamp": "2025-12-19T15:25:00.000Z"}],
    "disposition_reason": "Customer requested callback",
    "conversion_status": True,
    "next_call_scheduled": False,
    "call_link": "https://callkaro.ai/dashboard/call-history?call_id=abc123",
}

WEBHOOK = "/webhook/call-webhook"


def data_of(sid: str = "2303fa770b666a64ab1694c1e", *, without: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """The vendor's sample with another callSid and some fields changed or left out. `from_` stands for `from`."""
    data = copy.deepcopy(DOCUMENTED) | {"callSid": sid}
    # No test but those about recordings wants anything fetched.
    data["recordingUrl"] = ""
    data |= {name.rstrip("_"): value for name, value in changes.items()}
    return {name: value for name, value in data.items() if name not in without}


def report(sid: str = "2303fa770b666a64ab1694c1e", *, without: tuple[str, ...] = (), **changes: Any) -> bytes:
    """A webhook's body."""
    return json.dumps({"event": "call_ended", "data": data_of(sid, without=without, **changes)}).encode()
