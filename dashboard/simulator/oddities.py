"""What makes reports untidy: repeats, late fuller ones, odd fields, late calls, each in a named share. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

from dashboard.simulator.cast import made_up_id
from dashboard.simulator.outcomes import NEVER_DIALLED
from dashboard.simulator.reports import Report

REPEATED_SHARE = 0.03  # the webhooks of the account and of the agent both fire: the same bytes twice
FULLER_LATER_SHARE = 0.04  # of connected calls: recording, transcript and findings come in a second report
LATE_SHARE = 0.02  # reported minutes to days after the call
ODD_SHARE = 0.03
NO_CALL_SID_SHARE = 0.2  # of calls that were never dialled

MINUTES_LATE = (5, 3 * 24 * 60)


def draw_lateness(random: Random) -> timedelta:
    """Mostly none. The late ones lie evenly over the orders of magnitude: minutes, hours, days."""
    if random.random() >= LATE_SHARE:
        return timedelta()
    least, most = MINUTES_LATE
    return timedelta(minutes=least * (most / least) ** random.random())


def without_findings(report: Report) -> Report:
    """The first, poor report of a call whose recording and analysis are not ready yet."""
    late: Report = {
        "recordingUrl": "",
        "transcription": "",
        "disposition_reason": "",
        "post_call": {},
        "post_call_detail": {},
        "conversion_status": None,
    }
    return report | late


def draw_oddity(random: Random, report: Report) -> Report:
    """The report, or in a small share one field changed in a way the documentation does not promise against."""
    if report["hangup_reason"] in NEVER_DIALLED:
        return _without_call_sid(report) if random.random() < NO_CALL_SID_SHARE else report
    return random.choice(ODD_WAYS)(report) if random.random() < ODD_SHARE else report


def _without_call_sid(report: Report) -> Report:
    return {name: value for name, value in report.items() if name != "callSid"}


def _duration_in_quotes(report: Report) -> Report:
    return report | {"call_duration": str(report["call_duration"])}


def _try_unknown(report: Report) -> Report:
    return report | {"try_count": None}


def _reason_unknown(report: Report) -> Report:
    return report | {"hangup_reason": "CARRIER_CONGESTION"}


def _another_field(report: Report) -> Report:
    return report | {"recording_id": made_up_id("recording", report["callSid"])}


ODD_WAYS: tuple[Callable[[Report], Report], ...] = (
    _duration_in_quotes,
    _try_unknown,
    _reason_unknown,
    _another_field,
)
