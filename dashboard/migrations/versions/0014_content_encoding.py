"""What a report came packed in: gzip, deflate, br."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # A constant default: neither database rewrites its rows for it.
    op.add_column("inbox", sa.Column("content_encoding", sa.Text, nullable=False, server_default=""))
