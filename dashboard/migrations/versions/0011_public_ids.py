"""The numbers that a call had by earlier reports, to be masked wherever the call still quotes them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # A constant default: neither database rewrites its rows for it.
    op.add_column("call", sa.Column("former_numbers", sa.Text, nullable=False, server_default=""))
