"""One fault in a complete record gives exactly its finding, at each level, by compiled shapes and by pySHACL."""

import pytest
from pyoxigraph import Literal, NamedNode, Triple

from connector.standards.dcat import shacl
from connector.standards.dcat.shacl.background import background_of
from connector.standards.dcat.shacl.results import multiset
from connector.standards.dcat.shacl.view import index_of, triples_of
from connector.standards.rdf import Format, Triples, full, parse
from tests.bench.shacl.records import record

DATASET, FILE = "https://data.example/1", "https://data.example/1/csv"
THEMES = "http://publications.europa.eu/resource/authority/data-theme/"


def changed(focus: str, path: str, *, drop: bool, add: NamedNode | Literal | None) -> Triples:
    """Return the complete record with the values of one property dropped, or another value added, or both."""
    predicate = NamedNode(full(path))
    kept = [
        each
        for each in parse(record(1), Format.TURTLE)
        if not (drop and each.subject == NamedNode(focus) and each.predicate == predicate)
    ]
    return (*kept, *([Triple(NamedNode(focus), predicate, add)] if add is not None else []))


def found(triples: Triples, level: str, profile: str = "geodcat-ap") -> set[tuple[str, str, str, str | None]]:
    """Return what one level finds, once pySHACL has agreed."""
    report = shacl.check(triples, profile, upto="range")
    for each, judged in zip(shacl.checker(profile).sets, report.judged, strict=True):
        around = triples_of(background_of(index_of(triples))) if each.with_background else ()
        assert multiset(judged.results) == multiset(each.judge.results(triples, around))
    return {
        (each.focus, str(each.path), each.component.rpartition("#")[2].removesuffix("ConstraintComponent"), each.value)
        for each in report.results
        if each.level == level
    }


def typed(text: str, kind: str) -> Literal:
    """Return a literal of a datatype."""
    return Literal(text, datatype=NamedNode(full(kind)))


@pytest.mark.parametrize(
    ("level", "focus", "path", "drop", "add", "component", "value"),
    [
        ("structure", DATASET, "dct:title", True, None, "MinCount", None),
        ("structure", DATASET, "dct:modified", True, Literal("last week"), "Node", "last week"),
        ("structure", DATASET, "dct:modified", False, typed("2024-06-01", "xsd:date"), "MaxCount", None),
        ("structure", DATASET, "dct:accrualPeriodicity", False, NamedNode("urn:other"), "MaxCount", None),
        ("structure", FILE, "dcat:accessURL", True, None, "MinCount", None),
        ("structure", FILE, "dcat:byteSize", True, typed("5", "xsd:decimal"), "Datatype", "5"),
        ("recommendation", DATASET, "dcat:keyword", True, None, "MinCount", None),
        ("range", DATASET, "dct:publisher", True, NamedNode("urn:unknown"), "Class", "urn:unknown"),
        ("range", DATASET, "dct:language", True, NamedNode(f"{THEMES}ENVI"), "Class", f"{THEMES}ENVI"),
    ],
)
def test_one_fault_gives_exactly_its_finding(
    level: str,
    focus: str,
    path: str,
    drop: bool,
    add: NamedNode | Literal | None,
    component: str,
    value: str | None,
) -> None:
    """Drop, retype, add and retarget: whatever else is found was found before."""
    before = found(parse(record(1), Format.TURTLE), level)
    after = found(changed(focus, path, drop=drop, add=add), level)
    assert after - before == {(focus, full(path), component, value)}
    assert before <= after
