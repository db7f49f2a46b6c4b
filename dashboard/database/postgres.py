"""What only PostgreSQL needs: sessions with limits, lines that can be hung up, and news from other processes.

Its driver is loaded where it is used: a board on SQLite starts without, and reports wait for a start.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import create_engine

from dashboard.database.clock import CHANNEL
from dashboard.database.errors import CannotUse, Kind, kind_of_failure

if TYPE_CHECKING:
    import psycopg

    Line = psycopg.Connection[Any]


# Without these a line that breaks in mid-write would leave the clock's row locked until TCP gives up, hours later.
_LIMITS = {"statement_timeout": "3s", "lock_timeout": "3s", "synchronous_commit": "on", "TimeZone": "UTC"}
_WRITER_LIMITS = {"idle_in_transaction_session_timeout": "5s"}
_CONNECT_SECONDS = 2
# A network that drops packets in silence ends a connection by these: the second where something was sent, the others
# where nothing is, as on the connection that listens. The system's own limits are 15 minutes and two hours.
_NETWORK_LIMITS = {
    "connect_timeout": _CONNECT_SECONDS,
    "tcp_user_timeout": 3000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
_LOOK = """SELECT current_setting('server_encoding'), pg_is_in_recovery(),
    current_setting('transaction_read_only') = 'on', pg_backend_pid(), current_setting('statement_timeout')"""

POOLER_OPTIONS = (
    "The pooler in front of the database refuses the options= of DASHBOARD_DATABASE_URL. Remove them from the address, "
    "set them with ALTER ROLE … SET …, or set `ignore_startup_parameters = options` in pgbouncer.ini."
)
STANDBY = (
    "PostgreSQL is a standby (pg_is_in_recovery), so nothing can be stored. Promote it, point the name in "
    "DASHBOARD_DATABASE_URL at the primary, or list all servers there, such as postgresql://user@host1,host2/database."
)
READ_ONLY = (
    "PostgreSQL takes no writes: default_transaction_read_only is on. Set it off for the server, the database and the "
    "role: ALTER SYSTEM, ALTER DATABASE, ALTER ROLE … RESET default_transaction_read_only."
)


def wrong_encoding(encoding: str) -> str:
    """Why a database of this encoding is refused, and how to make one that is not."""
    return (
        f"Its encoding is {encoding}, and reports need UTF-8 (Hindi, Tamil, emoji). Create another database: "
        "CREATE DATABASE callboard ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0; "
        "and name it in DASHBOARD_DATABASE_URL."
    )


class Server:
    """How connections to one address are made and checked, for writing, reading and listening alike.

    The address may lead to another server from one moment to the next: a name that moves at a failover, several hosts,
    a pooler.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._first = 0
        self.generation = 0
        """Goes up when a connection met a server that cannot write: every older connection may lead to it."""
        self.is_pooled = False
        """Whether connections go through a pooler: settings then last for a transaction, and LISTEN hears nothing."""

    def leave(self) -> None:
        """Replace every open connection before it is used again."""
        self.generation += 1

    def connect(self, options: dict[str, Any], *, writes: bool, opened: Callable[[Line], None]) -> Line:
        """A checked connection; `options` as psycopg takes them. Raises psycopg.Error, CannotUse."""
        limits = _LIMITS | (_WRITER_LIMITS if writes else {})
        line = self._dial(options, limits, writes=writes)
        # Before the first question: it is hung up from outside where a server answers nothing.
        opened(line)
        try:
            self._check(line, writes=writes)
        except BaseException:
            line.close()
            raise
        return line

    def begin(self, connection: Connection, *, writes: bool) -> None:
        """Through a pooler each transaction may run in another session, so it brings its settings with it."""
        if self.is_pooled:
            limits = _LIMITS | (_WRITER_LIMITS if writes else {})
            settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in limits.items())
            connection.exec_driver_sql(f"SELECT {settings}")

    def _dial(self, options: dict[str, Any], limits: dict[str, str], *, writes: bool) -> Line:
        import psycopg

        hosts = _hosts_of(options)
        # UTF8 here outranks PGCLIENTENCODING, the role's and the database's client_encoding.
        options = options | self._order(hosts, writes=writes) | {"client_encoding": "UTF8"}
        given = str(options.pop("options", ""))
        ours = " ".join(f"-c {name}={value}" for name, value in limits.items())
        try:
            line = psycopg.connect(**options, options=given if self.is_pooled else f"{given} {ours}".strip())
        except psycopg.OperationalError as problem:
            if "startup parameter" not in str(problem):
                raise
            if given:
                raise CannotUse(POOLER_OPTIONS, Kind.FATAL) from problem
            self.is_pooled = True
            line = psycopg.connect(**options)
        self._first = next((place for place, end in enumerate(hosts) if end == _end_of(line)), 0)
        return line

    def _order(self, hosts: list[tuple[str, str]], *, writes: bool) -> dict[str, Any]:
        """Of several hosts, begin with the one that took the last connection.

        After a connection that failed the next one comes first: hosts that answer nothing take so long each that the
        last ones of the list would never be reached.
        """
        if len(hosts) == 1:
            return {"target_session_attrs": "any"}
        first, self._first = self._first % len(hosts), self._first + 1
        turned = hosts[first:] + hosts[:first]
        return {
            "host": ",".join(host for host, _ in turned),
            "port": ",".join(port for _, port in turned),
            "target_session_attrs": "read-write" if writes else "primary",
        }

    def _check(self, line: Line, *, writes: bool) -> None:
        found = line.execute(_LOOK).fetchone()
        line.rollback()
        assert found is not None
        encoding, is_standby, is_read_only, pid, timeout = found
        if encoding != "UTF8":
            raise CannotUse(wrong_encoding(encoding), Kind.FATAL)
        # Reads, too: a standby lags behind, and a page after a 200 would lack the call.
        if is_standby:
            raise CannotUse(STANDBY)
        if writes and is_read_only:
            raise CannotUse(READ_ONLY)
        if pid != line.info.backend_pid or timeout != _LIMITS["statement_timeout"]:
            self.is_pooled = True
        if self.is_pooled:
            # A prepared statement belongs to one session of the server's, the next transaction may run in another.
            line.prepare_threshold = None


def _hosts_of(options: dict[str, Any]) -> list[tuple[str, str]]:
    """Every host with its port, as libpq pairs them: one port holds for all."""
    hosts, ports = (str(options.get(name) or "").split(",") for name in ("host", "port"))
    return list(zip(hosts, ports if len(ports) == len(hosts) else ports * len(hosts), strict=False))


def _end_of(line: Line) -> tuple[str, str]:
    return line.info.host, str(line.info.port)


def engine_of(url: URL, server: Server, *, writes: bool, connections: int, opened: Callable[[Line], None]) -> Engine:
    """`opened` hears of every connection that is made."""
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=2,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
        connect_args=_NETWORK_LIMITS,
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, record: ConnectionPoolEntry, _args: object, options: dict[str, Any]) -> Line:
        # Not at "connect": SQLAlchemy asks the server a few things before that, and can wait for ever there too.
        line = server.connect(options, writes=writes, opened=opened)
        # Now, not before: it has just been checked.
        record.info["generation"] = server.generation
        return line

    @event.listens_for(engine, "checkout")
    def look_again(_connection: object, record: ConnectionPoolEntry, _: object) -> None:
        if record.info["generation"] != server.generation:
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        server.begin(connection, writes=writes)

    @event.listens_for(engine, "handle_error")
    def drop(context: ExceptionContext) -> None:
        if context.connection is not None and kind_of_failure(context.original_exception) is Kind.WRONG_NODE:
            context.is_disconnect = True
            server.leave()

    return engine


def hang_up(lines: Iterable[Line]) -> None:
    """End these connections below everybody's feet, and with them every wait in them.

    A PostgreSQL that stands still acknowledges every byte and never answers: no timeout of its own or of the network's
    ends such a wait, and the thread in it would wait for ever.
    """
    for line in lines:
        # Loaded long since: a line is one of its own. Where there is none, a disk that stands still may hold it back.
        import psycopg

        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(line.fileno())) as connection:
            connection.shutdown(socket.SHUT_RDWR)


def wait_long(connection: Connection, seconds: int) -> None:
    """In this transaction statements take as long as they take, and locks are waited for so long."""
    for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(text(f"SELECT set_config('{limit}', '0', true)"))
    connection.execute(text(f"SELECT set_config('lock_timeout', '{seconds}s', true)"))


def listen(url: URL, server: Server, heard: Callable[[], None], closing: Event) -> None:
    """Call `heard` whenever somebody tells of news, until `closing`; a database that is away is tried again.

    Ends where connections go through a pooler: it delivers no notification, and the session is shared.
    """
    import psycopg

    _, options = url.get_dialect()().create_connect_args(url)
    while not (closing.is_set() or server.is_pooled):
        try:
            generation = server.generation
            made = server.connect({**options, **_NETWORK_LIMITS}, writes=False, opened=lambda _: None)
            with made as connection:
                if server.is_pooled:
                    return
                connection.autocommit = True
                connection.execute(f"LISTEN {CHANNEL}")
                while not closing.is_set() and generation == server.generation:
                    for _ in connection.notifies(timeout=0.25, stop_after=1):
                        heard()
        except (psycopg.Error, OSError):
            # The database restarts or is gone: the regular look carries on alone until it is back.
            closing.wait(1.0)


def table_bytes(connection: Connection) -> dict[str, int]:
    """How much room each table takes, its indexes with it."""
    rows = connection.execute(text("SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables ORDER BY 1"))
    return {row[0]: int(row[1]) for row in rows}
