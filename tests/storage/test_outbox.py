"""The outbox: at least once, in order, and nothing ever silently gone. The same cases hold on both engines."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import col

from connector.errors import Busy, Conflict, Denied, IllegalMove, InvalidInput, NotFound, PeerFailed
from connector.storage.dispatch import Outcome
from connector.storage.events import DeliveryFailed, Event, EvidenceRecorded, decode, encode
from connector.storage.outbox import LONGEST_PAUSE, PATIENCE, QUICK_TRIES, Handler, Outbox, retry
from connector.storage.tables import OutboxRow, Peer
from connector.storage.work import Database
from tests.fixtures import Clock, NewDatabase
from tests.storage.rows import NOON, OURS, THEIRS, peer


class Said(Event, frozen=True, kw_only=True):
    """Something with a number, for two subscribers."""

    number: int


SUBSCRIBERS: dict[type[Event], tuple[str, ...]] = {Said: ("plain", "waiting")}


class Ears:
    """Handlers, a plain and an async one, that remember what they heard and fail when told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str, int]] = []
        self.failures: dict[tuple[str, int], list[Exception]] = {}

    def handlers(self) -> dict[str, Handler]:
        """Return a handler for each subscriber."""
        return {"plain": self.plain, "waiting": self.waiting}

    def plain(self, event: Event, participant: str) -> None:
        """Hear in a thread."""
        assert threading.current_thread() is not threading.main_thread()
        self._hear("plain", event, participant)

    async def waiting(self, event: Event, participant: str) -> None:
        """Hear on the loop."""
        await asyncio.sleep(0)
        self._hear("waiting", event, participant)

    def by(self, subscriber: str) -> list[int]:
        """Return the numbers one subscriber heard."""
        return [number for name, _, _, number in self.heard if name == subscriber]

    def _hear(self, name: str, event: Event, participant: str) -> None:
        assert isinstance(event, Said)
        if self.failures.get((name, event.number)):
            raise self.failures[name, event.number].pop(0)
        self.heard.append((name, participant, event.subject, event.number))


@pytest.fixture
def ears() -> Ears:
    """Return handlers that remember."""
    return Ears()


@pytest.fixture
def database(new_database: NewDatabase) -> Database:
    """Return a database with two subscribers."""
    return new_database(SUBSCRIBERS)


@pytest.fixture
def outbox(database: Database, ears: Ears, clock: Clock) -> Outbox:
    """Return its outbox, with pauses of full length."""
    return Outbox(database, ears.handlers(), clock, roll=lambda: 1.0)


def say(database: Database, *numbers: int, subject: str = "s", due: datetime | None = None, by: str = OURS) -> None:
    """Announce numbers about a subject, in one unit."""
    with database.begin(by) as work:
        for number in numbers:
            work.emit(Said(subject=subject, number=number), due=due)


def rows(database: Database, participant: str = OURS) -> list[OutboxRow]:
    """Return what is in the outbox."""
    with database.read(participant) as work:
        return work.select(OutboxRow, order_by=OutboxRow.id)


def drain(outbox: Outbox) -> int:
    """Deliver what is due."""
    return asyncio.run(outbox.drain())


# --- delivery ---------------------------------------------------------------------------------------------------------


def test_each_subscriber_hears_each_event_once_and_in_order(database: Database, outbox: Outbox, ears: Ears) -> None:
    """Delivered rows are gone; both kinds of handler hear whose event it is, and what, in the order announced."""
    say(database, 1, 2)
    say(database, 3)
    say(database, 4, by=THEIRS)
    assert drain(outbox) == 8
    assert [entry for entry in ears.heard if entry[1] == OURS and entry[0] == "plain"] == [
        ("plain", OURS, "s", number) for number in (1, 2, 3)
    ]
    assert ears.by("waiting") == [1, 2, 3, 4]
    assert rows(database) == rows(database, THEIRS) == []
    assert drain(outbox) == 0


def test_nothing_is_announced_by_a_unit_that_failed(database: Database, outbox: Outbox) -> None:
    """What did not happen is not heard of."""

    def act() -> None:
        with database.begin(OURS) as work:
            work.emit(Said(subject="s", number=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()
    assert drain(outbox) == 0


def test_a_handler_may_work_in_the_database_and_announce_more(new_database: NewDatabase, clock: Clock) -> None:
    """Delivery is outside any transaction: a handler opens its own unit, and what it announces follows at once."""
    database = new_database(SUBSCRIBERS)
    heard: list[int] = []

    def echo(event: Event, participant: str) -> None:
        assert isinstance(event, Said)
        heard.append(event.number)
        with database.begin(participant) as work:
            work.add(peer(ident=f"did:web:{event.number}.example"))
            if event.number < 3:
                work.emit(Said(subject=event.subject, number=event.number + 1))

    async def deaf(event: Event, participant: str) -> None:
        """Hear nothing."""

    say(database, 1)
    assert drain(Outbox(database, {"plain": echo, "waiting": deaf}, clock)) == 6
    assert heard == [1, 2, 3]
    with database.read(OURS) as work:
        assert work.count(Peer) == 3


def test_a_timer_rings_when_the_clock_gets_there(database: Database, outbox: Outbox, ears: Ears, clock: Clock) -> None:
    """A row due later waits for its moment and holds up nothing that is due before."""
    say(database, 1, due=clock() + timedelta(hours=1))
    say(database, 2)
    assert drain(outbox) == 2
    assert ears.by("plain") == [2]
    clock.move(minutes=59)
    assert drain(outbox) == 0
    clock.move(minutes=1)
    assert drain(outbox) == 2
    assert ears.by("plain") == [2, 1]


def test_a_timer_that_rings_meanwhile_waits_for_the_delivery_under_way(
    database: Database, outbox: Outbox, clock: Clock
) -> None:
    """An older row that becomes due while a younger one is being delivered is not delivered beside it."""
    say(database, 1, due=clock() + timedelta(seconds=5))
    say(database, 2)
    younger = outbox._turn([], 10, {}, ()).deliveries
    assert [row.body["number"] for row in younger] == [2, 2]
    clock.move(seconds=5)
    assert outbox._turn([], 10, {}, younger).deliveries == ()
    older = outbox._turn([Outcome(row) for row in younger], 10, {}, ()).deliveries
    assert [row.body["number"] for row in older] == [1, 1]


def test_every_subscriber_needs_a_handler(database: Database, ears: Ears, clock: Clock) -> None:
    """An event nobody would deliver is found at the start, not in the table a year later."""
    with pytest.raises(ValueError, match="waiting"):
        Outbox(database, {"plain": ears.plain}, clock)


def test_two_events_of_one_name_are_refused(new_database: NewDatabase) -> None:
    """A name in the table must lead back to one type."""
    twin = type("Said", (Event,), {}, frozen=True, kw_only=True)
    with pytest.raises(ValueError, match="share a name"):
        new_database({Said: ("plain",), twin: ("plain",)})


# --- failure ----------------------------------------------------------------------------------------------------------


def test_a_failed_delivery_is_tried_again_and_holds_its_queue(
    database: Database, outbox: Outbox, ears: Ears, clock: Clock
) -> None:
    """While the first event is between attempts, later ones of the same subject and subscriber wait; others do not."""
    ears.failures["plain", 1] = [PeerFailed("No answer."), ConnectionResetError("reset")]
    say(database, 1, 2)
    say(database, 3, subject="another")
    assert drain(outbox) == 4
    assert (ears.by("plain"), ears.by("waiting")) == ([3], [1, 2, 3])
    first, second = rows(database)
    assert (first.attempts, first.error, first.lease_until) == (1, "No answer.", clock() + timedelta(seconds=1))
    assert (second.attempts, second.error) == (0, None)
    clock.move(seconds=1)
    assert drain(outbox) == 0
    assert rows(database)[0].error == "ConnectionResetError: reset"
    clock.move(seconds=2)
    assert drain(outbox) == 2
    assert ears.by("plain") == [3, 1, 2]
    assert rows(database) == []


def test_what_is_given_up_stays_visible_and_holds_nobody(database: Database, outbox: Outbox, ears: Ears) -> None:
    """A final refusal is not tried again; the row stays with its reason, and its subject's later events go ahead."""
    ears.failures["plain", 1] = [Denied("You may not.", fix="Ask for it.")]
    say(database, 1, 2)
    assert drain(outbox) == 3
    assert ears.by("plain") == [2]
    (failed,) = rows(database)
    assert (failed.state, failed.attempts, failed.lease_until) == ("failed", 1, None)
    assert failed.error == "You may not.\nTo fix it: Ask for it."


def test_a_given_up_row_is_revived_by_its_owner_only(database: Database, outbox: Outbox, ears: Ears) -> None:
    """Reviving starts over; nobody revives what is not theirs, not failed or not there."""
    ears.failures["plain", 1] = [InvalidInput("Bad.")]
    say(database, 1)
    drain(outbox)
    (failed,) = rows(database)
    assert failed.id is not None
    for participant, row in ((THEIRS, failed.id), (OURS, failed.id + 1000)):
        with pytest.raises(NotFound):
            outbox.revive(participant, row)
    outbox.revive(OURS, failed.id)
    with pytest.raises(NotFound):
        outbox.revive(OURS, failed.id)
    (revived,) = rows(database)
    assert (revived.state, revived.attempts, revived.error) == ("waiting", 0, None)
    assert drain(outbox) == 1
    assert ears.by("plain") == [1]


def test_who_wants_to_know_hears_that_something_was_given_up(new_database: NewDatabase, clock: Clock) -> None:
    """Giving up is itself an event, written with it; giving up on that one ends the matter."""
    database = new_database({**SUBSCRIBERS, DeliveryFailed: ("undertaker",)})
    told: list[Event] = []

    def refuse(event: Event, participant: str) -> None:
        raise IllegalMove(f"Not now, {event.subject} of {participant}.")

    def undertaker(event: Event, participant: str) -> None:
        assert participant == OURS
        told.append(event)
        raise IllegalMove("Not me either.")

    async def deaf(event: Event, participant: str) -> None:
        """Hear nothing."""

    say(database, 7)
    drain(Outbox(database, {"plain": refuse, "waiting": deaf, "undertaker": undertaker}, clock))
    failed, also_failed = rows(database)
    assert failed.id is not None
    reason = f"Not now, s of {OURS}."
    body = {"subject": "s", "number": 7}
    assert told == [
        DeliveryFailed(subject="s", failed="Said", subscriber="plain", reason=reason, row=failed.id, body=body)
    ]
    assert (also_failed.subscriber, also_failed.state) == ("undertaker", "failed")


def test_a_row_of_another_version_is_kept_with_its_reason(
    new_database: NewDatabase, outbox: Outbox, database: Database
) -> None:
    """A subscriber, an event or a field that this version does not know is no reason to lose the row."""

    class Unknown(Event, frozen=True, kw_only=True):
        """An event of another version."""

    older = new_database({Said: ("retired",), Unknown: ("plain",)})
    with older.begin(OURS) as work:
        work.emit(Said(subject="s", number=1))
        work.emit(Unknown(subject="s"))
    say(database, 2)
    with database.transaction() as connection:
        connection.execute(text("UPDATE outbox SET body = '{}' WHERE subscriber = 'waiting'"))
    drain(outbox)
    failed = {row.subscriber: row.error or "" for row in rows(database)}
    assert failed.keys() == {"retired", "plain", "waiting"}
    assert "no subscriber 'retired'" in failed["retired"]
    assert "No event is called 'Unknown'" in failed["plain"]
    assert "cannot read the event 'Said'" in failed["waiting"]


def test_a_killed_processs_rows_are_taken_up_when_its_lease_is_over(
    new_database: NewDatabase, ears: Ears, clock: Clock
) -> None:
    """What was being delivered when the process died is delivered again, in order, and not before the lease ends."""
    dying, living = (Outbox(new_database(SUBSCRIBERS), ears.handlers(), clock) for _ in range(2))
    say(dying._database, 1, 2)
    taken = dying._turn([], 10, {}, ())
    assert sorted(row.body["number"] for row in taken.deliveries) == [1, 1]
    assert drain(living) == 0
    clock.move(seconds=29)
    assert drain(living) == 0
    clock.move(seconds=1)
    assert drain(living) == 4
    assert ears.by("plain") == ears.by("waiting") == [1, 2]


def test_who_lost_its_lease_settles_nothing_of_the_next(new_database: NewDatabase, ears: Ears, clock: Clock) -> None:
    """A process that slept past its lease can neither postpone nor fail a row that another delivers now."""
    slept, awake = (Outbox(new_database(SUBSCRIBERS), ears.handlers(), clock) for _ in range(2))
    say(slept._database, 1)
    old = slept._turn([], 10, {}, ()).deliveries
    clock.move(seconds=31)
    new = awake._turn([], 10, {}, ()).deliveries
    assert [row.attempt for row in (*old, *new)] == [1, 1, 2, 2]
    slept._turn([Outcome(row, Denied("late")) for row in old], 0, {}, old)
    slept._turn([Outcome(row, PeerFailed("late")) for row in old], 0, {}, old)
    assert [(row.state, row.error, row.lease_until) for row in rows(awake._database)] == [
        ("waiting", None, clock() + timedelta(seconds=30))
    ] * 2
    awake._turn([Outcome(row) for row in new], 0, {}, ())
    assert rows(awake._database) == []


# --- the pauses -------------------------------------------------------------------------------------------------------

PASSING = [PeerFailed("x"), Busy("x"), TimeoutError(), ConnectionRefusedError(), OSError()]
FINAL = [InvalidInput("x"), NotFound("x", "y"), IllegalMove("x"), Denied("x")]
PERHAPS = [Conflict("x"), ZeroDivisionError(), KeyError("x")]


def marked(error: Exception, *, retryable: bool) -> Exception:
    """Return the error with its own word on whether waiting helps."""
    error.retryable = retryable  # type: ignore[attr-defined]
    return error


@given(attempt=st.integers(1, 100), roll=st.floats(0, 1), error=st.sampled_from(PASSING + FINAL + PERHAPS))
def test_a_pause_is_never_too_short_or_too_long(attempt: int, roll: float, error: Exception) -> None:
    """Whatever the attempt and the roll, a pause is half a second to ten minutes, and attempts end."""
    pause = retry(attempt, error, roll)
    if pause is None:
        assert attempt >= (1 if error in FINAL else 5 if error in PERHAPS else PATIENCE)
    else:
        assert timedelta(seconds=0.5) <= pause <= LONGEST_PAUSE
        assert attempt < PATIENCE
        assert error not in FINAL


@given(error=st.sampled_from(PASSING), rolls=st.lists(st.floats(0, 1), min_size=PATIENCE, max_size=PATIENCE))
def test_a_peer_may_be_away_for_more_than_an_hour(error: Exception, rolls: list[float]) -> None:
    """However the dice fall, an absent peer is tried for over an hour before its event is given up."""
    pauses = [retry(attempt, error, roll) for attempt, roll in enumerate(rolls, start=1)]
    assert pauses[-1] is None
    waited = [pause for pause in pauses if pause is not None]
    assert len(waited) == PATIENCE - 1
    assert sum(waited, timedelta()) > timedelta(hours=1)


@given(
    attempt=st.integers(1, 100),
    roll=st.floats(0, 1),
    after=st.timedeltas(timedelta(milliseconds=1), timedelta(seconds=1)),
)
def test_a_pause_that_is_known_to_be_enough_is_taken_a_few_times(attempt: int, roll: float, after: timedelta) -> None:
    """Who lost a race comes back at once; a peer that answers so for ever gets the pauses of any other fault."""
    pause = retry(attempt, PeerFailed("x", after=after), roll)
    assert retry(attempt, PeerFailed("x", after=after, retryable=False), roll) is None
    if attempt <= QUICK_TRIES:
        assert pause is not None
        assert after <= pause <= after * 1.5
    else:
        plain = retry(attempt - QUICK_TRIES, PeerFailed("x"), roll)
        assert pause == (plain if attempt < PATIENCE else None)


@pytest.mark.parametrize("error", [*PASSING, *FINAL, *PERHAPS, PeerFailed("x")], ids=repr)
def test_an_error_that_says_whether_waiting_helps_is_believed(error: Exception) -> None:
    """`retryable` overrules what the kind of error suggests."""
    assert (
        retry(1, marked(type(error)(*error.args[:1], *["y"] * isinstance(error, NotFound)), retryable=False), 0) is None
    )
    patient = marked(type(error)(*error.args[:1], *["y"] * isinstance(error, NotFound)), retryable=True)
    assert retry(PATIENCE - 1, patient, 0) is not None


# --- the loop ---------------------------------------------------------------------------------------------------------


async def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`; pytest's timeout ends what never happens."""
    while not condition():  # noqa: ASYNC110 - what is waited for happens in other threads and in the database
        await asyncio.sleep(0.005)


async def with_loop(outbox: Outbox, act: Callable[[], Awaitable[Any]]) -> None:
    """Do `act` while the outbox runs, then stop it."""
    stop = asyncio.Event()
    running = asyncio.create_task(outbox.run(stop))
    try:
        await act()
    finally:
        stop.set()
        await running


def test_a_commit_wakes_the_loop(database: Database, ears: Ears, clock: Clock) -> None:
    """An announcement is delivered at once, from whatever thread it comes: polling every hour would never see it."""
    outbox = Outbox(database, ears.handlers(), clock, poll=3600)

    async def act() -> None:
        for number in range(1, 4):
            await asyncio.to_thread(say, database, number)
            await until(lambda number=number: ears.by("plain")[-1:] == [number] == ears.by("waiting")[-1:])  # type: ignore[misc]

    asyncio.run(with_loop(outbox, act))
    assert rows(database) == []


def test_another_processs_commit_wakes_the_loop(new_database: NewDatabase, ears: Ears, clock: Clock) -> None:
    """On PostgreSQL other processes are told at once; on SQLite the next look finds it."""
    ours, other = new_database(SUBSCRIBERS), new_database(SUBSCRIBERS)
    outbox = Outbox(ours, ears.handlers(), clock, poll=0.05 if ours.engines.is_sqlite else 3600)

    async def act() -> None:
        await asyncio.to_thread(say, other, 1)
        await until(lambda: ears.by("plain") == [1] == ears.by("waiting"))
        await asyncio.to_thread(say, other, 2)
        await until(lambda: ears.by("plain") == [1, 2] == ears.by("waiting"))

    asyncio.run(with_loop(outbox, act))


def test_the_loop_keeps_order_under_concurrency(database: Database, ears: Ears, clock: Clock) -> None:
    """Many subjects at once, each in its own order, never two deliveries of one subject to one subscriber at a time."""
    at_once: dict[tuple[str, str], int] = {}
    overlaps: list[tuple[str, str]] = []

    async def hear(event: Event, participant: str) -> None:
        key = ("waiting", event.subject)
        at_once[key] = at_once.get(key, 0) + 1
        if at_once[key] > 1:
            overlaps.append(key)
        await asyncio.sleep(0.001)
        at_once[key] -= 1
        await ears.waiting(event, participant)

    outbox = Outbox(database, {"plain": ears.plain, "waiting": hear}, clock, concurrency=8)
    for number in range(4):
        for subject in "abcde":
            say(database, number, subject=subject)

    asyncio.run(with_loop(outbox, lambda: until(lambda: len(ears.heard) == 40)))
    assert overlaps == []
    for name in ("plain", "waiting"):
        for subject in "abcde":
            numbers = [entry[3] for entry in ears.heard if entry[0] == name and entry[2] == subject]
            assert numbers == [0, 1, 2, 3]


def test_a_slow_subscriber_holds_up_no_other(database: Database, ears: Ears, clock: Clock) -> None:
    """One subscriber with more slow deliveries than there is room leaves half of the room to the others."""
    gate = threading.Event()
    peak = [0, 0]
    lock = threading.Lock()

    def slow(event: Event, participant: str) -> None:
        with lock:
            peak[0] += 1
            peak[1] = max(peak)
        gate.wait()
        with lock:
            peak[0] -= 1
        ears.plain(event, participant)

    outbox = Outbox(database, {"plain": slow, "waiting": ears.waiting}, clock, concurrency=4)
    for number in range(12):
        say(database, number, subject=f"s{number}")

    async def act() -> None:
        await until(lambda: len(ears.by("waiting")) == 12)
        assert ears.by("plain") == []
        gate.set()
        await until(lambda: len(ears.by("plain")) == 12)

    asyncio.run(with_loop(outbox, act))
    assert peak == [0, 2]


def test_a_long_delivery_keeps_its_lease(new_database: NewDatabase, ears: Ears, clock: Clock) -> None:
    """While a handler works the lease is renewed: another process does not deliver the same event meanwhile."""
    ours, other = new_database(SUBSCRIBERS), new_database(SUBSCRIBERS)
    release = asyncio.Event()

    async def long(event: Event, participant: str) -> None:
        await release.wait()
        await ears.waiting(event, participant)

    outbox = Outbox(ours, {"plain": ears.plain, "waiting": long}, clock, poll=0.01)
    rival = Outbox(other, ears.handlers(), clock)
    say(ours, 1)

    def lease() -> datetime | None:
        left = rows(ours)
        return left[0].lease_until if len(left) == 1 else None

    async def act() -> None:
        await until(lambda: ears.by("plain") == [1])
        for _ in range(6):
            clock.move(seconds=15)
            await until(lambda: (lease() or NOON) > clock() + timedelta(seconds=10))
            assert await rival.drain() == 0
        release.set()
        await until(lambda: ears.by("waiting") == [1])

    asyncio.run(with_loop(outbox, act))
    assert rows(ours) == []


def test_stopping_finishes_what_runs_and_hands_back_the_rest(database: Database, ears: Ears, clock: Clock) -> None:
    """A stop lets a running delivery end within its grace; one that does not is broken off and is free at once."""
    started: list[int] = []

    async def patient(event: Event, participant: str) -> None:
        assert isinstance(event, Said)
        started.append(event.number)
        await (asyncio.sleep(0.02) if event.number == 1 else asyncio.Event().wait())
        await ears.waiting(event, participant)

    outbox = Outbox(database, {"plain": ears.plain, "waiting": patient}, clock, grace=0.2)
    say(database, 1, subject="quick")
    say(database, 2, subject="endless")
    asyncio.run(with_loop(outbox, lambda: until(lambda: len(started) == 2 and len(ears.by("plain")) == 2)))
    assert ears.by("waiting") == [1]
    (left,) = rows(database)
    assert (left.body["number"], left.attempts, left.lease_until, left.state) == (2, 0, None, "waiting")


def test_a_database_that_is_away_for_a_moment_stops_nothing(
    database: Database, ears: Ears, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When settling fails the outcome is kept and settled later: the loop goes on, and nothing is delivered twice."""
    outbox = Outbox(database, ears.handlers(), clock, poll=0.01)
    turn, away = outbox._turn, [True]

    def stumbling(*args: Any, **options: Any) -> Any:
        if len(ears.heard) == 2 and away:
            away.clear()
            raise Busy("The database is away.")
        return turn(*args, **options)

    monkeypatch.setattr(outbox, "_turn", stumbling)
    say(database, 1)
    asyncio.run(with_loop(outbox, lambda: until(lambda: not away and rows(database) == [])))
    assert ears.by("plain") == ears.by("waiting") == [1]


# --- sealing is asked for once ----------------------------------------------------------------------------------------


def test_evidence_asks_for_sealing_without_flooding(new_database: NewDatabase, clock: Clock) -> None:
    """Acts in a row ask for one sealing; once that is under way, the next act asks again."""
    database = new_database({EvidenceRecorded: ("seal",)})
    asked: list[str] = []

    def record() -> None:
        with database.begin(OURS) as work:
            work.record("s", "k", OURS, {})

    def seal(event: Event, participant: str) -> None:
        assert event == EvidenceRecorded(subject=participant)
        asked.append(participant)
        if len(asked) == 1:
            record()

    for _ in range(5):
        record()
    assert len(rows(database)) == 1
    assert drain(Outbox(database, {"seal": seal}, clock)) == 2
    assert asked == [OURS, OURS]
    with database.read(OURS) as work:
        assert work.count(OutboxRow, col(OutboxRow.state) == "failed") == 0


# --- events -----------------------------------------------------------------------------------------------------------


class Everything(Event, frozen=True, kw_only=True):
    """An event with a field of each common kind."""

    at: datetime
    words: tuple[str, ...]
    maybe: str | None = None
    data: dict[str, Any]


@given(
    event=st.builds(
        Everything,
        subject=st.text(),
        at=st.datetimes(timezones=st.just(NOON.tzinfo)),
        words=st.lists(st.text()).map(tuple),
        maybe=st.none() | st.text(),
        data=st.dictionaries(st.text(), st.none() | st.integers() | st.lists(st.text())),
    )
)
def test_an_event_is_read_back_as_it_was(event: Everything) -> None:
    """What the table holds leads back to an equal event of the same type, whatever else is known."""
    assert decode("Everything", encode(event), [Said, Everything]) == event
    with pytest.raises(LookupError, match="Everything"):
        decode("Everything", encode(event), [Said])
