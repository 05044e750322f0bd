"""Our DCAT-AP shapes against the shapes published with the release: the same results, or a deviation with a reason.

Three grounds: every published example record, a matrix in which each property of each class takes each kind of value,
and seeded mutations of the examples.
"""

import pytest

from connector.standards.dcat import shacl
from connector.standards.dcat.shacl import profiles
from tests.standards.dcat.agreement import Comparison, deviations, examples, judged, mutants, published, read_example


@pytest.fixture(scope="module")
def structure() -> Comparison:
    """Return the structure level beside the shapes that are published with DCAT-AP 3.0.1."""
    return Comparison("dcat-ap", "structure", published("dcat-ap-3.0.1/shapes.ttl"))


@pytest.mark.parametrize("name", [path.name for path in examples()])
def test_published_examples_get_the_published_results(name: str, structure: Comparison) -> None:
    """Each example of the standards is judged as its publishers judge it, and the check of a record says the same."""
    record = read_example(name)
    structure.assert_same(record)
    checked = [one for one in shacl.check(record).results if one.level == "structure"]
    assert {(one.focus, one.path or "", one.value or "") for one in checked} == {
        (one.focus, one.path, one.value) for one in judged(record, structure.ours)[1]
    }


def test_every_kind_of_value_of_every_property_is_judged_the_same(structure: Comparison) -> None:
    """The whole matrix class x property x kind of value agrees, and each listed deviation is real."""
    assert len(structure.properties()) == 16
    structure.assert_same(tuple(structure.matrix()))
    structure.assert_each_is_met()


def test_mutated_examples_are_judged_the_same(structure: Comparison) -> None:
    """Whatever goes missing, doubles or changes its kind in a record, both sides see the same."""
    for record in mutants(seed=20240501):
        structure.assert_same(record)


@pytest.mark.parametrize("profile", profiles.profiles())
def test_deviations_say_why(profile: str) -> None:
    """Every listed deviation names a reason that a reader can check."""
    assert all(len(each.reason) > 30 for each in deviations(profile))
