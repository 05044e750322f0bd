"""What Alembic runs: one online upgrade inside the transaction it was given."""

from alembic import context
from sqlmodel import SQLModel

from connector.storage import tables  # noqa: F401 - fills the metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
with context.begin_transaction():
    context.run_migrations()
