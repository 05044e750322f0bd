"""One run of the outbox: what is under way, what is handed over, and what is to be settled."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from connector.storage.deliveries import Delivery, Taken
from connector.storage.handover import Handover
from connector.storage.links import NotNow
from connector.storage.threads import in_pool

_log = structlog.get_logger(__name__)

SETTLE: Final = 0.02
"""Seconds for which outcomes are gathered, so that many are settled in one transaction."""
WAITING_ROOM: Final = 8
"""How many times the deliveries under way may wait in memory to be begun."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery: it went well (`error` is None), was broken off by a stop or not begun, or failed."""

    delivery: Delivery
    error: BaseException | None = None
    broken_off: bool = False
    begun: bool = True

    @property
    def went_well(self) -> bool:
        """Say whether the event was heard."""
        return self.error is None and not self.broken_off


Deliver = Callable[[Delivery, ThreadPoolExecutor], Awaitable[Outcome]]
Turn = Callable[..., Taken]
"""Takes outcomes, room, how many each subscriber has under way, and what is in hand; `hasty` raises NotNow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much at once, and how often.

    `concurrency` deliveries at once, at most `share` of them to one subscriber; a look at the table at least every
    `poll` seconds; `grace` seconds for what is under way when it has to stop; and `rests`, the seconds that a
    subscriber is left alone after each delivery because one will do for all that comes meanwhile.
    """

    concurrency: int
    share: int
    poll: float
    grace: float
    rests: Mapping[str, float]


class Dispatch:
    """Delivers until it is stopped.

    Args:
        deliver: delivers one row.
        turn: settles, renews and takes, in one transaction; called in a thread.
        now: the clock.
        until: till when a row taken now is leased.
        pace: how much at once, and how often.
    """

    def __init__(
        self, deliver: Deliver, turn: Turn, now: Callable[[], datetime], until: Callable[[], datetime], pace: Pace
    ) -> None:
        self._deliver = deliver
        self._look = turn
        self._now = now
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._stopped = False
        self._running: dict[asyncio.Task[Outcome], Delivery] = {}
        self._under_way: Counter[str] = Counter()
        self._queue: deque[Delivery] = deque()
        self._outcomes: list[Outcome] = []
        self._bell: asyncio.TimerHandle | None = None
        self._rested: dict[str, float] = {}
        self.handover = Handover(self._give, until, self._has_room)
        # Handlers have threads of their own: the default pool is small and shared with everything else.
        self._hands = ThreadPoolExecutor(pace.concurrency, "outbox-handler")
        self._books = ThreadPoolExecutor(1, "outbox-books")

    def wake(self) -> None:
        """Have a look at the table soon; from any thread."""
        with suppress(RuntimeError):  # the loop may be closing while another thread commits
            self._loop.call_soon_threadsafe(self._woken.set)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True
        self._woken.set()

    async def run(self) -> None:
        """Deliver until `stop` is called; then give running deliveries their grace and hand back the rest."""
        try:
            while not self._stopped:
                self._woken.clear()
                taken = await self._turn(self._pace.concurrency - len(self._running) - len(self._queue))
                self._take(taken.deliveries)
                if taken.more and taken.deliveries:
                    await asyncio.sleep(0)  # a turn may have been done without giving way to anybody
                else:
                    await self._wait(taken.next)
        finally:
            await self._wind_down()

    # --- beginning and ending a delivery ------------------------------------------------------------------------

    def _has_room(self) -> bool:
        return not self._stopped and len(self._running) + len(self._queue) < WAITING_ROOM * self._pace.concurrency

    def _give(self, rows: Sequence[Delivery]) -> None:
        with suppress(RuntimeError):  # as in `wake`; their leases run out
            self._loop.call_soon_threadsafe(self._take, rows)

    def _take(self, rows: Sequence[Delivery]) -> None:
        self._queue.extend(rows)
        self._begin()

    def _begin(self) -> None:
        """Begin what there is room for; a subscriber that has its share under way holds up no other."""
        for _ in range(len(self._queue)):
            if self._stopped or len(self._running) >= self._pace.concurrency:
                return
            row = self._queue.popleft()
            if self._under_way[row.subscriber] >= self._pace.share:
                self._queue.append(row)
                continue
            task = asyncio.ensure_future(self._deliver(row, self._hands))
            self._running[task] = row
            self._under_way[row.subscriber] += 1
            task.add_done_callback(self._finish)

    def _finish(self, task: "asyncio.Task[Outcome]") -> None:
        row = self._running.pop(task)
        self._under_way[row.subscriber] -= 1
        outcome = Outcome(row, broken_off=True) if task.cancelled() else task.result()
        self._outcomes.append(outcome)
        if outcome.went_well:
            self.handover.was_delivered(row.id)
        if row.subscriber in self._pace.rests:
            self._rested[row.subscriber] = self._loop.time() + self._pace.rests[row.subscriber]
        if self._bell is None:
            self._bell = self._loop.call_later(SETTLE, self._woken.set)
        self._begin()

    # --- the table ----------------------------------------------------------------------------------------------

    async def _turn(self, room: int) -> Taken:
        """Do one turn; when the database is away, keep what is to be settled and look again later."""
        outcomes, self._outcomes = self._outcomes, []
        if self._bell is not None:
            self._bell.cancel()
            self._bell = None
        in_hand = (*self._running.values(), *self._queue)
        under_way = Counter(row.subscriber for row in in_hand)
        under_way.update(dict.fromkeys(self._resting(), self._pace.share))
        try:
            taken = await self._looked(outcomes, room, under_way, in_hand)
        except Exception:  # noqa: BLE001 - whatever is wrong with the database now, deliveries go on when it is back
            _log.exception("outbox.turn_failed")
            self._outcomes = outcomes + self._outcomes
            self._woken.clear()
            return Taken((), more=False, next=None)
        self.handover.was_settled([outcome.delivery.id for outcome in outcomes])
        return taken

    async def _looked(self, *asked: Any) -> Taken:
        """Do a turn at once, where nobody has to be waited for; else in a thread, which may wait.

        A thread that writes holds the writer's seat while it waits for its turn to run Python, many times over.
        """
        try:
            return self._look(*asked, hasty=_nothing)
        except NotNow:
            return await in_pool(self._books, self._look, *asked)

    def _resting(self) -> list[str]:
        now = self._loop.time()
        self._rested = {name: end for name, end in self._rested.items() if end > now}
        return list(self._rested)

    async def _wait(self, until: datetime | None) -> None:
        """Wait to be woken, for the next row to become due, for a subscriber to have rested, or for the fallback."""
        pause = self._pace.poll
        if until is not None:
            pause = min(pause, max((until - self._now()).total_seconds(), 0.001))
        if self._rested:
            pause = min(pause, max(min(self._rested.values()) - self._loop.time(), 0.001))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), pause)

    async def _wind_down(self) -> None:
        """Wait for running deliveries, break off what takes too long, and settle everything."""
        self._stopped = True
        if self._running:
            await asyncio.wait(self._running, timeout=self._pace.grace)
        for task in tuple(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(tuple(self._running))
        await asyncio.sleep(0)  # the tasks' callbacks note their outcomes
        self._outcomes += [Outcome(row, broken_off=True, begun=False) for row in self._queue]
        self._queue.clear()
        await self._turn(0)
        self._hands.shutdown(wait=False)
        self._books.shutdown()


def _nothing() -> None:
    """Wait for nobody's call."""
