"""Who is alone at work: a process that begins takes up at once what a killed one had in hand, and only then."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from connector.storage import deliveries
from connector.storage.engines import Engines, open_engines
from connector.storage.events import Event
from connector.storage.outbox import Outbox
from connector.storage.presence import at_work
from connector.storage.work import Database
from tests.fixtures import Clock, NewDatabase

OURS = "did:web:ours.example"


class Said(Event, frozen=True, kw_only=True):
    """Something was said."""


@pytest.fixture
def engines(database_url: str) -> Iterator[Callable[[], Engines]]:
    """Return an opener of the test's database, as another process would open it, on each engine in turn."""
    with contextlib.ExitStack() as stack:

        def open_it() -> Engines:
            made = open_engines(database_url)
            stack.callback(made.dispose)
            return made

        yield open_it


def test_only_who_is_alone_is_told_so(engines: Callable[[], Engines]) -> None:
    """The first is alone; the second is not, nor a third after the first has gone; after all are gone one is again."""
    alone: list[str] = []
    with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
        first.enter_context(at_work(engines(), lambda: alone.append("first")))
        second.enter_context(at_work(engines(), lambda: alone.append("second")))
        first.close()
        with at_work(engines(), lambda: alone.append("third")):
            assert alone == ["first"]
    with at_work(engines(), lambda: alone.append("fourth")):
        assert alone == ["first", "fourth"]


def test_a_database_in_memory_is_always_ones_own() -> None:
    """Nobody else can be at work on it."""
    alone: list[int] = []
    with at_work(open_engines("sqlite://"), lambda: alone.append(1)):
        assert alone == [1]


def _leased(database: Database, clock: Clock) -> None:
    """Leave an event that a killed process has in hand for an hour to come."""
    with database.begin(OURS) as work:
        work.emit(Said(subject="a"))
    with database.link() as link:
        hour = clock() + timedelta(hours=1)
        taken = deliveries.take(link, clock(), hour, room=1, under_way={}, share=1)
        assert len(taken.deliveries) == 1


@pytest.mark.parametrize("company", [False, True], ids=["alone", "in company"])
def test_the_leases_of_the_dead_end_when_nobody_else_lives(
    new_database: NewDatabase, engines: Callable[[], Engines], clock: Clock, company: bool
) -> None:
    """Alone, an outbox delivers at once what was in a dead process's hand; beside another it waits for the lease."""
    database = new_database({Said: ("ear",)})
    _leased(database, clock)
    heard: list[str] = []
    arrived = asyncio.Event()

    async def ear(event: Said, _: str) -> None:
        heard.append(event.subject)
        arrived.set()

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(Outbox(database, {"ear": ear}, clock, poll=0.01).run(stop))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(arrived.wait(), 0.5 if company else 30)
        stop.set()
        await running

    with at_work(engines(), lambda: None) if company else contextlib.nullcontext():
        asyncio.run(run())
    assert heard == ([] if company else ["a"])
