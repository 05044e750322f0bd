"""A taxonomy of concepts with labels, read once from a shipped SKOS file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from pyoxigraph import Literal, NamedNode, RdfFormat, parse

from connector import library
from connector.standards.odrl.policy import Truth
from connector.standards.odrl.terms import SKOS


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Concepts and what they lie in.

    `above` and `below` give each concept's ancestors and descendants, itself included; `reach` is `below` with the
    concepts that lie partly in one of them (`skos:related`: Türkiye lies partly in Europe).
    """

    labels: Mapping[str, str]
    above: Mapping[str, frozenset[str]]
    below: Mapping[str, frozenset[str]]
    reach: Mapping[str, frozenset[str]]

    def within(self, concept: str, whole: str) -> Truth:
        """Tell whether `concept` lies in `whole`; unknown when it lies only partly in it, or is not listed."""
        if concept not in self.labels or whole not in self.labels:
            return Truth.UNKNOWN
        if whole in self.above[concept]:
            return Truth.TRUE
        meets = self.below[concept] & self.reach[whole] or self.reach[concept] & self.below[whole]
        return Truth.UNKNOWN if meets else Truth.FALSE

    def widest(self, concepts: Iterable[str]) -> tuple[str, ...]:
        """Return the concepts that lie in none of the others, sorted: they say the same."""
        all_of = frozenset(concepts)
        return tuple(sorted(one for one in all_of if not (self.above[one] - {one}) & all_of))

    def label(self, concept: str) -> str:
        """Return the English label in quotes, or the IRI itself when the concept is not listed."""
        return f"'{self.labels.get(concept, concept)}'"


@cache
def taxonomy(file: str) -> Taxonomy:
    """Read the vocabulary `file`; its `skos:broader` must not run in circles."""
    labels: dict[str, str] = {}
    broader: dict[str, set[str]] = {}
    related: dict[str, set[str]] = {}
    for quad in parse(library.read("vocab", file), format=RdfFormat.TURTLE):
        subject, predicate = quad.subject, quad.predicate.value
        if not isinstance(subject, NamedNode):
            continue
        if predicate == SKOS + "prefLabel" and isinstance(quad.object, Literal) and quad.object.language == "en":
            labels[subject.value] = quad.object.value
        elif predicate == SKOS + "broader" and isinstance(quad.object, NamedNode):
            broader.setdefault(subject.value, set()).add(quad.object.value)
        elif predicate == SKOS + "related" and isinstance(quad.object, NamedNode):
            related.setdefault(quad.object.value, set()).add(subject.value)
    above = {concept: _ancestors(concept, broader) for concept in labels}
    below = {whole: frozenset(one for one in labels if whole in above[one]) for whole in labels}
    reach = {whole: parts.union(*(related.get(part, ()) for part in parts)) for whole, parts in below.items()}
    return Taxonomy(labels, above, below, reach)


def _ancestors(concept: str, broader: Mapping[str, set[str]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = [concept]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(broader.get(one, ()))
    return frozenset(found)
