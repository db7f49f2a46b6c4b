"""A call's recording, played through this server: in whole or in parts, so that a browser can seek."""

from __future__ import annotations

import re
from functools import partial

from quart import Blueprint, Response, redirect, request, send_file
from quart.typing import ResponseReturnValue
from quart.wrappers.response import FileBody
from sqlmodel import Session
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from dashboard.filters import is_within
from dashboard.models import Recording
from dashboard.store import audit
from dashboard.store.calls import rows_by_id
from dashboard.store.recordings import fetch_again, recording_of
from dashboard.web.downloads import RECORDING, TooManyDownloads
from dashboard.web.headers import NOT_STORED
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import problem_page
from dashboard.web.parts import board, now_micros
from dashboard.web.request_queue import hold
from dashboard.web.visitor import (
    is_written_down,
    name_in_audit,
    rights,
    visitor_address,
    visitor_key,
    write_down,
)

blueprint = Blueprint("recordings", __name__)

# Quart 0.22 answers a suffix range (bytes=-50) with a 500. What it cannot take gets all of it, as RFC 9110 allows.
_SIMPLE_RANGE = re.compile(r"bytes=\d{1,18}-\d{0,18}")
_READ_BYTES = 64 * 1024
# Whoever asks for what begins later than this may be seeking in what he has opened: a few seconds in.
_OPENING_BYTES = 64 * 1024


@blueprint.get("/calls/<int:call_id>/recording")
@open_to(Who.VIEWERS)
async def recording(call_id: int) -> ResponseReturnValue:
    find = partial(_find, call_id=call_id, campaigns=rights().campaigns)
    found = await board().database.read(find) if call_id < 2**63 else None
    if found is None or not found.file:
        return Response("This call has no recording that was kept.", 404, content_type="text/plain; charset=utf-8")
    path = board().keep.path(found.file)
    if not path.exists():
        sentence = "The recording was kept, but its file is gone from the data folder. Restore it from a backup."
        return Response(sentence, 404, content_type="text/plain; charset=utf-8")
    try:
        hold().until_sent.enter_context(board().downloads.counted(RECORDING, visitor_key()))
    except TooManyDownloads:
        sentence = "Too many recordings are being played. Close one, then try again."
        return Response(sentence, 429, content_type="text/plain; charset=utf-8", headers={"Retry-After": "5"})
    hold().release_turn()
    wanted = request.headers.get("Range")
    try:
        response = await send_file(
            path, mimetype=found.content_type, conditional=wanted is None or bool(_SIMPLE_RANGE.fullmatch(wanted))
        )
    except RequestedRangeNotSatisfiable:
        return Response(b"", 416, headers={"Content-Range": f"bytes */{found.size}", "Accept-Ranges": "bytes"})
    is_seeking = response.status_code == 206 and (response.content_range.start or 0) >= _OPENING_BYTES
    # A browser opens it with the call's page; who seeks on in what he has opened is not told of again.
    opened = audit.RECORDING_OPENED, f"/calls/{call_id}"
    if request.method == "GET" and not (is_seeking and await is_written_down(*opened)):
        await write_down(*opened)
    if isinstance(response.response, FileBody):
        # Each piece is read in a thread, and the loop waits for the thread: few large ones.
        response.response.buffer_size = _READ_BYTES
    response.headers["Accept-Ranges"] = "bytes"
    # A browser seeks in what it holds in memory; on its disk the voice would outlast the session.
    response.headers["Cache-Control"] = NOT_STORED
    response.headers["Content-Disposition"] = "inline"
    response.timeout = None
    return response


@blueprint.post("/calls/<int:call_id>/recording/retry")
@open_to(Who.ADMINS)
async def fetch_recording_again(call_id: int) -> ResponseReturnValue:
    """Have the recording fetched once more, at once; then back to the call, which shows how that goes."""
    asked = partial(
        _fetch_again,
        call_id=call_id,
        account=name_in_audit(),
        address=visitor_address(),
        campaigns=rights().campaigns,
    )
    if call_id >= 2**63 or not await board().database.write(asked):
        sentence = "This call has no recording that could be fetched, or it has reached its age and was removed."
        return problem_page(404, "Nothing was fetched", sentence)
    query = request.query_string.decode("latin-1")
    return redirect(f"/calls/{call_id}" + (f"?{query}" if query else ""), 303)


def _fetch_again(session: Session, call_id: int, account: str, address: str, campaigns: tuple[str, ...]) -> bool:
    is_asked = _find(session, call_id, campaigns) is not None and fetch_again(session, [call_id]) > 0
    if is_asked:
        about = f"/calls/{call_id}"
        audit.note(
            session, now=now_micros(), account=account, action=audit.RECORDING_RETRIED, about=about, address=address
        )
    return is_asked


def _find(session: Session, call_id: int, campaigns: tuple[str, ...]) -> Recording | None:
    """The recording of a call that whoever asks may see."""
    if campaigns:
        rows = rows_by_id(session, [call_id])
        if not rows or not is_within(rows[0].campaign, campaigns):
            return None
    return recording_of(session, call_id)
