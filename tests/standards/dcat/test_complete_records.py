"""Complete records of our own: they meet their profile on every level, and each fault gives exactly its finding.

They need no reference beside the checkout, so whoever changes a shape sees here what it does.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from pyoxigraph import Literal, NamedNode, Triple

from connector.standards.dcat import shacl
from connector.standards.dcat.shacl.profiles import LEVELS
from connector.standards.rdf import Format, Triples, full, parse
from tests.standards.dcat.agreement import SH, TYPE, Result

FOLDER: Final = Path(__file__).parent / "complete"
RECORDS: Final = (
    ("geodcat-ap", "geodcat-ap.ttl"),
    ("geodcat-ap", "catalogue.ttl"),
    ("statdcat-ap", "statdcat-ap.ttl"),
    ("statdcat-ap", "catalogue.ttl"),
)
LEVELS_OF_RECORDS: Final = [(*record, level) for record in RECORDS for level in LEVELS]

MANDATORY: Final = {
    "dcat:Catalog": {"dct:title", "dct:description", "dct:publisher"},
    "dcat:CatalogRecord": {"foaf:primaryTopic", "dct:modified"},
    "dcat:Dataset": {"dct:title", "dct:description"},
    "dcat:DatasetSeries": {"dct:title", "dct:description"},
    "dcat:Distribution": {"dcat:accessURL"},
    "dcat:DataService": {"dct:title", "dcat:endpointURL"},
    "dcat:Relationship": {"dct:relation", "dcat:hadRole"},
    "foaf:Agent": {"foaf:name"},
    "adms:Identifier": {"skos:notation"},
    "skos:Concept": {"skos:prefLabel"},
    "skos:ConceptScheme": {"dct:title"},
    "spdx:Checksum": {"spdx:algorithm", "spdx:checksumValue"},
    "stat:Dataflow": {"dct:title", "dct:description", "dct:publisher", "dct:conformsTo"},
}
"""What the specifications call mandatory, by class."""

RECOMMENDED: Final = {
    "dcat:Catalog": {
        "dct:issued", "dct:modified", "dct:language", "dct:license", "dct:spatial", "dcat:themeTaxonomy",
        "foaf:homepage",
    },
    "dcat:CatalogRecord": {"dct:issued", "dct:conformsTo", "adms:status"},
    "dcat:Dataset": {
        "dcat:contactPoint", "dcat:distribution", "dcat:keyword", "dcat:theme", "dct:publisher", "dct:spatial",
        "dct:temporal",
    },
    "dcat:DatasetSeries": {"dcat:contactPoint", "dct:publisher", "dct:spatial", "dcat:theme"},
    "dcat:Distribution": {"dct:description", "dct:format", "dct:license", "dcatap:availability"},
    "dcat:DataService": {
        "dcat:contactPoint", "dcat:endpointDescription", "dct:conformsTo", "dcat:servesDataset", "dcat:keyword",
        "dcat:theme", "dct:publisher",
    },
    "foaf:Agent": {"dct:type"},
    "dct:Location": {"dcat:bbox", "dcat:centroid"},
    "dct:PeriodOfTime": {"dcat:startDate", "dcat:endDate"},
}  # fmt: skip
"""What both specifications recommend, by class."""

RECOMMENDED_ALONE: Final = {
    "geodcat-ap": {"dcat:DatasetSeries": {"dcat:keyword", "dct:temporal"}},
    "statdcat-ap": {"stat:Dataflow": {"dcat:dataset"}},
}
"""What only one of them recommends."""


@cache
def record(name: str) -> Triples:
    """Return one of the records."""
    return parse((FOLDER / name).read_bytes(), Format.TURTLE)


def found(profile: str, level: str, triples: Iterable[Triple]) -> set[Result]:
    """Return what the profile finds in a record on one level, knowing what the lists in `vocab/` say of its terms."""
    report = shacl.check(tuple(triples), profile)
    return {
        Result(one.focus, one.path or "", one.component.removeprefix(SH), one.value or "", one.severity)
        for one in report.results
        if one.level == level
    }


def place(triple: Triple) -> tuple[str, str]:
    """Return the node and the property of a statement; all nodes of the records have IRIs."""
    assert isinstance(triple.subject, NamedNode)
    return triple.subject.value, triple.predicate.value


def without(triples: Triples, *dropped: Triple) -> Triples:
    """Return the record without some of its statements."""
    return tuple(triple for triple in triples if triple not in dropped)


def asked(triples: Triples, obligations: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Return each node of the record with each property that its classes oblige it to."""
    return {
        (place(triple)[0], full(path))
        for triple in triples
        if triple.predicate == TYPE
        for kind, paths in obligations.items()
        if triple.object == NamedNode(full(kind))
        for path in paths
    }


def of(triples: Triples, focus: str, path: str) -> list[Triple]:
    """Return the statements of a node about a property."""
    return [one for one in triples if one.subject == NamedNode(focus) and one.predicate == NamedNode(path)]


@pytest.mark.parametrize(("profile", "name", "level"), LEVELS_OF_RECORDS)
def test_a_complete_record_meets_its_profile_on_every_level(profile: str, name: str, level: str) -> None:
    """Nothing is found in it: no error, no recommendation, no term out of a list, no class that is not said."""
    assert found(profile, level, record(name)) == set()


def test_the_record_of_a_dataset_has_the_size_that_speed_is_measured_with() -> None:
    """55 triples, with reference system, box, resolution, lineage and conformity."""
    assert len(record("geodcat-ap.ttl")) == 55


@pytest.mark.parametrize(("profile", "name"), RECORDS)
def test_each_mandatory_property_that_goes_missing_is_the_one_finding(profile: str, name: str) -> None:
    """Its count at its node is found, and nothing else of the structure."""
    whole = record(name)
    obligations = asked(whole, MANDATORY)
    assert obligations
    for focus, path in obligations:
        dropped = of(whole, focus, path)
        assert dropped, (focus, path)
        assert found(profile, "structure", without(whole, *dropped)) == {
            Result(focus, path, "MinCountConstraintComponent", "", "violation")
        }


@pytest.mark.parametrize(("profile", "name"), RECORDS)
def test_each_property_that_is_not_mandatory_may_go_missing(profile: str, name: str) -> None:
    """No statement beside those is needed for the structure."""
    whole = record(name)
    obligations = asked(whole, MANDATORY)
    for triple in whole:
        if place(triple) not in obligations and triple.predicate not in {TYPE, NamedNode(full("dcat:inSeries"))}:
            assert found(profile, "structure", without(whole, triple)) == set()


@pytest.mark.parametrize(("profile", "name"), RECORDS)
def test_each_recommended_property_that_goes_missing_is_a_warning(profile: str, name: str) -> None:
    """It is found on its level, and the structure does not mind."""
    whole = record(name)
    obligations = asked(whole, RECOMMENDED) | asked(whole, RECOMMENDED_ALONE[profile])
    for focus, path in obligations:
        dropped = of(whole, focus, path)
        assert dropped, (focus, path)
        assert found(profile, "recommendation", without(whole, *dropped)) == {
            Result(focus, path, "MinCountConstraintComponent", "", "warning")
        }


@pytest.mark.parametrize(("profile", "name"), RECORDS)
def test_no_other_property_is_recommended(profile: str, name: str) -> None:
    """A statement that is not recommended may go missing without a word."""
    whole = record(name)
    obligations = asked(whole, RECOMMENDED) | asked(whole, RECOMMENDED_ALONE[profile])
    for triple in whole:
        if place(triple) not in obligations and triple.predicate != TYPE:
            assert found(profile, "recommendation", without(whole, triple)) == set()


@pytest.mark.parametrize(("profile", "name"), RECORDS)
def test_a_text_in_the_place_of_a_node_is_of_the_wrong_kind(profile: str, name: str) -> None:
    """Wherever a record points to something, the structure asks for a node, and a text there is found."""
    whole = record(name)
    for triple in whole:
        if triple.predicate == TYPE or not isinstance(triple.object, NamedNode):
            continue
        changed = (*without(whole, triple), Triple(triple.subject, triple.predicate, Literal("a text")))
        found_there = [one for one in found(profile, "structure", changed) if (one.focus, one.path) == place(triple)]
        assert "NodeKindConstraintComponent" in {one.component for one in found_there}, triple


@pytest.mark.parametrize(
    ("profile", "name", "path", "kind"),
    [
        ("geodcat-ap", "geodcat-ap.ttl", "dct:publisher", "foaf:Agent"),
        ("geodcat-ap", "geodcat-ap.ttl", "dcat:contactPoint", "vcard:Kind"),
        ("geodcat-ap", "geodcat-ap.ttl", "dct:provenance", "dct:ProvenanceStatement"),
        ("geodcat-ap", "geodcat-ap.ttl", "prov:wasUsedBy", "prov:Activity"),
        ("geodcat-ap", "geodcat-ap.ttl", "prov:generated", "prov:Entity"),
        ("geodcat-ap", "catalogue.ttl", "dcat:hadRole", "dcat:Role"),
        ("statdcat-ap", "statdcat-ap.ttl", "dct:rights", "dct:RightsStatement"),
        ("statdcat-ap", "statdcat-ap.ttl", "stat:dimension", "qb:DimensionProperty"),
        ("statdcat-ap", "statdcat-ap.ttl", "stat:statUnitMeasure", "skos:Concept"),
        ("statdcat-ap", "statdcat-ap.ttl", "dqv:hasQualityAnnotation", "oa:Annotation"),
    ],
)
def test_a_value_whose_class_is_not_said_is_found_where_it_is_used(
    profile: str, name: str, path: str, kind: str
) -> None:
    """Without its class, a node is a finding of the range at every property that leads to it."""
    whole = record(name)
    value = next(triple.object for triple in whole if triple.predicate == NamedNode(full(path)))
    assert isinstance(value, NamedNode)
    dropped = Triple(value, TYPE, NamedNode(full(kind)))
    assert dropped in whole
    findings = found(profile, "range", without(whole, dropped))
    assert full(path) in {one.path for one in findings}
    assert {(one.component, one.value) for one in findings} == {("ClassConstraintComponent", value.value)}


@pytest.mark.parametrize(
    ("profile", "name", "path", "value"),
    [
        ("geodcat-ap", "geodcat-ap.ttl", "geodcatap:topicCategory", "urn:a:topic"),
        ("geodcat-ap", "geodcat-ap.ttl", "geodcatap:referenceSystem", "https://epsg.io/3035"),
        ("geodcat-ap", "geodcat-ap.ttl", "adms:representationTechnique", "urn:a:grid"),
        ("geodcat-ap", "geodcat-ap.ttl", "dcat:hadRole", "urn:a:role"),
        ("geodcat-ap", "geodcat-ap.ttl", "dct:format", "urn:a:format"),
        ("statdcat-ap", "statdcat-ap.ttl", "adms:status", "urn:a:status"),
        ("statdcat-ap", "statdcat-ap.ttl", "dct:accrualPeriodicity", "urn:a:frequency"),
    ],
)
def test_a_term_that_is_in_no_list_is_the_one_finding(profile: str, name: str, path: str, value: str) -> None:
    """Where the specification names a list, another term is found on the level of vocabularies."""
    whole = record(name)
    before = next(triple for triple in whole if triple.predicate == NamedNode(full(path)))
    changed = (*without(whole, before), Triple(before.subject, before.predicate, NamedNode(value)))
    (finding,) = found(profile, "vocabulary", changed)
    assert (finding.path, finding.component, finding.value) == (full(path), "NodeConstraintComponent", value)


@pytest.mark.parametrize(
    ("path", "value", "component"),
    [
        ("dct:issued", Literal("last week"), "NodeConstraintComponent"),
        ("dcat:temporalResolution", Literal("daily"), "DatatypeConstraintComponent"),
        ("dcat:spatialResolutionInMeters", Literal(1000), "DatatypeConstraintComponent"),
    ],
)
def test_a_value_of_another_datatype_is_the_one_finding(path: str, value: Literal, component: str) -> None:
    """Dates, durations and figures have their datatypes."""
    whole = record("geodcat-ap.ttl")
    before = next(triple for triple in whole if triple.predicate == NamedNode(full(path)))
    changed = (*without(whole, before), Triple(before.subject, before.predicate, value))
    (finding,) = found("geodcat-ap", "structure", changed)
    assert (finding.path, finding.component, finding.value) == (full(path), component, value.value)


def test_a_box_is_written_as_wkt_or_gml() -> None:
    """GeoJSON alone is a warning on the level of recommendations; the structure takes any text."""
    whole = record("geodcat-ap.ttl")
    before = next(triple for triple in whole if triple.predicate == NamedNode(full("dcat:bbox")))
    box = Literal("{}", datatype=NamedNode(full("geo:geoJSONLiteral")))
    changed = (*without(whole, before), Triple(before.subject, before.predicate, box))
    assert found("geodcat-ap", "structure", changed) == set()
    (finding,) = found("geodcat-ap", "recommendation", changed)
    assert (finding.path, finding.component, finding.severity) == (
        full("dcat:bbox"),
        "NodeConstraintComponent",
        "warning",
    )


@pytest.mark.parametrize("profile", ["geodcat-ap", "statdcat-ap"])
def test_a_catalogue_that_lists_nothing_is_warned_of(profile: str) -> None:
    """Datasets or data services, one of the two is recommended."""
    whole = record("catalogue.ttl")
    catalogue = "https://data.example/catalog"
    datasets, services = (of(whole, catalogue, full(path)) for path in ("dcat:dataset", "dcat:service"))
    assert found(profile, "recommendation", without(whole, *datasets)) == set()
    assert found(profile, "recommendation", without(whole, *services)) == set()
    (finding,) = found(profile, "recommendation", without(whole, *datasets, *services))
    assert (finding.focus, finding.component, finding.severity) == (catalogue, "OrConstraintComponent", "warning")
