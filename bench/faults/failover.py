"""The database changes under the board: a failover, a read-only role or disk, a pooler, another encoding.

Replication is synchronous here: without it PostgreSQL itself loses acknowledged commits at a failover, whatever its
client does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from bench.faults.client import Sender, new_board
from bench.faults.ledger import LATEST_ANSWER, find
from bench.faults.storage import started, weather
from bench.faults.table import Run
from bench.servers import NotMeasured
from tests.failing_disk import failing_disk
from tests.failover import REPLICATED, HotStandby, Name, execute, make_synchronous
from tests.pgbouncer import PgBouncer
from tests.postgres import PostgresServer
from tests.running import RunningBoard

RATE = 50.0
HEALED_WITHIN = 5.0
AWAY_SECONDS = 1.5


def measure(run: Run) -> None:
    _failovers(run)
    server = PostgresServer()
    try:
        server.start()
        _read_only(run, server)
        _pooled(run, server)
        _encodings(run, server)
    finally:
        server.close()
    _disk(run)


class Cluster:
    """A primary, its synchronous standby, and the name by which the board knows whichever takes writes."""

    def __init__(self) -> None:
        self.primary = PostgresServer(settings=REPLICATED)
        self.primary.start()
        self.standby = self._new_standby()
        self.name = Name(self.primary.port)

    def _new_standby(self) -> HotStandby:
        standby = HotStandby(self.primary)
        standby.start()
        make_synchronous(self.primary)
        return standby

    def fail_over(self) -> float:
        """The name moves before the standby is promoted, as a DNS entry may; the moment at which it takes writes."""
        self.name.move(self.standby.port)
        time.sleep(AWAY_SECONDS)
        self.primary.stop("immediate")
        self.standby.promote()
        return time.monotonic()

    def move_and_back(self) -> float:
        """The name leads to the standby for a while, and back."""
        self.name.move(self.standby.port)
        time.sleep(AWAY_SECONDS)
        self.name.move(self.primary.port)
        return time.monotonic()

    def follow(self) -> None:
        """After a failover: the next standby."""
        self.primary.close()
        self.primary = self.standby
        self.standby = self._new_standby()

    def close(self) -> None:
        self.name.close()
        self.standby.close()
        self.primary.close()


def _failovers(run: Run) -> None:
    rounds = run.choose(2, 10)
    cluster = Cluster()
    try:
        board = new_board(run.place("failover"), DASHBOARD_DATABASE_URL=cluster.name.url())
        with started(board):
            _fail_over(run, cluster, board, rounds)
    finally:
        cluster.close()


def _fail_over(run: Run, cluster: Cluster, board: RunningBoard, rounds: int) -> None:
    assert board.process is not None
    healed: list[float | None] = []
    with Sender(board.port, "failover", RATE) as sender:
        sender.wait_for_acknowledgement(0.0, 10)
        for number in range(1, rounds + 1):
            fault = cluster.move_and_back if number % 2 else cluster.fail_over
            moment = fault()
            healed.append(sender.wait_for_acknowledgement(moment, 40))
            run.say(f"  round {number}, {fault.__name__}: first report stored after {healed[-1]} s")
            if fault == cluster.fail_over:
                cluster.follow()
        time.sleep(1)
    found, ledger = find(board, sender.ledger), sender.ledger
    slowest = None if None in healed else max(seconds for seconds in healed if seconds is not None)
    is_up = board.process.poll() is None
    answers = ", ".join(f"{count} × {status or 'no answer'}" for status, count in sorted(ledger.statuses.items()))
    first = "never" if slowest is None else f"{slowest:.1f} s at the latest"
    run.row(
        f"{rounds} times: the name moves to the hot standby and back, or the standby is promoted; {RATE:.0f} reports/s",
        f"{answers}; {found}; {len(ledger.late)} late; first report stored {first} after; "
        f"{'one process throughout' if is_up else 'the server ENDED'}",
        f"0 lost, no answer after {LATEST_ANSWER} s, first report within {HEALED_WITHIN:.0f} s, no restart",
        found.is_right
        and not (ledger.late or ledger.unanswered)
        and is_up
        and slowest is not None
        # A round whose fault no report has met has shown nothing.
        and slowest < HEALED_WITHIN
        and ledger.statuses[503] + len(ledger.felt(0.0, time.monotonic())) > 0,
    )


def _read_only(run: Run, server: PostgresServer) -> None:
    url = server.new_database()
    name = url.rpartition("/")[2]
    execute(server, "CREATE ROLE board LOGIN")
    execute(server, f"ALTER DATABASE {name} OWNER TO board")
    board = new_board(run.place("failover-role"), DASHBOARD_DATABASE_URL=url.replace("postgres@", "board@"))
    with started(board):
        read_only = partial(_role, server, name, "SET default_transaction_read_only = on", "RESET ALL")
        weather(run, board, "the role becomes read-only, then not", read_only, 5)
        unready = partial(_expects_unready, board, read_only)
        weather(run, board, "the same, seen by /readyz", unready, 5)


@contextmanager
def _role(server: PostgresServer, database: str, change: str, back: str) -> Iterator[None]:
    """New sessions get the change; those that are open are ended, as a failover does."""
    execute(server, f"ALTER ROLE board {change}")
    execute(server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    try:
        yield
    finally:
        execute(server, f"ALTER ROLE board {back}")


@contextmanager
def _expects_unready(board: RunningBoard, fault: partial[object]) -> Iterator[None]:
    with fault():  # type: ignore[attr-defined]
        until = time.monotonic() + HEALED_WITHIN
        while (status := board.get("/readyz").status_code) != 503:
            assert time.monotonic() < until, f"/readyz said {status} while nothing could be stored"
        yield


def _pooled(run: Run, server: PostgresServer) -> None:
    pooler = PgBouncer(server)
    try:
        database = server.new_database().rpartition("/")[2]
        board = new_board(run.place("failover-pooler"), DASHBOARD_DATABASE_URL=pooler.url(database))
        with started(board):
            what = "PgBouncer in transaction mode, PostgreSQL behind it killed and started"
            weather(run, board, what, partial(_restarted, server), 3)
    finally:
        pooler.close()


@contextmanager
def _restarted(server: PostgresServer) -> Iterator[None]:
    server.stop("immediate")
    try:
        yield
    finally:
        server.start()


def _encodings(run: Run, server: PostgresServer) -> None:
    encodings = ("LATIN1", "SQL_ASCII", "EUC_JP")
    said = [encoding for encoding in encodings if _refuses(run, server.encoded_database(encoding), encoding)]
    run.row(
        f"a PostgreSQL whose encoding is {', '.join(encodings)}",
        f"{len(said)} of {len(encodings)} refused at the start in a sentence with the way out",
        "all refused, no traceback",
        len(said) == len(encodings),
    )


def _refuses(run: Run, url: str, encoding: str) -> bool:
    folder = run.place(f"failover-{encoding}")
    environment = os.environ | {"DASHBOARD_DATABASE_URL": url, "DASHBOARD_DATA": str(folder)}
    command = [sys.executable, "-m", "dashboard", "serve"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    words = f"Its encoding is {encoding}", "CREATE DATABASE"
    return ran.returncode == 1 and all(each in ran.stderr for each in words) and "Traceback" not in ran.stderr


def _disk(run: Run) -> None:
    """A file system that the kernel turns read-only at an error, as it does when a disk fails."""
    what = "the disk turns read-only (ext4 at an error of its own)"
    folder = run.place("failover-disk")
    board = new_board(run.place("failover-disk-log"))
    board.environment |= {"DASHBOARD_DATA": str(folder / "data"), "DASHBOARD_DISK_RESERVE": "0"}
    (board.folder / "data").symlink_to(folder / "data", target_is_directory=True)
    with ExitStack() as mounted:
        try:
            disk = mounted.enter_context(failing_disk(run.folder / "failover-disk.img", folder))
        except (OSError, subprocess.CalledProcessError) as problem:
            raise NotMeasured(f"no file system may be made and mounted here ({problem}): run it as root") from problem
        with started(board), Sender(board.port, what, RATE) as sender:
            sender.wait_for_acknowledgement(0.0, 5)
            time.sleep(2)
            disk.fail()
            began = time.monotonic()
            time.sleep(run.choose(5.0, 20.0))
            ready = board.get("/readyz").status_code
        disk.repair()
        ledger, found = sender.ledger, find(board, sender.ledger)
    refused = len([sent for sent in ledger.sent if sent.status == 503 and sent.at > began])
    run.row(
        what,
        f"{refused} × 503 from then on, /readyz {ready}; after a repair {found}; {len(ledger.late)} late",
        "refused, /readyz 503, 0 lost",
        found.is_right and ready == 503 and refused > 0 and not (ledger.late or ledger.unanswered),
    )
