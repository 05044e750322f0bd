"""The database: opens units of work, brings the schema up to date, and wakes the outbox after each commit."""

import threading
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, text

from connector.storage.deliveries import Delivery, delivered
from connector.storage.engines import Engines, open_engines, refusal
from connector.storage.events import Event, name_of
from connector.storage.handover import Handover
from connector.storage.links import ERRORS, Link
from connector.storage.unit import Clock, NewId, Subscribers, Work

__all__ = ["CHANNEL", "Clock", "Database", "Group", "NewId", "Subscribers", "Work"]

NESTED: Final = "This thread is in a transaction already; end it before beginning another."
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

        Inside `together` a unit that ends well is kept when the whole is.

        Raises:
            Busy: the database did not answer in time, or another transaction was in the way: try again.
        """
        group: Group | None = getattr(self._here, "group", None)
        if group is not None:
            with group.link.part(), self._unit(group, participant) as work:
                yield work
            return
        with self.together() as group, self._unit(group, participant) as work:
            yield work
        group.tell()

    @contextmanager
    def read(self, participant: str) -> Iterator[Work]:
        """Open a unit that only reads: one consistent view, which holds up nobody."""
        group: Group | None = getattr(self._here, "group", None)
        if group is not None:
            with self._unit(group, participant, writable=False) as work:
                yield work
            return
        with self.link(write=False) as link, self._unit(Group(link), participant, writable=False) as work:
            yield work

    @contextmanager
    def together(self) -> Iterator["Group"]:
        """Let the units that this thread opens inside share one transaction and one commit.

        Each of them is undone alone when it raises. What any of them did is real only once the block is left: till
        then nothing may be said of it to anybody. Afterwards the caller calls `tell` on the group.

        Raises:
            Busy: as for `begin`; then none of the units took place.
        """
        with self.link() as link:
            group = self._here.group = Group(link, self.wake)
            try:
                yield group
                if group.announced and not self._listeners and not self.engines.is_sqlite:
                    link.say(f"NOTIFY {CHANNEL}")
            finally:
                self._here.group = None
        if self._flush is not None and group.wrote:
            self._flush()

    @contextmanager
    def _unit(self, group: "Group", participant: str, *, writable: bool = True) -> Iterator[Work]:
        """Run one unit of a group."""
        if group.busy:
            raise RuntimeError(NESTED)
        about = (self.subscribers, self.now, self.new_id)
        handover = self._handover if writable else None
        work = Work(group.link, participant, *about, writable=writable, handover=handover)
        group.busy = True
        try:
            yield work
            work.finish()
        finally:
            group.busy = False
            work.close()
        group.add(work)

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
            raise RuntimeError(NESTED)
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


class Group:
    """Units that share a transaction: what is to be told of them when it is committed."""

    def __init__(self, link: Link, wake: Callable[[], None] | None = None) -> None:
        self.link = link
        self.busy = False
        self.wrote = False
        self.announced = False
        self._wake = wake
        self._handover: Handover | None = None
        self._handed: list[Delivery] = []
        self._left: list[Delivery] = []

    def add(self, work: Work) -> None:
        """Take over what a unit that ended well has to tell."""
        self.wrote = self.wrote or work.is_writable
        self.announced = self.announced or work.announced
        if work.handed:
            self._handover = work.handover
            self._handed += work.handed

    def next_for(self, subscribers: Container[str]) -> Delivery | None:
        """Take out the first row that is to be handed over to one of these, if any."""
        for index, row in enumerate(self._handed):
            if row.subscriber in subscribers:
                return self._handed.pop(index)
        return None

    def settle(self, row: Delivery) -> None:
        """Delete a row that was delivered in this transaction."""
        delivered(self.link, [row])

    def leave(self, row: Delivery) -> None:
        """Hand a row over after all, once the whole is kept."""
        self._left.append(row)

    def tell(self) -> None:
        """Hand over what may be delivered at once, and wake whoever delivers the rest."""
        if self._handover is not None:
            self._handover.give([*self._left, *self._handed])
        if self.announced and self._wake is not None:
            self._wake()


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
