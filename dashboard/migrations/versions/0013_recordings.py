"""Why recordings are not kept, and their codec; what was given up for unknown causes is fetched once more."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"


def upgrade() -> None:
    # Constant defaults: neither database rewrites its rows for them.
    op.add_column("recording", sa.Column("cause", sa.Text, nullable=False, server_default=""))
    op.add_column("recording", sa.Column("codec", sa.Text, nullable=False, server_default=""))
    # Earlier versions gave up for good what was not ready yet, had an address that was too long for them, or lay on a
    # host that a setting has named since. Eight attempts of nine are counted as made, so each is tried once.
    again = sa.text("UPDATE recording SET state = 'waiting', attempts = 8, due_at = :now WHERE state = 'failed'")
    op.execute(again.bindparams(now=time.time_ns() // 1000))
