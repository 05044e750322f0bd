"""`POST /api/validate`: a report in the form and the language that is asked for, and nothing is kept."""

import json

import httpx2
import pytest
import rdflib

from connector.standards.rdf import Format, full, parse, to_rdflib
from tests.web.conftest import House

FAULTY = b'<urn:d> a <http://www.w3.org/ns/dcat#Dataset> ; <http://purl.org/dc/terms/title> "<b>"@en .'
ROW = {"level", "focus", "path", "component", "severity", "value", "message", "fix"}


def validate(
    house: House, content: bytes, kind: str = "text/turtle", query: str = "", **headers: str
) -> httpx2.Response:
    """Send a record to be checked."""
    sent = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return house.running.call("POST", f"/api/validate{query}", content=content, headers=sent)


def test_the_report_is_that_of_the_command(house: House) -> None:
    """Profile, verdict, and every finding of every level with the IRIs of the SHACL report."""
    answer = validate(house, FAULTY, query="?profile=geodcat-ap")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["profile"], found["parses"], found["conforms"]) == ("geodcat-ap", True, False)
    first = found["results"][0]
    assert set(first) == ROW
    assert (first["level"], first["focus"]) == ("structure", "urn:d")
    assert first["path"] == full("dct:description")
    assert first["component"] == full("sh:MinCountConstraintComponent")
    assert {each["level"] for each in found["results"]} > {"structure", "recommendation"}
    assert house.running.call("GET", "/api/datasets").json()[0]["id"] == house.dataset


def test_the_level_decides_what_counts(house: House) -> None:
    """A record that is complete and not rich conforms to the structure only."""
    record = FAULTY[:-1] + b'; <http://purl.org/dc/terms/description> "d"@en .'
    assert validate(house, record).json()["conforms"]
    assert not validate(house, record, query="?level=recommendation").json()["conforms"]
    refused = validate(house, record, query="?level=all")
    assert refused.status_code == 422
    assert "structure" in refused.json()["fix"]


@pytest.mark.parametrize(("language", "word"), [("de-DE,de;q=0.9", "nicht angegeben"), ("fr", "non renseigné")])
def test_the_language_is_the_browsers(house: House, language: str, word: str) -> None:
    """As Accept-Language has it; the answer says which it took."""
    answer = validate(house, FAULTY, Accept_Language=language)
    assert word in answer.json()["results"][0]["message"]
    assert answer.headers["content-language"] == language[:2]


def test_a_page_gets_a_fragment(house: House) -> None:
    """Escaped, grouped by what it is about."""
    answer = validate(house, FAULTY, Accept="text/html")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith('<section class="report fails"')
    assert "&lt;b&gt;" in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize("form", [Format.TURTLE, Format.JSON_LD, Format.RDF_XML, Format.N_TRIPLES])
def test_tools_get_the_report_of_shacl(house: House, form: Format) -> None:
    """In the form of RDF that Accept asks for."""
    answer = validate(house, FAULTY, Accept=form.media_type)
    assert answer.headers["content-type"].startswith(form.media_type)
    report = to_rdflib(parse(answer.content, form))
    assert report.value(None, rdflib.RDF.type, rdflib.URIRef(full("sh:ValidationReport"))) is not None


@pytest.mark.parametrize(
    ("kind", "content", "line"),
    [
        ("text/turtle", b"<urn:a> a\n<urn:b", 2),
        ("application/ld+json", b'{"@id": "urn:a",\n "@type" }', 2),
        ("application/rdf+xml", b"<a>\n</b>", 2),
        ("application/n-triples", b"<urn:a> <urn:b> <urn:c> .\nx", 2),
    ],
)
def test_what_does_not_parse_says_its_line(house: House, kind: str, content: bytes, line: int) -> None:
    """The report has the verdict all the same."""
    found = validate(house, content, kind).json()
    assert (found["parses"], found["conforms"]) == (False, False)
    assert f"line {line}" in found["results"][0]["message"]


def test_any_graph_is_checked(house: House) -> None:
    """A fragment without a dataset, and a document with several."""
    assert validate(house, b"").json()["conforms"]
    two = b"\n".join(FAULTY.replace(b"urn:d", name) for name in (b"urn:d1", b"urn:d2"))
    assert {each["focus"] for each in validate(house, two).json()["results"]} >= {"urn:d1", "urn:d2"}


def test_a_form_that_is_not_read_is_refused(house: House) -> None:
    """With the forms that are."""
    answer = validate(house, b"x", "image/png")
    assert answer.status_code == 422
    assert "text/turtle" in json.dumps(answer.json())


def test_a_profile_that_is_none_is_refused_whatever_the_record_is(house: House) -> None:
    """With those that there are; it is no finding about the record."""
    answer = validate(house, b"torn", query="?profile=none")
    assert answer.status_code == 422
    assert "geodcat-ap" in answer.json()["fix"]
