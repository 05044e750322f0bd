"""The constraint components of SHACL Core as functions: tests of one value, and checks of all values of a property.

Each function is made once for its parameters and kept, so that a rule that several shapes share is asked once. Where
the standard leaves something open the answer is pySHACL's, which judges in the end.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from pyoxigraph import BlankNode, Literal, NamedNode

from connector.standards.dcat.shacl import literals
from connector.standards.dcat.shacl.results import Path, Result, Rule, Term
from connector.standards.dcat.shacl.view import NO_VALUES, NONE, TYPE, Values, View
from connector.standards.rdf import full

Test: TypeAlias = Callable[[View, Term], bool]
"""Whether one value is right."""
Check: TypeAlias = Callable[[View, Term, Values, list[Result]], None]
"""Adds what is wrong with the values of a focus node, all together."""

_KEPT: Final = 4096
_RESOURCE: Final = (TYPE, NamedNode(full("rdfs:Resource")))
KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    full("sh:IRI"): (NamedNode,),
    full("sh:Literal"): (Literal,),
    full("sh:BlankNode"): (BlankNode,),
    full("sh:BlankNodeOrIRI"): (BlankNode, NamedNode),
    full("sh:BlankNodeOrLiteral"): (BlankNode, Literal),
    full("sh:IRIOrLiteral"): (NamedNode, Literal),
}


@lru_cache(maxsize=_KEPT)
def node_kind(kind: str) -> Test:
    """Return the test of sh:nodeKind."""
    allowed = KINDS.get(kind, ())
    if len(allowed) == 1:
        only = allowed[0]
        return lambda _, value: type(value) is only
    return lambda _, value: type(value) in allowed


@lru_cache(maxsize=_KEPT)
def instance_of(kind: Term) -> Test:
    """Return the test of sh:class, with the class hierarchy that the record itself states."""

    def test(view: View, value: Term) -> bool:
        said = view.index.get(value)
        if said is None:
            return False
        types = said.get(TYPE, NO_VALUES)
        return kind in types or (bool(view.above) and any(kind in view.above.get(each, ()) for each in types))

    return test


@lru_cache(maxsize=_KEPT)
def datatype(iri: str) -> Test:
    """Return the test of sh:datatype; what was found of a literal is remembered."""
    known: dict[Literal, bool] = {}

    def test(_: View, value: Term) -> bool:
        if type(value) is not Literal:
            return False
        found = known.get(value)
        if found is None:
            if len(known) >= _KEPT:
                known.clear()
            found = known[value] = literals.has_datatype(value, iri)
        return found

    return test


@lru_cache(maxsize=_KEPT)
def pattern(text: str, flags: str) -> Test:
    """Return the test of sh:pattern; of the flags, i and m count.

    Raises:
        re.error: the pattern is none that Python reads.
    """
    options = (re.IGNORECASE if "i" in flags.lower() else 0) | (re.MULTILINE if "m" in flags.lower() else 0)
    search = re.compile(text, options).search
    return lambda _, value: type(value) is not BlankNode and search(value.value) is not None


@lru_cache(maxsize=_KEPT)
def length(least: int, most: int | None) -> Test:
    """Return the test of sh:minLength (least) or sh:maxLength (most)."""
    if most is None:
        return lambda _, value: least == 0 or (type(value) is not BlankNode and len(value.value) >= least)
    return lambda _, value: type(value) is not BlankNode and len(value.value) <= most


@lru_cache(maxsize=_KEPT)
def ordered(bound: Literal, allowed: frozenset[int]) -> Test:
    """Return the test that a value lies where `allowed` says, in terms of `literals.order`, from the bound."""
    return lambda _, value: isinstance(value, Literal) and literals.order(value, bound) in allowed


@lru_cache(maxsize=_KEPT)
def language_in(tags: frozenset[str]) -> Test:
    """Return the test of sh:languageIn: the tag itself, or its first part, is in the list."""

    def test(_: View, value: Term) -> bool:
        tag = (value.language if isinstance(value, Literal) else None) or ""
        return bool(tag) and ("*" in tags or tag.lower() in tags or tag.partition("-")[0].lower() in tags)

    return test


@lru_cache(maxsize=_KEPT)
def one_of(terms: frozenset[Term]) -> Test:
    """Return the test of sh:in."""
    return lambda _, value: value in terms


# --- checks of all values together ------------------------------------------------------------------------------------


def fewest(count: int, rule: Rule) -> Check:
    """Return the check of sh:minCount."""

    def check(_: View, focus: Term, values: Values, out: list[Result]) -> None:
        if len(values) < count:
            out.append(Result(focus, None, rule))

    return check


def most(count: int, rule: Rule) -> Check:
    """Return the check of sh:maxCount."""

    def check(_: View, focus: Term, values: Values, out: list[Result]) -> None:
        if len(values) > count:
            out.append(Result(focus, None, rule))

    return check


def has_value(term: Term, rule: Rule) -> Check:
    """Return the check of sh:hasValue."""

    def check(_: View, focus: Term, values: Values, out: list[Result]) -> None:
        if term not in values:
            out.append(Result(focus, None, rule))

    return check


def unique_languages(rule: Rule) -> Check:
    """Return the check of sh:uniqueLang: one result for each language that is used more than once."""

    def check(_: View, focus: Term, values: Values, out: list[Result]) -> None:
        tags = [value.language.lower() for value in values if isinstance(value, Literal) and value.language]
        out.extend(Result(focus, None, rule) for tag in sorted(set(tags)) if tags.count(tag) > 1)

    return check


def equals(other: NamedNode, rule: Rule) -> Check:
    """Return the check of sh:equals: one result for each value that only one of the two has."""

    def check(view: View, focus: Term, values: Values, out: list[Result]) -> None:
        theirs = view.index.get(focus, NONE).get(other, NO_VALUES)
        out.extend(Result(focus, value, rule) for value in values if value not in theirs)
        out.extend(Result(focus, value, rule) for value in theirs if value not in values)

    return check


def disjoint(other: NamedNode, rule: Rule) -> Check:
    """Return the check of sh:disjoint: one result for each value that both have."""

    def check(view: View, focus: Term, values: Values, out: list[Result]) -> None:
        theirs = view.index.get(focus, NONE).get(other, NO_VALUES)
        out.extend(Result(focus, value, rule) for value in values if value in theirs)

    return check


def less_than(other: NamedNode, rule: Rule, *, equal: bool) -> Check:
    """Return the check of sh:lessThan (or OrEquals): one result for each pair that is not in that order."""

    def check(view: View, focus: Term, values: Values, out: list[Result]) -> None:
        theirs = view.index.get(focus, NONE).get(other, NO_VALUES)
        for value in values:
            out.extend(Result(focus, value, rule) for each in theirs if not _less(value, each, equal=equal))

    return check


def _less(one: Term, other: Term, *, equal: bool) -> bool:
    if isinstance(one, Literal) and isinstance(other, Literal):
        return literals.before(one, other, equal=equal)
    if isinstance(one, BlankNode) or isinstance(other, BlankNode):
        return False
    if any(isinstance(each, Literal) and not literals.is_text(each) for each in (one, other)):
        return False
    return one.value < other.value or (equal and one.value == other.value)


def closed(allowed: frozenset[Term], rule: Rule) -> Check:
    """Return the check of sh:closed: one result for each statement with another property; its path is that property."""

    def check(view: View, focus: Term, values: Values, out: list[Result]) -> None:
        for value in values:
            for predicate, targets in view.index.get(value, NONE).items():
                if predicate in allowed:
                    continue
                at = rule._replace(path=Path("iri", predicate.value))
                out.extend(Result(focus, target, at) for target in targets if (predicate, target) != _RESOURCE)

    return check
