"""The shapes that ship: they are compiled whole, find what pySHACL finds with them, and ask nothing twice."""

from collections import Counter
from itertools import chain

import pytest
import rdflib

from connector.standards.dcat import shacl
from connector.standards.dcat.shacl import profiles
from connector.standards.dcat.shacl.background import background_of
from connector.standards.dcat.shacl.results import multiset
from connector.standards.dcat.shacl.view import View, index_of, triples_of
from connector.standards.rdf import GD, PREFIXES, Format, parse
from tests.standards.dcat.agreement import SH, examples, mutants, our_shapes, read_example

SETS = [(profile, level.name) for profile in profiles.profiles() for level in profiles.SHIPPED.levels(profile)]
NAMESPACES = {**PREFIXES, "cnt": "http://www.w3.org/2011/content#", "org": "http://www.w3.org/ns/org#"}
CONSTRAINTS = ("minCount", "maxCount", "nodeKind", "datatype", "class", "node", "pattern")


@pytest.mark.parametrize(("profile", "level"), SETS)
def test_our_shapes_find_what_pyshacl_finds_with_them(profile: str, level: str) -> None:
    """Each level of each profile, on examples and damaged ones, with what the lists say of their terms."""
    (shapes,) = (each for each in shacl.shape_sets(profile) if each.level == level)
    assert shapes.compiled is not None, shapes.reasons
    found = 0
    for record in chain((read_example(path.name) for path in examples()), mutants(seed=5, count=25)):
        index = index_of(record)
        more = background_of(index) if shapes.with_background else {}
        results = multiset(shapes.compiled.results(View(index, more)))
        assert results == multiset(shapes.judge.results(record, triples_of(more)))
        found += results.total()
    assert found > 10


@pytest.mark.parametrize("level", profiles.LEVELS)
@pytest.mark.parametrize("profile", ["dcat-ap", "geodcat-ap", "statdcat-ap"])
def test_no_rule_is_asked_twice(profile: str, level: str) -> None:
    """What DCAT-AP asks, a profile that includes it does not ask again, so that a fault is one finding."""
    shapes = our_shapes(profile, level)
    asked: Counter[tuple[str, str, str, str]] = Counter()
    for shape, target in shapes.subject_objects(SH.targetClass):
        for part in shapes.objects(shape, SH.property):
            path = shapes.value(part, SH.path)
            if isinstance(path, rdflib.URIRef):
                for name in CONSTRAINTS:
                    values = [str(value) for value in shapes.objects(part, SH[name])]
                    asked.update((str(target), str(path), name, value if name == "class" else "") for value in values)
    assert asked
    assert [rule for rule, times in asked.items() if times > 1] == []


@pytest.mark.parametrize(("profile", "level"), [(profile, level) for profile, level in SETS if level != "range"])
def test_what_is_shown_as_an_example_is_right(profile: str, level: str) -> None:
    """Whoever writes a value as the shape shows it meets the rule; what class a node is of is said where it stands."""
    shapes = our_shapes(profile, level)
    prefixes = "".join(f"@prefix {prefix}: <{namespace}> .\n" for prefix, namespace in NAMESPACES.items())
    shown = 0
    for shape, target in shapes.subject_objects(SH.targetClass):
        for part in shapes.objects(shape, SH.property):
            path, example = shapes.value(part, SH.path), shapes.value(part, rdflib.URIRef(f"{GD}example"))
            if example is None or not isinstance(path, rdflib.URIRef):
                continue
            text = (
                f"{prefixes}<urn:a:node> a <{target}> ; {example} .\n<https://data.example/dataset/1> a dcat:Dataset ."
            )
            report = shacl.check(parse(text.encode(), Format.TURTLE), profile)
            place = (level, "urn:a:node", str(path))
            assert [one for one in report.results if (one.level, one.focus, one.path) == place] == [], example
            shown += 1
    assert shown > 0
