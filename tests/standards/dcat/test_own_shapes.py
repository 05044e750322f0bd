"""The shapes that ship: they are compiled whole, find what pySHACL finds with them, and ask nothing twice."""

from collections import Counter
from itertools import chain

import pytest
import rdflib

from connector.standards.dcat import profiles, shacl
from connector.standards.dcat.background import background_of
from connector.standards.dcat.results import multiset
from connector.standards.dcat.view import View, index_of, triples_of
from tests.standards.dcat.agreement import SH, examples, mutants, our_shapes, read_example

SETS = [(profile, level.name) for profile in profiles.profiles() for level in profiles.SHIPPED.levels(profile)]
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
