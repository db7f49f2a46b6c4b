"""The tables. Plain columns, no behaviour; knows nothing of reports, pages or databases.

Every moment is a whole number of microseconds since 1970, UTC: exact, the same on both databases, and free of zones.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, false
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

# SQLite gives a 64-bit key to "INTEGER" only.
BIG = BigInteger().with_variant(Integer, "sqlite")


def big(**options: Any) -> Any:
    """A 64-bit whole number."""
    return Field(sa_column=Column(BIG, nullable=False, **options))


def maybe_big() -> Any:
    return Field(default=None, sa_column=Column(BIG, nullable=True))


NOT_NEW = sql("verdict <> 'new'")
"""Most reports are new: to find the others each has a place in an index, for which a new one pays nothing."""


def text() -> Any:
    return Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class Clock(SQLModel, table=True):
    """One row. `seq` is the last number given out, `call_id` the last id of a call: neither is ever used twice.

    `epoch` is another text after each restore: a number of before it means nothing after it.
    """

    id: int = Field(default=1, primary_key=True)
    seq: int = big(server_default="0")
    call_id: int = big(server_default="0")
    epoch: str = text()


class Inbox(SQLModel, table=True):
    """Every report as it came. `id` is the number it was written down with; a duplicate keeps no body of its own."""

    id: int = big(primary_key=True, autoincrement=False)
    received_at: int = big()
    verdict: str = text()
    problem: str = text()
    event: str = text()
    call_id: int | None = maybe_big()
    duplicate_of: int | None = maybe_big()
    size: int = Field(default=0)
    sha256: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    content_type: str = text()
    user_agent: str = text()
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    packing: str = text()
    """How the body is kept: `store.bodies` has the words, and gives the bytes."""
    content_encoding: str = text()
    """What the bytes that came are packed in, such as "gzip"; "" for plain ones. `size` and `sha256` are of the
    unpacked bytes, unless they could not be unpacked."""

    __table_args__ = (
        Index("inbox_sha256", "sha256"),
        Index("inbox_call_id", "call_id"),
        Index("inbox_not_new", "verdict", "id", sqlite_where=NOT_NEW, postgresql_where=NOT_NEW),
    )


class Undocumented(SQLModel, table=True):
    """A word of the platform's that its documentation does not have, such as a hang-up reason, and when it came."""

    kind: str = Field(sa_column=Column(Text, primary_key=True))
    value: str = Field(sa_column=Column(Text, primary_key=True))
    first_id: int = big()
    """The inbox row that brought it first."""
    first_seen_at: int = big()
    last_seen_at: int = big()
    times: int = big()

    __table_args__ = (Index("undocumented_first_id", "first_id"),)


class Call(SQLModel, table=True):
    """One call as its reports, merged, tell it. `data` is all of them as one JSON object; the rest follows from it."""

    id: int = big(primary_key=True, autoincrement=False)
    seq: int = big()
    created_seq: int = big()
    call_sid: str = text()
    try_count: int = Field()
    at: int = big()
    started_at: int | None = maybe_big()
    received_at: int = big()
    type: str = text()
    agent: str = text()
    version: str = text()
    campaign: str = text()
    reason: str = text()
    duration_seconds: int | None = Field(default=None)
    converted: bool | None = Field(default=None)
    from_number: str = text()
    to_number: str = text()
    customer_name: str = text()
    customer_number: str = text()
    disposition: str = text()
    recording_url: str = text()
    former_numbers: str = text()
    """The ends that earlier reports gave and later ones changed, as a JSON list; "" for none. See `calls.former`."""
    data: str = text()
    person: str = text()
    """The customer's key, as `phone_numbers.person_key` gives it; "" for anonymous callers, and until it is filled."""

    __table_args__ = (
        UniqueConstraint("call_sid", "try_count", name="call_identity"),
        Index("call_seq", "seq", unique=True),
        Index("call_person", "person", "at"),
    )


class Recording(SQLModel, table=True):
    """The audio of a call: where the platform has it, and how far we are with keeping it.

    `problem` says for people how the last attempt went, `cause` for the board what would have to change
    (`recordings/outcomes.py`). `codec` is FFmpeg's name; empty for what an earlier version has kept.
    """

    call_id: int = big(primary_key=True, autoincrement=False)
    url: str = text()
    state: str = text()
    attempts: int = Field(default=0)
    due_at: int = big()
    file: str = text()
    content_type: str = text()
    size: int = Field(default=0, sa_column=Column(BIG, nullable=False, server_default="0"))
    problem: str = text()
    cause: str = text()
    codec: str = text()

    __table_args__ = (Index("recording_due", "state", "due_at"),)


class Erased(SQLModel, table=True):
    """A call that is no more, and the number at which it went: open pages, every process's index and programs read it.

    Rows stay for ever, as the rows of the call's reports do: a program may come back after any time.
    """

    seq: int = big(primary_key=True, autoincrement=False)
    call_id: int = big()


class Discarded(SQLModel, table=True):
    """A recording's file that nothing refers to any more, until it is gone from the folder, too."""

    file: str = Field(sa_column=Column(Text, primary_key=True))


class Upkeep(SQLModel, table=True):
    """How far a piece of upkeep has come: every row up to `done` has been seen to, of the inbox or of the calls."""

    task: str = Field(sa_column=Column(Text, primary_key=True))
    done: int = big(server_default="0")


class Account(SQLModel, table=True):
    """Who may sign in, unless the account was disabled: it stays, so that the log of what was done keeps its names."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    password_hash: str = text()
    role: str = Field(default="admin", sa_column=Column(Text, nullable=False, server_default="admin"))
    campaigns: str = Field(default="[]", sa_column=Column(Text, nullable=False, server_default="[]"))
    """The campaigns it is limited to, as a JSON list; an empty one means all."""
    created_at: int = big()
    disabled_at: int | None = maybe_big()


class Session(SQLModel, table=True):
    """A signed-in browser. Only the hash of its cookie is kept: a stolen table opens nothing."""

    token_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    account_id: int = Field(foreign_key="account.id")
    created_at: int = big()
    seen_at: int = big()


class KnownBrowser(SQLModel, table=True):
    """A browser or an address that an account has signed in from. It opens nothing: it has its own limit of guesses."""

    __tablename__ = "known_browser"

    token_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    account_id: int = Field(foreign_key="account.id", primary_key=True)
    used_at: int = big()
    is_address: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))

    __table_args__ = (Index("known_browser_account", "account_id", "used_at"),)


class WallLink(SQLModel, table=True):
    """A wall that can be seen without signing in: the hash of its token, the filter it shows, and who shared it."""

    __tablename__ = "wall_link"

    token_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    query: str = text()
    created_at: int = big()
    made_by: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class ApiToken(SQLModel, table=True):
    """What a program shows in place of a sign-in: its hash, what it may do, and when it was last used and ended."""

    __tablename__ = "api_token"

    id: int | None = Field(default=None, primary_key=True)
    token_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    name: str = text()
    role: str = text()
    campaigns: str = Field(default="[]", sa_column=Column(Text, nullable=False, server_default="[]"))
    created_at: int = big()
    seen_at: int | None = maybe_big()
    ended_at: int | None = maybe_big()


class Audit(SQLModel, table=True):
    """One line of the audit log: who, from where, did what, and to what. Only a number that is erased leaves it."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    at: int = big()
    account: str = text()
    address: str = text()
    action: str = text()
    about: str = text()

    __table_args__ = {"sqlite_autoincrement": True}


class Forward(SQLModel, table=True):
    """A target that reports are handed on to, and how far it is: up to `cursor` all is sent, or set aside by a row."""

    target: str = Field(sa_column=Column(Text, primary_key=True))
    began_after: int = big()
    """The last number before its first report."""
    cursor: int = big()
    report_id: int | None = maybe_big()
    """The report that failed and is tried again, and how often it was tried."""
    attempts: int = Field(default=0)
    failures: int = Field(default=0)
    """How many attempts failed since the target last took a report, and since when."""
    failing_since: int | None = maybe_big()
    due_at: int = big()
    claim: int = Field(default=0)
    """Goes up with every process that takes the target for a while; who holds an older one has lost it."""
    claimed_until: int | None = maybe_big()
    answer: str = text()
    answered_at: int | None = maybe_big()
    left_at: int | None = maybe_big()
    """Since when it is no longer in the settings."""


class ForwardAside(SQLModel, table=True):
    """A report that did not go to a target with the others: why, and what is to become of it."""

    __tablename__ = "forward_aside"

    target: str = Field(sa_column=Column(Text, primary_key=True))
    inbox_id: int = big(primary_key=True, autoincrement=False)
    state: str = text()
    problem: str = text()
    at: int = big()

    __table_args__ = (Index("forward_aside_state", "state", "target"), Index("forward_aside_inbox", "inbox_id"))


class Watch(SQLModel, table=True):
    """From when to when a process could store; with `filled_at`, when none could, but what was missed was brought in.

    Nobody may take the id of a row that is gone: a process that comes back late would go on with another's.
    """

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    started_at: int = big()
    last_at: int = big()
    ending: str = text()
    filled_at: int | None = maybe_big()

    __table_args__ = {"sqlite_autoincrement": True}


def table_of(model: type[SQLModel]) -> Table:
    """The Core table of a model, for statements that are made once and run on every webhook.

    Making them anew each time, and the ORM's bookkeeping of the rows, took as long as the database itself.
    """
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table
