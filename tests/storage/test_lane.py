"""The lane: short acts in few commits, each all or nothing, and nothing told before it is kept. On both engines."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.errors import Denied
from connector.storage import links
from connector.storage.events import Event
from connector.storage.handover import Handover
from connector.storage.lane import Lane, Reaction
from connector.storage.outbox import Outbox
from connector.storage.tables import OutboxRow, Peer
from connector.storage.work import Database
from tests.fixtures import Clock, NewDatabase
from tests.storage.rows import NOON, OURS, PEER, peer


class Met(Event, frozen=True, kw_only=True):
    """Somebody was met."""


class Greeted(Event, frozen=True, kw_only=True):
    """Somebody was greeted."""


SUBSCRIBERS: dict[type[Event], tuple[str, ...]] = {Met: ("greet",), Greeted: ("write",)}


@pytest.fixture
def database(new_database: NewDatabase) -> Database:
    """Return a database in which one event leads to another."""
    return new_database(SUBSCRIBERS)


@pytest.fixture
def lane(database: Database) -> Iterator[Lane]:
    """Return a lane without reactions."""
    made = Lane(database, {})
    yield made
    made.close()


def meet(database: Database, name: str, error: Exception | None = None) -> str:
    """Write a peer and announce it, then perhaps fail."""
    with database.begin(OURS) as work:
        work.add(peer(ident=name))
        work.emit(Met(subject=name))
        if error is not None:
            raise error
    return name


def kept(database: Database) -> set[str]:
    """Return who is in the table."""
    with database.read(OURS) as work:
        return {row.id for row in work.select(Peer)}


def waiting(database: Database) -> list[tuple[str, str]]:
    """Return what is in the outbox: subscriber and subject."""
    with database.read(OURS) as work:
        return [(row.subscriber, row.subject) for row in work.select(OutboxRow, order_by=OutboxRow.id)]


async def all_of(*acts: Awaitable[Any]) -> list[Any]:
    """Do acts at the same time and return what came of each, errors too."""
    return await asyncio.gather(*acts, return_exceptions=True)


def test_acts_that_wait_together_are_each_all_or_nothing(database: Database, lane: Lane) -> None:
    """One that raises is undone alone, whatever shares its commit; each gets its own result or error."""
    names = [f"p{number}" for number in range(20)]
    odd = {name: Denied(name) for name in names[1::2]}

    async def act() -> list[Any]:
        return await all_of(*(lane.do(lambda name=name: meet(database, name, odd.get(name))) for name in names))  # type: ignore[misc]

    found = asyncio.run(act())
    assert found == [odd.get(name, name) for name in names]
    assert kept(database) == set(names) - odd.keys()
    assert sorted(waiting(database)) == [("greet", name) for name in sorted(kept(database))]


def test_on_sqlite_those_who_wait_share_a_commit(
    database: Database, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight at once cost one commit; on PostgreSQL, which commits for many by itself, each has its own."""
    commits: list[int] = []
    commit = links.Link.commit

    def counted(link: links.Link) -> None:
        commits.append(1)
        commit(link)

    monkeypatch.setattr(links.Link, "commit", counted)

    async def act() -> None:
        await all_of(*(lane.do(lambda name=name: meet(database, name)) for name in "abcdefgh"))  # type: ignore[misc]

    asyncio.run(act())
    assert len(commits) == (1 if database.engines.is_sqlite else 8)


def test_an_act_has_several_units_and_a_later_one_may_fail(database: Database, lane: Lane) -> None:
    """A token that was spent stays spent when what it was shown for is refused."""

    def act() -> None:
        with database.begin(OURS) as work:
            assert work.use_token(PEER, "jti", NOON)
        meet(database, "refused", Denied("no"))

    async def twice() -> list[Any]:
        return [*await all_of(lane.do(act)), *await all_of(lane.do(act))]

    first, second = asyncio.run(twice())
    assert isinstance(first, Denied)
    assert isinstance(second, AssertionError)
    assert kept(database) == set()


def test_nobody_is_told_of_what_was_not_committed(
    database: Database, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the commit fails every act has failed, and nothing of any is left or handed on."""
    handed: list[Any] = []
    database.listen(lambda: None, Handover(handed.extend, lambda: NOON, lambda: True))

    def broken(_link: links.Link) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async def act() -> list[Any]:
        with monkeypatch.context() as patch:
            patch.setattr(links.Link, "commit", broken)
            return await all_of(*(lane.do(lambda name=name: meet(database, name)) for name in "abc"))  # type: ignore[misc]

    found = asyncio.run(act())
    assert [type(each) for each in found] == [sqlite3.OperationalError] * 3
    assert (kept(database), waiting(database), handed) == (set(), [], [])


def test_an_answer_waits_for_the_disk(
    tmp_path: Path, sqlite_template: Path, clock: Clock, new_id: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite the result is told after the flush that covers it, and one flush covers all that waited."""
    path = tmp_path / "flushed.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}", {}, clock, new_id)
    lane = Lane(database, {})
    said: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: said.append("flushed"))

    async def one(name: str) -> None:
        await lane.do(lambda: meet(database, name))
        said.append(name)

    async def act() -> None:
        await all_of(one("a"), one("b"))

    asyncio.run(act())
    lane.close()
    database.close()
    assert said == ["flushed", "a", "b"]


def test_who_waits_for_another_writer_is_served_after_it(database: Database, lane: Lane) -> None:
    """Neither a thread of this process nor another process makes an act fail or the loop stand still."""
    other = Database(database.engines.url.render_as_string(hide_password=False), {}, database.now, database.new_id)
    turned: list[int] = []

    async def behind(writer: Database, name: str) -> None:
        begun, free = threading.Event(), threading.Event()

        def write() -> None:
            with writer.begin(OURS) as work:
                work.add(peer(ident=f"{name}-first"))
                begun.set()
                free.wait(20)

        writing = threading.Thread(target=write)
        writing.start()
        await asyncio.to_thread(begun.wait, 20)
        doing = asyncio.ensure_future(lane.do(lambda: meet(database, name)))
        for _ in range(3):
            await asyncio.sleep(0.01)
            turned.append(1)
        if database.engines.is_sqlite:
            assert not doing.done()
        free.set()
        await asyncio.to_thread(writing.join)
        assert await doing == name

    async def act() -> None:
        await behind(other, "process")
        await behind(database, "thread")

    asyncio.run(act())
    other.close()
    assert len(turned) == 6
    assert kept(database) == {"thread", "thread-first", "process", "process-first"}


# --- reactions --------------------------------------------------------------------------------------------------------


class Greeter:
    """Greets whom it hears of, in a unit of its own, and fails when told to."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.failures: list[Exception] = []
        self.heard: list[str] = []

    def greet(self, event: Event, participant: str) -> None:
        """Hear of somebody."""
        with self.database.begin(participant) as work:
            ours = work.need(Peer, event.subject, lock=True)
            ours.name = "Greeted"
            work.emit(Greeted(subject=event.subject))
            if self.failures:
                raise self.failures.pop()
            self.heard.append(event.subject)

    def write(self, event: Event, participant: str) -> None:
        """Hear that somebody was greeted."""
        assert participant == OURS
        self.heard.append(f"wrote {event.subject}")


def answered(database: Database, greeter: Greeter, clock: Clock, act: Callable[[Lane], Awaitable[Any]]) -> None:
    """Do something on a lane with a reaction while the outbox runs, until the outbox is empty."""
    reactions: dict[str, Reaction] = {"greet": greeter.greet}
    outbox = Outbox(database, {"greet": greeter.greet, "write": greeter.write}, clock, poll=0.02)

    async def run() -> None:
        lane, stop = Lane(database, reactions), asyncio.Event()
        running = asyncio.ensure_future(outbox.run(stop))
        await asyncio.sleep(0.05)
        await act(lane)
        while waiting(database):
            clock.move(seconds=1)
            await asyncio.sleep(0.01)
        stop.set()
        await running
        lane.close()

    asyncio.run(run())


def test_a_reaction_is_kept_with_what_led_to_it(database: Database, clock: Clock) -> None:
    """What reacts is done when the act's result is told, in the same commit; what it announced is delivered."""
    greeter = Greeter(database)

    async def act(lane: Lane) -> None:
        await lane.do(lambda: meet(database, "a"))
        with database.read(OURS) as work:
            assert work.need(Peer, "a").name == "Greeted"

    answered(database, greeter, clock, act)
    assert greeter.heard == ["a", "wrote a"]


def test_a_reaction_that_fails_comes_later_and_undoes_nobody_else(database: Database, clock: Clock) -> None:
    """Its own unit is undone, the act stands, and the outbox tries again like with any other event."""
    greeter = Greeter(database)
    greeter.failures = [RuntimeError("not now")]

    async def act(lane: Lane) -> None:
        assert await lane.do(lambda: meet(database, "a")) == "a"
        assert kept(database) == {"a"}

    answered(database, greeter, clock, act)
    assert greeter.heard == ["a", "wrote a"]
    with database.read(OURS) as work:
        assert work.need(Peer, "a").name == "Greeted"


def test_a_reaction_waits_for_its_turn(database: Database) -> None:
    """An event behind another of its queue that is not delivered yet is not heard before it."""
    greeter = Greeter(database)
    meet(database, "a")  # nobody delivers yet
    reactions: dict[str, Reaction] = {"greet": greeter.greet}

    async def act() -> None:
        lane = Lane(database, reactions)
        database.listen(lambda: None, Handover(lambda _: None, lambda: NOON, lambda: True))

        def again() -> None:
            with database.begin(OURS) as work:
                work.need(Peer, "a", lock=True)
                work.emit(Met(subject="a"))

        await lane.do(again)
        lane.close()

    asyncio.run(act())
    assert greeter.heard == []
    assert waiting(database) == [("greet", "a"), ("greet", "a")]
