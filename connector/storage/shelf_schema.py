"""The tables of the shelf: our own catalog as peers get it, ready to be sent and to be asked.

They lie beside the records they are made from, but outside of the models, like the search index: a projection.

| table       | one row per                 | for                                                                    |
|-------------|-----------------------------|------------------------------------------------------------------------|
| shelf_head  | participant                 | `version` counts renewals; `form` says what the entries were made for  |
| shelf_entry | dataset that can be had     | its JSON, its place in each order, a digest for entity tags            |
| shelf_value | value of a dataset          | what a filter asks                                                     |
| shelf_stale | change that is not seen yet | which datasets have to be made anew                                    |

House rules:

1. The database itself notes what changed, by triggers on `dataset`, `asset` and `offer`, in the transaction of the
   change: whoever writes, this process or another one, the catalog cannot be out of step without its knowing.
2. Noting only ever adds a row, so that no writer waits for another; only renewing takes `shelf_head`'s row first.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

HEAD: Final = 200
"""Characters of a value that its index holds: PostgreSQL indexes no key beyond 2,700 bytes."""
FAR: Final = 2**62
"""Stands for the moment of a dataset that has none."""

_KEY: Final = BigInteger().with_variant(Integer(), "sqlite")
_TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")

metadata: Final = MetaData()

heads: Final = Table(
    "shelf_head",
    metadata,
    Column("participant", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("form", String, nullable=False),
)
entries: Final = Table(
    "shelf_entry",
    metadata,
    Column("key", _KEY, primary_key=True, autoincrement=True),
    Column("participant", _TEXT, nullable=False),
    Column("view", _TEXT, nullable=False),
    Column("id", _TEXT, nullable=False),
    Column("title", _TEXT, nullable=False),
    Column("issued", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("digest", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    # Last, so that SQLite finds the others without reading over it.
    Column("entry", LargeBinary, nullable=False),
    UniqueConstraint("participant", "view", "id", name="shelf_entry_name"),
    Index("shelf_entry_title", "participant", "view", "title", "id"),
    Index("shelf_entry_issued", "participant", "view", "issued", "id"),
    Index("shelf_entry_modified", "participant", "view", "modified", "id"),
)
values: Final = Table(
    "shelf_value",
    metadata,
    Column("key", BigInteger, ForeignKey("shelf_entry.key", ondelete="CASCADE"), nullable=False),
    Column("property", _TEXT, nullable=False),
    Column("number", Integer, nullable=False),
    Column("head", _TEXT, nullable=False),
    Column("text", _TEXT, nullable=False),
    Column("folded", _TEXT),
    Column("quantity", Double),
    Column("moment", BigInteger),
    PrimaryKeyConstraint("key", "property", "number", name="shelf_value_pkey"),
    Index("shelf_value_text", "property", "head", "key"),
    sqlite_with_rowid=False,
)
stale: Final = Table(
    "shelf_stale",
    metadata,
    Column("seq", _KEY, primary_key=True, autoincrement=True),
    Column("participant", String, nullable=False),
    Column("dataset", String, nullable=False),
    Index("shelf_stale_of", "participant", "seq"),
)

_NOTE: Final = "INSERT INTO shelf_stale (participant, dataset) VALUES"
_COLUMNS: Final = {"dataset": "record, state", "offer": "policy, state", "asset": "object"}


def owns(name: str) -> bool:
    """Return whether a table belongs to the shelf."""
    return name.startswith("shelf_")


def create(connection: Connection) -> None:
    """Create tables and triggers, inside the connection's transaction."""
    metadata.create_all(connection, checkfirst=False)
    note = _note_on_sqlite if connection.dialect.name == "sqlite" else _note_on_postgresql
    for table, columns in _COLUMNS.items():
        note(connection, table, columns)


def _note_on_sqlite(connection: Connection, table: str, columns: str) -> None:
    key = "id" if table == "dataset" else "dataset"
    for event, row in (("INSERT", "NEW"), (f"UPDATE OF {columns}", "NEW"), ("DELETE", "OLD")):
        own = f"WHEN {row}.origin = {row}.participant " if table == "dataset" else ""
        name = f"shelf_{table}_{event.split()[0].lower()}"
        connection.exec_driver_sql(
            f"CREATE TRIGGER {name} AFTER {event} ON {table} {own}BEGIN {_NOTE} ({row}.participant, {row}.{key}); END"
        )


def _note_on_postgresql(connection: Connection, table: str, columns: str) -> None:
    key = "id" if table == "dataset" else "dataset"
    own = "IF touched.origin <> touched.participant THEN RETURN NULL; END IF;" if table == "dataset" else ""
    connection.exec_driver_sql(
        f"""
        CREATE FUNCTION shelf_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE touched RECORD;
        BEGIN
          IF TG_OP = 'DELETE' THEN touched := OLD; ELSE touched := NEW; END IF;
          {own}
          {_NOTE} (touched.participant, touched.{key});
          RETURN NULL;
        END $$
        """
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER shelf_{table} AFTER INSERT OR UPDATE OF {columns} OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION shelf_{table}()"
    )
