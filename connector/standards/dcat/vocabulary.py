"""The controlled vocabularies that ship in `vocab/`: terms, labels, the terms nearest to a word, and what an IRI is.

`vocab/manifest.toml` says what there is; a list is read when it is first asked for, and kept. Nothing is ever fetched.
"""

import csv
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, cached_property
from io import StringIO
from typing import Final

import msgspec
from pyoxigraph import Literal, NamedNode, RdfFormat, Triple
from pyoxigraph import parse as engine_parse

from connector import library
from connector.standards.rdf import Triples, full

_SCHEME: Final = full("skos:ConceptScheme")
_CONCEPT: Final = full("skos:Concept")
_TYPE: Final = NamedNode(full("rdf:type"))
_LABEL: Final = NamedNode(full("skos:prefLabel"))
_NEAR: Final = 0.6
_LONGEST: Final = 200
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_IRI_END: Final = re.compile(r"[/#]")
_EPSG: Final = re.compile(r"[0-9]{4,6}")
_UNIT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OPEN: Final = {
    "media-type": _MEDIA_TYPE,
    "crs": _EPSG,
    "qudt-unit": _UNIT,
}  # selections of registers: what any entry of them looks like
_PLACES: Final = "http://publications.europa.eu/resource/authority/place"
_PLACE: Final = re.compile(rf"{re.escape(_PLACES)}/([A-Z0-9]{{3}}_[A-Z0-9]{{2,8}})")  # three thousand, none ships


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of `vocab/manifest.toml`: what a file is, where it is from, under which licence it is passed on.

    Attributes:
        file: its name in `vocab/`.
        title: what it is, in English.
        source: where it was taken from.
        version: of the source.
        licence: under which it is passed on.
        attribution: whom to name.
        note: what is missing, or was left out.
        scheme: IRI of the concept scheme.
        base: what the IRIs of its concepts begin with.
        types: classes that DCAT-AP expects of its concepts, skos:Concept aside, with a prefix.
        count: how many concepts it has.
        labels: how many of them have a label in a language; `none` for labels without one.
        common: codes of concepts that are shown first, where nothing nearer is known.
    """

    file: str
    title: str
    source: str
    version: str
    licence: str
    attribution: str
    note: str = ""
    scheme: str | None = None
    base: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    count: int | None = None
    labels: Mapping[str, int] = {}
    common: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name by which the list is asked for."""
        return self.file.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Term:
    """A concept: its IRI, its code, its label per language, the broader terms, whether it is out of use, a note."""

    iri: str
    code: str
    labels: Mapping[str, str]
    broader: tuple[str, ...] = ()
    deprecated: bool = False
    note: str = ""

    def label(self, *languages: str) -> str:
        """Return the label in the first of `languages` that there is (de for de-at), else in English, else the code."""
        wanted = (tag for each in languages for tag in (each.lower(), each.lower().partition("-")[0]))
        return next((self.labels[each] for each in (*wanted, "en", "") if each in self.labels), self.code)


@dataclass(frozen=True)
class Vocabulary:
    """A controlled list: its name in `vocab/`, its title, the IRI of its scheme and its terms by IRI."""

    name: str
    title: str
    terms: Mapping[str, Term]
    scheme: str | None = None

    @cached_property
    def _found(self) -> Mapping[str, Term]:
        """Terms by what they are called; what is in use, and codes, come before the rest."""
        found: dict[str, Term] = {}
        for term in sorted(self.terms.values(), key=lambda each: each.deprecated):
            found.setdefault(term.code.casefold(), term)
        for term in sorted(self.terms.values(), key=lambda each: each.deprecated):
            for label in term.labels.values():
                found.setdefault(label.casefold(), term)
        return found

    def find(self, word: str) -> Term | None:
        """Return the term whose IRI, code or label in any language is `word`; case does not count."""
        return self.terms.get(word) or self._found.get(word.strip().casefold())

    def nearest(self, word: str, count: int = 3) -> list[Term]:
        """Return up to `count` terms in use whose code or label is nearest to `word`, the nearest first.

        Of an IRI, the end is compared: what it begins with is the same for all terms of a list, and says nothing.
        """
        wanted = _last(word.strip())[:_LONGEST].casefold()
        if not wanted:
            return []
        matcher = SequenceMatcher(None, "", wanted, autojunk=False)  # it keeps what it knows of the second text
        scored = (
            (-max((_likeness(matcher, wanted, name) for name in _names(term)), default=0.0), term.iri)
            for term in self.terms.values()
            if not term.deprecated
        )
        return [self.terms[iri] for score, iri in sorted(scored)[:count] if -score >= _NEAR]


@cache
def entries() -> Mapping[str, Entry]:
    """Return what lies in `vocab/`, by name, in the order of the manifest."""
    rows = tomllib.loads(library.read("vocab", "manifest.toml").decode())["vocabulary"]
    return {entry.name: entry for entry in msgspec.convert(rows, list[Entry])}


@cache
def vocabulary(name: str) -> Vocabulary:
    """Return the vocabulary `name`, such as `data-theme`; it is read when first asked for.

    Raises:
        FileNotFoundError: no vocabulary of that name ships.
    """
    entry = entries().get(name)
    if entry is not None and entry.file.endswith(".tsv"):
        return _from_table(entry)
    said: dict[str, dict[str, list[NamedNode | Literal]]] = {}
    for quad in engine_parse(library.read("vocab", f"{name}.ttl"), format=RdfFormat.TURTLE):
        if isinstance(quad.subject, NamedNode) and isinstance(quad.object, NamedNode | Literal):
            said.setdefault(quad.subject.value, {}).setdefault(quad.predicate.value, []).append(quad.object)
    schemes = [iri for iri, each in said.items() if _SCHEME in _values(each.get(_TYPE.value, ()))]
    titles = [_labels(said[iri]).get("en", "") for iri in schemes]
    terms = {iri: _term(iri, each) for iri, each in said.items() if iri not in schemes}
    title = titles[0] if titles else name.replace("-", " ").capitalize()
    return Vocabulary(name, title, terms, schemes[0] if schemes else None)


def vocabulary_of(iri: str) -> Vocabulary | None:
    """Return the list that the concept `iri` is in."""
    entry = _entry_of(iri)
    if entry is None or iri == entry.scheme:
        return None
    found = vocabulary(entry.name)
    return found if iri in found.terms else None


def label(iri: str, *languages: str) -> str | None:
    """Return what the concept `iri` is called in the first of `languages` that there is; None when it is in no list."""
    found = vocabulary_of(iri)
    return found.terms[iri].label(*languages) if found is not None else None


def background(iris: Iterable[str]) -> Triples:
    """Return what the lists say of each concept and scheme in `iris`, and of their schemes: class, scheme, one label.

    Shapes ask it of the values of a record, and a record does not repeat it. The classes are those that DCAT-AP expects
    (dct:Frequency, dct:LinguisticSystem …). Of media types, EPSG codes and units a selection ships, and of
    the EU table of places nothing: there the form of the IRI tells.
    """
    return tuple(dict.fromkeys(triple for iri in iris for triple in _said_of(iri)))


@cache
def _bases() -> tuple[tuple[str, Entry], ...]:
    """Return what IRIs of each list begin with, the longest first."""
    found = [(base, entry) for entry in entries().values() for base in entry.base]
    return tuple(sorted(found, key=lambda each: -len(each[0])))


def _entry_of(iri: str) -> Entry | None:
    return next((entry for base, entry in _bases() if iri.startswith(base) or iri == entry.scheme), None)


def _said_of(iri: str) -> Triples:
    entry = _entry_of(iri)
    return _place(iri) if entry is None else _known(iri, entry.name)


def _place(iri: str) -> Triples:
    """Return what the EU table of places says of any of its terms, which its IRI shows to be one."""
    found = _PLACE.fullmatch(iri)
    if found is None:
        return ()
    node, scheme = NamedNode(iri), NamedNode(_PLACES)
    return (
        *(Triple(node, _TYPE, NamedNode(each)) for each in (_CONCEPT, full("dct:Location"))),
        Triple(node, _LABEL, Literal(found[1])),
        Triple(node, NamedNode(full("skos:inScheme")), scheme),
        Triple(scheme, _TYPE, NamedNode(_SCHEME)),
    )


@cache
def _schemes(name: str) -> Triples:
    entry = entries()[name]
    if entry.scheme is None:
        return ()
    scheme = NamedNode(entry.scheme)
    title = Literal(vocabulary(name).title, language="en")
    return (
        Triple(scheme, _TYPE, NamedNode(_SCHEME)),
        Triple(scheme, NamedNode(full("dct:title")), title),
        Triple(scheme, _LABEL, title),
    )


def _known(iri: str, name: str) -> Triples:
    """Return what the list `name` says of `iri`."""
    entry, listed = entries()[name], vocabulary(name)
    if iri == entry.scheme:
        return _schemes(name)
    term, rest = listed.terms.get(iri), iri.removeprefix(entry.base[0])
    if term is None and (rest == iri or name not in _OPEN or not _OPEN[name].fullmatch(rest)):
        return ()
    node = NamedNode(iri)
    called = term.label("en") if term else rest
    label = Literal(called, language="en") if term and "en" in term.labels else Literal(called)
    classes = [Triple(node, _TYPE, NamedNode(each)) for each in (_CONCEPT, *map(full, entry.types))]
    scheme = entry.scheme if iri.startswith(entry.base[0]) else None
    within = [Triple(node, NamedNode(full("skos:inScheme")), NamedNode(scheme))] if scheme else []
    return (*classes, Triple(node, _LABEL, label), *within, *(_schemes(name) if within else ()))


def _from_table(entry: Entry) -> Vocabulary:
    """Return a list that is kept as a table with the columns iri, code, name and parent."""
    rows = csv.DictReader(StringIO(library.read("vocab", entry.file).decode()), delimiter="\t", quoting=csv.QUOTE_NONE)
    above = entry.base[0]
    terms = {
        row["iri"]: Term(row["iri"], row["code"], {"": row["name"]}, (above + row["parent"],) if row["parent"] else ())
        for row in rows
    }
    return Vocabulary(entry.name, entry.title, terms, entry.scheme)


def _term(iri: str, said: Mapping[str, list[NamedNode | Literal]]) -> Term:
    codes = _values(said.get(full("skos:notation"), ()))
    notes = _values(said.get(full("skos:scopeNote"), ()))
    return Term(
        iri,
        codes[0] if codes else iri,
        _labels(said),
        tuple(_values(said.get(full("skos:broader"), ()))),
        "true" in _values(said.get(full("owl:deprecated"), ())),
        notes[0] if notes else "",
    )


def _labels(said: Mapping[str, list[NamedNode | Literal]]) -> dict[str, str]:
    labels = said.get(_LABEL.value, ())
    return {each.language or "": each.value for each in labels if isinstance(each, Literal)}


def _values(terms: Iterable[NamedNode | Literal]) -> list[str]:
    return [term.value for term in terms]


def _names(term: Term) -> Iterable[str]:
    return (term.code.casefold(), *(label.casefold() for label in term.labels.values()), _last(term.iri).casefold())


def _last(word: str) -> str:
    """Return what an IRI ends with; any other word as it is."""
    return _IRI_END.split(word.rstrip("/#"))[-1] if "://" in word else word


def _likeness(matcher: "SequenceMatcher[str]", wanted: str, name: str) -> float:
    """Return how like two names are, from 0 to 1; a whole word in common counts for much."""
    if wanted == name:
        return 1.0
    words = set(name.replace(",", " ").split())
    if wanted in words or name in wanted.split():
        return 0.9
    matcher.set_seq1(name)
    return matcher.ratio() if matcher.real_quick_ratio() >= _NEAR and matcher.quick_ratio() >= _NEAR else 0.0
