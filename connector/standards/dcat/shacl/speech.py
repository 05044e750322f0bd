"""What shapes and things are called: the words that stand in the shapes, and the labels of classes and properties."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from pyoxigraph import Literal, NamedNode, RdfFormat, Triple
from pyoxigraph import parse as engine_parse

from connector import library
from connector.standards.dcat.shacl.results import Path, Term, key_of
from connector.standards.dcat.shacl.sentences import Language, say
from connector.standards.dcat.shacl.view import NONE, Index, index_of
from connector.standards.rdf import GD, compact, full

_LABELS: Final = "labels.ttl"
_TARGET: Final = NamedNode(full("sh:targetClass"))
_INNER: Final = tuple(NamedNode(full(f"sh:{name}")) for name in ("property", "node"))

Words = Mapping[str, str]
"""A text by language; the empty tag for none."""


@cache
def labels() -> Mapping[str, Words]:
    """Return what each class and property is called, by its IRI and by language."""
    found: dict[str, dict[str, str]] = {}
    for quad in engine_parse(library.read("shapes", _LABELS), format=RdfFormat.TURTLE):
        if isinstance(quad.object, Literal) and isinstance(quad.subject, NamedNode):
            found.setdefault(quad.subject.value, {})[quad.object.language or ""] = quad.object.value
    return found


def pick(words: Words, language: Language) -> str | None:
    """Return the text in the language, else in English, else in any."""
    return next((words[each] for each in (language, "en", "", *words) if each in words), None)


def local_name(iri: str) -> str:
    """Return the last part of an IRI."""
    return iri.rstrip("/#").replace("#", "/").rpartition("/")[2].rpartition(":")[2] or iri


def label(iri: str, language: Language) -> str:
    """Return what a class or property is called."""
    return pick(labels().get(iri, {}), language) or local_name(iri)


class Speech:
    """The words in a shapes graph."""

    def __init__(self, shapes: Iterable[Triple]) -> None:
        self.graph: Index = index_of(shapes)
        self._nodes = {key_of(node): node for node in self.graph}
        self._outer: dict[Term, Term] = {}
        for node, said in self.graph.items():
            for predicate in _INNER:
                for inner in said.get(predicate, ()):
                    self._outer.setdefault(inner, node)

    @property
    def shapes(self) -> Iterable[str]:
        """The property shapes in it."""
        path = NamedNode(full("sh:path"))
        return (key for key, node in self._nodes.items() if path in self.graph[node])

    def values(self, shape: str, name: str) -> list[Term]:
        """Return the values of a term of SHACL at a shape."""
        node = self._nodes.get(shape)
        return [] if node is None else list(self.graph[node].get(NamedNode(full(f"sh:{name}")), ()))

    def one(self, shape: str, name: str) -> Term | None:
        """Return the first of the values."""
        found = self.values(shape, name)
        return found[0] if found else None

    def texts(self, shape: str, name: str) -> Words:
        """Return a text at a shape by language, such as sh:name."""
        found = self.values(shape, name)
        return {each.language or "": each.value for each in found if isinstance(each, Literal)}

    def own(self, shape: str, name: str) -> str | None:
        """Return a text of our own at a shape: gd:example or gd:vocabulary."""
        said = self.graph.get(self._nodes.get(shape, NamedNode("urn:none")), NONE)
        found = next(iter(said.get(NamedNode(GD + name), ())), None)
        return found.value if isinstance(found, Literal) else None

    def name(self, shape: str, path: Path | None, language: Language) -> str | None:
        """Return what the property of a shape is called; None for a shape of the node itself."""
        if path is None:
            return None
        own = self.texts(shape, "name")
        if language in own:
            return own[language]
        parts = path.properties
        known = [labels().get(iri, {}) for iri in parts]
        if len(parts) == 1 and language in known[0]:
            return known[0][language]
        return pick(own, language) or " / ".join(label(iri, language) for iri in parts) or path.text

    def thing(self, shape: str, types: Iterable[str], language: Language) -> str:
        """Return what the node is that a shape is about: the class that is targeted, or else one that it has."""
        node = self._nodes.get(shape)
        targets: set[str] = set()
        own: Words = {}
        while node is not None:
            targets |= {key_of(each) for each in self.graph.get(node, NONE).get(_TARGET, ())}
            if targets:
                own = self.texts(key_of(node), "name")
                break
            node = self._outer.get(node)
        ordered = sorted(types)
        chosen = next((each for each in ordered if each in targets), ordered[0] if ordered else None)
        if chosen in targets and language in own:
            return own[language]
        known = labels().get(chosen or "", {})
        if language in known:
            return known[language]
        return pick(own, language) or (label(chosen, language) if chosen else say("node", language))


def shortened(iri: str) -> str:
    """Return an IRI with a known prefix, or in angle brackets."""
    short = compact(iri)
    return f"<{iri}>" if short == iri else short
