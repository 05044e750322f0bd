"""The unit of work: all of it or none, and nobody else's rows. The same cases hold on both engines."""

import contextlib
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, and_, column, exists, false, func, literal_column, not_, or_, select, text, true
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import SQLModel, col

from connector.errors import Conflict, InvalidInput, NotFound
from connector.storage.events import Event
from connector.storage.shapes import shape_of
from connector.storage.tables import (
    Agreement,
    Dataset,
    Evidence,
    LedgerHead,
    Negotiation,
    Offer,
    OutboxRow,
    Peer,
    UsedToken,
)
from connector.storage.work import Database
from tests.fixtures import Clock, NewDatabase
from tests.storage.rows import NOON, OURS, PEER, THEIRS, agreement, dataset, negotiation, offer, one_of_each, peer


class Happened(Event, frozen=True, kw_only=True):
    """Something for two subscribers."""

    at: datetime


SUBSCRIBERS: dict[type[Event], tuple[str, ...]] = {Happened: ("first", "second")}


# --- all or nothing ---------------------------------------------------------------------------------------------------


def test_row_evidence_and_events_are_kept_together(new_database: NewDatabase) -> None:
    """Leaving the block keeps the row, its evidence and one outbox row for each subscriber."""
    database = new_database(SUBSCRIBERS)
    with database.begin(OURS) as work:
        work.add(peer())
        work.record(PEER, "peer.added", OURS, {"name": "Peer"})
        work.emit(Happened(subject=PEER, at=NOON))
    with database.read(OURS) as work:
        assert work.need(Peer, PEER) == peer()
        assert [row.kind for row in work.select(Evidence)] == ["peer.added"]
        rows = work.select(OutboxRow, order_by=OutboxRow.id)
        assert [(row.subscriber, row.event, row.subject) for row in rows] == [
            ("first", "Happened", PEER),
            ("second", "Happened", PEER),
        ]


def test_an_exception_undoes_everything(new_database: NewDatabase) -> None:
    """A block that raises leaves no trace: neither rows nor evidence nor events."""
    database = new_database(SUBSCRIBERS)

    def act() -> None:
        with database.begin(OURS) as work:
            work.add(peer())
            work.record(PEER, "peer.added", OURS, {})
            work.emit(Happened(subject=PEER, at=NOON))
            assert work.use_token(PEER, "jti", NOON)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        act()
    with database.read(OURS) as work:
        assert [work.count(model) for model in (Peer, Evidence, OutboxRow, UsedToken)] == [0, 0, 0, 0]


def test_a_unit_that_is_over_refuses_everything(database: Database) -> None:
    """After the block the records stay readable and the unit does nothing, not even silently."""
    with database.begin(OURS) as work:
        ours = work.add(peer())
    assert ours.name == "Peer"
    for use in (
        lambda: work.find(Peer, PEER),
        lambda: work.select(Peer),
        lambda: work.add(peer(ident="did:web:other.example")),
        lambda: work.delete(ours),
        lambda: work.record("s", "k", OURS, {}),
        lambda: work.use_token(PEER, "jti", NOON),
    ):
        with pytest.raises(RuntimeError, match="is over"):
            use()
    ours.name = "Changed too late"
    with database.read(OURS) as work:
        assert work.need(Peer, PEER).name == "Peer"


def test_a_refused_unit_cannot_be_left_as_if_all_were_well(database: Database) -> None:
    """Catching the database's refusal inside the block does not save the unit: both engines undo it and say so."""

    def act() -> None:
        with database.begin(OURS) as work:
            work.add(peer(ident="did:web:new.example"))
            with pytest.raises(Conflict):
                work.add(peer())
            with pytest.raises(RuntimeError, match="refused"):
                work.count(Peer)

    with database.begin(OURS) as work:
        work.add(peer())
    with pytest.raises(Conflict):
        act()
    with database.read(OURS) as work:
        assert work.count(Peer) == 1


def test_a_failure_below_the_unit_is_not_swallowed(database: Database) -> None:
    """A projection's failed statement, caught and forgotten, must not turn the commit into a silent rollback."""

    def act() -> bool:
        with database.begin(OURS) as work:
            work.add(peer())
            with contextlib.suppress(SQLAlchemyError):
                work.connection.execute(text("SELECT no_such_column"))
        return True

    try:
        committed = act()
    except RuntimeError:
        committed = False
    with database.read(OURS) as work:
        assert work.count(Peer) == committed


def test_units_of_one_thread_do_not_nest(database: Database) -> None:
    """A second unit inside the first would wait for it for ever on one engine and see half of it on the other."""
    with database.begin(OURS), pytest.raises(RuntimeError, match="in a transaction already"), database.begin(OURS):
        pass
    with database.begin(OURS) as work:
        assert work.count(Peer) == 0


def test_a_reading_unit_writes_nothing(database: Database) -> None:
    """`read` hands out rows and takes none."""
    with database.begin(OURS) as work:
        work.add(peer())
    with database.read(OURS) as work:
        found = work.need(Peer, PEER)
        found.name = "A view's own business"
        for use in (
            lambda: work.add(peer()),
            lambda: work.delete(found),
            lambda: work.emit(Happened(subject="s", at=NOON)),
            lambda: work.record("s", "k", OURS, {}),
            lambda: work.find(Peer, PEER, lock=True),
            lambda: work.select(Peer, lock=True),
            lambda: work.spend_use("a", 1),
            lambda: work.use_token(PEER, "jti", NOON),
            lambda: work.forget_tokens(NOON),
            lambda: work.revive(1),
        ):
            with pytest.raises(RuntimeError, match="only reads"):
                use()
    with database.read(OURS) as work:
        assert work.need(Peer, PEER).name == "Peer"


def test_a_reading_transaction_cannot_write_even_by_raw_sql(database: Database) -> None:
    """The engine itself refuses: a slip below the unit of work is no way around it."""
    with pytest.raises(Exception, match=r"(?i)read-?only"), database.transaction(write=False) as connection:
        connection.execute(text("DELETE FROM peer"))


# --- nobody else's rows -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("foreign", one_of_each(THEIRS), ids=lambda row: type(row).__name__)
def test_a_foreign_row_cannot_be_written(database: Database, foreign: SQLModel) -> None:
    """A row of another participant is refused by every table."""

    def act() -> None:
        with database.begin(OURS) as work:
            work.add(foreign)

    with pytest.raises(ValueError, match="cannot write a row of did:web:theirs"):
        act()


def test_foreign_rows_do_not_exist(new_database: NewDatabase) -> None:
    """Of every table: the other participant's rows are not found, listed, counted, changed or deleted."""
    database = new_database(SUBSCRIBERS)
    theirs = one_of_each(THEIRS)
    with database.begin(THEIRS) as work:
        for row in theirs:
            work.add(row)
        work.record("s", "k", THEIRS, {}, "m")
        work.emit(Happened(subject="s", at=NOON))
        seq = work.select(Evidence)[0].seq
    with database.begin(OURS) as work:
        for row in theirs:
            key = tuple(getattr(row, name) for name in shape_of(type(row)).key)
            assert work.find(type(row), *key) is None
            assert work.find(type(row), *key, lock=True) is None
        assert work.find(Evidence, seq) is None
        for model in (*map(type, theirs), Evidence, OutboxRow, LedgerHead):
            assert work.select(model) == []
            assert work.count(model) == 0
        assert not work.has_evidence("s", "m")
        assert not work.spend_use("urn:agreement", 10)
        assert work.use_token(PEER, "jti", NOON), "their token says nothing about ours"
        assert work.forget_tokens(NOON + timedelta(days=9)) == 1
    with database.begin(THEIRS) as work:
        assert not work.use_token(PEER, "jti", NOON)


@pytest.mark.parametrize("foreign", one_of_each(THEIRS), ids=lambda row: type(row).__name__)
def test_a_foreign_row_cannot_be_deleted(database: Database, foreign: SQLModel) -> None:
    """Handing in somebody else's record deletes neither their row nor our row of the same key."""
    for participant in (OURS, THEIRS):
        with database.begin(participant) as work:
            for row in one_of_each(participant):
                work.add(row)

    def act() -> None:
        with database.begin(OURS) as work:
            work.delete(foreign)

    with pytest.raises((NotFound, Conflict)):
        act()
    for participant in (OURS, THEIRS):
        with database.read(participant) as work:
            assert work.count(type(foreign)) == 1


def conditions() -> st.SearchStrategy[ColumnElement[bool]]:
    """Return conditions of any shape over the columns of Offer, also such as are always true."""
    words = st.sampled_from([OURS, THEIRS, "urn:offer", "open", "", "' OR 1=1 --", "%"])
    columns = st.sampled_from([col(Offer.participant), col(Offer.id), col(Offer.state), col(Offer.dataset)])
    leaves = st.one_of(
        st.sampled_from([true(), false(), func.length(col(Offer.id)) > 0]),
        st.builds(lambda left, word: left == word, columns, words),
        st.builds(lambda left, word: left.like(word), columns, words),
        st.builds(lambda left, word: left.in_([word]), columns, words),
        st.builds(lambda left, right: left == right, columns, columns),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.builds(not_, inner), st.builds(or_, inner, inner), st.builds(and_, inner, inner)),
        max_leaves=6,
    )


@given(conditions=st.lists(conditions(), max_size=3))
@example(conditions=[or_(col(Offer.participant) == THEIRS, true())])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_condition_looks_past_the_participant(database: Database, conditions: list[ColumnElement[bool]]) -> None:
    """Whatever is asked, and however it is combined, only the participant's own rows answer."""
    for participant in (OURS, THEIRS):
        with database.begin(participant) as work:
            if not work.count(Offer):
                work.add(offer(participant))
    with database.begin(OURS) as work:
        found = work.select(Offer, *conditions)
        assert {row.participant for row in found} <= {OURS}
        assert work.count(Offer, *conditions) == len(found)


@pytest.mark.parametrize(
    "condition",
    [
        text("1=1) OR (1=1"),
        or_(col(Offer.id) == "x", text("1=1")),
        literal_column("1=1) OR (1=1"),
        exists(select(col(Peer.id)).where(col(Peer.participant) == THEIRS)),
        col(Offer.id).in_(select(col(Peer.id))),
        col(Offer.id) == select(col(Peer.id)).scalar_subquery(),
        col(Offer.id) == col(Peer.id),
        column("id") == "x",
        "1=1",
        select(Offer),
    ],
    ids=str,
)
def test_a_condition_speaks_only_of_its_table(database: Database, condition: Any) -> None:
    """Raw text, other tables and subqueries are refused wherever a condition or an order may stand."""
    with database.begin(OURS) as work:
        with pytest.raises(ValueError, match=r"columns of|own columns"):
            work.select(Offer, condition)
        with pytest.raises(ValueError, match=r"columns of|own columns"):
            work.select(Offer, order_by=condition)
        with pytest.raises(ValueError, match=r"columns of|own columns"):
            work.count(Offer, condition)


def test_a_key_never_changes(database: Database) -> None:
    """A row cannot be carried over to another participant, or to another key."""
    for field, value in (("participant", THEIRS), ("id", "did:web:other.example")):
        with database.begin(OURS) as work:
            if work.find(Peer, PEER) is None:
                work.add(peer())

        def act(field: str = field, value: str = value) -> None:
            with database.begin(OURS) as work:
                setattr(work.need(Peer, PEER), field, value)

        with pytest.raises(ValueError, match="key of a row never changes"):
            act()


@pytest.mark.parametrize("model", [Evidence, OutboxRow, LedgerHead])
def test_what_happened_is_written_by_its_keepers_only(new_database: NewDatabase, model: type[SQLModel]) -> None:
    """Evidence, outbox and ledger rows are not added or changed by hand; evidence is not deleted either."""
    database = new_database(SUBSCRIBERS)
    with database.begin(OURS) as work:
        work.record("s", "k", OURS, {})
        work.emit(Happened(subject="s", at=NOON))
    with database.begin(OURS) as work:
        evidence = work.select(Evidence)[0]
        with pytest.raises(ValueError, match="never changed"):
            work.add(model(participant=OURS))
        with pytest.raises(ValueError, match="never changed"):
            work.delete(evidence)

    def act() -> None:
        with database.begin(OURS) as work:
            work.select(Evidence)[0].kind = "something else"

    with pytest.raises(ValueError, match="never changed"):
        act()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evidence SET kind = 'x'",
        "UPDATE evidence SET position = 1, kind = 'x'",
        "UPDATE evidence SET digest = 'x'",
        "DELETE FROM evidence",
    ],
)
def test_the_engine_keeps_evidence_as_it_is(database: Database, statement: str) -> None:
    """Below the unit of work the engine itself refuses to change or delete evidence."""
    with database.begin(OURS) as work:
        work.record("s", "k", OURS, {})

    def act() -> None:
        with database.transaction() as connection:
            connection.execute(text(statement))

    with pytest.raises(Conflict, match="never"):
        act()


# --- what comes back is what went in ----------------------------------------------------------------------------------


def test_every_table_gives_back_what_it_was_given(database: Database) -> None:
    """Rows read in another unit equal the rows written, in every table and type of column."""
    with database.begin(OURS) as work:
        for row in one_of_each(OURS):
            work.add(row)
    with database.read(OURS) as work:
        for row in one_of_each(OURS):
            key = tuple(getattr(row, name) for name in shape_of(type(row)).key)
            assert work.need(type(row), *key) == row
            assert work.select(type(row)) == [row]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(value=json_values, moment=st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=30)))))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_and_moments_survive(database: Database, value: object, moment: datetime) -> None:
    """Any JSON comes back equal, and any moment comes back as the same moment, in UTC, to the microsecond."""
    with database.begin(OURS) as work:
        if work.find(Peer, PEER) is not None:
            work.delete(work.need(Peer, PEER))
        work.add(peer(keys={"value": value}, crawled_at=moment))
    with database.read(OURS) as work:
        found = work.need(Peer, PEER)
    assert found.keys == {"value": value}
    assert found.crawled_at is not None
    assert found.crawled_at == moment
    assert found.crawled_at.utcoffset() == timedelta(0)


def test_a_naive_moment_is_refused(database: Database) -> None:
    """A moment without time zone is refused when written and when asked for."""
    naive = NOON.replace(tzinfo=None)

    def write() -> None:
        with database.begin(OURS) as work:
            work.add(dataset(created=naive))

    def ask() -> None:
        with database.read(OURS) as work:
            work.select(Dataset, col(Dataset.created) < naive)

    for act in (write, ask):
        with pytest.raises(ValueError, match="no time zone"):
            act()


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a\x00b"},
        {"name": "half \ud83d a character"},
        {"keys": {"text": "half \ud83d a character"}},
        {"keys": {"number": float("nan")}},
        {"keys": {"number": float("inf")}},
        {"keys": {"bytes": b"x"}},
    ],
    ids=["nul", "surrogate", "surrogate in JSON", "nan", "infinity", "bytes"],
)
def test_what_cannot_be_kept_is_refused_alike(database: Database, fields: dict[str, Any]) -> None:
    """Both engines refuse what either cannot keep, as the sender's fault."""

    def act() -> None:
        with database.begin(OURS) as work:
            work.add(peer(**fields))

    with pytest.raises(InvalidInput):
        act()


@pytest.mark.parametrize("ident", ["a\x00b", "half \ud83d", "\U0001f326", ""])
def test_an_odd_identifier_from_outside_finds_nothing(database: Database, ident: str) -> None:
    """An identifier that nothing can have is answered like any other unknown one, on both engines."""
    with database.read(OURS) as work:
        assert work.find(Peer, ident) is None


def test_an_identifier_too_long_to_be_kept_is_refused_or_kept(database: Database) -> None:
    """PostgreSQL cannot index a key of many kilobytes: that is the sender's fault, not ours."""
    ident = "".join(f"{number:x}-" for number in range(5000))
    try:
        with database.begin(OURS) as work:
            work.add(peer(ident=ident))
    except InvalidInput:
        assert not database.engines.is_sqlite


class State(StrEnum):
    """An enumeration as the protocols have it."""

    REQUESTED = "REQUESTED"
    AGREED = "AGREED"


def test_enumerations_are_text(database: Database) -> None:
    """A member is written as its value, is found by itself, and comes back as plain text."""
    with database.begin(OURS) as work:
        work.add(negotiation(state=State.REQUESTED))
        work.need(Negotiation, "urn:pid").state = State.AGREED
        assert len(work.select(Negotiation, col(Negotiation.state) == State.AGREED)) == 1
    with database.read(OURS) as work:
        state = work.need(Negotiation, "urn:pid").state
        assert type(state) is str
        assert state == State.AGREED


# --- rows in hand -----------------------------------------------------------------------------------------------------


def test_a_change_deep_inside_json_is_kept(database: Database) -> None:
    """Changing a nested value in place is as good as assigning the column."""
    with database.begin(OURS) as work:
        ours = work.add(negotiation(policy={"permission": [{"action": "use"}]}))
        ours.policy["permission"][0]["constraint"] = []
    with database.begin(OURS) as work:
        work.need(Negotiation, "urn:pid").policy["permission"].append({"action": "read"})
    with database.read(OURS) as work:
        assert work.need(Negotiation, "urn:pid").policy == {
            "permission": [{"action": "use", "constraint": []}, {"action": "read"}]
        }


def test_a_unit_sees_its_own_changes(database: Database) -> None:
    """A change in hand is visible to the unit's later questions, and a row is one object however it was found."""
    with database.begin(OURS) as work:
        ours = work.add(offer())
        assert work.find(Offer, "urn:offer") is ours
        ours.state = "closed"
        assert work.select(Offer, col(Offer.state) == "open") == []
        assert work.select(Offer, col(Offer.state) == "closed")[0] is ours
        assert work.count(Offer, col(Offer.state) == "closed") == 1
        work.delete(ours)
        assert work.find(Offer, "urn:offer") is None
        work.add(offer())
    with database.read(OURS) as work:
        assert work.need(Offer, "urn:offer").state == "open"


def test_only_what_changed_is_written(new_database: NewDatabase) -> None:
    """Two units that change different columns of a row do not undo each other."""
    first, second = new_database(), new_database()
    with first.begin(OURS) as work:
        work.add(peer())
    with first.begin(OURS) as work:
        work.need(Peer, PEER).name = "New name"
    with second.begin(OURS) as work:
        work.need(Peer, PEER).country = "EU"
    with first.read(OURS) as work:
        found = work.need(Peer, PEER)
        assert (found.name, found.country) == ("New name", "EU")


def test_order_and_limit(database: Database) -> None:
    """Rows come in the order asked for, and no more than asked for."""
    with database.begin(OURS) as work:
        for ident in "cabd":
            work.add(offer(ident=ident, state="closed" if ident == "d" else "open"))
    with database.read(OURS) as work:
        assert [row.id for row in work.select(Offer, order_by=Offer.id, limit=2)] == ["a", "b"]
        assert [row.id for row in work.select(Offer, order_by=col(Offer.id).desc())] == ["d", "c", "b", "a"]
        by_state = work.select(Offer, order_by=(Offer.state, col(Offer.id).desc()))
        assert [row.id for row in by_state] == ["d", "c", "b", "a"]


def test_a_missing_row_is_named(database: Database) -> None:
    """`need` says in plain words what there is not."""
    with database.read(OURS) as work, pytest.raises(NotFound, match="no negotiation 'urn:none'"):
        work.need(Negotiation, "urn:none")
    with database.read(OURS) as work, pytest.raises(NotFound, match="no api key 'none'"):
        work.need(next(type(row) for row in one_of_each(OURS) if type(row).__name__ == "ApiKey"), "none")


def test_what_a_row_refers_to_must_exist(database: Database) -> None:
    """An agreement comes from one of the participant's own negotiations."""
    with database.begin(THEIRS) as work:
        work.add(negotiation(THEIRS))

    def act() -> None:
        with database.begin(OURS) as work:
            work.add(agreement())

    with pytest.raises(Conflict):
        act()


# --- evidence and events ----------------------------------------------------------------------------------------------


def test_a_message_is_recorded_once(database: Database) -> None:
    """The same message about the same subject cannot be recorded twice; other messages and subjects can."""
    with database.begin(OURS) as work:
        assert not work.has_evidence("s", "m")
        work.record("s", "k", PEER, {}, "m")
        assert work.has_evidence("s", "m")
        assert not work.has_evidence("s", "other")
        assert not work.has_evidence("other", "m")
        work.record("other", "k", PEER, {}, "m")
        for _ in range(2):
            work.record("s", "k", PEER, {})

    def act() -> None:
        with database.begin(OURS) as work:
            work.record("s", "k", PEER, {}, "m")

    with pytest.raises(Conflict):
        act()


@pytest.mark.parametrize("body", [{"n": 2**60}, {"n": float("nan")}, {"t": "\ud83d"}, {1: 2}], ids=repr)
def test_evidence_that_could_not_be_sealed_is_refused_at_once(database: Database, body: Any) -> None:
    """A body without a canonical form is refused when recorded: it would stop the sealing of everything after it."""

    def act() -> None:
        with database.begin(OURS) as work:
            work.record("s", "k", OURS, body)

    with pytest.raises(InvalidInput, match="canonical"):
        act()


def test_a_dismissed_failure_is_deleted(new_database: NewDatabase, clock: Clock) -> None:
    """A person may delete an outbox row, and a timer is due when it was said to be."""
    database = new_database(SUBSCRIBERS)
    due = clock() + timedelta(hours=1)
    with database.begin(OURS) as work:
        work.emit(Happened(subject="s", at=NOON), due=due)
    with database.begin(OURS) as work:
        first, second = work.select(OutboxRow, order_by=OutboxRow.id)
        assert (first.due, second.due) == (due, due)
        work.delete(first)
    with database.read(OURS) as work:
        assert work.select(OutboxRow) == [second]


def test_terminated_agreements_and_spent_limits_give_no_use(database: Database) -> None:
    """A use is counted only under an active agreement and below its limit, and the row in hand keeps up."""
    with database.begin(OURS) as work:
        work.add(negotiation())
        ours = work.add(agreement())
        assert [work.spend_use("urn:agreement", 2) for _ in range(3)] == [True, True, False]
        assert ours.uses == 2
        ours.state = "terminated"
        assert not work.spend_use("urn:agreement", 99)
        assert not work.spend_use("urn:none", 99)
    with database.read(OURS) as work:
        assert work.need(Agreement, "urn:agreement").uses == 2


def test_a_token_is_forgotten_only_when_it_has_expired(database: Database) -> None:
    """Clearing up keeps every token that a verifier would still accept."""
    with database.begin(OURS) as work:
        assert work.use_token(PEER, "old", NOON)
        assert work.use_token(PEER, "new", NOON + timedelta(minutes=5))
        assert work.forget_tokens(NOON + timedelta(minutes=1)) == 1
        assert not work.use_token(PEER, "new", NOON)
        assert work.use_token(PEER, "old", NOON)
