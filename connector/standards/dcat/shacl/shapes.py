"""Shapes out of their graph, each constraint with the function that checks it.

What the standard calls a parameter is read here and nowhere else. Whatever is not understood is noted as a problem; the
caller decides what becomes of shapes with problems.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pyoxigraph import Literal, NamedNode, Triple

from connector.standards.dcat.shacl import components as c
from connector.standards.dcat.shacl import paths
from connector.standards.dcat.shacl.results import Path, Result, Rule, Term, key_of
from connector.standards.dcat.shacl.view import Index, Values, View, index_of
from connector.standards.rdf import compact, full

SH: Final = full("sh:")
_DEEPEST: Final = 10  # shapes within shapes; pySHACL gives up at 15
_MANY: Final = 1 << 60

_ELSEWHERE: Final = frozenset(
    f"{SH}{name}"
    for name in (
        "sparql", "js", "rule", "expression", "target", "targetNode", "targetSubjectsOf", "targetObjectsOf", "select",
        "ask", "construct", "validator", "nodeValidator", "propertyValidator", "values", "parameter",
        "qualifiedValueShapesDisjoint", "reifierShape", "singleLine", "memberShape", "entailment",
    )
)  # fmt: skip
"""Terms that change what shapes mean and that are not compiled."""
_CLASSES: Final = {full("rdfs:Class"), full("owl:Class")}
_COMPONENT: Final = f"{SH}ConstraintComponent"


class Unsupported(Exception):  # noqa: N818 - it says what is so, and is no error
    """Shapes with something that is not compiled: they are left to pySHACL."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(dict.fromkeys(reasons))
        super().__init__("; ".join(self.reasons))


_NO_PATH: Final = Path("iri", "")


@dataclass(slots=True)
class Shape:
    """A node shape: what is asked of a node itself, and of its properties."""

    key: str
    active: bool = True
    tests: list[tuple[c.Test, Rule]] = field(default_factory=list)
    checks: list[c.Check] = field(default_factory=list)
    properties: "list[PropertyShape]" = field(default_factory=list)

    def results(self, view: View, focus: Term, out: list[Result]) -> None:
        """Add what is wrong with a node."""
        if self.active:
            self.judge(view, focus, {focus: None}, out)

    def judge(self, view: View, focus: Term, values: Values, out: list[Result]) -> None:
        """Add what is wrong with the values that the shape looks at from a focus node."""
        for test, rule in self.tests:
            out += [Result(focus, value, rule) for value in values if not test(view, value)]
        for check in self.checks:
            check(view, focus, values, out)
        for shape in self.properties:
            for value in values:
                shape.results(view, value, out)

    def conforms(self, view: View, node: Term) -> bool:
        """Return whether nothing is wrong with a node."""
        out: list[Result] = []
        self.results(view, node, out)
        return not out


@dataclass(slots=True)
class PropertyShape(Shape):
    """A property shape: the values are those at the end of its path.

    Attributes:
        iri: of the property, where the path is just that.
        counts: checks that depend on the number of values, and find nothing between `low` and `high` of them.
        when_missing: the checks that find something where there is no value at all.
    """

    path: Path = _NO_PATH
    reach: paths.Reach = paths.NOWHERE
    iri: NamedNode | None = None
    counts: list[c.Check] = field(default_factory=list)
    low: int = 0
    high: int = _MANY
    when_missing: list[c.Check] = field(default_factory=list)

    def results(self, view: View, focus: Term, out: list[Result]) -> None:
        """Add what is wrong with the values that a node has."""
        if not self.active:
            return
        values = self.reach(view, focus)
        if not self.low <= len(values) <= self.high:
            for check in self.counts:
                check(view, focus, values, out)
        self.judge(view, focus, values, out)


class ShapesReader:
    """Reads shapes from a graph; each once, however often it is referred to."""

    def __init__(self, triples: Iterable[Triple]) -> None:
        self.graph: Index = index_of(triples)
        self.problems: list[str] = []
        self._known: dict[Term, Shape] = {}
        self._open: list[Term] = []
        self._look_over()

    def targets(self) -> Iterator[tuple[Term, Shape]]:
        """Yield each class that is targeted, with the shape that targets it."""
        for node, said in self.graph.items():
            for kind in said.get(NamedNode(f"{SH}targetClass"), ()):
                shape = self.shape(node)
                if shape.active:
                    yield kind, _as_target(shape)

    def shape(self, node: Term) -> Shape:
        """Return the shape at a node; one of which nothing is said asks nothing."""
        if node in self._open or len(self._open) > _DEEPEST:
            self._problem(node, "shapes refer to one another in a circle, or too deep")
            return Shape(key_of(node))
        if node not in self._known:
            self._open.append(node)
            self._known[node] = self._read(node)
            self._open.pop()
        return self._known[node]

    def _look_over(self) -> None:
        """Note everything in the graph that is not compiled."""
        for node, said in self.graph.items():
            for predicate in said:
                if predicate.value in _ELSEWHERE:
                    self._problem(node, f"{compact(predicate.value)} is used")
            types = {value.value for value in said.get(NamedNode(full("rdf:type")), ()) if isinstance(value, NamedNode)}
            shape = types & {f"{SH}NodeShape", f"{SH}PropertyShape"}
            if shape and types & _CLASSES:
                self._problem(node, "a class is its own shape")
            if _COMPONENT in types:
                self._problem(node, "a constraint component is defined")
            if f"{SH}PropertyShape" in types and NamedNode(f"{SH}path") not in said:
                self._problem(node, "a property shape has no sh:path")

    def _problem(self, node: Term, what: str) -> None:
        self.problems.append(f"{what} ({key_of(node) if isinstance(node, NamedNode) else 'in a blank node'})")

    def _read(self, node: Term) -> Shape:
        at = self.values(node, "path")
        shape = Shape(key_of(node))
        if at:
            path = paths.read_path(self.graph, at[0]) if len(at) == 1 else None
            if path is None:
                self._problem(node, "a path is of a kind that is not compiled")
                return PropertyShape(key_of(node))
            iri = NamedNode(path.iri) if path.kind == "iri" else None
            shape = PropertyShape(key_of(node), path=path, reach=paths.reach(path), iri=iri)
        off = self.one(node, "deactivated")
        shape.active = not (isinstance(off, Literal) and off.value in {"true", "1"})
        ShapeBuilder(self, node, shape).build()
        return shape

    def values(self, node: Term, name: str) -> list[Term]:
        """Return the values of a term of SHACL at a node."""
        return list(self.graph.get(node, {}).get(NamedNode(SH + name), ()))

    def one(self, node: Term, name: str) -> Term | None:
        """Return the only value of a term of SHACL; several are a problem."""
        found = self.values(node, name)
        if len(found) > 1:
            self._problem(node, f"sh:{name} has several values")
        return found[0] if found else None

    def number(self, node: Term, name: str) -> int | None:
        """Return the only value as a whole number from 0 up; anything else is a problem."""
        found = self.one(node, name)
        if found is None:
            return None
        whole = isinstance(found, Literal) and found.datatype.value == full("xsd:integer")
        if not whole or not re.fullmatch(r"\+?[0-9]{1,9}", found.value):
            self._problem(node, f"sh:{name} is no whole number")
            return None
        return int(found.value)

    def list_at(self, node: Term, head: Term) -> list[Term]:
        """Return the members of an RDF list; one that is none is a problem."""
        found = paths.members(self.graph, head)
        if found is None:
            self._problem(node, "a list is none")
            return []
        return found

    def problem(self, node: Term, what: str) -> None:
        """Note that something is not compiled."""
        self._problem(node, what)


def _as_target(shape: Shape) -> Shape:
    """Return what is asked of a focus node by a shape that has a target, which may be a property shape itself."""
    return Shape(shape.key, properties=[shape]) if isinstance(shape, PropertyShape) else shape


_BOUNDS: Final[Mapping[str, frozenset[int]]] = {
    "minExclusive": frozenset({1}),
    "minInclusive": frozenset({0, 1}),
    "maxExclusive": frozenset({-1}),
    "maxInclusive": frozenset({0, -1}),
}


class ShapeBuilder:
    """Fills a shape from what is said at its node."""

    def __init__(self, reader: ShapesReader, node: Term, shape: Shape) -> None:
        self.reader, self.node, self.shape = reader, node, shape
        severity = reader.one(node, "severity")
        self.severity = key_of(severity) if severity is not None else f"{SH}Violation"
        self.path = shape.path if isinstance(shape, PropertyShape) else None

    def build(self) -> None:
        """Read every parameter."""
        self._value_tests()
        self._text_tests()
        self._logical_tests()
        self._pairs()
        self._closed()
        if isinstance(self.shape, PropertyShape):
            self._counts(self.shape)
        for each in self._values("hasValue"):
            self._check(c.has_value(each, self._rule("HasValue")), missing=True)
        for each in self._values("property"):
            found = self.reader.shape(each)
            if not isinstance(found, PropertyShape):
                self.reader.problem(self.node, "sh:property leads to a shape without a path")
            elif found.active:
                self.shape.properties.append(found)

    def _values(self, name: str) -> list[Term]:
        return self.reader.values(self.node, name)

    def _rule(self, component: str) -> Rule:
        return Rule(self.path, f"{SH}{component}ConstraintComponent", self.severity, self.shape.key)

    def _test(self, test: c.Test, component: str) -> None:
        self.shape.tests.append((test, self._rule(component)))

    def _check(self, check: c.Check, *, missing: bool) -> None:
        self.shape.checks.append(check)
        if missing and isinstance(self.shape, PropertyShape):
            self.shape.when_missing.append(check)

    def _value_tests(self) -> None:
        if (kind := self.reader.one(self.node, "nodeKind")) is not None:
            self._test(c.node_kind(key_of(kind)), "NodeKind")
        if (datatype := self.reader.one(self.node, "datatype")) is not None:
            self._test(c.datatype(key_of(datatype)), "Datatype")
        for each in self._values("class"):
            self._test(c.instance_of(each), "Class")
        if (allowed := self.reader.one(self.node, "in")) is not None:
            self._test(c.one_of(frozenset(self.reader.list_at(self.node, allowed))), "In")
        for name, kinds in _BOUNDS.items():
            for each in self._values(name):
                if isinstance(each, Literal):
                    self._test(c.ordered(each, kinds), name[0].upper() + name[1:])
                else:
                    self.reader.problem(self.node, f"sh:{name} is no literal")

    def _text_tests(self) -> None:
        if (least := self.reader.number(self.node, "minLength")) is not None:
            self._test(c.length(least, None), "MinLength")
        if (most := self.reader.number(self.node, "maxLength")) is not None:
            self._test(c.length(0, most), "MaxLength")
        if (tags := self.reader.one(self.node, "languageIn")) is not None:
            wanted = self.reader.list_at(self.node, tags)
            self._test(c.language_in(frozenset(each.value.lower() for each in wanted)), "LanguageIn")
        flags = self.reader.one(self.node, "flags")
        for each in self._values("pattern"):
            try:
                self._test(c.pattern(each.value, flags.value if flags is not None else ""), "Pattern")
            except re.error as error:
                self.reader.problem(self.node, f"sh:pattern is none that Python reads: {error}")

    def _logical_tests(self) -> None:
        for each in self._values("node"):
            shape = self.reader.shape(each)
            if isinstance(shape, PropertyShape):
                self.reader.problem(self.node, "sh:node leads to a property shape")
            self._test(shape.conforms, "Node")
        for each in self._values("not"):
            self._test(_negated(self.reader.shape(each)), "Not")
        for name, component, count in (("and", "And", all), ("or", "Or", any), ("xone", "Xone", None)):
            for each in self._values(name):
                shapes = [self.reader.shape(member) for member in self.reader.list_at(self.node, each)]
                self._test(_exactly_one(shapes) if count is None else _counted(shapes, count), component)

    def _pairs(self) -> None:
        makers: Mapping[str, Callable[[NamedNode], c.Check]] = {
            "equals": lambda other: c.equals(other, self._rule("Equals")),
            "disjoint": lambda other: c.disjoint(other, self._rule("Disjoint")),
            "lessThan": lambda other: c.less_than(other, self._rule("LessThan"), equal=False),
            "lessThanOrEquals": lambda other: c.less_than(other, self._rule("LessThanOrEquals"), equal=True),
        }
        for name, make in makers.items():
            for each in self._values(name):
                if isinstance(each, NamedNode) and (self.path or name in {"equals", "disjoint"}):
                    self._check(make(each), missing=name == "equals")
                else:
                    self.reader.problem(self.node, f"sh:{name} is not where it can be")

    def _closed(self) -> None:
        ignored = self._values("ignoredProperties")
        is_closed = self.reader.one(self.node, "closed")
        if is_closed is None and ignored:
            self.reader.problem(self.node, "sh:ignoredProperties without sh:closed")
        if not isinstance(is_closed, Literal) or is_closed.value not in {"true", "1"}:
            return
        allowed: set[Term] = {each for head in ignored for each in self.reader.list_at(self.node, head)}
        for each in self._values("property"):
            allowed.update(self.reader.values(each, "path"))
        self._check(c.closed(frozenset(allowed), self._rule("Closed")), missing=False)

    def _counts(self, shape: PropertyShape) -> None:
        if (least := self.reader.number(self.node, "minCount")) is not None and least > 0:
            check = c.fewest(least, self._rule("MinCount"))
            shape.counts.append(check)
            shape.when_missing.append(check)
            shape.low = least
        if (most := self.reader.number(self.node, "maxCount")) is not None:
            shape.counts.append(c.most(most, self._rule("MaxCount")))
            shape.high = most
        unique = self.reader.one(self.node, "uniqueLang")
        if isinstance(unique, Literal) and unique.value in {"true", "1"}:
            self._check(c.unique_languages(self._rule("UniqueLang")), missing=False)
        for each in self._values("qualifiedValueShape"):
            least, most = (self.reader.number(self.node, f"qualified{name}Count") for name in ("Min", "Max"))
            rules = (self._rule("QualifiedMinCount"), self._rule("QualifiedMaxCount"))
            self._check(_qualified(self.reader.shape(each), least or 0, most, rules), missing=True)


def _negated(shape: Shape) -> c.Test:
    return lambda view, value: not shape.conforms(view, value)


def _counted(shapes: list[Shape], count: Callable[[Iterable[bool]], bool]) -> c.Test:
    return lambda view, value: count(shape.conforms(view, value) for shape in shapes)


def _exactly_one(shapes: list[Shape]) -> c.Test:
    return lambda view, value: sum(shape.conforms(view, value) for shape in shapes) == 1


def _qualified(shape: Shape, least: int, most: int | None, rules: tuple[Rule, Rule]) -> c.Check:
    """Return the check of sh:qualifiedValueShape: enough values that conform to a shape, and not too many."""

    def check(view: View, focus: Term, values: Values, out: list[Result]) -> None:
        count = sum(shape.conforms(view, value) for value in values)
        if count < least:
            out.append(Result(focus, None, rules[0]))
        if most is not None and count > most:
            out.append(Result(focus, None, rules[1]))

    return check
