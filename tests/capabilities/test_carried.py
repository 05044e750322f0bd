"""A record on its way: published, in our catalog, crawled by a peer, and still the same, statement by statement."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, event, given, settings

from connector.capabilities import federation
from connector.capabilities.identity import Principal
from connector.standards import rdf
from connector.standards.dcat import graph, model
from connector.standards.dsp.schema import CONTEXT
from connector.storage.tables import Dataset
from tests.builders import Still
from tests.capabilities.conftest import US
from tests.standards.dcat.records import datasets

ASKER = Principal("did:web:peer.example", "peer", frozenset(), "A peer")


def publish(house: Still, record: bytes) -> str:
    """Put a record on the shelf in place of the one that is there, under an offer; return its id."""
    key = house.shelve()
    house.offer(key)
    with house.connector.database.begin(US) as work:
        work.need(Dataset, US, key, lock=True).record = record.replace(b"urn:here", key.encode())
    return key


def crawled(body: bytes) -> dict[str, bytes]:
    """Return the records that a peer keeps after reading a page, by id."""
    found: dict[str, Any] = {}
    skipped: list[str] = []
    federation._read_page(US, body, found, skipped)
    assert skipped == []
    return {key: each.record for key, each in found.items()}


def page(house: Still, key: str) -> bytes:
    """Return the page with this one dataset."""
    criterion = {"operandLeft": "id", "operator": "=", "operandRight": key}
    return house.connector.catalog.page([{"@type": "QuerySpec", "filterExpression": [criterion]}], ASKER).body


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(datasets(5).map(lambda each: msgspec.structs.replace(each, kind="dataset")))  # series are not offered
def test_a_record_of_the_model_arrives_as_it_was_published(house: Still, dataset: model.Dataset) -> None:
    """Any field with any text, language, date, figure, place and agent within an agent: the peer keeps the same."""
    here = rdf.canonical(rdf.skolemise(graph.write(dataset), dataset.id)).replace(dataset.id.encode(), b"urn:here")
    key = publish(house, here)
    wanted = rdf.canonical(rdf.parse(here.replace(b"urn:here", key.encode()), rdf.Format.N_TRIPLES))
    event(f"{len(wanted) // 2000 * 2}+ kB")
    assert crawled(page(house, key)) == {key: wanted}


ODD = """
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix geo: <http://www.opengis.net/ont/geosparql#> . @prefix locn: <http://www.w3.org/ns/locn#> .
@prefix prov: <http://www.w3.org/ns/prov#> . @prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
<urn:here> a dcat:Dataset ;
  dct:title "Rain"@en, "Regen"@de, "Regen"@de-AT, "雨"@ja, "مطر"@ar, "Rain", "" ;
  dct:description "line\\nbreak \\"quote\\" \\\\ back \\u0001 😀"@en ;
  dct:issued "2026-03-01"^^xsd:date, "2026-13-99"^^xsd:date, "2026"^^xsd:gYear ;
  dct:modified "2026-03-01T12:00:00.123456789+02:00"^^xsd:dateTime ;
  dcat:spatialResolutionInMeters "5.50"^^xsd:decimal, "5.5"^^xsd:double, "INF"^^xsd:double, "x"^^xsd:decimal ;
  dcat:temporalResolution "PT1H"^^xsd:duration ; <urn:own:flag> true, "1"^^xsd:boolean ;
  <urn:own:typed> "a"^^<urn:own:type>, "<p>b</p>"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#HTML> ;
  dct:spatial [ a dct:Location ; geo:asWKT "POINT(1 2)"^^geo:wktLiteral ;
    locn:geometry "<http://www.opengis.net/def/crs/EPSG/0/4326> POLYGON((0 0,1 0,1 1,0 0))"^^geo:wktLiteral,
      "{\\"type\\":\\"Point\\",\\"coordinates\\":[1,2]}"^^
        <https://www.iana.org/assignments/media-types/application/geo+json> ] ;
  dct:publisher [ a foaf:Agent ; foaf:name "Met"@en ; prov:actedOnBehalfOf [ foaf:name "Ministry" ;
    dct:isPartOf [ foaf:name "State" ; vcard:hasAddress [ vcard:locality "Bonn" ] ] ] ] ;
  dct:relation [ dct:relation [ dct:relation <urn:here> ] ], <urn:here>, <https://example.org/ü?q=1#x> ;
  dcat:distribution [ a dcat:Distribution ; dct:format <urn:format> ], <urn:file> .
<urn:file> a dcat:Distribution ; dct:title "rain.nc" ; dcat:accessService [ a dcat:DataService ; dct:title "WMS"@en ] .
<urn:elsewhere> dct:isReferencedBy <urn:here> .
"""


@pytest.fixture
def odd(house: Still) -> tuple[str, bytes]:
    """Publish a record that has one of everything; return its id and the record."""
    named = rdf.skolemise(rdf.parse(ODD.encode(), rdf.Format.TURTLE), "urn:here")
    record = rdf.canonical(named)
    key = publish(house, record)
    record = rdf.canonical(rdf.parse(record.replace(b"urn:here", key.encode()), rdf.Format.N_TRIPLES))
    return key, record


def test_what_no_model_knows_arrives_too(house: Still, odd: tuple[str, bytes]) -> None:
    """Languages, broken and odd literals, places in three notations, unnamed agents within agents, circles."""
    key, record = odd
    assert crawled(page(house, key)) == {key: record}
    document = house.connector.catalog.entry(key, ASKER).body
    head = {"@context": [CONTEXT], "@id": "urn:c", "@type": "Catalog", "participantId": US}
    alone = {name: value for name, value in json.loads(document).items() if name != "@context"}
    assert crawled(json.dumps({**head, "dataset": [alone]}).encode()) == {key: record}


DRESSES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "its context": lambda body: {**body, "@context": [CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"]},
    "single values alone": lambda body: {**body, "service": body["service"][0], "dataset": body["dataset"][0]},
    "its own properties": lambda body: {
        **body,
        "@context": [CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"],
        "dataset": [{**each, "id": each["@id"], "version": "1"} for each in body["dataset"]],
    },
    "services by their ids": lambda body: {
        **body,
        "dataset": [
            {
                **each,
                "distribution": [
                    {**part, "accessService": part["accessService"]["@id"]} for part in each["distribution"]
                ],
            }
            for each in body["dataset"]
        ],
    },
}


@pytest.mark.parametrize("dress", DRESSES)
def test_a_record_in_the_dress_of_edc_is_the_same_record(house: Still, odd: tuple[str, bytes], dress: str) -> None:
    """EDC names a context that does not ship, unwraps single values, and adds terms of its own: none touches it."""
    key, record = odd
    body = DRESSES[dress](json.loads(page(house, key)))
    assert crawled(json.dumps(body).encode()) == {key: record}


def test_a_text_that_a_database_keeps_not_costs_no_catalog(each_house: Still) -> None:
    """A NUL in a text is carried with the record and only not found by a filter: the catalog stays whole."""
    bad = each_house.shelve()
    good = each_house.shelve()
    for key in (bad, good):
        each_house.offer(key)
    with each_house.connector.database.begin(US) as work:
        row = work.need(Dataset, US, bad, lock=True)
        row.record += f'<{bad}> <http://purl.org/dc/terms/description> "a\\u0000b" .\n'.encode()
    found = each_house.connector.catalog.page([], ASKER)
    assert good in found.body.decode()
    assert bad in found.body.decode()
