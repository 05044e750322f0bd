"""Shapes, compiled once: what has to be asked of a node, by the classes it has and the properties it carries.

`compile_shapes` reads a shapes graph and makes functions of it. A check then walks over what a record says: for each
node of a targeted class, for each property that it carries, the tests of that property; and what is missing. The
results are those of pySHACL. A graph with anything that is not compiled is refused as a whole (`Unsupported`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pyoxigraph import NamedNode, Triple

from connector.standards.dcat.shacl.components import Check, Test
from connector.standards.dcat.shacl.results import Result, Rule, Term
from connector.standards.dcat.shacl.shapes import PropertyShape, Shape, ShapesReader, Unsupported
from connector.standards.dcat.shacl.view import NO_VALUES, Properties, Values, View

__all__ = ["Compiled", "Unsupported", "compile_shapes"]

_PLANS: Final = 512  # combinations of classes that are remembered
_MANY: Final = 1 << 60


class _Property:
    """Everything that is asked of the values of one property, by all shapes that apply."""

    __slots__ = ("checks", "counts", "high", "low", "tests")

    def __init__(self) -> None:
        self.tests: list[tuple[Test, list[Rule]]] = []
        self.counts: list[Check] = []
        self.low, self.high = 0, _MANY
        self.checks: list[Check] = []

    def take(self, shape: PropertyShape) -> None:
        """Add what a shape asks."""
        for test, rule in shape.tests:
            known = next((rules for each, rules in self.tests if each is test), None)
            if known is None:
                self.tests.append((test, [rule]))
            else:
                known.append(rule)
        self.counts += shape.counts
        self.low, self.high = max(self.low, shape.low), min(self.high, shape.high)
        self.checks += shape.checks
        self.checks += [_nested(each) for each in shape.properties]


def _nested(shape: PropertyShape) -> Check:
    def check(view: View, _: Term, values: Values, out: list[Result]) -> None:
        for value in values:
            shape.results(view, value, out)

    return check


@dataclass(slots=True)
class _Plan:
    """What is asked of a node with certain classes."""

    tests: list[tuple[Test, Rule]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    properties: dict[NamedNode, _Property] = field(default_factory=dict)
    missing: list[tuple[NamedNode, list[Check]]] = field(default_factory=list)
    others: list[PropertyShape] = field(default_factory=list)

    def take(self, shape: Shape) -> None:
        """Add what a shape asks."""
        self.tests += shape.tests
        self.checks += shape.checks
        for each in shape.properties:
            self._take_property(each)

    def _take_property(self, shape: PropertyShape) -> None:
        if shape.iri is None:
            self.others.append(shape)
            return
        if shape.iri not in self.properties:
            self.properties[shape.iri] = _Property()
        self.properties[shape.iri].take(shape)
        if shape.when_missing:
            self.missing.append((shape.iri, shape.when_missing))

    def run(self, view: View, focus: Term, said: Properties, out: list[Result]) -> None:  # noqa: C901, PLR0912 - the hot loop: calls would cost more than the work
        """Add what is wrong with a node."""
        for test, rule in self.tests:
            if not test(view, focus):
                out.append(Result(focus, focus, rule))
        if self.checks:
            itself = {focus: None}
            for check in self.checks:
                check(view, focus, itself, out)
        for predicate, values in said.items():
            asked = self.properties.get(predicate)
            if asked is None:
                continue
            for test, rules in asked.tests:
                for value in values:
                    if not test(view, value):
                        out += [Result(focus, value, rule) for rule in rules]
            if not asked.low <= len(values) <= asked.high:
                for check in asked.counts:
                    check(view, focus, values, out)
            for check in asked.checks:
                check(view, focus, values, out)
        for predicate, checks in self.missing:
            if predicate not in said:
                for check in checks:
                    check(view, focus, NO_VALUES, out)
        for shape in self.others:
            shape.results(view, focus, out)


class Compiled:
    """A set of shapes, ready to check records."""

    def __init__(self, targets: Mapping[Term, Sequence[Shape]]) -> None:
        self._targets = targets
        self._plans: dict[frozenset[Term], _Plan] = {}

    @property
    def classes(self) -> frozenset[Term]:
        """The classes whose instances are checked."""
        return frozenset(self._targets)

    def results(self, view: View) -> list[Result]:
        """Return everything that the shapes find in a record, in no particular order."""
        out: list[Result] = []
        targets = self._targets
        for focus in view.focus:
            kinds = [kind for kind in view.types(focus) if kind in targets]
            if kinds:
                plan = self._plans.get(wanted := frozenset(kinds)) or self._plan(wanted)
                plan.run(view, focus, view.index[focus], out)
        return out

    def _plan(self, kinds: frozenset[Term]) -> _Plan:
        plan = _Plan()
        shapes = {id(shape): shape for kind in kinds for shape in self._targets[kind]}
        for shape in shapes.values():
            plan.take(shape)
        if len(self._plans) >= _PLANS:
            self._plans.clear()
        self._plans[kinds] = plan
        return plan


def compile_shapes(triples: Iterable[Triple]) -> Compiled:
    """Return the shapes as a check.

    Raises:
        Unsupported: there is something in them that is not compiled; its reasons say what.
    """
    reader = ShapesReader(triples)
    targets: defaultdict[Term, list[Shape]] = defaultdict(list)
    for kind, shape in reader.targets():
        targets[kind].append(shape)
    if reader.problems:
        raise Unsupported(reader.problems)
    return Compiled(dict(targets))
