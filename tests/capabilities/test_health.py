"""Health: what works, what waits, what was given up and can be tried again, and the chores in between."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import col

from connector.capabilities.federation import CrawlAsked
from connector.capabilities.health import COUNTED, TIDY_EVERY, TidyDue
from connector.errors import InvalidInput, NotFound
from connector.storage.tables import OutboxRow, UsedToken
from tests.builders import OPERATOR, Answer, Still, puppet
from tests.capabilities.conftest import PEER, US


@pytest.fixture
def house(houses: Callable[..., Still]) -> Still:
    """Give a connector of this test alone."""
    return houses()


def tidying(house: Still) -> list[OutboxRow]:
    """Return the times to tidy that are set."""
    return house.rows(OutboxRow, col(OutboxRow.event) == "TidyDue")


def test_every_part_says_how_it_is(house: Still) -> None:
    """A part that works says ok; one that does not says what is wrong, and the others are still asked."""
    assert house.connector.health.parts() == {"database": "ok", "triples": "ok"}

    def broken() -> object:
        raise InvalidInput("The disk is full.")

    def away() -> object:
        raise ConnectionError("nobody answers")

    health = house.connector.health
    checked = type(health)(
        health.begin, health.read, health.now, US, health.revive, {"a": broken, "b": away, "c": lambda: 1}, ()
    )
    assert checked.parts() == {"a": "The disk is full.", "b": "nobody answers", "c": "ok"}


def test_a_broken_database_is_no_crash(house: Still) -> None:
    """Readiness says no, with a reason; that is what it is for."""
    house.connector.database.close()
    with house.connector.database.transaction() as connection:
        connection.exec_driver_sql("DROP TABLE peer")
    assert house.connector.health.parts()["database"] != "ok"


def test_the_chores_are_done_every_hour_by_one_timer(house: Still) -> None:
    """However often the connector starts or hears it, there is one next time; old tokens are thrown away."""
    health = house.connector.health
    for _ in range(3):
        health.wind_up()
    assert len(tidying(house)) == 1
    with house.connector.database.begin(US) as work:
        assert work.use_token("urn:i", "old", house.clock() - timedelta(minutes=1))
        assert work.use_token("urn:i", "young", house.clock() + timedelta(minutes=1))
    house.drain()
    assert [row.jti for row in house.rows(UsedToken)] == ["young"]
    (timer,) = tidying(house)
    assert timer.due == house.clock() + TIDY_EVERY
    health.tidy(TidyDue(subject=US), US)
    health.wind_up()
    assert len(tidying(house)) == 1
    for _ in range(3):
        house.clock.move(hours=1)
        house.drain()
        assert [row.due for row in tidying(house)] == [house.clock() + TIDY_EVERY]


def test_what_was_given_up_is_shown_and_tried_again(house: Still) -> None:
    """With its reason, until a person retries it; then it goes out, and the list is empty."""
    with puppet(PEER) as peer:
        house.trust(peer)
        peer.script = lambda _: Answer(404)
        house.connector.federation.ask(PEER, OPERATOR)
        assert "CrawlAsked" in [row.event for row in house.connector.health.waiting()]
        house.drain()
        assert house.connector.health.waiting() == []
        (failed,) = house.connector.health.failures()
        assert "404" in str(failed.error)
        with pytest.raises(NotFound):
            house.connector.health.retry(10**6)
        house.connector.health.retry(failed.id or 0)
        assert house.connector.health.failures() == []
        house.drain()
        assert len(peer.heard) == 2
        assert len(house.connector.health.failures()) == 1


def test_a_timer_does_not_wait(house: Still) -> None:
    """What is due later is not late."""
    with house.connector.database.begin(US) as work:
        work.emit(CrawlAsked(subject="urn:none"), due=house.clock() + timedelta(hours=1))
    assert house.connector.health.waiting() == []
    house.clock.move(hours=1)
    assert len(house.connector.health.waiting()) == 1


def test_the_figures_are_in_the_text_format(house: Still) -> None:
    """Each kind of row is counted, of this participant only, in lines that Prometheus reads."""
    house.offer(house.shelve())
    with house.connector.database.begin("did:web:second.example") as work:
        work.record("urn:s", "kind", "actor", {})
    lines = house.connector.health.metrics().splitlines()
    figures = dict(line.split() for line in lines if not line.startswith("#"))
    assert len(figures) == len(COUNTED) + 1 + len(house.connector.validation.counts())
    assert figures["greendeal_dataset_rows"] == figures["greendeal_offer_rows"] == "1"
    assert figures["greendeal_evidence_rows"] == "1"
    assert figures["greendeal_undeliverable_events"] == "0"
    assert all(re.fullmatch(r"# TYPE [a-z_]+ (gauge|counter)|[a-z_]+ \d+", line) for line in lines)
