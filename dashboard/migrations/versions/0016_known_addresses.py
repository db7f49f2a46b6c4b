"""Known browsers and known addresses of an account are counted apart."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    # Only hashes are kept, so which rows are addresses is unknown: each is put right by the next sign-in from it.
    op.add_column("known_browser", sa.Column("is_address", sa.Boolean, nullable=False, server_default=sa.false()))
