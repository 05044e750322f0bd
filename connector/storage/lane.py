"""The lane of short acts on the database: done in threads of its own, on SQLite many of them in one commit.

A message of the protocol is a few rows. Done one by one each would pay for a thread, a turn at the writer's seat, a
commit and a flush to the disk; on the lane those who wait together share all four. Each act is still all or nothing,
and nothing of it is told to anybody before the commit that holds it is on the disk.

PostgreSQL commits for many at once by itself: there each act has a transaction of its own, several side by side.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar, cast

from connector.storage.work import Database, Group, NotNow

T = TypeVar("T")
Q = TypeVar("Q")
Reaction = Callable[[Any, str], None]
"""Takes an event and the participant whose it is, and writes in a unit of work of its own."""

MOST: Final = 32
"""How many acts share a commit at most: others who want to write wait for it."""
FEW: Final = 16
"""How many do on the event loop: everything else there waits for it."""
SIDE_BY_SIDE: Final = 6
"""How many acts run at once on PostgreSQL."""


class _Job:
    """An act, and who waits for its result."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.context = contextvars.copy_context()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Do the act and keep what comes of it."""
        try:
            self.result = self.context.run(self.act)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits
            self.error = error

    def settle(self) -> None:
        """Tell who waits; on its loop."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Lane:
    """Does acts in the order they come; begins with the first one and ends with the process, or by `close`.

    Args:
        database: what the acts are on.
        reactions: subscribers that hear what an act announced at once, in its transaction, if they may hear it at all
            now. One that fails has its unit undone and hears the event again from the outbox, like any other.
    """

    def __init__(self, database: Database, reactions: Mapping[str, Reaction]) -> None:
        self._database = database
        self._reactions = dict(reactions)
        self._most = MOST if database.engines.is_sqlite else 1
        self._width = 1 if database.engines.is_sqlite else SIDE_BY_SIDE
        self._here: list[_Job] = []
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._committed: SimpleQueue[_Batch | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    async def do(self, act: Callable[[], T]) -> T:
        """Call `act` on the lane and return what it returns, once what it did is kept.

        Whatever units of work it opens share a transaction with those of other acts; it must be short, and must not
        wait for anything but the database.

        Raises:
            Busy: the transaction could not be kept; the act has not taken place.
        """
        job = _Job(act)
        if not self._threads:
            self._open()
        if self._database.is_hasty:
            self._here.append(job)
            if len(self._here) == 1:
                job.loop.call_soon(self._serve_here, job.loop)
        else:
            self._jobs.put(job)
        return cast("T", await job.future)

    def close(self) -> None:
        """Finish what is under way and end the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        self._committed.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _open(self) -> None:
        named = [(f"lane-{number}", self._work) for number in range(self._width)]
        named += [("lane-flush", self._keep)] if self._database.is_hasty else []
        self._threads += [threading.Thread(target=work, name=name, daemon=True) for name, work in named]
        for thread in self._threads:
            thread.start()

    # --- on the event loop ----------------------------------------------------------------------------------------

    def _serve_here(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve those who wait at this moment, if nobody else is writing; else in a thread, which may wait."""
        jobs, self._here = self._here[:FEW], self._here[FEW:]
        if not jobs:
            return
        if self._here:
            loop.call_soon(self._serve_here, loop)
        try:
            batch = self._serve(jobs, hasty=lambda: _call(loop, self._serve_here, loop))
        except NotNow as busy:
            if busy.calls:
                self._here[:0] = jobs
            else:
                for job in jobs:
                    self._jobs.put(job)
            return
        if batch.group is None or batch.group.is_kept:
            batch.settle(loop)
            batch.tell()
        else:
            self._committed.put(batch)

    def _keep(self) -> None:
        """Flush what the event loop committed, once for all that was committed meanwhile; in a thread of its own."""
        while (batch := self._committed.get()) is not None:
            batches = [batch, *_rest(self._committed, MOST)]
            ended = None in batches
            _finish([each for each in batches if each is not None])
            if ended:
                return

    # --- in threads -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job, *_rest(self._jobs, self._most - 1)]
            ended = None in jobs
            _finish([self._serve([each for each in jobs if each is not None])])
            if ended:
                return

    def _serve(self, jobs: Sequence[_Job], *, hasty: Callable[[], None] | None = None) -> "_Batch":
        """Do acts in one transaction.

        Raises:
            NotNow: as for `Database.together`.
        """
        try:
            with self._database.together(hasty=hasty) as group:
                group.reactions = self._reactions
                for job in jobs:
                    job.run()
                    self._react(group)
        except NotNow:
            raise
        except Exception as error:  # noqa: BLE001 - the commit failed: none of the acts took place
            return _Batch(jobs, None).failed(error)
        return _Batch(jobs, group)

    def _react(self, group: Group) -> None:
        """Let those hear who react in the same transaction, and those who hear what they announced."""
        for reaction in iter(group.next_reaction, None):
            try:
                self._reactions[reaction.subscriber](reaction.event, reaction.participant)
            except Exception:  # noqa: BLE001 - the outbox will try again, and say what is wrong
                group.leave(reaction)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Acts that were done together, and what is to be told of them if they were committed."""

    jobs: Sequence[_Job]
    group: Group | None

    def failed(self, error: BaseException) -> "_Batch":
        """Give every act the same end."""
        for job in self.jobs:
            job.error = error
        return _Batch(self.jobs, None)

    def settle(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell who waits on this loop, which it is called on."""
        for job in self.jobs:
            if job.loop is loop:
                job.settle()

    def tell(self) -> None:
        """Tell what follows; after those who wait, so that an answer goes out before what follows from it."""
        if self.group is not None:
            self.group.tell()


def _finish(batches: Sequence[_Batch]) -> None:
    """Keep what was committed, and tell everybody; from a thread."""
    unkept = [batch.group for batch in batches if batch.group is not None and not batch.group.is_kept]
    try:
        for group in unkept[-1:]:  # the last commit is behind all others in the log
            group.keep()
    except OSError as error:
        batches = [batch.failed(error) for batch in batches]
    for batch in batches:
        for loop in {job.loop for job in batch.jobs}:
            _call(loop, batch.settle, loop)
        batch.tell()


def _rest(queue: "SimpleQueue[Q]", most: int) -> Iterator[Q]:
    """Give what else is in a queue at this moment, up to `most`."""
    with suppress(Empty):
        for _ in range(most):
            yield queue.get_nowait()


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: Any) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(function, *args)
