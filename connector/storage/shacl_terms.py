"""Results of pySHACL on their way out of its process: lists of texts in JSON, checked when they are read."""

from typing import Any

import msgspec
from pyoxigraph import BlankNode, Literal, NamedNode

from connector.standards.dcat.shacl.results import Path, Result, Rule, Term


class Row(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A result: terms as lists of texts, a path as its kind, its IRI and its parts."""

    focus: list[str]
    value: list[str] | None
    path: list[Any] | None
    component: str
    severity: str
    shape: str


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the process says: its results, or why there are none."""

    results: list[Row] | None = None
    refused: str | None = None


def packed(result: Result) -> list[Any]:
    """Return a result as JSON can hold it."""
    rule, value = result.rule, result.value
    path = None if rule.path is None else _packed_path(rule.path)
    return [
        _packed(result.focus),
        None if value is None else _packed(value),
        path,
        rule.component,
        rule.severity,
        rule.shape,
    ]


def unpacked(row: Row) -> Result:
    """Return the result again.

    Raises:
        ValueError: it is none.
    """
    path = None if row.path is None else _path(row.path)
    value = None if row.value is None else _term(row.value)
    return Result(_term(row.focus), value, Rule(path, row.component, row.severity, row.shape))


def _packed(term: Term) -> list[str]:
    match term:
        case NamedNode():
            return [term.value]
        case BlankNode():
            return ["_", term.value]
        case _:
            return [term.value, term.datatype.value, term.language or ""]


def _term(parts: list[str]) -> Term:
    match parts:
        case [iri]:
            return NamedNode(iri)
        case ["_", label]:
            return BlankNode(label)
        case [text, _, language] if language:
            return Literal(text, language=language)
        case [text, datatype, _]:
            return Literal(text, datatype=NamedNode(datatype))
        case _:
            raise ValueError(f"not a term: {parts!r}")


def _packed_path(path: Path) -> list[Any]:
    return [path.kind, path.iri, [_packed_path(part) for part in path.parts]]


def _path(parts: list[Any]) -> Path:
    match parts:
        case [str(kind), str(iri), list(inner)]:
            return Path(kind, iri, tuple(_path(part) for part in inner))
        case _:
            raise ValueError(f"not a path: {parts!r}")
