"""What no published shape checks in GeoDCAT-AP and StatDCAT-AP, rule by rule: which list, and what a date is."""

from datetime import date, time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from connector.standards.dcat import shacl
from connector.standards.rdf import Triples, full
from tests.standards.dcat.agreement import SH, TYPE

INSPIRE: Final = "http://inspire.ec.europa.eu/metadata-codelist"
EU: Final = "http://publications.europa.eu/resource/authority"
RESOURCES: Final = ("dcat:Dataset", "dcat:DatasetSeries", "dcat:DataService")

LISTS: Final = {
    "geodcat-ap": [
        (("dcat:Catalog", *RESOURCES), "geodcatap:topicCategory", f"{INSPIRE}/TopicCategory/oceans"),
        (RESOURCES, "geodcatap:resourceType", f"{INSPIRE}/ResourceType/series"),
        (
            ("dcat:Catalog", "dcat:Distribution", *RESOURCES),
            "geodcatap:referenceSystem",
            "http://www.opengis.net/def/crs/EPSG/0/2056",
        ),
        (("dcat:DataService",), "geodcatap:serviceType", f"{INSPIRE}/SpatialDataServiceType/view"),
        (("dcat:DataService",), "geodcatap:serviceCategory", f"{INSPIRE}/SpatialDataServiceCategory/comService"),
        (("dcat:Distribution",), "adms:representationTechnique", f"{INSPIRE}/SpatialRepresentationType/vector"),
        (("prov:Attribution",), "dcat:hadRole", f"{INSPIRE}/ResponsiblePartyRole/owner"),
        (("prov:Entity",), "dct:type", f"{INSPIRE}/DegreeOfConformity/notEvaluated"),
        (("dqv:QualityMeasurement",), "sdmx-attribute:unitMeasure", "http://qudt.org/vocab/unit/DEG"),
    ],
    "statdcat-ap": [
        (("dcat:Dataset", "dcat:DatasetSeries"), "adms:status", f"{EU}/dataset-status/DISCONT"),
        (("dcat:Distribution",), "adms:status", f"{EU}/distribution-status/COMPLETED"),
        (("dcat:Dataset", "dcat:DatasetSeries"), "dct:accrualPeriodicity", f"{EU}/frequency/ANNUAL"),
        (("dcat:Catalog", "dcat:Dataset", "dcat:Distribution"), "dct:language", f"{EU}/language/FRA"),
        (("dcat:Dataset",), "dct:type", f"{EU}/dataset-type/STATISTICAL"),
        (("dcat:Dataset", "dcat:DataService"), "dct:accessRights", f"{EU}/access-right/PUBLIC"),
        (("dcat:Distribution", "dcat:DataService"), "dct:format", f"{EU}/file-type/SDMX"),
        (("dcat:Distribution",), "dcatap:availability", f"{EU}/planned-availability/STABLE"),
        (("spdx:Checksum",), "spdx:algorithm", "http://spdx.org/rdf/terms#checksumAlgorithm_sha256"),
    ],
}
"""The lists that the specifications name, by property: on which classes, and a term of each."""

RULES: Final = [
    (profile, kind, path, term) for profile, rows in LISTS.items() for kinds, path, term in rows for kind in kinds
]

THEMED: Final = [
    ("geodcat-ap", "dcat:DatasetSeries"),
    ("statdcat-ap", "dcat:Dataset"),
    ("statdcat-ap", "dcat:DatasetSeries"),
    ("statdcat-ap", "dcat:DataService"),
]

DATES: Final = {
    "dcat:Catalog": ("dct:issued", "dct:modified"),
    "dcat:CatalogRecord": ("dct:issued", "dct:modified"),
    "dcat:Dataset": ("dct:issued", "dct:modified"),
    "dcat:DatasetSeries": ("dct:issued", "dct:modified"),
    "dcat:Distribution": ("dct:issued", "dct:modified"),
    "dct:PeriodOfTime": ("dcat:startDate", "dcat:endDate"),
}
DATES_OF_GEO: Final = {
    "dcat:Catalog": ("dct:created",),
    "dcat:Dataset": ("dct:created",),
    "dcat:DatasetSeries": ("dct:created",),
    "dcat:DataService": ("dct:created", "dct:issued", "dct:modified"),
    "dct:Standard": ("dct:created", "dct:issued", "dct:modified"),
}

NODE: Final = NamedNode("urn:a:node")


def components(profile: str, level: str, kind: str, path: str, *values: NamedNode | BlankNode | Literal) -> set[str]:
    """Return the components that a node of a class breaks at a property with these values."""
    record = (Triple(NODE, TYPE, NamedNode(full(kind))), *(Triple(NODE, NamedNode(full(path)), one) for one in values))
    return found(profile, level, path, record)


def found(profile: str, level: str, path: str, record: Triples) -> set[str]:
    """Return the components that the node breaks at a property."""
    return {
        one.component.removeprefix(SH)
        for one in shacl.check(record, profile).results
        if (one.level, one.focus, one.path) == (level, NODE.value, full(path))
    }


@pytest.mark.parametrize(("profile", "kind", "path", "term"), RULES)
def test_a_term_of_the_list_is_taken_and_any_other_is_found(profile: str, kind: str, path: str, term: str) -> None:
    """The list in `vocab/` says what is in it; an IRI or a text that only looks like a term of it is none."""
    assert components(profile, "vocabulary", kind, path, NamedNode(term)) == set()
    for other in (f"{term}/of-no-list", "urn:a:thing", term.replace("://", "://not.")):
        assert components(profile, "vocabulary", kind, path, NamedNode(other)) == {"NodeConstraintComponent"}
    assert "NodeKindConstraintComponent" in components(profile, "vocabulary", kind, path, Literal(term))


@pytest.mark.parametrize(("profile", "kind"), THEMED)
def test_one_theme_of_the_table_is_enough(profile: str, kind: str) -> None:
    """Themes of other lists may stand beside it, not alone."""
    own, other = NamedNode(f"{EU}/data-theme/ENVI"), NamedNode("http://inspire.ec.europa.eu/theme/ac")
    assert components(profile, "vocabulary", kind, "dcat:theme", own, other) == set()
    assert components(profile, "vocabulary", kind, "dcat:theme", other) == {"QualifiedMinCountConstraintComponent"}


def test_a_reference_system_without_an_iri_is_a_node_with_its_identifier() -> None:
    """A local system is in no register; without an identifier nobody could tell which it is."""
    node = BlankNode("system")
    record = (
        Triple(NODE, TYPE, NamedNode(full("dcat:Dataset"))),
        Triple(NODE, NamedNode(full("geodcatap:referenceSystem")), node),
    )
    named = Triple(node, NamedNode(full("dct:identifier")), Literal("EPSG:4258"))
    path = "geodcatap:referenceSystem"
    assert found("geodcat-ap", "vocabulary", path, (*record, named)) == set()
    assert found("geodcat-ap", "vocabulary", path, record) == {"NodeConstraintComponent"}


@given(code=st.integers(1, 10**7), version=st.sampled_from(["0", "9.9.1", "11.022"]))
def test_any_code_of_the_register_is_a_reference_system(code: int, version: str) -> None:
    """No copy of the register ships whole, so the form of the IRI tells: the register, a version, a code."""

    def broken(iri: str) -> set[str]:
        return components("geodcat-ap", "vocabulary", "dcat:Dataset", "geodcatap:referenceSystem", NamedNode(iri))

    assert broken("http://www.opengis.net/def/crs/OGC/1.3/CRS84") == set()
    base = "http://www.opengis.net/def/crs/EPSG"
    assert broken(f"{base}/{version}/{code}") == set()
    for other in (f"{base}/{code}", f"{base}/{version}/{code}/", f"{base}/{version}/x{code}", f"urn:{base}/0/{code}"):
        assert broken(other) == {"NodeConstraintComponent"}


@given(st.dates(), st.times(), st.integers(-14 * 60, 14 * 60))
def test_any_day_and_any_moment_is_a_date(day: date, moment: time, offset: int) -> None:
    """In any zone, to the fraction of a second; the same text without its datatype is none."""
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    for text, kind in ((day.isoformat(), "date"), (f"{day.isoformat()}T{moment.isoformat()}{zone}", "dateTime")):
        typed = Literal(text, datatype=NamedNode(full(f"xsd:{kind}")))
        assert components("geodcat-ap", "structure", "dcat:Dataset", "dct:created", typed) == set()
        plain = components("geodcat-ap", "structure", "dcat:Dataset", "dct:created", Literal(text))
        assert plain == {"NodeConstraintComponent"}


@pytest.mark.parametrize(
    ("profile", "kind", "path"),
    [
        (profile, kind, path)
        for profile, tables in (("geodcat-ap", (DATES, DATES_OF_GEO)), ("statdcat-ap", (DATES,)))
        for table in tables
        for kind, paths in table.items()
        for path in paths
    ],
)
def test_a_date_has_one_of_four_datatypes(profile: str, kind: str, path: str) -> None:
    """A day, a moment, a month or a year; a text, a time of day, a duration or an impossible day is none."""

    def typed(text: str, name: str) -> Literal:
        return Literal(text, datatype=NamedNode(full(f"xsd:{name}")))

    for good in (
        typed("2024-05-01", "date"),
        typed("2024-05-01T06:00:00Z", "dateTime"),
        typed("2024-05", "gYearMonth"),
        typed("2024", "gYear"),
    ):
        assert components(profile, "structure", kind, path, good) == set()
    for bad in (Literal("last week"), typed("06:00:00", "time"), typed("P1D", "duration"), typed("2024-02-31", "date")):
        assert components(profile, "structure", kind, path, bad) == {"NodeConstraintComponent"}
