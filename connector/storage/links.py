"""Connections that stay open, spoken to in the driver's own words, with Core beside them in the same transaction.

A transaction on a row or two costs more to check a connection out, wrap it and begin than to do; so each kind of
connection (writers, readers) is a small pool of links that keep theirs. One transaction runs on a link at a time.
"""

import select
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import SQLAlchemyError

from connector.errors import Busy
from connector.storage.statements import Statement, statement

ERRORS: Final = (sqlite3.Error, psycopg.Error, SQLAlchemyError)
"""What a database and its drivers raise."""

Values = Mapping[str, Any]
Found = tuple[Any, ...]


class NotNow(Exception):  # noqa: N818 - nothing is wrong: who wants to write has to wait, and does not want to
    """Somebody else is writing: another process, or a thread of this one, which `calls` when it is done."""

    def __init__(self, *, calls: bool) -> None:
        super().__init__("Somebody else is writing.")
        self.calls = calls


class Link:
    """One connection to the database and the transaction on it."""

    def __init__(self, engine: Engine, begin: str) -> None:
        self._core = engine.connect()
        driver: Any = self._core.connection.driver_connection
        self._driver = driver
        self._cursor: Any = driver.cursor()
        self._begin = begin
        self._spoilt = False
        self.dialect = engine.dialect
        self.is_sqlite = engine.dialect.name == "sqlite"

    @property
    def core(self) -> Connection:
        """The same transaction, for statements that are built anew each time."""
        return self._core

    # --- statements ---------------------------------------------------------------------------------------------

    def run(self, core: Statement | Executable, values: Values) -> int:
        """Run a statement and return how many rows it touched."""
        self._do(core, values)
        return int(self._cursor.rowcount)

    def rows(self, core: Statement | Executable, values: Values) -> list[Found]:
        """Run a statement and return its rows."""
        self._do(core, values)
        found: list[Found] = self._cursor.fetchall()
        return found

    def first(self, core: Statement | Executable, values: Values) -> Found | None:
        """Run a statement and return its first row, if any."""
        found = self.rows(core, values)
        return found[0] if found else None

    def _do(self, core: Statement | Executable, values: Values) -> None:
        prepared = core if isinstance(core, Statement) else statement(core, self.dialect)
        self._cursor.execute(prepared.text, prepared.bound(values, ordered=self.is_sqlite))

    def say(self, text: str) -> None:
        """Run a statement without parameters and without an answer."""
        self._cursor.execute(text)

    # --- the transaction ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a transaction; PostgreSQL's driver does it with the first statement."""
        if self._begin:
            self._cursor.execute(self._begin)

    def commit(self) -> None:
        """Keep everything.

        Raises:
            RuntimeError: a statement failed and somebody ignored it.
        """
        if self._has_failed:
            raise RuntimeError("A statement failed and was ignored: PostgreSQL would undo everything silently.")
        transaction = self._core.get_transaction()
        if transaction is None:
            self._driver.commit()
        else:
            transaction.commit()

    def rollback(self) -> None:
        """Undo everything; a connection that cannot is not used again."""
        try:
            transaction = self._core.get_transaction()
            if transaction is not None:
                transaction.rollback()
            if not self.is_broken:
                self._driver.rollback()
        except ERRORS:
            self._spoilt = True

    @contextmanager
    def part(self) -> Iterator[None]:
        """Undo what the block did when it raises, and nothing else of the transaction."""
        self.say("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if not self.is_broken:
                self.say("ROLLBACK TO SAVEPOINT part")
                self.say("RELEASE SAVEPOINT part")
            raise
        if not self.is_sqlite:  # there one of the same name may lie within it, and all end with the transaction
            self.say("RELEASE SAVEPOINT part")

    # --- health -------------------------------------------------------------------------------------------------

    @property
    def _has_failed(self) -> bool:
        """Say whether PostgreSQL would answer our COMMIT with a rollback, as it does after any failed statement."""
        if self.is_sqlite:
            return False
        return bool(self._driver.info.transaction_status is psycopg.pq.TransactionStatus.INERROR)

    @property
    def is_broken(self) -> bool:
        """Say whether the connection is gone for good."""
        return self._spoilt or (not self.is_sqlite and bool(self._driver.closed))

    def is_alive(self) -> bool:
        """Say whether an idle connection can be used: a server that went away has said so, or closed it."""
        if self.is_sqlite:
            return True
        if self.is_broken:
            return False
        ear = select.poll()
        ear.register(self._driver.fileno(), select.POLLIN)
        if not ear.poll(0):
            return True
        try:
            self._cursor.execute("SELECT 1")
            self._driver.rollback()
        except psycopg.Error:
            return False
        return True

    def close(self) -> None:
        """Close the connection."""
        with suppress(*ERRORS):
            if self.is_broken:
                self._core.invalidate()
            self._core.close()


class Links:
    """The links of one kind.

    Args:
        engine: opens connections; it must not keep any itself.
        begin: what begins a transaction, or nothing where the driver does it.
        most: so many at once; who comes later waits `patience` seconds and is then told that we are busy.
        kept: so many stay open when idle.
    """

    def __init__(self, engine: Engine, begin: str, *, most: int, kept: int, patience: float) -> None:
        self._engine = engine
        self._begin = begin
        self._kept = kept
        self._patience = patience
        self._idle: deque[Link] = deque()
        self._closed = False
        self._room = threading.Semaphore(most)

    @contextmanager
    def taken(self) -> Iterator[Link]:
        """Give a link to one thread as long as the block runs.

        Raises:
            Busy: all are in use.
        """
        if not self._room.acquire(timeout=self._patience):
            raise Busy("Every connection to the database is in use.", fix="Try again in a moment.")
        try:
            link = self._one()
            try:
                yield link
            finally:
                if link.is_broken or self._closed or len(self._idle) >= self._kept:
                    link.close()
                else:
                    self._idle.append(link)
        finally:
            self._room.release()

    def close(self) -> None:
        """Close every connection that is not in use; those in use are closed when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _one(self) -> Link:
        while True:
            try:
                link = self._idle.pop()
            except IndexError:
                return Link(self._engine, self._begin)
            if link.is_alive():
                return link
            link.close()
