"""Datasets: what becomes of a record, its versions and the files behind it, and what a faulty one leaves behind."""

import hashlib
import json
import random
from typing import Any

import pytest
from sqlmodel import col

from connector.capabilities.datasets import Registered, parse_record
from connector.errors import InvalidInput, NotFound
from connector.standards import rdf
from connector.standards.dcat import graph, plain
from connector.storage.tables import Asset, Dataset, Evidence, OutboxRow
from tests.builders import OPERATOR, Still
from tests.capabilities.conftest import US

JSON = "application/json"
RAIN = b"day,mm\n1,3\n"


def record(house: Still, **changes: Any) -> dict[str, Any]:
    """Return a record of its own, in the plain form."""
    key = f"https://us.example/datasets/own-{next(house.numbers)}"
    return {"id": key, "title": {"en": "Rain"}, "description": {"en": "Rain by day."}, **changes}


def with_files(house: Still, *contents: bytes, **changes: Any) -> dict[str, Any]:
    """Return a record with a distribution for each of these uploaded files."""
    found = record(house)
    found["distribution"] = [file(found["id"], f"rain-{n}.csv", content) for n, content in enumerate(contents)]
    for content in contents:
        house.connector.objects.put([content])
    return {**found, **changes}


def file(key: str, title: str, content: bytes, **changes: Any) -> dict[str, Any]:
    """Return a distribution that states the checksum of a file."""
    digest = hashlib.sha256(content).hexdigest()
    sha256 = "http://spdx.org/rdf/terms#checksumAlgorithm_sha256"
    return {
        "id": f"{key}#{title}",
        "title": {"en": title},
        "access_url": [key],
        "media_type": "https://www.iana.org/assignments/media-types/text/csv",
        "checksum": {"algorithm": sha256, "value": digest},
        **changes,
    }


def register(house: Still, document: dict[str, Any]) -> Registered:
    """Publish a record."""
    return house.connector.datasets.register(json.dumps(document).encode(), JSON, OPERATOR)


def announced(house: Still, key: str) -> list[str]:
    """Return the events that wait about a dataset."""
    return [row.event for row in house.outbox(key)]


def test_a_record_is_kept_recorded_and_announced(house: Still) -> None:
    """Row, evidence and event are written together; what is kept is the canonical form of what came."""
    document = record(house)
    done = register(house, document)
    assert (done.id, done.version, done.created, done.files) == (document["id"], 1, True, ())
    assert done.report.conforms
    row = house.row(Dataset, US, done.id)
    assert (row.title, row.state, row.profile, row.version) == ("Rain", "published", "dcat-ap", 1)
    assert row.fingerprint == rdf.fingerprint(row.record)
    _, triples = parse_record(json.dumps(document).encode(), JSON)
    assert row.record == rdf.canonical(triples)
    (evidence,) = house.evidence(done.id)
    assert (evidence.kind, evidence.actor) == ("dataset.published", "operator")
    assert (evidence.body["fingerprint"], evidence.body["version"]) == (row.fingerprint, 1)
    assert announced(house, done.id) == ["DatasetPublished"]


def test_the_same_record_again_changes_nothing(house: Still) -> None:
    """Not even the moment of its last change: a client that does not know whether it was heard may try again."""
    document = with_files(house, RAIN)
    register(house, document)
    before = house.row(Dataset, US, document["id"])
    house.clock.move(hours=1)
    again = register(house, json.loads(json.dumps(document, sort_keys=True)))
    assert (again.version, again.created, again.files) == (1, False, ("rain-0.csv",))
    assert house.row(Dataset, US, document["id"]) == before
    assert len(house.evidence(document["id"])) == 1
    assert announced(house, document["id"]) == ["DatasetPublished"]


def test_a_changed_record_is_a_new_version(house: Still) -> None:
    """It keeps its beginning, gets the next number, and both versions are in the evidence."""
    document = record(house)
    register(house, document)
    born = house.row(Dataset, US, document["id"])
    house.clock.move(hours=1)
    done = register(house, {**document, "title": {"en": "Rain and snow"}})
    assert (done.version, done.created) == (2, False)
    row = house.row(Dataset, US, document["id"])
    assert (row.title, row.created, row.updated) == ("Rain and snow", born.created, house.clock())
    assert row.fingerprint != born.fingerprint
    assert [each.body["version"] for each in house.evidence(document["id"])] == [1, 2]
    assert register(house, document).version == 3


def test_a_withdrawn_dataset_is_gone_and_can_come_back(house: Still) -> None:
    """Withdrawing twice is withdrawing once; the same record published again is a new version of the same dataset."""
    document = record(house)
    register(house, document)
    datasets = house.connector.datasets
    for _ in range(2):
        assert datasets.withdraw(document["id"], OPERATOR).state == "withdrawn"
    assert announced(house, document["id"]) == ["DatasetPublished", "DatasetWithdrawn"]
    assert house.kinds(document["id"]) == ["dataset.published", "dataset.withdrawn"]
    with pytest.raises(NotFound):
        datasets.get(document["id"])
    assert document["id"] not in {row.id for row in datasets.all()}
    done = register(house, document)
    assert (done.version, done.created) == (2, False)
    assert datasets.get(document["id"]).state == "published"
    assert announced(house, document["id"])[-1] == "DatasetPublished"
    with pytest.raises(NotFound):
        datasets.withdraw("urn:none", OPERATOR)


@pytest.mark.parametrize(
    ("data", "media_type", "said"),
    [
        (b'{"id": "https://us.example/none"}', JSON, "title: not given"),
        (b"<a> <b> .", "text/turtle", "line 1"),
        (b"{", JSON, "JSON"),
        (b'{"id": "https://us.example/x", "colour": "red"}', JSON, "colour"),
        (b"", "text/turtle", "0 datasets"),
        (
            b"<urn:a> a <http://www.w3.org/ns/dcat#Dataset> . <urn:b> a <http://www.w3.org/ns/dcat#Dataset> .",
            "text/turtle",
            "2 datasets",
        ),
        (b"[] a <http://www.w3.org/ns/dcat#Dataset> .", "text/turtle", "0 datasets"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "application/rdf+xml", "DOCTYPE"),
        (b"x", "application/x-unknown", "x-unknown"),
    ],
)
def test_a_faulty_record_stores_nothing(house: Still, data: bytes, media_type: str, said: str) -> None:
    """The refusal says what and where; no row, no evidence, no event is left."""
    counts = [len(house.rows(model)) for model in (Dataset, Evidence, OutboxRow, Asset)]
    with pytest.raises(InvalidInput) as refused:
        house.connector.datasets.register(data, media_type, OPERATOR)
    assert said.lower() in str(refused.value).lower()
    assert [len(house.rows(model)) for model in (Dataset, Evidence, OutboxRow, Asset)] == counts


def test_a_record_that_no_catalog_could_carry_is_refused(house: Still) -> None:
    """An IRI that reads as a prefixed name in the protocol's catalog would cost peers every other dataset, too."""
    key = f"https://us.example/datasets/odd-{next(house.numbers)}"
    data = TURTLE.replace("KEY", key).replace("<urn:x:beyond-the-table>", "dct:relation <dct:title> ; <urn:x:p>")
    with pytest.raises(InvalidInput, match="prefixed name"):
        house.connector.datasets.register(data.encode(), "text/turtle", OPERATOR)
    assert house.rows(Dataset, col(Dataset.id) == key) == []


def test_every_finding_is_told_and_a_check_keeps_nothing(house: Still) -> None:
    """`validate` says the same as `register` refuses with, and is no registration."""
    document = record(house, title={}, description={})
    report = house.connector.datasets.validate(json.dumps(document).encode(), JSON)
    assert not report.conforms
    with pytest.raises(InvalidInput) as refused:
        register(house, document)
    assert len(refused.value.reasons) == 2
    assert house.rows(Dataset, col(Dataset.id) == document["id"]) == []


# --- the files behind -------------------------------------------------------------------------------------------------


def test_a_file_is_tied_by_its_checksum(house: Still) -> None:
    """Name, type and size are kept; a distribution of a file that nobody uploaded is metadata only."""
    document = with_files(house, RAIN, b"more\n")
    document["distribution"].append(file(document["id"], "elsewhere.csv", b"never uploaded"))
    done = register(house, document)
    assert sorted(done.files) == ["rain-0.csv", "rain-1.csv"]
    first = house.connector.datasets.files(document["id"])[0]
    assert (first.object, first.size) == (hashlib.sha256(RAIN).hexdigest(), len(RAIN))
    assert (first.media_type, first.filename) == ("text/csv", "rain-0.csv")
    assert house.evidence(document["id"])[0].body["files"] == list(done.files)


@pytest.mark.parametrize("algorithm", ["md5", None])
def test_only_a_sha_256_ties(house: Still, algorithm: str | None) -> None:
    """Another algorithm's digits mean another thing, whatever they are."""
    document = with_files(house, RAIN)
    checksum = document["distribution"][0]["checksum"]
    if algorithm is None:
        del document["distribution"][0]["checksum"]
    else:
        checksum["algorithm"] = f"http://spdx.org/rdf/terms#checksumAlgorithm_{algorithm}"
    assert register(house, document).files == ()


def test_the_digits_may_be_capitals(house: Still) -> None:
    """The canonical form of xsd:hexBinary is in capitals, and other tools write it so."""
    document = with_files(house, RAIN)
    _, triples = parse_record(json.dumps(document).encode(), JSON)
    digest = hashlib.sha256(RAIN).hexdigest()
    data = rdf.canonical(triples).replace(digest.encode(), digest.upper().encode())
    assert digest.upper().encode() in data
    done = house.connector.datasets.register(data, "application/n-triples", OPERATOR)
    assert done.files == ("rain-0.csv",)


def test_a_replaced_file_is_the_one_that_is_given(house: Still) -> None:
    """A new version with another checksum gives the new file; one without a distribution gives it no more."""
    document = with_files(house, RAIN, b"keep\n")
    register(house, document)
    newer = b"day,mm\n1,4\n"
    house.connector.objects.put([newer])
    document["distribution"][0]["checksum"]["value"] = hashlib.sha256(newer).hexdigest()
    assert register(house, document).version == 2
    files = {row.filename: row.object for row in house.connector.datasets.files(document["id"])}
    assert files["rain-0.csv"] == hashlib.sha256(newer).hexdigest()
    assert files["rain-1.csv"] == hashlib.sha256(b"keep\n").hexdigest()
    document["distribution"].pop(0)
    assert register(house, document).files == ("rain-1.csv",)


def test_a_file_that_is_renamed_is_given_under_its_new_name(house: Still) -> None:
    """What the record calls it now is what a consumer asks for."""
    document = with_files(house, RAIN)
    register(house, document)
    document["distribution"][0]["title"] = {"en": "showers.csv"}
    document["distribution"][0]["media_type"] = "https://www.iana.org/assignments/media-types/text/plain"
    assert register(house, document).files == ("showers.csv",)
    (row,) = house.connector.datasets.files(document["id"])
    assert (row.filename, row.media_type) == ("showers.csv", "text/plain")


def test_a_file_that_is_uploaded_later_is_tied_when_the_record_comes_again(house: Still) -> None:
    """The record is the same and its version stays; that there is a file now is on record."""
    document = with_files(house)
    late = b"late %d\n" % next(house.numbers)
    document["distribution"] = [file(document["id"], "late.csv", late)]
    assert register(house, document).files == ()
    house.connector.objects.put([late])
    done = register(house, document)
    assert (done.version, done.files) == (1, ("late.csv",))
    assert [row.body["files"] for row in house.evidence(document["id"])] == [[], ["late.csv"]]
    assert register(house, document).files == ("late.csv",)
    assert len(house.evidence(document["id"])) == 2


def test_files_of_one_name_can_each_be_had(house: Still) -> None:
    """Two distributions with one title are two files, each under a name of its own."""
    document = with_files(house, RAIN, b"other\n")
    for each in document["distribution"]:
        each["title"] = {"en": "data.csv"}
    files = register(house, document).files
    assert len(set(files)) == 2
    assert register(house, document).files == files


@pytest.mark.parametrize(
    "title",
    ["../../etc/passwd", "..", ".", "", "a/b\\c", "\u202egnp.exe", "nul\x7f\r\nSet-Cookie: x", "日本", "a" * 500],
)
def test_t09_a_files_name_is_harmless(house: Still, title: str) -> None:
    """Whatever the record calls it, what goes into a header and onto a disk is a plain name."""
    document = with_files(house, RAIN)
    document["distribution"][0]["title"] = {"en": title}
    (name,) = register(house, document).files
    assert 0 < len(name) <= 121
    assert name.isascii()
    assert name.isprintable()
    assert not name.startswith(".")
    assert not set(name) & set("/\\\"';: ")


# --- foreign forms ----------------------------------------------------------------------------------------------------

TURTLE = """
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
@prefix spdx: <http://spdx.org/rdf/terms#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
<KEY> a dcat:Dataset ; dct:title "Rain"@en, "Regen"@de ; dct:description "By day."@en ;
  dcat:contactPoint [ a vcard:Kind ; vcard:fn "Desk" ; vcard:hasEmail <mailto:desk@us.example> ] ,
                    [ a vcard:Kind ; vcard:fn "Night desk" ; vcard:hasEmail <mailto:night@us.example> ] ;
  dct:temporal [ a dct:PeriodOfTime ; dcat:startDate "2020-01-01"^^xsd:date ; dcat:endDate "2020-12-31"^^xsd:date ] ;
  dct:publisher [ a foaf:Agent ; foaf:name "The house"@en ] ;
  <urn:x:beyond-the-table> [ <urn:x:deep> [ <urn:x:deeper> 5 ] , [ <urn:x:deeper> 6 ] ] .
"""


def forms(key: str) -> list[tuple[str, bytes]]:
    """Return one record with blank nodes in every form, and with its lines in several orders."""
    triples = rdf.parse(TURTLE.replace("KEY", key).encode(), rdf.Format.TURTLE)
    found = [("text/turtle", TURTLE.replace("KEY", key).encode())]
    found += [
        (form.media_type, rdf.serialise(triples, form))
        for form in (rdf.Format.N_TRIPLES, rdf.Format.RDF_XML, rdf.Format.JSON_LD, rdf.Format.TURTLE)
    ]
    lines = rdf.serialise(triples, rdf.Format.N_TRIPLES).splitlines(keepends=True)
    for seed in range(4):
        shuffled = lines.copy()
        random.Random(seed).shuffle(shuffled)  # noqa: S311 - no secret
        renamed = b"".join(shuffled).replace(b"_:", b"_:z%d" % seed)
        found.append(("application/n-triples", renamed))
    return found


def test_a_record_is_the_same_record_in_every_form_and_order(house: Still) -> None:
    """Blank nodes get names that depend on nothing but what is said: all forms have one fingerprint."""
    key = f"https://us.example/datasets/form-{next(house.numbers)}"
    registered = [house.connector.datasets.register(data, form, OPERATOR) for form, data in forms(key)]
    assert {(done.version, done.id) for done in registered} == {(1, key)}
    row = house.row(Dataset, US, key)
    assert b"_:" not in row.record
    assert b"urn:x:deeper" in row.record
    view = graph.read(rdf.parse(row.record, rdf.Format.N_TRIPLES), key)
    assert {each.name[""] for each in view.contact_point} == {"Desk", "Night desk"}
    assert (row.title, row.version) == ("Rain", 1)


def test_what_the_plain_form_shows_can_be_posted_back(house: Still) -> None:
    """The view of a record, given back as it was shown, describes the same dataset."""
    document = with_files(house, RAIN)
    register(house, document)
    row = house.row(Dataset, US, document["id"])
    view = plain.to_plain(graph.read(rdf.parse(row.record, rdf.Format.N_TRIPLES), row.id))
    assert house.connector.datasets.register(view, JSON, OPERATOR).version == 1


def test_a_dataset_of_a_peer_is_not_ours(house: Still) -> None:
    """A record under an IRI of which we hold a peer's copy is a dataset of its own; the copy stays."""
    document = record(house)
    house.add(
        Dataset(
            participant=US,
            origin="did:web:peer.example",
            id=document["id"],
            title="Theirs",
            profile="",
            record=b"",
            fingerprint="f",
            created=house.clock(),
            updated=house.clock(),
        )
    )
    with pytest.raises(NotFound):
        house.connector.datasets.get(document["id"])
    with pytest.raises(NotFound):
        house.connector.datasets.withdraw(document["id"], OPERATOR)
    assert register(house, document).created
    assert house.row(Dataset, "did:web:peer.example", document["id"]).title == "Theirs"
