"""The catalog: every dataset that can be had, once, page by page; and no other."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.capabilities import catalog as subject
from connector.capabilities.catalog import etag
from connector.capabilities.identity import Principal
from connector.errors import InvalidInput, NotFound
from connector.standards import rdf
from connector.standards.dcat import graph
from connector.standards.dsp import catalog as dsp
from connector.storage.tables import Asset, Dataset
from tests.builders import OPERATOR, Still
from tests.capabilities.conftest import US

ASKER = Principal("did:web:peer.example", "peer", frozenset(), "A peer")


def pages(house: Still) -> Iterator[dsp.Catalog]:
    """Yield the pages as a peer reads them, by their links."""
    link = ""
    while True:
        page = house.connector.catalog.page([], ASKER, link)
        yield dsp.read_catalog(page.body)
        if page.next is None:
            return
        assert page.next.startswith(f"{house.connector.address}/catalog/request?")
        (link,) = parse_qs(urlsplit(page.next).query)["continuation"]


def shown(house: Still) -> list[str]:
    """Return the ids on all pages."""
    return [each.id for page in pages(house) for each in page.datasets]


@pytest.fixture
def empty(houses: Callable[..., Still]) -> Still:
    """Return a connector of this test alone."""
    return houses()


def test_an_empty_catalog_is_a_catalog(empty: Still) -> None:
    """A connector that shares nothing answers with a catalog that says so."""
    (page,) = pages(empty)
    assert (page.participant_id, page.datasets, page.skipped) == (US, [], [])
    assert page.endpoint_url == empty.connector.address


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250])
def test_every_dataset_is_on_one_page(empty: Still, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, the links lead through all of them once, and the last page has no link."""
    monkeypatch.setattr(subject, "PAGE", 100 if count == 250 else 20)
    many = [empty.shelve(number=number) for number in range(1, count + 1)]
    for dataset in many:
        empty.offer(dataset)
    found = [[each.id for each in page.datasets] for page in pages(empty)]
    assert sorted(key for page in found for key in page) == sorted(many)
    size = subject.PAGE
    assert [len(page) for page in found] == [size] * (count // size) + ([count % size] if count % size else [])


def test_what_cannot_be_had_is_left_out(empty: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an open offer, without a file, withdrawn, or somebody else's: not on any page, and no page is lost."""
    monkeypatch.setattr(subject, "PAGE", 2)
    had = []
    for turn in range(9):
        dataset = empty.shelve()
        match turn % 4:
            case 0:
                empty.offer(dataset)
                had.append(dataset)
            case 1:
                empty.connector.offers.close(empty.offer(dataset).id, OPERATOR)
            case 2:
                empty.offer(dataset)
                empty.connector.datasets.withdraw(dataset, OPERATOR)
            case _:
                empty.offer(dataset)
                with empty.connector.database.begin(US) as work:
                    work.delete(work.need(Asset, dataset, f"{dataset}#file"))
    copy = empty.shelve(origin="did:web:peer.example")
    assert sorted(shown(empty)) == sorted(had)
    for dataset in (copy, "urn:none"):
        with pytest.raises(NotFound):
            empty.connector.catalog.entry(dataset, ASKER)


def test_a_page_ends_where_the_next_begins(empty: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset that comes or goes while somebody pages takes no other with it."""
    monkeypatch.setattr(subject, "PAGE", 2)
    many = sorted(empty.shelve(number=number) for number in (1, 2, 3, 4, 5))
    for dataset in many:
        empty.offer(dataset)
    walk = pages(empty)
    seen = [each.id for each in next(walk).datasets]
    empty.connector.datasets.withdraw(many[0], OPERATOR)
    empty.connector.datasets.withdraw(many[2], OPERATOR)
    seen += [each.id for page in walk for each in page.datasets]
    assert seen == [many[0], many[1], many[3], many[4]]


def test_an_entry_has_the_record_and_every_open_offer(house: Still) -> None:
    """What a peer reads is the record, triple by triple, and the offers as they stand."""
    dataset = house.shelve()
    offers = [house.offer(dataset)]
    house.clock.move(seconds=1)
    offers.append(house.offer(dataset, "research-only"))
    found = dsp.read_dataset(house.connector.catalog.entry(dataset, ASKER).body)
    row = house.row(Dataset, US, dataset)
    assert set(rdf.parse(row.record, rdf.Format.N_TRIPLES)) == set(found.triples)
    assert found.offers == [offer.policy for offer in offers]
    assert found.formats == ["HttpData-PULL"]
    assert found.endpoint_url == house.connector.address


def test_an_entry_follows_its_record_and_its_offers(house: Still) -> None:
    """The entry is kept once made, and made again when anything in it changes."""
    dataset = house.shelve()
    first = house.offer(dataset)

    def ask() -> bytes:
        return house.connector.catalog.entry(dataset, ASKER).body

    one = ask()
    assert ask() == one
    house.clock.move(seconds=1)
    second = house.offer(dataset, "research-only")
    two = ask()
    assert [each["@id"] for each in json.loads(two)["hasPolicy"]] == [first.id, second.id]
    house.connector.offers.close(first.id, OPERATOR)
    three = ask()
    assert [each["@id"] for each in json.loads(three)["hasPolicy"]] == [second.id]
    with house.connector.database.begin(US) as work:
        row = work.need(Dataset, US, dataset, lock=True)
        row.record = row.record.replace(b"Rain", b"Snow")
    four = ask()
    assert "Snow" in four.decode()
    assert len({etag(each) for each in (one, two, three, four)}) == 4
    house.offer(dataset)
    house.connector.datasets.withdraw(dataset, OPERATOR)
    with pytest.raises(NotFound):
        ask()


def test_the_whole_catalog_is_linked_data(empty: Still) -> None:
    """As RDF it names itself, its publisher and every published dataset, offered or not."""
    both = [empty.shelve(), empty.shelve()]
    empty.offer(both[0])
    gone = empty.shelve(state="withdrawn")
    triples = empty.connector.catalog.triples()
    assert graph.subjects(triples) == sorted(both)
    text = rdf.serialise(triples, rdf.Format.N_TRIPLES).decode()
    for dataset in both:
        assert f"<{empty.connector.catalog.iri}> <http://www.w3.org/ns/dcat#dataset> <{dataset}>" in text
    assert gone not in text
    assert f"<http://purl.org/dc/terms/publisher> <{US}>" in text


@pytest.mark.parametrize("wanted", [[{}], ["rain"], [{"@type": "QuerySpec", "page": 2}]])
def test_a_filter_that_is_not_understood_is_not_ignored(house: Still, wanted: list[Any]) -> None:
    """Half an answer to a question would look like a whole one to another."""
    with pytest.raises(InvalidInput):
        house.connector.catalog.page(wanted, ASKER)
