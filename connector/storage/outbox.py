"""The outbox: the only "later". Delivers announced events to their subscribers, outside any transaction.

At least once, in order per subject and subscriber (the rules are in `deliveries`), woken at once after a commit,
also by other processes on PostgreSQL, and polling only as a fallback. Handlers must bear hearing an event twice.
"""

import asyncio
import inspect
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final, ParamSpec, TypeVar, cast

import msgspec
import psycopg
import structlog

from connector.errors import Busy, Conflict, NotFound, PeerFailed, Refusal
from connector.storage import deliveries
from connector.storage.deliveries import Delivery, Taken
from connector.storage.dispatch import Dispatch, Outcome, Pace
from connector.storage.events import DeliveryFailed, Event, decode, name_of
from connector.storage.links import Link
from connector.storage.presence import at_work
from connector.storage.threads import in_pool
from connector.storage.work import CHANNEL, Clock, Database, Work

Handler = Callable[[Any, str], None] | Callable[[Any, str], Awaitable[None]]
"""Takes an event and the participant whose it is; plain functions run in a thread."""

P = ParamSpec("P")
T = TypeVar("T")

FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=10)
GROWTH: Final = 1.5
"""How much longer each pause is: whoever comes back has waited at most half as long again as it was away."""
PATIENCE: Final = 36
"""Attempts when somebody else is in the way: 3.5 hours nominal, never less than 1.7."""
TRIES: Final = 5
"""Attempts when the fault is probably ours."""
QUICK_TRIES: Final = 5
"""Attempts at the pause that an error knows to be enough, before it counts as one like any other."""

_REASON_LENGTH: Final = 2000
_log = structlog.get_logger(__name__)


def retry(attempt: int, error: BaseException, roll: float) -> timedelta | None:
    """Return the pause before the next attempt, or None to give up.

    The pause grows from 1 s up to 10 min; between half and all of it is taken, by `roll`, so that what failed
    together does not come back together. An error whose attribute `after` is a pause is given that one, and up to
    half of it more, the first `QUICK_TRIES` times.

    Args:
        attempt: how many attempts were made, counting from 1.
        error: why the last one failed. An attribute `retryable` decides whether waiting can help; without one,
            a `PeerFailed`, `Busy` or network error is worth patience, another refusal is final, and anything else
            is a bug that may be passing.
        roll: a random number from 0 to 1.
    """
    most = _most_attempts(error)
    if attempt >= most:
        return None
    after: timedelta | None = getattr(error, "after", None)
    if after is not None and attempt <= QUICK_TRIES:
        return after * (1 + roll / 2)
    slow = attempt if after is None else attempt - QUICK_TRIES
    pause = min(FIRST_PAUSE * GROWTH ** min(slow - 1, 32), LONGEST_PAUSE)
    return pause * (1 + roll) / 2


def _most_attempts(error: BaseException) -> int:
    retryable = getattr(error, "retryable", None)
    if retryable is not None:
        return PATIENCE if retryable else 1
    if isinstance(error, PeerFailed | Busy | OSError | TimeoutError):
        return PATIENCE
    return 1 if isinstance(error, Refusal) and not isinstance(error, Conflict) else TRIES


class _Undeliverable(Refusal):
    """The row itself is wrong: no such subscriber, or an event this version cannot read."""


class Outbox:
    """Delivers the events of all participants of a database.

    Args:
        database: whose rows.
        handlers: by subscriber's name; every subscriber of the database needs one.
        now: the clock; a test moves it instead of waiting.
        concurrency: how many deliveries at once; one subscriber gets at most half of them.
        lease: after how long a killed process's rows are taken up again.
        poll: seconds between looks when nobody woke us.
        grace: seconds that running deliveries have when we stop.
        rests: seconds for which a subscriber is left alone after each delivery, because the next one will do for all
            that comes meanwhile.
        roll: random numbers for the pauses.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        now: Clock,
        *,
        concurrency: int = 32,
        lease: timedelta = timedelta(seconds=30),
        poll: float = 1.0,
        grace: float = 10.0,
        rests: Mapping[str, float] | None = None,
        roll: Callable[[], float] = random.random,
    ) -> None:
        deaf = {name for names in database.subscribers.values() for name in names} - set(handlers)
        if deaf:
            raise ValueError(f"Subscribers without a handler: {', '.join(sorted(deaf))}.")
        self._database = database
        self._handlers = dict(handlers)
        self._now = now
        self._lease = lease
        share = max(1, concurrency // 2)
        self._pace = Pace(concurrency=concurrency, share=share, poll=poll, grace=grace, rests=dict(rests or {}))
        self._roll = roll
        self._renewed: datetime | None = None

    async def drain(self) -> int:
        """Deliver everything that is due now, one after the other, and say how many deliveries went well.

        What fails is postponed or given up as in `run`; what becomes due by the handlers' own events is included.
        """
        went_well = 0
        outcomes: list[Outcome] = []
        with ThreadPoolExecutor(1, "outbox") as hands:
            while True:
                taken = await in_pool(hands, self._turn, outcomes, 1, {}, ())
                if not taken.deliveries:
                    return went_well
                outcomes = [await self._deliver(row, hands) for row in taken.deliveries]
                went_well += sum(outcome.error is None for outcome in outcomes)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then give running deliveries their grace and hand back the rest."""
        dispatch = Dispatch(self._deliver, self._turn, self._now, lambda: self._now() + self._lease, self._pace)
        unlisten = self._database.listen(dispatch.wake, dispatch.handover)
        helpers = [asyncio.create_task(_relay(stop, dispatch))]
        if not self._database.engines.is_sqlite:
            helpers.append(asyncio.create_task(self._hear_others(dispatch.wake)))
        try:
            async with self._at_work():
                await dispatch.run()
        finally:
            unlisten()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    @asynccontextmanager
    async def _at_work(self) -> AsyncIterator[None]:
        """Be seen at work; what a killed process had in hand is taken up at once when there is no other."""

        def free() -> None:
            with self._database.link(relaxed=True) as link:
                deliveries.free(link)

        with ExitStack() as mark:
            try:
                await asyncio.to_thread(mark.enter_context, at_work(self._database.engines, free))
            except (Refusal, psycopg.Error, OSError):
                # Without the mark the leases of the dead run out by themselves.
                _log.warning("outbox.unmarked", exc_info=True)
            yield

    def revive(self, participant: str, row: int) -> None:
        """Put a row that was given up back into its queue, as if never tried.

        Raises:
            NotFound: the participant has no such row, or it is not given up.
        """
        with self._database.begin(participant) as work:
            if not work.revive(row):
                raise NotFound("undelivered event", str(row))

    # --- one look at the table --------------------------------------------------------------------------------

    def _turn(
        self,
        outcomes: list[Outcome],
        room: int,
        under_way: Mapping[str, int],
        running: tuple[Delivery, ...],
        *,
        hasty: Callable[[], None] | None = None,
    ) -> Taken:
        """Settle what is done, renew what is running, take what may start: one short transaction.

        Its commit does not wait for the disk: what a power cut undoes here is delivered again, never lost.
        """
        now = self._now()
        with self._database.link(relaxed=True, hasty=hasty) as link:
            deliveries.delivered(link, [outcome.delivery for outcome in outcomes if outcome.went_well])
            for outcome in outcomes:
                if not outcome.went_well:
                    self._settle(link, outcome, now)
            if self._renewed is None or now - self._renewed >= self._lease / 3:
                deliveries.renew(link, running, now + self._lease)
                self._renewed = now
            return deliveries.take(link, now, now + self._lease, room=room, under_way=under_way, share=self._pace.share)

    def _settle(self, link: Link, outcome: Outcome, now: datetime) -> None:
        row, error = outcome.delivery, outcome.error
        if error is None:
            # A coroutine was broken off and the row is free; a thread cannot be, so its row keeps the lease.
            if not outcome.begun or inspect.iscoroutinefunction(self._handlers.get(row.subscriber)):
                deliveries.release(link, row)
            return
        reason = _reason(error)
        pause = retry(row.attempt, error, self._roll())
        _log.info(
            "delivery.failed",
            event_name=row.event,
            subscriber=row.subscriber,
            subject=row.subject,
            attempt=row.attempt,
            given_up=pause is None,
            reason=reason,
        )
        if pause is not None:
            deliveries.postpone(link, row, now + pause, reason)
        elif deliveries.give_up(link, row, reason) and row.event != name_of(DeliveryFailed):
            self._announce_failure(link, row, reason)

    def _announce_failure(self, link: Link, row: Delivery, reason: str) -> None:
        """Tell who wants to know: a negotiation may end because its peer could not be reached."""
        database = self._database
        work = Work(link, row.participant, database.subscribers, self._now, database.new_id, writable=True)
        work.emit(
            DeliveryFailed(
                subject=row.subject,
                failed=row.event,
                subscriber=row.subscriber,
                reason=reason,
                row=row.id,
                body=row.body,
            )
        )
        work.close()

    # --- one delivery ---------------------------------------------------------------------------------------------

    async def _deliver(self, row: Delivery, hands: ThreadPoolExecutor) -> Outcome:
        try:
            handler, event = self._handler(row), self._read(row)
            if inspect.iscoroutinefunction(handler):
                await handler(event, row.participant)
            else:
                await in_pool(hands, cast("Callable[[Event, str], None]", handler), event, row.participant)
        except asyncio.CancelledError:
            return Outcome(row, broken_off=True)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is this row's fate, not the loop's
            return Outcome(row, error)
        return Outcome(row)

    def _handler(self, row: Delivery) -> Handler:
        handler = self._handlers.get(row.subscriber)
        if handler is None:
            raise _Undeliverable(f"There is no subscriber {row.subscriber!r} in this version.")
        return handler

    def _read(self, row: Delivery) -> Event:
        if row.said is not None:
            return row.said
        try:
            return decode(row.event, row.body, self._database.events)
        except (LookupError, msgspec.ValidationError) as error:
            raise _Undeliverable(f"This version cannot read the event {row.event!r}: {error}") from error

    async def _hear_others(self, wake: Callable[[], None]) -> None:
        """Wake when another process commits; a lost connection is replaced, and polling bridges the gap."""
        address = self._database.engines.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            with suppress(psycopg.Error):
                async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    wake()  # what was committed before we listened
                    async for _ in connection.notifies():
                        wake()
            await asyncio.sleep(self._pace.poll)


async def _relay(stop: asyncio.Event, dispatch: Dispatch) -> None:
    await stop.wait()
    dispatch.stop()


def _reason(error: BaseException) -> str:
    text = str(error) if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
    return text.replace("\x00", "").encode(errors="replace").decode()[:_REASON_LENGTH]
