"""The database: opens units of work, brings the schema up to date, and wakes the outbox after each commit."""

import sqlite3
import threading
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, text

from connector.storage.deliveries import Delivery
from connector.storage.engines import Engines, Seat, open_engines, refusal
from connector.storage.events import Event, name_of
from connector.storage.handover import Handover, Reaction
from connector.storage.links import ERRORS, Link, Links, NotNow
from connector.storage.unit import Clock, NewId, Subscribers, Work

__all__ = ["CHANNEL", "Clock", "Database", "Group", "NewId", "NotNow", "Subscribers", "Work"]

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
        group.keep()
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
    def together(self, *, hasty: Callable[[], None] | None = None) -> Iterator["Group"]:
        """Let the units that this thread opens inside share one transaction and one commit.

        Each of them is undone alone when it raises. What any of them did is real only once the block is left and the
        group's `keep` returned: till then nothing may be said of it to anybody. Then `tell` is called.

        Args:
            hasty: wait for nobody; for the event loop, where the database `is_hasty`. It is called when another thread
                that was writing is done, from that thread.

        Raises:
            Busy: as for `begin`; then none of the units took place.
            NotNow: somebody else writes, and the caller is hasty; `calls` says whether it will be called.
        """
        with self.link(hasty=hasty) as link:
            group = self._here.group = Group(link, self._flush, self.wake)
            try:
                yield group
                if group.announced and not self._listeners and not self.engines.is_sqlite:
                    link.say(f"NOTIFY {CHANNEL}")
            finally:
                self._here.group = None

    @property
    def is_hasty(self) -> bool:
        """Say whether there are transactions that wait for nobody."""
        return self.engines.hasty is not None

    @contextmanager
    def _unit(self, group: "Group", participant: str, *, writable: bool = True) -> Iterator[Work]:
        """Run one unit of a group."""
        if group.busy:
            raise RuntimeError(NESTED)
        about = (self.subscribers, self.now, self.new_id)
        handover = self._handover if writable else None
        work = Work(
            *(group.link, participant, *about),
            writable=writable,
            handover=handover,
            reactions=group.reactions,
            asked=group.asked,
        )
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
    def link(
        self, *, write: bool = True, relaxed: bool = False, hasty: Callable[[], None] | None = None
    ) -> Iterator[Link]:
        """Open a bare transaction. For the storage floor only: it is not narrowed to a participant.

        Args:
            write: False for a consistent view that cannot write.
            relaxed: the commit need not survive a power cut; for bookkeeping that may be repeated.
            hasty: raise `NotNow` rather than wait for another writer; see `together`.
        """
        if getattr(self._here, "busy", False):
            raise RuntimeError(NESTED)
        if hasty is not None and not self.is_hasty:
            raise NotNow(calls=False)
        self._here.busy = True
        try:
            with self._place(write, hasty), _meaning(), self._links(write, hasty is not None).taken() as link:
                _begin(link, hasty=hasty is not None)
                try:
                    if relaxed and not link.is_sqlite:
                        link.say("SET LOCAL synchronous_commit = off")
                    yield link
                    link.commit()
                except BaseException:
                    link.rollback()
                    raise
        finally:
            self._here.busy = False

    def _links(self, write: bool, hasty: bool) -> Links:
        if hasty and self.engines.hasty is not None:
            return self.engines.hasty
        return self.engines.writers if write else self.engines.readers

    @contextmanager
    def _place(self, write: bool, hasty: Callable[[], None] | None) -> Iterator[None]:
        """Take the writer's seat, or that of a reader where readers need one."""
        seat = self.engines.seat if write else self.engines.reader_seat
        if hasty is None:
            with seat:
                yield
            return
        assert isinstance(seat, Seat)  # noqa: S101 - what is hasty has one
        if not seat.take(hasty):
            raise NotNow(calls=True)
        try:
            yield
        finally:
            seat.leave()

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

    def __init__(
        self, link: Link, flush: Callable[[], None] | None = None, wake: Callable[[], None] | None = None
    ) -> None:
        self.link = link
        self._flush = flush
        self.busy = False
        self.wrote = False
        self.announced = False
        self.reactions: Container[str] = ()
        """Subscribers that hear within the transaction, by `next_reaction`."""
        self.asked: set[str] = set()
        self._wake = wake
        self._handover: Handover | None = None
        self._handed: list[Delivery] = []
        self._reacting: list[Reaction] = []

    def add(self, work: Work) -> None:
        """Take over what a unit that ended well has to tell."""
        self.wrote = self.wrote or work.is_writable
        self.announced = self.announced or work.announced
        self._handover = work.handover or self._handover
        self._handed += work.handed
        self._reacting += work.reacting

    def next_reaction(self) -> Reaction | None:
        """Take out the next event that somebody hears within the transaction."""
        return self._reacting.pop(0) if self._reacting else None

    def leave(self, reaction: Reaction) -> None:
        """Hand an event over to the outbox after all, once the whole is kept."""
        self._handed.append(reaction.announce(self.link))

    @property
    def is_kept(self) -> bool:
        """Say whether the commit is all that there is to keep."""
        return self._flush is None or not self.wrote

    def keep(self) -> None:
        """Wait until what was committed would survive a power cut."""
        if self._flush is not None and self.wrote:
            self._flush()

    def tell(self) -> None:
        """Hand over what may be delivered at once, and wake whoever delivers the rest."""
        if self._handover is not None and self._handed:
            self._handover.give(self._handed)
        if self.announced and self._wake is not None:
            self._wake()


def _begin(link: Link, *, hasty: bool) -> None:
    try:
        link.begin()
    except sqlite3.OperationalError as error:
        if hasty:
            raise NotNow(calls=False) from error
        raise


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
