"""What every error of PostgreSQL and of SQLite means: each has a class, and the class is the right one."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dashboard.database import is_away, kind_of_failure
from dashboard.database.errors import (
    SQLITE_CODES,
    SQLSTATE_CLASSES,
    SQLSTATES,
    CannotUse,
    Kind,
    of_sqlite,
    of_sqlstate,
)

STATES = sorted(
    {
        each.sqlstate
        for each in vars(psycopg.errors).values()
        if isinstance(each, type) and issubclass(each, psycopg.Error) and each.sqlstate
    }
)
# The primary codes of https://sqlite.org/rescode.html: sqlite3 has other constants beside these.
PRIMARY = (
    "ABORT AUTH BUSY CANTOPEN CONSTRAINT CORRUPT DONE EMPTY ERROR FORMAT FULL INTERNAL INTERRUPT IOERR LOCKED MISMATCH "
    "MISUSE NOLFS NOMEM NOTADB NOTFOUND NOTICE OK PERM PROTOCOL RANGE READONLY ROW SCHEMA TOOBIG WARNING"
)
RESULTS = {
    name: getattr(sqlite3, name)
    for name in dir(sqlite3)
    if name.startswith("SQLITE_") and any(f"{name}_".startswith(f"SQLITE_{primary}_") for primary in PRIMARY.split())
}


def of_postgres(sqlstate: str) -> DBAPIError:
    return DBAPIError.instance("", {}, psycopg.errors.lookup(sqlstate)("words"), psycopg.Error)  # type: ignore[return-value]


def test_every_class_of_postgresql_has_a_row_and_no_row_is_of_an_unknown_code() -> None:
    assert len(STATES) > 250
    assert {state[:2] for state in STATES} <= set(SQLSTATE_CLASSES)
    assert set(SQLSTATES) <= set(STATES)


def test_every_result_code_of_sqlite_has_a_row() -> None:
    assert len(RESULTS) > 100
    assert {code & 0xFF for code in RESULTS.values()} == set(SQLITE_CODES)


@pytest.mark.parametrize("state", STATES)
def test_every_error_of_postgresql_means_the_same_raised_as_by_its_code(state: str) -> None:
    assert kind_of_failure(of_postgres(state)) is of_sqlstate(state)
    assert is_away(of_postgres(state)) is (of_sqlstate(state) in (Kind.PASSING, Kind.WRONG_NODE))


@pytest.mark.parametrize(
    ("states", "kind"),
    [
        ("25006 57P01 57P02 57P03 57P04 57P05 25P03 08000 08001 08003 08006 58030 26000 42P05 0A000", Kind.WRONG_NODE),
        ("40001 40P01 53000 53100 53200 53300 55P03 57014 55006", Kind.PASSING),
        ("22001 22003 22021 22P02 22P05 23502 23503 23505 23514 54000 54001 54011 P0001 40002", Kind.POISONED),
        ("42501 42P01 42703 42601 3D000 28P01 28000 XX000 XX001 XX002 F0000", Kind.FATAL),
        ("99999 ZZZZZ", Kind.POISONED),
    ],
)
def test_what_codes_of_postgresql_mean(states: str, kind: Kind) -> None:
    assert {of_sqlstate(state) for state in states.split()} == {kind}


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        ("READONLY READONLY_DBMOVED READONLY_DIRECTORY CANTOPEN IOERR IOERR_WRITE IOERR_FSYNC PERM", Kind.WRONG_NODE),
        ("BUSY BUSY_SNAPSHOT LOCKED FULL NOMEM IOERR_BLOCKED", Kind.PASSING),
        ("CONSTRAINT CONSTRAINT_UNIQUE CONSTRAINT_TRIGGER TOOBIG MISMATCH RANGE", Kind.POISONED),
        ("ERROR CORRUPT CORRUPT_INDEX NOTADB AUTH IOERR_CORRUPTFS", Kind.FATAL),
    ],
)
def test_what_codes_of_sqlite_mean(codes: str, kind: Kind) -> None:
    assert {of_sqlite(RESULTS[f"SQLITE_{code}"]) for code in codes.split()} == {kind}


@given(st.text(), st.integers())
def test_no_code_is_without_a_meaning(state: str, code: int) -> None:
    assert isinstance(of_sqlstate(state), Kind)
    assert isinstance(of_sqlite(code), Kind)


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (PoolTimeout(), Kind.PASSING),
        (ConnectionResetError(), Kind.WRONG_NODE),
        (CannotUse("a standby"), Kind.WRONG_NODE),
        (CannotUse("LATIN1", Kind.FATAL), Kind.FATAL),
        (OperationalError("", {}, psycopg.OperationalError("connection refused")), Kind.WRONG_NODE),
        (InterfaceError("", {}, psycopg.InterfaceError("the cursor is closed")), Kind.WRONG_NODE),
        # What Python's sqlite3 and psycopg say of a value that they cannot send.
        (InterfaceError("", {}, sqlite3.InterfaceError("Error binding parameter")), Kind.POISONED),
        (DBAPIError("", {}, psycopg.DataError("NUL")), Kind.POISONED),
        (RuntimeError("a fault of ours"), Kind.POISONED),
    ],
)
def test_what_a_failure_without_a_code_means(problem: Exception, kind: Kind) -> None:
    assert kind_of_failure(problem) is kind
