"""Our JSON-LD context: PyLD and rdflib take it by its name, pyoxigraph when inlined, and all three read the same."""

import io
import json
import warnings
from collections.abc import Iterator
from typing import Any, Final
from urllib.request import BaseHandler, Request, build_opener, install_opener
from urllib.response import addinfourl

import pytest
import rdflib
from hypothesis import Phase, given, settings
from pyld import jsonld
from pyoxigraph import Literal, Triple

from connector import library
from connector.standards import rdf
from connector.standards.dcat import graph
from connector.standards.dcat import model as m
from connector.standards.dcat.table import TABLE
from connector.standards.rdf import Format, Triples
from tests.standards.dcat.agreement import examples, read_example
from tests.standards.dcat.records import datasets

rdflib.NORMALIZE_LITERALS = False  # rdflib would write dates and numbers another way
TYPE: Final = rdf.full("rdf:type")
NAME: Final = "urn:greendeal:context:1"
TERMS: Final[dict[str, Any]] = json.loads(library.read("vocab", "contexts/greendeal.jsonld"))["@context"]

pytestmark = pytest.mark.usefixtures("by_name")


class ByName(BaseHandler):
    """Gives rdflib the bundled context when it asks for it by its name, and nothing else."""

    def urn_open(self, request: Request) -> addinfourl:
        """Answer a request for a `urn:`."""
        document = rdf.load_context(request.full_url)["document"]
        headers: Any = {"Content-Type": "application/ld+json"}
        return addinfourl(io.BytesIO(json.dumps(document).encode()), headers, request.full_url, 200)


@pytest.fixture(scope="module")
def by_name() -> Iterator[None]:
    """Let rdflib load the bundled contexts."""
    install_opener(build_opener(ByName()))
    yield
    install_opener(build_opener())


def compacted(record: Triples) -> dict[str, Any]:
    """Return the record as compact JSON-LD that names our context."""
    expanded = json.loads(rdf.serialise(record, Format.JSON_LD))
    for node in expanded:
        kinds = node.pop(TYPE, [])
        node.update({"@type": [kind["@id"] for kind in kinds]} if kinds else {})
    options = {"documentLoader": rdf.load_context, "processingMode": "json-ld-1.1"}
    compact: dict[str, Any] = jsonld.compact(expanded, NAME, options)
    return compact


def read_by_pyld(document: dict[str, Any]) -> Triples:
    """Return what PyLD reads."""
    options = {"documentLoader": rdf.load_context, "format": "application/n-quads"}
    return rdf.parse(jsonld.to_rdf(document, options).encode(), Format.N_QUADS)


def read_by_rdflib(document: dict[str, Any]) -> Triples:
    """Return what rdflib reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it uses a class of its own that it calls deprecated
        found = rdflib.Dataset().parse(data=json.dumps(document), format="json-ld")
    return tuple(each for graph in found.graphs() for each in rdf.from_rdflib(graph))


def read_here(document: dict[str, Any]) -> Triples:
    """Return what we read: pyoxigraph, with the context put in place of its name."""
    return rdf.parse(json.dumps(document).encode(), Format.JSON_LD)


def told(record: Triples) -> set[Triple]:
    """Return what a record says, whatever its blank nodes are called; doubles by their value, as PyLD has them."""
    return set(rdf.skolemise(map(_plain, record), "urn:record:"))


def _plain(triple: Triple) -> Triple:
    value = triple.object
    if not isinstance(value, Literal) or value.datatype.value != rdf.full("xsd:double"):
        return triple
    return Triple(triple.subject, triple.predicate, Literal(repr(float(value.value)), datatype=value.datatype))


def assert_round_trip(record: Triples) -> None:
    """Fail unless all three read from the compact form what went in."""
    document = compacted(record)
    assert document["@context"] == NAME
    assert told(read_here(document)) == told(record)
    assert told(read_by_pyld(document)) == told(record)
    assert told(read_by_rdflib(document)) == told(record)


@settings(max_examples=25, phases=[Phase.generate])  # PyLD is too slow for shrinking
@given(datasets(4))
def test_records_come_back_as_they_were(dataset: m.Dataset) -> None:
    """Whatever the plain form can say."""
    assert_round_trip(graph.write(dataset))


@pytest.mark.parametrize("name", [path.name for path in examples()])
def test_published_examples_come_back_as_they_were(name: str) -> None:
    """Also what the context has no term for."""
    assert_round_trip(read_example(name))


def test_compact_records_are_made_of_plain_words() -> None:
    """Terms without prefixes, texts by language, links and figures as text, lists where several values are usual."""
    dataset = m.Dataset(
        id="https://data.example/rain",
        title={"de": "Regen", "en": "Rain"},
        issued="2024-05-01",
        theme=("http://publications.europa.eu/resource/authority/data-theme/ENVI",),
        distribution=(
            m.Distribution(id="https://data.example/rain/1", access_url=("https://data.example/1",), byte_size=7),
        ),
    )
    assert sorted(compacted(graph.write(dataset))["@graph"], key=lambda node: str(node["id"])) == [
        {
            "id": "https://data.example/rain",
            "type": "Dataset",
            "title": {"de": "Regen", "en": "Rain"},
            "issued": {"type": "xsd:date", "@value": "2024-05-01"},
            "theme": ["http://publications.europa.eu/resource/authority/data-theme/ENVI"],
            "distribution": ["https://data.example/rain/1"],
        },
        {
            "id": "https://data.example/rain/1",
            "type": "Distribution",
            "accessURL": ["https://data.example/1"],
            "byteSize": "7",
        },
    ]


def test_every_property_and_class_of_the_plain_form_has_a_term() -> None:
    """So that whatever the connector writes is read without prefixes."""
    meanings = {_meaning(each) for each in TERMS.values()}
    for rows in TABLE.values():
        assert {row.iri for row in rows} <= meanings
        assert {row.type for row in rows if row.type is not None} <= meanings


def test_no_two_terms_mean_the_same() -> None:
    """One way to say a thing; the prefixes are those that the connector writes everywhere."""
    meanings = [_meaning(each) for name, each in TERMS.items() if name not in {"@version", *rdf.PREFIXES}]
    assert len(set(meanings)) == len(meanings)
    assert rdf.PREFIXES.items() <= TERMS.items()


def _meaning(definition: Any) -> str:
    name = str(definition["@id"] if isinstance(definition, dict) else definition)
    return rdf.full(name) if name.partition(":")[0] in rdf.PREFIXES else name.replace("cnt:", TERMS["cnt"])
