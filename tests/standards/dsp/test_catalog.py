"""Catalogs: a record goes into an entry and comes back whole, and other connectors' catalogs are read."""

import json
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from pyld import jsonld
from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple
from pyoxigraph import parse as engine_parse

from connector.errors import InvalidInput, TooLarge
from connector.standards import rdf
from connector.standards.dsp import entries, schema
from connector.standards.dsp.catalog import catalog, dataset_document, dataset_entry, read_catalog, read_dataset
from connector.standards.dsp.wire import read, write
from tests.standards.dsp import examples

SUBJECT: Final = "https://data.example/rain"
BASE: Final = "https://provider.example/dsp"
OFFER: Final[dict[str, Any]] = {
    "@id": "urn:offer:1",
    "@type": "Offer",
    "permission": [
        {
            "action": "use",
            "constraint": [
                {"leftOperand": "odrl:dateTime", "operator": "lteq", "rightOperand": "2030-12-31T00:00:00Z"}
            ],
        }
    ],
}
OFFER_TRIPLES: Final = b"""
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
<https://data.example/rain> odrl:hasPolicy <urn:offer:1> .
<urn:offer:1> a odrl:Offer ; odrl:permission [ odrl:action odrl:use ; odrl:constraint [
  odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lteq ; odrl:rightOperand "2030-12-31T00:00:00Z" ] ] .
"""
RECORD: Final = b"""
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix locn: <http://www.w3.org/ns/locn#> .
<https://data.example/rain> a dcat:Dataset, <urn:type:other> ;
  dct:title "Rain"@en, "Regen"@de ; dcat:keyword "rain", "radar" ; dct:issued "2026-03-01"^^xsd:date ;
  dct:spatial [ a dct:Location ; dcat:bbox "POINT(0 1)"^^<http://www.opengis.net/ont/geosparql#wktLiteral> ] ;
  dct:publisher <https://met.example/> ; odrl:hasPolicy <urn:policy:in-the-record> ;
  dcat:distribution <https://data.example/rain/nc>, [ a dcat:Distribution ; dcat:accessURL <https://data.example/x> ] .
<https://met.example/> a foaf:Agent ; foaf:name "Met" .
<https://data.example/rain/nc> a dcat:Distribution ;
  dct:format <http://publications.europa.eu/resource/authority/file-type/NETCDF> ;
  dcat:mediaType <https://www.iana.org/assignments/media-types/application/netcdf> ;
  dcat:byteSize "5"^^xsd:nonNegativeInteger ; dcat:accessService <https://data.example/wms> .
<https://data.example/wms> a dcat:DataService ; dcat:endpointURL <https://data.example/wms> .
<https://data.example/record> a dcat:CatalogRecord ; foaf:primaryTopic <https://data.example/rain> .
"""
DCAT: Final = rdf.PREFIXES["dcat"]
TYPE: Final = NamedNode(rdf.PREFIXES["rdf"] + "type")


def triples(turtle: bytes) -> set[Triple]:
    """Return the statements of a piece of Turtle, blank nodes named."""
    return set(rdf.skolemise(rdf.parse(turtle, rdf.Format.TURTLE), SUBJECT))


def by_json_ld(document: Any) -> set[Triple]:
    """Return the statements that a JSON-LD processor finds; blank nodes stay."""
    quads = jsonld.to_rdf(rdf.expand(document), {"format": "application/n-quads", "base": None, "skipExpansion": True})
    return {quad.triple for quad in engine_parse(quads.encode(), RdfFormat.N_QUADS)}


def written(record: set[Triple], formats: tuple[str, ...] = ("HttpData-PULL",)) -> bytes:
    """Return the entry of a record as bytes."""
    return write(dataset_entry(record, SUBJECT, [OFFER], BASE, formats))


def published(*found: bytes) -> bytes:
    """Return a catalog with the entries."""
    return catalog("did:web:provider.example", BASE, found, "urn:catalog:1")


# --- records of any kind ----------------------------------------------------------------------------------------------

NODES: Final = [NamedNode(f"https://data.example/{name}") for name in ("a", "b", "c#d", "e?f=g", "ü")]
BLANKS: Final = [BlankNode(name) for name in ("x", "y")]
DISTRIBUTIONS: Final = [NamedNode(f"{SUBJECT}/file{number}") for number in range(2)]
PREDICATES: Final = [
    *(NamedNode(rdf.PREFIXES["dct"] + name) for name in ("title", "format", "a.b", "", "1", "//x")),
    *(NamedNode(DCAT + name) for name in ("distribution", "mediaType", "accessService", "keyword")),
    *(NamedNode(rdf.PREFIXES["odrl"] + name) for name in ("hasPolicy", "target", "permission")),
    *(NamedNode(iri) for iri in ("http://xmlns.com/foaf/0.1/name", "urn:greendeal:ns:x", "mailto:x", "tag:x,2026:y")),
    NamedNode(rdf.PREFIXES["rdf"] + "first"),
    TYPE,
]
LITERALS: Final = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(Literal),
    st.sampled_from([Literal("Rain", language="en"), Literal("", language="de-at"), Literal("HttpData-PULL")]),
    st.sampled_from(["5", "05", "1.50", "true", "x", "2026-03-01"]).flatmap(
        lambda text: st.sampled_from(["integer", "decimal", "boolean", "date", "anyURI"]).map(
            lambda kind: Literal(text, datatype=NamedNode(rdf.PREFIXES["xsd"] + kind))
        )
    ),
    st.just(Literal("{}", datatype=NamedNode(rdf.PREFIXES["rdf"] + "JSON"))),
)
SUBJECTS: Final = st.sampled_from([NamedNode(SUBJECT), *NODES, *BLANKS, *DISTRIBUTIONS])
OBJECTS: Final = st.one_of(
    SUBJECTS, LITERALS, st.sampled_from([NamedNode(DCAT + "Distribution"), NamedNode(DCAT + "DataService")])
)
STATEMENTS: Final = st.builds(Triple, SUBJECTS, st.sampled_from(PREDICATES), OBJECTS)


@st.composite
def records(draw: st.DrawFn) -> set[Triple]:
    """A typed dataset with any statements about it and around it, its distributions typed as well."""
    found = {Triple(NamedNode(SUBJECT), TYPE, NamedNode(DCAT + "Dataset"))}
    found |= draw(st.sets(STATEMENTS, max_size=12))
    found |= {
        Triple(node, NamedNode(DCAT + "distribution"), other)
        for node in [NamedNode(SUBJECT)]
        for other in draw(st.sets(st.sampled_from(DISTRIBUTIONS)))
    }
    try:
        named = set(rdf.skolemise(found, SUBJECT))
    except TooLarge:  # rings of blank nodes that look alike are refused before there is an entry
        return set()
    return named | {
        Triple(triple.object, TYPE, NamedNode(DCAT + "Distribution"))
        for triple in named
        if (triple.subject, triple.predicate) == (NamedNode(SUBJECT), NamedNode(DCAT + "distribution"))
        and isinstance(triple.object, NamedNode)
    }


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(records().filter(bool), st.sampled_from([("HttpData-PULL",), ("HttpData-PUSH", "HttpData-PULL")]))
def test_a_record_comes_back_from_the_catalog_as_it_went_in(record: set[Triple], formats: tuple[str, ...]) -> None:
    """Nothing that a record says is lost, changed or added by its way through a catalog, and the entry is valid."""
    answer = published(written(record, formats))
    assert next(schema.ROOT_CATALOG(read(answer), "$"), None) is None
    read_back = read_catalog(answer)
    assert read_back.skipped == []
    (dataset,) = read_back.datasets
    event(f"{len(record) // 4 * 4} statements")
    assert set(dataset.triples) == record
    assert (dataset.id, dataset.subject, dataset.endpoint_url) == (SUBJECT, SUBJECT, BASE)
    assert (dataset.offers, dataset.formats) == ([OFFER], list(formats))


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(records().filter(bool))
def test_a_json_ld_processor_sees_the_record_and_what_the_protocol_adds(record: set[Triple]) -> None:
    """To others the entry is linked data: exactly the record, the offers, and a service for each distribution."""
    document = json.loads(dataset_document(written(record)))
    named = [
        triple.object
        for triple in record
        if (triple.subject, triple.predicate) == (NamedNode(SUBJECT), NamedNode(DCAT + "distribution"))
        and isinstance(triple.object, NamedNode)
    ]
    service = NamedNode(f"{BASE}#service")
    added = triples(OFFER_TRIPLES)
    added |= {
        Triple(service, TYPE, NamedNode(DCAT + "DataService")),
        Triple(service, NamedNode(DCAT + "endpointURL"), Literal(BASE)),
    }
    added |= {Triple(node, NamedNode(DCAT + "accessService"), service) for node in named}
    if not named:
        bare = BlankNode()
        added |= {
            Triple(NamedNode(SUBJECT), NamedNode(DCAT + "distribution"), bare),
            Triple(bare, TYPE, NamedNode(DCAT + "Distribution")),
            Triple(bare, NamedNode(DCAT + "accessService"), service),
        }
    assert set(rdf.skolemise(by_json_ld(document), SUBJECT)) == set(rdf.skolemise(record | added, SUBJECT))


@given(records().filter(bool), st.randoms(use_true_random=False))
def test_the_entry_does_not_depend_on_the_order_of_statements(record: set[Triple], random: Any) -> None:
    """The same record gives the same bytes, so an entry changes when, and only when, the record does."""
    shuffled = sorted(record, key=str)
    random.shuffle(shuffled)
    assert write(dataset_entry(shuffled, SUBJECT, [OFFER], BASE, ["x"])) == write(
        dataset_entry(record, SUBJECT, [OFFER], BASE, ["x"])
    )


# --- one record, looked at closely ------------------------------------------------------------------------------------


def test_the_file_format_stands_beside_the_transfer_type() -> None:
    """`format` is how the data travel, `dct:format` and `dcat:mediaType` what they are; both are there."""
    entry = json.loads(written(triples(RECORD), ("HttpData-PULL", "HttpData-PUSH")))
    files = [each for each in entry["distribution"] if each["@id"] == "https://data.example/rain/nc"]
    assert [each["format"] for each in files] == ["HttpData-PULL", "HttpData-PUSH"]
    assert files[0]["dct:format"] == {"@id": "http://publications.europa.eu/resource/authority/file-type/NETCDF"}
    assert files[0]["dcat:mediaType"] == {"@id": "https://www.iana.org/assignments/media-types/application/netcdf"}
    assert files[0]["dcat:accessService"]["dcat:endpointURL"] == {"@id": "https://data.example/wms"}
    assert files[0]["accessService"]["endpointURL"] == BASE
    assert set(read_dataset(dataset_document(written(triples(RECORD)))).triples) == triples(RECORD)


def test_a_distribution_is_described_where_it_is_offered() -> None:
    """A record that names its distribution elsewhere as well is still described under `distribution`."""
    sample = Triple(NamedNode(SUBJECT), NamedNode(DCAT + "a-sample"), NamedNode("https://data.example/rain/nc"))
    entry = json.loads(written(triples(RECORD) | {sample}))
    assert entry["dcat:a-sample"] == {"@id": "https://data.example/rain/nc"}
    assert any("dcat:byteSize" in each for each in entry["distribution"])


def test_the_type_is_the_bare_term_that_peers_look_for() -> None:
    """`@type` is the string `Dataset`, whatever further types the record has."""
    entry = json.loads(written(triples(RECORD)))
    assert entry["@type"] == "Dataset"
    assert {each["@type"] for each in entry["distribution"]} == {"Distribution"}
    assert entry["http://www.w3.org/1999/02/22-rdf-syntax-ns#type"] == [{"@id": "urn:type:other"}]


def test_a_record_without_types_gets_those_of_the_protocol() -> None:
    """The protocol's types of dataset and distribution are the one thing that a way through a catalog may add."""
    bare = {
        Triple(NamedNode(SUBJECT), NamedNode(DCAT + "distribution"), DISTRIBUTIONS[0]),
        Triple(DISTRIBUTIONS[0], NamedNode(DCAT + "accessURL"), NODES[0]),
    }
    (dataset,) = read_catalog(published(written(bare))).datasets
    assert set(dataset.triples) - bare == {
        Triple(NamedNode(SUBJECT), TYPE, NamedNode(DCAT + "Dataset")),
        Triple(DISTRIBUTIONS[0], TYPE, NamedNode(DCAT + "Distribution")),
    }


def test_long_chains_do_not_nest_beyond_what_readers_allow() -> None:
    """A chain of a hundred nodes comes back whole, and the JSON stays shallow."""
    chain = [NamedNode(f"https://data.example/chain/{number:03}") for number in range(100)]
    link = NamedNode(rdf.PREFIXES["dct"] + "isPartOf")
    record = {Triple(*pair) for pair in zip(chain, [link] * 99, chain[1:], strict=False)}
    record |= {
        Triple(NamedNode(SUBJECT), TYPE, NamedNode(DCAT + "Dataset")),
        Triple(NamedNode(SUBJECT), link, chain[0]),
    }
    answer = published(written(record))
    assert read(answer, depth=2 * entries.MAX_LEVELS + 6)
    assert set(read_catalog(answer).datasets[0].triples) == record


def test_blank_nodes_of_two_entries_stay_apart() -> None:
    """Entries are written one by one and joined later; their unnamed nodes must not become one."""
    odd = [
        {Triple(NamedNode(SUBJECT), PREDICATES[0], BlankNode("b")), Triple(BlankNode("b"), PREDICATES[0], Literal(t))}
        for t in "xy"
    ]
    joined = published(*(written(record) for record in odd))
    assert b'"_:' not in joined
    said = [{str(each.object) for each in dataset.triples} for dataset in read_catalog(joined).datasets]
    assert '"x"' in said[0]
    assert '"y"' not in said[0]


@pytest.mark.parametrize(
    ("offers", "formats", "words"),
    [
        ([], ["HttpData-PULL"], "no offer"),
        ([OFFER], [], "no transfer format"),
        ([{**OFFER, "target": SUBJECT}], ["HttpData-PULL"], "target"),
        ([{"@id": "o"}], ["HttpData-PULL"], "permission"),
    ],
)
def test_what_no_reader_could_use_is_not_published(offers: list[Any], formats: list[str], words: str) -> None:
    """A dataset without a valid offer or a transfer format is refused here, not by every peer."""
    with pytest.raises(InvalidInput, match=words):
        dataset_entry(triples(RECORD), SUBJECT, offers, BASE, formats)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_iri_that_reads_as_a_prefixed_name_is_refused(position: int) -> None:
    """`dct:x` as an absolute IRI would silently become another one."""
    terms = [NamedNode("urn:a"), NamedNode("urn:b"), NamedNode("urn:c")]
    terms[position] = NamedNode("dct:x")
    with pytest.raises(InvalidInput, match="prefixed name"):
        written({Triple(*terms)})


# --- catalogs ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 4))
def test_a_catalog_is_valid_with_any_number_of_entries(count: int) -> None:
    """Without datasets the key is left out, since the schema knows no empty array."""
    answer = published(*[written(triples(RECORD))] * count)
    document = read(answer)
    assert next(schema.ROOT_CATALOG(document, "$"), None) is None
    assert len(document.get("dataset", ())) == count
    found = read_catalog(answer)
    assert (found.participant_id, found.id, found.endpoint_url) == ("did:web:provider.example", "urn:catalog:1", BASE)
    assert len(found.datasets) == count


@pytest.mark.parametrize("backwards", [False, True])
def test_the_expanded_catalog_is_the_same_catalog(backwards: bool) -> None:
    """A peer that sends its catalog expanded offers the same datasets under the same conditions."""
    answer = published(written(triples(RECORD), ("HttpData-PULL", "HttpData-PUSH")))
    plain = read_catalog(answer)
    (expanded,) = rdf.expand(read(answer))
    if backwards:  # the order of values means nothing
        for distribution in expanded[DCAT + "dataset"][0][DCAT + "distribution"]:
            distribution[DCAT + "accessService"].reverse()
            distribution[rdf.PREFIXES["dct"] + "format"].reverse()
    (dataset,) = read_catalog(write([expanded])).datasets
    assert dataset.endpoint_url == BASE
    # Where a record uses the protocol's own terms (its policy, the address of its own service), the two are told apart
    # by the short names alone, which the expanded form has not.
    own = {each for each in plain.datasets[0].triples if "in-the-record" in str(each) or "endpointURL" in str(each)}
    assert set(plain.datasets[0].triples) - set(dataset.triples) <= own
    assert set(dataset.triples) <= set(plain.datasets[0].triples)
    assert (dataset.id, dataset.offers, dataset.formats) == (SUBJECT, [OFFER], ["HttpData-PULL", "HttpData-PUSH"])


EDC_SERVICE: Final = {
    "@id": "298505e9-2e20-41e2-9677-ca821c806bc0",
    "@type": "DataService",
    "endpointDescription": "dspace:connector",
    "endpointURL": "http://localhost:19194/protocol/2025-1",
}
EDC_CATALOG: Final[dict[str, Any]] = {
    "@id": "796ccb1b-be8e-4bff-be77-862e7b09e989",
    "@type": "Catalog",
    "dataset": [
        {
            "@id": "asset-1",
            "@type": "Dataset",
            "hasPolicy": [
                {"@id": "ZDM=:YXNzZXQtMQ==:ZWZk", "@type": "Offer", "permission": [{"action": "use"}]},
                {"@id": "ZDE=:YXNzZXQtMQ==:NzFl", "@type": "Offer", "permission": [{"action": "use"}]},
            ],
            "distribution": [
                {"@type": "Distribution", "format": "HttpData-PULL", "accessService": EDC_SERVICE},
                {
                    "@type": "Distribution",
                    "format": "HttpData-PUSH",
                    "accessService": {**EDC_SERVICE, "@id": "490c1110"},
                },
            ],
            "dct:title": "Rain rate",
            "dct:publisher": {"@id": "urn:pub", "http://xmlns.com/foaf/0.1/name": "Met"},
            "edc:name": "Asset 1",
            "id": "asset-1",
        }
    ],
    "service": [EDC_SERVICE],
    "participantId": "provider",
    "@context": [examples.CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"],
}


def test_a_catalog_of_eclipse_edc_is_read() -> None:
    """Ids that are no IRIs, embedded services, several offers, a context that does not ship: EDC's way."""
    found = read_catalog(write(EDC_CATALOG))
    assert (found.participant_id, found.endpoint_url, found.skipped) == ("provider", EDC_SERVICE["endpointURL"], [])
    (dataset,) = found.datasets
    assert dataset.id == "asset-1"
    assert dataset.subject == "http://localhost:19194/protocol/2025-1/catalog/datasets/asset-1"
    assert dataset.offers == EDC_CATALOG["dataset"][0]["hasPolicy"]
    assert dataset.formats == ["HttpData-PULL", "HttpData-PUSH"]
    said = {(each.predicate.value, str(each.object)) for each in dataset.triples}
    assert said == {
        (TYPE.value, f"<{DCAT}Dataset>"),
        (rdf.PREFIXES["dct"] + "title", '"Rain rate"'),
        (rdf.PREFIXES["dct"] + "publisher", "<urn:pub>"),
        ("http://xmlns.com/foaf/0.1/name", '"Met"'),
        ("https://w3id.org/edc/v0.0.1/ns/name", '"Asset 1"'),
    }


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("urn:uuid:1", "urn:uuid:1"),
        ("https://x.example/ä", "https://x.example/ä"),
        ("a b/c", "https://p.example/dsp/catalog/datasets/a%20b%2Fc"),
        ("x:y z", "https://p.example/dsp/catalog/datasets/x%3Ay%20z"),
        ("dcat:x", DCAT + "x"),
        ("", "https://p.example/dsp/catalog/datasets/"),
    ],
)
def test_every_id_stands_for_an_iri(name: str, subject: str) -> None:
    """Negotiations use the id letter by letter; the record needs an IRI, and gets a stable one."""
    entry = {**examples.DATASET, "@id": name, "dct:title": "T"}
    service = {"@id": "s", "@type": "DataService", "endpointURL": "https://p.example/dsp/"}
    document = {**examples.CATALOG, "service": [service], "dataset": [entry], "catalog": []}
    document["dataset"][0]["distribution"] = [{"@type": "Distribution", "format": "f", "accessService": "s"}]
    (dataset,) = read_catalog(write(document)).datasets
    assert (dataset.id, dataset.subject, dataset.endpoint_url) == (name, subject, "https://p.example/dsp/")
    assert {each.subject.value for each in dataset.triples if isinstance(each.subject, NamedNode)} == {subject}


def test_nested_catalogs_keep_their_participants() -> None:
    """A catalog of catalogs tells whose dataset is whose; one without a participant belongs to the one around it."""
    inner = {"@id": "c", "@type": "Catalog", "participantId": "did:web:other.example", "dataset": [examples.DATASET]}
    document = {**examples.CATALOG, "catalog": [inner, {"@id": "d", "@type": "Catalog", "dataset": examples.DATASET}]}
    owners = [each.participant_id for each in read_catalog(write(document)).datasets]
    assert owners == ["did:web:provider.example", "did:web:other.example", "did:web:provider.example"]


@pytest.mark.parametrize(
    ("change", "words", "kept"),
    [
        ({"@id": 5}, "@id", False),
        ({"hasPolicy": [OFFER, {"@id": "o"}, 5]}, "hasPolicy[1]", True),
        ({"hasPolicy": [OFFER, {**OFFER, "target": "x"}]}, "hasPolicy[1]", True),
        ({"distribution": [5, examples.DATASET["distribution"][0]]}, "distribution[0]", True),
        ({"dct:title": {"@value": {}}}, "urn:dataset:1", False),
        ({"dct:relation": {"@id": 5}}, "urn:dataset:1", False),
    ],
)
def test_one_bad_dataset_costs_no_other(change: dict[str, Any], words: str, kept: bool) -> None:
    """What cannot be read is told and left out; the rest of the catalog is read."""
    good = {**examples.DATASET, "@id": "urn:dataset:good"}
    document = {**examples.CATALOG, "dataset": [{**examples.DATASET, **change}, good], "catalog": []}
    found = read_catalog(write(document))
    assert [each.id for each in found.datasets] == (["urn:dataset:1"] if kept else []) + ["urn:dataset:good"]
    assert any(words in reason for reason in found.skipped)


def test_single_values_need_no_array() -> None:
    """JSON-LD lets a single value stand alone, and some connectors do."""
    entry = {**examples.DATASET, "hasPolicy": OFFER, "distribution": examples.DATASET["distribution"][0]}
    found = read_catalog(write({**examples.CATALOG, "dataset": entry, "catalog": [], "service": examples.SERVICE}))
    assert (found.skipped, found.datasets[0].offers) == ([], [OFFER])


@pytest.mark.parametrize("key", ["@context", "@id", "@type", "participantId"])
def test_what_is_no_catalog_is_refused(key: str) -> None:
    """Without id, participant or context there is nothing to hold on to."""
    with pytest.raises(InvalidInput, match=key.removeprefix("@")):
        read_catalog(write({name: value for name, value in examples.CATALOG.items() if name != key}))


def test_a_catalog_too_large_is_refused() -> None:
    """The limit is the caller's to choose."""
    with pytest.raises(TooLarge):
        read_catalog(published(), limit=10)


@pytest.mark.parametrize("document", [{}, [], {"@context": [examples.CONTEXT], "@type": "CatalogError"}])
def test_what_is_no_dataset_is_refused(document: Any) -> None:
    """An error object or anything else in place of a dataset is not read as one."""
    with pytest.raises(InvalidInput):
        read_dataset(write(document))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", "x:y", "_:b", "urn:a", "@id", "dct:title"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["@id", "@type", "@value", "@language", "@context", "@list", "@set", "@graph", "@reverse"])
            | st.sampled_from(["@included", "@nest", "@index", "@direction", "dct:title", "x", "urn:p", "format"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    st.lists(
        st.sampled_from(["@type", "@included", "@reverse", "dct:title", "distribution", "hasPolicy", "@id"]), min_size=1
    ),
    st.data(),
)
def test_any_dataset_is_read_or_told(keys: list[str], data: st.DataObject) -> None:
    """Whatever a dataset holds, the catalog is read and says what it left out; the good one beside it is there."""
    entry = {**examples.DATASET, **{key: data.draw(VALUES) for key in keys}}
    good = {**examples.DATASET, "@id": "urn:dataset:good"}
    found = read_catalog(write({**examples.CATALOG, "dataset": [entry, good], "catalog": []}))
    assert found.datasets[-1].id == "urn:dataset:good"
    event(f"{len(found.datasets)} datasets")
    assert len(found.datasets) == 2 or found.skipped
    assert all(
        isinstance(each, NamedNode)
        for dataset in found.datasets
        for triple in dataset.triples
        for each in [triple.subject]
    )
