"""The life of a record: its versions, series, drafts, imports, what is left of it, and how its addresses answer."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    """Make the tables; what is registered becomes the first version that is kept, whatever its number."""
    op.add_column("dataset", sa.Column("kind", sa.String(), nullable=False, server_default="dataset"))
    _versions()
    _tombstones()
    _drafts()
    _imports()
    op.create_table(
        "address",
        _text("participant"),
        _text("dataset"),
        _text("url"),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("checked", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("participant", "dataset", "url"),
    )
    op.create_index("address_checked", "address", ["participant", "checked"])


def _versions() -> None:
    op.create_table(
        "dataset_version",
        _text("participant"),
        _text("dataset"),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("title"),
        _text("kind"),
        _text("profile"),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        _text("fingerprint"),
        sa.Column("files", sa.JSON(), nullable=False),
        _moment("created"),
        _text("by"),
        sa.PrimaryKeyConstraint("participant", "dataset", "number"),
    )
    op.execute(
        "INSERT INTO dataset_version (participant, dataset, number, title, kind, profile, record, fingerprint, files,"
        " created, \"by\") SELECT participant, id, version, title, kind, profile, record, fingerprint, '[]', updated,"
        " participant FROM dataset WHERE origin = participant"
    )
    op.create_table(
        "series_member",
        _text("participant"),
        _text("series"),
        _text("dataset"),
        _text("place"),
        sa.PrimaryKeyConstraint("participant", "series", "dataset"),
    )
    op.create_index("series_member_dataset", "series_member", ["participant", "dataset"])


def _tombstones() -> None:
    op.create_table(
        "tombstone",
        _text("participant"),
        _text("id"),
        _text("kind"),
        _text("title"),
        _text("reason"),
        sa.Column("versions", sa.Integer(), nullable=False),
        _moment("at"),
        _text("by"),
        sa.PrimaryKeyConstraint("participant", "id"),
    )


def _drafts() -> None:
    op.create_table(
        "draft",
        _text("participant"),
        _text("id"),
        _text("title"),
        sa.Column("dataset", sa.String(), nullable=True),
        _text("media_type"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _text("profile"),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=True),
        _moment("created"),
        _moment("updated"),
        _text("by"),
        sa.PrimaryKeyConstraint("participant", "id"),
    )
    op.create_index("draft_updated", "draft", ["participant", "updated"])


def _imports() -> None:
    op.create_table(
        "import",
        _text("participant"),
        _text("id"),
        _text("object"),
        _text("filename"),
        _text("media_type"),
        _text("profile"),
        _text("state"),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        _moment("started"),
        _moment("updated"),
        _text("by"),
        sa.PrimaryKeyConstraint("participant", "id"),
    )
    op.create_index("import_started", "import", ["participant", "started"])
    op.create_table(
        "import_result",
        _text("participant"),
        _text("run"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=True),
        _text("outcome"),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("problem", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("participant", "run", "number"),
    )
