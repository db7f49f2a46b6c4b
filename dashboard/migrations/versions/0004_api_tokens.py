"""Tokens for programs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("role", sa.Text, nullable=False, server_default=""),
        sa.Column("campaigns", sa.Text, nullable=False, server_default="[]"),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("seen_at", BIG, nullable=True),
        sa.Column("ended_at", BIG, nullable=True),
    )
