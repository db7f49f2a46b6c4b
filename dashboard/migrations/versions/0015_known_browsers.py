"""Browsers and addresses that accounts have signed in from, so that their owners get in while others guess."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "known_browser",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("account_id", sa.Integer, sa.ForeignKey("account.id"), primary_key=True),
        sa.Column("used_at", BIG, nullable=False),
    )
    op.create_index("known_browser_account", "known_browser", ["account_id", "used_at"])
