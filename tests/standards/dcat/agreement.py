"""Our shapes beside the published ones: the same results, or a deviation that a manifest lists with its reason.

Both sides are judged by pySHACL on the same record and nothing else, so that only the shapes can differ. A `Comparison`
holds one level of one profile; `used` gathers the deviations that were met, so that a test can ask that each is real.
"""

import random
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from connector import library
from connector.standards.dcat.shacl.judge import Judge
from connector.standards.dcat.shacl.results import Result as Found
from connector.standards.dcat.shacl.results import key_of
from connector.standards.dcat.shacl.words import Said
from connector.standards.rdf import Format, Triples, from_rdflib, full, parse, to_rdflib
from tests.conftest import references

SH: Final = rdflib.Namespace(full("sh:"))
TYPE: Final = NamedNode(full("rdf:type"))
RESOURCES: Final = ("Catalog", "Dataset", "DatasetSeries", "DataService", "Distribution")
MUTANTS: Final = 50
_SHORTEST, _LONGEST = 40, 250  # triples of the records that are mutated: large enough to have something to lose


class Result(NamedTuple):
    """One result of a validation, as both sides give it."""

    focus: str
    path: str
    component: str
    value: str
    severity: str


class Deviation(NamedTuple):
    """A listed difference: where it stands, and what it covers."""

    profile: str
    place: int
    level: str
    effect: str
    component: str
    target: str
    paths: tuple[str, ...]
    reason: str


def examples() -> list[Path]:
    """Return the published example records, in order."""
    return sorted(
        path
        for path in (references() / "standards" / "dcat-examples").iterdir()
        if path.suffix in {".ttl", ".rdf", ".jsonld"}
    )


@cache
def read_example(name: str) -> Triples:
    """Return the triples of a published example."""
    path = references() / "standards" / "dcat-examples" / name
    return parse(path.read_bytes(), Format.of(name), base=f"http://example.org/base/{name}", merge_graphs=True)


def published(*files: str, leaving_out: Iterable[str] = (), only: Iterable[str] | None = None) -> rdflib.Graph:
    """Return published shape files as one graph.

    Args:
        files: paths such as "dcat-ap-3.0.1/shapes.ttl".
        leaving_out: constraints to drop, such as "class".
        only: constraints to keep (with the frame of the shapes), when others are to be dropped.
    """
    folder = references() / "standards" / "shapes"
    triples = [triple for file in files for triple in parse((folder / file).read_bytes(), Format.TURTLE)]
    dropped = {f"{SH}{name}" for name in leaving_out}
    if only is not None:
        frame = {f"{SH}{name}" for name in ("targetClass", "property", "path", "inversePath", "severity", *only)}
        dropped |= {triple.predicate.value for triple in triples if triple.predicate.value.startswith(SH)} - frame
    return to_rdflib(tuple(triple for triple in triples if triple.predicate.value not in dropped))


def joined(*graphs: rdflib.Graph) -> rdflib.Graph:
    """Return the graphs as one."""
    whole = rdflib.Graph()
    for graph in graphs:
        whole += graph
    return whole


@cache
def manifest(profile: str) -> dict[str, Any]:
    """Return the manifest of one of our profiles."""
    return tomllib.loads(library.read("shapes", f"{profile}/profile.toml").decode())


def with_included(profile: str) -> list[str]:
    """Return the profile and those that it includes, the innermost first."""
    inner = [name for each in manifest(profile).get("includes", ()) for name in with_included(each)]
    return [*dict.fromkeys(inner), profile]


@cache
def our_shapes(profile: str, level: str) -> rdflib.Graph:
    """Return our shapes of one level, those of the included profiles with them."""
    files = [
        f"{name}/{file}"
        for name in with_included(profile)
        for each in manifest(name)["level"]
        if each["name"] == level
        for file in each["files"]
    ]
    assert files
    return joined(*(to_rdflib(parse(library.read("shapes", file), Format.TURTLE)) for file in files))


def deviations(profile: str) -> list[Deviation]:
    """Return what the profile and those that it includes list."""
    return [
        Deviation(
            profile=name,
            place=place,
            level=one.get("level", "structure"),
            effect=one["effect"],
            component=one["component"],
            target=one["class"],
            paths=tuple(one["paths"]),
            reason=one["reason"],
        )
        for name in with_included(profile)
        for place, one in enumerate(manifest(name).get("deviation", ()))
    ]


def judged(record: Triples, shapes: rdflib.Graph) -> tuple[bool, set[Result]]:
    """Return pySHACL's verdict on a record and its results."""
    results = {_result(one) for one in _judge(shapes).results(record)}
    return not results, results


@cache
def _judge(shapes: rdflib.Graph) -> Judge:
    """Return pySHACL with the shapes, read once: test_engine holds that it says what plain pySHACL says."""
    return Judge(from_rdflib(shapes))


def _result(one: Found) -> Result:
    return Result(
        focus=key_of(one.focus),
        path=one.rule.path.text if one.rule.path else "",
        component=one.rule.component.removeprefix(SH),
        value="" if one.value is None else key_of(one.value),
        severity=one.rule.severity.removeprefix(SH).lower(),
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """One level of a profile: our shapes, the published shapes, what the manifests list, and what of it was met."""

    profile: str
    level: str
    theirs: rdflib.Graph
    used: set[Deviation] = field(default_factory=set)

    @property
    def ours(self) -> rdflib.Graph:
        """Our shapes of the level."""
        return our_shapes(self.profile, self.level)

    @property
    def listed(self) -> list[Deviation]:
        """The deviations that the manifests list for the level."""
        return [one for one in deviations(self.profile) if one.level == self.level]

    def assert_same(self, record: Triples) -> None:
        """Fail when the two sides differ in anything that is not listed."""
        their_verdict, theirs = judged(record, self.theirs)
        our_verdict, ours = judged(record, self.ours)
        assert self.unlisted(record, ours, theirs) == []
        assert our_verdict == their_verdict or ours != theirs

    def unlisted(self, record: Triples, ours: set[Result], theirs: set[Result]) -> list[tuple[str, Result]]:
        """Return the differences that no deviation covers; note those that cover one."""
        said = Said(record)
        left = []
        for effect, difference in (("more", ours - theirs), ("fewer", theirs - ours)):
            for result in sorted(difference):
                kinds = {kind.value for kind in said.values(result.focus, TYPE.value)}
                covering = [
                    one
                    for one in self.listed
                    if one.effect == effect
                    and one.component == result.component
                    and result.path in one.paths
                    and one.target in kinds
                ]
                self.used.update(covering)
                if not covering:
                    left.append((effect, result))
        return left

    def assert_each_is_met(self) -> None:
        """Fail when the profile itself lists a deviation for this level that was never met."""
        assert [one for one in self.listed if one.profile == self.profile and one not in self.used] == []

    def matrix(self) -> Iterator[Triple]:
        """Yield, for each class that either side targets, one node per kind of value, with that value everywhere.

        The last kind is a node of each class that either side asks for, so that a class too many or too few shows.
        """
        sides = (self.ours, self.theirs)
        classes = {str(each) for side in sides for each in side.objects(None, SH["class"])}
        classes |= {full(f"dcat:{kind}") for kind in RESOURCES}
        for kind in sorted(classes):
            yield Triple(_instance(kind), TYPE, NamedNode(kind))
        one_of_each: list[NamedNode | BlankNode | Literal] = [_instance(kind) for kind in sorted(classes)]
        kinds = [*value_kinds(), one_of_each]
        for target, properties in sorted(self.properties().items()):
            for number, values in enumerate(kinds):
                focus = NamedNode(f"urn:focus:{number}:{target}")
                yield Triple(focus, TYPE, NamedNode(target))
                for path in sorted(properties):
                    yield from (Triple(focus, NamedNode(path), value) for value in values)

    def properties(self) -> dict[str, set[str]]:
        """Return the properties that either side constrains, by the class that is targeted."""
        found: dict[str, set[str]] = {}
        for shapes in (self.ours, self.theirs):
            for shape, target in shapes.subject_objects(SH.targetClass):
                paths = [shapes.value(part, SH.path) for part in shapes.objects(shape, SH.property)]
                found.setdefault(str(target), set()).update(
                    str(path) for path in paths if isinstance(path, rdflib.URIRef)
                )
        return found


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
        *(_instance(full(f"dcat:{kind}")) for kind in RESOURCES),
    ]
    return [[], *([each] for each in (*literals, *nodes)), [Literal("one"), Literal("two")], nodes]


def _instance(kind: str) -> NamedNode:
    return NamedNode(f"urn:a:{kind}")


def mutants(seed: int, count: int = MUTANTS) -> Iterator[Triples]:
    """Yield mutated examples, the same ones for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - the same mutants on every run, nothing secret
    records = [record for path in examples() if _SHORTEST <= len(record := read_example(path.name)) <= _LONGEST]
    assert len(records) > 10
    for _ in range(count):
        yield mutated(chance.choice(records), chance)


def mutated(record: Triples, chance: random.Random) -> Triples:
    """Return the record with a few statements dropped, doubled, retyped or turned to another target."""
    found = list(record)
    for _ in range(chance.randint(1, 5)):
        place = chance.randrange(len(found))
        triple = found[place]
        match chance.choice(["drop", "other value", "other target", "other kind", "plain text", "class"]):
            case "drop":
                del found[place]
            case "other value":
                found.append(Triple(triple.subject, triple.predicate, chance.choice(found).object))
            case "other target":
                found[place] = Triple(triple.subject, triple.predicate, chance.choice(found).subject)
            case "other kind":
                found[place] = Triple(triple.subject, triple.predicate, chance.choice(value_kinds()[1:])[0])
            case "plain text":
                found[place] = Triple(triple.subject, triple.predicate, Literal(str(triple.object)))
            case _:
                kinds = [each.object for each in found if each.predicate == TYPE]
                found.append(Triple(triple.subject, TYPE, chance.choice(kinds or [NamedNode(full("dcat:Dataset"))])))
    return tuple(dict.fromkeys(found))
