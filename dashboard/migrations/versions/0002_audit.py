"""Accounts can be disabled; the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("account", sa.Column("disabled_at", BIG, nullable=True))
    words = ("account", "address", "action", "about")
    op.create_table(
        "audit",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("at", BIG, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in words),
        sqlite_autoincrement=True,
    )
