"""The database: opens units of work, brings the schema up to date, and wakes the outbox after each commit."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, text

from connector.storage.engines import Engines, open_engines, refusal
from connector.storage.events import Event, name_of
from connector.storage.handover import Handover
from connector.storage.links import ERRORS, Link
from connector.storage.unit import Clock, NewId, Subscribers, Work

__all__ = ["CHANNEL", "Clock", "Database", "NewId", "Subscribers", "Work"]

CHANNEL: Final = "greendeal_outbox"
"""The PostgreSQL channel on which a commit wakes the outbox of another process."""


class Database:
    """The connector's database, safe to share between threads.

    Args:
        url: `sqlite:///file`, `sqlite://` (memory) or `postgresql://…`.
        subscribers: who hears which event; the complete list.
        now: the clock, aware.
        new_id: makes ids of evidence.
        flush: wait after each act until it would survive a power cut, see `engines`. Off only in tests.
    """

    def __init__(self, url: str, subscribers: Subscribers, now: Clock, new_id: NewId, *, flush: bool = True) -> None:
        self.engines: Engines = open_engines(url)
        self.subscribers = dict(subscribers)
        self.now = now
        self.new_id = new_id
        self._flush = self.engines.flush if flush else None
        self._listeners: list[Callable[[], None]] = []
        self._handover: Handover | None = None
        self._here = threading.local()
        names = [name_of(kind) for kind in self.subscribers]
        if len(set(names)) != len(names):
            raise ValueError(f"Two events share a name: {sorted(names)}.")

    @property
    def events(self) -> tuple[type[Event], ...]:
        """Every event somebody subscribes to."""
        return tuple(self.subscribers)

    @contextmanager
    def begin(self, participant: str) -> Iterator[Work]:
        """Open a unit of work; leaving the block commits it, an exception undoes all of it.

        Raises:
            Busy: the database did not answer in time, or another transaction was in the way: try again.
        """
        with self.link() as link:
            work = self._work(link, participant, writable=True)
            try:
                yield work
                work.finish()
                if work.announced and not self._listeners and not self.engines.is_sqlite:
                    link.say(f"NOTIFY {CHANNEL}")
            finally:
                work.close()
        if self._flush is not None:
            self._flush()
        if work.handed and work.handover is not None:
            work.handover.give(work.handed)
        if work.announced:
            self.wake()

    @contextmanager
    def read(self, participant: str) -> Iterator[Work]:
        """Open a unit that only reads: one consistent view, which holds up nobody."""
        with self.link(write=False) as link:
            work = self._work(link, participant, writable=False)
            try:
                yield work
                work.finish()
            finally:
                work.close()

    @contextmanager
    def transaction(self, *, write: bool = True, relaxed: bool = False) -> Iterator[Connection]:
        """Open a bare transaction for statements that are built anew each time; else as `link`."""
        with self.link(write=write, relaxed=relaxed) as link:
            yield link.core

    @contextmanager
    def link(self, *, write: bool = True, relaxed: bool = False) -> Iterator[Link]:
        """Open a bare transaction. For the storage floor only: it is not narrowed to a participant.

        Args:
            write: False for a consistent view that cannot write.
            relaxed: the commit need not survive a power cut; for bookkeeping that may be repeated.
        """
        if getattr(self._here, "busy", False):
            raise RuntimeError("This thread is in a transaction already; end it before beginning another.")
        engines = self.engines
        self._here.busy = True
        try:
            with (
                engines.seat if write else engines.reader_seat,
                _meaning(),
                (engines.writers if write else engines.readers).taken() as link,
            ):
                link.begin()
                try:
                    if relaxed and not engines.is_sqlite:
                        link.say("SET LOCAL synchronous_commit = off")
                    yield link
                    link.commit()
                except BaseException:
                    link.rollback()
                    raise
        finally:
            self._here.busy = False

    def upgrade(self) -> None:
        """Bring the schema to this version; of several processes that try, one does it."""
        from connector.storage.migrations import upgrade  # noqa: PLC0415 - alembic is heavy and needed once

        with self.transaction() as connection:
            if not self.engines.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('greendeal_schema'))"))
            upgrade(connection)

    def listen(self, woken: Callable[[], None], handover: Handover | None = None) -> Callable[[], None]:
        """Call `woken`, from whatever thread commits, after each commit that announced something.

        Args:
            woken: has a look at the outbox.
            handover: takes what may be delivered at once, so that it is not announced; of one listener at a time.

        Returns:
            A function that ends it.
        """
        self._listeners.append(woken)
        self._handover = handover or self._handover

        def stop() -> None:
            with suppress(ValueError):
                self._listeners.remove(woken)
            if self._handover is handover:
                self._handover = None

        return stop

    def wake(self) -> None:
        """Tell the listeners of this process that there is something to deliver."""
        for woken in tuple(self._listeners):
            woken()

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engines.dispose()

    def _work(self, link: Link, participant: str, *, writable: bool) -> Work:
        about = (self.subscribers, self.now, self.new_id)
        return Work(link, participant, *about, writable=writable, handover=self._handover if writable else None)


@contextmanager
def _meaning() -> Iterator[Any]:
    """Say what the database's own errors mean, at begin and commit too."""
    try:
        yield
    except ERRORS as error:
        meant = refusal(error)
        if meant is error:
            raise
        raise meant from error
