"""Processes and agreements carry their automation rule; what a negotiating consumer accepts is kept with it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Give what exists the rule that it lived under: everything answered by itself, changed terms by a person."""
    for table, rule in (("negotiation", "accept"), ("agreement", "accept"), ("transfer", "accept")):
        op.add_column(table, sa.Column("automation", sa.String(), nullable=False, server_default=rule))
        op.add_column(table, sa.Column("script", sa.JSON(), nullable=False, server_default="[]"))
    for table in ("negotiation", "transfer"):
        op.add_column(table, sa.Column("step", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("transfer", sa.Column("pending", sa.String(), nullable=True))
    op.add_column("negotiation", sa.Column("accept", sa.JSON(), nullable=True))
    op.execute("UPDATE negotiation SET automation = 'approve' WHERE role = 'consumer'")
    op.execute(
        "UPDATE negotiation SET automation = "
        "(SELECT offer.automation FROM offer WHERE offer.participant = negotiation.participant"
        " AND offer.id = negotiation.offer_id) "
        "WHERE role = 'provider' AND EXISTS (SELECT 1 FROM offer WHERE offer.participant = negotiation.participant"
        " AND offer.id = negotiation.offer_id)"
    )
