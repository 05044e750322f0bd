"""SQLite files from strangers: opened read-only, with nothing in them that may run. Standard library only.

A schema is code: views, triggers, generated columns and virtual tables do whatever their author wrote when they are
touched. So only plain tables are read, no function is called but a few that count, and each statement has its time.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from connector.errors import InvalidInput
from connector.formats.containers.budget import Budget

MAGIC: Final = b"SQLite format 3\0"
HEADER: Final = 100
STEPS: Final = 50_000  # instructions of SQLite between two looks at the clock
VALUE_BYTES: Final = 256 << 20
SQL_BYTES: Final = 1 << 20
COLUMNS: Final = 2000
OBJECTS: Final = 20_000
FUNCTIONS: Final = frozenset({"count"})
ALLOWED: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_PRAGMA})


class OutOfTime(Exception):  # noqa: N818 - it is no mistake of anybody
    """A statement was stopped because the time of the reader is over."""


class Column(NamedTuple):
    """A column, the type it is declared with, and whether it is part of the primary key."""

    name: str
    declared: str
    key: bool


class Database:
    """The plain tables of a file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        listed = self.rows("SELECT name, type, sql FROM sqlite_master LIMIT ?", [OBJECTS + 1])
        if len(listed) > OBJECTS:
            raise InvalidInput(f"The file has more than {OBJECTS} tables, indexes, views and triggers.")
        self.tables = {
            str(name)
            for name, kind, sql in listed
            if kind == "table" and not str(sql or "").lstrip().upper().startswith("CREATE VIRTUAL")
        }

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a statement, which has a LIMIT.

        Raises:
            InvalidInput: the file is damaged, or lacks what is asked for.
            OutOfTime: it takes too long.
        """
        return list(self.stream(sql, values))

    def stream(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement; raises as `rows`."""
        try:
            with closing(self._connection.execute(sql, values)) as cursor:
                yield from cursor
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise OutOfTime from error
            raise InvalidInput("The SQLite file lacks what its format asks for, or is damaged.") from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # a damaged name may be no UTF-8
            raise InvalidInput("The SQLite file is damaged, or does more in its schema than hold data.") from error

    def columns(self, table: str) -> list[Column]:
        """Return the columns of a plain table, none of them hidden or generated."""
        found = self.rows(f"PRAGMA table_xinfo({quoted(table)})")
        return [Column(str(row[1]), str(row[2]), bool(row[5])) for row in found if row[6] == 0]


@contextmanager
def opened(path: Path, budget: Budget) -> Iterator[Database]:
    """Open the SQLite file at `path`.

    Raises:
        InvalidInput: it is none, is cut off, or waits for a journal.
    """
    _whole(path)
    # "immutable" keeps SQLite from looking for a journal or a lock beside the file.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        for limit, value in (
            (sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES),
            (sqlite3.SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES),
            (sqlite3.SQLITE_LIMIT_COLUMN, COLUMNS),
            # Views and triggers of honest files are parsed with the schema, too, although nothing runs them.
            (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 500),
            (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 100),
            (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
            (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        ):
            connection.setlimit(limit, value)
        try:
            for pragma in (
                *("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0"),
                *("temp_store = MEMORY", "cache_size = -8192", "recursive_triggers = OFF"),
            ):
                connection.execute(f"PRAGMA {pragma}")
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise InvalidInput("The SQLite file is damaged.") from error
        connection.set_authorizer(_allowed)
        connection.set_progress_handler(budget.spent, STEPS)
        yield Database(connection)


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _allowed(action: int, one: str | None, two: str | None, _database: str | None, source: str | None) -> int:
    """Decide on one step of a statement; `source` names the view or trigger that asks for it."""
    if source is not None or action not in ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (two or "").lower() not in FUNCTIONS:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and (one or "").lower() != "table_xinfo":
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _whole(path: Path) -> None:
    """Check that the file has all the pages that its header announces (SQLite file format, section 1.3)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEADER)
    if len(head) < HEADER or not head.startswith(MAGIC):
        raise InvalidInput("The file does not begin as an SQLite file.")
    page = int.from_bytes(head[16:18], "big")
    page = 65536 if page == 1 else page
    counted = head[24:28] == head[92:96]  # the count of pages is only valid then
    pages = int.from_bytes(head[28:32], "big")
    if page < 512 or page & (page - 1):  # noqa: PLR2004 - a power of two between 512 and 65536
        raise InvalidInput("The SQLite file is damaged: its pages have a size that there is not.")
    if size % page or (counted and pages * page > size):
        raise InvalidInput(f"The SQLite file is cut off: {pages} pages of {page} bytes are announced, it has {size}.")
    if not counted and not pages:
        raise InvalidInput("The SQLite file is damaged: it does not say how many pages it has.")
