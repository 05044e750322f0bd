"""The vocabularies that ship: whole, labelled, findable, and each with its papers."""

import gzip
import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import NamedNode, RdfFormat, parse

from connector import library
from connector.standards import rdf
from connector.standards.dcat.vocabulary import background, entries, label, vocabulary, vocabulary_of
from connector.standards.rdf import Format, full
from tests.conftest import references

RDF_TYPE = NamedNode(full("rdf:type"))
LISTS = [name for name, entry in entries().items() if entry.count is not None]
AUTHORITY = "http://publications.europa.eu/resource/authority/"
TOPIC = "http://inspire.ec.europa.eu/metadata-codelist/TopicCategory"
UNLABELLED = {"inspire-resource-type", "inspire-spatial-data-service-category"}
SOURCES = {
    "checksum-algorithm": "spdx-checksum-algorithm",
    "crs": "epsg-crs",
    "media-type": "iana-media-type",
}


@pytest.mark.parametrize("name", LISTS)
def test_each_vocabulary_is_whole_and_labelled(name: str) -> None:
    """As many terms and labels as the manifest says, a code for each, and English wherever the source has words."""
    entry, found = entries()[name], vocabulary(name)
    assert len(found.terms) == entry.count
    counted = {tag: sum(tag in term.labels for term in found.terms.values()) for tag in ("", "en", "de", "fr")}
    assert counted == {tag: entry.labels.get(tag or "none", 0) for tag in ("", "en", "de", "fr")}
    assert max(counted["en"], counted[""]) == (0 if name in UNLABELLED else entry.count)
    assert all(term.code != term.iri for term in found.terms.values())
    assert found.scheme == entry.scheme
    assert found.title


def test_each_file_has_its_papers() -> None:
    """Source, version, licence and attribution are named for whatever is passed on, and nothing else lies there."""
    shipped = {each.name for each in library.shelf("vocab").iterdir() if each.is_file()} - {"manifest.toml"}
    assert {entry.file for entry in entries().values()} == shipped
    for entry in entries().values():
        assert all((entry.title, entry.source, entry.version, entry.licence, entry.attribution)), entry.file


def test_licence_texts_that_the_papers_name_ship() -> None:
    """Where a licence asks for its text, the text lies beside."""
    named = {found for entry in entries().values() for found in re.findall(r"licences/[\w.-]+\.txt", entry.licence)}
    assert len(named) == 3
    assert all(library.read("vocab", name) for name in named)


@pytest.mark.parametrize("name", [name for name, entry in entries().items() if entry.base])
def test_each_concept_is_found_by_its_iri(name: str) -> None:
    """From an IRI in a record to the list it is in, to its label and its classes."""
    found = vocabulary(name)
    for iri, term in found.terms.items():
        where = vocabulary_of(iri)
        assert where is found, iri
        assert label(iri, "de") == term.label("de")
        said = {(each.predicate.value, each.object) for each in background([iri]) if each.subject == NamedNode(iri)}
        for kind in ("skos:Concept", *entries()[name].types):
            assert (full("rdf:type"), NamedNode(full(kind))) in said


@pytest.mark.parametrize("name", [name for name in LISTS if vocabulary(name).scheme is not None])
def test_each_concept_knows_its_scheme(name: str) -> None:
    """The background of a concept names its scheme and says that it is one; the CRS84 of OGC is in none."""
    scheme = vocabulary(name).scheme or ""
    known = (NamedNode(scheme), NamedNode(full("rdf:type")), NamedNode(full("skos:ConceptScheme")))
    for iri in vocabulary(name).terms:
        said = [(each.subject, each.predicate, each.object) for each in background([iri])]
        within = (NamedNode(iri), NamedNode(full("skos:inScheme")), NamedNode(scheme)) in said
        assert within == ("/OGC/" not in iri)
        assert (known in said) == within
    assert known in [(each.subject, each.predicate, each.object) for each in background([scheme])]


def test_what_is_in_no_list_has_no_background() -> None:
    """Only what the lists say is said; registers of which a selection ships go by the form of the IRI."""
    unknown = (f"{AUTHORITY}language/XXQ", f"{AUTHORITY}language/", "https://data.example/x", "urn:a:b", "")
    assert background(unknown) == ()
    assert all(vocabulary_of(iri) is None and label(iri) is None for iri in unknown)
    iana, epsg = "https://www.iana.org/assignments/media-types/", "http://www.opengis.net/def/crs/EPSG/0/"
    assert background([f"{iana}application/x-grib"]) != ()
    assert background([f"{epsg}31467"]) != ()
    assert background(["http://qudt.org/vocab/unit/K"]) != ()
    assert background([f"{iana}grib", f"{iana}a/b/c", f"{epsg}germany", f"{epsg}4326/"]) == ()


@pytest.mark.parametrize("name", LISTS)
def test_each_term_is_nearest_to_its_own_code(name: str) -> None:
    """Whoever writes the code is shown the term."""
    found = vocabulary(name)
    for term in list(found.terms.values())[:25]:
        if not term.deprecated:
            assert found.find(term.code.lower()) == term
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
        ("country", "Österreich", "AUT"),
        ("inspire-theme", "Meteorologisch-geografische Kennwerte", "mf"),
        ("inspire-topic-category", "Ozeane", "oceans"),
        ("crs", "EPSG:4326", "EPSG:4326"),
        ("corporate-body", "Eurostat", "ESTAT"),
        ("nuts", "Oberbayern", "DE21"),
        ("inspire-topic-category", f"{TOPIC}/climatology", "climatologyMeteorologyAtmosphere"),
        ("inspire-topic-category", f"{TOPIC.replace('http:', 'https:')}/oceans/", "oceans"),
        ("data-theme", f"{AUTHORITY}data-theme/ENV", "ENVI"),
        ("crs", "http://www.opengis.net/def/crs/EPSG/9.9.1/4326", "EPSG:4326"),
        ("media-type", "https://www.iana.org/assignments/media-types/csv", "text/csv"),
    ],
)
def test_words_that_people_write_lead_to_the_term(name: str, word: str, code: str) -> None:
    """Labels in other languages and small slips are understood."""
    assert vocabulary(name).nearest(word)[0].code == code


def test_a_term_is_found_by_iri_code_or_label() -> None:
    """In any language, whatever the case; a slip finds nothing."""
    languages = vocabulary("language")
    german = languages.terms[f"{AUTHORITY}language/DEU"]
    assert all(languages.find(word) == german for word in (german.iri, "deu", "Deutsch", " GERMAN ", "allemand"))
    assert languages.find("Deutsh") is None


@given(st.text(max_size=300))
def test_any_word_gives_terms_in_use_or_none(word: str) -> None:
    """What is out of use is never advised."""
    found = vocabulary("licence")
    old = [term for term in found.terms.values() if term.deprecated]
    assert len(old) == 31
    for each in (word, old[len(word) % len(old)].code):
        assert len(found.nearest(each, 5)) <= 5
        assert not any(term.deprecated for term in found.nearest(each, 5))


@pytest.mark.parametrize(("name", "tops"), [("hvd-category", 6), ("nuts", 40)])
def test_terms_know_what_is_broader(name: str, tops: int) -> None:
    """The categories of high-value datasets hang under the six, regions under their countries."""
    terms = vocabulary(name).terms
    assert len([term for term in terms.values() if not term.broader]) == tops
    assert all(up in terms for term in terms.values() for up in term.broader)


def test_labels_fall_back_to_english() -> None:
    """A label there always is."""
    term = vocabulary("data-theme").terms[f"{AUTHORITY}data-theme/ENVI"]
    assert term.label("de") == term.label("xx", "de-AT") == "Umwelt"
    assert term.label("xx") == "Environment"
    assert vocabulary("inspire-resource-type").find("series") is not None
    assert label("http://inspire.ec.europa.eu/metadata-codelist/ResourceType/series", "de") == "series"


def test_every_vocabulary_that_shapes_name_ships() -> None:
    """A report never looks for a list in vain."""
    names = set()
    for folder in library.shelf("shapes").iterdir():
        for file in (each for each in folder.iterdir() if each.name.endswith(".ttl")) if folder.is_dir() else ():
            shapes = rdf.parse(file.read_bytes(), Format.TURTLE)
            names |= {str(each.object).strip('"') for each in shapes if each.predicate.value == f"{rdf.GD}vocabulary"}
    assert len(names) > 8
    for name in names:
        assert vocabulary(name).terms


@pytest.mark.parametrize("name", [name for name in LISTS if name not in {"purposes", "countries"}])
def test_terms_and_labels_are_those_of_the_source(name: str) -> None:
    """IRI for IRI and label for label in English, German and French; what may not be passed on is left out."""
    folder = references() / "vocab"
    candidates = (folder / f"{each}.ttl" for each in (SOURCES.get(name, name), f"eu-{name}"))
    source = next((path for path in candidates if path.exists()), None)
    if source is None:
        assert name in {"legislation", "responsible-party-role", "degree-of-conformity", "qudt-unit"}  # written here
        return
    said = {
        (quad.subject.value, quad.object.language or "", quad.object.value)
        for quad in parse(source.read_bytes(), format=RdfFormat.TURTLE)
        if quad.predicate.value == full("skos:prefLabel") and quad.subject.value != vocabulary(name).scheme
    }
    kept = {"", "en"} if name.startswith("adms-") or name == "geodcat-metric" else {"", "en", "de", "fr"}
    ours = {(term.iri, tag, text) for term in vocabulary(name).terms.values() for tag, text in term.labels.items()}
    assert {each for each in ours if each[1] in kept} == {each for each in said if each[1] in kept}
    assert ours <= said


def test_what_is_looked_up_agrees_with_the_reference(known_classes: dict[str, set[str]]) -> None:
    """Each concept of the lists that DCAT-AP names has the classes that its properties ask for."""
    assert len(known_classes) > 900
    found = {
        iri: {str(each.object)[1:-1] for each in background((iri,)) if each.predicate == RDF_TYPE}
        for iri in known_classes
    }
    assert {iri: wanted - found[iri] for iri, wanted in known_classes.items() if wanted - found[iri]} == {}


@pytest.fixture(scope="module")
def known_classes() -> dict[str, set[str]]:
    """Return the classes of the concepts in the reference's graph, at most a hundred of each list."""
    text = gzip.decompress((references() / "standards/shapes/background/vocab-background.nt.gz").read_bytes())
    classes: defaultdict[str, set[str]] = defaultdict(set)
    lists: defaultdict[str, list[str]] = defaultdict(list)
    for triple in rdf.parse(text, Format.N_TRIPLES):
        assert isinstance(triple.subject, NamedNode)
        if triple.predicate == RDF_TYPE and isinstance(triple.object, NamedNode):
            classes[triple.subject.value].add(triple.object.value)
        elif triple.predicate.value == full("skos:inScheme"):
            lists[str(triple.object)].append(triple.subject.value)
    return {iri: classes[iri] for terms in lists.values() for iri in terms[:100]}
