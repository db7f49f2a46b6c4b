"""The first tables: clock, inbox, call, recording, account, session."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def big(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False, **options)


def words(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="") for name in names]


def upgrade() -> None:
    clock = op.create_table(
        "clock",
        sa.Column("id", sa.Integer, primary_key=True),
        big("seq", server_default="0"),
        big("call_id", server_default="0"),
    )
    op.bulk_insert(clock, [{"id": 1, "seq": 0, "call_id": 0}])
    op.create_table(
        "inbox",
        big("id", primary_key=True, autoincrement=False),
        big("received_at"),
        *words("verdict", "problem", "event"),
        sa.Column("call_id", BIG, nullable=True),
        sa.Column("duplicate_of", BIG, nullable=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        *words("content_type", "user_agent"),
        sa.Column("body", sa.LargeBinary, nullable=True),
    )
    op.create_index("inbox_sha256", "inbox", ["sha256"])
    op.create_index("inbox_call_id", "inbox", ["call_id"])
    op.create_table(
        "call",
        big("id", primary_key=True, autoincrement=False),
        big("seq"),
        big("created_seq"),
        *words("call_sid"),
        sa.Column("try_count", sa.Integer, nullable=False),
        big("at"),
        sa.Column("started_at", BIG, nullable=True),
        big("received_at"),
        *words("type", "agent", "version", "campaign", "reason"),
        sa.Column("duration_seconds", sa.Integer, nullable=True),
        sa.Column("converted", sa.Boolean, nullable=True),
        *words("from_number", "to_number", "customer_name", "customer_number", "disposition", "recording_url", "data"),
        sa.UniqueConstraint("call_sid", "try_count", name="call_identity"),
    )
    op.create_index("call_seq", "call", ["seq"], unique=True)
    op.create_index("call_customer", "call", ["customer_number", "at"])
    op.create_table(
        "recording",
        big("call_id", primary_key=True, autoincrement=False),
        *words("url", "state"),
        sa.Column("attempts", sa.Integer, nullable=False),
        big("due_at"),
        *words("file", "content_type"),
        big("size", server_default="0"),
        *words("problem"),
    )
    op.create_index("recording_due", "recording", ["state", "due_at"])
    op.create_table(
        "account",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        *words("password_hash"),
        big("created_at"),
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("account_id", sa.Integer, sa.ForeignKey("account.id"), nullable=False),
        big("created_at"),
        big("seen_at"),
    )
    op.create_table(
        "wall_link",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        *words("query"),
        big("created_at"),
    )
