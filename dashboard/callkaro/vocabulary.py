"""CallKaro's documented codes and what they mean in words. A code that is not here is shown as it came."""

from __future__ import annotations

CALL_TYPES = {
    "outbound": "Outbound, from a campaign",
    "outbound-api": "Outbound, from the API",
    "outbound-scheduled": "Outbound, scheduled from the API",
    "outbound-test": "Test call from the agent's page",
    "agent-test": "Agent tested in the browser",
    "inbound": "Inbound",
}
# CallKaro's own analytics leave these out, and so do our figures.
TEST_TYPES = frozenset({"outbound-test", "agent-test"})

HANGUP_REASONS = {
    "CLIENT_INITIATED": "Picked up, customer hung up",
    "PARTICIPANT_REMOVED": "Picked up, agent hung up",
    "SESSION_TIMEOUT": "Picked up, reached the agent's longest duration",
    "VOICEMAIL_DETECTED": "Reached voicemail",
    "USER_REJECTED": "Rejected by the customer",
    "USER_UNAVAILABLE": "Rang, not answered",
    "USER_UNRESPONSIVE": "Did not ring (network or carrier)",
    "INVALID_PHONE_NUMBER": "Invalid phone number",
    "UNKNOWN": "Unknown",
    "OUTSIDE_TRIGGER_WINDOW": "Outside the allowed calling hours",
    "DELETED_SCH_CALL_ALL": "All scheduled calls deleted",
    "DELETED_SCH_CALL_ONE": "Scheduled call deleted",
    "PRE_CALL_FN_FAILED": "Function before the call failed",
}
CONNECTED_REASONS = frozenset({"CLIENT_INITIATED", "PARTICIPANT_REMOVED", "SESSION_TIMEOUT"})
VOICEMAIL_REASON = "VOICEMAIL_DETECTED"
NEVER_DIALLED_REASONS = frozenset(
    {
        "OUTSIDE_TRIGGER_WINDOW",
        "DELETED_SCH_CALL_ALL",
        "DELETED_SCH_CALL_ONE",
        "PRE_CALL_FN_FAILED",
        "INVALID_PHONE_NUMBER",
    }
)

INBOUND_TRY = -1
INBOUND_TYPE = "inbound"


def type_in_words(call_type: str) -> str:
    return CALL_TYPES.get(call_type, call_type or "Type not given")


def reason_in_words(reason: str) -> str:
    return HANGUP_REASONS.get(reason, reason or "Reason not given")


def try_in_words(try_count: int) -> str:
    """What a `try_count` means: -1 inbound, 0 the first attempt, n the nth retry [docs, data object fields]."""
    if try_count == INBOUND_TRY:
        return "Inbound"
    if try_count == 0:
        return "First attempt"
    return f"Retry {try_count}"


def is_inbound(call_type: str, try_count: int) -> bool:
    """The customer is `from` on an inbound call and `to` on every other."""
    return call_type == INBOUND_TYPE or try_count == INBOUND_TRY
