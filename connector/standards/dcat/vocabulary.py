"""The controlled vocabularies that ship in `vocab/`: their terms, labels, and the terms nearest to a word."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Final

from pyoxigraph import Literal, NamedNode

from connector import library
from connector.standards.rdf import Format, full, parse

_SCHEME: Final = full("skos:ConceptScheme")
_NEAR: Final = 0.6
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Term:
    """A concept: its IRI, its code, its label per language, the broader terms, and whether it is out of use."""

    iri: str
    code: str
    labels: Mapping[str, str]
    broader: tuple[str, ...] = ()
    deprecated: bool = False

    def label(self, *languages: str) -> str:
        """Return the label in the first of `languages` that there is, else in English, else the code."""
        return next((self.labels[each] for each in (*languages, "en", "") if each in self.labels), self.code)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A controlled list: its name in `vocab/`, its title and its terms by IRI."""

    name: str
    title: str
    terms: Mapping[str, Term]

    def nearest(self, word: str, count: int = 3) -> list[Term]:
        """Return up to `count` terms in use whose code, label or IRI is nearest to `word`, the nearest first."""
        wanted = word[:_LONGEST].casefold().strip()
        if not wanted:
            return []
        scored = (
            (-max((_likeness(wanted, name) for name in _names(term)), default=0.0), term.iri)
            for term in self.terms.values()
            if not term.deprecated
        )
        return [self.terms[iri] for score, iri in sorted(scored)[:count] if -score >= _NEAR]


@cache
def vocabulary(name: str) -> Vocabulary:
    """Return the vocabulary `name`, such as `data-theme`.

    Raises:
        FileNotFoundError: no vocabulary of that name ships.
    """
    said: dict[str, dict[str, list[NamedNode | Literal]]] = {}
    for triple in parse(library.read("vocab", f"{name}.ttl"), Format.TURTLE):
        if isinstance(triple.subject, NamedNode) and isinstance(triple.object, NamedNode | Literal):
            said.setdefault(triple.subject.value, {}).setdefault(triple.predicate.value, []).append(triple.object)
    schemes = {iri for iri, each in said.items() if _SCHEME in _values(each.get(full("rdf:type"), ()))}
    titles = [_labels(said[iri]).get("en", "") for iri in schemes]
    terms = {iri: _term(iri, each) for iri, each in said.items() if iri not in schemes}
    return Vocabulary(name, titles[0] if titles else name.replace("-", " ").capitalize(), terms)


def _term(iri: str, said: Mapping[str, list[NamedNode | Literal]]) -> Term:
    codes = _values(said.get(full("skos:notation"), ()))
    return Term(
        iri,
        codes[0] if codes else iri,
        _labels(said),
        tuple(_values(said.get(full("skos:broader"), ()))),
        "true" in _values(said.get(full("owl:deprecated"), ())),
    )


def _labels(said: Mapping[str, list[NamedNode | Literal]]) -> dict[str, str]:
    labels = said.get(full("skos:prefLabel"), ())
    return {each.language or "": each.value for each in labels if isinstance(each, Literal)}


def _values(terms: Iterable[NamedNode | Literal]) -> list[str]:
    return [term.value for term in terms]


def _names(term: Term) -> Iterable[str]:
    return (term.code.casefold(), *(label.casefold() for label in term.labels.values()), term.iri.casefold())


def _likeness(wanted: str, name: str) -> float:
    """Return how like two names are, from 0 to 1; a whole word in common counts for much."""
    if wanted == name:
        return 1.0
    words = set(name.replace(",", " ").split())
    if wanted in words or name in wanted.split():
        return 0.9
    matcher = SequenceMatcher(None, wanted, name, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= _NEAR and matcher.quick_ratio() >= _NEAR else 0.0
