"""The levels of the profiles that are reported, and HVD's structure, beside the published files: equal, or listed.

Each record is judged as it is and with what the lists in `vocab/` say of the terms that it refers to.
"""

from collections.abc import Iterator
from typing import Final

import pytest
import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from connector.standards.dcat.shacl.compiled import compile_shapes
from connector.standards.dcat.shacl.judge import Judge
from connector.standards.dcat.shacl.profiles import LEVELS
from connector.standards.dcat.shacl.results import multiset
from connector.standards.dcat.vocabulary import background, vocabulary
from connector.standards.rdf import GD, Triples, from_rdflib, full
from tests.standards.dcat.agreement import (
    SH,
    TYPE,
    Comparison,
    examples,
    joined,
    mutants,
    our_shapes,
    published,
    read_example,
    with_included,
)
from tests.standards.dcat.engines import fast

AUTHORITY: Final = "http://publications.europa.eu/resource/authority/"
PUBLISHED: Final = {
    ("dcat-ap", "recommendation"): "dcat-ap-3.0.1/shapes_recommended.ttl",
    ("dcat-ap", "vocabulary"): "dcat-ap-3.0.1/mdr-vocabularies.shape.ttl",
    ("dcat-ap", "range"): "dcat-ap-3.0.1/range.ttl",
    ("hvd", "structure"): "hvd-3.0.0/hvd-SHACL-base.ttl hvd-3.0.0/hvd-SHACL-usagenotes.ttl",
    ("hvd", "recommendation"): "",
    ("hvd", "vocabulary"): "hvd-3.0.1-draft/hvd-SHACL-cv.ttl",
    ("hvd", "range"): "hvd-3.0.0/hvd-SHACL-ranges.ttl",
    ("geodcat-ap", "recommendation"): "",
    ("geodcat-ap", "vocabulary"): "",
    ("statdcat-ap", "recommendation"): "",
    ("statdcat-ap", "vocabulary"): "",
}
"""The published files of each level, none where none are published; those of an included profile come with them."""
LOOK_ALIKE: Final = (
    "https://sws.geonames.org/2921044/",
    "http://sws.geonames.org/2921044/",
    f"{AUTHORITY}place/DEU_BER",
    "http://data.europa.eu/nuts/code/DE9ZZ",
    "https://www.iana.org/assignments/media-types/application/x-netcdf",
    "http://www.iana.org/assignments/media-types/text/csv",
    "https://example.org/assignments/media-types/text/csv",
)
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


@pytest.fixture(scope="module", params=PUBLISHED, ids="-".join)
def comparison(request: pytest.FixtureRequest) -> Comparison:
    """Return a level of ours beside the published files."""
    profile, level = request.param
    return Comparison(profile, level, joined(*(_published(name, level) for name in with_included(profile))))


def _published(profile: str, level: str) -> rdflib.Graph:
    """Return the published shapes of one profile that a pySHACL can run.

    Of the ranges of HVD, the kinds of nodes belong to the structure; one property of its series has no path.
    """
    files = PUBLISHED.get((profile, level), "dcat-ap-3.0.1/shapes.ttl").split()
    shapes = published(*files, leaving_out=["nodeKind"] if (profile, level) == ("hvd", "range") else [])
    for node, part in list(shapes.subject_objects(SH.property)):
        if (part, SH.path, None) not in shapes:
            shapes.remove((node, SH.property, part))
    return shapes


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
    """Yield a node per class and list that the level names, with a term of the list everywhere, and look-alikes."""
    named = sorted({str(name) for name in comparison.ours.objects(None, rdflib.URIRef(f"{GD}vocabulary"))})
    terms = [next(iter(vocabulary(name).terms)) for name in named]
    if comparison.level == "vocabulary":
        terms += LOOK_ALIKE
    yield from PARTS
    values = [*map(NamedNode, terms), *dict.fromkeys(triple.subject for triple in PARTS)]
    for target, properties in sorted(comparison.properties().items()):
        for number, value in enumerate(values):
            focus = NamedNode(f"urn:listed:{number}:{target}")
            yield Triple(focus, TYPE, NamedNode(target))
            for path in sorted(properties):
                yield Triple(focus, NamedNode(path), value)


@pytest.mark.parametrize("profile", ["dcat-ap", "hvd", "green-deal"])
@pytest.mark.parametrize("level", LEVELS)
def test_our_shapes_are_compiled_and_find_what_pyshacl_finds(profile: str, level: str) -> None:
    """Each level runs at full speed: nothing in it is left to pySHACL, which agrees on damaged records."""
    shapes = from_rdflib(our_shapes(profile, level))
    quick, judge = compile_shapes(shapes), Judge(shapes)
    for record in mutants(seed=20240503, count=12):
        assert fast(quick, known(record)) == multiset(judge.results(known(record)))
