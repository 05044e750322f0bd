"""What a validation finds, before it is put into words: the same for the fast check and for pySHACL."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from connector.standards.rdf import full

Subject: TypeAlias = NamedNode | BlankNode
Term: TypeAlias = NamedNode | BlankNode | Literal

_FIRST, _REST, _NIL = (NamedNode(full(f"rdf:{name}")) for name in ("first", "rest", "nil"))


class Path(NamedTuple):
    """A property path (SHACL §2.3.1): the kinds are iri, inverse, sequence and alternative.

    Attributes:
        kind: which of them.
        iri: of the property; empty for a sequence or an alternative.
        parts: of a sequence or an alternative.
    """

    kind: str
    iri: str
    parts: "tuple[Path, ...]" = ()

    @property
    def text(self) -> str:
        """The IRI; `^` and the IRI for the property seen from the other end; else as SPARQL writes paths."""
        if self.kind == "iri":
            return self.iri
        return f"^{self.iri}" if self.kind == "inverse" else self._joined()

    def _joined(self) -> str:
        texts = []
        for part in self.parts:
            match part.kind:
                case "iri":
                    texts.append(f"<{part.iri}>")
                case "inverse":
                    texts.append(f"^<{part.iri}>")
                case _:
                    texts.append(f"({part.text})")
        return ("/" if self.kind == "sequence" else "|").join(texts)

    @property
    def properties(self) -> tuple[str, ...]:
        """The IRIs of the properties in it, in order."""
        return (self.iri,) if self.iri else tuple(iri for part in self.parts for iri in part.properties)

    def node(self, triples: list[Triple]) -> Subject:
        """Return the node that stands for the path, and add what describes it to `triples`."""
        if self.kind == "iri":
            return NamedNode(self.iri)
        if self.kind == "inverse":
            found = BlankNode()
            triples.append(Triple(found, NamedNode(full("sh:inversePath")), NamedNode(self.iri)))
            return found
        items = [part.node(triples) for part in self.parts]
        head: Subject = _NIL
        for item in reversed(items):
            cell = BlankNode()
            triples += [Triple(cell, _FIRST, item), Triple(cell, _REST, head)]
            head = cell
        if self.kind == "sequence":
            return head
        found = BlankNode()
        triples.append(Triple(found, NamedNode(full("sh:alternativePath")), head))
        return found


class Rule(NamedTuple):
    """The part of a result that the shape decides.

    Attributes:
        path: the property; None for the node itself.
        component: IRI of the constraint component.
        severity: IRI of the severity.
        shape: the shape, as `key_of` names it.
    """

    path: Path | None
    component: str
    severity: str
    shape: str


class Result(NamedTuple):
    """One result: the node it is about, the value at fault where there is one, and the rule that is broken."""

    focus: Term
    value: Term | None
    rule: Rule

    @property
    def identity(self) -> tuple[str, str, str, str, str]:
        """What has to agree between two engines: focus, path, component, value and severity."""
        path = self.rule.path.text if self.rule.path else ""
        value = "" if self.value is None else str(self.value)
        return (str(self.focus), path, self.rule.component, value, self.rule.severity)


def key_of(term: Term) -> str:
    """Return the name of a node: its IRI, or `_:` and the label."""
    return f"_:{term.value}" if isinstance(term, BlankNode) else term.value


def multiset(results: Iterable[Result]) -> Counter[tuple[str, str, str, str, str]]:
    """Return how often each result occurs."""
    return Counter(each.identity for each in results)


def without_repetitions(results: Iterable[Result], owners: dict[str, str]) -> Iterator[Result]:
    """Yield the results without those that a profile only says again after one that it includes.

    That is the union of multisets: a result stays as often as the profile says it that says it most often.

    Args:
        results: of one level.
        owners: name of the profile of each shape.
    """
    said: Counter[tuple[tuple[str, str, str, str, str], str]] = Counter()
    kept: Counter[tuple[str, str, str, str, str]] = Counter()
    for each in results:
        same = each.identity
        mine = (same, owners.get(each.rule.shape, ""))
        said[mine] += 1
        if said[mine] > kept[same]:
            kept[same] += 1
            yield each
