"""Our DCAT-AP shapes against the shapes published with the release: the same results, or a deviation with a reason.

Three grounds: every published example record, a matrix in which each property of each class takes each kind of value,
and seeded mutations of the examples.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import pyshacl
import pytest
import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Triple
from rdflib.term import Node

from connector import library
from connector.standards.dcat import shacl
from connector.standards.dcat.words import Said
from connector.standards.rdf import Format, Triples, full, parse, to_rdflib
from tests.conftest import references

STANDARDS: Final = references() / "standards"
SH: Final = rdflib.Namespace(full("sh:"))
TYPE: Final = NamedNode(full("rdf:type"))
EXAMPLES: Final = sorted(
    path for path in (STANDARDS / "dcat-examples").iterdir() if path.suffix in {".ttl", ".rdf", ".jsonld"}
)
RESOURCES: Final = ("Catalog", "Dataset", "DatasetSeries", "DataService", "Distribution")
MUTANTS: Final = 50


class Result(NamedTuple):
    """One result of a validation, as both sides give it."""

    focus: str
    path: str
    component: str
    value: str
    severity: str


def read_example(name: str) -> Triples:
    """Return the triples of a published example."""
    path = STANDARDS / "dcat-examples" / name
    return parse(path.read_bytes(), Format.of(name), base=f"http://example.org/base/{name}", merge_graphs=True)


@pytest.fixture(scope="module")
def published() -> rdflib.Graph:
    """Return the structure shapes that are published with DCAT-AP 3.0.1, read once."""
    path = STANDARDS / "shapes" / "dcat-ap-3.0.1" / "shapes.ttl"
    return to_rdflib(parse(path.read_bytes(), Format.TURTLE))


def their_results(record: Triples, shapes: rdflib.Graph) -> tuple[bool, set[Result]]:
    """Return pySHACL's verdict and results with the published shapes."""
    conforms, report, _ = pyshacl.validate(to_rdflib(record), shacl_graph=shapes, inplace=True)
    assert isinstance(report, rdflib.Graph)
    head = report.value(None, rdflib.RDF.type, SH.ValidationReport)
    return bool(conforms), {_result(report, node) for node in report.objects(head, SH.result)}


def _result(report: rdflib.Graph, node: Node) -> Result:
    def named(name: str) -> str:
        term = report.value(node, SH[name])
        if isinstance(term, rdflib.BNode):
            inverse = report.value(term, SH.inversePath) if name == "resultPath" else None
            return f"^{inverse}" if inverse else f"_:{term}"
        return "" if term is None else str(term).removeprefix(SH)

    severity = named("resultSeverity").lower()
    return Result(named("focusNode"), named("resultPath"), named("sourceConstraintComponent"), named("value"), severity)


def our_results(record: Triples) -> tuple[bool, set[Result]]:
    """Return the verdict, as pySHACL counts it, and the results of our check."""
    report = shacl.check(record)
    found = {Result(one.focus, one.path or "", one.component, one.value or "", one.severity) for one in report.results}
    return not found, found


def unlisted(record: Triples, ours: set[Result], theirs: set[Result], used: set[int]) -> list[tuple[str, Result]]:
    """Return the differences that no deviation in the profile covers; note in `used` those that cover one."""
    said = Said(record)
    type_iri = full("rdf:type")
    left = []
    for effect, difference in (("more", ours - theirs), ("fewer", theirs - ours)):
        for result in difference:
            covering = [
                number
                for number, one in enumerate(shacl.profile("dcat-ap").deviations)
                if one.effect == effect
                and one.component == result.component
                and result.path in one.paths
                and one.target in {kind.value for kind in said.values(result.focus, type_iri)}
            ]
            used.update(covering)
            if not covering:
                left.append((effect, result))
    return left


def assert_agreement(record: Triples, shapes: rdflib.Graph, used: set[int]) -> None:
    """Fail when the two sides differ in anything that is not listed."""
    their_verdict, theirs = their_results(record, shapes)
    our_verdict, ours = our_results(record)
    assert unlisted(record, ours, theirs, used) == []
    assert our_verdict == their_verdict or ours != theirs


@pytest.mark.parametrize("name", [path.name for path in EXAMPLES])
def test_published_examples_get_the_published_results(name: str, published: rdflib.Graph) -> None:
    """Each example of the standards is judged as its publishers judge it."""
    assert_agreement(read_example(name), published, set())


def test_every_kind_of_value_of_every_property_is_judged_the_same(published: rdflib.Graph) -> None:
    """The whole matrix class x property x kind of value agrees, and each listed deviation is real."""
    used: set[int] = set()
    assert_agreement(tuple(matrix(published)), published, used)
    assert used == set(range(len(shacl.profile("dcat-ap").deviations)))


def matrix(published: rdflib.Graph) -> Iterator[Triple]:
    """Yield, for each class that either side targets, one node per kind of value, with that value everywhere."""
    ours = to_rdflib(parse(library.read("shapes", "dcat-ap/structure.ttl"), Format.TURTLE))
    paths: dict[str, set[str]] = {}
    for shapes in (ours, published):
        for shape, target in shapes.subject_objects(SH.targetClass):
            found = [shapes.value(part, SH.path) for part in shapes.objects(shape, SH.property)]
            paths.setdefault(str(target), set()).update(str(path) for path in found if isinstance(path, rdflib.URIRef))
    assert len(paths) == 16
    for kind in RESOURCES:
        yield Triple(NamedNode(f"urn:a:{kind}"), TYPE, NamedNode(full(f"dcat:{kind}")))
    for kind, properties in sorted(paths.items()):
        for number, values in enumerate(value_kinds()):
            focus = NamedNode(f"urn:focus:{kind.rpartition('#')[2].rpartition('/')[2]}:{number}")
            yield Triple(focus, TYPE, NamedNode(kind))
            for path in sorted(properties):
                yield from (Triple(focus, NamedNode(path), value) for value in values)


def value_kinds() -> list[list[NamedNode | BlankNode | Literal]]:
    """Return the kinds of value: none, one of each sort, several."""

    def typed(text: str, name: str) -> Literal:
        return Literal(text, datatype=NamedNode(full(f"xsd:{name}")))

    literals: list[NamedNode | BlankNode | Literal] = [
        Literal("text"), Literal("text", language="en"),
        typed("2024-05-01", "date"), typed("2024-05-01T06:00:00Z", "dateTime"), typed("2024", "gYear"),
        typed("2024-05", "gYearMonth"), typed("2024-99-99", "date"), typed("1.0", "decimal"), typed("x", "decimal"),
        typed("1", "integer"), typed("1", "nonNegativeInteger"), typed("-1", "nonNegativeInteger"),
        typed("ab", "hexBinary"), typed("P1D", "duration"), typed("daily", "duration"),
    ]  # fmt: skip
    nodes: list[NamedNode | BlankNode | Literal] = [
        NamedNode("urn:a:thing"),
        BlankNode("thing"),
        *(NamedNode(f"urn:a:{kind}") for kind in RESOURCES),
    ]
    return [[], *([each] for each in (*literals, *nodes)), [Literal("one"), Literal("two")], nodes]


def test_mutated_examples_are_judged_the_same(published: rdflib.Graph) -> None:
    """Whatever goes missing, doubles or changes its kind in a record, both sides see the same."""
    chance = random.Random(20240501)  # noqa: S311 - the same mutants on every run, nothing secret
    records = [read_example(path.name) for path in EXAMPLES]
    records = [record for record in records if 40 <= len(record) <= 250]
    assert len(records) > 10
    for _ in range(MUTANTS):
        assert_agreement(mutated(chance.choice(records), chance), published, set())


def mutated(record: Triples, chance: random.Random) -> Triples:
    """Return the record with a few statements dropped, doubled, retyped or turned to another target."""
    found = list(record)
    for _ in range(chance.randint(1, 5)):
        place = chance.randrange(len(found))
        triple = found[place]
        match chance.choice(["drop", "other value", "other kind", "plain text", "class"]):
            case "drop":
                del found[place]
            case "other value":
                found.append(Triple(triple.subject, triple.predicate, chance.choice(found).object))
            case "other kind":
                found[place] = Triple(triple.subject, triple.predicate, chance.choice(value_kinds()[1:])[0])
            case "plain text":
                found[place] = Triple(triple.subject, triple.predicate, Literal(str(triple.object)))
            case _:
                kinds = [each.object for each in found if each.predicate == TYPE]
                found.append(Triple(triple.subject, TYPE, chance.choice(kinds or [NamedNode(full("dcat:Dataset"))])))
    return tuple(dict.fromkeys(found))


def test_deviations_say_why() -> None:
    """Every listed deviation names a reason that a reader can check."""
    reasons: Iterable[str] = [each.reason for each in shacl.profile("dcat-ap").deviations]
    assert all(len(reason) > 30 for reason in reasons)
