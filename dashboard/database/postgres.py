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
from sqlmodel import create_engine

from dashboard.database.clock import CHANNEL

if TYPE_CHECKING:
    import psycopg

    Line = psycopg.Connection[Any]


def engine_of(url: URL, *, writes: bool, connections: int, opened: Callable[[Line], None]) -> Engine:
    """`opened` hears of every connection that is made."""
    # A line that breaks in mid-write would leave the clock's row locked until TCP gives up, hours later.
    idle = " -c idle_in_transaction_session_timeout=5000" if writes else ""
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=2,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
        connect_args={
            "connect_timeout": 2,
            "tcp_user_timeout": 3000,
            "options": "-c statement_timeout=3000 -c lock_timeout=3000 -c synchronous_commit=on -c timezone=UTC" + idle,
        },
    )

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: object, args: Any, options: Any) -> Any:
        # Not at "connect": SQLAlchemy asks the server a few things before that, and can wait for ever there too.
        connection = dialect.connect(*args, **options)
        opened(connection)
        return connection

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


def listen(url: URL, heard: Callable[[], None], closing: Event) -> None:
    """Call `heard` whenever somebody tells of news, until `closing`; a database that is away is tried again."""
    import psycopg

    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    while not closing.is_set():
        try:
            with psycopg.connect(conninfo, autocommit=True, connect_timeout=2) as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                while not closing.is_set():
                    for _ in connection.notifies(timeout=0.25, stop_after=1):
                        heard()
        except psycopg.Error:
            # The database restarts or is gone: the regular look carries on alone until it is back.
            closing.wait(1.0)


def table_bytes(connection: Connection) -> dict[str, int]:
    """How much room each table takes, its indexes with it."""
    rows = connection.execute(text("SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables ORDER BY 1"))
    return {row[0]: int(row[1]) for row in rows}
