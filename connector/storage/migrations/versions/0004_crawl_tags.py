"""The entity tags of a peer's catalog, so that the next crawl asks only for what changed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Begin without any: the next crawl reads everything once."""
    op.add_column("peer", sa.Column("crawl_tags", sa.JSON(), nullable=True))
