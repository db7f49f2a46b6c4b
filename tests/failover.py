"""What a failover is made of: a primary, a hot standby that follows it, and a name that leads to one of them."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from tests.postgres import CEILING, OWNER, PostgresServer

REPLICATED = {"wal_level": "replica", "max_wal_senders": "8", "wal_keep_size": "64MB"}
STANDBY_NAME = "standby"


class HotStandby(PostgresServer):
    """A copy of a running primary that follows it and can be read; `promote` makes it a primary."""

    def __init__(self, primary: PostgresServer) -> None:
        self._primary = primary
        super().__init__(settings=REPLICATED)

    def _init(self) -> None:
        # --write-recovery-conf makes it a standby of this address.
        self._make(
            "pg_basebackup",
            f"--dbname={self._primary.url()}?application_name={STANDBY_NAME}",
            f"--pgdata={self._data}",
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
        )

    def promote(self) -> None:
        """Back once it takes writes."""
        execute(self, "SELECT pg_promote(true, 30)")


def execute(server: PostgresServer, statement: str) -> list[Any]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def wait_until_true(server: PostgresServer, condition: str) -> None:
    until = time.monotonic() + CEILING
    while execute(server, f"SELECT {condition}") != [(True,)]:
        assert time.monotonic() < until, condition
        time.sleep(0.02)


def make_synchronous(primary: PostgresServer) -> None:
    """From now on a commit is acknowledged only once the standby has it on its disk: a failover loses none."""
    wait_until_true(primary, "EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')")
    execute(primary, f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY_NAME}'")
    execute(primary, "SELECT pg_reload_conf()")
    wait_until_true(primary, "EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")


@contextmanager
def replicated_pair() -> Iterator[tuple[PostgresServer, HotStandby]]:
    """A running primary and a running hot standby of it, synchronous."""
    primary = PostgresServer(settings=REPLICATED)
    try:
        primary.start()
        standby = HotStandby(primary)
        try:
            standby.start()
            make_synchronous(primary)
            yield primary, standby
        finally:
            standby.close()
    finally:
        primary.close()


class Name:
    """A port of 127.0.0.1 that leads to one server or another, as a name in the DNS or a proxy does."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._door = socket.create_server(("127.0.0.1", 0))
        self._selector.register(self._door, selectors.EVENT_READ)
        self.port = int(self._door.getsockname()[1])
        self._is_open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def url(self, database: str = OWNER, *, user: str = OWNER) -> str:
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def move(self, port: int, *, cut: bool = True) -> None:
        """Lead new connections elsewhere; `cut` ends those that are open."""
        self._target = port
        if cut:
            with self._lock:
                for each in [*self._pairs]:
                    with suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._is_open = False
        self._thread.join(5)

    def _serve(self) -> None:
        while self._is_open:
            for key, _ in self._selector.select(0.1):
                if key.fileobj is self._door:
                    self._accept()
                else:
                    self._hand_on(key.fileobj)  # type: ignore[arg-type]
        for each in [*self._pairs, self._door]:
            each.close()
        self._selector.close()

    def _accept(self) -> None:
        visitor, _ = self._door.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=2)
        except OSError:
            visitor.close()
            return
        with self._lock:
            self._pairs |= {visitor: server, server: visitor}
        for each in (visitor, server):
            self._selector.register(each, selectors.EVENT_READ)

    def _hand_on(self, source: socket.socket) -> None:
        other = self._pairs.get(source)
        if other is None:
            return
        data = b""
        with suppress(OSError):
            data = source.recv(65536)
            other.sendall(data)
        if not data:
            with self._lock:
                for each in (source, other):
                    del self._pairs[each]
                    self._selector.unregister(each)
                    each.close()
