"""Quality: the score of a record and of the catalog, and addresses that are asked in the background."""

import json
from datetime import timedelta
from typing import Any

import pytest

from connector.capabilities.quality import AddressesDue
from connector.errors import Gone, NotFound
from connector.standards import rdf
from connector.standards.dcat import openness, quality
from connector.storage.tables import Address
from tests.builders import OPERATOR, Answer, Puppet, Still
from tests.capabilities.test_datasets import record


def published(house: Still, *addresses: str, **changes: Any) -> str:
    """Publish a record with a distribution that has these access addresses; return its IRI."""
    document = record(house, **changes)
    document["distribution"] = [{"id": f"{document['id']}#file", "access_url": list(addresses)}]
    house.connector.datasets.register(json.dumps(document).encode(), "application/json", OPERATOR)
    return str(document["id"])


def outcome(house: Still, key: str, metric: str) -> tuple[str, Any]:
    """Return how an indicator of a published record fares, and what was measured."""
    found = house.connector.quality.score(key)
    return next((each.outcome, each.value) for each in found.indicators if each.metric == metric)


def test_a_registration_comes_with_its_score(each_house: Still) -> None:
    """The same that is told later; on either engine."""
    document = record(each_house, keyword={"en": ["rain"]})
    done = each_house.connector.datasets.register(json.dumps(document).encode(), "application/json", OPERATOR)
    assert done.quality is not None
    assert (done.quality.points, done.quality.max, done.quality.rating) == (60, 405, "bad")
    assert each_house.connector.quality.score(document["id"]) == done.quality
    assert done.quality.fixes[0].points == 50


def test_there_is_no_score_of_what_is_not_published(house: Still) -> None:
    """Neither of what never was nor of what went."""
    with pytest.raises(NotFound):
        house.connector.quality.score("https://us.example/never")
    key = published(house, "https://elsewhere.example/get")
    house.connector.datasets.withdraw(key, OPERATOR)
    with pytest.raises(Gone):
        house.connector.quality.score(key)


def test_what_is_offered_closed_only_is_not_asked_for_public_addresses(house: Still) -> None:
    """An open offer beside it makes it public again."""
    key = published(house, "https://elsewhere.example/get")
    assert house.connector.quality.score(key).max == 405
    house.connector.offers.from_template(key, "research-only", {}, "accept", OPERATOR)
    assert (house.connector.quality.score(key).max, house.connector.quality.score(key).closed) == (305, True)
    house.connector.offers.from_template(key, "open", {}, "accept", OPERATOR)
    assert house.connector.quality.score(key).max == 405
    restricted = published(house, "urn:x:y", access_rights=f"{openness.ACCESS}RESTRICTED")
    assert house.connector.quality.score(restricted).max == 305


def test_a_page_of_ours_answers_without_being_asked(house: Still) -> None:
    """The connector need not call itself to know that it shows a record that is published."""
    key = f"{house.connector.settings.home}/own-page-{next(house.numbers)}"
    assert published(house, key, id=key) == key
    assert outcome(house, key, "accessUrlStatusCode") == ("passed", 200)


def test_addresses_are_asked_and_what_they_answered_is_kept(house: Still, peer: Puppet) -> None:
    """200 and 404 are told apart, a machine that is not there is 0, an address that may not be called stays unasked."""
    peer.script = lambda heard: Answer(404 if "gone" in heard.path else 200)
    here = f"{peer.address}/data/get"
    key = published(house, here)
    gone = published(house, f"{peer.address}/gone")
    silent = published(house, "http://127.0.0.1:9/nobody")
    forbidden = published(house, "https://10.1.2.3/inside")
    assert outcome(house, key, "accessUrlStatusCode") == ("not checked", None)
    assert house.connector.quality.ask(key) == 1
    house.drain()
    house.connector.quality.ask()
    house.drain()
    assert outcome(house, key, "accessUrlStatusCode") == ("passed", 200)
    assert outcome(house, gone, "accessUrlStatusCode") == ("failed", 404)
    assert outcome(house, silent, "accessUrlStatusCode") == ("failed", 0)
    assert outcome(house, forbidden, "accessUrlStatusCode") == ("not checked", None)
    (row,) = (each for each in house.rows(Address) if each.dataset == forbidden)
    assert row.checked == house.clock()
    assert row.error
    with pytest.raises(NotFound):
        house.connector.quality.ask("https://us.example/never")


def test_answers_that_are_too_old_are_asked_for_again(houses: Any) -> None:
    """A chore of every hour; nothing is asked twice meanwhile, and nothing where there is nothing to ask."""
    house = houses("did:web:asking.example")
    quality_ = house.connector.quality
    quality_.schedule()
    assert due(house) == 0
    published(house, "http://127.0.0.1:9/nobody")
    for _ in range(2):
        quality_.schedule()
    assert due(house) == 1
    house.drain()
    quality_.schedule()
    assert due(house) == 0
    house.clock.move(days=8)
    quality_.schedule()
    assert due(house) == 1
    assert quality_.period == timedelta(days=7)


def due(house: Still) -> int:
    """Return how many requests to ask addresses wait."""
    return len([row for row in house.outbox() if row.event == AddressesDue.__name__])


def test_an_address_that_a_record_has_no_more_is_forgotten(house: Still) -> None:
    """What stays keeps its answer."""
    key = published(house, "https://one.example/", "https://two.example/")
    document = record(house, id=key)
    document["distribution"] = [{"id": f"{key}#file", "access_url": ["https://two.example/"]}]
    house.connector.datasets.register(json.dumps(document).encode(), "application/json", OPERATOR)
    assert [row.url for row in house.rows(Address) if row.dataset == key] == ["https://two.example/"]


def test_the_catalog_has_the_shares_of_its_records(houses: Any) -> None:
    """Withdrawn records are no part of it, and neither are those of others."""
    house = houses("did:web:surveyed.example")
    assert house.connector.quality.catalog().rating is None
    published(house, "https://one.example/", keyword={"en": ["rain"]})
    published(house, "https://one.example/")
    gone = published(house, "https://one.example/", keyword={"en": ["rain"]})
    house.connector.datasets.withdraw(gone, OPERATOR)
    found = house.connector.quality.catalog("de")
    share = next(each for each in found.indicators if each.metric == "keywordAvailability")
    assert (found.datasets, share.passing, share.population, share.points, share.label) == (
        2,
        1,
        2,
        15.0,
        "Schlagwörter",
    )


def test_the_score_as_dqv_is_of_the_published_record(house: Still) -> None:
    """It parses, and names the moment of the clock."""
    key = published(house, "https://one.example/")
    triples = house.connector.quality.measurements(key)
    text = rdf.serialise(triples, rdf.Format.N_TRIPLES).decode()
    assert house.clock().isoformat().replace("+00:00", "Z") in text
    assert f"{quality.VOCABULARY}score" in text
