"""A made-up call as the platform would report it, to try the board with. Pure; sends nothing."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dashboard.callkaro.report import EVENT

SIMULATED = "_simulated"
"""In the metadata of every call that is made up, so that a board can tell it from the real ones."""

SECONDS = 42
# A mobile number of India begins with 6 to 9 after its 91: these are nobody's.
_AGENT_NUMBER, _CUSTOMER_NUMBER = "910000000001", "910000000002"
_TRANSCRIPT = """\
Agent: नमस्ते! यह Callboard की test call है। क्या आपको मेरी आवाज़ साफ़ सुनाई दे रही है?
User: हाँ, बिल्कुल साफ़। Report board पर दिख रही है क्या?
Agent: जी हाँ, call खत्म होते ही report आ जाती है। Is there anything else you would like to check?
User: No, that's all. धन्यवाद!"""
_FOUND = {
    "audio_clear": (True, "Said that the voice is clear: हाँ, बिल्कुल साफ़"),
    "lead_status": ("test", "A test call: nobody was called"),
    "follow_ups": (0, "None was asked for"),
}


def test_report(now: datetime, source_timezone: ZoneInfo) -> bytes:
    """The body of a webhook: one call that has just ended, another at each time of asking.

    Its type is one that no figure counts. `source_timezone` is the zone the board reads the platform's times in.
    """
    call_sid = secrets.token_hex(12)
    data = {
        "callSid": call_sid,
        "name": "agent-test",
        "agent": "000000000000000000000a91",
        "versionId": "000000000000000000000b91",
        "from": _AGENT_NUMBER,
        "to": _CUSTOMER_NUMBER,
        "call_duration": SECONDS,
        "time": f"{(now - timedelta(seconds=SECONDS)).astimezone(source_timezone):%Y-%m-%d %H:%M:%S}",
        "transcription": _TRANSCRIPT,
        "batchId": None,  # a test belongs to no campaign
        "hangup_reason": "CLIENT_INITIATED",
        "call_metadata": {"name": "Test call", "language": "hi", SIMULATED: True},
        "try_count": 0,
        "post_call": {name: value for name, (value, _) in _FOUND.items()},
        "post_call_detail": {name: {"value": value, "comment": comment} for name, (value, comment) in _FOUND.items()},
        "functions_called": [
            # Unlike the call's time, stamped in UTC with milliseconds.
            {"name": "end_call", "success": True, "timestamp": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"}
        ],
        "disposition_reason": "Test call from the board: reports arrive",
        "conversion_status": False,
        "next_call_scheduled": False,
        "call_link": f"https://callkaro.ai/dashboard/call-history?call_id={call_sid}",
    }
    return json.dumps({"event": EVENT, "data": data}, ensure_ascii=False, separators=(",", ":")).encode()
