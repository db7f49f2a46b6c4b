"""The simulated account: one story for a seed, the platform's vocabulary, untidiness in the promised shares."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.simulator import oddities
from dashboard.simulator.cast import AGENTS, CAMPAIGNS, NUMBERS
from dashboard.simulator.conversations import CLIPS, CONVERSATIONS, WRONG_NUMBER, Conversation
from dashboard.simulator.outcomes import MOST_SECONDS, NEVER_DIALLED
from dashboard.simulator.story import Story

NOON = datetime.fromisoformat("2026-03-02 12:00:00")
FIELDS = {
    "callSid",
    "name",
    "agent",
    "versionId",
    "from",
    "to",
    "recordingUrl",
    "call_duration",
    "time",
    "transcription",
    "batchId",
    "hangup_reason",
    "call_metadata",
    "try_count",
    "post_call",
    "post_call_detail",
    "functions_called",
    "disposition_reason",
    "conversion_status",
    "next_call_scheduled",
    "call_link",
}
TYPES = {"outbound", "outbound-api", "outbound-scheduled", "outbound-test", "agent-test", "inbound"}
TALKED = {"CLIENT_INITIATED", "PARTICIPANT_REMOVED", "SESSION_TIMEOUT"}
NOT_TALKED = {"VOICEMAIL_DETECTED", "USER_REJECTED", "USER_UNAVAILABLE", "USER_UNRESPONSIVE", "UNKNOWN"}
ODD_REASON = "CARRIER_CONGESTION"
MANY = 5_000
YEAR = timedelta(days=365)

Report = dict[str, Any]


def reports_of(bodies: list[bytes]) -> list[Report]:
    return [json.loads(body)["data"] for body in bodies]


@pytest.fixture(scope="module")
def bodies() -> list[bytes]:
    """Five thousand calls with recordings, and all their repeats and fuller reports."""
    return list(Story(11, NOON, "http://127.0.0.1:9").take(MANY))


@pytest.fixture(scope="module")
def reports(bodies: list[bytes]) -> list[Report]:
    return reports_of(bodies)


@given(st.integers(), st.datetimes(NOON - 10 * YEAR, NOON + 10 * YEAR))
def test_the_same_seed_tells_the_same_story_at_any_moment(seed: int, now: datetime) -> None:
    def told() -> list[bytes]:
        story = Story(seed, now)
        return [*story.back_story(3, 10), *islice(story, 10)]

    assert told() == told()


def test_another_seed_tells_another_story() -> None:
    assert not set(Story(1, NOON).take(50)) & set(Story(2, NOON).take(50))


def test_a_moment_is_told_in_the_time_of_india() -> None:
    in_india = list(Story(5, NOON).take(20))
    assert list(Story(5, datetime(2026, 3, 2, 6, 30, tzinfo=UTC)).take(20)) == in_india
    assert list(Story(5, lambda: datetime(2026, 3, 2, 6, 30, tzinfo=UTC)).take(20)) == in_india


def test_exactly_so_many_calls_are_told(bodies: list[bytes], reports: list[Report]) -> None:
    identities = {report.get("callSid") or body for body, report in zip(bodies, reports, strict=True)}
    assert len(identities) == MANY


def test_every_body_has_the_documented_fields_and_only_named_exceptions(bodies: list[bytes]) -> None:
    for body in bodies:
        envelope = json.loads(body)
        report = envelope["data"]
        assert set(envelope) == {"event", "data"}
        assert envelope["event"] == "call_ended"
        missing, unknown = FIELDS - set(report), set(report) - FIELDS
        assert not missing or (missing == {"callSid"} and report["hangup_reason"] in NEVER_DIALLED)
        assert unknown <= {"recording_id"}


def test_every_value_is_of_the_platforms_vocabulary(reports: list[Report]) -> None:
    agents = {agent.id for agent in AGENTS}
    versions = {agent.version_id(version) for agent in AGENTS for version in agent.versions}
    campaigns = {campaign.id for campaign in CAMPAIGNS}
    for report in reports:
        assert report["name"] in TYPES
        assert report["hangup_reason"] in TALKED | NOT_TALKED | set(NEVER_DIALLED) | {ODD_REASON}
        assert report["agent"] in agents
        assert report["versionId"] in versions
        assert report["batchId"] is None or report["batchId"] in campaigns
        assert report["call_metadata"]["_simulated"] is True
        assert datetime.fromisoformat(report["time"]).strftime("%Y-%m-%d %H:%M:%S") == report["time"]
        assert 0 <= int(report["call_duration"]) <= MOST_SECONDS
        assert {name: entry["value"] for name, entry in report["post_call_detail"].items()} == report["post_call"]
        assert report["callSid"] if "callSid" in report else report["hangup_reason"] in NEVER_DIALLED


def test_every_campaign_agent_type_and_reason_comes_up(reports: list[Report]) -> None:
    assert {report["batchId"] for report in reports} == {campaign.id for campaign in CAMPAIGNS} | {None}
    assert {report["agent"] for report in reports} == {agent.id for agent in AGENTS}
    assert {report["name"] for report in reports} == TYPES
    assert {report["hangup_reason"] for report in reports} == TALKED | NOT_TALKED | set(NEVER_DIALLED) | {ODD_REASON}


def test_what_the_agent_says_is_spoken_in_several_scripts(reports: list[Report]) -> None:
    said = "".join(report["transcription"] for report in reports)
    assert "नमस्ते" in said
    assert "வணக்கம்" in said
    assert "Namaste" in said
    assert "{" not in said
    assert max(len(report["transcription"]) for report in reports) > 2_000


def test_nobody_can_be_rung_under_a_number_of_the_story(reports: list[Report]) -> None:
    assert {number[:5] for report in reports for number in (report["from"], report["to"])} == {"91555"}


def test_the_first_hundred_thousand_people_have_numbers_of_their_own() -> None:
    assert len({index * 7919 % NUMBERS for index in range(NUMBERS)}) == NUMBERS


def test_an_inbound_call_comes_from_the_person_and_has_try_minus_one(reports: list[Report]) -> None:
    inbound = [report for report in reports if report["name"] == "inbound"]
    assert {report["to"] for report in inbound} == {"915551000009"}
    assert {report["try_count"] for report in inbound} <= {-1, None}
    assert {report["batchId"] for report in inbound} == {None}


def test_a_retry_rings_the_same_number_under_an_id_of_its_own(reports: list[Report]) -> None:
    tries: dict[str, set[tuple[int, str]]] = {}
    for report in reports:
        if report["name"] == "outbound" and report["try_count"] is not None and "callSid" in report:
            tries.setdefault(report["to"], set()).add((report["try_count"], report["callSid"]))
    retried = [sorted(attempts) for attempts in tries.values() if len(attempts) > 1]
    assert len(retried) > MANY * 0.05
    for attempts in retried:
        counts, ids = zip(*attempts, strict=True)
        assert len(set(ids)) == len(attempts)
        assert max(counts) <= 3
        assert len(set(counts)) == len(counts)


def test_a_callback_asked_for_is_a_scheduled_call_later(reports: list[Report]) -> None:
    asked = {report["to"] for report in reports if report["next_call_scheduled"]}
    scheduled = {report["to"] for report in reports if report["name"] == "outbound-scheduled"}
    assert len(asked & scheduled) > 100


def test_connected_calls_have_a_recording_at_most_as_long_as_the_call(reports: list[Report]) -> None:
    seconds = {clip.name: clip.seconds for clip in CLIPS}
    recorded = [report for report in reports if report["recordingUrl"]]
    for report in recorded:
        name = report["recordingUrl"].removeprefix("http://127.0.0.1:9/").split(".mp3?call=")[0]
        assert int(report["call_duration"]) >= seconds[name]
        assert report["recordingUrl"].endswith(f"?call={report['callSid']}")
    assert {report["hangup_reason"] for report in recorded} == TALKED | {ODD_REASON}
    assert {"" for report in reports if report["hangup_reason"] in NOT_TALKED} == {
        report["recordingUrl"] for report in reports if report["hangup_reason"] in NOT_TALKED
    }


@pytest.mark.parametrize(
    "conversation", [talk for talk in CONVERSATIONS if not talk.spoken], ids=lambda talk: talk.clip
)
def test_a_transcript_begins_with_what_its_clip_says(conversation: Conversation, reports: list[Report]) -> None:
    lines = [f"{speaker}: {turn}" for speaker, turn in zip(("Agent", "User"), conversation.opening, strict=True)]
    clip = f"/{conversation.clip}.mp3"
    transcripts = [
        report["transcription"] for report in reports if clip in report["recordingUrl"] and report["transcription"]
    ]
    assert transcripts
    assert all(transcript.split("\n")[:2] == lines for transcript in transcripts)


def test_without_an_address_for_clips_no_call_has_a_recording() -> None:
    assert {report["recordingUrl"] for report in reports_of(list(Story(3, NOON).take(200)))} == {""}


def test_every_conversation_can_be_put_together() -> None:
    for conversation in CONVERSATIONS:
        assert len(conversation.opening) % 2 == 0
        assert len(conversation.spoken) in (0, len(conversation.opening))
        for ending in conversation.endings:
            assert set(ending.found) <= set(conversation.variables)
    assert WRONG_NUMBER.clip_seconds <= 10  # the platform reports its defaults for calls up to ten seconds


def test_more_people_answer_in_the_evening_than_at_night() -> None:
    def connected_at(hour: int) -> int:
        reports = reports_of(list(Story(8, NOON.replace(hour=hour)).take(1_000)))
        return sum(report["hangup_reason"] in TALKED for report in reports)

    assert connected_at(19) > 1.4 * connected_at(3)


def test_repeats_are_exact_and_few(bodies: list[bytes]) -> None:
    repeats = [times for times in Counter(bodies).values() if times > 1]
    assert len(repeats) == pytest.approx(MANY * oddities.REPEATED_SHARE, rel=0.3)


def test_some_calls_are_told_again_more_fully(reports: list[Report]) -> None:
    told: dict[str, list[Report]] = {}
    for report in reports:
        if "callSid" in report and report not in told.setdefault(report["callSid"], []):
            told[report["callSid"]].append(report)
    twice = [told_twice for told_twice in told.values() if len(told_twice) == 2]
    talked = sum(bool(versions[-1]["recordingUrl"]) for versions in told.values())
    assert len(twice) == pytest.approx(talked * oddities.FULLER_LATER_SHARE, rel=0.35)
    for poor, full in twice:
        assert not poor["recordingUrl"]
        assert not poor["transcription"]
        assert not poor["disposition_reason"]
        assert full["recordingUrl"]
        assert full["transcription"]
        assert full["disposition_reason"]
        assert {name for name in FIELDS if poor[name] != full[name] and poor[name]} == set()


def test_odd_fields_come_in_the_promised_share(reports: list[Report]) -> None:
    dialled = [report for report in reports if report["hangup_reason"] not in NEVER_DIALLED]
    odd = Counter[str]()
    for report in dialled:
        odd["duration in quotes"] += isinstance(report["call_duration"], str)
        odd["try unknown"] += report["try_count"] is None
        odd["reason unknown"] += report["hangup_reason"] == ODD_REASON
        odd["another field"] += "recording_id" in report
    assert min(odd.values()) > 10
    assert odd.total() == pytest.approx(len(dialled) * oddities.ODD_SHARE, rel=0.3)


def test_calls_never_dialled_may_lack_their_id(reports: list[Report]) -> None:
    never = [report for report in reports if report["hangup_reason"] in NEVER_DIALLED]
    nameless = [report for report in never if "callSid" not in report]
    assert len(nameless) == pytest.approx(len(never) * oddities.NO_CALL_SID_SHARE, rel=0.5)


def test_a_few_calls_are_reported_minutes_to_days_late(reports: list[Report]) -> None:
    ages = [NOON - datetime.fromisoformat(report["time"]) for report in reports]
    late = [age for age in ages if age > timedelta(seconds=MOST_SECONDS + 10)]
    assert len(late) == pytest.approx(MANY * oddities.LATE_SHARE, rel=0.35)
    assert max(late) > timedelta(days=1)
    assert max(late) < timedelta(days=3, hours=1)
    assert min(ages) > timedelta(0)


@pytest.mark.parametrize(
    "now", [NOON.replace(hour=hour, minute=10) for hour in range(0, 24, 3)] + [NOON.replace(hour=0)]
)
def test_a_back_story_lies_in_the_days_asked_for_and_before_now(now: datetime) -> None:
    story = Story(4, now)
    times = [datetime.fromisoformat(report["time"]) for report in reports_of(list(story.back_story(7, 400)))]
    assert story.calls == 400
    assert max(times) < now
    assert min(times) >= datetime.combine(now, time.min) - timedelta(days=6, seconds=MOST_SECONDS + 10)


@pytest.mark.parametrize(("hour", "least", "most"), [(3, 5, 100), (16, 50, 95), (23, 80, 125)])
def test_a_back_stories_day_is_as_busy_as_the_others_as_far_as_it_has_come(hour: int, least: int, most: int) -> None:
    reports = reports_of(list(Story(4, NOON.replace(hour=hour)).back_story(7, 700)))
    days = Counter(report["time"][:10] for report in reports)
    assert len(days) == 7
    assert least < days["2026-03-02"] < most


def test_the_story_goes_on_where_its_back_story_ended() -> None:
    story = Story(9, NOON)
    before = {report.get("callSid") for report in reports_of(list(story.back_story(7, 100)))}
    after = reports_of(list(story.take(200)))
    assert not before & {report.get("callSid", "none") for report in after}
    assert any((report["try_count"] or 0) > 0 for report in after[:40])
