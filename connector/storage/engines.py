"""How a connection to each of the two engines behaves, and what their errors mean to us.

SQLite: write-ahead log, one writer at a time (`BEGIN IMMEDIATE`, so that a read-modify-write never fails half way),
readers undisturbed on connections that cannot write. Threads of this process queue for the writer's seat on a lock,
which is fair; only other processes meet SQLite's busy waiting.

`synchronous=NORMAL`: a killed process loses nothing, but after a power cut the last transactions may be missing,
because the log is written and not yet flushed. An agreement we acknowledged must survive that too. `FULL` would flush
inside every transaction, one after the other (some 400 a second on a common disk); instead `LogFlush` flushes after
the commit, outside the writer's seat, one flush for all who wait. The outbox's own bookkeeping does not wait: what it
loses is repeated. PostgreSQL is run alike: `synchronous_commit` for acts, not for bookkeeping.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import psycopg
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.pool import NullPool, Pool, StaticPool

from connector.errors import Busy, Conflict, InvalidInput, TooLarge
from connector.storage.links import Links
from connector.storage.values import to_text

BUSY_SECONDS: Final = 10.0
"""How long a transaction waits for another process's before it gives up as `Busy`."""

WRITERS: Final = 40
"""How many transactions may write at once on PostgreSQL."""
READERS: Final = 40
KEPT: Final = 8
"""How many connections of a kind stay open when idle."""
WRITER_CACHE: Final = 32 * 1024
"""KiB of pages that a writing SQLite connection keeps: the usual 2 MiB are less than what one busy minute touches."""
READER_CACHE: Final = 4 * 1024
STATEMENTS: Final = 512
"""How many compiled statements SQLite keeps for each connection."""

_MEMORY: Final = (None, "", ":memory:")
_TRY_AGAIN: Final = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300"})
"""PostgreSQL: serialisation, deadlock, lock not available, shutdown (three kinds), too many connections."""
_TOO_LARGE: Final = frozenset({"54000"})
"""PostgreSQL: program limit exceeded, here always a key too long for an index."""


class Seat:
    """The writer's seat: one at a time, for threads, which wait, and for an event loop, which is called back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.leave()

    def take(self, free: Callable[[], None]) -> bool:
        """Take the seat if it is free, and say whether it was; else `free` is called once, when it is left next."""
        if self._lock.acquire(blocking=False):
            return True
        self._waiting.append(free)
        # It may have been left between the two lines above, and then nobody calls.
        if self._lock.acquire(blocking=False):
            with suppress(ValueError):
                self._waiting.remove(free)
            return True
        return False

    def leave(self) -> None:
        """Leave the seat."""
        self._lock.release()
        while self._waiting:
            self._waiting.pop()()


class LogFlush:
    """Flushes SQLite's write-ahead log to the disk, once for all threads that wait.

    Opening and closing the log beside SQLite is safe: SQLite's locks are on the database and `-shm` files.
    """

    def __init__(self, database: Path) -> None:
        self._log = database.with_name(database.name + "-wal")
        self._turn = threading.Condition()
        self._asked = 0
        self._flushed = 0
        self._flushing = False

    def __call__(self) -> None:
        """Return when everything committed before the call is on the disk."""
        with self._turn:
            self._asked += 1
            mine = self._asked
            while self._flushed < mine:
                if self._flushing:
                    self._turn.wait()
                else:
                    self._lead()

    def _lead(self) -> None:
        """Flush for everybody who asked so far, letting others queue up meanwhile."""
        covered, self._flushing = self._asked, True
        self._turn.release()
        try:
            self._flush()
        finally:
            self._turn.acquire()
            self._flushing = False
            self._turn.notify_all()
        self._flushed = covered

    def _flush(self) -> None:
        try:
            log = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # the last connection closed: SQLite has flushed the log into the database and removed it
        try:
            os.fsync(log)
        finally:
            os.close(log)


@dataclass(frozen=True)
class Engines:
    """The two ways in: `writers` and `readers`, with the seat a writer takes first and the flush that makes it last.

    `hasty` are writers that never wait, for the event loop; only a SQLite file has them.
    """

    writers: Links
    readers: Links
    hasty: Links | None
    dialect: Dialect
    seat: Seat | AbstractContextManager[Any]
    reader_seat: AbstractContextManager[Any]
    flush: Callable[[], None] | None
    url: URL

    @property
    def is_sqlite(self) -> bool:
        """Say which engine it is."""
        return self.dialect.name == "sqlite"

    def dispose(self) -> None:
        """Close every idle connection."""
        self.writers.close()
        if self.hasty is not None:
            self.hasty.close()
        self.readers.close()


def open_engines(url: str) -> Engines:
    """Return the engines for `sqlite:///file`, `sqlite://` (memory, for tests) or `postgresql://…`."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return _postgresql(parsed.set(drivername="postgresql+psycopg"))
    raise InvalidInput(
        f"The database {parsed.render_as_string(hide_password=True)!r} is of no kind we keep data in.",
        fix="Give sqlite:///path/to/file or postgresql://user@host/name.",
    )


def _sqlite(url: URL) -> Engines:
    if url.database in _MEMORY:
        seat = Seat()
        engine = _sqlite_engine(url, "BEGIN IMMEDIATE", query_only=False, pool=StaticPool)
        links = Links(engine, "BEGIN IMMEDIATE", most=1, kept=1, patience=BUSY_SECONDS)
        return Engines(links, links, None, engine.dialect, seat, seat, None, url)
    path = Path(str(url.database)).absolute()
    url = url.set(database=str(path))
    writer = _sqlite_engine(url, "BEGIN IMMEDIATE", query_only=False, pool=NullPool)
    reader = _sqlite_engine(url, "BEGIN", query_only=True, pool=NullPool)
    writers = Links(writer, "BEGIN IMMEDIATE", most=1, kept=1, patience=BUSY_SECONDS)
    readers = Links(reader, "BEGIN", most=READERS, kept=KEPT, patience=BUSY_SECONDS)
    quick = _sqlite_engine(url, "BEGIN IMMEDIATE", query_only=False, pool=NullPool, hasty=True)
    hasty = Links(quick, "BEGIN IMMEDIATE", most=1, kept=1, patience=BUSY_SECONDS)
    return Engines(writers, readers, hasty, writer.dialect, Seat(), nullcontext(), LogFlush(path), url)


def _sqlite_engine(url: URL, begin: str, *, query_only: bool, pool: type[Pool], hasty: bool = False) -> Engine:
    arguments = {"check_same_thread": False, "timeout": BUSY_SECONDS, "cached_statements": STATEMENTS}
    engine = create_engine(url, json_serializer=to_text, connect_args=arguments, poolclass=pool)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below and not behind our back by the driver
        _write_ahead(connection, BUSY_SECONDS)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        if query_only:
            connection.execute("PRAGMA query_only=ON")
        if hasty:
            connection.execute("PRAGMA wal_autocheckpoint=0")  # whoever seals does that, in a thread
            connection.execute("PRAGMA busy_timeout=0")  # only from now on: to be opened it may take its time
        connection.execute("PRAGMA temp_store=MEMORY")  # what a savepoint may have to put back needs no file
        connection.execute(f"PRAGMA cache_size=-{READER_CACHE if query_only else WRITER_CACHE}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:  # else the link has begun one already
            connection.exec_driver_sql(begin)

    return engine


def _write_ahead(connection: Any, patience: float) -> None:
    """Turn on the write-ahead log; where processes make a database together SQLite says busy without waiting."""
    end = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                connection.close()
                raise
            time.sleep(0.01)  # noqa: TID251 - another process is making the same database at this moment
        else:
            return


def _postgresql(url: URL) -> Engines:
    engine = create_engine(url, json_serializer=to_text, poolclass=NullPool)
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    writers = Links(engine, "", most=WRITERS, kept=KEPT, patience=BUSY_SECONDS)
    readers = Links(reader, "", most=READERS, kept=KEPT, patience=BUSY_SECONDS)
    return Engines(writers, readers, None, engine.dialect, nullcontext(), nullcontext(), None, url)


def refusal(error: Exception) -> Exception:
    """Return what `error` of a database means: a `Refusal` where the asker can act on it, else the error itself."""
    if isinstance(error, UnicodeEncodeError):
        return InvalidInput("Text contains half a character (a lone surrogate).", reasons=[str(error)])
    if isinstance(error, DBAPIError):
        meant = _driver_refusal(error.orig)
        return error if meant is error.orig else cast("Exception", meant)
    if isinstance(error, StatementError):
        # A value that could not be turned into a parameter: SQLAlchemy wraps what the column's type said.
        return error.orig if isinstance(error.orig, Exception) else error
    return cast("Exception", _driver_refusal(error))


def _driver_refusal(error: BaseException | None) -> BaseException | None:
    reasons = [str(error)]
    code = getattr(error, "sqlstate", None)
    if code in _TOO_LARGE:
        return TooLarge("An identifier is too long to be kept.", fix="Use identifiers of at most 600 characters.")
    if isinstance(error, sqlite3.IntegrityError | psycopg.IntegrityError):
        return Conflict("This contradicts what is already recorded.", reasons=reasons)
    if isinstance(error, sqlite3.DataError | psycopg.DataError | OverflowError):
        return InvalidInput("The database cannot keep this value.", reasons=reasons)
    if code in _TRY_AGAIN or _unreachable(error):
        return Busy("The database is busy or does not answer.", fix="Try again in a moment.", reasons=reasons)
    return error


def _unreachable(error: BaseException | None) -> bool:
    """Say whether the engine was locked by another process (SQLite) or not there (PostgreSQL)."""
    name = getattr(error, "sqlite_errorname", None)
    if name is not None:
        return str(name).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None
