"""What an error of the database means for the work that met it: one table for PostgreSQL, one for SQLite. Pure.

Sources: PostgreSQL 18, appendix A "PostgreSQL Error Codes" (the first two characters of a SQLSTATE are its class), and
https://sqlite.org/rescode.html (the low eight bits of an extended result code are its primary code).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from enum import Enum

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class Kind(Enum):
    """What to do after an error."""

    PASSING = "passing"
    """Try the same again on the same connection: a lock, a deadlock, a full disk."""
    WRONG_NODE = "wrong node"
    """Drop the connection and try the same on another: this server cannot write, or it is gone."""
    POISONED = "poisoned report"
    """The data is refused and would be refused again: store every other report without it."""
    FATAL = "fatal"
    """An operator has to act (a missing table, a missing privilege, a damaged file), and trying again costs nothing."""


_PASSING, _WRONG_NODE, _POISONED, _FATAL = Kind.PASSING, Kind.WRONG_NODE, Kind.POISONED, Kind.FATAL

# Every class of appendix A.
SQLSTATE_CLASSES: Mapping[str, Kind] = {
    "00": _PASSING,  # successful completion
    "01": _POISONED,  # warning
    "02": _POISONED,  # no data
    "03": _WRONG_NODE,  # SQL statement not yet complete: the connection is in a state that we do not know
    "08": _WRONG_NODE,  # connection exception
    "09": _POISONED,  # triggered action exception: a trigger saw the row
    "0A": _FATAL,  # feature not supported
    "0B": _WRONG_NODE,  # invalid transaction initiation
    "0F": _POISONED,  # locator exception
    "0L": _FATAL,  # invalid grantor
    "0P": _FATAL,  # invalid role specification
    "0Z": _POISONED,  # diagnostics exception
    "10": _POISONED,  # XQuery error
    "20": _POISONED,  # case not found
    "21": _POISONED,  # cardinality violation
    "22": _POISONED,  # data exception
    "23": _POISONED,  # integrity constraint violation
    "24": _WRONG_NODE,  # invalid cursor state
    "25": _WRONG_NODE,  # invalid transaction state, 25006 "read-only transaction" among them
    "26": _WRONG_NODE,  # invalid SQL statement name: a pooler has given us another server's session
    "27": _POISONED,  # triggered data change violation
    "28": _FATAL,  # invalid authorization specification
    "2B": _FATAL,  # dependent privilege descriptors still exist
    "2D": _WRONG_NODE,  # invalid transaction termination
    "2F": _POISONED,  # SQL routine exception
    "34": _WRONG_NODE,  # invalid cursor name
    "38": _POISONED,  # external routine exception
    "39": _POISONED,  # external routine invocation exception
    "3B": _WRONG_NODE,  # savepoint exception
    "3D": _FATAL,  # invalid catalog name: there is no such database
    "3F": _FATAL,  # invalid schema name
    "40": _PASSING,  # transaction rollback: serialization failure, deadlock, conflict with recovery on a standby
    "42": _FATAL,  # syntax error or access rule violation: a missing table, column or privilege
    "44": _POISONED,  # WITH CHECK OPTION violation
    "53": _PASSING,  # insufficient resources: disk full, out of memory, too many connections
    "54": _POISONED,  # program limit exceeded: a value too large for an index
    "55": _PASSING,  # object not in prerequisite state: lock not available
    "57": _PASSING,  # operator intervention: a statement was cancelled
    "58": _WRONG_NODE,  # system error outside of PostgreSQL: its disk fails
    "72": _PASSING,  # snapshot too old
    "F0": _FATAL,  # configuration file error
    "HV": _FATAL,  # foreign data wrapper error
    "P0": _POISONED,  # PL/pgSQL error: a trigger refuses the row
    "XX": _FATAL,  # internal error, damaged data
}

# Codes that mean something else than the rest of their class.
SQLSTATES: Mapping[str, Kind] = {
    "0A000": _WRONG_NODE,  # "cached plan must not change result type": a session from before the tables changed
    "40002": _POISONED,  # transaction integrity constraint violation
    "40003": _WRONG_NODE,  # statement completion unknown
    "42P05": _WRONG_NODE,  # duplicate prepared statement: a pooler has given us another server's session
    "55000": _WRONG_NODE,  # object not in prerequisite state: on a standby, what only a primary can do
    "57P01": _WRONG_NODE,  # admin shutdown
    "57P02": _WRONG_NODE,  # crash shutdown
    "57P03": _WRONG_NODE,  # cannot connect now: starting, stopping or recovering
    "57P04": _WRONG_NODE,  # database dropped
    "57P05": _WRONG_NODE,  # idle session timeout
}

# Every primary result code.
SQLITE_CODES: Mapping[int, Kind] = {
    sqlite3.SQLITE_OK: _PASSING,
    sqlite3.SQLITE_ERROR: _FATAL,  # no such table, a statement that SQLite does not know
    sqlite3.SQLITE_INTERNAL: _FATAL,
    sqlite3.SQLITE_PERM: _WRONG_NODE,  # the file's mode; opened again once it has been changed
    sqlite3.SQLITE_ABORT: _PASSING,
    sqlite3.SQLITE_BUSY: _PASSING,
    sqlite3.SQLITE_LOCKED: _PASSING,
    sqlite3.SQLITE_NOMEM: _PASSING,
    # A connection that was opened while the file could not be written to stays read-only for as long as it is open.
    sqlite3.SQLITE_READONLY: _WRONG_NODE,
    sqlite3.SQLITE_INTERRUPT: _PASSING,
    sqlite3.SQLITE_IOERR: _WRONG_NODE,  # what an open connection has cached of a failing disk is not to be trusted
    sqlite3.SQLITE_CORRUPT: _FATAL,
    sqlite3.SQLITE_NOTFOUND: _FATAL,
    sqlite3.SQLITE_FULL: _PASSING,
    sqlite3.SQLITE_CANTOPEN: _WRONG_NODE,
    sqlite3.SQLITE_PROTOCOL: _PASSING,  # two connections raced for the log's lock
    sqlite3.SQLITE_EMPTY: _PASSING,
    sqlite3.SQLITE_SCHEMA: _PASSING,  # the tables changed meanwhile
    sqlite3.SQLITE_TOOBIG: _POISONED,
    sqlite3.SQLITE_CONSTRAINT: _POISONED,
    sqlite3.SQLITE_MISMATCH: _POISONED,
    sqlite3.SQLITE_MISUSE: _WRONG_NODE,
    sqlite3.SQLITE_NOLFS: _FATAL,  # the file system holds no file of this size
    sqlite3.SQLITE_AUTH: _FATAL,
    sqlite3.SQLITE_FORMAT: _FATAL,
    sqlite3.SQLITE_RANGE: _POISONED,
    sqlite3.SQLITE_NOTADB: _FATAL,
    sqlite3.SQLITE_NOTICE: _PASSING,
    sqlite3.SQLITE_WARNING: _PASSING,
    sqlite3.SQLITE_ROW: _PASSING,
    sqlite3.SQLITE_DONE: _PASSING,
}

# Extended codes that mean something else than the rest of their primary code.
SQLITE_EXTENDED: Mapping[int, Kind] = {
    sqlite3.SQLITE_ERROR_RETRY: _PASSING,
    sqlite3.SQLITE_ERROR_SNAPSHOT: _PASSING,
    sqlite3.SQLITE_IOERR_BLOCKED: _PASSING,
    sqlite3.SQLITE_IOERR_NOMEM: _PASSING,
    sqlite3.SQLITE_IOERR_LOCK: _PASSING,
    sqlite3.SQLITE_IOERR_CORRUPTFS: _FATAL,
}


class CannotUse(OSError):
    """A server that was reached and cannot be used as it is; its text says why and what to do, and has no secret."""

    def __init__(self, words: str, kind: Kind = Kind.WRONG_NODE) -> None:
        super().__init__(words)
        self.kind = kind


def of_sqlstate(code: str) -> Kind:
    """What a SQLSTATE means. One that appendix A does not have is POISONED: then it can hold back no other report."""
    return SQLSTATES.get(code) or SQLSTATE_CLASSES.get(code[:2], Kind.POISONED)


def of_sqlite(code: int) -> Kind:
    """What a result code of SQLite means, extended or primary. One that is not documented is POISONED."""
    return SQLITE_EXTENDED.get(code) or SQLITE_CODES.get(code & 0xFF, Kind.POISONED)


def kind_of_failure(problem: BaseException) -> Kind:
    """What a failed read or write means. What is no failure of the database's is a fault that this data has met."""
    if isinstance(problem, CannotUse):
        return problem.kind
    if isinstance(problem, PoolTimeout):
        return Kind.PASSING
    if isinstance(problem, OSError):
        return Kind.WRONG_NODE
    cause = getattr(problem, "orig", None) or problem
    if sqlstate := getattr(cause, "sqlstate", None):
        return of_sqlstate(sqlstate)
    if code := getattr(cause, "sqlite_errorcode", None):
        return of_sqlite(code)
    # Without a code: the driver itself. psycopg tells of a broken connection so, and of a value that it cannot send.
    is_broken = isinstance(problem, OperationalError) or (
        isinstance(problem, InterfaceError) and not isinstance(cause, sqlite3.Error)
    )
    if is_broken or (isinstance(problem, DBAPIError) and problem.connection_invalidated):
        return Kind.WRONG_NODE
    return Kind.POISONED


def is_away(problem: BaseException) -> bool:
    """Whether a failure is the storage's (locked, full, read-only, gone, frozen): worth trying again as it is."""
    return kind_of_failure(problem) in (Kind.PASSING, Kind.WRONG_NODE)
