"""Triples to bytes, always in the same order, and to and from rdflib."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, cast

from pyoxigraph import BlankNode, Literal, NamedNode, Triple
from pyoxigraph import serialize as engine_serialise

from connector.errors import InvalidInput
from connector.standards.rdf.terms import ENGINE_FORMATS, PREFIXES, Format, Triples, compact

if TYPE_CHECKING:
    import rdflib
    from rdflib.term import Node

_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"
_NAMESPACE: Final = re.compile(r"^.*[#/:]")
_IMPLIED: Final = {_STRING, "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"}
_NO_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_NAME: Final = re.compile(r"[^\W\d][\w.\-]*$")


def serialise(
    triples: Iterable[Triple],
    format: Format,  # noqa: A002 - the word of the standards, and of the callers
    prefixes: Mapping[str, str] = PREFIXES,
) -> bytes:
    """Return the triples in `format`, ordered by subject, type, predicate and object; only used prefixes are declared.

    The same set of triples gives the same bytes as long as it has no blank nodes (see `skolemise`).

    Raises:
        InvalidInput: RDF/XML is asked for, and a text or a property has characters that XML cannot hold.
    """
    ordered = sorted(set(triples), key=_place)
    if format is Format.RDF_XML:
        _check_xml(ordered)
    used = {
        found.group()
        for triple in ordered
        for term in (triple.subject, triple.predicate, triple.object, getattr(triple.object, "datatype", None))
        if isinstance(term, NamedNode) and term.value not in _IMPLIED and (found := _NAMESPACE.match(term.value))
    }
    declared = {prefix: namespace for prefix, namespace in prefixes.items() if namespace in used}
    return engine_serialise(ordered, format=ENGINE_FORMATS[format], prefixes=declared) or b""


def _check_xml(triples: Iterable[Triple]) -> None:
    """Refuse what the engine would write as broken XML: control characters (XML 1.0 §2.2), names that are no names."""
    for triple in triples:
        if isinstance(triple.object, Literal) and _NO_XML.search(triple.object.value):
            raise InvalidInput(
                "A text has a character that XML cannot hold.",
                where=compact(triple.predicate.value),
                fix="Take another format, such as Turtle.",
            )
        if not _XML_NAME.search(triple.predicate.value):
            raise InvalidInput(
                f"The property <{triple.predicate.value}> has no name that XML can hold.",
                fix="Take another format, such as Turtle.",
            )


def _place(triple: Triple) -> tuple[str, bool, str, str]:
    predicate = triple.predicate.value
    return str(triple.subject), predicate != _TYPE, predicate, str(triple.object)


def to_rdflib(triples: Iterable[Triple]) -> "rdflib.Graph":
    """Return the triples as an rdflib graph; lexical forms stay as they are."""
    import rdflib  # noqa: PLC0415 - slow to import, needed by few

    rdflib.term.logger.disabled = True  # it prints a traceback for each ill-typed literal, which SHACL reports anyway
    graph = rdflib.Graph(bind_namespaces="none")

    def converted(term: object) -> "Node":
        match term:
            case NamedNode():
                return rdflib.URIRef(term.value)
            case BlankNode():
                return rdflib.BNode(term.value)
            case Literal():
                if term.language is not None:
                    return rdflib.Literal(term.value, lang=term.language)
                # rdflib tells "x" from "x"^^xsd:string, RDF 1.1 does not
                datatype = None if term.datatype.value == _STRING else rdflib.URIRef(term.datatype.value)
                return rdflib.Literal(term.value, datatype=datatype, normalize=False)
            case _:
                raise TypeError(f"not a term of RDF 1.1: {term!r}")

    for triple in triples:
        graph.add((converted(triple.subject), converted(triple.predicate), converted(triple.object)))
    return graph


def from_rdflib(graph: "rdflib.Graph") -> Triples:
    """Return the triples of an rdflib graph, in no particular order."""
    return tuple(
        Triple(cast("NamedNode | BlankNode", term_of(s)), cast("NamedNode", term_of(p)), term_of(o))
        for s, p, o in graph
    )


def term_of(node: object) -> NamedNode | BlankNode | Literal:
    """Return the term that an rdflib node is."""
    import rdflib  # noqa: PLC0415 - slow to import, needed by few

    match node:
        case rdflib.URIRef():
            return NamedNode(str(node))
        case rdflib.BNode():
            return BlankNode(str(node))
        case rdflib.Literal():
            if node.language is not None:
                return Literal(str(node), language=node.language)
            return Literal(str(node), datatype=NamedNode(str(node.datatype)) if node.datatype else None)
        case _:
            raise TypeError(f"not a term of RDF 1.1: {node!r}")
