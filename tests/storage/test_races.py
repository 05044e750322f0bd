"""Many threads at once: what must happen exactly once happens exactly once, on both engines."""

import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, StatementError

from connector.errors import Busy, Conflict, InvalidInput, TooLarge
from connector.storage import engines
from connector.storage.engines import LogFlush, refusal
from connector.storage.tables import Agreement, Dataset, Peer
from connector.storage.work import Database
from tests.fixtures import Clock, NewDatabase
from tests.storage.rows import NOON, OURS, PEER, agreement, dataset, negotiation, peer

T = TypeVar("T")


def together(count: int, act: Callable[[int], T]) -> list[T]:
    """Start `act` in `count` threads at the same moment and return what each gave."""
    start = threading.Barrier(count)

    def one(number: int) -> T:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_of_eight_that_present_a_token_one_is_first(new_database: NewDatabase) -> None:
    """A replayed token is refused however close it comes, by other processes' databases too."""
    doors = [new_database() for _ in range(2)]

    def present(number: int) -> bool:
        with doors[number % 2].begin(OURS) as work:
            return work.use_token(PEER, "jti", NOON)

    for _ in range(3):
        assert sorted(together(8, present)) == [False] * 7 + [True]
        with doors[0].begin(OURS) as work:
            work.forget_tokens(NOON.replace(year=2027))


def test_a_limit_of_uses_is_never_exceeded(database: Database) -> None:
    """Of sixteen uses at once under a limit of five, five are granted, and the row counts five."""
    with database.begin(OURS) as work:
        work.add(negotiation())
        work.add(agreement())

    def use(_number: int) -> list[bool]:
        granted = []
        for _ in range(2):
            with database.begin(OURS) as work:
                granted.append(work.spend_use("urn:agreement", 5))
        return granted

    assert sum(sum(granted) for granted in together(8, use)) == 5
    with database.read(OURS) as work:
        assert work.need(Agreement, "urn:agreement").uses == 5


@pytest.mark.parametrize("by", ["find", "select"])
def test_a_locked_row_is_read_and_changed_by_one_at_a_time(new_database: NewDatabase, by: str) -> None:
    """Read, think, write under a lock loses no update, also when the row was read before without one."""
    doors = [new_database() for _ in range(2)]
    with doors[0].begin(OURS) as work:
        work.add(dataset())

    def count_on(number: int) -> None:
        for _ in range(4):
            with doors[number % 2].begin(OURS) as work:
                work.find(Dataset, OURS, "urn:dataset")
                if by == "find":
                    row = work.need(Dataset, OURS, "urn:dataset", lock=True)
                else:
                    row = work.select(Dataset, lock=True)[0]
                row.version += 1

    together(6, count_on)
    with doors[0].read(OURS) as work:
        assert work.need(Dataset, OURS, "urn:dataset").version == 25


def test_of_two_that_add_the_same_row_one_is_told(database: Database) -> None:
    """The second to add a key gets a `Conflict`, never an error of the database."""

    def add(_number: int) -> bool:
        try:
            with database.begin(OURS) as work:
                work.add(peer())
        except Conflict:
            return False
        return True

    assert sorted(together(6, add)) == [False] * 5 + [True]


def test_readers_see_one_moment_and_wait_for_nobody(new_database: NewDatabase) -> None:
    """A reading unit keeps its view while others commit, and is not held up by an open writing unit."""
    reading, writing = new_database(), new_database()

    def add(_number: int) -> None:
        with writing.begin(OURS) as work:
            work.add(peer())

    with reading.read(OURS) as work:
        assert work.count(Peer) == 0
        together(1, add)
        assert work.count(Peer) == 0
    with writing.begin(OURS) as held:
        held.add(peer(ident="did:web:other.example"))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(_count, reading).result() == 1


def _count(database: Database) -> int:
    with database.read(OURS) as work:
        return work.count(Peer)


def test_a_database_in_memory_serves_threads(clock: Clock, new_id: Callable[[], str]) -> None:
    """`sqlite://` works for quick tests: one database, whoever asks."""
    database = Database("sqlite://", {}, clock, new_id)
    database.upgrade()

    def add(number: int) -> None:
        with database.begin(OURS) as work:
            work.add(peer(ident=f"did:web:{number}.example"))

    together(6, add)
    assert _count(database) == 6
    database.close()


# --- what the engines' errors mean ------------------------------------------------------------------------------------


def test_a_database_held_by_another_process_is_busy(new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting has an end: whoever cannot get in is told to come back, instead of an error of ours."""
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    holder, other = new_database(), new_database()

    def knock(_number: int) -> str:
        try:
            with other.begin(OURS) as work:
                if not other.engines.is_sqlite:
                    work._execute(text("SET LOCAL lock_timeout = '50ms'"))
                work.need(Peer, PEER, lock=True)
        except Busy as busy:
            return str(busy)
        return "got in"

    with holder.begin(OURS) as work:
        work.add(peer())
    with holder.begin(OURS) as work:
        work.need(Peer, PEER, lock=True)
        assert "Try again" in together(1, knock)[0]
    assert together(1, knock) == ["got in"]


def test_a_deadlock_is_busy_and_the_other_goes_on(database: Database) -> None:
    """Two units that wait for each other: one is undone and told to try again."""
    if database.engines.is_sqlite:
        return  # its writers never overlap
    with database.begin(OURS) as work:
        for ident in "ab":
            work.add(peer(ident=ident))
    both_hold = threading.Barrier(2)

    def cross(number: int) -> str:
        try:
            with database.begin(OURS) as work:
                work.need(Peer, "ab"[number], lock=True)
                both_hold.wait()
                work.need(Peer, "ba"[number], lock=True)
        except Busy:
            return "busy"
        return "done"

    assert sorted(together(2, cross)) == ["busy", "done"]


def test_a_server_that_is_not_there_is_busy(tmp_path: Path, clock: Clock, new_id: Callable[[], str]) -> None:
    """A PostgreSQL that does not answer is a passing fault: peers must not take it for a refusal."""
    database = Database(f"postgresql://nobody@/none?host={tmp_path}", {}, clock, new_id)
    with pytest.raises(Busy), database.begin(OURS):
        pass


class _Driver(Exception):  # noqa: N818 - stands for a driver's error
    def __init__(self, sqlstate: str | None = None, sqlite_errorname: str | None = None) -> None:
        super().__init__("what the driver says")
        if sqlite_errorname:
            self.sqlite_errorname = sqlite_errorname
        else:
            self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (OperationalError("s", {}, _Driver("40P01")), Busy),
        (OperationalError("s", {}, _Driver("40001")), Busy),
        (OperationalError("s", {}, _Driver("57P01")), Busy),
        (OperationalError("s", {}, psycopg.OperationalError("gone")), Busy),
        (psycopg.OperationalError("gone"), Busy),
        (OperationalError("s", {}, _Driver(sqlite_errorname="SQLITE_BUSY_SNAPSHOT")), Busy),
        (OperationalError("s", {}, _Driver(sqlite_errorname="SQLITE_IOERR_WRITE")), OperationalError),
        (OperationalError("s", {}, _Driver("42P01")), OperationalError),
        (OperationalError("s", {}, _Driver("54000")), TooLarge),
        (IntegrityError("s", {}, psycopg.errors.UniqueViolation()), Conflict),
        (sqlite3.IntegrityError("FOREIGN KEY"), Conflict),
        (OverflowError("int too large"), InvalidInput),
        (DataError("s", {}, psycopg.DataError("NUL")), InvalidInput),
        (StatementError("m", "s", {}, ValueError("no time zone")), ValueError),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
    ids=str,
)
def test_an_engines_error_means_what_the_asker_can_do(error: Exception, meaning: type[Exception]) -> None:
    """Waiting helps: Busy. The value is at fault: InvalidInput. Anything else, a bug or a broken disk, stays itself."""
    assert type(refusal(error)) is meaning


@pytest.mark.parametrize("url", ["mysql://host/name", "oracle://host", "postgresql+asyncpg://host/name"])
def test_other_engines_are_refused_by_name(url: str, clock: Clock, new_id: Callable[[], str]) -> None:
    """A database of another kind is refused at the start, with what may be given instead."""
    with pytest.raises(InvalidInput, match="sqlite:///"):
        Database(url, {}, clock, new_id)


# --- the flush --------------------------------------------------------------------------------------------------------


@given(waiting=st.integers(1, 12), failing=st.booleans())
def test_whoever_waited_for_the_flush_is_on_the_disk(waiting: int, failing: bool) -> None:
    """Each call returns only after a flush that began after the call; a failed flush is told to one and repeated."""
    flush = LogFlush(Path("unused"))
    lock = threading.Lock()
    moments = [0]
    begun: list[int] = []
    failures = [failing]

    def tick() -> int:
        with lock:
            moments[0] += 1
            return moments[0]

    def on_disk() -> None:
        began = tick()
        if failures and failures.pop():
            raise OSError("The disk said no.")
        begun.append(began)

    flush._flush = on_disk  # type: ignore[method-assign]

    def wait(_number: int) -> bool:
        called = tick()
        try:
            flush()
        except OSError:
            return False
        return any(began > called for began in begun)

    results = together(waiting, wait)
    assert results.count(False) == (1 if failing else 0)


def test_an_act_waits_for_the_disk_and_bookkeeping_does_not(
    tmp_path: Path, sqlite_template: Path, clock: Clock, new_id: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`begin` returns after the log was flushed, which then holds the commit; reading and bookkeeping flush nothing."""
    path = tmp_path / "flushed.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}", {}, clock, new_id)
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_size))
    with database.begin(OURS) as work:
        work.add(peer())
    log = path.with_name("flushed.db-wal")
    assert flushed == [log.stat().st_size]
    with database.read(OURS) as work:
        work.need(Peer, PEER)
    with database.transaction(relaxed=True) as connection:
        connection.execute(text("UPDATE peer SET name = 'x'"))
    with pytest.raises(ZeroDivisionError), database.begin(OURS):
        raise ZeroDivisionError
    assert len(flushed) == 1
    database.close()
    assert not log.exists()
    LogFlush(path)()  # the log is gone with the last connection: there is nothing left to flush


def test_how_sqlite_is_set_up(tmp_path: Path, clock: Clock, new_id: Callable[[], str]) -> None:
    """Each connection writes ahead, keeps references, and a reader's cannot write."""
    database = Database(f"sqlite:///{tmp_path / 'new.db'}", {}, clock, new_id)
    database.upgrade()

    def pragma(name: str, *, write: bool) -> Any:
        with database.transaction(write=write) as connection:
            return connection.execute(text(f"PRAGMA {name}")).scalar_one()

    for write in (True, False):
        assert pragma("journal_mode", write=write) == "wal"
        assert pragma("foreign_keys", write=write) == 1
        assert pragma("synchronous", write=write) == 1
        assert pragma("busy_timeout", write=write) == 10_000
        assert pragma("query_only", write=write) == (0 if write else 1)
    database.close()
