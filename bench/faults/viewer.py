"""A viewer who tries everything possible, while reports arrive: they are taken quickly, and others see them at once."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from urllib.parse import quote

import psutil

from bench.faults.client import Sender, burst, canary_report, guarded, new_board
from bench.faults.ledger import Ledger, find
from bench.faults.pages import _committed
from bench.faults.table import Run
from bench.faults.ticking import longest_stall
from bench.faults.viewer_attack import CAMPAIGNS, Target, attacking
from bench.hour import INDEX_BYTES_A_CALL
from bench.load import percentile
from dashboard.database import Database
from dashboard.roles import REVIEWER, VIEWER, Rights
from dashboard.store.accounts import add_account, find_account, start_session
from tests.recording_host import wav
from tests.running import RunningBoard

RATE = 50.0
CALLS_BEFORE = 1_000
MOST_P99 = 0.3
MOST_GROWN_MB = 150.0
MOST_LEFT_MB = 50.0
MOST_PAGE_P99 = 1.0
QUIET_SECONDS = 30.0
LARGE_NUMBERS, LARGE_DIGITS = 2_000, 300_000
_ROW = re.compile(rb'<tr id="call-(\d+)" class=')


def measure(run: Run) -> None:
    seconds = run.choose(60.0, 600.0)
    place = run.place("viewer")
    with _audio() as port:
        board, ticks = new_board(place, DASHBOARD_RECORDING_HOSTS=f"127.0.0.1:{port}"), place / "ticks"
        board.environment |= guarded(board.port)
        board.program = ("-m", "bench.faults.ticking", str(ticks), "serve")
        board.start()
        try:
            _beside(run, board, _filled(board, port), seconds)
        finally:
            board.end()
    assert ticks.exists(), "nobody looked at the loop"


def _beside(run: Run, board: RunningBoard, target: Target, seconds: float) -> None:
    assert board.process is not None
    server = psutil.Process(board.process.pid)
    with Sender(board.port, "before", RATE) as alone:
        time.sleep(5)
    # A server that has shown no page yet has neither its readers' caches nor its templates: those are no one's attack.
    _ordinary_use(board.port)
    before, began = _megabytes(server), time.monotonic()
    with _peak(server) as peak, _honest_page(board.port) as came:
        with Sender(board.port, "viewer", RATE) as sender:
            with attacking(target, seconds) as answers:
                time.sleep(seconds)
            time.sleep(2)
        time.sleep(MOST_PAGE_P99)  # the last reports reach the page, too
    ended = time.monotonic()
    time.sleep(QUIET_SECONDS)
    after = _megabytes(server)
    ledger, found = sender.ledger, find(board, sender.ledger)
    times = [sent.seconds for sent in ledger.sent]
    what = f"a viewer tries everything for {seconds:.0f} s, {RATE:.0f} reports/s"
    run.say(f"  answers: {_in_words(answers)}")
    run.row(
        f"{what}: the reports",
        f"p50 {1000 * median(times):.0f} ms, p99 {1000 * ledger.p99():.0f} ms, slowest {ledger.slowest:.2f} s of "
        f"{len(times):,}; {found}; {len(ledger.sent) - len(ledger.acknowledged)} refused "
        f"(p99 {1000 * alone.ledger.p99():.0f} ms before)",
        f"p99 ≤ {1000 * MOST_P99:.0f} ms, 0 lost, 0 refused",
        found.is_right and ledger.p99() <= MOST_P99 and len(ledger.sent) == len(ledger.acknowledged),
    )
    # The index of the calls that came meanwhile is no one's attack.
    index = len(ledger.acknowledged) * INDEX_BYTES_A_CALL / 2**20
    grown, left = peak[0] - before - index, after - before - index
    run.row(
        f"{what}: memory",
        f"{before:.0f} MB, at most {peak[0]:.0f} MB, {after:.0f} MB after {QUIET_SECONDS:.0f} s of quiet "
        f"(+{grown:.0f}, +{left:.0f} without {index:.0f} MB of index)",
        f"+ ≤ {MOST_GROWN_MB:.0f} MB, then + ≤ {MOST_LEFT_MB:.0f} MB",
        grown <= MOST_GROWN_MB and left <= MOST_LEFT_MB,
    )
    _row_of_page(run, what, board, ledger, came)
    stall = longest_stall(board.folder / "ticks", began)
    run.row(
        f"{what}: the loop, by a tick every 10 ms in it",
        f"longest stall {1000 * stall:.0f} ms in {ended - began:.0f} s",
        f"≤ {1000 * MOST_P99:.0f} ms",
        stall <= MOST_P99,
    )


def _ordinary_use(port: int) -> None:
    """A dozen people of another account look around for some seconds: pages, filters, calls."""
    paths = [
        "/",
        "/api/calls",
        "/api/figures",
        "/wall?period=today",
        *(f"/?campaign={quote(name)}" for name in CAMPAIGNS[:6]),
    ]

    def look_around(person: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        for number in range(40):
            path = paths[number % len(paths)] if number % 2 else f"/calls/{1 + person * 40 + number}"
            connection.request("GET", path, headers={"Cookie": _cookie("hari")})
            answer = connection.getresponse()
            answer.read()
            assert answer.status in (200, 303), (path, answer.status)
        connection.close()

    with ThreadPoolExecutor(12) as people:
        list(people.map(look_around, range(12)))


def _row_of_page(run: Run, what: str, board: RunningBoard, ledger: Ledger, came: dict[int, int]) -> None:
    committed = _committed(board, ledger)
    delays = [(came[call_id] - at) / 1e9 for call_id, at in committed.items() if call_id in came]
    missing = len(committed.keys() - came.keys())
    p99 = percentile(delays, 0.99) if delays else float("inf")
    run.row(
        f"{what}: an open page of another account",
        f"{missing} of {len(committed):,} calls missing; p50 {1000 * median(delays or [0]):.0f} ms, p99 {p99:.2f} s",
        f"every call, p99 ≤ {MOST_PAGE_P99:.0f} s",
        not missing and p99 <= MOST_PAGE_P99,
    )


def _in_words(answers: Counter[tuple[str, int]]) -> str:
    return "; ".join(f"{name} {status or 'no answer'} × {count:,}" for (name, status), count in sorted(answers.items()))


def _filled(board: RunningBoard, audio_port: int) -> Target:
    """Accounts, calls in every campaign, a call with very many numbers, one with a recording."""
    sids = [f"seed {number}" for number in range(CALLS_BEFORE)]
    bodies = [(sid, canary_report(sid, batchId=CAMPAIGNS[n % len(CAMPAIGNS)])) for n, sid in enumerate(sids)]
    numbers = [f"9198{number:08d}" for number in range(LARGE_NUMBERS)]
    digits = " ".join(numbers)[:LARGE_DIGITS]
    bodies.append(("large", canary_report("large", to=numbers, transcription=digits)))
    recorded = canary_report("recorded", recordingUrl=f"http://127.0.0.1:{audio_port}/a.wav")
    bodies.append(("recorded", recorded))
    ledger = burst(board.port, bodies)
    assert len(ledger.acknowledged) == len(bodies), ledger.statuses
    database = Database(f"sqlite:///{board.database_file}")
    try:
        database.write_now(_add_accounts)
        ids = {
            sid: database.read_now(
                lambda session, sid=sid: (
                    session.connection().exec_driver_sql("SELECT id FROM call WHERE call_sid = ?", (sid,)).scalar_one()
                )
            )
            for sid in ("large", "recorded")
        }
    finally:
        database.close()
    return Target(board.port, _cookie("vera"), _cookie("lina"), ids["large"], ids["recorded"])


def _add_accounts(session: object) -> None:
    now = time.time_ns() // 1000
    for name, rights in (
        ("vera", Rights(VIEWER)),
        ("lina", Rights(REVIEWER, tuple(CAMPAIGNS[:6]))),
        ("hari", Rights(VIEWER)),
    ):
        add_account(session, name, "no hash", now, rights)  # type: ignore[arg-type]
        session.flush()  # type: ignore[attr-defined]
        account = find_account(session, name)  # type: ignore[arg-type]
        assert account is not None
        assert account.id is not None
        start_session(session, account.id, f"session-of-{name}", now)  # type: ignore[arg-type]


def _cookie(name: str) -> str:
    return f"callboard_session=session-of-{name}"


def _megabytes(server: psutil.Process) -> float:
    return server.memory_info().rss / 2**20


@contextmanager
def _peak(server: psutil.Process) -> Iterator[list[float]]:
    """The largest that the server is while the context lasts, in MB."""
    peak, stop = [_megabytes(server)], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            peak[0] = max(peak[0], _megabytes(server))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()


@contextmanager
def _audio() -> Iterator[int]:
    """A server of one recording of 2 MB; its port."""
    sound = wav(seconds=125)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Content-Length", str(len(sound)))
            self.end_headers()
            self.wfile.write(sound)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _honest_page(port: int) -> Iterator[dict[int, int]]:
    """An open page of another account, in a process of its own; afterwards, when each call came, ns, by its id."""
    came = dict[int, int]()
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_read_page, args=(theirs, port), daemon=True)
    process.start()
    assert ours.recv() == "open"
    try:
        yield came
    finally:
        with suppress(EOFError, BrokenPipeError):  # its stream has ended: the calls after that are missing
            ours.send("enough")
            came.update(ours.recv())
        process.join()


def _read_page(pipe: Connection, port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/live", headers={"Cookie": _cookie("hari")})
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    came, rest = dict[int, int](), b""
    pipe.send("open")
    while not pipe.poll():
        data = answer.read1(2**16)
        now = time.monotonic_ns()
        assert data, "the stream of the honest page has ended"
        whole, _, rest = (rest + data).rpartition(b"\n\n")
        for call_id in _ROW.findall(whole):
            came.setdefault(int(call_id), now)
    pipe.send(came)
