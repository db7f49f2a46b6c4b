"""An attempt and its outcome, as the platform writes them: the 21 fields of `call_ended`. Pure; sends nothing."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.callkaro.sample import SIMULATED
from dashboard.simulator.cast import CALLER_IDS, HELPLINE_NUMBER
from dashboard.simulator.outcomes import Attempt, Outcome

INDIA = ZoneInfo("Asia/Kolkata")

Report = dict[str, Any]


def make_report(
    random: Random, attempt: Attempt, outcome: Outcome, made_at: datetime, clip_base_url: str | None
) -> Report:
    """The `data` of one call_ended event. `made_at` has no zone and is India's time, as on the wire."""
    inbound = attempt.call_type == "inbound"
    call_sid = make_id(random)
    recording = f"{clip_base_url}/{outcome.clip}.mp3?call={call_sid}" if clip_base_url and outcome.clip else ""
    person = attempt.person
    return {
        "callSid": call_sid,
        "name": attempt.call_type,
        "agent": attempt.agent.id,
        "versionId": attempt.agent.version_id(attempt.version),
        "from": person.number if inbound else random.choice(CALLER_IDS),
        "to": HELPLINE_NUMBER if inbound else person.number,
        "recordingUrl": recording,
        "call_duration": outcome.seconds,
        "time": f"{made_at:%Y-%m-%d %H:%M:%S}",
        "transcription": outcome.transcript,
        "batchId": _batch_id(attempt),
        "hangup_reason": outcome.reason,
        "call_metadata": {"name": person.name, "city": person.city, **person.columns, SIMULATED: True},
        "try_count": attempt.try_count,
        "post_call": {name: value for name, (value, _) in outcome.found.items()},
        "post_call_detail": {
            name: {"value": value, "comment": comment} for name, (value, comment) in outcome.found.items()
        },
        "functions_called": _functions_called(random, outcome, made_at),
        "disposition_reason": outcome.disposition,
        "conversion_status": outcome.converted,
        "next_call_scheduled": outcome.callback,
        "call_link": f"https://callkaro.ai/dashboard/call-history?call_id={make_id(random)}",
    }


def body_of(report: Report) -> bytes:
    """The bytes of the webhook: compact JSON with its letters unescaped, as the platform's own language writes it."""
    return json.dumps({"event": "call_ended", "data": report}, ensure_ascii=False, separators=(",", ":")).encode()


def make_id(random: Random) -> str:
    return f"{random.getrandbits(96):024x}"


def _batch_id(attempt: Attempt) -> str | None:
    """Only calls that an uploaded list or a schedule started belong to a campaign."""
    return attempt.campaign.id if attempt.call_type in ("outbound", "outbound-scheduled") else None


def _functions_called(random: Random, outcome: Outcome, made_at: datetime) -> list[Report]:
    """Unlike the call's `time`, these are stamped in UTC, with milliseconds and a Z."""
    moment = made_at.replace(tzinfo=INDIA).astimezone(ZoneInfo("UTC")) + timedelta(seconds=outcome.seconds)
    called = []
    for name in outcome.functions:
        moment += timedelta(milliseconds=random.randint(180, 2400))
        stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
        called.append({"name": name, "success": random.random() < 0.96, "timestamp": stamp})
    return called
