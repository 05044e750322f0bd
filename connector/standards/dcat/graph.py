"""The plain model to triples and back, by the one property table.

`read` gives the plain view of a record: where the graph says more or says it otherwise than the table knows, those
triples are left out of the view and nothing is refused. `read` of `write` is the same model again.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from math import isfinite
from typing import Any, Final, TypeAlias, cast
from urllib.parse import quote, unquote

from msgspec.structs import fields, replace
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from connector.errors import InvalidInput, TooLarge
from connector.standards.dcat import geometry
from connector.standards.dcat.model import Dataset, Node
from connector.standards.dcat.table import TABLE, Form, Property
from connector.standards.rdf import Triples, full

Term: TypeAlias = NamedNode | BlankNode | Literal
Subject: TypeAlias = NamedNode | BlankNode

_TYPE: Final = NamedNode(full("rdf:type"))
_DATASET: Final = full("dcat:Dataset")
_SERIES: Final = full("dcat:DatasetSeries")
_LARGEST: Final = 20_000
_CF: Final = "http://vocab.nerc.ac.uk/standard_name/"
_TIMES: Final = (
    (re.compile(r"-?\d{4,}(?:Z|[+-]\d\d:\d\d)?", re.ASCII), "xsd:gYear"),
    (re.compile(r"-?\d{4,}-\d\d(?:Z|[+-]\d\d:\d\d)?", re.ASCII), "xsd:gYearMonth"),
    (re.compile(r"-?\d{4,}-\d\d-\d\d(?:Z|[+-]\d\d:\d\d)?", re.ASCII), "xsd:date"),
    (re.compile(r"-?\d{4,}-\d\d-\d\dT.*", re.ASCII), "xsd:dateTime"),
)
_TYPED: Final = {
    Form.DURATION: "xsd:duration",
    Form.DECIMAL: "xsd:decimal",
    Form.COUNT: "xsd:nonNegativeInteger",
    Form.HEX: "xsd:hexBinary",
    Form.BOX: "geo:wktLiteral",
    Form.POINT: "geo:wktLiteral",
    Form.WKT: "geo:wktLiteral",
}
_GEOMETRY_IRI: Final = NamedNode(full("locn:geometry"))


def write(dataset: Dataset) -> Triples:
    """Return the record as triples; a node without an id becomes a blank node.

    Raises:
        InvalidInput: an IRI or a language tag in it is not one; `where` names the property.
    """
    writer = _Writer(dataset.id)
    subject = writer.iri(dataset.id, "id")
    writer.found.append(Triple(subject, _TYPE, NamedNode(_SERIES if dataset.kind == "series" else _DATASET)))
    writer.properties(subject, dataset)
    return tuple(dict.fromkeys(writer.found))


def subjects(triples: Iterable[Triple]) -> list[str]:
    """Return the IRIs of the datasets that the triples describe, in order; blank ones need `skolemise` first.

    What is typed as a series too is one: DCAT 3 has series among the datasets, DCAT-AP beside them.
    """
    record = tuple(triples)
    found = set(series(record))
    return sorted(_typed(record, _DATASET) - found)


def series(triples: Iterable[Triple]) -> list[str]:
    """Return the IRIs of the dataset series that the triples describe, in order."""
    return sorted(_typed(triples, _SERIES))


def _typed(triples: Iterable[Triple], kind: str) -> set[str]:
    return {
        triple.subject.value
        for triple in triples
        if triple.predicate == _TYPE
        and isinstance(triple.subject, NamedNode)
        and isinstance(triple.object, NamedNode)
        and triple.object.value == kind
    }


def read(triples: Iterable[Triple], subject: str | None = None) -> Dataset:
    """Return the plain view of the dataset or series `subject`, or of the only one.

    Raises:
        InvalidInput: there is no such dataset, or there are several and none is named.
        TooLarge: its parts refer to one another so often that the view, written out, would be too large.
    """
    record = tuple(triples)
    if subject is None:
        subject = _only(subjects(record) or series(record))
    reader = _Reader(record)
    node = NamedNode(subject)
    if node not in reader.index:
        raise InvalidInput(f"The record says nothing about {subject!r}.", where=subject)
    found = cast("Dataset", reader.node(Dataset, node))
    return replace(found, kind="series") if subject in _typed(record, _SERIES) else found


def _only(found: Sequence[str]) -> str:
    if not found:
        raise InvalidInput(
            "The record describes no dataset.", fix="Give it the type dcat:Dataset and an IRI of its own."
        )
    if len(found) > 1:
        raise InvalidInput(f"The record describes {len(found)} datasets.", fix="Name one of them.", reasons=found[:10])
    return found[0]


class _Writer:
    """Collects the triples of one record; its blank nodes are numbered, so that the same record writes the same."""

    def __init__(self, seed: str) -> None:
        self.found: list[Triple] = []
        self.seed = sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        self.blank = 0

    def properties(self, subject: Subject, node: Node) -> None:
        """Write every property that `node` has."""
        for row in TABLE[type(node)]:
            value = getattr(node, row.field)
            if value is None or value in ((), {}):
                continue
            for single in value if isinstance(value, tuple) and row.form not in {Form.BOX, Form.POINT} else (value,):
                for predicate, target in self.values(row, single):
                    self.found.append(Triple(subject, predicate, target))

    def values(self, row: Property, value: Any) -> Iterator[tuple[NamedNode, Term]]:
        """Yield the statements that say one value."""
        predicate = NamedNode(row.iri)
        match row.form:
            case Form.NODE:
                yield predicate, self.child(value, row)
            case Form.TEXT:
                for language, text in value.items():
                    yield predicate, self.text(text, language, row.field)
            case Form.TEXTS:
                for language, texts in value.items():
                    yield from ((predicate, self.text(text, language, row.field)) for text in texts)
            case Form.BOX if value[0] > value[2]:
                yield _GEOMETRY_IRI, _literal(row.form, geometry.box_wkt(value))
            case _:
                yield predicate, self.single(row, value)

    def single(self, row: Property, value: Any) -> Term:  # noqa: PLR0911 - one line per form
        """Return the term for a value that is one term."""
        match row.form:
            case Form.IRI:
                return self.iri(value, row.field)
            case Form.MAILTO:
                return self.iri(f"mailto:{quote(value, safe='@!$&*+/=?~')}", row.field)
            case Form.TEL:
                return self.iri(f"tel:{value}", row.field)
            case Form.CF_NAME:
                return self.iri(_CF + value, row.field)
            case Form.TIME:
                return _time(value)
            case Form.BOX:
                return _literal(row.form, geometry.box_wkt(value))
            case Form.POINT:
                return _literal(row.form, geometry.point_wkt(value))
            case Form.DECIMAL:
                return _literal(row.form, geometry.number(value))
            case _:
                return _literal(row.form, str(value))

    def child(self, node: Node, row: Property) -> Subject:
        """Write a nested node and return its name; one that is a reference is only named."""
        if node.is_reference:
            return self.iri(node.id, row.field)
        self.blank += 1
        name = self.iri(node.id, row.field) if node.id is not None else BlankNode(f"b{self.seed}n{self.blank}")
        if row.type is not None:
            self.found.append(Triple(name, _TYPE, NamedNode(row.type)))
        self.properties(name, node)
        return name

    def iri(self, value: Any, field: str) -> NamedNode:
        """Return the IRI, checked."""
        try:
            return NamedNode(value)
        except ValueError as error:
            raise InvalidInput(f"{value!r} is not an absolute IRI: {error}", where=field) from error

    def text(self, value: str, language: str, field: str) -> Literal:
        """Return the literal in its language."""
        try:
            return Literal(value, language=language) if language else Literal(value)
        except ValueError as error:
            raise InvalidInput(f"{language!r} is not a language tag: {error}", where=field) from error


def _literal(form: Form, text: str) -> Literal:
    return Literal(text, datatype=NamedNode(full(_TYPED[form]))) if form in _TYPED else Literal(text)


def _time(value: str) -> Literal:
    """Return the literal typed by what it looks like; anything else stays a plain string, which the shapes refuse."""
    for pattern, name in _TIMES:
        if pattern.fullmatch(value):
            return Literal(value, datatype=NamedNode(full(name)))
    return Literal(value)


class _Reader:
    """Looks up what a record says of each node; a node is read once, however often it is mentioned."""

    def __init__(self, record: Iterable[Triple]) -> None:
        self.index: defaultdict[Subject, defaultdict[str, list[Term]]] = defaultdict(lambda: defaultdict(list))
        for triple in record:
            self.index[cast("Subject", triple.subject)][triple.predicate.value].append(cast("Term", triple.object))
        self.known: dict[tuple[type[Node], Subject], Node] = {}
        self.sizes: dict[tuple[type[Node], Subject], int] = {}

    def node(self, kind: type[Node], name: Subject) -> Node:
        """Return the node `name` as an instance of `kind`; the table has no kind within itself, so this ends.

        Raises:
            TooLarge: written out, with each mention in its place, the view would be too large.
        """
        if (kind, name) in self.known:
            return self.known[kind, name]
        said: Mapping[str, Sequence[Term]] = self.index.get(name, {})
        found: dict[str, Any] = {"id": name.value} if isinstance(name, NamedNode) else {}
        size = 1
        for row in TABLE[kind]:
            terms = sorted(said.get(row.iri, ()), key=str)
            values = [value for term in terms if (value := self.value(row, term)) is not None]
            size += sum(self.sizes.get((row.node, cast("Subject", term)), 0) for term in terms if row.node is not None)
            if size > _LARGEST:
                raise TooLarge(f"The plain view of the record would have more than {_LARGEST} nodes.")
            if values:
                found[row.field] = _joined(row, kind, values)
        if "bbox" in found and found["bbox"][0] > found["bbox"][2]:
            found.pop("geometry", None)  # a box across the meridian stands for the geometry
        self.sizes[kind, name] = size
        self.known[kind, name] = kind(**found)
        return self.known[kind, name]

    def value(self, row: Property, term: Term) -> Any:
        """Return what one term says, or None where it is not what the property expects."""
        if row.form is Form.NODE:
            return None if isinstance(term, Literal) or row.node is None else self.node(row.node, term)
        return _plain_literal(row.form, term) if isinstance(term, Literal) else _plain_iri(row.form, term)


def _joined(row: Property, kind: type[Node], values: list[Any]) -> Any:
    """Return the field's value from the single ones: a mapping, a tuple, or the first."""
    match row.form:
        case Form.TEXT:
            return dict(reversed(values))  # the first of a language wins
        case Form.TEXTS:
            texts: defaultdict[str, list[str]] = defaultdict(list)
            for language, text in values:
                texts[language].append(text)
            return {language: tuple(each) for language, each in texts.items()}
        case _ if _is_many(kind, row.field):
            return tuple(values)
        case _:
            return values[0]


@cache
def _is_many(kind: type[Node], field: str) -> bool:
    return any(each.name == field and each.default == () for each in fields(kind))


def _plain_literal(form: Form, term: Literal) -> Any:  # noqa: PLR0911 - one line per form
    text = term.value
    match form:
        case Form.TEXT | Form.TEXTS:
            return ((term.language or "").lower(), text)
        case Form.STRING | Form.TIME | Form.DURATION | Form.WKT:
            return text
        case Form.HEX:
            return text.lower()
        case Form.DECIMAL:
            return _float(text)
        case Form.COUNT:
            return int(text) if re.fullmatch(r"\+?[0-9]{1,40}", text) else None
        case Form.BOX:
            return geometry.box_of(text, term.datatype.value)
        case Form.POINT:
            return geometry.point_of(text, term.datatype.value)
        case Form.MAILTO:
            return text.strip() or None
        case _:
            return None


def _plain_iri(form: Form, term: Term) -> Any:
    iri = term.value
    if isinstance(term, BlankNode):
        return None
    match form:
        case Form.IRI | Form.STRING:
            return iri
        case Form.MAILTO:
            return unquote(iri.removeprefix("mailto:"))
        case Form.TEL:
            return iri.removeprefix("tel:")
        case Form.CF_NAME:
            return iri.removeprefix(_CF).rstrip("/") if iri.startswith(_CF) else None
        case _:
            return None


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
