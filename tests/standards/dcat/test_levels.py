"""The levels of DCAT-AP and HVD that are reported, and HVD's structure, beside the published files: equal, or listed.

Each record is judged as it is and with what the lists in `vocab/` say of the terms that it refers to.
"""

from collections.abc import Iterator
from typing import Final

import pytest
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from connector.standards.dcat.vocabulary import background, entries, vocabulary
from connector.standards.rdf import Triples, full
from tests.standards.dcat.agreement import TYPE, Comparison, examples, mutants, published, read_example

AUTHORITY: Final = "http://publications.europa.eu/resource/authority/"
PAGES: Final = {
    ("dcat-ap", "recommendation"): "dcat-ap-3.0.1/shapes_recommended.ttl",
    ("dcat-ap", "vocabulary"): "dcat-ap-3.0.1/mdr-vocabularies.shape.ttl",
    ("dcat-ap", "range"): "dcat-ap-3.0.1/range.ttl",
}
PARTS: Final = tuple(
    Triple(subject, NamedNode(full(name)), value)
    for subject, name, value in (
        (NamedNode("https://spdx.org/rdf/terms#sha256"), "rdf:type", NamedNode(full("spdx:ChecksumAlgorithm"))),
        (NamedNode("urn:a:status"), "skos:inScheme", NamedNode(f"{AUTHORITY}distribution-status")),
        (BlankNode("area"), "dcat:bbox", Literal("POINT(1 2)")),
        (BlankNode("company"), "dct:type", NamedNode("http://purl.org/adms/publishertype/Company")),
        (BlankNode("firm"), "dct:type", NamedNode("urn:a:firm")),
    )
)


@pytest.fixture(scope="module", params=PAGES, ids="-".join)
def comparison(request: pytest.FixtureRequest) -> Comparison:
    """Return a level of ours beside the published file."""
    profile, level = request.param
    return Comparison(profile, level, published(PAGES[request.param]))


def known(record: Triples) -> Triples:
    """Return the record with what the lists say of the terms in it."""
    named = {triple.object.value for triple in record if isinstance(triple.object, NamedNode)}
    return tuple(dict.fromkeys((*record, *background(sorted(named)))))


def test_published_examples_are_judged_the_same(comparison: Comparison) -> None:
    """All 83 examples, without and with what the lists say."""
    assert len(examples()) == 83
    for path in examples():
        record = read_example(path.name)
        comparison.assert_same(record)
        comparison.assert_same(known(record))


def test_every_kind_of_value_of_every_property_is_judged_the_same(comparison: Comparison) -> None:
    """The matrix class x property x kind of value agrees, terms of the lists among them; each deviation is real."""
    comparison.assert_same(tuple(comparison.matrix()))
    record = tuple(listed(comparison))
    comparison.assert_same(record)
    comparison.assert_same(known(record))
    comparison.assert_each_is_met()


def test_mutated_examples_are_judged_the_same(comparison: Comparison) -> None:
    """Whatever goes missing, doubles or changes its kind in a record."""
    for record in mutants(seed=20240502):
        comparison.assert_same(known(record))


def listed(comparison: Comparison) -> Iterator[Triple]:
    """Yield a node per class and list, with a term of the list everywhere, and some that look like terms."""
    terms = [next(iter(vocabulary(name).terms)) for name, entry in entries().items() if entry.base]
    terms += [
        "https://sws.geonames.org/2921044/",
        "http://sws.geonames.org/2921044/",
        f"{AUTHORITY}place/DEU_BER",
        "http://data.europa.eu/nuts/code/DE9ZZ",
        "https://www.iana.org/assignments/media-types/application/x-netcdf",
        "http://www.iana.org/assignments/media-types/text/csv",
        "https://example.org/assignments/media-types/text/csv",
    ]
    yield from PARTS
    values = [*map(NamedNode, terms), *dict.fromkeys(triple.subject for triple in PARTS)]
    for target, properties in sorted(comparison.properties().items()):
        for number, value in enumerate(values):
            focus = NamedNode(f"urn:listed:{number}:{target}")
            yield Triple(focus, TYPE, NamedNode(target))
            for path in sorted(properties):
                yield Triple(focus, NamedNode(path), value)
