"""What is asked of a profile that a user adds: shapes of SHACL Core that stand on their own.

Rules, scripts, queries and imports would let a record, or a shape, do more than be described and checked: they are
refused. What is only not compiled is taken, and judged by pySHACL.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pyoxigraph import NamedNode

from connector.errors import InvalidInput
from connector.standards.dcat.shacl import ShapeSet, profiles, shape_sets
from connector.standards.dcat.shacl.paths import members
from connector.standards.dcat.shacl.results import Term, key_of
from connector.standards.dcat.shacl.view import TYPE, Index, Properties, index_of
from connector.standards.rdf import compact, full

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.ttl")
_QUERIES: Final = "a query (SPARQL) can read and burden everything"
_RULES: Final = "rules and functions (SHACL-AF) make statements that nobody made"
_SCRIPTS: Final = "scripts (SHACL-JS) are programs"
_IMPORTS: Final = "other graphs would have to be fetched"
_REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        map(
            full,
            (
                "sh:sparql", "sh:select", "sh:ask", "sh:construct", "sh:update", "sh:declare", "sh:prefixes",
                "sh:validator", "sh:nodeValidator", "sh:propertyValidator",
            ),
        ),
        _QUERIES,
    ),
    **dict.fromkeys(
        map(full, ("sh:rule", "sh:expression", "sh:target", "sh:values", "sh:targetShape", "sh:condition")), _RULES
    ),
    **dict.fromkeys(map(full, ("sh:js", "sh:jsLibrary", "sh:jsLibraryURL", "sh:jsFunctionName")), _SCRIPTS),
    **dict.fromkeys(
        map(full, ("owl:imports", "sh:shapesGraph", "sh:suggestedShapesGraph", "sh:entailment")), _IMPORTS
    ),
}  # fmt: skip
_REFUSED_TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(map(full, ("sh:ConstraintComponent", "sh:SPARQLConstraint", "sh:SPARQLTarget")), _QUERIES),
    **dict.fromkeys(map(full, ("sh:Function", "sh:SPARQLFunction", "sh:Rule", "sh:TripleRule")), _RULES),
    **dict.fromkeys(map(full, ("sh:JSConstraint", "sh:JSFunction", "sh:JSRule")), _SCRIPTS),
}
_SHAPES: Final = tuple(NamedNode(full(f"sh:{name}")) for name in ("property", "node", "not", "qualifiedValueShape"))
_LISTS: Final = tuple(NamedNode(full(f"sh:{name}")) for name in ("and", "or", "xone"))


def check_name(name: str) -> None:
    """Refuse what is no name for a profile of one's own.

    Raises:
        InvalidInput: it has other characters, or a profile of that name ships.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no name for a profile.", fix="Use small letters, digits and hyphens.")
    if name in profiles.SHIPPED.names():
        raise InvalidInput(f"The profile {name!r} ships with the connector.", fix="Give yours another name.")


def inspect(name: str, shelf: profiles.Shelf) -> tuple[ShapeSet, ...]:
    """Return the levels of a profile that is to be added.

    Args:
        name: of its folder.
        shelf: has the folder, and what it includes.

    Raises:
        InvalidInput: the name, the manifest, a file or what stands in it is not what is asked; the reasons say what.
    """
    check_name(name)
    found = shelf.get(name)
    family = [shelf.get(each) for each in shelf.lineage(name)]
    odd = [file for each in family for level in each.levels for file in level.files if not _FILE.fullmatch(file)]
    if odd:
        raise InvalidInput(
            f"{odd[0]!r} is not the name of a Turtle file in the profile's folder.",
            where=f"{name}/{profiles.MANIFEST}",
            fix="Name files beside the manifest that end in .ttl.",
        )
    if not found.levels and not found.includes:
        raise InvalidInput("The profile has no level.", where=f"{name}/{profiles.MANIFEST}", fix="Add a [[level]].")
    sets = shape_sets(name, shelf)
    reasons = list(dict.fromkeys(reason for each in sets for reason in _reasons(each)))
    if reasons:
        raise InvalidInput(
            "The shapes have what is not taken from others.",
            where=name,
            fix="Write these rules with SHACL Core, in files of the profile.",
            reasons=reasons,
        )
    for each in sets:
        if each.compiled is None:
            each.judge.results(())
    return sets


def _reasons(each: ShapeSet) -> Iterator[str]:
    graph = index_of(each.shapes)
    for node, said in graph.items():
        place = f"<{key_of(node)}>" if isinstance(node, NamedNode) else "a node without an IRI"
        for predicate in said:
            if predicate.value in _REFUSED:
                yield f"{compact(predicate.value)} at {place}: {_REFUSED[predicate.value]}."
        for kind in said.get(TYPE, ()):
            if key_of(kind) in _REFUSED_TYPES:
                yield f"{compact(key_of(kind))} at {place}: {_REFUSED_TYPES[key_of(kind)]}."
        for predicate, shape in _referred(graph, said):
            if shape not in graph:
                yield f"{compact(predicate.value)} at {place}: no file describes the shape <{key_of(shape)}>."


def _referred(graph: Index, said: Properties) -> Iterator[tuple[NamedNode, Term]]:
    """Yield the shapes that a shape refers to, those in lists among them."""
    for predicate in (*_SHAPES, *_LISTS):
        yield from ((predicate, each) for each in said.get(predicate, ()))
    for predicate in _LISTS:
        for head in said.get(predicate, ()):
            yield from ((predicate, each) for each in members(graph, head) or ())
