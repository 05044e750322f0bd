"""What is read, and the forms of a report: text, JSON, HTML and SHACL's own, in three languages."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import rdflib

from connector.errors import InvalidInput
from connector.standards.dcat import shacl
from connector.standards.dcat.shacl import forms, intake
from connector.standards.dcat.shacl.sentences import LANGUAGES, language_of
from connector.standards.rdf import PREFIXES, Format, Triples, full, parse, serialise, to_rdflib

HEAD = "\n".join(f"@prefix {prefix}: <{namespace}> ." for prefix, namespace in PREFIXES.items())
FAULTY = """<urn:d> a dcat:Dataset ; dct:title "<script>alert(1)</script>"@en ; dcat:theme "rain" ;
    dct:issued "2024-05-01" ; dcat:distribution [ a dcat:Distribution ; dcat:byteSize 5 ] ."""


def turtle(text: str) -> Triples:
    """Return the statements of a text with the usual prefixes."""
    return parse(f"{HEAD}\n{text}".encode(), Format.TURTLE)


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [Format.TURTLE, Format.JSON_LD, Format.RDF_XML, Format.N_TRIPLES, Format.TRIG])
def test_every_form_of_rdf_is_read(form: Format) -> None:
    """By its media type and by the ending of a file."""
    record = turtle('<urn:d> a dcat:Dataset ; dct:title "t"@en .')
    data = serialise(record, form)
    for kind in (form.media_type, f"record{form.extensions[0]}"):
        assert set(intake.read(data, kind)) == set(record)


def test_any_graph_is_read() -> None:
    """A fragment, nothing at all, many datasets, named graphs, relative IRIs."""
    assert intake.read(b"", "a.ttl") == ()
    assert len(intake.read(b"<urn:g> { <urn:a> <urn:b> <urn:c> } <urn:d> { <urn:a> <urn:b> 1 }", "a.trig")) == 2
    (one,) = intake.read(b"<a> <b> <c> .", "a.ttl", base="file:///x/a.ttl")
    assert str(one.subject) == "<file:///x/a>"


def test_plain_json_is_read_as_the_model() -> None:
    """JSON without the marks of JSON-LD is the plain form."""
    found = intake.read(b'{"id": "urn:d", "title": {"en": "t"}}', "a.json")
    assert set(found) == set(turtle('<urn:d> a dcat:Dataset ; dct:title "t"@en .'))


def test_json_ld_that_only_pyld_takes_is_read() -> None:
    """A map by type is JSON-LD 1.1, and pyoxigraph does not take it; what neither takes has the first one's words."""
    context = {"p": {"@id": "urn:p", "@container": "@type"}}
    document = {"@context": context, "@id": "urn:a", "p": {"urn:T": {"@id": "urn:b"}}}
    assert len(intake.read(json.dumps(document).encode(), "a.jsonld")) == 2
    with pytest.raises(InvalidInput, match="must not be the empty string"):
        intake.read(b'{"@context": {"": "urn:x:"}, "@id": "urn:a"}', "a.jsonld")


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.ttl", "<urn:a> <urn:b> 1 .\n\n<urn:a> <urn:b .", 3),
        ("a.nt", "<urn:a> <urn:b> <urn:c> .\n<urn:a> .", 2),
        ("a.trig", "<urn:g> {\n <urn:a> <urn:b> ; }", 2),
        ("a.json", '{"id": "urn:a",\n "title": }', 2),
        ("a.jsonld", '{"@id": "urn:a",\n "@context": "https://unknown.example/c"}', 2),
        ("a.rdf", f'<rdf:RDF xmlns:rdf="{PREFIXES["rdf"]}">\n<rdf:Description>\n</rdf:RDF>', 3),
        ("a.rdf", '<?xml version="1.0"?>\n<!DOCTYPE x>\n<x/>', 2),
    ],
)
def test_what_is_not_well_formed_is_refused_with_its_line(name: str, text: str, line: int) -> None:
    """In every form."""
    with pytest.raises(InvalidInput) as refused:
        intake.read(text.encode(), name)
    assert f"line {line}" in intake.told(refused.value)


# --- forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "headline", "message", "fix"),
    [
        ("en", "The record does not meet", "Dataset, description: not given.", "Add it like this: "),
        ("de", "Der Eintrag erfüllt", "Datensatz, Beschreibung: nicht angegeben.", "So ergänzen: "),
        ("fr", "La notice n'est pas conforme", "Jeu de données, description : non renseigné.", "À ajouter ainsi : "),
    ],
)
def test_a_report_speaks_three_languages(language: str, headline: str, message: str, fix: str) -> None:
    """Sentences, names of things and properties, and the names of terms."""
    report = shacl.check(turtle(FAULTY), language=language_of(language))
    assert report.headline().startswith(headline)
    (found,) = [each for each in report.results if (each.focus, each.path) == ("urn:d", full("dct:description"))]
    assert found.message == message
    assert found.fix.startswith(fix)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("profile", ["dcat-ap", "geodcat-ap", "statdcat-ap", "hvd"])
def test_every_rule_has_words_in_every_language(language: str, profile: str, shared: Path) -> None:
    """Over all published examples no sentence has a hole, and none is without a remedy."""
    for path in sorted((shared / "standards" / "dcat-examples").glob("*.ttl")):
        record = intake.read(path.read_bytes(), path.name, base="urn:x:")
        for each in shacl.check(record, profile, language=language_of(language)).results:
            assert each.message
            assert each.fix
            assert not re.search(r"\bNone\b|\{[a-z]+\}", f"{each.message} {each.fix}"), (path.name, each)


def test_the_best_language_is_chosen() -> None:
    """As browsers ask for it."""
    assert language_of("fr-CH, fr;q=0.9, en;q=0.8") == "fr"
    assert language_of("es, de;q=0.5, fr;q=0.7") == "fr"
    assert language_of("es") == "en"
    assert language_of(None) == "en"
    assert language_of("de;q=0, fr;q=x, en;q=0.1") == "en"


def test_html_is_a_fragment_and_escaped() -> None:
    """What a record says cannot become a part of the page."""
    page = forms.html(shacl.check(turtle(FAULTY), language="de"))
    assert page.startswith('<section class="report fails" lang="de">')
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<h3>") == page.count("</ul>") == 2


@pytest.mark.parametrize("form", [Format.TURTLE, Format.JSON_LD, Format.RDF_XML, Format.N_TRIPLES])
def test_the_report_of_shacl_is_one(form: Format) -> None:
    """Readers of SHACL reports find the verdict, each result with its parts, and messages in three languages."""
    report = shacl.check(turtle(FAULTY), "geodcat-ap")
    read = to_rdflib(parse(forms.validation_report(report, form), form))
    sh = rdflib.Namespace(full("sh:"))
    head = read.value(None, rdflib.RDF.type, sh.ValidationReport)
    assert str(read.value(head, sh.conforms)) == "false"
    results = list(read.objects(head, sh.result))
    assert len(results) == report.total
    components = Counter(str(read.value(each, sh.sourceConstraintComponent)) for each in results)
    assert components == Counter(each.component for each in report.results)
    for each in results:
        assert read.value(each, sh.focusNode) is not None
        assert read.value(each, sh.sourceShape) is not None
        assert {getattr(word, "language", None) for word in read.objects(each, sh.resultMessage)} == set(LANGUAGES)


def test_inverse_paths_are_nodes_in_the_report_of_shacl() -> None:
    """A series without members is found from the other end."""
    report = shacl.check(turtle('<urn:s> a dcat:DatasetSeries ; dct:title "s" ; dct:description "d" .'))
    text = forms.validation_report(report, Format.TURTLE).decode()
    assert "sh:inversePath dcat:inSeries" in text


def test_json_has_the_verdict_up_to_a_level() -> None:
    """Findings of later levels are listed and do not count."""
    record = turtle('<urn:d> a dcat:Dataset ; dct:title "t"@en ; dct:description "d"@en .')
    found = json.loads(shacl.check(record).json())
    assert found["conforms"]
    assert {each["level"] for each in found["results"]} == {"recommendation", "vocabulary"}
    assert not json.loads(shacl.check(record, upto="recommendation").json())["conforms"]
    with pytest.raises(InvalidInput, match="no level"):
        shacl.check(record, upto="all")


def test_what_is_suggested_first_is_what_is_commonly_meant() -> None:
    """Not the first of the alphabet; and a media type is told as the file type that it is."""
    said = b'<urn:f> a <http://www.w3.org/ns/dcat#Distribution> ; <http://purl.org/dc/terms/format> "text/csv" .'
    found = [each for each in shacl.check(intake.read(said, "a.ttl")).results if each.focus == "urn:f"]
    by_path = {(each.level, (each.path or "").rpartition("/")[2]): each.fix for each in found}
    assert '"CSV" <http://publications.europa.eu/resource/authority/file-type/CSV>.' in by_path["structure", "format"]
    assert "licence/CC_BY_4_0>" in by_path["recommendation", "license"]


def test_what_is_quoted_has_no_control_characters() -> None:
    """A terminal would obey them, and a sentence would run backwards."""
    said = '<urn:f> a <http://www.w3.org/ns/dcat#Dataset> ; <http://purl.org/dc/terms/issued> "\\u001B[31m\\u202Ered" .'
    messages = [each.message for each in shacl.check(intake.read(said.encode(), "a.ttl")).results]
    assert any("red" in each for each in messages)
    assert all(each.isprintable() for each in messages)
