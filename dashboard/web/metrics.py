"""What the board counts of itself, for Prometheus and its like. No label ever holds anything of a call."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator

from quart import Blueprint, Response
from sqlalchemy.exc import SQLAlchemyError

from dashboard import __version__, machine
from dashboard.database.clock import head_of
from dashboard.prometheus import CONTENT_TYPE, Measure, Sample, as_text, counted_by, counter, gauge, histogram
from dashboard.store.inbox import CHANGED, DUPLICATE, IGNORED, NEW, UNCHANGED, UNREADABLE
from dashboard.store.recordings import count_by_state
from dashboard.web.openings import Who, open_to
from dashboard.web.parts import Callboard, board

blueprint = Blueprint("metrics", __name__)

VERDICTS = (NEW, CHANGED, UNCHANGED, DUPLICATE, IGNORED, UNREADABLE)

# Whoever watches gives up after some seconds, and must learn most of all while the database is away.
_PATIENCE_SECONDS = 1.0
# To count a million recordings takes a tenth of a second of a reader.
_COUNTED_EVERY_SECONDS = 15.0


@blueprint.get("/metrics")
@open_to(Who.ADMINS)
async def metrics() -> Response:
    """For whoever sits at this machine where nobody signs in, an admin, and the bearer of DASHBOARD_METRICS_TOKEN."""
    app = board()
    head, recordings = await _of_the_tables(app)
    measures = [*_reports(app), *_storing(app, head), *_pages(app), *_machine(app)]
    if recordings:
        measures.append(
            counted_by("callboard_recordings", "Recordings by how far they are.", "state", recordings, kind="gauge")
        )
    return Response(as_text(measures), 200, content_type=CONTENT_TYPE)


async def _of_the_tables(app: Callboard) -> tuple[int | None, dict[str, int]]:
    """The table's head, None while the database is away; and the recordings by state, empty if never counted."""
    counts = app.recording_counts
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            head = await app.database.read(head_of)
            if now >= counts.good_until:
                counts.good_until = now + _COUNTED_EVERY_SECONDS
                counts.by_state = await app.database.read(count_by_state)
    except (SQLAlchemyError, OSError):
        return None, counts.by_state
    return head, counts.by_state


def _reports(app: Callboard) -> Iterator[Measure]:
    hooks = app.hooks
    yield counted_by(
        "callboard_webhook_answers_total",
        "Requests at the webhook's address by the status they were answered with.",
        "status",
        {str(status): count for status, count in hooks.answers.items()},
    )
    yield counter(
        "callboard_misdirected_reports_total", "Reports that were sent to a path that takes none.", hooks.misdirected
    )
    yield counted_by(
        "callboard_reports_stored_total",
        "Reports that are on the disk, by what became of them.",
        "verdict",
        {verdict: hooks.verdicts.get(verdict, 0) for verdict in VERDICTS},
    )
    yield histogram(
        "callboard_webhook_seconds", "From a request's headers at the webhook to its answer.", hooks.seconds
    )
    yield histogram("callboard_report_lag_seconds", "From the end of a call to its report.", app.feed.lag)
    yield counted_by(
        "callboard_webhook_secret_used_timestamp_seconds",
        "When a report last came with each secret, by its place in DASHBOARD_WEBHOOK_SECRET; 0 for never.",
        "place",
        {str(place): used_at / 1e6 for place, used_at in enumerate(hooks.secrets_used_at, 1)},
        kind="gauge",
    )


def _storing(app: Callboard, head: int | None) -> Iterator[Measure]:
    yield gauge("callboard_reports_waiting", "Reports that wait to be stored.", app.intake.waiting)
    yield gauge("callboard_reports_waiting_bytes", "Their bytes.", app.intake.waiting_bytes)
    yield counter(
        "callboard_database_away_seconds_total",
        "For how long reports could not be stored because the database was away.",
        app.intake.away_seconds,
    )
    yield gauge("callboard_database_readable", "Whether the database answered this very request.", head is not None)
    if head is not None:
        yield gauge("callboard_seq", "The last number given out: of all that ever changed.", head)
        yield gauge("callboard_seq_behind", "How many numbers the index lags behind.", max(0, head - app.feed.head))
    yield gauge("callboard_disk_short", "Whether reports are refused because the disk is full.", app.reserve.is_short())
    if app.reserve.free:
        yield gauge("callboard_disk_free_bytes", "What is left on the database's disk.", app.reserve.free)


def _pages(app: Callboard) -> Iterator[Measure]:
    yield counted_by("callboard_streams", "Open pages by kind.", "page", app.streams.open, kind="gauge")
    yield gauge("callboard_calls", "Calls in the index.", len(app.feed.index))
    yield gauge("callboard_ready", "Whether the index is loaded.", app.feed.ready.is_set())
    yield gauge("callboard_part_ended", "Whether a part has stopped that never should.", bool(app.ended))


def _machine(app: Callboard) -> Iterator[Measure]:
    database = "sqlite" if app.database.is_sqlite else "postgresql"
    labels = (("version", __version__), ("python", platform.python_version()), ("database", database))
    yield Measure("callboard_build_info", "gauge", "Which program this is.", [Sample("", labels, 1)])
    yield gauge("process_resident_memory_bytes", "Memory of this process.", machine.memory_bytes())
    yield counter("process_cpu_seconds_total", "Processor time of this process.", machine.processor_seconds())
    yield gauge("process_start_time_seconds", "When this process began.", machine.STARTED_AT)
    yield gauge("process_max_fds", "How many descriptors it may have.", machine.most_descriptors())
    if (count := machine.open_descriptors()) is not None:
        yield gauge("process_open_fds", "How many it has: each open page is one.", count)
