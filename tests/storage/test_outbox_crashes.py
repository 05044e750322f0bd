"""The outbox under any crash point: each row is heard at least once, and in order per subject and subscriber.

Two processes share one table. Between any two steps either may die and start again, knowing only what the table says;
it may also die inside the transaction in which it takes and settles rows.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connector.errors import Denied, PeerFailed
from connector.storage.deliveries import Delivery
from connector.storage.dispatch import Outcome
from connector.storage.events import Event
from connector.storage.handover import Handover
from connector.storage.outbox import Outbox
from connector.storage.shapes import shape_of
from connector.storage.tables import OutboxRow, Peer
from connector.storage.work import Database
from tests.fixtures import Clock, NewUrl
from tests.storage.rows import OURS, peer

LEASE = timedelta(seconds=30)
WORKERS = st.integers(0, 1)


class Told(Event, frozen=True, kw_only=True):
    """The number of an announcement."""

    number: int


@dataclass
class Known:
    """What the model knows of one row: its queue, when it joins it, and what became of it."""

    queue: tuple[str, str]
    due: datetime
    fate: str = "waiting"
    heard: int = 0


@dataclass
class Process:
    """A process that delivers: what it has in hand is all that a crash takes from it."""

    outbox: Outbox
    until: Callable[[], datetime]
    in_hand: list[Delivery] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    handed: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the way from commits straight into its hands."""
        self.handover = Handover(self.handed.extend, self.until, lambda: True)


class Crash(Exception):  # noqa: N818 - stands for the end of a process
    """The process died here."""


class Deliveries(RuleBasedStateMachine):
    """Announce, take, hear, settle, crash, in any order; the model is the list of rows."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.clock = Clock(datetime(2026, 3, 1, tzinfo=UTC))
        self.database = Database(url, {Told: ("x", "y")}, self.clock, str, flush=False)
        self.rows: dict[tuple[str, int], Known] = {}
        self.numbers = 0

    @initialize()
    def start(self) -> None:
        """Two processes begin with an empty table."""
        self.processes = [self.process(), self.process()]

    def process(self) -> Process:
        """Return a process that begins."""
        return Process(self.outbox(), lambda: self.clock() + LEASE)

    def outbox(self) -> Outbox:
        """Return a process that knows nothing but the table."""
        handlers: dict[str, Callable[[Any, str], None]] = {name: self.handler(name) for name in ("x", "y")}
        return Outbox(self.database, handlers, self.clock, lease=LEASE, roll=lambda: 0.5)

    def handler(self, name: str) -> Callable[[Any, str], None]:
        """Return a subscriber that notes what it hears."""

        def hear(told: Told, participant: str) -> None:
            assert participant == OURS
            self.note(name, told.number)

        return hear

    def note(self, name: str, number: int) -> None:
        """Note a hearing, and that it was in its turn."""
        row = self.rows[name, number]
        row.heard += 1
        ahead = [
            other
            for (who, count), other in self.rows.items()
            if other.queue == row.queue and who == name and count < number and other.due <= self.clock()
        ]
        assert all(other.heard or other.fate == "failed" or other.due > row.due for other in ahead), "out of turn"

    @rule(
        subject=st.sampled_from("ab"),
        count=st.integers(1, 3),
        later=st.sampled_from([0, 0, 0, 20]),
        fails=st.booleans(),
    )
    def announce(self, subject: str, count: int, later: int, fails: bool) -> None:
        """A unit of work announces something, perhaps for later, and perhaps fails and is undone."""
        due = self.clock() + timedelta(seconds=later)
        told = [Told(subject=subject, number=self.numbers + step) for step in range(count)]
        try:
            with self.database.begin(OURS) as work:
                for one in told:
                    work.emit(one, due=due)
                assert not fails
        except AssertionError:
            return
        self.numbers += count
        for one in told:
            for name in ("x", "y"):
                self.rows[name, one.number] = Known((subject, name), due)

    @rule(
        who=WORKERS,
        subject=st.sampled_from("ab"),
        count=st.integers(1, 2),
        end=st.sampled_from(["well", "dies", "fails"]),
    )
    def announce_here(self, who: int, subject: str, count: int, end: str) -> None:
        """A unit of work in a process that delivers: what may be delivered at once goes straight into its hands.

        It may die between the commit and the delivery, and the unit may be undone after it has looked at the queue.
        """
        process = self.processes[who]
        told = [Told(subject=subject, number=self.numbers + step) for step in range(count)]
        stop = self.database.listen(lambda: None, process.handover)
        try:
            with self.database.begin(OURS) as work:
                if work.find(Peer, subject, lock=True) is None:
                    work.add(peer(ident=subject))
                for one in told:
                    work.emit(one)
                assert end != "fails"
        except AssertionError:
            return
        finally:
            stop()
        self.numbers += count
        for one in told:
            for name in ("x", "y"):
                self.rows[name, one.number] = Known((subject, name), self.clock())
        self.notice_settled()
        for delivery in process.handed:
            event("handed over")
            self.check_taken(delivery, by=process)
        if end == "dies":
            self.crash(who)
            return
        process.in_hand += process.handed
        process.handed.clear()

    def notice_settled(self) -> None:
        """Follow which rows were settled by a unit of work that came after them in their queue."""
        with self.database.read(OURS) as work:
            kept = {(row.subscriber, row.body["number"]) for row in work.select(OutboxRow)}
        for key, row in self.rows.items():
            if key not in kept and row.fate == "waiting":
                assert row.heard, "a row is deleted only when it was heard"
                row.fate = "delivered"

    @rule(who=WORKERS, room=st.integers(0, 3), dies=st.booleans())
    def turn(self, who: int, room: int, dies: bool) -> None:
        """A process settles what is done and takes new rows, or dies inside that transaction."""
        process = self.processes[who]
        if dies:
            self.die_in_turn(process, room)
            self.crash(who)
            return
        settled = process.outcomes
        taken = process.outbox._turn(settled, room, self.under_way(process), tuple(process.in_hand))
        process.outcomes = []
        process.handover.was_settled([outcome.delivery.id for outcome in settled])
        for outcome in settled:
            self.check_settled(outcome)
        for delivery in taken.deliveries:
            self.check_taken(delivery)
            process.in_hand.append(delivery)

    def die_in_turn(self, process: Process, room: int) -> None:
        """Do the whole turn and die before its commit."""
        link = self.database.link

        class Dying:
            def __init__(self, **options: Any) -> None:
                self.inner = link(**options)

            def __enter__(self) -> Any:
                return self.inner.__enter__()

            def __exit__(self, *_: object) -> None:
                self.inner.__exit__(Crash, Crash(), None)
                raise Crash

        self.database.link = Dying  # type: ignore[method-assign,assignment]
        try:
            with pytest.raises(Crash):
                process.outbox._turn(process.outcomes, room, self.under_way(process), tuple(process.in_hand))
        finally:
            self.database.link = link  # type: ignore[method-assign]

    @staticmethod
    def under_way(process: Process) -> Counter[str]:
        """Count what a process has in hand, by subscriber."""
        return Counter(delivery.subscriber for delivery in process.in_hand)

    def check_taken(self, delivery: Delivery, by: Process | None = None) -> None:
        """Require that a row is taken in its turn and by one process at a time.

        What the process `by` has delivered and not settled yet holds up nothing that is handed over to it.
        """
        number = delivery.body["number"]
        row = self.rows[delivery.subscriber, number]
        assert row.fate == "waiting"
        assert row.due <= self.clock()
        ahead = [
            other.fate
            for (who, count), other in self.rows.items()
            if (who, other.queue) == (delivery.subscriber, row.queue) and count < number and other.due <= self.clock()
        ]
        assert "waiting" not in ahead
        for process in self.processes:
            outcomes = [] if process is by else process.outcomes
            unsettled = [*process.in_hand, *(outcome.delivery for outcome in outcomes)]
            queues = [self.rows[held.subscriber, held.body["number"]].queue for held in unsettled]
            assert row.queue not in queues, "two deliveries of one queue at a time"

    def check_settled(self, outcome: Outcome) -> None:
        """Follow what the table now says of a settled row."""
        delivery = outcome.delivery
        row = self.rows[delivery.subscriber, delivery.body["number"]]
        with self.database.read(OURS) as work:
            kept = work.find(OutboxRow, delivery.id)
        if kept is None:
            assert row.heard, "a row is deleted only when it was heard"
            row.fate = "delivered"
        elif kept.state == "failed":
            row.fate = "failed"

    @precondition(lambda self: any(process.in_hand for process in self.processes))
    @rule(who=WORKERS, at=st.integers(0, 5), how=st.sampled_from(["well", "well", "peer", "final", "broken off"]))
    def deliver(self, who: int, at: int, how: str) -> None:
        """A process delivers something it has in hand; the outcome is not in the table yet."""
        process = self.processes[who]
        if not process.in_hand:
            return
        delivery = process.in_hand.pop(at % len(process.in_hand))
        event(f"delivery {how}")
        if how == "well":
            outcome = asyncio.run(self.hand_over(process, delivery))
            assert outcome.error is None, outcome.error
            process.handover.was_delivered(delivery.id)
        else:
            errors = {"peer": PeerFailed("away"), "final": Denied("no"), "broken off": None}
            outcome = Outcome(delivery, errors[how], broken_off=how == "broken off")
        process.outcomes.append(outcome)

    @staticmethod
    async def hand_over(process: Process, delivery: Delivery) -> Outcome:
        """Deliver for real, through the outbox."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - beside its one use

        with ThreadPoolExecutor(1) as hands:
            return await process.outbox._deliver(delivery, hands)

    @rule(who=WORKERS)
    def crash(self, who: int) -> None:
        """A process dies; another starts in its place."""
        event("crash")
        self.processes[who] = self.process()

    @rule(seconds=st.sampled_from([1, 10, 31]))
    def wait(self, seconds: int) -> None:
        """Time passes. A process that still lives renews its leases before they run out."""
        for process in self.processes:
            process.outbox._turn([], 0, {}, tuple(process.in_hand))
        for process in self.processes:
            if seconds >= LEASE.total_seconds():  # it slept past its lease: what it has in hand may be another's
                process.in_hand, process.outcomes = [], []
                process.handover = Handover(process.handed.extend, process.until, lambda: True)
        self.clock.move(seconds=seconds)

    @invariant()
    def nothing_is_lost_or_made_up(self) -> None:
        """What is not delivered is in the table, once, and nothing else is."""
        with self.database.read(OURS) as work:
            kept = work.select(OutboxRow)
        table = Counter((row.subscriber, row.body["number"]) for row in kept)
        assert max(table.values(), default=1) == 1
        assert table.keys() <= self.rows.keys()
        gone = self.rows.keys() - table.keys()
        assert all(self.rows[key].heard for key in gone)

    def teardown(self) -> None:
        """After all crashes whoever comes next delivers the rest: everything was heard or is visibly given up."""
        self.clock.move(minutes=15)  # every lease and pause is over
        asyncio.run(self.outbox().drain())
        with self.database.read(OURS) as work:
            left = work.select(OutboxRow)
        assert {row.state for row in left} <= {"failed"}
        assert {row.error for row in left} <= {"no"}
        failed = {(row.subscriber, row.body["number"]) for row in left}
        assert {key for key, row in self.rows.items() if not row.heard} <= failed
        self.database.close()


def test_any_crash_point(new_url: NewUrl) -> None:
    """No order of announcing, delivering, settling and dying loses a row or lets one overtake another."""
    url = new_url()
    is_sqlite = url.startswith("sqlite")

    class OnThisEngine(Deliveries):
        def __init__(self) -> None:
            super().__init__(url)
            with self.database.transaction() as connection:
                connection.execute(shape_of(OutboxRow).table.delete())
                connection.execute(shape_of(Peer).table.delete())

    # The rules are the same on both engines, so the slower one is asked for fewer stories.
    asked = settings(max_examples=25 if is_sqlite else 10, stateful_step_count=25)
    run_state_machine_as_test(OnThisEngine, settings=asked)
