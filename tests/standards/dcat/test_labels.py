"""Every class and property of the profiles has its word in English, German and French."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import rdflib

from connector import library
from connector.standards.rdf import Format, parse, to_rdflib
from tests.standards.dcat.agreement import SH, manifest

LANGUAGES: Final = {"en", "de", "fr"}


@pytest.fixture(scope="module")
def labels() -> rdflib.Graph:
    """Return the labels that ship."""
    return to_rdflib(parse(library.read("shapes", "labels.ttl"), Format.TURTLE))


def named(shapes: rdflib.Graph) -> set[rdflib.URIRef]:
    """Return the classes and properties that shapes speak of, however the path is made."""
    found = {each for name in ("targetClass", "class") for each in shapes.objects(None, SH[name])}
    waiting = set(shapes.objects(None, SH.path))
    while waiting:
        path = waiting.pop()
        if isinstance(path, rdflib.BNode):
            waiting.update(shapes.objects(path, None))
        else:
            found.add(path)
    return {each for each in found if isinstance(each, rdflib.URIRef) and each != rdflib.RDF.nil}


def missing(shapes: rdflib.Graph, labels: rdflib.Graph) -> list[str]:
    """Return what lacks a label in one of the languages, or has two in one."""
    return [
        str(each)
        for each in sorted(named(shapes))
        if sorted(getattr(label, "language", "") or "" for label in labels.objects(each, rdflib.RDFS.label))
        != sorted(LANGUAGES)
    ]


def shape_files() -> Iterator[tuple[str, str]]:
    """Yield each profile with each of its shape files."""
    for folder in library.shelf("shapes").iterdir():
        if folder.joinpath("profile.toml").is_file():
            yield from ((folder.name, file) for level in manifest(folder.name)["level"] for file in level["files"])


@pytest.mark.parametrize(("profile", "file"), sorted(shape_files()))
def test_all_that_our_shapes_speak_of_has_three_words(profile: str, file: str, labels: rdflib.Graph) -> None:
    """A form or a report names each field in the language of its reader."""
    shapes = to_rdflib(parse(library.read("shapes", f"{profile}/{file}"), Format.TURTLE))
    assert named(shapes)
    assert missing(shapes, labels) == []


@pytest.mark.parametrize("folder", ["dcat-ap-3.0.1", "geodcat-ap-3.1.0", "hvd-3.0.1-draft", "statdcat-ap-3.0.0-draft"])
def test_all_that_the_published_shapes_speak_of_has_three_words(
    folder: str, labels: rdflib.Graph, shared: Path
) -> None:
    """The words reach further than our shapes: a published profile that somebody adds has them too."""
    files = sorted((shared / "standards" / "shapes" / folder).glob("*.ttl"))
    assert files
    for file in files:
        assert missing(to_rdflib(parse(file.read_bytes(), Format.TURTLE)), labels) == []


def test_no_two_properties_of_a_kind_of_thing_share_a_word(labels: rdflib.Graph) -> None:
    """In one report, one word means one property."""
    for profile, file in shape_files():
        shapes = to_rdflib(parse(library.read("shapes", f"{profile}/{file}"), Format.TURTLE))
        for shape in shapes.subjects(SH.targetClass):
            paths = {shapes.value(part, SH.path) for part in shapes.objects(shape, SH.property)} - {None}
            for language in LANGUAGES:
                words = [word for path in paths if path for word in _words(labels, path, language)]
                assert sorted(words) == sorted(set(words))


def _words(labels: rdflib.Graph, thing: rdflib.term.Node, language: str) -> list[str]:
    return [
        str(label)
        for label in labels.objects(thing, rdflib.RDFS.label)
        if isinstance(label, rdflib.Literal) and label.language == language
    ]
