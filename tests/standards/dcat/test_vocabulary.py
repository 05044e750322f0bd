"""The vocabularies that ship: whole, labelled, findable, and each with its papers."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import library
from connector.standards import rdf
from connector.standards.dcat.vocabulary import vocabulary
from connector.standards.rdf import Format

MANIFEST = tomllib.loads(library.read("vocab", "manifest.toml").decode())["vocabulary"]
SIZES = {
    "access-right": 6,
    "checksum-algorithm": 17,
    "data-theme": 14,
    "dataset-type": 24,
    "distribution-status": 5,
    "file-type": 201,
    "frequency": 39,
    "hvd-category": 96,
    "language": 404,
    "licence": 174,
    "media-type": 89,
    "planned-availability": 4,
}


@pytest.mark.parametrize("name", SIZES)
def test_each_vocabulary_is_whole_and_labelled(name: str) -> None:
    """Every term has a code and a label in English (media types: without a language)."""
    found = vocabulary(name)
    assert len(found.terms) == SIZES[name]
    assert all(term.labels.keys() & {"en", ""} for term in found.terms.values())
    assert all(term.code != term.iri for term in found.terms.values())
    assert found.title


@pytest.mark.parametrize("name", SIZES)
def test_each_vocabulary_has_its_papers(name: str) -> None:
    """Source, version, licence and attribution are named for what is passed on."""
    (entry,) = [each for each in MANIFEST if each["file"] == f"{name}.ttl"]
    assert all(entry[key] for key in ("title", "source", "version", "licence", "attribution"))


@pytest.mark.parametrize("name", SIZES)
def test_each_term_is_nearest_to_its_own_code(name: str) -> None:
    """Whoever writes the code is shown the term."""
    found = vocabulary(name)
    for term in list(found.terms.values())[:40]:
        if not term.deprecated:
            assert term.code.casefold() in {each.code.casefold() for each in found.nearest(term.code)}


@pytest.mark.parametrize(
    ("name", "word", "code"),
    [
        ("data-theme", "environment", "ENVI"),
        ("data-theme", "Umwelt", "ENVI"),
        ("data-theme", "enviroment", "ENVI"),
        ("frequency", "täglich", "DAILY"),
        ("access-right", "Public", "PUBLIC"),
        ("file-type", "GeoTIFF", "GEOTIFF"),
        ("language", "Deutsch", "DEU"),
        ("licence", "CC BY 4.0", "CC_BY_4_0"),
        ("media-type", "text/csv", "text/csv"),
    ],
)
def test_words_that_people_write_lead_to_the_term(name: str, word: str, code: str) -> None:
    """Labels in other languages and small slips are understood."""
    assert vocabulary(name).nearest(word)[0].code == code


@given(st.text(max_size=300))
def test_any_word_gives_terms_in_use_or_none(word: str) -> None:
    """What is out of use is never advised."""
    found = vocabulary("licence")
    old = [term for term in found.terms.values() if term.deprecated]
    assert len(old) == 31
    for each in (word, old[len(word) % len(old)].code):
        assert len(found.nearest(each, 5)) <= 5
        assert not any(term.deprecated for term in found.nearest(each, 5))


def test_terms_know_what_is_broader() -> None:
    """The categories of high-value datasets hang under the six."""
    terms = vocabulary("hvd-category").terms
    tops = [term for term in terms.values() if not term.broader]
    assert len(tops) == 6
    assert all(up in terms for term in terms.values() for up in term.broader)


def test_labels_fall_back_to_english() -> None:
    """A label there always is."""
    term = vocabulary("data-theme").terms["http://publications.europa.eu/resource/authority/data-theme/ENVI"]
    assert term.label("de") == "Umwelt"
    assert term.label("xx") == "Environment"


def test_every_vocabulary_that_shapes_name_ships() -> None:
    """A report never looks for a list in vain."""
    shapes = rdf.parse(library.read("shapes", "dcat-ap/structure.ttl"), Format.TURTLE)
    names = {str(each.object).strip('"') for each in shapes if each.predicate.value == f"{rdf.GD}vocabulary"}
    assert len(names) > 8
    for name in names:
        assert vocabulary(name).terms
