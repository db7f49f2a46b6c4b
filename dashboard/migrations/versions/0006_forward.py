"""Where reports are handed on to, how far each target is, and what was set aside on the way."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def big(name: str, **options: object) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False, **options)  # type: ignore[arg-type]


def maybe_big(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=True)


def upgrade() -> None:
    op.create_table(
        "forward",
        sa.Column("target", sa.Text, primary_key=True),
        big("began_after"),
        big("cursor"),
        maybe_big("report_id"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        maybe_big("failing_since"),
        big("due_at"),
        sa.Column("claim", sa.Integer, nullable=False),
        maybe_big("claimed_until"),
        sa.Column("answer", sa.Text, nullable=False, server_default=""),
        maybe_big("answered_at"),
        maybe_big("left_at"),
    )
    op.create_table(
        "forward_aside",
        sa.Column("target", sa.Text, primary_key=True),
        big("inbox_id", primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False, server_default=""),
        sa.Column("problem", sa.Text, nullable=False, server_default=""),
        big("at"),
    )
    op.create_index("forward_aside_state", "forward_aside", ["state", "target"])
    op.create_index("forward_aside_inbox", "forward_aside", ["inbox_id"])
