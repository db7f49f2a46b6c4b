"""What the platform says that its documentation does not have; the way to reports that are not new."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    not_new = sa.text("verdict <> 'new'")
    op.create_index("inbox_not_new", "inbox", ["verdict", "id"], sqlite_where=not_new, postgresql_where=not_new)
    op.create_table(
        "undocumented",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        *(sa.Column(name, BIG, nullable=False) for name in ("first_id", "first_seen_at", "last_seen_at", "times")),
    )
    op.create_index("undocumented_first_id", "undocumented", ["first_id"])
