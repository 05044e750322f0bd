"""The life of a record: versions that stay, series in their order, what is left of a dataset, and IRIs given once."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from pyoxigraph import Literal, NamedNode, Triple

from connector.capabilities.datasets import Registered
from connector.errors import Conflict, Gone, InvalidInput, NotFound
from connector.standards import rdf
from connector.standards.dcat import graph
from connector.storage.tables import Address, Agreement, Asset, Dataset, Member, Negotiation, Offer, Tombstone, Version
from tests.builders import OPERATOR, Still
from tests.capabilities.conftest import US
from tests.capabilities.test_datasets import file, record, with_files

JSON = "application/json"


def register(house: Still, document: dict[str, Any]) -> Registered:
    """Publish a record in the plain form."""
    return house.connector.datasets.register(json.dumps(document).encode(), JSON, OPERATOR)


def agree(house: Still, dataset: str, role: str = "provider", state: Any = "active") -> None:
    """Let somebody have an agreement on a dataset."""
    number = next(house.numbers)
    about: dict[str, Any] = {
        "participant": US,
        "role": role,
        "peer": "did:web:peer.example",
        "dataset": dataset,
        "policy": {},
        "created": house.clock(),
    }
    process: dict[str, Any] = {"callback": "", "state": "FINALIZED", "offer_id": "o", "updated": house.clock()}
    house.add(Negotiation(**about, **process, pid=f"urn:n:{number}"))
    house.add(Agreement(**about, id=f"urn:a:{number}", negotiation=f"urn:n:{number}", state=state))


def said(triples: Iterable[Triple], subject: str, name: str) -> list[str]:
    """Return the values of a property."""
    found = (each for each in triples if each.subject == NamedNode(subject) and each.predicate.value == rdf.full(name))
    return sorted(value(each) for each in found)


def value(triple: Triple) -> str:
    """Return what a statement says, as text."""
    assert isinstance(triple.object, NamedNode | Literal)
    return triple.object.value


# --- versions ---------------------------------------------------------------------------------------------------------


def test_every_version_keeps_its_bytes_and_its_files(each_house: Still) -> None:
    """On either engine: what was registered is what is kept, whatever came later."""
    house = each_house
    document = with_files(house, b"one\n")
    key = document["id"]
    records, fingerprints = [], []
    for number, title in enumerate(("Rain", "Snow", "Sun"), 1):
        house.clock.move(hours=1)
        assert register(house, {**document, "title": {"en": title}}).version == number
        row = house.row(Dataset, US, key)
        records.append(row.record)
        fingerprints.append(row.fingerprint)
    versions = house.connector.datasets.versions(key)
    assert [each.number for each in versions] == [1, 2, 3]
    assert [each.record for each in versions] == records
    assert [rdf.fingerprint(each.record) for each in versions] == fingerprints
    assert [each.title for each in versions] == ["Rain", "Snow", "Sun"]
    assert all(each.files[0]["filename"] == "rain-0.csv" for each in versions)
    assert house.connector.datasets.version(key, 2).record == records[1]
    with pytest.raises(NotFound):
        house.connector.datasets.version(key, 4)
    register(house, {**document, "title": {"en": "Sun"}})
    assert len(house.connector.datasets.versions(key)) == 3


def test_a_file_that_comes_late_is_in_the_version_it_belongs_to(house: Still) -> None:
    """The version stays, and what is behind it is said of it."""
    document, late = record(house), b"late %d\n" % next(house.numbers)
    document["distribution"] = [file(document["id"], "late.csv", late)]
    register(house, document)
    house.connector.objects.put([late])
    register(house, document)
    (version,) = house.connector.datasets.versions(document["id"])
    assert [each["filename"] for each in version.files] == ["late.csv"]


def test_versions_are_datasets_of_their_own_that_lead_to_each_other(house: Still) -> None:
    """dcat:isVersionOf, dcat:previousVersion, dcat:hasCurrentVersion and dcat:version, as DCAT 3 has them."""
    document = record(house, version="2024-draft")
    key = document["id"]
    for title in ("Rain", "Snow"):
        register(house, {**document, "title": {"en": title}})
    datasets = house.connector.datasets
    one, two = (
        f"{datasets.publication.names.page(key)}/versions/1",
        f"{datasets.publication.names.page(key)}/versions/2",
    )
    described = datasets.described(datasets.get(key))
    assert said(described, key, "dcat:hasVersion") == [one, two]
    assert said(described, key, "dcat:hasCurrentVersion") == [two]
    assert said(described, key, "dcat:version") == ["2024-draft"]
    second = datasets.published_version(key, 2)
    assert second is not None
    assert graph.subjects(second) == [two]
    assert said(second, two, "dcat:isVersionOf") == [key]
    assert said(second, two, "dcat:previousVersion") == [one]
    assert said(second, two, "dcat:version") == ["2"]
    assert said(second, two, "dct:title") == ["Snow"]
    first = datasets.published_version(key, 1)
    assert first is not None
    assert said(first, one, "dcat:previousVersion") == []
    assert said(first, one, "dct:title") == ["Rain"]
    assert datasets.published_version(key, 3) is None


def test_what_the_catalog_says_of_a_record_can_be_posted_back(house: Still) -> None:
    """Links and the catalog's entry are the catalog's: a record that comes back with them is the same record."""
    document = record(house)
    register(house, document)
    register(house, {**document, "title": {"en": "Snow"}})
    datasets = house.connector.datasets
    described = rdf.serialise(datasets.described(datasets.get(document["id"])), rdf.Format.TURTLE)
    assert b"CatalogRecord" in described
    house.clock.move(hours=1)
    again = datasets.register(described, "text/turtle", OPERATOR)
    assert (again.version, again.changed) == (2, False)
    changed = described.replace(b'"Snow"', b'"Hail"')
    done = datasets.register(changed, "text/turtle", OPERATOR)
    assert done.version == 3
    assert b"CatalogRecord" not in house.row(Dataset, US, document["id"]).record
    assert b"hasVersion" not in house.row(Dataset, US, document["id"]).record
    assert b"DCAT-AP" not in house.row(Dataset, US, document["id"]).record


def test_the_iri_of_a_version_is_nobody_elses(house: Still) -> None:
    """A dataset that calls itself a version of another one would shadow it."""
    document = record(house)
    register(house, document)
    taken = house.connector.datasets.publication.names.version(document["id"], 1)
    with pytest.raises(Conflict, match="version 1"):
        register(house, record(house, id=taken))


# --- the entry in the catalog -----------------------------------------------------------------------------------------


def test_the_catalog_has_an_entry_for_each_record(house: Still) -> None:
    """When it came, when it changed, what it is about, and the profile with its version that it was held to."""
    document = record(house)
    register(house, document)
    house.clock.move(hours=1)
    register(house, {**document, "title": {"en": "Snow"}})
    triples = house.connector.catalog.triples()
    entry = house.connector.datasets.publication.names.record(document["id"])
    row = house.row(Dataset, US, document["id"])
    assert said(triples, entry, "foaf:primaryTopic") == [document["id"]]
    assert said(triples, entry, "dct:issued") == [row.created.isoformat().replace("+00:00", "Z")]
    assert said(triples, entry, "dct:modified") == [row.updated.isoformat().replace("+00:00", "Z")]
    (standard,) = said(triples, entry, "dct:conformsTo")
    assert said(triples, standard, "owl:versionInfo") == ["3.0.1"]
    assert entry in said(triples, house.connector.catalog.iri, "dcat:record")


# --- series -----------------------------------------------------------------------------------------------------------


def a_series(house: Still, *periods: str) -> tuple[str, list[str]]:
    """Publish a series and a dataset in it for each beginning of a period; return their IRIs."""
    series = record(house, kind="series", title={"en": "Rain by year"})
    register(house, series)
    keys = []
    for start in periods:
        dataset = record(house, in_series=[series["id"]], temporal=[{"start": start}], title={"en": f"Rain {start}"})
        register(house, dataset)
        keys.append(dataset["id"])
    return series["id"], keys


def test_a_series_is_published_with_its_order(house: Still) -> None:
    """First, last, and each one's neighbours, by the beginning of the period and not of the registration."""
    series, (late, early, middle) = a_series(house, "2024", "2022", "2023-01-01")
    datasets = house.connector.datasets
    assert datasets.get(series).kind == "series"
    described = datasets.described(datasets.get(series))
    assert (said(described, series, "dcat:first"), said(described, series, "dcat:last")) == ([early], [late])
    second = datasets.described(datasets.get(middle))
    assert (said(second, middle, "dcat:prev"), said(second, middle, "dcat:next")) == ([early], [late])
    assert said(second, middle, "dcat:inSeries") == [series]
    triples = house.connector.catalog.triples()
    assert said(triples, middle, "dcat:prev") == [early]
    assert series in said(triples, house.connector.catalog.iri, "dcat:resource")
    assert series not in said(triples, house.connector.catalog.iri, "dcat:dataset")
    datasets.withdraw(early, OPERATOR)
    assert said(datasets.described(datasets.get(series)), series, "dcat:first") == [middle]
    register(house, record(house, id=middle, title={"en": "Rain alone"}))
    assert [row.id for row in datasets.members(series)] == [late]


def test_what_a_record_says_of_its_order_itself_stays(house: Still) -> None:
    """The provider knows better; nothing is said twice."""
    series, (one, two) = a_series(house, "2022", "2023")
    stated = record(house, id=two, in_series=[series], temporal=[{"start": "2023"}], prev="https://us.example/other")
    register(house, stated)
    described = house.connector.datasets.described(house.connector.datasets.get(two))
    assert said(described, two, "dcat:prev") == ["https://us.example/other"]
    assert said(house.connector.datasets.described(house.connector.datasets.get(one)), one, "dcat:next") == [two]


def test_a_series_is_not_offered_itself(house: Still) -> None:
    """It has no files: the datasets in it are offered."""
    series, _ = a_series(house)
    with pytest.raises(InvalidInput, match="series"):
        house.connector.offers.from_template(series, "open", {}, "accept", OPERATOR)


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_withdrawn_dataset_says_when_and_why_and_can_come_back(house: Still) -> None:
    """Its address is 410 with the reason; published again it is the next version and nothing is left of the end."""
    document = record(house)
    register(house, document)
    datasets = house.connector.datasets
    datasets.withdraw(document["id"], OPERATOR, "The sensor was broken.")
    with pytest.raises(Gone, match="The sensor was broken"):
        datasets.get(document["id"])
    stone = datasets.tombstone(document["id"])
    assert stone is not None
    assert (stone.kind, stone.title, stone.versions, stone.by) == ("withdrawn", "Rain", 1, "operator")
    gone = datasets.publication.gone(stone)
    assert "The sensor was broken." in {each.object.value for each in gone if isinstance(each.object, Literal)}
    assert house.evidence(document["id"])[-1].body["reason"] == "The sensor was broken."
    assert register(house, document).version == 2
    assert datasets.tombstone(document["id"]) is None


def test_what_nobody_agreed_on_is_erased_and_its_iri_never_given_again(each_house: Still) -> None:
    """On either engine no row is left but the tombstone; another dataset under the IRI is refused."""
    house = each_house
    document = with_files(house, b"one\n", in_series=["https://us.example/series"])
    document["distribution"][0]["access_url"] = ["https://elsewhere.example/get"]
    key = document["id"]
    register(house, document)
    house.connector.offers.from_template(key, "open", {}, "accept", OPERATOR)
    stone = house.connector.datasets.delete(key, OPERATOR, "It was a test.")
    assert (stone.kind, stone.title) == ("erased", "")
    for model in (Dataset, Version, Asset, Member, Address):
        assert house.rows(model) == []
    assert [each.state for each in house.rows(Offer)] == ["closed"]
    assert house.kinds(key) == ["dataset.published", "dataset.deleted"]
    with pytest.raises(Gone, match="deleted"):
        house.connector.datasets.get(key)
    with pytest.raises(NotFound):
        house.connector.datasets.versions(key)
    with pytest.raises(Conflict, match="given once"):
        register(house, document)
    assert [row.event for row in house.outbox(key)][-1] == "DatasetWithdrawn"


@pytest.mark.parametrize("state", ["active", "pending", "terminated"])
def test_what_somebody_agreed_on_leaves_a_tombstone_and_stays(house: Still, state: str) -> None:
    """Versions and files stay for those who have an agreement, whatever became of it; the IRI is spent."""
    document = with_files(house, b"agreed %d\n" % next(house.numbers))
    key = document["id"]
    register(house, document)
    agree(house, key, state=state)
    stone = house.connector.datasets.delete(key, OPERATOR, "Superseded.")
    assert (stone.kind, stone.title, stone.versions) == ("kept", "Rain", 1)
    assert house.row(Dataset, US, key).state == "deleted"
    assert [each.number for each in house.connector.datasets.versions(key)] == [1]
    assert [each.filename for each in house.connector.datasets.files(key)] == ["rain-0.csv"]
    assert house.connector.datasets.published_version(key, 1) is None
    assert house.evidence(key)[-1].body["agreements"] == 1
    with pytest.raises(Conflict, match="given once"):
        register(house, document)
    assert house.connector.datasets.delete(key, OPERATOR) == stone


def test_an_agreement_as_consumer_is_none_of_our_dataset(house: Still) -> None:
    """What we ourselves have agreed on with others does not keep a dataset of ours of the same IRI."""
    document = record(house)
    register(house, document)
    agree(house, document["id"], role="consumer")
    assert house.connector.datasets.delete(document["id"], OPERATOR).kind == "erased"
    with pytest.raises(NotFound):
        house.connector.datasets.delete("https://us.example/never", OPERATOR)


def test_a_withdrawn_dataset_can_be_deleted_for_good(house: Still) -> None:
    """The end of the end: now its IRI is spent."""
    document = record(house)
    register(house, document)
    house.connector.datasets.withdraw(document["id"], OPERATOR)
    house.connector.datasets.delete(document["id"], OPERATOR)
    assert house.row(Tombstone, document["id"]).kind == "erased"
    with pytest.raises(Conflict):
        register(house, document)


def test_a_reason_has_an_end(house: Still) -> None:
    """It is shown to everyone, on one page."""
    document = record(house)
    register(house, document)
    with pytest.raises(InvalidInput, match="longer"):
        house.connector.datasets.withdraw(document["id"], OPERATOR, "x" * 2001)
    assert house.connector.datasets.get(document["id"]).state == "published"


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_record_without_a_name_is_given_one_for_ever(house: Still) -> None:
    """The same content gets the same IRI; once that is spent, another one."""
    document = {"title": {"en": f"Rain {next(house.numbers)}"}, "description": {"en": "By day."}}
    first = register(house, document)
    assert first.id.startswith(f"{house.connector.settings.home}/rain-")
    assert register(house, document).id == first.id
    assert not register(house, document).created
    house.connector.datasets.delete(first.id, OPERATOR)
    second = register(house, document)
    assert second.id == f"{first.id}-2"
    assert second.created


def test_names_can_be_given_under_another_base(houses: Any) -> None:
    """A redirecting address is the base of the IRIs; what is shown below ours is found by either."""
    house = houses("did:web:based.example", publishing={"base": "https://w3id.org/based/data/"})
    done = register(house, {"title": {"en": "Rain"}, "description": {"en": "By day."}})
    assert done.id.startswith("https://w3id.org/based/data/rain-")
    names = house.connector.datasets.publication.names
    assert names.version(done.id, 1) == f"{done.id}/versions/1"
    end = done.id.rpartition("/")[2]
    assert done.id in {meant.key for meant in names.meanings(end)}
    assert (done.id, 3) in {(meant.key, meant.version) for meant in names.meanings(f"{end}/versions/3")}
    assert names.record("https://other.example/x#y") == f"{names.home}/https://other.example/x%23y#record"
