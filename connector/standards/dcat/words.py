"""Findings in words that a person understands: what is wrong, what was found, what is allowed, how to mend it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from connector.standards.dcat.vocabulary import vocabulary
from connector.standards.rdf import GD, compact, full

Term: TypeAlias = NamedNode | BlankNode | Literal

_LONGEST: Final = 80
_ASKED: Final = "It meets the profile."
_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20<>\"{}|\\^`]+")
_KINDS: Final[Mapping[str, str]] = {
    full("sh:Literal"): "text, not a link",
    full("sh:IRI"): "a link (an IRI)",
    full("sh:BlankNodeOrIRI"): "a link (an IRI) or a node of its own",
}
_TYPES: Final[Mapping[str, tuple[str, re.Pattern[str]]]] = {
    full("xsd:decimal"): ("a decimal number", re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")),
    full("xsd:nonNegativeInteger"): ("a whole number from 0 up", re.compile(r"\+?[0-9]+")),
    full("xsd:hexBinary"): ("hexadecimal digits", re.compile(r"(?:[0-9A-Fa-f]{2})+")),
    full("xsd:duration"): (
        "a duration",
        re.compile(r"-?P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?", re.ASCII),
    ),
}
_DATES: Final = (
    (full("xsd:dateTime"), re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)),
    (full("xsd:date"), re.compile(r"\d{4}-\d\d-\d\d(?:Z|[+-]\d\d:\d\d)?", re.ASCII)),
    (full("xsd:gYearMonth"), re.compile(r"\d{4}-\d\d", re.ASCII)),
    (full("xsd:gYear"), re.compile(r"\d{4}", re.ASCII)),
)
_PLAIN: Final = {full("xsd:string"), full("rdf:langString")}
_NAMES: Final = tuple(map(full, ("dct:title", "foaf:name", "vcard:fn", "skos:prefLabel", "rdfs:label")))


@dataclass(frozen=True, slots=True)
class Rule:
    """What a shape says in words: of which thing, which property, what is asked, how it is written, from which list."""

    thing: str = "node"
    name: str = ""
    asked: str = _ASKED
    kind: str | None = None
    datatype: str | None = None
    node: str | None = None
    example: str | None = None
    vocabulary: str | None = None

    @property
    def label(self) -> str:
        """The thing and the property as people call them."""
        return f"{self.thing}: {self.name}" if self.name else self.thing


@dataclass(frozen=True, slots=True)
class Words:
    """What is wrong, and what to do."""

    message: str
    fix: str


class Said:
    """What a record says of each node, for the words about it."""

    def __init__(self, record: Iterable[Triple]) -> None:
        self.index: defaultdict[str, list[tuple[str, Term]]] = defaultdict(list)
        self.referrers: dict[str, tuple[str, str]] = {}
        for triple in record:
            subject, target = cast("Term", triple.subject), cast("Term", triple.object)
            self.index[_key(subject)].append((triple.predicate.value, target))
            if isinstance(target, BlankNode):
                self.referrers.setdefault(_key(target), (_key(subject), triple.predicate.value))

    def values(self, node: str, path: str | None) -> list[Term]:
        """Return the values of the property `path` of `node`, in order."""
        return sorted((value for predicate, value in self.index.get(node, ()) if predicate == path), key=str)

    def name(self, node: str) -> str:
        """Return what people call the node: its type, its title, and its IRI or where it hangs."""
        types = [compact(value.value) for value in self.values(node, full("rdf:type"))]
        titles = [value.value for name in _NAMES for value in self.values(node, name) if isinstance(value, Literal)]
        parts = [types[0].partition(":")[2] or types[0] if types else "Node"]
        if titles:
            parts.append(f'"{_short(titles[0])}"')
        if not node.startswith("_:"):
            parts.append(f"<{node}>")
        elif node in self.referrers:
            parent, path = self.referrers[node]
            parts.append(f"under {compact(path)}" + ("" if parent.startswith("_:") else f" of <{parent}>"))
        return " ".join(parts)


def rules_of(shapes: Iterable[Triple]) -> Mapping[str, Rule]:
    """Return the words in a shapes graph, by the IRI of the shape they stand at."""
    said = Said(shapes)

    def one(node: str, name: str) -> str | None:
        values = said.values(node, name)
        return values[0].value if values else None

    rules: dict[str, Rule] = {}
    for node in tuple(said.index):
        thing = one(node, full("sh:name")) or "node"
        for part in said.values(node, full("sh:property")):
            shape = _key(part)
            below = one(shape, full("sh:node"))
            rules[shape] = Rule(
                thing=thing,
                name=one(shape, full("sh:name")) or "value",
                asked=one(shape, full("sh:message")) or _ASKED,
                kind=one(shape, full("sh:nodeKind")),
                datatype=one(shape, full("sh:datatype")),
                node=one(below, full("sh:message")) if below else None,
                example=one(shape, GD + "example"),
                vocabulary=one(shape, GD + "vocabulary"),
            )
    return rules


def words_for(rule: Rule, component: str, values: Sequence[Term], value: Term | None) -> Words:
    """Return the words for one result.

    Args:
        rule: what the broken shape says.
        component: local name of the SHACL constraint component.
        values: every value that the property has.
        value: the value that is at fault, where there is one.
    """
    match component:
        case "MinCountConstraintComponent":
            message = f"The {rule.thing} has no {rule.name}."
        case "MaxCountConstraintComponent":
            shown = ", ".join(describe(each) for each in values[:5]) + (", …" if len(values) > 5 else "")  # noqa: PLR2004
            message = f"The {rule.thing} has {len(values)} values for {rule.name}, and one is allowed: {shown}."
            return Words(message, "Keep the one that is right.")
        case _:
            wanted = _wanted(rule, component)
            if value is None or wanted is None:
                message = rule.asked
            else:
                message = f"For {rule.name}, the {rule.thing} has {describe(value)}, but it must be {wanted}."
    return Words(message, _fix(rule, component, value))


def describe(term: Term) -> str:
    """Return a value as it reads in a sentence."""
    match term:
        case NamedNode():
            return f"the link <{term.value}>"
        case BlankNode():
            return "a node without an IRI"
        case _:
            kind = "" if term.datatype.value in _PLAIN else f" of type {compact(term.datatype.value)}"
            return f'the text "{_short(term.value)}"{kind}'


def _wanted(rule: Rule, component: str) -> str | None:
    """Return what the property takes, as far as this component asks."""
    match component:
        case "NodeKindConstraintComponent":
            return _KINDS.get(rule.kind or "")
        case "DatatypeConstraintComponent" if rule.datatype is not None:
            plain = _TYPES.get(rule.datatype)
            return f"{plain[0]} ({compact(rule.datatype)})" if plain else f"of type {compact(rule.datatype)}"
        case "NodeConstraintComponent":
            return rule.node
        case _:
            return None


def _fix(rule: Rule, component: str, value: Term | None) -> str:
    if isinstance(value, Literal) and (mended := _mended(rule, component, value.value)):
        return f"Write it as {mended}."
    if rule.vocabulary is not None:
        return _from_vocabulary(rule.vocabulary, value)
    verb = "Add it" if component == "MinCountConstraintComponent" else "Write it"
    return f"{verb} like this: {rule.example}" if rule.example else f"What is asked: {rule.asked}"


def _mended(rule: Rule, component: str, text: str) -> str | None:
    """Return the same value written as asked, where only the writing is at fault."""
    match component:
        case "NodeKindConstraintComponent" if _IRI.fullmatch(text):
            return f"<{text}>"
        case "DatatypeConstraintComponent" if (kind := rule.datatype) is not None and kind in _TYPES:
            return f'"{text}"^^{compact(kind)}' if _TYPES[kind][1].fullmatch(text) else None
        case "NodeConstraintComponent" if "date" in (rule.node or ""):
            found = next((kind for kind, pattern in _DATES if pattern.fullmatch(text)), None)
            return f'"{text}"^^{compact(found)}' if found else None
        case _:
            return None


def _from_vocabulary(name: str, value: Term | None) -> str:
    """Return the advice to take a term of a list, with the terms nearest to what was found."""
    terms = vocabulary(name)
    near = terms.nearest(value.value) if isinstance(value, Literal | NamedNode) else []
    if near:
        shown = ", ".join(f'"{term.label()}" <{term.iri}>' for term in near)
        return f'Use a term of the list "{terms.title}"; the nearest: {shown}.'
    some = list(terms.terms.values())
    in_use = [term for term in some if not term.deprecated][:3]
    shown = ", ".join(f'"{term.label()}" <{term.iri}>' for term in in_use)
    return f'Use one of the {len(some)} terms of the list "{terms.title}", such as {shown}.'


def _key(term: Term) -> str:
    return f"_:{term.value}" if isinstance(term, BlankNode) else term.value


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
