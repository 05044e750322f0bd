"""pySHACL as the judge of a record: its shapes are read once, and only those are asked whose class occurs.

This is the arrangement in which pySHACL is quickest. Two things are done for it that change no answer: what is read of
the shapes graph is remembered, since it reads the same for each node again; and the nodes to look at are found here,
so that concepts of the background are never among them.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import rdflib
from pyoxigraph import Triple
from pyshacl.constraints import ALL_CONSTRAINT_PARAMETERS
from pyshacl.errors import ConstraintLoadError, ReportableRuntimeError, ShapeLoadError, ValidationFailure
from pyshacl.pytypes import SHACLExecutor
from pyshacl.shape import Shape
from pyshacl.shapes_graph import ShapesGraph

from connector.errors import InvalidInput
from connector.standards.dcat.shacl.results import Path, Result, Rule, key_of
from connector.standards.rdf import full, term_of, to_rdflib

if TYPE_CHECKING:
    from rdflib.term import Node

_SH: Final = full("sh:")
_CACHED: Final = 50_000
_PARTS: Final = ("sourceConstraintComponent", "sourceShape", "resultSeverity", "focusNode", "value", "resultPath")


class _Remembering(rdflib.Graph):
    """A graph that is only read: what was once looked up is remembered."""

    def __init__(self, source: rdflib.Graph) -> None:
        super().__init__(store=source.store, identifier=source.identifier, bind_namespaces="none")
        self._known: dict[Any, tuple[Any, ...]] = {}

    def triples(self, pattern: Any) -> Any:
        """Yield the triples that match."""
        found = self._known.get(pattern)
        if found is None:
            found = tuple(super().triples(pattern))
            if len(self._known) < _CACHED:
                self._known[pattern] = found
        return iter(found)

    def add(self, triple: Any) -> "_Remembering":
        """Add a triple; pySHACL does so once, before it reads."""
        self._known.clear()
        super().add(triple)
        return self


class _Shapes(ShapesGraph):
    """Harvested shapes that name only the parameters of constraints, once; pySHACL seeks each word in a long list."""

    def __init__(self, graph: rdflib.Graph) -> None:
        super().__init__(graph)
        self._parameters = frozenset(ALL_CONSTRAINT_PARAMETERS)
        self._said: dict[Any, tuple[tuple[Any, Any], ...]] = {}

    def predicate_objects(self, s: Any) -> Any:
        """Yield the parameters of the constraints of a shape, in which alone pySHACL is interested."""
        found = self._said.get(s)
        if found is None:
            said = self.graph.predicate_objects(s)
            found = self._said[s] = tuple(each for each in said if each[0] in self._parameters)
        return iter(found)


class Judge:
    """pySHACL with one set of shapes."""

    def __init__(self, shapes: Iterable[Triple]) -> None:
        """Read the shapes.

        Raises:
            InvalidInput: pySHACL refuses them.
        """
        rdflib.term.logger.disabled = True
        self._graph = _Remembering(to_rdflib(shapes))
        self._shapes = _Shapes(self._graph)
        try:
            found = [(shape, frozenset(shape.target_classes()), _is_by_class(shape)) for shape in self._shapes.shapes]
        except ShapeLoadError as error:
            raise InvalidInput(f"pySHACL refuses the shapes: {error}") from error
        self._targets = [each for each in found if each[1] or not each[2]]
        self._paths: dict[Node, Path] = {}

    def results(self, record: Iterable[Triple], background: Iterable[Triple] = ()) -> list[Result]:
        """Return what pySHACL finds in a record, in no particular order.

        Args:
            record: its nodes are held to the shapes.
            background: more that may be looked up.

        Raises:
            InvalidInput: pySHACL gives up, such as on a comparison it does not know.
        """
        own = to_rdflib(record)
        whole = own
        if more := tuple(background):
            whole = to_rdflib((*record, *more))
        types = set(own.objects(None, rdflib.RDF.type))
        hierarchy = (None, rdflib.RDFS.subClassOf, None) in own
        executor = SHACLExecutor()
        reports: list[Any] = []
        try:
            for shape, classes, by_class in self._targets:
                if by_class and not hierarchy and not classes & types:
                    continue
                if focus := shape.focus_nodes(own):
                    reports += shape.validate(executor, whole, focus=list(focus))[1]
        except (ConstraintLoadError, ReportableRuntimeError, ValidationFailure, TypeError, ValueError) as error:
            raise InvalidInput(f"pySHACL gives up: {error}", where="shapes") from error
        return [self._result(node, parts) for _, node, parts in reports]

    def _result(self, node: "Node", parts: Iterable[tuple[Any, Any, Any]]) -> Result:
        """Return a result out of the statements pySHACL makes about it; those about details are passed over."""
        said: dict[str, Any] = {}
        for subject, predicate, value in parts:
            name = str(predicate).removeprefix(_SH)
            if subject == node and name in _PARTS:
                said[name] = value[1] if isinstance(value, tuple) else value
        path = said.get("resultPath")
        rule = Rule(
            path=None if path is None else self._path(path),
            component=str(said["sourceConstraintComponent"]),
            severity=str(said["resultSeverity"]),
            shape=key_of(term_of(said["sourceShape"])),
        )
        value = said.get("value")
        return Result(term_of(said["focusNode"]), None if value is None else term_of(value), rule)

    def _path(self, node: "Node") -> Path:
        found = self._paths.get(node)
        if found is None:
            found = self._paths[node] = _path_at(self._graph, node)
        return found


def _is_by_class(shape: Shape) -> bool:
    """Return whether the shape finds its nodes by sh:targetClass alone."""
    nodes, _, implicit, objects, subjects = shape.target()  # type: ignore[no-untyped-call]
    return not any(list(each) for each in (nodes, implicit, objects, subjects))


def _path_at(graph: rdflib.Graph, node: "Node") -> Path:
    if isinstance(node, rdflib.URIRef):
        return Path("iri", str(node))
    inverse = graph.value(node, rdflib.URIRef(_SH + "inversePath"))
    if isinstance(inverse, rdflib.URIRef):
        return Path("inverse", str(inverse))
    if (head := graph.value(node, rdflib.URIRef(_SH + "alternativePath"))) is not None:
        return Path("alternative", "", tuple(_path_at(graph, each) for each in graph.items(head)))
    if (node, rdflib.RDF.first, None) in graph:
        return Path("sequence", "", tuple(_path_at(graph, each) for each in graph.items(node)))
    ((_, predicate, inner), *_) = graph.triples((node, None, None))  # a path that repeats: only pySHACL follows it
    return Path("repeated", f"{_path_at(graph, inner).text} ({str(predicate).removeprefix(_SH)})")
