"""Alembic's entry: runs the migrations on the connection, and inside the transaction, that `migrate` opened."""

from alembic import context
from sqlmodel import SQLModel

import dashboard.models  # noqa: F401  (the tables register themselves)

# Without transactional_ddl Alembic commits after each step on SQLite, and a step that fails leaves tables behind.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transactional_ddl=True,
)
context.run_migrations()
