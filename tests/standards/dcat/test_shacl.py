"""The check: its verdict, its words, and its stability."""

import json

import pytest
from hypothesis import Phase, given, settings

from connector.errors import InvalidInput
from connector.standards import rdf
from connector.standards.dcat import graph, shacl
from connector.standards.dcat import model as m
from connector.standards.dcat.shacl import profiles
from connector.standards.dcat.shacl.results import Path
from connector.standards.dcat.shacl.sentences import LANGUAGES
from connector.standards.rdf import Format, Triples
from tests.standards.dcat.records import datasets

PREFIXES = "\n".join(f"@prefix {prefix}: <{namespace}> ." for prefix, namespace in rdf.PREFIXES.items())
ENVIRONMENT = "http://publications.europa.eu/resource/authority/data-theme/ENVI"
DATE = "a date: xsd:date, xsd:dateTime, xsd:gYearMonth or xsd:gYear"
COUNT = "whole number from 0 up (xsd:nonNegativeInteger)"
BAD = """
<urn:d> a dcat:Dataset ; dct:description "Rain"@en ; dcat:theme "environment" ; dct:publisher [ a foaf:Agent ] ;
    dct:modified "last week" ; dct:issued "2024-05-01" ; dct:accessRights "open" ;
    dct:accrualPeriodicity <urn:a>, <urn:b> ;
    dcat:distribution <urn:x> .
<urn:x> a dcat:Distribution ; dcat:byteSize 5 ; dcat:accessURL "https://data.example/rain" ; dct:format "NetCDF" ;
    dcat:temporalResolution "hourly" .
"""


def turtle(text: str) -> Triples:
    """Return the triples of a Turtle text with the usual prefixes."""
    return rdf.parse(f"{PREFIXES}\n{text}".encode(), Format.TURTLE)


@pytest.fixture(scope="module")
def report() -> shacl.Report:
    """Return the report on a record with many faults."""
    return shacl.check(rdf.skolemise(turtle(BAD), "urn:d"))


def structure(report: shacl.Report) -> list[shacl.Finding]:
    """Return the findings of the level that every record is held to."""
    return [each for each in report.results if each.level == "structure"]


def finding(report: shacl.Report, path: str, component: str) -> shacl.Finding:
    """Return the one finding about a property."""
    found = [
        each
        for each in structure(report)
        if each.path == rdf.full(path) and each.component.startswith(f"{rdf.full('sh:')}{component}")
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("path", "component", "message", "fix"),
    [
        ("dct:title", "MinCount", "Dataset, title: not given.", 'Add it like this: dct:title "Rainfall 2024"@en'),
        (
            "dcat:theme",
            "NodeKind",
            'Dataset, theme: found: text "environment"; allowed: link (IRI).',
            f'Use a term of the list "Data theme"; the nearest: "Environment" <{ENVIRONMENT}>.',
        ),
        (
            "dct:accrualPeriodicity",
            "MaxCount",
            "Dataset, frequency of update: 2 values, at most 1 allowed: link <urn:a>, link <urn:b>.",
            "Keep the one that is right.",
        ),
        (
            "dct:modified",
            "Node",
            f'Dataset, date of modification: found: text "last week"; allowed: {DATE}.',
            'Write it like this: dct:modified "2024-05-01T06:00:00Z"^^xsd:dateTime',
        ),
        ("dct:issued", "Node", None, 'Write it as "2024-05-01"^^xsd:date.'),
        (
            "dcat:byteSize",
            "Datatype",
            f'Distribution, size in bytes: found: text "5" of type xsd:integer; allowed: {COUNT}.',
            'Write it as "5"^^xsd:nonNegativeInteger.',
        ),
        ("dcat:accessURL", "NodeKind", None, "Write it as <https://data.example/rain>."),
        (
            "dcat:temporalResolution",
            "Datatype",
            None,
            'Write it like this: dcat:temporalResolution "PT1H"^^xsd:duration',
        ),
        ("foaf:name", "MinCount", "Agent, name: not given.", 'Add it like this: foaf:name "Weather Office"@en'),
    ],
)
def test_findings_say_what_is_wrong_and_how_to_mend_it(
    report: shacl.Report, path: str, component: str, message: str | None, fix: str
) -> None:
    """A person who never saw SHACL can act on each line."""
    found = finding(report, path, component)
    assert message in {None, found.message}
    assert found.fix == fix


def test_lists_without_a_near_term_show_some(report: shacl.Report) -> None:
    """A value that is like nothing in the list still gets an idea of what the list holds."""
    found = finding(report, "dct:accessRights", "NodeKind")
    assert 'one of the 6 terms of the list "Access right", such as "' in found.fix


def test_the_text_groups_findings_by_what_they_are_about(report: shacl.Report) -> None:
    """A page of prose: verdict, thing, faults."""
    text = report.text()
    assert text.startswith(f"The record does not meet DCAT-AP 3.0.1: {len(report.results)} findings.")
    assert "\nDataset <urn:d>\n- " in text
    assert "\nDistribution <urn:x>\n- " in text
    assert text.count("To fix it: ") == len(report.results)


def test_the_json_has_every_field(report: shacl.Report) -> None:
    """Machines get what people get."""
    document = json.loads(report.json())
    assert document["conforms"] is False
    assert document["profile"] == "dcat-ap"
    assert len(document["results"]) == len(report.results)
    assert set(document["results"][0]) == set(shacl.Finding.__struct_fields__) - {"label", "allowed"}


def test_the_refusal_lists_every_violation(report: shacl.Report) -> None:
    """Nobody mends one fault per attempt."""
    refusal = report.refusal()
    assert isinstance(refusal, InvalidInput)
    assert len(refusal.reasons) == len(structure(report))


def test_the_order_of_findings_is_stable(report: shacl.Report) -> None:
    """The same record gives the same report, whatever order its triples came in."""
    record = rdf.skolemise(turtle(BAD), "urn:d")
    assert shacl.check(tuple(reversed(record))).results == report.results
    places = [(each.severity != "violation", each.focus, each.path or "", each.component) for each in structure(report)]
    assert places == sorted(places)


def test_findings_about_blank_nodes_say_where_they_hang() -> None:
    """A node without a name is found by its place."""
    text = shacl.check(
        turtle('<urn:d> a dcat:Dataset ; dct:title "t" ; dct:description "d" ; dct:publisher [ a foaf:Agent ] .')
    ).text()
    assert "Agent under dct:publisher of <urn:d>" in text


def test_warnings_do_not_refuse() -> None:
    """A series whose members are described elsewhere may be published; to SHACL, whatever is found counts."""
    report = shacl.check(turtle('<urn:s> a dcat:DatasetSeries ; dct:title "s" ; dct:description "d" .'))
    assert report.accepted
    assert not report.conforms
    assert [each.severity for each in structure(report)] == ["warning"]
    assert report.results[0].path == "^" + rdf.full("dcat:inSeries")
    assert "(warning)" in report.text()


def test_a_publisher_given_by_iri_alone_is_fine() -> None:
    """It may be described in another record."""
    record = turtle('<urn:d> a dcat:Dataset ; dct:title "t" ; dct:description "d" ; dct:publisher <urn:agent> .')
    report = shacl.check(record)
    assert report.conforms
    assert structure(report) == []
    assert report.text().startswith("The record meets DCAT-AP 3.0.1: ")


def test_a_long_report_is_cut_with_a_count() -> None:
    """A catalogue full of faults does not become a book."""
    report = shacl.check(turtle(" ".join(f"<urn:d{n}> a dcat:Dataset ." for n in range(40))))
    assert f"… and {report.total - 50} more." in report.text()


@settings(max_examples=12, phases=[Phase.generate])  # a check takes long enough without shrinking
@given(datasets(6))
def test_what_we_write_breaks_no_rule_of_form(dataset: m.Dataset) -> None:
    """A record from the model lacks at most what the provider left out or gave twice: kinds and types are right."""
    report = shacl.check(graph.write(dataset))
    for each in structure(report):
        before_christ = (each.value or "").startswith("-")  # rdflib, and so pySHACL, reads no date before the year 1
        assert each.component.endswith("#MinCountConstraintComponent") or before_christ, each


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    """Nobody has to guess the name."""
    with pytest.raises(InvalidInput, match="dcat-ap"):
        shacl.check((), "dcat")
    assert "dcat-ap" in profiles.profiles()


def test_every_shape_has_its_words() -> None:
    """A name in each language for each property that ships."""
    speech = shacl.checker("dcat-ap").sets[0].speech
    shapes = sorted(speech.shapes)
    assert len(shapes) > 130
    for shape in shapes:
        assert shape.startswith("urn:greendeal:shapes:dcat-ap:")
        path = speech.one(shape, "path")
        assert path is not None
        for language in LANGUAGES:
            assert speech.name(shape, Path("iri", path.value), language), shape
