"""The catalog: every dataset that can be had, once, page by page; and no other."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from connector import app
from connector.capabilities import catalog as subject
from connector.capabilities.catalog import etag
from connector.capabilities.identity import Principal
from connector.capabilities.pages import Pages
from connector.errors import Busy, InvalidInput, NotFound, TooLarge
from connector.standards import rdf
from connector.standards.dcat import graph
from connector.standards.dsp import catalog as dsp
from connector.standards.dsp import query
from connector.storage import shelf
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


def test_a_page_ends_early_where_its_datasets_are_large(empty: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without a query is bounded in bytes too, holds one dataset at least, and loses none by its links."""
    many = [empty.shelve(number=number) for number in range(1, 8)]
    for dataset in many:
        empty.offer(dataset)
    size = len(empty.connector.catalog.entry(many[0], ASKER).body)
    monkeypatch.setattr(subject, "PAGE_BYTES", 3 * size)
    found = [[each.id for each in page.datasets] for page in pages(empty)]
    assert [len(page) for page in found] == [3, 3, 1]
    monkeypatch.setattr(subject, "PAGE_BYTES", 1)
    empty.offer(many[0], "research-only")
    assert sorted(shown(empty)) == sorted(many)


def test_a_query_gets_what_it_asks_for_or_is_told(empty: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page shorter than its limit means the last one: what would not fit into an answer is refused, not cut off."""
    for _ in range(4):
        empty.offer(empty.shelve())

    def ask(limit: int) -> int:
        page = empty.connector.catalog.page([{"@type": "QuerySpec", "limit": limit}], ASKER)
        return len(dsp.read_catalog(page.body).datasets)

    assert [ask(limit) for limit in (1, 4, 2**31 - 1)] == [1, 4, 4]
    monkeypatch.setattr(query, "MOST", 3)
    assert ask(3) == 3
    with pytest.raises(TooLarge):
        ask(5)
    monkeypatch.setattr(query, "MOST", 4)
    monkeypatch.setattr(subject, "ANSWER_BYTES", 1000)
    with pytest.raises(TooLarge):
        ask(6)


def test_a_filter_too_long_for_a_link_goes_on_by_the_same_message(empty: Still) -> None:
    """The link then holds where to go on and which query it was; the message holds the query."""
    for _ in range(4):
        empty.offer(empty.shelve())
    names = [f"urn:none:{number}" for number in range(499)]
    criterion = {"operandLeft": "id", "operator": "!=", "operandRight": "urn:none"}
    either = {"operandLeft": "title", "operator": "in", "operandRight": ["Rain", *names]}
    wanted = [{"@type": "QuerySpec", "limit": 3, "filterExpression": [criterion, either]}]
    first = empty.connector.catalog.page(wanted, ASKER)
    assert first.next is not None
    assert len(first.next) < 2_000
    (link,) = parse_qs(urlsplit(first.next).query)["continuation"]
    second = empty.connector.catalog.page(wanted, ASKER, link)
    ids = [each.id for page in (first, second) for each in dsp.read_catalog(page.body).datasets]
    assert len(ids) == len(set(ids)) == 4
    for other in ([], [{"@type": "QuerySpec", "limit": 3}], [{**wanted[0], "sortField": "modified"}]):
        with pytest.raises(InvalidInput):
            empty.connector.catalog.page(other, ASKER, link)


def test_a_link_of_another_order_is_none_of_ours(empty: Still) -> None:
    """A place is a text or a moment by what is sorted by: a link in which they do not fit is refused, not a bug."""
    for _ in range(3):
        empty.offer(empty.shelve())
    orders: tuple[tuple[query.Sort, str | int], ...] = (("id", 5), ("title", 5), ("issued", "2026"), ("issued", 2**63))
    for sort, value in orders:
        kept = subject.Continuation(query.Query(sort=sort), "", shelf.Place(value, "urn:x"))
        link = urlsafe_b64encode(msgspec.json.encode(kept)).decode()
        with pytest.raises(InvalidInput):
            empty.connector.catalog.page([], ASKER, link)


def test_what_no_entry_can_be_made_of_costs_no_other(empty: Still) -> None:
    """A record that the protocol has no form for is left out of the catalog and takes nothing with it."""
    good, bad = empty.shelve(), empty.shelve()
    for dataset in (good, bad):
        empty.offer(dataset)
    with empty.connector.database.begin(US) as work:
        row = work.need(Dataset, US, bad, lock=True)
        row.record += f"<{bad}> <http://purl.org/dc/terms/relation> <dct:title> .\n".encode()
    assert shown(empty) == [good]


def test_so_many_changes_are_no_reason_to_keep_a_peer_waiting(empty: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks while a whole catalog is new brings in a part of it and is told to come back; in the end it is whole."""
    assert shown(empty) == []
    monkeypatch.setattr(shelf, "_NOTED", shelf._NOTED.limit(3))
    monkeypatch.setattr(subject, "RENEWALS", 1)
    many = [empty.shelve() for _ in range(5)]
    for dataset in many:
        empty.offer(dataset)
    turned_away = 0
    for _ in range(20):
        try:
            found = shown(empty)
        except Busy:
            turned_away += 1
        else:
            break
    assert turned_away > 1
    assert sorted(found) == sorted(many)


def test_another_address_makes_the_entries_anew(empty: Still) -> None:
    """Entries say where to negotiate: a connector that moved does not send peers to its old place."""
    dataset = empty.shelve()
    empty.offer(dataset)
    assert shown(empty) == [dataset]
    moved = replace(empty.connector.catalog, address="https://moved.example/dsp", pages=Pages())
    found = dsp.read_catalog(moved.page([], ASKER).body)
    assert [each.endpoint_url for each in found.datasets] == ["https://moved.example/dsp"]


def test_a_change_by_another_process_is_seen(each_house: Still) -> None:
    """The database is the truth: what another process writes is in the next answer, on either engine."""
    dataset = each_house.shelve()
    each_house.offer(dataset)
    first = each_house.connector.catalog.page([], ASKER)
    assert each_house.connector.catalog.page([], ASKER) is first
    other = app.open_database(each_house.connector.settings)
    with other.begin(US) as work:
        row = work.need(Dataset, US, dataset, lock=True)
        row.record = row.record.replace(b"Rain", b"Snow")
    other.close()
    second = each_house.connector.catalog.page([], ASKER)
    assert b"Snow" in second.body
    assert second.etag != first.etag
    with each_house.connector.database.begin(US) as work:
        work.need(Dataset, US, dataset, lock=True).state = "withdrawn"
    assert b"Snow" not in each_house.connector.catalog.page([], ASKER).body


def test_a_change_elsewhere_leaves_a_page_as_it_is(empty: Still) -> None:
    """A page that a change does not touch keeps its tag and is not made again."""
    one, other = empty.shelve(), empty.shelve()
    for dataset in (one, other):
        empty.offer(dataset)
    criterion = {"operandLeft": "id", "operator": "=", "operandRight": one}
    wanted = [{"@type": "QuerySpec", "filterExpression": [criterion]}]
    first = empty.connector.catalog.page(wanted, ASKER)
    empty.offer(other, "research-only")
    assert empty.connector.catalog.page(wanted, ASKER) is first
    empty.offer(one, "research-only")
    assert empty.connector.catalog.page(wanted, ASKER) is not first
