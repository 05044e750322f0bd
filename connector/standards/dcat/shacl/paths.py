"""Property paths (SHACL §2.3.1): out of a shapes graph, and along a record."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from pyoxigraph import NamedNode

from connector.standards.dcat.shacl.results import Path, Term
from connector.standards.dcat.shacl.view import NO_VALUES, NONE, Index, Values, View
from connector.standards.rdf import full

Reach: TypeAlias = Callable[[View, Term], Values]
"""The nodes at the end of a path."""

NOWHERE: Final[Reach] = lambda _view, _node: NO_VALUES  # noqa: E731 - a value like the others of its type
_FIRST, _REST, _NIL = (NamedNode(full(f"rdf:{name}")) for name in ("first", "rest", "nil"))
_INVERSE, _ALTERNATIVE = (NamedNode(full(f"sh:{name}")) for name in ("inversePath", "alternativePath"))
_LONGEST: Final = 10_000
_DEEPEST: Final = 4


def members(graph: Index, head: Term) -> list[Term] | None:
    """Return the members of an RDF list; None where it is none."""
    found: list[Term] = []
    seen: set[Term] = set()
    while head != _NIL:
        said = graph.get(head, NONE)
        first, rest = list(said.get(_FIRST, ())), list(said.get(_REST, ()))
        if len(first) != 1 or len(rest) != 1 or head in seen or len(found) >= _LONGEST:
            return None
        seen.add(head)
        found.append(first[0])
        head = rest[0]
    return found


def read_path(graph: Index, node: Term, depth: int = 0) -> Path | None:
    """Return the path at a node; None where it is of another kind, or none."""
    if isinstance(node, NamedNode):
        return Path("iri", node.value)
    said = graph.get(node, NONE)
    if depth > _DEEPEST or len([each for each in said if each != NamedNode(full("rdf:type"))]) > 2:  # noqa: PLR2004 - a list
        return None
    if _INVERSE in said:
        inner = next(iter(said[_INVERSE]))
        return Path("inverse", inner.value) if isinstance(inner, NamedNode) else None
    kind = "alternative" if _ALTERNATIVE in said else "sequence" if _FIRST in said else None
    if kind is None:
        return None
    head = next(iter(said[_ALTERNATIVE])) if kind == "alternative" else node
    parts = [read_path(graph, each, depth + 1) for each in members(graph, head) or ()]
    whole = tuple(each for each in parts if each is not None)
    return Path(kind, "", whole) if len(whole) == len(parts) and len(whole) > 1 else None


def reach(path: Path) -> Reach:
    """Return the function that follows a path."""
    if path.kind == "sequence":
        return _sequence([reach(part) for part in path.parts])
    if path.kind == "alternative":
        return _alternative([reach(part) for part in path.parts])
    predicate = NamedNode(path.iri)
    if path.kind == "inverse":
        return lambda view, node: view.inverse.get(node, NONE).get(predicate, NO_VALUES)
    return lambda view, node: view.index.get(node, NONE).get(predicate, NO_VALUES)


def _sequence(parts: Sequence[Reach]) -> Reach:
    def found(view: View, node: Term) -> Values:
        nodes: Values = {node: None}
        for part in parts:
            nodes = {value: None for each in nodes for value in part(view, each)}
        return nodes

    return found


def _alternative(parts: Sequence[Reach]) -> Reach:
    return lambda view, node: {value: None for part in parts for value in part(view, node)}
