"""When the board listened."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "watch",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("started_at", BIG, nullable=False),
        sa.Column("last_at", BIG, nullable=False),
        sa.Column("ending", sa.Text, nullable=False, server_default=""),
        sa.Column("filled_at", BIG, nullable=True),
        sqlite_autoincrement=True,
    )
