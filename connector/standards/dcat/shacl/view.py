"""A record as the checks look at it: subject, property, values; and from the other end, where that is asked."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from pyoxigraph import NamedNode, Triple

from connector.standards.dcat.shacl.results import Subject, Term
from connector.standards.rdf import full

Values: TypeAlias = dict[Term, None]
Properties: TypeAlias = dict[NamedNode, Values]
Index: TypeAlias = dict[Term, Properties]

TYPE: Final = NamedNode(full("rdf:type"))
SUBCLASS: Final = NamedNode(full("rdfs:subClassOf"))
NONE: Final[Properties] = {}
NO_VALUES: Final[Values] = {}


def index_of(triples: Iterable[Triple]) -> Index:
    """Return the triples by subject and property; each statement counts once."""
    index: Index = {}
    for subject, predicate, target in triples:
        said = index.get(subject)
        if said is None:
            index[subject] = {predicate: {target: None}}
            continue
        values = said.get(predicate)
        if values is None:
            said[predicate] = {target: None}
        else:
            values[target] = None
    return index


class View:
    """The statements a check may use.

    Attributes:
        index: every statement, those of the background included.
        focus: the statements of the record alone: only its nodes are held to the shapes.
        above: the classes above each class, where the statements say so (rdfs:subClassOf).
    """

    __slots__ = ("_inverse", "above", "focus", "index")

    def __init__(self, record: Index, background: Mapping[Subject, Properties] | None = None) -> None:
        self.focus = record
        self.index = joined(record, background) if background else record
        self._inverse: Index | None = None
        self.above: dict[Term, set[Term]] = {}
        for said in self.index.values():
            if SUBCLASS in said:
                self.above = _above(self.index)
                break

    @property
    def inverse(self) -> Index:
        """The statements by object and property."""
        if self._inverse is None:
            self._inverse = {}
            for subject, said in self.index.items():
                for predicate, values in said.items():
                    for value in values:
                        self._inverse.setdefault(value, {}).setdefault(predicate, {})[subject] = None
        return self._inverse

    def types(self, node: Term) -> Iterable[Term]:
        """Return the classes of a node of the record, and those above them."""
        found = self.focus.get(node, NONE).get(TYPE, NO_VALUES)
        if not self.above:
            return found
        return {each for kind in found for each in (kind, *self.above.get(kind, ()))}


def joined(record: Index, background: Mapping[Subject, Properties]) -> Index:
    """Return the record and what is said in the background, without touching either."""
    found = dict(record)
    for subject, said in background.items():
        own = found.get(subject)
        if own is None:
            found[subject] = said
        else:
            found[subject] = {
                predicate: {**own.get(predicate, NO_VALUES), **said.get(predicate, NO_VALUES)}
                for predicate in (*own, *(each for each in said if each not in own))
            }
    return found


def _above(index: Index) -> dict[Term, set[Term]]:
    """Return every class above each class that has one above it."""
    direct = {subject: tuple(said[SUBCLASS]) for subject, said in index.items() if SUBCLASS in said}
    found: dict[Term, set[Term]] = {}
    for kind, parents in direct.items():
        seen: set[Term] = set()
        waiting = list(parents)
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += direct.get(one, ())
        found[kind] = seen
    return found


def triples_of(index: Mapping[Subject, Properties]) -> list[Triple]:
    """Return the statements as triples."""
    return [
        Triple(subject, predicate, value)
        for subject, said in index.items()
        for predicate, values in said.items()
        for value in values
    ]
