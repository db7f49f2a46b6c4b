"""Accounts have a role, and may be limited to campaigns."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Whoever had an account until now could do everything.
    op.add_column("account", sa.Column("role", sa.Text, nullable=False, server_default="admin"))
    op.add_column("account", sa.Column("campaigns", sa.Text, nullable=False, server_default="[]"))
