"""Evidence: what was done is sealed as it happens, and whoever changes it later is found out by the row."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col

from connector.storage.tables import Evidence, OutboxRow
from tests.builders import OPERATOR, Still
from tests.capabilities.conftest import US


@pytest.fixture
def house(houses: Callable[..., Still]) -> Still:
    """Give a connector with some history of its own."""
    made = houses()
    for _ in range(3):
        offer = made.offer(made.shelve())
        made.clock.move(seconds=1)
        made.connector.offers.close(offer.id, OPERATOR)
    made.drain()
    return made


@contextmanager
def tampering(house: Still) -> Iterator[Any]:
    """Give a connection as somebody has it who holds the database: past every rule, triggers included."""
    with house.connector.database.transaction() as connection:
        triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in triggers:
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        yield connection


def rows(house: Still) -> list[Evidence]:
    """Return all evidence in its order."""
    return sorted(house.rows(Evidence), key=lambda row: row.seq or 0)


def test_everything_is_sealed_by_the_outbox(house: Still) -> None:
    """After delivery nothing is unsealed, and the chain holds."""
    report = house.connector.evidence.verify()
    assert (report.ok, report.unsealed, report.count) == (True, 0, 6)
    assert house.rows(OutboxRow, col(OutboxRow.event) == "EvidenceRecorded") == []
    made = house.offer(house.shelve())
    assert house.connector.evidence.verify().unsealed == 1
    house.drain()
    assert house.connector.evidence.verify().count == 7
    assert [row.kind for row in house.connector.evidence.about(made.id)] == ["offer.made"]
    assert house.connector.evidence.about("urn:none") == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE evidence SET body = '{}' WHERE seq = :seq",
        "UPDATE evidence SET actor = 'somebody' WHERE seq = :seq",
        "UPDATE evidence SET at = '2020-01-01 00:00:00' WHERE seq = :seq",
        "UPDATE evidence SET subject = 'urn:other' WHERE seq = :seq",
        "UPDATE evidence SET digest = previous WHERE seq = :seq",
    ],
)
def test_a_changed_row_is_named(house: Still, change: str) -> None:
    """Whatever is changed in a sealed row, its number is told."""
    victim = rows(house)[2]
    with tampering(house) as connection:
        connection.execute(text(change), {"seq": victim.seq})
    report = house.connector.evidence.verify()
    assert (report.ok, report.first_bad_seq, report.count) == (False, victim.seq, 2)
    assert report.reason


def test_a_missing_row_is_named_by_the_next(house: Still) -> None:
    """A row that is gone leaves a gap where the chain goes on; the last one, a head without its end."""
    everything = rows(house)
    with tampering(house) as connection:
        connection.execute(text("DELETE FROM evidence WHERE seq = :seq"), {"seq": everything[2].seq})
    report = house.connector.evidence.verify()
    assert (report.ok, report.first_bad_seq) == (False, everything[3].seq)


def test_a_chain_that_was_cut_short_is_found(house: Still) -> None:
    """The head counts the rows and is signed by a key that does not lie in the database."""
    last = rows(house)[-1]
    with tampering(house) as connection:
        connection.execute(text("DELETE FROM evidence WHERE seq = :seq"), {"seq": last.seq})
    assert not house.connector.evidence.verify().ok
    with tampering(house) as connection:
        connection.execute(
            text(
                "UPDATE ledger_head SET position = 5, digest = (SELECT digest FROM evidence WHERE position = 5), "
                "seq = (SELECT seq FROM evidence WHERE position = 5)"
            )
        )
    report = house.connector.evidence.verify()
    assert not report.ok
    assert report.reason


def test_what_a_head_says_elsewhere_is_not_ours(houses: Callable[..., Still], house: Still) -> None:
    """A head signed by another connector's key does not pass for ours."""
    other = houses("did:web:other.example")
    other.offer(other.shelve())
    other.drain()
    assert other.connector.evidence.verify().ok
    with other.connector.database.transaction(write=False) as connection:
        signature = connection.execute(text("SELECT signature FROM ledger_head")).scalar_one()
    with tampering(house) as connection:
        connection.execute(text("UPDATE ledger_head SET signature = :signature"), {"signature": signature})
    assert not house.connector.evidence.verify().ok


def test_evidence_of_another_participant_is_not_seen(house: Still) -> None:
    """Two participants of one database have a chain each."""
    with house.connector.database.begin("did:web:second.example") as work:
        work.record("urn:s", "kind", "actor", {})
    house.drain()
    assert house.connector.evidence.about("urn:s") == []
    assert house.connector.evidence.verify().count == 6
    assert all(row.participant == US for row in house.rows(Evidence))
