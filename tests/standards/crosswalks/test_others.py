"""ISO 19139, CKAN and SDMX to records; records to schema.org and Croissant."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.standards import crosswalks
from connector.standards.crosswalks import ckan, iso19139, schema_org, sdmx, stac
from connector.standards.dcat import graph, model, shacl
from connector.standards.dcat.table import TABLE
from tests.standards.crosswalks.documents import COLLECTION, HOME, ISO, PACKAGE
from tests.standards.dcat.records import datasets

AUTHORITY = "http://publications.europa.eu/resource/authority/"
MODULES = (stac, iso19139, ckan, sdmx, schema_org)


def test_iso_metadata_become_a_record() -> None:
    """Each element stands where the annex of GeoDCAT-AP has it."""
    record = iso19139.read(ISO, home=HOME).record
    assert record.id == "https://land.example/id/soil"
    assert record.title == {"de": "Bodenkarte", "en": "Soil map"}
    assert record.description == {"de": "Böden des Landes."}
    assert record.issued == "2019-03-01"
    assert record.theme == ("http://inspire.ec.europa.eu/theme/so",)
    assert record.keyword == {"de": ("Bohrung",)}
    assert record.contact_point == (model.ContactPoint(name={"de": "Landesamt"}, email="boden@land.example"),)
    assert record.rights_holder == (model.Agent(name={"de": "Landesamt"}),)
    assert record.frequency == f"{AUTHORITY}frequency/AS_NEEDED"
    assert record.access_rights == f"{AUTHORITY}access-right/PUBLIC"
    assert record.rights == (model.Statement(description={"de": "Quelle nennen."}),)
    assert record.spatial == (model.Location(bbox=(8.5, 53.3, 11.5, 55.1)),)
    assert record.temporal == (model.PeriodOfTime(start="2000-01-01", end="2018-12-31"),)
    assert record.spatial_resolution_in_meters == (2500.0,)
    assert record.spatial_resolution_as_text == {"de": "1:50000"}
    assert record.crs == ("http://www.opengis.net/def/crs/EPSG/0/25832",)
    assert record.language == (f"{AUTHORITY}language/DEU",)
    assert record.topic_category == (
        "http://inspire.ec.europa.eu/metadata-codelist/TopicCategory/geoscientificInformation",
    )
    assert record.provenance == (model.Statement(description={"de": "Aus Bohrungen."}),)
    assert record.conforms_to == (
        model.Standard(id="http://data.europa.eu/eli/reg/2010/1089", title={"de": "INSPIRE"}),
    )
    assert record.page == ("https://land.example/about",)
    (download,) = record.distribution
    assert download.access_url == ("https://land.example/soil.gpkg",)
    assert (download.format, download.byte_size) == (f"{AUTHORITY}file-type/GPKG", 1_572_864)
    assert download.licence == f"{AUTHORITY}licence/CC_BY_4_0"
    assert download.character_encoding == ("UTF-8",)


def test_what_iso_metadata_lose_is_named() -> None:
    """By its path, without the types in between."""
    lost = iso19139.read(ISO, home=HOME).lost
    assert "identificationInfo/pointOfContact/positionName" in lost
    assert "dateStamp" in lost
    assert not any("abstract" in each or "linkage" in each for each in lost)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<a/>", "0 metadata"),
        (b"<a>", "no XML"),
        (ISO.replace(b'codeListValue="dataset"', b'codeListValue="service"'), "service"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "0 metadata"),
    ],
)
def test_what_is_no_metadata_of_a_dataset_is_refused(data: bytes, said: str) -> None:
    """With the reason; entities are never read."""
    with pytest.raises(InvalidInput, match=said):
        iso19139.read(data, home=HOME)


def test_a_package_becomes_a_record() -> None:
    """Fields at the top and extras, in the language that the package names."""
    record = ckan.read(PACKAGE, home=HOME).record
    assert record.id == f"{HOME}/rain-gauges"
    assert record.title == {"de": "Niederschlag"}
    assert record.keyword == {"de": ("Eigene Gruppe", "Regen")}
    assert record.theme == (f"{AUTHORITY}data-theme/ENVI",)
    assert record.publisher == model.Agent(name={"de": "Wetterdienst des Landes"})
    assert record.creator == (model.Agent(name={"de": "Wetterdienst"}, email="post@wetter.example"),)
    assert record.contact_point == (model.ContactPoint(name={"de": "Auskunft"}, email="auskunft@wetter.example"),)
    assert record.issued == "2020-01-02T03:04:05.678900Z"
    assert record.frequency == f"{AUTHORITY}frequency/DAILY"
    assert record.access_rights == f"{AUTHORITY}access-right/PUBLIC"
    assert record.spatial == (model.Location(bbox=(6.0, 47.0, 15.0, 55.0)),)
    assert record.temporal == (model.PeriodOfTime(start="1990-01-01", end="2020-12-31"),)
    assert record.temporal_resolution == "P1D"
    (way,) = record.distribution
    assert (way.byte_size, way.format) == (4096, f"{AUTHORITY}file-type/CSV")
    assert way.licence == f"{AUTHORITY}licence/CC_BY_4_0"
    assert way.checksum is not None
    assert way.checksum.value == "cd" * 32


def test_what_a_package_loses_is_named() -> None:
    """An extra of another name, and a resource that leads nowhere."""
    lost = ckan.read(PACKAGE, home=HOME).lost
    assert "extras.mood" in lost
    assert "resources[1].name" in lost
    assert len(lost) == 3, lost


def test_a_structure_message_becomes_a_statistical_record(shared: Path) -> None:
    """Dataflow and structure of Eurostat: names in every language, dimensions with the names of their concepts."""
    data = (shared / "data" / "stat" / "ESTAT_NRG_BAL_S_structure.xml").read_bytes()
    crossed = sdmx.read(data, home=HOME)
    record = crossed.record
    assert record.title["fr"] == "Bilans énergétiques simplifiés"
    assert record.identifier == ("urn:sdmx:org.sdmx.infomodel.datastructure.Dataflow=ESTAT:NRG_BAL_S(1.0)",)
    assert record.data_structure is not None
    assert record.data_structure.startswith("urn:sdmx:org.sdmx.infomodel.datastructure.DataStructure=ESTAT:NRG_BAL_S(")
    assert {each.name for each in record.dimensions} == {"freq", "nrg_bal", "siec", "unit", "geo", "TIME_PERIOD"}
    assert all(each.label for each in record.dimensions)
    assert "Codelist (6)" in crossed.lost


def test_a_record_for_search_engines() -> None:
    """A schema.org Dataset with latitude first, two boxes for one across 180 degrees, and sizes in words."""
    record = stac.read(COLLECTION, home=HOME).record
    found = schema_org.write(record)
    document = found.document
    assert document["@type"] == "Dataset"
    assert [each["geo"]["box"] for each in document["spatialCoverage"]] == ["10 160 60 180", "10 -180 60 -110"]
    assert document["temporalCoverage"] == "2010-01-01T00:00:00Z/.."
    assert document["variableMeasured"]["unitText"] == "K"
    assert document["distribution"][0]["contentSize"] == "1234 B"
    assert "crs" in found.lost


def test_a_record_for_machine_learning() -> None:
    """Croissant has the file with its checksum, and says that it does not know its layout."""
    found = schema_org.write_croissant(stac.read(COLLECTION, home=HOME).record)
    (file,) = found.document["distribution"]
    assert (file["@type"], file["sha256"]) == ("cr:FileObject", "ab" * 32)
    assert found.document["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert any(each.startswith("recordSet") for each in found.lost)


@given(record=datasets())
def test_any_record_can_be_written(record: model.Dataset) -> None:
    """Each form is JSON, and each field that is not carried is named."""
    for form in crosswalks.WRITERS:
        written = crosswalks.write(record, form)
        json.dumps(written.document)
        if record.quality_note:
            assert "quality_note" in written.lost


@pytest.mark.parametrize("data", [ISO, json.dumps(PACKAGE).encode(), json.dumps(COLLECTION).encode()])
def test_records_meet_the_structure_of_the_profile(data: bytes) -> None:
    """DCAT-AP has nothing to say against what comes out of any form; a document is recognised by what it holds."""
    record = crosswalks.read(data, crosswalks.recognise(data), home=HOME).record
    report = shacl.check(graph.write(record), "dcat-ap")
    assert [each.message for each in report.results if each.level == "structure"] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_tables_for_people_name_fields_that_there_are(module: object) -> None:
    """Each field of ours in a table is one of the model."""
    fields = {row.field for rows in TABLE.values() for row in rows} | {"id", "…"}
    for row in module.ROWS:  # type: ignore[attr-defined]
        for name in (row.ours or "").split(", ") if row.ours else ():
            assert set(name.split(".")) <= fields, row


@given(data=st.binary(max_size=200) | st.integers(0, len(ISO)).map(lambda cut: ISO[:cut]))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    """Anything is read into a record that can be written, or refused."""
    for form in crosswalks.READERS:
        try:
            record = crosswalks.read(data, form, home=HOME).record
        except InvalidInput:
            continue
        assert graph.read(graph.write(record)).id == record.id
