"""Makes the parts and hands them to each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from quart import Response, request
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, MethodNotAllowed, ServiceUnavailable

from dashboard.archive import Archive
from dashboard.database import Database
from dashboard.disk import Reserve
from dashboard.feed import Feed
from dashboard.forward import Forward
from dashboard.intake import LARGEST_BATCH, Intake
from dashboard.memory import Memory
from dashboard.migrations import migrate
from dashboard.notices import Notice, Target, short_of_room
from dashboard.recordings.keep import Keep
from dashboard.recordings.outcomes import Access
from dashboard.render import Renderer
from dashboard.settings import Settings
from dashboard.store.accounts import has_accounts
from dashboard.streams import Streams
from dashboard.upkeep import Upkeep
from dashboard.watch import Watch
from dashboard.web import (
    account,
    accounts,
    api,
    audit,
    call,
    erase,
    export,
    gaps,
    health,
    hooks,
    inbox,
    inbox_live,
    live,
    metrics,
    number,
    openapi,
    recordings,
    replay,
    tokens,
    wall,
)
from dashboard.web import board as board_page
from dashboard.web import forward as forward_page
from dashboard.web.compress import compress
from dashboard.web.door import guard
from dashboard.web.downloads import Downloads
from dashboard.web.headers import harden
from dashboard.web.last_used import LastUsed
from dashboard.web.openings import openings_of
from dashboard.web.pages import problem_page
from dashboard.web.parts import STREAMS, Callboard, RecordingCounts, now_micros
from dashboard.web.plain import is_from_a_program, refuse, title_of
from dashboard.web.readiness import Readiness
from dashboard.web.refusals import Refusals
from dashboard.web.request_queue import RequestQueue
from dashboard.web.sign_in_limits import SignInLimits
from dashboard.web.slowdown import NetworkSlowdown
from dashboard.web.static_files import serve_static, version_of
from dashboard.web.tries import Tries
from dashboard.web.visits import Visits

log = logging.getLogger(__name__)

# What a page may send: its forms are small.
LARGEST_FORM = 64 * 1024
FORM_SECONDS = 10


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(settings: Settings | None = None, *, now: Callable[[], datetime] = utc_now) -> Callboard:
    """The whole board as one ASGI app. It migrates its database when it starts serving."""
    settings = settings or Settings.from_env()
    static = asset_folder("static")
    app = Callboard("dashboard", static_folder=None)
    app.config |= {"MAX_CONTENT_LENGTH": LARGEST_FORM, "BODY_TIMEOUT": FORM_SECONDS}
    app.settings = settings
    app.database = Database(settings.database_url)
    app.draw = Renderer(
        asset_folder("templates"),
        timezone=settings.timezone,
        indian_grouping=settings.indian_grouping,
        region=settings.phone_region,
        static_version=version_of(static),
    )
    app.keep = Keep(settings.data_folder / "recordings")
    # Recordings end long before reports do.
    app.keep.low_water = max(app.keep.low_water, 2 * settings.disk_reserve)
    app.reserve = Reserve(app.database.folder, settings.disk_reserve)
    region = settings.phone_region
    app.intake = Intake(app.database, settings.source_timezone, app.reserve, region=region)
    app.feed = Feed(
        app.database,
        app.draw,
        now,
        source_zone=settings.source_timezone.key,
        calling_hours=settings.calling_hours,
        region=region,
    )
    app.streams = Streams(app.feed, app.database, app.draw)
    access = Access(settings.recording_hosts, settings.recording_credentials, settings.recording_max_bytes)
    app.archive = Archive(app.database, app.keep, access)
    app.upkeep = Upkeep(app.database, app.keep, settings.retention, now_micros)
    app.forward = Forward(
        app.database,
        settings.forward_targets,
        settings.forward_hosts,
        now=now_micros,
        # More than one batch takes: the writer is behind, and what is handed on would write too.
        is_busy=lambda: app.intake.waiting > LARGEST_BATCH,
    )
    app.watch = Watch(app.database, settings.timezone, now)
    app.feed.missed, app.watch.on_change = app.watch.missed, app.feed.redraw_figures
    app.tries = Tries(app.database)
    app.refusals = Refusals()
    app.visits = Visits(app.database, now_micros)
    app.readiness = Readiness(app.watch)
    app.recording_counts = RecordingCounts()
    app.sign_in_limits = SignInLimits()
    app.wrong_tokens = NetworkSlowdown(most=30, seconds=60)
    app.last_used = LastUsed(app.database)
    app.erasing = set()
    app.requests = RequestQueue(settings)
    app.downloads = Downloads()
    app.memory = Memory()
    app.large_calls = asyncio.Semaphore(1)
    app.feed.refusals = app.refusals.recent
    app.feed.room = partial(_room, app)
    app.feed.targets = lambda: [
        Target(each.target, each.failing_since, each.answer, each.aside) for each in app.forward.standing
    ]
    app.hooks = hooks.Hooks(app.intake, settings, app.refusals)
    # Werkzeug answers `//audit` with a redirect to whatever Host was sent.
    app.url_map.merge_slashes = False
    people = (
        live,
        board_page,
        call,
        number,
        wall,
        recordings,
        account,
        accounts,
        audit,
        erase,
        tokens,
        forward_page,
        gaps,
    )
    inboxes = (inbox, inbox_live, replay)
    for module in (*people, *inboxes, health, metrics, api, export, openapi):
        app.register_blueprint(module.blueprint)
    serve_static(app, static)
    app.openings = openings_of(app.view_functions)
    app.before_request(guard)
    app.after_request(harden)
    app.after_request(compress)
    app.register_error_handler(HTTPException, _explain)
    app.register_error_handler(Exception, _apologise)
    _run_parts(app)
    return app


def asset_folder(name: str) -> Path:
    """`templates` or `static`: beside the package in a checkout, inside it once installed."""
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else Path(__file__).parent.parent / name


def stop(app: Callboard) -> None:
    """The server is about to stop: end the streams, and let nobody wait long."""
    app.intake.stop()
    app.forward.stop()
    app.feed.close()


def _run_parts(app: Callboard) -> None:
    tasks: list[asyncio.Task[None]] = []

    @app.before_serving
    async def start() -> None:
        await asyncio.to_thread(migrate, app.database)
        await account.make_admin(app)
        app.has_accounts = await app.database.read(has_accounts)
        for part in (app.intake, app.feed, app.archive, app.forward, app.upkeep, app.visits, app.watch, app.memory):
            task = asyncio.create_task(part.run(), name=type(part).__name__)
            task.add_done_callback(partial(_report_end, app))
            tasks.append(task)

    @app.after_serving
    async def finish() -> None:
        stop(app)
        await erase.finish(app)
        await app.last_used.finish()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await app.watch.stop()
        await asyncio.to_thread(app.database.close)


def _report_end(app: Callboard, task: asyncio.Task[None]) -> None:
    """A part never ends by itself; if one does, the log and /readyz must say so, for nothing else would."""
    if not task.cancelled() and (problem := task.exception()):
        app.ended = task.get_name()
        log.critical("%s has stopped", task.get_name(), exc_info=problem)


def _room(app: Callboard) -> Notice | None:
    """What people are to know of the disk: the database's own when it refuses reports, else the recordings'."""
    if app.reserve.is_short():
        return short_of_room(app.reserve.free, refuses=True, keeps=False)
    return short_of_room(app.archive.room.free, refuses=False, keeps=not app.archive.room.is_short())


async def _explain(problem: HTTPException) -> ResponseReturnValue:
    status = problem.code or 500
    answer = _explanation(status, problem)
    if isinstance(problem, MethodNotAllowed) and problem.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(problem.valid_methods))
    if isinstance(problem, ServiceUnavailable) and problem.retry_after:
        answer.headers["Retry-After"] = str(problem.retry_after)
    return answer


def _explanation(status: int, problem: HTTPException) -> Response:
    if request.path in STREAMS:
        # It must never be put into a page as a sentence would be.
        return Response(b"", status)
    # Who may do what, and what cannot be done now, is said where it is refused.
    sentence = (problem.description if status in (403, 503) else None) or _sentences(status)
    if is_from_a_program():
        return refuse(status, sentence)
    return problem_page(status, title_of(status, problem.name), sentence)


async def _apologise(problem: Exception) -> ResponseReturnValue:
    # The path alone: a query can hold the webhook's secret.
    log.error("%s %.200r failed", request.method, request.path, exc_info=problem)
    if request.path in STREAMS:
        return Response(b"", 503)
    sentence = "Something failed on the server; its log says what. Calls are still taken in. Try again in a moment."
    if is_from_a_program():
        return refuse(500, sentence)
    return problem_page(500, "This page could not be shown", sentence)


def _sentences(status: int) -> str:
    return {
        404: "The address is not one of this board's. Check the link, or go back to the board.",
        405: "This address is not for that kind of request. Go back to the board.",
        408: "The form did not arrive in time, and nothing was done. Send it again.",
        413: "What was sent is larger than a form of this board may be, and nothing was done. Send less.",
    }.get(status, "The board cannot read this request, and nothing was done. Go back to the board and try again.")
