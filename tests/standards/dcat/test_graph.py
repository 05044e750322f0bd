"""The plain model and its graph: one table, both ways."""

from typing import Any

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode

from connector.errors import InvalidInput, TooLarge
from connector.standards import rdf
from connector.standards.dcat import graph
from connector.standards.dcat import model as m
from connector.standards.dcat.table import TABLE, Form
from connector.standards.rdf import Format, Triples
from tests.conftest import REFERENCES
from tests.standards.dcat.records import datasets

TYPE = NamedNode(rdf.full("rdf:type"))
ACROSS = "MULTIPOLYGON(((170 -5,180 -5,180 5,170 -5)),((-180 -5,-170 -5,-170 5,-180 -5)))"
PREFIXES = "\n".join(f"@prefix {prefix}: <{namespace}> ." for prefix, namespace in rdf.PREFIXES.items())
RICH = m.Dataset(
    id="https://data.example/rain",
    title={"en": "Rain", "de": "Regen"},
    keyword={"en": ("water", "rain")},
    publisher=m.Agent(id="https://weather.example/", name={"": "Weather Office"}),
    creator=(m.Agent(id="https://other.example/"),),
    contact_point=(m.ContactPoint(name={"": "Desk"}, email="a&b'c@weather.example", telephone="+4912"),),
    spatial=(m.Location(bbox=(5.0, 45.5, 11.0, 48.0)),),
    temporal=(m.PeriodOfTime(start="2024-01-01", end="2024-12-31T23:59:59Z"),),
    issued="2024",
    crs=("http://www.opengis.net/def/crs/EPSG/0/4326",),
    spatial_resolution_in_meters=(1000.0,),
    temporal_resolution="PT1H",
    variables=(m.Variable(name="t2m", standard_name="air_temperature", label={"en": "Temperature"}, unit="K"),),
    distribution=(
        m.Distribution(
            access_url=("https://data.example/rain.nc",),
            byte_size=12,
            checksum=m.Checksum(algorithm="http://spdx.org/rdf/terms#checksumAlgorithm_sha256", value="ab"),
        ),
    ),
)


def turtle(text: str) -> Triples:
    """Return the triples of a Turtle text with the usual prefixes."""
    return rdf.parse(f"{PREFIXES}\n{text}".encode(), Format.TURTLE)


def read(text: str) -> m.Dataset:
    """Return the plain view of a dataset whose properties `text` lists."""
    return graph.read(turtle(f"<urn:d> a dcat:Dataset ; {text} ."))


@settings(max_examples=60)
@given(datasets())
def test_what_is_written_reads_as_the_same_record(dataset: m.Dataset) -> None:
    """No field of the model is lost or changed on the way through RDF."""
    event(f"{len(graph.write(dataset)) // 20 * 20}+ triples")
    assert graph.read(graph.write(dataset)) == dataset


@settings(max_examples=30)
@given(datasets(6))
def test_names_for_blank_nodes_change_nothing_else(dataset: m.Dataset) -> None:
    """A stored record shows the same plain view, with ids where there were none."""
    stored = rdf.skolemise(graph.write(dataset), dataset.id)
    again = graph.read(stored, dataset.id)
    assert without_names(msgspec.to_builtins(again)) == without_names(msgspec.to_builtins(dataset))


def without_names(value: Any) -> Any:
    """Return the builtins of a record without the ids that skolemisation gave, in an order of their own."""
    match value:
        case dict():
            return {k: without_names(v) for k, v in value.items() if not (k == "id" and "#b-" in v)}
        case list() | tuple():
            return sorted((without_names(each) for each in value), key=msgspec.json.encode)
        case _:
            return value


def test_every_field_of_the_model_has_its_row() -> None:
    """A field without a property would vanish; a property without a field would crash."""
    kinds = [each for each in vars(m).values() if isinstance(each, type) and issubclass(each, m.Node)]
    assert set(kinds) - {m.Node} == set(TABLE)
    for kind, rows in TABLE.items():
        assert sorted(row.field for row in rows) == sorted(set(kind.__struct_fields__) - {"id", "kind"}), kind
        assert len({row.iri for row in rows}) == len(rows), kind
        assert all((row.node is not None) == (row.form is Form.NODE) for row in rows)


def test_a_record_says_what_dcat_ap_asks() -> None:
    """Classes, datatypes and literals are those of the profile, to the letter."""
    expected = turtle("""
        <https://data.example/rain> a dcat:Dataset ; dct:title "Rain"@en, "Regen"@de ;
            dcat:keyword "rain"@en, "water"@en ; dct:publisher <https://weather.example/> ;
            dct:creator <https://other.example/> ;
            dcat:contactPoint [ a vcard:Kind ; vcard:fn "Desk" ; vcard:hasEmail <mailto:a&b%27c@weather.example> ;
                vcard:hasTelephone <tel:+4912> ] ;
            dct:spatial [ a dct:Location ;
                dcat:bbox "POLYGON((5.0 45.5,11.0 45.5,11.0 48.0,5.0 48.0,5.0 45.5))"^^geo:wktLiteral ] ;
            dct:temporal [ a dct:PeriodOfTime ; dcat:startDate "2024-01-01"^^xsd:date ;
                dcat:endDate "2024-12-31T23:59:59Z"^^xsd:dateTime ] ;
            dct:issued "2024"^^xsd:gYear ;
            geodcatap:referenceSystem <http://www.opengis.net/def/crs/EPSG/0/4326> ;
            dcat:spatialResolutionInMeters "1000.0"^^xsd:decimal ; dcat:temporalResolution "PT1H"^^xsd:duration ;
            stat:measure [ a qb:MeasureProperty ; skos:notation "t2m" ; rdfs:label "Temperature"@en ;
                qb:concept <http://vocab.nerc.ac.uk/standard_name/air_temperature> ; schema:unitText "K" ] ;
            dcat:distribution [ a dcat:Distribution ; dcat:accessURL <https://data.example/rain.nc> ;
                dcat:byteSize "12"^^xsd:nonNegativeInteger ;
                spdx:checksum [ a spdx:Checksum ; spdx:algorithm spdx:checksumAlgorithm_sha256 ;
                    spdx:checksumValue "ab"^^xsd:hexBinary ] ] .
        <https://weather.example/> a foaf:Agent ; foaf:name "Weather Office" .
    """)
    named = [
        rdf.canonical(rdf.skolemise(each, "urn:x")).decode().splitlines() for each in (graph.write(RICH), expected)
    ]
    assert named[0] == named[1]


def test_the_same_record_writes_the_same_triples() -> None:
    """Blank nodes are numbered and not drawn by lot."""
    assert graph.write(RICH) == graph.write(RICH)


def test_a_node_with_only_an_id_is_a_reference() -> None:
    """A publisher given by IRI alone gets no type, so that no shape asks for its name here."""
    record = graph.write(m.Dataset(id="urn:d", publisher=m.Agent(id="urn:agent")))
    assert {str(triple.subject) for triple in record} == {"<urn:d>"}


def test_the_order_of_a_list_does_not_matter() -> None:
    """RDF has no order, so two records that differ in it are the same record."""
    one = m.Dataset(id="urn:d", theme=("urn:b", "urn:a", "urn:a"), keyword={"EN": ("y", "x", "x"), "de": ()})
    other = m.Dataset(id="urn:d", theme=("urn:a", "urn:b"), keyword={"en": ("x", "y")})
    assert one == other


@pytest.mark.parametrize("bad", ["no scheme", "urn:a b", "", "<urn:a>"])
def test_a_broken_iri_is_refused_with_its_field(bad: str) -> None:
    """A draft with a bad address does not become a broken record."""
    with pytest.raises(InvalidInput) as refusal:
        graph.write(m.Dataset(id="urn:d", landing_page=(bad,)))
    assert refusal.value.where == "landing_page"


def test_a_broken_language_tag_is_refused_with_its_field() -> None:
    """As above, for texts."""
    with pytest.raises(InvalidInput) as refusal:
        graph.write(m.Dataset(id="urn:d", title={"not a tag": "x"}))
    assert refusal.value.where == "title"


# --- foreign records --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ('dct:title "b"@EN, "a"@en', "title", {"en": "a"}),
        ('dct:issued "last week"', "issued", "last week"),
        ("dct:identifier <urn:x>", "identifier", ("urn:x",)),
        ('dcat:theme "environment", <urn:t>', "theme", ("urn:t",)),
        ('dct:accessRights "open"', "access_rights", None),
        ("dct:accrualPeriodicity <urn:b>, <urn:a>", "frequency", "urn:a"),
        ('dcat:spatialResolutionInMeters 30, "x", "INF"^^xsd:double', "spatial_resolution_in_meters", (30.0,)),
        ("stat:numSeries -3", "num_series", None),
        ("dct:publisher <urn:a>", "publisher", m.Agent(id="urn:a")),
        ('dct:publisher "Weather Office"', "publisher", None),
        ('dcat:contactPoint [ vcard:hasEmail "a@b.example" ]', "contact_point", (m.ContactPoint(email="a@b.example"),)),
        (
            "stat:measure [ qb:concept <http://vocab.nerc.ac.uk/standard_name/air_temperature/> ]",
            "variables",
            (m.Variable(standard_name="air_temperature"),),
        ),
        (
            'dct:spatial [ dcat:bbox "<http://www.opengis.net/def/crs/EPSG/0/4326> POLYGON((45 5,48 5,48 11,45 5))" ]',
            "spatial",
            (m.Location(bbox=(5.0, 45.0, 11.0, 48.0)),),
        ),
        (
            f'dct:spatial [ dcat:bbox "{ACROSS}" ; locn:geometry "POINT(1 2)" ]',
            "spatial",
            (m.Location(bbox=(170.0, -5.0, -170.0, 5.0)),),
        ),
        ('dct:spatial [ dcat:bbox "somewhere" ]', "spatial", (m.Location(),)),
    ],
)
def test_foreign_records_are_viewed_leniently(text: str, field: str, expected: object) -> None:
    """What others write in other ways is understood where it can be, and left out of the view where it cannot."""
    assert getattr(read(text), field) == expected


def test_rings_of_nodes_end() -> None:
    """A record in which things refer to one another in circles is read as deep as the model goes."""
    found = read("dcat:distribution <urn:x> . <urn:x> dcat:accessService <urn:s> . <urn:s> dcat:contactPoint <urn:d>")
    assert found.distribution[0].access_service[0].contact_point == (m.ContactPoint(id="urn:d"),)


def test_a_record_that_grows_when_written_out_is_refused() -> None:
    """Forty by forty by forty mentions: a hundred and twenty things as triples, sixty-four thousand as a view."""
    text = " ".join(
        f"<urn:d> dcat:distribution <urn:x{one}> . <urn:x{one}> dcat:accessService <urn:s{two}> ."
        f" <urn:s{one}> dcat:contactPoint <urn:c{two}> ."
        for one in range(40)
        for two in range(40)
    )
    with pytest.raises(TooLarge):
        graph.read(turtle(f"<urn:d> a dcat:Dataset . {text}"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1981", "gYear"),
        ("1981Z", "gYear"),
        ("2024-05", "gYearMonth"),
        ("2024-05-01", "date"),
        ("2024-05-01+02:00", "date"),
        ("2024-05-01T06:00:00Z", "dateTime"),
        ("last week", "string"),
    ],
)
def test_dates_are_typed_by_their_look(text: str, kind: str) -> None:
    """What is no date stays plain text, which the shapes refuse."""
    (literal,) = [each.object for each in graph.write(m.Dataset(id="urn:d", issued=text)) if each.predicate != TYPE]
    assert literal == Literal(text, datatype=NamedNode(rdf.full(f"xsd:{kind}")))


def test_the_dataset_has_to_be_clear() -> None:
    """None, several, or one that is not there: each is said."""
    with pytest.raises(InvalidInput, match="no dataset"):
        graph.read(turtle("<urn:a> dct:title 'x' ."))
    two = turtle("<urn:b> a dcat:Dataset . <urn:a> a dcat:Dataset . [] a dcat:Dataset .")
    assert graph.subjects(two) == ["urn:a", "urn:b"]
    with pytest.raises(InvalidInput, match="2 datasets"):
        graph.read(two)
    assert graph.read(two, "urn:b").id == "urn:b"
    with pytest.raises(InvalidInput, match="says nothing"):
        graph.read(two, "urn:c")


def test_older_records_give_their_reference_system_another_way() -> None:
    """GeoDCAT-AP 2 put it under dct:conformsTo."""
    found = read("dct:conformsTo <http://www.opengis.net/def/crs/EPSG/0/3035>, <urn:standard>")
    assert found.reference_systems == ("http://www.opengis.net/def/crs/EPSG/0/3035",)


@pytest.mark.skipif(not REFERENCES.is_dir(), reason="The references do not lie beside the checkout.")
def test_every_published_example_can_be_viewed_and_kept() -> None:
    """Each dataset in the examples of the standards reads, and its view writes and reads the same again."""
    files = sorted((REFERENCES / "standards" / "dcat-examples").glob("*.ttl"))
    seen = 0
    for file in files:
        record = rdf.parse(file.read_bytes(), Format.TURTLE, base=f"http://example.org/{file.name}")
        for subject in graph.subjects(record):
            view = graph.read(record, subject)
            assert view.id == subject
            again = graph.read(graph.write(view), subject)
            assert again.title == view.title
            assert len(again.distribution) == len(view.distribution)
            seen += 1
    assert seen > 40


# --- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "box", [(0, 50, 1, 40), (-181, 0, 0, 0), (0, 0, 0, 91), (0, -91, 0, 0), (float("nan"), 0, 0, 0)]
)
def test_boxes_are_checked(box: tuple[float, float, float, float]) -> None:
    """South above north, or degrees that there are not, never become a record."""
    with pytest.raises(ValueError, match="must lie between"):
        m.Location(bbox=box)


def test_a_box_across_the_meridian_is_geometry() -> None:
    """One polygon would be read as the rest of the globe."""
    record = graph.write(m.Dataset(id="urn:d", spatial=(m.Location(bbox=(170, -5, -170, 5)),)))
    assert not any(triple.predicate.value == rdf.full("dcat:bbox") for triple in record)
    with pytest.raises(ValueError, match="one of the two"):
        m.Location(bbox=(170, -5, -170, 5), geometry="POINT(1 2)")


@given(st.sampled_from(["a", "b"]))
def test_words_prefer_the_wanted_language(text: str) -> None:
    """Then English, then untagged, then any."""
    assert m.words({"de": text, "en": "x"}, "de") == text
    assert m.words({"de": text, "en": "x"}, "fr") == "x"
    assert m.words({"": text, "de": "x"}, "fr") == text
    assert m.words({"it": text}) == text
    assert m.words({}) == ""


def test_a_series_is_told_from_a_dataset() -> None:
    """A record is of the one or the other; a dataset may come with the description of its series, and stays one."""
    series = m.Dataset(id="urn:x:series", kind="series", title={"en": "Rain"}, first="urn:x:2023", last="urn:x:2024")
    dataset = m.Dataset(id="urn:x:2024", title={"en": "Rain 2024"}, in_series=("urn:x:series",), prev="urn:x:2023")
    both = (*graph.write(series), *graph.write(dataset))
    assert graph.subjects(both) == ["urn:x:2024"]
    assert graph.series(both) == ["urn:x:series"]
    assert graph.read(both) == dataset
    assert graph.read(both, "urn:x:series") == graph.read(graph.write(series)) == series
    as_dcat = (*graph.write(series), *graph.write(msgspec.structs.replace(series, kind="dataset")))
    assert (graph.subjects(as_dcat), graph.series(as_dcat)) == ([], ["urn:x:series"])
