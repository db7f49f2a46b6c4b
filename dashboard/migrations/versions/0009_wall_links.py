"""Who shared a wall: its links end with the account's rights."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("wall_link", sa.Column("made_by", sa.Text, nullable=False, server_default=""))
