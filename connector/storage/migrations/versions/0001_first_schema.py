"""The first schema: peers, datasets, contracts, evidence and the outbox."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from connector.storage import index_schema

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Evidence is only ever added. Sealing sets three columns, once; anything else the database itself refuses, so that
# a slip in our own code cannot rewrite history. Whoever may drop the triggers meets the hash chain.
SQLITE_APPEND_ONLY = (
    """
    CREATE TRIGGER evidence_is_kept BEFORE DELETE ON evidence
    BEGIN SELECT RAISE(ABORT, 'evidence is never deleted'); END
    """,
    """
    CREATE TRIGGER evidence_is_final BEFORE UPDATE ON evidence
    WHEN OLD.position IS NOT NULL OR NEW.position IS NULL
      OR (OLD.participant, OLD.seq, OLD.id, OLD.subject, OLD.kind, OLD.actor, OLD.message_id, OLD.body, OLD.at)
      IS NOT (NEW.participant, NEW.seq, NEW.id, NEW.subject, NEW.kind, NEW.actor, NEW.message_id, NEW.body, NEW.at)
    BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END
    """,
)
POSTGRESQL_APPEND_ONLY = (
    """
    CREATE FUNCTION evidence_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'UPDATE' AND OLD.position IS NULL AND NEW.position IS NOT NULL
        AND (OLD.participant, OLD.seq, OLD.id, OLD.subject, OLD.kind, OLD.actor, OLD.body::text, OLD.at)
          = (NEW.participant, NEW.seq, NEW.id, NEW.subject, NEW.kind, NEW.actor, NEW.body::text, NEW.at)
        AND OLD.message_id IS NOT DISTINCT FROM NEW.message_id
      THEN RETURN NEW; END IF;
      RAISE EXCEPTION 'evidence is never changed or deleted' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    """
    CREATE TRIGGER evidence_is_kept BEFORE UPDATE OR DELETE ON evidence
    FOR EACH ROW EXECUTE FUNCTION evidence_append_only()
    """,
)


def upgrade() -> None:
    """Create everything."""
    _parties()
    _catalog()
    _negotiations()
    _agreements()
    _records()
    _outbox()
    dialect = op.get_bind().dialect.name
    for statement in SQLITE_APPEND_ONLY if dialect == "sqlite" else POSTGRESQL_APPEND_ONLY:
        op.execute(statement)
    index_schema.create(op.get_bind())


def _parties() -> None:
    op.create_table(
        "peer",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("crawled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("crawl_state", sa.String(), nullable=True),
        sa.Column("crawl_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("participant", "id"),
    )
    op.create_table(
        "api_key",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("participant", "id"),
    )
    op.create_index("api_key_digest", "api_key", ["participant", "digest"], unique=True)
    op.create_table(
        "used_token",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("jti", sa.String(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("participant", "issuer", "jti"),
    )
    op.create_index("used_token_expires", "used_token", ["participant", "expires"], unique=False)


def _catalog() -> None:
    op.create_table(
        "dataset",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("offers", sa.JSON(), nullable=False),
        sa.Column("formats", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("participant", "origin", "id"),
    )
    op.create_index("dataset_updated", "dataset", ["participant", "state", "updated"], unique=False)
    op.create_table(
        "asset",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("distribution", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("participant", "dataset", "distribution"),
    )
    op.create_index("asset_object", "asset", ["participant", "object"], unique=False)
    op.create_table(
        "offer",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("automation", sa.String(), nullable=False),
        sa.Column("script", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("participant", "id"),
    )
    op.create_index("offer_dataset", "offer", ["participant", "dataset", "state"], unique=False)


def _negotiations() -> None:
    op.create_table(
        "negotiation",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("pid", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("peer_pid", sa.String(), nullable=True),
        sa.Column("callback", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("offer_id", sa.String(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("claims", sa.JSON(), nullable=False),
        sa.Column("agreement_id", sa.String(), nullable=True),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("pending", sa.String(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("participant", "pid"),
    )
    op.create_index("negotiation_peer", "negotiation", ["participant", "peer", "role", "peer_pid"], unique=True)
    op.create_index("negotiation_updated", "negotiation", ["participant", "state", "updated"], unique=False)


def _agreements() -> None:
    op.create_table(
        "agreement",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("negotiation", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("claims", sa.JSON(), nullable=False),
        sa.Column("signatures", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["participant", "negotiation"], ["negotiation.participant", "negotiation.pid"], name="agreement_negotiation"
        ),
        sa.PrimaryKeyConstraint("participant", "id"),
    )
    op.create_index("agreement_by_negotiation", "agreement", ["participant", "negotiation"], unique=False)
    op.create_index("agreement_dataset", "agreement", ["participant", "dataset", "state"], unique=False)
    op.create_table(
        "transfer",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("pid", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("peer_pid", sa.String(), nullable=True),
        sa.Column("callback", sa.String(), nullable=False),
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("data_address", sa.JSON(), nullable=True),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["participant", "agreement"], ["agreement.participant", "agreement.id"], name="transfer_agreement"
        ),
        sa.PrimaryKeyConstraint("participant", "pid"),
    )
    op.create_index("transfer_by_agreement", "transfer", ["participant", "agreement"], unique=False)
    op.create_index("transfer_peer", "transfer", ["participant", "peer", "role", "peer_pid"], unique=True)
    op.create_index("transfer_updated", "transfer", ["participant", "state", "updated"], unique=False)


def _records() -> None:
    op.create_table(
        "evidence",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("seq", SEQUENCE, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("previous", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("participant", "id", name="evidence_id"),
        sa.UniqueConstraint("participant", "position", name="evidence_position"),
        sa.UniqueConstraint("participant", "subject", "message_id", name="evidence_message"),
        sqlite_autoincrement=True,
    )
    op.create_index("evidence_subject", "evidence", ["participant", "subject", "seq"], unique=False)
    op.create_index(
        "evidence_unsealed",
        "evidence",
        ["participant", "seq"],
        unique=False,
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )
    op.create_table(
        "ledger_head",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("signature", sa.String(), nullable=True),
        sa.Column("sealed", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("participant"),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("participant", sa.String(), nullable=False),
        sa.Column("id", SEQUENCE, nullable=False),
        sa.Column("subscriber", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_due", "outbox", ["state", "due", "id"], unique=False)
    op.create_index("outbox_lease", "outbox", ["state", "lease_until"], unique=False)
    op.create_index("outbox_queue", "outbox", ["participant", "subject", "subscriber", "id"], unique=False)
