"""Findings in words that a person understands: what is wrong, what was found, what is allowed, how to mend it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from connector.standards.dcat.registers import file_type
from connector.standards.dcat.shacl.paths import members
from connector.standards.dcat.shacl.results import Path, Result, Term, key_of
from connector.standards.dcat.shacl.sentences import DATATYPES, LANGUAGES, Language, say
from connector.standards.dcat.shacl.speech import Speech, label, pick, shortened
from connector.standards.dcat.vocabulary import Vocabulary, entries, vocabulary
from connector.standards.rdf import compact, full

_SH: Final = full("sh:")
_LONGEST: Final = 80
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What would move the cursor of a terminal, or turn the direction of what follows."""
_SHOWN: Final = 5
_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20<>\"{}|\\^`]+")
_WRITTEN: Final[Mapping[str, re.Pattern[str]]] = {
    full(name): re.compile(pattern, re.ASCII)
    for name, pattern in {
        "xsd:dateTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?",
        "xsd:date": r"\d{4}-\d\d-\d\d(?:Z|[+-]\d\d:\d\d)?",
        "xsd:gYearMonth": r"\d{4}-\d\d",
        "xsd:gYear": r"\d{4}",
        "xsd:decimal": r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)",
        "xsd:integer": r"[-+]?[0-9]+",
        "xsd:nonNegativeInteger": r"\+?[0-9]+",
        "xsd:hexBinary": r"(?:[0-9A-Fa-f]{2})+",
        "xsd:duration": r"-?P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?",
    }.items()
}
_PLAIN: Final = {full("xsd:string"), full("rdf:langString")}
_NAMES: Final = tuple(map(full, ("dct:title", "foaf:name", "vcard:fn", "skos:prefLabel", "rdfs:label")))


@dataclass(frozen=True, slots=True)
class Words:
    """Where it is, as people call it; what is wrong; what is allowed; and what to do."""

    label: str
    message: str
    allowed: str | None
    fix: str


class Said:
    """What a record says of each node, for the words about it."""

    def __init__(self, record: Iterable[Triple]) -> None:
        self.index: defaultdict[str, list[tuple[str, Term]]] = defaultdict(list)
        self.referrers: dict[str, tuple[str, str]] = {}
        for triple in record:
            subject, target = cast("Term", triple.subject), cast("Term", triple.object)
            self.index[key_of(subject)].append((triple.predicate.value, target))
            if isinstance(target, BlankNode):
                self.referrers.setdefault(key_of(target), (key_of(subject), triple.predicate.value))

    def values(self, node: str, path: str | None) -> list[Term]:
        """Return the values of the property `path` of `node`, in order."""
        return sorted((value for predicate, value in self.index.get(node, ()) if predicate == path), key=str)

    def types(self, node: str) -> list[str]:
        """Return the classes of a node, in order."""
        return [value.value for value in self.values(node, full("rdf:type"))]

    def name(self, node: str, language: Language = "en") -> str:
        """Return what people call the node: its type, its title, and its IRI or where it hangs."""
        types = self.types(node)
        titles = [value.value for name in _NAMES for value in self.values(node, name) if isinstance(value, Literal)]
        parts = [_capital(label(types[0], language) if types else say("node", language))]
        if titles:
            parts.append(f'"{_short(titles[0])}"')
        if not node.startswith("_:"):
            parts.append(f"<{node}>")
        elif node in self.referrers:
            parent, path = self.referrers[node]
            unnamed = parent.startswith("_:")
            parts.append(say("under" if unnamed else "under of", language, path=compact(path), parent=parent))
        return " ".join(parts)


class Wording:
    """Puts the results of one set of shapes on one record into words.

    Args:
        speech: the words in the shapes.
        said: what the record says.
        language: of the sentences.
    """

    def __init__(self, speech: Speech, said: Said, language: Language) -> None:
        self.speech, self.said, self.language = speech, said, language

    def words(self, result: Result) -> Words:
        """Return the words for one result."""
        rule, shape = result.rule, result.rule.shape
        component = rule.component.removeprefix(_SH).removesuffix("ConstraintComponent")
        types = self.said.types(key_of(result.focus))
        thing = _capital(self.speech.thing(shape, types, self.language))
        name = self.speech.name(shape, rule.path, self.language)
        at = self._say("at", thing=thing, name=name) if name else thing
        allowed = self._allowed(shape, component, rule.path)
        message = self._message(result, component, thing, at, allowed)
        return Words(at, message, allowed, self._fix(result, component, allowed))

    def _say(self, key: str, **words: object) -> str:
        return say(key, self.language, **words)

    def _explained(self, shape: str, component: str) -> str | None:
        """Return what the shape itself says in words, for the rules that need it."""
        if component not in _EXPLAINED:
            return None
        return pick(self.speech.texts(shape, "message"), self.language)

    def _message(self, result: Result, component: str, thing: str, at: str, allowed: str | None) -> str:  # noqa: PLR0911 - one line per component
        shape, value = result.rule.shape, result.value
        found = None if value is None else self.describe(value)
        explained = self._explained(shape, component)
        match component:
            case "Closed":
                path = result.rule.path.text if result.rule.path else ""
                return self._say("closed", thing=thing, path=shortened(path), value=found)
            case "MinCount":
                return self._too_few(result, at)
            case "MaxCount":
                values = self._values_of(result)
                shown = ", ".join(self.describe(each) for each in values[:_SHOWN]) + (
                    ", …" if len(values) > _SHOWN else ""
                )
                most = self._number(shape, "maxCount")
                return self._say("more", at=at, found=len(values), most=most, values=shown)
            case _ if explained and found:
                return self._say("said_of", at=at, value=found, message=_sentence(explained))
            case _ if explained:
                return self._say("said", at=at, message=_sentence(explained))
            case _ if found:
                return self._say("wrong", at=at, value=found, wanted=allowed or self._say("shape"))
            case _:
                return self._say("asked", at=at, wanted=allowed or self._say("shape"))

    def _too_few(self, result: Result, at: str) -> str:
        values, least = self._values_of(result), self._number(result.rule.shape, "minCount")
        if not values and least <= 1:
            return self._say("missing", at=at)
        return self._say("fewer", at=at, found=len(values), least=least)

    def _values_of(self, result: Result) -> list[Term]:
        path = result.rule.path
        if path is None or path.kind != "iri":
            return []
        return self.said.values(key_of(result.focus), path.iri)

    def _number(self, shape: str, name: str) -> int:
        found = self.speech.one(shape, name)
        return int(found.value) if isinstance(found, Literal) and found.value.lstrip("+").isdecimal() else 1

    def describe(self, term: Term) -> str:
        """Return a value as it reads in a sentence."""
        match term:
            case NamedNode():
                return self._say("link", value=term.value)
            case BlankNode():
                return self._say("blank")
            case _ if term.datatype.value in _PLAIN:
                return self._say("text", value=_short(term.value))
            case _:
                return self._say("typed", value=_short(term.value), type=compact(term.datatype.value))

    # --- what is allowed ----------------------------------------------------------------------------------------------

    def _allowed(self, shape: str, component: str, path: Path | None) -> str | None:  # noqa: PLR0911 - one line per component
        """Return what is allowed, as far as this component asks; None where only the shape's own words can say."""
        simple = _PARAMETERS.get(component)
        if simple is not None:
            name, key = simple
            found = self.speech.values(shape, name)
            return ", ".join(self._parameter(key, each) for each in found) if found else None
        match component:
            case "In":
                return self._say("one of", values=self._listed(self.speech.one(shape, "in")))
            case "LanguageIn":
                return self._say("languages", values=self._listed(self.speech.one(shape, "languageIn")))
            case "UniqueLang":
                return self._say("unique")
            case "QualifiedMinCount" | "QualifiedMaxCount":
                most = self.speech.one(shape, "qualifiedMaxCount")
                least = self.speech.one(shape, "qualifiedMinCount")
                words = (
                    each.value if isinstance(each, Literal) else other for each, other in ((least, "0"), (most, "∞"))
                )
                return self._say("fitting", **dict(zip(("least", "most"), words, strict=True)))
            case "MinCount" if path is not None:
                return self._kinds(shape)
            case "Node":
                return self._of_nodes(self.speech.values(shape, "node"))
            case _:
                return None

    def _kinds(self, shape: str) -> str | None:
        """Return what kind of value a property takes, for one that has none yet."""
        for component in ("Class", "Datatype", "Node", "NodeKind"):
            if found := self._allowed(shape, component, None):
                return found
        return None

    def _parameter(self, key: str, value: Term) -> str:  # noqa: PLR0911 - one line per component
        iri = key_of(value)
        match key:
            case "kind":
                return self._say(f"kind {iri.removeprefix(_SH)}")
            case "datatype" if iri in DATATYPES:
                kind = DATATYPES[iri][LANGUAGES.index(self.language)]
                return self._say("of type", kind=kind, iri=compact(iri))
            case "datatype":
                return self._say("any type", iri=shortened(iri))
            case "class":
                return self._say("class", label=label(iri, self.language), iri=shortened(iri))
            case "equal" | "unlike" | "before" | "not after":
                return self._say(key, other=label(iri, self.language))
            case "the value":
                return self._say(key, value=self.describe(value))
            case _:
                return self._say(key, value=value.value)

    def _of_nodes(self, nodes: Sequence[Term]) -> str | None:
        """Return what shapes that a value is held to say in words."""
        said = [pick(self.speech.texts(key_of(node), "message"), self.language) for node in nodes]
        return "; ".join(each.rstrip(".") for each in said if each) or None

    def _listed(self, head: Term | None) -> str:
        found = members(self.speech.graph, head) if head is not None else None
        shown = [
            each.value if isinstance(each, Literal) else shortened(key_of(each)) for each in (found or ())[:_SHOWN]
        ]
        return ", ".join(shown) + (", …" if found and len(found) > _SHOWN else "")

    # --- what to do ---------------------------------------------------------------------------------------------------

    def _fix(self, result: Result, component: str, allowed: str | None) -> str:  # noqa: PLR0911 - one line per component
        shape, value = result.rule.shape, result.value
        if component == "MaxCount":
            return self._say("keep")
        if component in {"Closed", "Disjoint"}:
            return self._say("remove")
        if isinstance(value, Literal) and (mended := self._mended(shape, component, value.value)):
            return self._say("write", value=mended)
        if (name := self.speech.own(shape, "vocabulary")) is not None and (found := self._from_list(name, value)):
            return found
        missing = value is None or result.rule.path is None
        if (example := self.speech.own(shape, "example")) is not None and component != "Class":
            return self._say("add like" if missing else "write like", value=example)
        if component == "Class" and value is not None and not isinstance(value, Literal):
            kind = self.speech.one(shape, "class")
            written = f"<{value.value}>" if isinstance(value, NamedNode) else "[]"
            return self._say("type", value=written, iri=shortened(key_of(kind)) if kind else "…")
        wanted = allowed or pick(self.speech.texts(shape, "message"), self.language) or self._say("shape")
        key = "complete" if result.rule.path is None else "add" if missing else "change"
        return self._say(key, wanted=wanted.rstrip("."))

    def _mended(self, shape: str, component: str, text: str) -> str | None:
        """Return the same value written as asked, where only the writing is at fault."""
        match component:
            case "NodeKind" if _IRI.fullmatch(text) and "Literal" not in key_of(
                self.speech.one(shape, "nodeKind") or _NO
            ):
                return f"<{text}>"
            case "Datatype":
                kinds = [key_of(each) for each in self.speech.values(shape, "datatype")]
            case "Node" | "Or":
                kinds = self._alternatives(shape, component)
            case _:
                return None
        found = next((kind for kind, form in _WRITTEN.items() if kind in kinds and form.fullmatch(text)), None)
        return f'"{text}"^^{compact(found)}' if found else None

    def _alternatives(self, shape: str, component: str) -> list[str]:
        """Return the datatypes that a value may have by the alternatives of a shape."""
        holders = [shape] if component == "Or" else [key_of(each) for each in self.speech.values(shape, "node")]
        lists = [head for holder in holders for head in self.speech.values(holder, "or")]
        parts = [part for head in lists for part in members(self.speech.graph, head) or ()]
        return [key_of(each) for part in parts for each in self.speech.values(key_of(part), "datatype")]

    def _from_list(self, name: str, value: Term | None) -> str | None:
        """Return the advice to take a term of a list, with the terms nearest to what was found."""
        try:
            terms = vocabulary(name)
        except FileNotFoundError:
            return None
        near = _nearest(name, value.value) if isinstance(value, Literal | NamedNode) else ()
        if near:
            return self._say("nearest", list=terms.title, terms=self._terms(terms, near))
        common = entries()[name].common
        known = [term.iri for code in common for term in terms.terms.values() if term.code == code]
        some = known or [term.iri for term in terms.terms.values() if not term.deprecated][:3]
        return self._say("such as", list=terms.title, count=len(terms.terms), terms=self._terms(terms, some))

    def _terms(self, terms: Vocabulary, iris: Iterable[str]) -> str:
        return ", ".join(f'"{terms.terms[iri].label(self.language)}" <{iri}>' for iri in iris)


_NO: Final = NamedNode("urn:none")
_PARAMETERS: Final[Mapping[str, tuple[str, str]]] = {
    "NodeKind": ("nodeKind", "kind"),
    "Datatype": ("datatype", "datatype"),
    "Class": ("class", "class"),
    "Pattern": ("pattern", "pattern"),
    "MinLength": ("minLength", "longer"),
    "MaxLength": ("maxLength", "shorter"),
    "MinInclusive": ("minInclusive", "minInclusive"),
    "MinExclusive": ("minExclusive", "minExclusive"),
    "MaxInclusive": ("maxInclusive", "maxInclusive"),
    "MaxExclusive": ("maxExclusive", "maxExclusive"),
    "HasValue": ("hasValue", "the value"),
    "Equals": ("equals", "equal"),
    "Disjoint": ("disjoint", "unlike"),
    "LessThan": ("lessThan", "before"),
    "LessThanOrEquals": ("lessThanOrEquals", "not after"),
}
"""Components whose parameter says it all: the parameter, and the sentence about it."""
_EXPLAINED: Final = frozenset(
    {"Pattern", "Or", "And", "Not", "Xone", "HasValue", "In", "QualifiedMinCount", "QualifiedMaxCount", "SPARQL"}
)
"""Components for which the words of the shape itself come first."""


@lru_cache(maxsize=1024)
def _nearest(name: str, word: str) -> tuple[str, ...]:
    if name == "file-type" and (found := file_type(word.rpartition("media-types/")[2])):
        return (found,)
    return tuple(term.iri for term in vocabulary(name).nearest(word))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _short(text: str) -> str:
    text = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
