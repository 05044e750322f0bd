"""The shelf: entries of our own catalog ready to be sent, and what the database notes of changes to them."""

from collections.abc import Sequence

from alembic import op

from connector.storage import shelf_schema

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Create tables and triggers; who first asks for the catalog fills them from the records."""
    shelf_schema.create(op.get_bind())
