"""The tables of the search index, on SQLite and on PostgreSQL.

They lie in the connector's database, so that an entry is written in the transaction that asks for it, but outside its
models: they are a projection, and virtual tables, ranges and text vectors have no place in plain records.

| table        | one row per              | for                                                                        |
|--------------|--------------------------|----------------------------------------------------------------------------|
| search_entry | dataset                  | what a hit shows; the order by date; the exact period                      |
| search_text  | dataset                  | folded words: FTS5, or tsvector with GIN                                   |
| search_space | box of a dataset         | place and time: R*Tree, or GiST over box and range; exact corners beside   |
| search_time  | dataset that has a period | time alone: R*Tree, or GiST over range                                    |
| search_term  | theme, publisher …       | short numbers for long IRIs                                                |
| search_tag   | term of a dataset        | filters and counts                                                         |
| search_count | term of a participant    | the counts over everything, which would otherwise be a scan                |

Moments are whole microseconds since 1970; `FAR` stands for an open end. The R*Tree of SQLite keeps 32-bit floats,
rounded outwards, and PostgreSQL compares boxes with a tolerance: both find too much and never too little, and the
exact columns decide.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import INT8RANGE, TSVECTOR
from sqlalchemy.types import UserDefinedType

FAR: Final = 10**18
"""The moment, in microseconds, that stands for "no end" and, negative, for "no beginning"."""
PARTS: Final = 64
"""How many boxes a dataset may have; `search_space.id` is `key * PARTS + number of the box`."""


class Box(UserDefinedType[str]):
    """PostgreSQL's `box`; SQLAlchemy has no name for it."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return its name."""
        return "box"


_KEY: Final = BigInteger().with_variant(Integer(), "sqlite")
_TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")

# --- what both engines have -------------------------------------------------------------------------------------------

shared: Final = MetaData()

entries: Final = Table(
    "search_entry",
    shared,
    Column("key", _KEY, primary_key=True, autoincrement=True),
    Column("participant", _TEXT, nullable=False),
    Column("origin", _TEXT, nullable=False),
    Column("id", _TEXT, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("starts", BigInteger),
    Column("ends", BigInteger),
    Column("card", Text, nullable=False),
    UniqueConstraint("participant", "origin", "id", name="search_entry_name"),
    Index("search_entry_newest", "participant", "updated", "key"),
    sqlite_autoincrement=True,  # a key that comes back would move an entry within a page somebody is reading
)
terms: Final = Table(
    "search_term",
    shared,
    Column("term", _KEY, primary_key=True, autoincrement=True),
    Column("kind", _TEXT, nullable=False),
    Column("value", _TEXT, nullable=False),
    UniqueConstraint("value", "kind", name="search_term_name"),
)
tags: Final = Table(
    "search_tag",
    shared,
    Column("term", BigInteger, nullable=False),
    Column("key", BigInteger, nullable=False),
    PrimaryKeyConstraint("term", "key", name="search_tag_pkey"),
    Index("search_tag_of_entry", "key", "term"),
    sqlite_with_rowid=False,
)
totals: Final = Table(
    "search_count",
    shared,
    Column("participant", _TEXT, nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    PrimaryKeyConstraint("participant", "term", name="search_count_pkey"),
    sqlite_with_rowid=False,
)

# --- SQLite: virtual tables, created by the statements below ----------------------------------------------------------

_virtual: Final = MetaData()

sqlite_text: Final = Table(
    "search_text",
    _virtual,
    Column("rowid", Integer, primary_key=True),
    Column("title", Text),
    Column("keywords", Text),
    Column("body", Text),
    Column("search_text", Text),  # FTS5's hidden column: what MATCH is asked of
)
_CORNERS: Final = ("west", "east", "south", "north")
sqlite_space: Final = Table(
    "search_space",
    _virtual,
    Column("id", Integer, primary_key=True),
    *(Column(f"near_{name}", Double) for name in (*_CORNERS, "starts", "ends")),
    *(Column(name, Double) for name in _CORNERS),
)
sqlite_time: Final = Table(
    "search_time",
    _virtual,
    Column("id", Integer, primary_key=True),
    Column("near_starts", Double),
    Column("near_ends", Double),
)
_SQLITE: Final = (
    # The words come folded and separated by blanks; "ascii" takes every character beyond ASCII for a letter.
    "CREATE VIRTUAL TABLE search_text USING fts5(title, keywords, body, tokenize='ascii', prefix='4 6', detail=column)",
    """CREATE VIRTUAL TABLE search_space USING rtree(
        id, near_west, near_east, near_south, near_north, near_starts, near_ends,
        +west REAL, +east REAL, +south REAL, +north REAL)""",
    "CREATE VIRTUAL TABLE search_time USING rtree(id, near_starts, near_ends)",
)

# --- PostgreSQL -------------------------------------------------------------------------------------------------------

_native: Final = MetaData()

postgresql_text: Final = Table(
    "search_text",
    _native,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("words", TSVECTOR, nullable=False),
    Index("search_text_words", "words", postgresql_using="gin"),
)
_PERIOD: Final = "int8range(starts, ends, '[]')"
postgresql_space: Final = Table(
    "search_space",
    _native,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, Double, nullable=False) for name in _CORNERS),
    Column("starts", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("area", Box, Computed("box(point(east, north), point(west, south))", persisted=True)),
    Column("period", INT8RANGE, Computed(_PERIOD, persisted=True)),
    Index("search_space_tree", "area", "period", postgresql_using="gist"),
)
postgresql_time: Final = Table(
    "search_time",
    _native,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("starts", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("period", INT8RANGE, Computed(_PERIOD, persisted=True)),
    Index("search_time_tree", "period", postgresql_using="gist"),
)


def owns(name: str) -> bool:
    """Return whether a table belongs to the index, a hidden one of SQLite's virtual tables included."""
    return name.startswith("search_")


def create(connection: Connection) -> None:
    """Create the index's tables, inside the connection's transaction."""
    shared.create_all(connection, checkfirst=False)
    if connection.dialect.name == "sqlite":
        for statement in _SQLITE:
            connection.exec_driver_sql(statement)
    else:
        _native.create_all(connection, checkfirst=False)


def drop(connection: Connection) -> None:
    """Drop the index's tables; what they held is rebuilt from the records."""
    if connection.dialect.name == "sqlite":
        for table in _virtual.tables:
            connection.exec_driver_sql(f"DROP TABLE {table}")
    else:
        _native.drop_all(connection, checkfirst=False)
    shared.drop_all(connection, checkfirst=False)
