"""The life of the data: the database's epoch, how bodies are kept, what was erased, and how far upkeep has come."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("clock", sa.Column("epoch", sa.Text, nullable=False, server_default=""))
    op.execute(sa.text("UPDATE clock SET epoch = :epoch").bindparams(epoch=secrets.token_hex(8)))
    # Constant defaults: neither database rewrites its rows for them.
    op.add_column("inbox", sa.Column("packing", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "erased",
        sa.Column("seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("call_id", BIG, nullable=False),
    )
    op.create_table("discarded", sa.Column("file", sa.Text, primary_key=True))
    op.create_table(
        "upkeep",
        sa.Column("task", sa.Text, primary_key=True),
        sa.Column("done", BIG, nullable=False, server_default="0"),
    )
