"""The lane of short acts on the database: done in threads of its own, on SQLite many of them in one commit.

A message of the protocol is a few rows. Done one by one each would pay for a thread, a turn at the writer's seat, a
commit and a flush to the disk; on the lane those who wait together share all four. Each act is still all or nothing,
and nothing of it is told to anybody before the commit that holds it is on the disk.

PostgreSQL commits for many at once by itself: there each act has a transaction of its own, several side by side.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar, cast

from connector.storage.work import Database, Group

T = TypeVar("T")
Reaction = Callable[[Any, str], None]
"""Takes an event and the participant whose it is, and writes in a unit of work of its own."""

MOST: Final = 32
"""How many acts share a commit at most: others who want to write wait for it."""
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
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    async def do(self, act: Callable[[], T]) -> T:
        """Call `act` on the lane and return what it returns, once what it did is kept.

        Whatever units of work it opens share a transaction with those of other acts; it must be short, and must not
        wait for anything but the database.

        Raises:
            Busy: the transaction could not be kept; the act has not taken place.
        """
        job = _Job(act)
        self._jobs.put(job)
        if not self._threads:
            self._open()
        return cast("T", await job.future)

    def close(self) -> None:
        """Finish what is under way and end the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _open(self) -> None:
        names = [f"lane-{number}" for number in range(self._width)]
        self._threads += [threading.Thread(target=self._work, name=name, daemon=True) for name in names]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            ended = False
            while len(jobs) < self._most and not ended:
                try:
                    more = self._jobs.get_nowait()
                except Empty:
                    break
                if more is None:
                    ended = True
                else:
                    jobs.append(more)
            self._serve(jobs)
            if ended:
                return

    def _serve(self, jobs: Sequence[_Job]) -> None:
        group = None
        try:
            with self._database.together() as group:
                for job in jobs:
                    job.run()
                    self._react(group)
        except Exception as error:  # noqa: BLE001 - the commit failed: none of the acts took place
            group = None
            for job in jobs:
                job.error = error
        for loop in {job.loop for job in jobs}:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, [job for job in jobs if job.loop is loop])
        if group is not None:
            group.tell()  # after those who wait: an answer goes out before what follows from it

    def _react(self, group: Group) -> None:
        """Let those hear who react in the same transaction, and those who hear what they announced."""
        for row in iter(lambda: group.next_for(self._reactions), None):
            try:
                self._reactions[row.subscriber](row.said, row.participant)
            except Exception:  # noqa: BLE001 - the outbox will try again, and say what is wrong
                group.leave(row)
            else:
                group.settle(row)


def _settle(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.settle()
