"""Our GeoDCAT-AP shapes against those published with the release: the same results, or a deviation with a reason.

The published results are those of DCAT-AP and of the generated GeoDCAT-AP file together; of the latter, sh:class
is the range level and all else the structure.
"""

import pytest

from tests.standards.dcat.agreement import Comparison, examples, joined, mutants, published, read_example

GENERATED = "geodcat-ap-3.1.0/geodcat-ap-SHACL.ttl"


@pytest.fixture(scope="module")
def structure() -> Comparison:
    """Return the structure level beside what is published."""
    theirs = joined(published("dcat-ap-3.0.1/shapes.ttl"), published(GENERATED, leaving_out=["class"]))
    return Comparison("geodcat-ap", "structure", theirs)


@pytest.fixture(scope="module")
def ranges() -> Comparison:
    """Return the range level beside what is published."""
    return Comparison(
        "geodcat-ap", "range", joined(published("dcat-ap-3.0.1/range.ttl"), published(GENERATED, only=["class"]))
    )


@pytest.mark.parametrize("name", [path.name for path in examples()])
def test_published_examples_get_the_published_results(name: str, structure: Comparison, ranges: Comparison) -> None:
    """Each example of the standards is judged as its publishers judge it, on either level."""
    structure.assert_same(read_example(name))
    ranges.assert_same(read_example(name))


def test_every_kind_of_value_of_every_property_is_judged_the_same(structure: Comparison) -> None:
    """The whole matrix class x property x kind of value agrees, and each deviation of the structure is real."""
    assert len(structure.properties()) > 40
    structure.assert_same(tuple(structure.matrix()))
    structure.assert_each_is_met()


def test_every_class_of_value_of_every_property_is_judged_the_same(ranges: Comparison) -> None:
    """The whole matrix class x property x class of value agrees, and each deviation of the range is real."""
    ranges.assert_same(tuple(ranges.matrix()))
    ranges.assert_each_is_met()


def test_mutated_examples_are_judged_the_same(structure: Comparison, ranges: Comparison) -> None:
    """Whatever goes missing, doubles or changes its kind in a record, both sides see the same."""
    for record in mutants(seed=20260212):
        structure.assert_same(record)
        ranges.assert_same(record)
