"""The ledger: whatever is done to sealed evidence is found, and where. The same cases hold on both engines."""

import asyncio
import hmac
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text
from sqlmodel import col

from connector.storage.events import EvidenceRecorded
from connector.storage.ledger import BATCH, WHOLE_ROW, Head, Ledger, LedgerReport, digest, verify
from connector.storage.outbox import Outbox
from connector.storage.tables import Evidence, LedgerHead
from connector.storage.work import Database
from tests.fixtures import Clock, NewDatabase
from tests.storage.rows import NOON, OURS, PEER, THEIRS

LENGTH = 6
KEY = b"not in the database"


def sign(head: bytes) -> str:
    """Sign a head."""
    return hmac.digest(KEY, head, "sha256").hex()


def is_signed(head: bytes, signature: str) -> bool:
    """Check a signature."""
    return hmac.compare_digest(sign(head), signature)


def record(database: Database, count: int, participant: str = OURS) -> None:
    """Record so many acts."""
    for number in range(count):
        with database.begin(participant) as work:
            body = {"act": work.count(Evidence), "policy": {"ö": [1.0, None]}}
            work.record(f"urn:{number % 2}", "moved", PEER, body)


def evidence(database: Database, participant: str = OURS) -> list[Evidence]:
    """Return the evidence in the order of the chain."""
    with database.read(participant) as work:
        return work.select(Evidence, order_by=(Evidence.position, Evidence.seq))


@contextmanager
def tampering(database: Database) -> Iterator[Connection]:
    """Write as somebody who owns the database file or server may: past triggers and references."""
    with database.transaction() as connection:
        if not database.engines.is_sqlite:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            yield connection
            return
        triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
        yield connection
        for _, statement in triggers:
            connection.exec_driver_sql(statement)


@pytest.fixture
def sealed(database: Database, clock: Clock) -> Database:
    """Return a database with a sealed and signed chain of ours, and one of somebody else between its rows."""
    for _ in range(2):
        record(database, LENGTH // 2)
        record(database, 2, THEIRS)
    ledger = Ledger(database, clock, sign)
    assert (ledger.seal(OURS), ledger.seal(THEIRS)) == (LENGTH, 4)
    return database


# --- sealing ----------------------------------------------------------------------------------------------------------


def test_a_chain_is_sound_and_each_row_points_at_the_one_before(sealed: Database) -> None:
    """Sealed rows are numbered without gaps, each carries the digest of the one before, and the head the last."""
    rows = evidence(sealed)
    assert [row.position for row in rows] == list(range(1, LENGTH + 1))
    assert [row.previous for row in rows] == [None, *(row.digest for row in rows[:-1])]
    head = Head(LENGTH, rows[-1].seq or 0, rows[-1].digest)
    assert verify(sealed, OURS) == LedgerReport(ok=True, count=LENGTH, unsealed=0, head=head)
    assert verify(sealed, OURS, check=is_signed, anchor=head).ok
    assert verify(sealed, THEIRS, check=is_signed).count == 4


def test_sealing_goes_on_where_it_ended(sealed: Database, clock: Clock) -> None:
    """New evidence waits unsealed and is then added; sealing without any does nothing; the old head stays inside."""
    before = verify(sealed, OURS).head
    record(sealed, 2)
    report = verify(sealed, OURS)
    assert (report.ok, report.count, report.unsealed) == (True, LENGTH, 2)
    ledger = Ledger(sealed, clock, sign)
    assert (ledger.seal_all(), ledger.seal(OURS)) == (2, 0)
    report = verify(sealed, OURS, check=is_signed, anchor=before)
    assert (report.ok, report.count, report.unsealed) == (True, LENGTH + 2, 0)


def test_an_empty_chain_is_sound(database: Database, clock: Clock) -> None:
    """Nothing recorded, nothing wrong, before and after the first sealing."""
    assert verify(database, OURS) == LedgerReport(ok=True, count=0, unsealed=0, head=Head(0, 0, None))
    assert Ledger(database, clock).seal(OURS) == 0
    assert verify(database, OURS, check=is_signed).ok


def test_a_long_backlog_is_sealed_piece_by_piece(database: Database, clock: Clock) -> None:
    """More rows than one transaction takes still make one chain."""
    with database.begin(OURS) as work:
        for number in range(BATCH + 1):
            work.record("s", "k", PEER, {"number": number})
    assert Ledger(database, clock).seal(OURS) == BATCH + 1
    assert verify(database, OURS).count == BATCH + 1


def test_several_that_seal_at_once_make_one_line(new_database: NewDatabase, clock: Clock) -> None:
    """Whoever seals while evidence is still being written, each row is sealed once and the chain is sound."""
    doors = [new_database() for _ in range(3)]

    def act(number: int) -> int:
        sealed = 0
        for _ in range(5):
            record(doors[number], 2)
            sealed += Ledger(doors[number], clock, sign).seal(OURS)
        return sealed

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(act, range(3))) == 30
    assert verify(doors[0], OURS, check=is_signed).count == 30


def test_the_outbox_seals(new_database: NewDatabase, clock: Clock) -> None:
    """As a subscriber of `EvidenceRecorded` the ledger seals what was recorded, without anybody asking."""
    database = new_database({EvidenceRecorded: ("seal",)})
    record(database, 3)
    asyncio.run(Outbox(database, {"seal": Ledger(database, clock)}, clock).drain())
    report = verify(database, OURS)
    assert (report.count, report.unsealed) == (3, 0)


def test_a_signer_that_fails_seals_nothing(database: Database, clock: Clock) -> None:
    """Without its signature a head is not moved: sealing is tried again instead of leaving an unsigned chain."""
    record(database, 2)

    def broken(_head: bytes) -> str:
        raise OSError("The key is away.")

    with pytest.raises(OSError, match="key is away"):
        Ledger(database, clock, broken).seal(OURS)
    assert verify(database, OURS).unsealed == 2


# --- tampering --------------------------------------------------------------------------------------------------------

EDITS: dict[str, st.SearchStrategy[Any]] = {
    "id": st.text(st.characters(codec="ascii", exclude_characters="\x00"), max_size=3),
    "subject": st.sampled_from(["urn:0", "urn:1", "x", ""]),
    "kind": st.sampled_from(["moved", "MOVED", "x"]),
    "actor": st.sampled_from([PEER, OURS, ""]),
    "message_id": st.sampled_from([None, "m", ""]),
    "body": st.sampled_from(['{"number":99}', "{}", "[]", "null", '{"number":9007199254740993}', '{"x":1e400}']),
    "at": st.sampled_from([NOON.replace(year=2027), NOON.replace(microsecond=1)]),
    "participant": st.just(THEIRS),
    "position": st.integers(1, LENGTH + 2),
    "previous": st.sampled_from([None, "", "0" * 64]),
    "digest": st.sampled_from([None, "", "0" * 64]),
    "seq": st.integers(1000, 1010),
}


def edits() -> st.SearchStrategy[tuple[str, Any]]:
    """Return a column and what to write into it."""
    return st.sampled_from(sorted(EDITS)).flatmap(lambda name: st.tuples(st.just(name), EDITS[name]))


def assert_found(database: Database, first: int) -> None:
    """Require that the check finds something wrong, at the row `first` and with a sentence, and repair everything."""
    report = verify(database, OURS, check=is_signed)
    assert not report.ok
    assert report.reason
    assert report.reason.endswith(".")
    assert report.first_bad_seq == first


@contextmanager
def repaired(database: Database) -> Iterator[None]:
    """Put evidence and heads back as they were when the block ends: examples follow each other on one database."""
    names = ("evidence", "ledger_head")
    with database.transaction() as connection:
        before = {name: connection.execute(text(f"SELECT * FROM {name}")).mappings().all() for name in names}  # noqa: S608 - our own names
    try:
        yield
    finally:
        with tampering(database) as connection:
            for name in names:
                connection.execute(text(f"DELETE FROM {name}"))  # noqa: S608 - as above
                marks = ", ".join(f":{key}" for key in before[name][0])
                rows = [{key: _raw(value) for key, value in row.items()} for row in before[name]]
                connection.execute(text(f"INSERT INTO {name} VALUES ({marks})"), rows)  # noqa: S608 - as above
        assert verify(database, OURS, check=is_signed).ok


def _raw(value: object) -> object:
    from connector.storage.values import to_text  # noqa: PLC0415 - beside its one use

    return to_text(value) if isinstance(value, dict) else value


PATIENT = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(at=st.integers(0, LENGTH - 1), edit=edits())
@PATIENT
def test_any_edit_of_a_sealed_row_is_found(sealed: Database, at: int, edit: tuple[str, Any]) -> None:
    """Whatever column of whatever row is changed, the check names a row at or beside it."""
    name, value = edit
    rows = evidence(sealed)
    row = rows[at]
    assume(getattr(row, name) != value)
    assume(name not in {"position", "participant"} or all(getattr(other, name) != value for other in rows))
    if name == "at" and sealed.engines.is_sqlite:
        value = value.replace(tzinfo=None).isoformat(" ", "microseconds")
    with repaired(sealed):
        with tampering(sealed) as connection:
            cast = "CAST(:value AS json)" if name == "body" and not sealed.engines.is_sqlite else ":value"
            if name == "participant":  # its own chain is sound no more, and so is the one it was put into
                connection.execute(text("UPDATE evidence SET position = 99 WHERE seq = :seq"), {"seq": row.seq})
            connection.execute(
                text(f"UPDATE evidence SET {name} = {cast} WHERE seq = :seq"),  # noqa: S608 - names from the table above
                {"value": value, "seq": row.seq},
            )
        report = verify(sealed, OURS, check=is_signed)
        assert not report.ok
        beside = {rows[near].seq for near in (at, at + 1) if near < LENGTH} | {1000 + n for n in range(11)}
        assert report.first_bad_seq in beside
        assert verify(sealed, THEIRS).ok is (name != "participant")


@given(gone=st.sets(st.integers(0, LENGTH - 1), min_size=1))
@PATIENT
def test_any_deletion_is_found(sealed: Database, gone: set[int]) -> None:
    """Whichever rows are deleted, the check names the first that no longer follows, or the lost end."""
    rows = evidence(sealed)
    with repaired(sealed):
        with tampering(sealed) as connection:
            for at in gone:
                connection.execute(text("DELETE FROM evidence WHERE seq = :seq"), {"seq": rows[at].seq})
        left = [at for at in range(LENGTH) if at not in gone and at > min(gone)]
        assert_found(sealed, rows[left[0] if left else LENGTH - 1].seq or 0)


@given(
    pair=st.sets(st.integers(0, LENGTH - 1), min_size=2, max_size=2), what=st.sampled_from(["position", "body", "both"])
)
@PATIENT
def test_any_swap_is_found(sealed: Database, pair: set[int], what: str) -> None:
    """Two rows that change places, contents or seals are found at the first of the two places."""
    rows = evidence(sealed)
    first, second = (rows[at] for at in sorted(pair))
    with repaired(sealed):
        with tampering(sealed) as connection:
            if what == "body":
                swap_bodies(connection, first, second)
            else:
                move(connection, first.seq, 90)
                move(connection, second.seq, first.position)
                move(connection, first.seq, second.position)
                for row, other in ((first, second), (second, first)) if what == "both" else ():
                    seals = {"seq": row.seq, "previous": other.previous, "digest": other.digest}
                    statement = "UPDATE evidence SET previous = :previous, digest = :digest WHERE seq = :seq"
                    connection.execute(text(statement), seals)
        assert_found(sealed, (first if what == "body" else second).seq or 0)


def move(connection: Connection, seq: int | None, position: int | None) -> None:
    """Give a row another place."""
    connection.execute(text("UPDATE evidence SET position = :to WHERE seq = :seq"), {"to": position, "seq": seq})


def swap_bodies(connection: Connection, first: Evidence, second: Evidence) -> None:
    """Give each of two rows the other's body."""
    bodies = "SELECT seq, CAST(body AS TEXT) FROM evidence WHERE seq IN (:first, :second)"
    found = connection.execute(text(bodies), {"first": first.seq, "second": second.seq})
    kept: dict[int, str] = {row[0]: row[1] for row in found}
    json = "CAST(:body AS json)" if connection.dialect.name == "postgresql" else ":body"
    for seq, other in ((first.seq, second.seq or 0), (second.seq, first.seq or 0)):
        statement = f"UPDATE evidence SET body = {json} WHERE seq = :seq"  # noqa: S608 - no value in it
        connection.execute(text(statement), {"body": kept[other], "seq": seq})


@given(length=st.integers(0, LENGTH - 1), forge_head=st.booleans(), unseal=st.booleans())
@PATIENT
def test_a_chain_cut_short_is_found(sealed: Database, length: int, forge_head: bool, unseal: bool) -> None:
    """Cutting off the end, by deletion or by taking off the seals, is found even when the head is made to fit."""
    rows = evidence(sealed)
    anchor = verify(sealed, OURS).head
    seals = "position = NULL, previous = NULL, digest = NULL"
    cut = f"UPDATE evidence SET {seals} WHERE position > :length AND participant = :ours"  # noqa: S608 - constants
    if not unseal:
        cut = "DELETE FROM evidence WHERE position > :length AND participant = :ours"
    with repaired(sealed):
        with tampering(sealed) as connection:
            connection.execute(text(cut), {"length": length, "ours": OURS})
            if forge_head:
                last = rows[length - 1] if length else None
                forged = {"position": length, "seq": last.seq if last else 0, "digest": last.digest if last else None}
                statement = "UPDATE ledger_head SET position = :position, seq = :seq, digest = :digest"
                connection.execute(text(f"{statement} WHERE participant = :ours"), {**forged, "ours": OURS})
        if not forge_head:
            assert_found(sealed, rows[-1].seq or 0)
        elif length:
            assert_found(sealed, rows[length - 1].seq or 0)
        report = verify(sealed, OURS, anchor=anchor)
        assert (report.ok, report.first_bad_seq) == (False, anchor.seq)


def test_a_half_removed_seal_is_found(sealed: Database) -> None:
    """A row taken out of the chain that still carries its seal does not pass for new evidence."""
    row = evidence(sealed)[-1]
    with repaired(sealed):
        with tampering(sealed) as connection:
            move(connection, row.seq, None)
            connection.execute(
                text("UPDATE ledger_head SET position = position - 1 WHERE participant = :o"), {"o": OURS}
            )
        assert_found(sealed, row.seq or 0)


@pytest.mark.parametrize("statement", ["DELETE FROM ledger_head", "UPDATE ledger_head SET signature = NULL"])
def test_a_lost_head_or_signature_is_found(sealed: Database, statement: str) -> None:
    """A chain without its head, or with one that nobody signed, is not sound."""
    rows = evidence(sealed)
    with repaired(sealed):
        with tampering(sealed) as connection:
            connection.execute(text(statement))
        assert_found(sealed, rows[-1].seq or 0)


def test_a_forged_chain_is_found_by_its_signature_or_an_anchor(sealed: Database, clock: Clock) -> None:
    """Who rewrites the whole chain, head and all, but has not the key, is found; a noted head finds it too."""
    anchor = verify(sealed, OURS).head
    with repaired(sealed):
        with tampering(sealed) as connection:
            connection.execute(text("UPDATE evidence SET position = NULL, previous = NULL, digest = NULL"))
            connection.execute(text("DELETE FROM ledger_head"))
            connection.execute(text("UPDATE evidence SET kind = 'forged'"))
        Ledger(sealed, clock).seal(OURS)
        assert verify(sealed, OURS).ok
        report = verify(sealed, OURS, check=is_signed)
        assert (report.ok, report.reason) == (False, "The head of the chain is not signed by us.")
        assert not verify(sealed, OURS, anchor=anchor).ok


@pytest.mark.parametrize("at", range(LENGTH))
def test_a_row_that_is_changed_and_sealed_again_is_found(sealed: Database, at: int) -> None:
    """Who changes a row and computes its digest anew is found at the row after it, or at the signed end."""
    rows = evidence(sealed)
    with repaired(sealed):
        with tampering(sealed) as connection:
            connection.execute(text("UPDATE evidence SET kind = 'forged' WHERE seq = :seq"), {"seq": rows[at].seq})
            query = select(*WHOLE_ROW).where(col(Evidence.seq) == rows[at].seq)
            forged = digest(connection.execute(query).one(), at + 1, rows[at].previous)
            statement = "UPDATE evidence SET digest = :digest WHERE seq = :seq"
            connection.execute(text(statement), {"digest": forged, "seq": rows[at].seq})
        assert_found(sealed, rows[min(at + 1, LENGTH - 1)].seq or 0)


def test_a_head_speaks_for_one_participant(sealed: Database) -> None:
    """A signature taken from another participant's head does not fit."""
    with sealed.read(THEIRS) as work:
        theirs = work.select(LedgerHead)[0]
    with repaired(sealed):
        with tampering(sealed) as connection:
            connection.execute(text("UPDATE ledger_head SET signature = :s"), {"s": theirs.signature})
        assert not verify(sealed, OURS, check=is_signed).ok
        assert verify(sealed, THEIRS, check=is_signed).ok
