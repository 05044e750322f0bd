"""Search: both projections follow the records, and can be made anew at any time."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector import app
from connector.capabilities.datasets import DatasetPublished, DatasetWithdrawn
from connector.capabilities.search import _moment
from connector.standards import rdf
from connector.standards.dsp import catalog as dsp
from connector.storage.index import SearchRequest
from connector.storage.tables import Dataset
from tests.builders import NOON, OPERATOR, Still, still
from tests.capabilities.conftest import US
from tests.fixtures import Clock

THEM = "did:web:peer.example"
RECORD = """<{key}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/dcat#Dataset> .
<{key}> <http://purl.org/dc/terms/title> "{title}"@en .
"""


def register(house: Still, number: int, title: str) -> str:
    """Publish a record."""
    key = f"https://us.example/datasets/{number}"
    document = {"id": key, "title": {"en": title}, "description": {"en": "-"}}
    house.connector.datasets.register(json.dumps(document).encode(), "application/json", OPERATOR)
    return key


def copy(number: int, title: str, **fields: Any) -> Dataset:
    """Return a copy of a peer's dataset."""
    key = fields.pop("id", f"https://peer.example/datasets/{number}")
    record = fields.pop("record", RECORD.format(key=key, title=title)).encode()
    common = {"title": title, "profile": "", "fingerprint": "f", "created": NOON, "updated": NOON}
    return Dataset(participant=US, origin=THEM, id=key, record=record, **{**common, **fields})


def found(house: Still, words: str = "") -> set[tuple[str, str]]:
    """Return what a search finds: ids and titles."""
    page = house.connector.search.find(SearchRequest(q=words, limit=1000))
    assert page.total == len(page.hits)
    return {(hit.id, hit.title) for hit in page.hits}


TITLES = "SELECT ?s ?t { ?s a <http://www.w3.org/ns/dcat#Dataset> ; <http://purl.org/dc/terms/title> ?t }"
OFFERS = "SELECT ?s ?o { ?s <http://www.w3.org/ns/odrl/2/hasPolicy> ?o }"


def asked(house: Still, query: str = TITLES) -> set[tuple[str, str]]:
    """Return what SPARQL finds."""
    result = house.connector.search.sparql(query, "application/sparql-results+json")
    rows = json.loads(result.body)["results"]["bindings"]
    return {tuple(binding["value"] for binding in row.values()) for row in rows}


@pytest.fixture
def house(houses: Callable[..., Still]) -> Still:
    """Give a connector of this test alone."""
    return houses()


@pytest.fixture(scope="module")
def old_house(houses: Callable[..., Still]) -> Still:
    """Give a connector with a history: what happens next has to come out right all the same."""
    return houses()


def test_the_projections_follow_the_records(house: Still) -> None:
    """Published, changed, withdrawn and published again: words and SPARQL say the same as the catalog."""
    key = register(house, 1, "Rain")
    assert found(house) == asked(house) == set()
    house.drain()
    assert found(house) == asked(house) == {(key, "Rain")}
    register(house, 1, "Snow")
    house.drain()
    assert found(house, "rain") == set()
    assert found(house, "snow") == asked(house) == {(key, "Snow")}
    house.connector.datasets.withdraw(key, OPERATOR)
    house.drain()
    assert found(house) == asked(house) == set()
    register(house, 1, "Snow")
    house.drain()
    assert found(house) == asked(house) == {(key, "Snow")}


def test_offers_are_found_by_sparql(house: Still) -> None:
    """Which offers a dataset has is said while they are open."""
    key = register(house, 1, "Rain")
    one, two = house.offer(key), house.offer(key, "research-only")
    house.drain()
    assert asked(house, OFFERS) == {(key, one.id), (key, two.id)}
    house.connector.offers.close(one.id, OPERATOR)
    house.drain()
    assert asked(house, OFFERS) == {(key, two.id)}


def test_an_event_that_comes_late_or_twice_shows_what_is_now(house: Still) -> None:
    """`project` looks at the record it finds."""
    key = register(house, 1, "Rain")
    house.drain()
    for event in (DatasetWithdrawn(subject=key, origin=US), DatasetPublished(subject=key, origin=US)) * 2:
        house.connector.search.project(event, US)
        assert found(house) == asked(house) == {(key, "Rain")}
    house.connector.search.project(DatasetPublished(subject="urn:none", origin=US), US)
    assert found(house) == asked(house) == {(key, "Rain")}


def test_one_id_at_two_participants_is_two_datasets(house: Still) -> None:
    """A copy of a peer's dataset never hides ours, and goes without taking ours along."""
    key = register(house, 1, "Rain")
    house.add(copy(1, "Their rain", id=key))
    house.drain()
    house.connector.search.project(DatasetPublished(subject=key, origin=THEM), US)
    assert found(house) == {(key, "Rain"), (key, "Their rain")}
    with house.connector.database.begin(US) as work:
        work.need(Dataset, THEM, key, lock=True).state = "withdrawn"
    house.connector.search.project(DatasetPublished(subject=key, origin=THEM), US)
    assert found(house) == asked(house) == {(key, "Rain")}


@pytest.mark.parametrize("key", ["asset-1", "asset 1/ü", "dct:asset", "urn:asset:1", "a" * 300])
def test_a_copy_whose_id_is_no_iri_is_found(house: Still, key: str) -> None:
    """What other connectors call their datasets is no IRI; they are found all the same, under that name."""
    offer = {"@id": "urn:offer:1", "@type": "Offer", "permission": [{"action": "use"}]}
    body = {
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
        "@id": key,
        "@type": "Dataset",
        "dct:title": "Moon",
        "hasPolicy": [offer],
        "distribution": [{"@type": "Distribution", "format": "x", "accessService": "urn:s"}],
    }
    read = dsp.read_dataset(json.dumps(body).encode())
    record = rdf.canonical(read.triples).decode()
    house.add(copy(1, "Moon", id=key, record=record, offers=[offer]))
    assert house.connector.search.reindex() == 1
    assert found(house) == {(key, "Moon")}
    assert {title for _, title in asked(house)} == {"Moon"}
    assert {policy for _, policy in asked(house, OFFERS)} == {"urn:offer:1"}
    with house.connector.database.begin(US) as work:
        work.need(Dataset, THEM, key, lock=True).state = "withdrawn"
    house.connector.search.project(DatasetWithdrawn(subject=key, origin=THEM), US)
    assert found(house) == asked(house) == asked(house, OFFERS) == set()


def test_an_offer_whose_id_is_no_iri_keeps_no_dataset_out(house: Still) -> None:
    """Eclipse EDC calls its offers by base64 with colons; such a dataset is found, only the tie to its offer is not."""
    offer = {"@id": "YQ==:YXNzZXQ=:Y2U0==", "@type": "Offer", "permission": [{"action": "use"}]}
    house.add(copy(1, "Moon", offers=[offer]))
    assert house.connector.search.reindex() == 1
    assert {title for _, title in found(house)} == {"Moon"}
    assert asked(house, OFFERS) == set()


def test_reindex_makes_the_same_from_nothing(house: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches, own records and copies, without what was withdrawn, whatever stood in the projections before."""
    monkeypatch.setattr("connector.capabilities.search.BATCH", 3)
    keys = [register(house, number, f"Rain {number}") for number in range(5)]
    house.offer(keys[0])
    house.add(*(copy(number, f"Sun {number}") for number in range(4)), copy(9, "Gone", state="withdrawn"))
    house.connector.datasets.withdraw(keys[4], OPERATOR)
    house.drain()
    assert house.connector.search.reindex() == 8
    first = found(house), asked(house), asked(house, OFFERS)
    assert len(first[0]) == len(first[1]) == 8
    with house.connector.database.begin(US) as work:
        house.connector.search.index.clear(work)
    house.connector.triples.clear()
    assert found(house) == asked(house) == set()
    assert house.connector.search.reindex() == 8
    assert (found(house), asked(house), asked(house, OFFERS)) == first


def test_projections_that_are_gone_come_back_at_the_start(sqlite_template: Path, tmp_path: Path) -> None:
    """Whoever deletes the folder of the RDF store loses nothing: the next start makes it from the records."""
    folder, clock = tmp_path / "house", Clock(NOON)
    with still(folder, US, clock, template=sqlite_template) as house:
        key = register(house, 1, "Rain")
        house.drain()
        before = asked(house)
    shutil.rmtree(folder / "triples")
    with still(folder, US, clock) as house:
        assert house.connector.triples.needs_reindex
        app._prepare(house.connector)
        assert asked(house) == before == {(key, "Rain")}
        assert not house.connector.triples.needs_reindex


def test_reindex_forgets_what_the_projections_should_not_have(house: Still) -> None:
    """What they show and the records do not have, whatever the reason, is gone afterwards."""
    key = register(house, 1, "Rain")
    house.drain()
    with house.connector.database.begin(US) as work:
        work.need(Dataset, US, key, lock=True).state = "withdrawn"
    assert found(house) == asked(house) == {(key, "Rain")}
    assert house.connector.search.reindex() == 0
    assert found(house) == asked(house) == set()


def test_reindex_does_not_lose_what_comes_meanwhile(house: Still) -> None:
    """An event that is delivered after a reindex finds the record as it is."""
    register(house, 1, "Rain")
    house.connector.search.reindex()
    key = register(house, 2, "Snow")
    house.drain()
    assert (key, "Snow") in found(house)
    assert found(house) == asked(house)


STEPS = st.lists(
    st.tuples(st.sampled_from(["register", "withdraw", "copy", "uncopy", "drain", "reindex"]), st.integers(0, 2)),
    max_size=12,
)


@settings(max_examples=15)
@given(steps=STEPS)
def test_after_any_history_both_say_what_the_catalog_says(old_house: Still, steps: list[tuple[str, int]]) -> None:
    """Whatever came in whichever order, when all is delivered the projections are the published records, no more."""
    house = old_house
    for turn, (step, number) in enumerate(steps):
        key, theirs = f"https://us.example/datasets/{number}", f"https://peer.example/datasets/{number}"
        known = {row.id: row.state for row in house.rows(Dataset)}
        match step:
            case "register":
                register(house, number, f"Rain {turn}")
            case "withdraw" if known.get(key) == "published":
                house.connector.datasets.withdraw(key, OPERATOR)
            case "copy" | "uncopy":
                with house.connector.database.begin(US) as work:
                    row = work.find(Dataset, THEM, theirs, lock=True) or work.add(copy(number, "Sun"))
                    row.state = "published" if step == "copy" else "withdrawn"
                    kind = DatasetPublished if step == "copy" else DatasetWithdrawn
                    work.emit(kind(subject=theirs, origin=THEM))
            case "drain":
                house.drain()
            case "reindex":
                house.connector.search.reindex()
            case _:
                pass
    house.drain()
    published = {(row.id, row.title) for row in house.rows(Dataset) if row.state == "published"}
    assert found(house) == published
    assert asked(house) == published


MOMENTS = {
    ("2024", False): "2024-01-01T00:00:00+00:00",
    ("2024", True): "2024-12-31T23:59:59+00:00",
    ("2024-02", False): "2024-02-01T00:00:00+00:00",
    ("2024-02", True): "2024-02-29T23:59:59+00:00",
    ("2024-02-10", True): "2024-02-10T23:59:59+00:00",
    ("2024-02-10T06:00:00Z", True): "2024-02-10T06:00:00+00:00",
    ("2024-02-10T06:00:00+02:00", False): "2024-02-10T06:00:00+02:00",
    ("2024-13", True): None,
    ("0000", True): None,
    ("-0044", True): None,
    ("12024-01-01", True): None,
    ("2024Z", True): None,
    ("2024-02-30", False): None,
}


@pytest.mark.parametrize(("text", "last"), MOMENTS)
def test_a_period_is_found_by_its_first_and_last_moment(text: str, last: bool) -> None:
    """A year ends with its last second; what is no moment leaves that end open, and breaks nothing."""
    moment = _moment(text, last=last)
    assert (moment.isoformat() if moment else None) == MOMENTS[text, last]
