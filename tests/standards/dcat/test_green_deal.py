"""The Green Deal profile and that of high-value datasets: complete records, and each fault with its finding."""

import re
from typing import Final

import pytest
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from connector import library
from connector.standards.dcat import graph
from connector.standards.dcat import model as m
from connector.standards.dcat.shacl.profiles import LEVELS
from connector.standards.dcat.vocabulary import background, entries
from connector.standards.rdf import GD, Format, Triples, full, parse
from tests.standards.dcat.agreement import TYPE, Result
from tests.standards.dcat.test_complete_records import found, of, record, without

RECORDS: Final = (("hvd", "hvd.ttl"), ("green-deal", "green-deal.ttl"), ("green-deal", "green-deal-statistics.ttl"))
COUNT, OR, NODE = "MinCountConstraintComponent", "OrConstraintComponent", "NodeConstraintComponent"
HAS_VALUE: Final = "HasValueConstraintComponent"
AUTHORITY: Final = "http://publications.europa.eu/resource/authority/"
TERMS: Final = f"<{full('dct:license')}>|<{full('dct:rights')}>"
LAW: Final = {("dcatap:applicableLegislation", COUNT), ("dcatap:applicableLegislation", HAS_VALUE)}
MANDATORY: Final = {
    ("green-deal", "dcat:Dataset"): {
        (path, COUNT)
        for path in (
            "dct:title", "dct:description", "dct:identifier", "dct:publisher", "dcat:contactPoint", "dct:accessRights",
            "dcat:theme", "dct:spatial", "dct:temporal",
        )
    },
    ("green-deal", "dcat:Distribution"): {("dcat:accessURL", COUNT)},
    ("green-deal", "foaf:Agent"): {("foaf:name", COUNT)},
    ("hvd", "dcat:Dataset"): {
        *((path, COUNT) for path in ("dct:title", "dct:description", "dcatap:hvdCategory")),
        *LAW,
    },
    ("hvd", "dcat:DatasetSeries"): {
        *((path, COUNT) for path in ("dct:title", "dct:description", "dcatap:hvdCategory")),
        *LAW,
    },
    ("hvd", "dcat:Distribution"): {("dcat:accessURL", COUNT), *LAW},
    ("hvd", "dcat:DataService"): {
        *((path, COUNT) for path in ("dct:title", "dcat:endpointURL", "dcatap:hvdCategory")),
        *((path, COUNT) for path in ("dcat:contactPoint", "foaf:page")),
        *LAW,
    },
    ("hvd", "foaf:Agent"): {("foaf:name", COUNT)},
}  # fmt: skip
"""What the structure asks for: the property and the components that find it missing."""


def nodes(triples: Triples, kind: str) -> list[str]:
    """Return the nodes of a class."""
    wanted = NamedNode(full(kind))
    return [
        one.subject.value
        for one in triples
        if one.predicate == TYPE and one.object == wanted and isinstance(one.subject, NamedNode)
    ]


def found_without(profile: str, level: str, name: str, *paths: str) -> set[Result]:
    """Return what is found in a complete record once it says nothing under these properties."""
    iris = {NamedNode(full(path)) for path in paths}
    return found(profile, level, [one for one in record(name) if one.predicate not in iris])


@pytest.mark.parametrize(("profile", "name"), RECORDS)
@pytest.mark.parametrize("level", LEVELS)
def test_a_complete_record_meets_its_profile_on_every_level(profile: str, name: str, level: str) -> None:
    """Nothing is found in it."""
    assert found(profile, level, record(name)) == set()


@pytest.mark.parametrize(("profile", "name"), RECORDS)
def test_each_mandatory_property_that_goes_missing_gives_exactly_its_finding(profile: str, name: str) -> None:
    """At its node, and nothing else of the structure."""
    whole = record(name)
    checked = 0
    for (owner, kind), rules in MANDATORY.items():
        for focus in nodes(whole, kind) if owner == profile else ():
            for path in {path for path, _ in rules}:
                dropped = of(whole, focus, full(path))
                assert dropped, (focus, path)
                wanted = {
                    Result(focus, full(path), component, "", "violation") for each, component in rules if each == path
                }
                assert found(profile, "structure", without(whole, *dropped)) == wanted
                checked += 1
    assert checked >= 11


@pytest.mark.parametrize(("profile", "name"), RECORDS)
def test_what_is_not_mandatory_may_go_missing(profile: str, name: str) -> None:
    """No other property leads to a violation of the structure; those that several nodes share are tried together."""
    whole = record(name)
    asked = {full(path) for (owner, _), rules in MANDATORY.items() if owner == profile for path, _ in rules}
    asked |= {full(path) for path in ("dct:license", "rdf:type", "dcat:distribution", "dcat:inSeries")}
    rest = {one.predicate for one in whole} - {NamedNode(path) for path in asked}
    assert len(rest) > 10
    for predicate in rest:
        left = [one for one in whole if one.predicate != predicate]
        violations = {one for one in found(profile, "structure", left) if one.severity == "violation"}
        lost_meaning = {one for one in violations if one.component == NODE}  # an area without its box says nothing
        assert violations == lost_meaning, predicate


def test_a_distribution_says_on_which_terms() -> None:
    """By a licence or by a rights statement."""
    whole = record("green-deal.ttl")
    (distribution,) = nodes(whole, "dcat:Distribution")
    free = without(whole, *of(whole, distribution, full("dct:license")))
    assert found("green-deal", "structure", free) == {Result(distribution, TERMS, COUNT, "", "violation")}
    rights = Triple(NamedNode(distribution), NamedNode(full("dct:rights")), BlankNode("rights"))
    assert found("green-deal", "structure", (*free, rights)) == set()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("dct:spatial", "dcat:bbox"),
        ("dct:spatial", "dcat:centroid"),
        ("dct:spatial", "skos:prefLabel"),
        ("dct:temporal", "dcat:startDate"),
        ("dct:temporal", "dcat:endDate"),
    ],
)
def test_a_place_and_a_period_of_the_record_say_where_and_when(path: str, said: str) -> None:
    """A node without an IRI that says nothing is found; one statement is enough."""
    whole = record("green-deal.ttl")
    (dataset,) = nodes(whole, "dcat:Dataset")
    node = BlankNode("node")
    empty = (
        *without(whole, *of(whole, dataset, full(path))),
        Triple(NamedNode(dataset), NamedNode(full(path)), node),
    )
    (finding,) = found("green-deal", "structure", empty)
    assert (finding.path, finding.component) == (full(path), NODE)
    told = Triple(node, NamedNode(full(said)), Literal("2024"))
    assert found("green-deal", "structure", (*empty, told)) == set()


@pytest.mark.parametrize(
    ("paths", "wanted"),
    [
        (("dct:accrualPeriodicity",), "dct:accrualPeriodicity"),
        (("dct:issued",), "dct:issued"),
        (("dct:language",), "dct:language"),
        (("dcat:temporalResolution",), "dcat:temporalResolution"),
        (("dct:provenance",), "dct:provenance prov:wasGeneratedBy dct:source"),
        (("dcat:byteSize",), "dcat:byteSize"),
    ],
)
@pytest.mark.parametrize("name", ["green-deal.ttl", "green-deal-statistics.ttl"])
def test_what_every_record_should_say_is_recommended(name: str, paths: tuple[str, ...], wanted: str) -> None:
    """Each as a warning of its own, whatever the kind of data."""
    (finding,) = found_without("green-deal", "recommendation", name, *paths)
    choices = [full(one) for one in wanted.split()]
    assert finding.path == (choices[0] if len(choices) == 1 else "|".join(f"<{one}>" for one in choices))
    assert (finding.component, finding.severity) == (COUNT, "warning")


@pytest.mark.parametrize(
    ("name", "paths", "count"),
    [
        ("green-deal.ttl", ("geodcatap:referenceSystem",), 1),
        ("green-deal.ttl", ("dcat:spatialResolutionInMeters",), 1),
        ("green-deal.ttl", ("qb:concept",), 1),
        ("green-deal-statistics.ttl", ("stat:dataStructureDefinition",), 1),
        ("green-deal-statistics.ttl", ("stat:statUnitMeasure",), 1),
        ("green-deal-statistics.ttl", ("stat:dimension",), 1),
        ("green-deal.ttl", ("stat:measure", "geodcatap:topicCategory"), 1),
    ],
)
def test_each_kind_of_data_has_its_recommendations(name: str, paths: tuple[str, ...], count: int) -> None:
    """Places and grids for data of the earth, standard names for the weather, the cube for statistics."""
    findings = [one for one in found_without("green-deal", "recommendation", name, *paths) if one.component == OR]
    assert len(findings) == count
    assert {(one.path, one.severity) for one in findings} == {("", "warning")}


def test_images_of_the_earth_name_their_mission() -> None:
    """Only they are asked what took them."""
    whole = record("green-deal.ttl")
    topic = next(one for one in whole if one.predicate.value == full("geodcatap:topicCategory"))
    images = NamedNode("http://inspire.ec.europa.eu/metadata-codelist/TopicCategory/imageryBaseMapsEarthCover")
    taken = (*without(whole, topic), Triple(topic.subject, topic.predicate, images))
    assert [one.component for one in found("green-deal", "recommendation", taken)] == [OR]
    mission = Triple(topic.subject, NamedNode(full("prov:wasGeneratedBy")), NamedNode("urn:a:mission"))
    assert found("green-deal", "recommendation", (*taken, mission)) == set()


def test_a_variable_is_named_by_the_cf_table_or_by_sdmx() -> None:
    """Another concept is a warning of the vocabularies."""
    whole = record("green-deal.ttl")
    concept = next(one for one in whole if one.predicate.value == full("qb:concept"))
    for iri, fine in (
        ("http://vocab.nerc.ac.uk/standard_name/precipitation_flux/", True),
        ("http://purl.org/linked-data/sdmx/2009/concept#obsValue", True),
        ("urn:sdmx:org.sdmx.infomodel.conceptscheme.Concept=SDMX:CROSS_DOMAIN_CONCEPTS(2.0).OBS_VALUE", True),
        ("https://vocab.example/temperature", False),
    ):
        changed = (*without(whole, concept), Triple(concept.subject, concept.predicate, NamedNode(iri)))
        assert (found("green-deal", "vocabulary", changed) == set()) is fine, iri


def test_a_high_value_dataset_has_an_api_and_a_distribution() -> None:
    """Either the service serves the dataset or a distribution names the service; without both there is none."""
    whole = record("hvd.ttl")
    (dataset,) = nodes(whole, "dcat:Dataset")
    serves = next(one for one in whole if one.predicate.value == full("dcat:servesDataset"))
    access = next(one for one in whole if one.predicate.value == full("dcat:accessService"))
    assert found("hvd", "structure", without(whole, serves)) == set()
    assert found("hvd", "structure", without(whole, access)) == set()
    (finding,) = found("hvd", "structure", without(whole, serves, access))
    assert (finding.focus, finding.component) == (dataset, COUNT)
    assert re.findall(r"#(\w+)>", finding.path) == ["servesDataset", "distribution", "accessService"]


@pytest.mark.parametrize("kind", ["dcat:Distribution", "dcat:DataService"])
def test_high_value_data_say_on_which_terms(kind: str) -> None:
    """By a licence or by rights."""
    whole = record("hvd.ttl")
    (focus,) = nodes(whole, kind)
    free = without(whole, *of(whole, focus, full("dct:license")))
    assert found("hvd", "structure", free) == {Result(focus, "", OR, focus, "violation")}
    rights = Triple(NamedNode(focus), NamedNode(full("dct:rights")), BlankNode("rights"))
    assert found("hvd", "structure", (*free, rights)) == set()


def test_a_category_that_is_none_is_found_by_the_record_alone() -> None:
    """The structure needs no list beside it; another law is found too."""
    whole = record("hvd.ttl")
    for path, value, components in (
        ("dcatap:hvdCategory", "http://data.europa.eu/bna/c_00000000", {NODE}),
        ("dcatap:applicableLegislation", "http://data.europa.eu/eli/dir/2007/2/oj", {HAS_VALUE}),
    ):
        changed = [
            Triple(one.subject, one.predicate, NamedNode(value)) if one.predicate.value == full(path) else one
            for one in whole
        ]
        assert {one.component for one in found("hvd", "structure", changed)} == components


def test_a_record_of_the_plain_form_can_meet_the_profile() -> None:
    """What the connector writes of a complete dataset, drafts included, passes the structure."""
    dataset = m.Dataset(
        id="https://data.example/rain",
        title={"en": "Rain"},
        description={"en": "Rain by hour."},
        identifier=("https://data.example/rain",),
        publisher=m.Agent(name={"en": "Weather Office"}),
        contact_point=(m.ContactPoint(email="data@weather.example"),),
        access_rights=f"{AUTHORITY}access-right/RESTRICTED",
        theme=(f"{AUTHORITY}data-theme/ENVI",),
        spatial=(m.Location(bbox=(170, -50, -170, -40)),),
        temporal=(m.PeriodOfTime(start="2024-01-01"),),
        variables=(m.Variable(name="pr", standard_name="precipitation_flux", unit="kg m-2 s-1"),),
        distribution=(
            m.Distribution(
                access_url=("https://data.example/rain.nc",), rights=(m.Statement(description={"en": "By contract."}),)
            ),
        ),
    )
    assert found("green-deal", "structure", graph.write(dataset)) == set()
    bare = graph.write(m.Dataset(id="https://data.example/rain", title={"en": "Rain"}, description={"en": "Rain."}))
    assert len({one.path for one in found("green-deal", "structure", bare)}) == 7


def test_every_term_of_a_list_that_shapes_use_is_in_the_list() -> None:
    """No IRI of a list stands in a shape that the list does not have; schemes are schemes."""
    schemes = {entry.scheme for entry in entries().values()}
    bases = tuple(base for name, entry in entries().items() for base in entry.base if name != "geodcat-metric")
    used: set[str] = set()
    for folder in library.shelf("shapes").iterdir():
        for file in folder.iterdir() if folder.is_dir() else ():
            for triple in parse(file.read_bytes(), Format.TURTLE) if file.name.endswith(".ttl") else ():
                if triple.predicate.value in {full("sh:hasValue"), full("rdf:first")}:
                    used.add(str(getattr(triple.object, "value", "")))
                elif triple.predicate.value == f"{GD}example" and isinstance(triple.object, Literal):
                    used.update(re.findall(r"<([^>]+)>", triple.object.value))
    terms = {iri for iri in used if iri.startswith(bases) and iri not in schemes}
    assert len(terms) > 100
    assert {iri for iri in terms if not background([iri])} == set()
