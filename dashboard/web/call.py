"""One call, beside the list: everything its reports say, in words and as it came."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue
from sqlmodel import Session

from dashboard.callkaro.report import (
    DOCUMENTED_FIELDS,
    JSON,
    CallReport,
    Report,
    as_key,
    as_text,
    read_json,
    read_report,
)
from dashboard.callkaro.transcript import Turn, read_transcript
from dashboard.callkaro.vocabulary import reason_in_words, try_in_words, type_in_words
from dashboard.calls import beginning, changes, merge
from dashboard.figures import stage_of
from dashboard.filters import is_within
from dashboard.links import safe_url
from dashboard.masking import Mask, masked, names_number
from dashboard.models import Call, Inbox, Recording
from dashboard.recordings.audio import codec_name, file_ending, is_played
from dashboard.render import LONGEST_SHOWN, Renderer, masked_by, masked_row
from dashboard.roles import Rights
from dashboard.store.bodies import GONE, body_of
from dashboard.store.calls import CallRow, find_call, rows_by_id, rows_of_person
from dashboard.store.inbox import DUPLICATE, TOLD_OF_A_CALL, UNCHANGED, deliveries_of
from dashboard.store.recordings import EXPIRED, recording_of
from dashboard.store.steps import done_of
from dashboard.told import ENDS, mask_of_data, masked_data
from dashboard.web.board import board_page
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import problem_page
from dashboard.web.parts import board
from dashboard.web.visitor import form_token, own_query, rights

blueprint = Blueprint("call", __name__)

_OF_ANOTHER_CAMPAIGN = "A report from when the call was in another campaign, or that brought it into yours."
_LABELS = {
    "callSid": "Call",
    "name": "Type",
    "agent": "Agent",
    "versionId": "Agent's version",
    "from": "From",
    "to": "To",
    "recordingUrl": "Recording",
    "call_duration": "Duration",
    "time": "Time",
    "transcription": "Transcript",
    "batchId": "Campaign",
    "hangup_reason": "Hang-up reason",
    "call_metadata": "Metadata",
    "try_count": "Try",
    "post_call": "Variables",
    "post_call_detail": "Variables in detail",
    "functions_called": "Functions",
    "disposition_reason": "Disposition",
    "conversion_status": "Converted",
    "next_call_scheduled": "Next call scheduled",
    "call_link": "Link",
}
assert set(_LABELS) == set(DOCUMENTED_FIELDS)


# A report of 2 MiB can hold 900,000 functions: a row for each would keep server and browser busy for a minute.
MOST_SHOWN = 500
MOST_TURNS_SHOWN = 5000
MOST_SAID_SHOWN = 300_000
"""Characters of a transcript: four hours of speech have fewer."""
MOST_ATTEMPTS_SHOWN = 50
MOST_COMPARED = 2**20
"""Bytes of all reports of a call together."""

T = TypeVar("T")
Change = tuple[str, JSON, JSON]
"""A value that a report changed: its path, and what it was before and after."""


class Shown(NamedTuple, Generic[T]):
    """As much of a list as a page can hold, and how many more there are."""

    items: Sequence[T]
    more: int


def shown(items: Sequence[T], most: int = MOST_SHOWN) -> Shown[T]:
    return Shown(items[:most], max(0, len(items) - most))


class Field(NamedTuple):
    """A field of the report: its value as it came, and what it means where that is more than the value says."""

    name: str
    label: str
    value: JSON
    is_given: bool
    words: str
    href: str | None


class Called(NamedTuple):
    """A function that was called; `more` is all the platform said of it beyond name, result and time."""

    name: str
    result: str
    timestamp: str
    more: JSON


class Told(NamedTuple):
    """A report of this call: what became of it, and what it changed."""

    received_at: int
    words: str
    changes: Shown[Change]


class Said(NamedTuple):
    """What is said of a call: its row, its merged data, its recording, and what each report changed."""

    row: CallRow
    data: dict[str, JSON]
    recording: Recording | None
    reports: list[Told]


class Found(NamedTuple):
    """All that the tables know of a call."""

    call: Call
    row: CallRow
    recording: Recording | None
    deliveries: list[Inbox]
    attempts: list[CallRow]
    """the calls with this person in the same campaign: one series of tries"""
    other_calls: list[CallRow]
    """the calls with this person in other campaigns, and in none"""
    transcript_is_due: bool
    """Whether the call has reached the age at which transcripts are removed."""


class Look(NamedTuple):
    """How a call is drawn: for whom, whether its number is shown all the same, and where."""

    rights: Rights
    query: str = ""
    shows_number: bool = False
    is_part: bool = False
    form_token: str = ""


@blueprint.get("/calls/<int:call_id>")
@open_to(Who.VIEWERS)
async def show_call(call_id: int) -> ResponseReturnValue:
    """The call beside the list of the filter in the address; for the page that has the list already, the call alone."""
    found = await call_for_visitor(call_id)
    if found is None:
        return no_such_call()
    return await call_page(found, is_part=request.headers.get("HX-Request-Type") == "partial")


async def call_page(found: Found, *, is_part: bool = False, shows_number: bool = False) -> ResponseReturnValue:
    """The call as whoever asks may see it; with its own number in clear where that was asked for."""
    look = Look(rights(), own_query(), shows_number, is_part, form_token())
    # In a thread, and large ones one after the other: megabytes of transcript must not hold up reports and streams.
    async with board().large_call(len(found.call.data)):
        title, call = await asyncio.to_thread(_draw, found, board().draw, look)
    if is_part:
        return Response(call, 200, content_type="text/html; charset=utf-8")
    return await board_page(title=title, call=call)


async def call_for_visitor(call_id: int) -> Found | None:
    """The call, if there is one for whoever asks."""
    find = partial(_find, call_id=call_id, campaigns=rights().campaigns)
    return await board().database.read(find) if call_id < 2**63 else None


def no_such_call() -> Response:
    return problem_page(404, "No such call", "This address belongs to no call on this board. Check the link.")


def _find(session: Session, call_id: int, campaigns: tuple[str, ...] = ()) -> Found | None:
    call = find_call(session, call_id)
    if call is None or not is_within(call.campaign, campaigns):
        return None
    deliveries = list(deliveries_of(session, call_id))
    of_person = partial(rows_of_person, session, call.person, MOST_ATTEMPTS_SHOWN + 1, campaigns, series=call.campaign)
    last = max((each.id for each in deliveries if each.verdict in TOLD_OF_A_CALL), default=0)
    return Found(
        call,
        rows_by_id(session, [call_id])[0],
        recording_of(session, call_id),
        deliveries,
        of_person(is_in_series=True),
        of_person(is_in_series=False),
        0 < last <= done_of(session, "transcripts"),
    )


def _draw(found: Found, renderer: Renderer, look: Look) -> tuple[str, str]:
    """The page's title and the call."""
    data = read_json(found.call.data)
    said = Said(found.row, data, found.recording, tell(found.deliveries, look.rights.campaigns))
    is_masked = not look.rights.sees_numbers
    drawn = masked_said(said, renderer.region) if is_masked else said
    row, report = drawn.row, CallReport.model_validate(drawn.data)
    attempts, other_calls = (
        [masked_row(each, renderer.region) for each in calls] if is_masked else calls
        for calls in (found.attempts, found.other_calls)
    )
    title = f"{row.customer_name or renderer.phone(row.customer_number) or 'Call'} · Callboard"
    html = renderer.page(
        "_call.html",
        title=title if look.is_part else "",
        query=look.query,
        form_token=look.form_token,
        number=renderer.phone((said if look.shows_number else drawn).row.customer_number),
        may_reveal=look.rights.may_reveal and is_masked and not look.shows_number,
        row=row,
        stage=stage_of(found.row.facts),
        report=report,
        recording=drawn.recording,
        **_of_recording(found.recording, look.rights),
        transcript_is_due=found.transcript_is_due,
        turns=turns_of(report),
        variables=variables_of(report),
        functions=functions_of(report, renderer.timezone),
        attempts=shown(attempts, MOST_ATTEMPTS_SHOWN),
        other_calls=shown(other_calls, MOST_ATTEMPTS_SHOWN),
        fields=fields_of(drawn.data, found.call.try_count, data),
        reports=drawn.reports,
    )
    return title, html


def _of_recording(recording: Recording | None, rights: Rights) -> dict[str, object]:
    """Whether browsers play it, else what it is, and whether a button to fetch it again is of use."""
    recording = recording or Recording(state=EXPIRED)
    return {
        "recording_is_played": is_played(recording.content_type, recording.codec),
        "recording_codec": codec_name(recording.codec),
        "recording_ending": file_ending(recording.content_type),
        "may_fetch_recording": rights.may_manage
        and recording.state != EXPIRED
        and bool(recording.problem or not recording.file),
    }


def masked_said(said: Said, region: str) -> Said:
    """What is said of a call, without its numbers and those that it had before a report changed them."""
    changed = [change for report in said.reports for change in report.changes.items if change[0] in ENDS]
    earlier = [as_text(value) for _, *values in changed for value in values]
    mask = mask_of_data(said.data, [*said.row.numbers, *earlier], region)
    recording = said.recording
    if recording is not None:
        # A link without its number leads nowhere.
        url = recording.url if mask(recording.url) == recording.url else ""
        recording = Recording(**recording.model_dump() | {"url": url, "problem": mask(recording.problem)})
    reports = [report._replace(changes=_masked_changes(report.changes, mask)) for report in said.reports]
    return Said(masked_by(mask, said.row), masked_data(said.data, mask), recording, reports)


def _masked_changes(changes: Shown[Change], mask: Mask) -> Shown[Change]:
    items = []
    for path, before, after in changes.items:
        if path in ENDS:
            before, after = (value and masked(as_text(value)) for value in (before, after))
        is_number = names_number(path)
        items.append((mask(path), mask.value(before, is_number=is_number), mask.value(after, is_number=is_number)))
    return Shown(items, changes.more)


def turns_of(report: CallReport) -> Shown[Turn]:
    """Who said what, as far as a page has room for it; `more` counts turns that are not there, or not whole."""
    turns = read_transcript(report.transcription, MOST_TURNS_SHOWN + 1)
    shown, room = list[Turn](), MOST_SAID_SHOWN
    for turn in turns[:MOST_TURNS_SHOWN]:
        most = min(room, LONGEST_SHOWN)
        room -= len(turn.text)
        shown.append(turn._replace(text=beginning(turn.text, most)))
        if len(turn.text) > most or not room:
            break
    is_cut = bool(shown) and shown[-1] != turns[len(shown) - 1]
    return Shown(shown, len(turns) - len(shown) + is_cut)


def variables_of(report: CallReport) -> Shown[tuple[str, JSON, JSON]]:
    """(name, value, comment) of every post-call variable, whether the values name it, the detail, or both."""
    names = shown([*report.post_call, *(name for name in report.post_call_detail if name not in report.post_call)])
    return Shown([_variable(name, report) for name in names.items], names.more)


def _variable(name: str, report: CallReport) -> tuple[str, JSON, JSON]:
    detail = report.post_call_detail.get(name)
    if isinstance(detail, dict):
        value, comment = report.post_call.get(name, detail.get("value")), detail.get("comment")
    else:
        value, comment = report.post_call.get(name, detail), None
    return name, "" if value is None else value, "" if comment is None else comment


def functions_of(report: CallReport, timezone: ZoneInfo) -> Shown[Called]:
    entries = shown(report.functions_called)
    return Shown([_function(entry, timezone) for entry in entries.items], entries.more)


def _function(entry: JSON, timezone: ZoneInfo) -> Called:
    if not isinstance(entry, dict):
        return Called(as_text(entry), "", "", None)
    success = entry.get("success")
    result = ("Succeeded" if success else "Failed") if isinstance(success, bool) else as_text(success)
    more = {key: value for key, value in entry.items() if key not in ("name", "success", "timestamp")}
    return Called(as_text(entry.get("name")), result, _local(as_text(entry.get("timestamp")), timezone), more)


def _local(timestamp: str, timezone: ZoneInfo) -> str:
    """A function's time, which the platform writes in UTC, on the board's clock; what cannot be read, as it came."""
    try:
        moment = datetime.fromisoformat(timestamp)
        return f"{moment.astimezone(timezone):%-d %b %Y, %H:%M:%S}" if moment.tzinfo else timestamp
    except (ValueError, OverflowError):
        return timestamp


def fields_of(data: dict[str, JSON], try_count: int, whole: dict[str, JSON] | None = None) -> Shown[Field]:
    """All 21 documented fields, given or not, then every other one the reports brought.

    `whole` is the data before it was masked: a link that has lost its number leads nowhere and is none.
    """
    names = shown([*DOCUMENTED_FIELDS, *(name for name in data if name not in _LABELS)])
    return Shown([_field(name, data, try_count, whole or data) for name in names.items], names.more)


def _field(name: str, data: dict[str, JSON], try_count: int, whole: dict[str, JSON]) -> Field:
    value = data.get(name)
    words, href = "", None
    match name:
        case "name" if text := as_text(value):
            words = type_in_words(text)
        case "hangup_reason" if text := as_text(value):
            words = reason_in_words(text)
        case "try_count":
            words = try_in_words(try_count)
        case "recordingUrl" | "call_link":
            href = safe_url(as_text(value)) if value == whole.get(name) else None
    return Field(name, _LABELS.get(name, "Not documented"), value, name in data, "" if words == value else words, href)


def tell(deliveries: list[Inbox], campaigns: tuple[str, ...] = ()) -> list[Told]:
    """What each report of a call brought, oldest first: the revisions of the call.

    `campaigns` is the limit of the account: what the call said while it was in another campaign is not shown.
    """
    reports = [delivery for delivery in deliveries if delivery.verdict != DUPLICATE]
    is_kept = all(delivery.packing != GONE for delivery in reports)
    # The body of an only report need not be read: there is nothing to compare it with.
    can_compare = is_kept and len(reports) > 1 and sum(delivery.size for delivery in reports) <= MOST_COMPARED
    told: list[Told] = []
    before: dict[str, JSON] | None = None
    for delivery in deliveries:
        if delivery.verdict == DUPLICATE:
            told.append(Told(delivery.received_at, "The same report again; it changed nothing.", shown([])))
            continue
        reading = read_report(body_of(delivery) or b"") if can_compare else Report({})
        data = reading.data if isinstance(reading, Report) else {}
        if before is None:
            told.append(Told(delivery.received_at, "The first report.", shown([])))
            before = data
            continue
        after = merge(before, data)
        if not (can_compare and all(is_within(as_key(each.get("batchId")), campaigns) for each in (before, after))):
            words = _OF_ANOTHER_CAMPAIGN if campaigns and can_compare else _words(delivery, can_compare, is_kept)
            told.append(Told(delivery.received_at, words, shown([])))
        else:
            words = _words(delivery, can_compare, is_kept)
            told.append(Told(delivery.received_at, words, shown(changes(before, after))))
        before = after
    return told


def _words(delivery: Inbox, can_compare: bool, is_kept: bool) -> str:
    if delivery.verdict == UNCHANGED:
        return "Another report; it said nothing new."
    if not is_kept:
        return "A later report; what the reports of this call said word for word is not kept any more."
    return "A later report changed:" if can_compare else "A later report; these are too large to be compared here."
