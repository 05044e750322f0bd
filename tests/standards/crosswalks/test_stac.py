"""STAC and openEO to records and back: what is carried, what is named as lost, and that what is written is valid."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.standards import crosswalks
from connector.standards.crosswalks import stac, stac_out
from connector.standards.dcat import graph, model, shacl
from tests.standards.crosswalks.documents import COLLECTION, HOME, OPENEO
from tests.standards.dcat.records import datasets

AUTHORITY = "http://publications.europa.eu/resource/authority/"


def read(document: dict[str, Any]) -> crosswalks.Crossed:
    """Return what becomes of a STAC document."""
    return stac.read(document, home=HOME)


def test_a_collection_becomes_a_record_with_all_that_it_says() -> None:
    """Each field of the collection stands where GeoDCAT-AP has it."""
    record = read(COLLECTION).record
    assert record.id == f"{HOME}/sst-north-pacific"
    assert record.title == {"en": "Sea surface temperature of the North Pacific"}
    assert record.keyword == {"en": ("ocean", "temperature")}
    assert record.theme == ("http://inspire.ec.europa.eu/theme/sr", f"{AUTHORITY}data-theme/ENVI")
    assert record.identifier == ("sst-north-pacific",)
    assert [(each.scheme, each.notation) for each in record.other_identifier] == [("DOI", "10.5072/sst")]
    assert record.publisher == model.Agent(name={"en": "Archive"})
    assert [model.words(each.name) for each in record.creator] == ["Ocean Institute"]
    assert record.spatial == (model.Location(bbox=(160.0, 10.0, -110.0, 60.0)),)
    assert record.temporal == (model.PeriodOfTime(start="2010-01-01T00:00:00Z"),)
    assert record.spatial_resolution_in_meters == (500.0,)
    assert record.temporal_resolution == "P1D"
    assert record.crs == ("http://www.opengis.net/def/crs/EPSG/0/32660",)
    assert record.variables == (model.Variable(name="sst", label={"en": "Surface temperature"}, unit="K"),)
    assert (record.created, record.modified, record.version) == ("2011-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2")
    assert record.source == ("https://ocean.example/raw",)
    assert record.is_referenced_by == ("https://doi.org/10.5072/paper",)
    assert {model.words(each.label) for each in record.was_generated_by} == {
        "platform: buoy-1",
        "instruments: radiometer",
    }


def test_its_assets_become_distributions_and_its_items_a_service() -> None:
    """A file with size and checksum, and the API that has the items; a picture is a page."""
    record = read(COLLECTION).record
    data, items = record.distribution
    assert data.download_url == ("https://ocean.example/sst.nc",)
    assert (data.format, data.byte_size, data.licence) == (
        f"{AUTHORITY}file-type/NETCDF",
        1234,
        f"{AUTHORITY}licence/CC_BY_4_0",
    )
    assert data.checksum is not None
    assert data.checksum.value == "ab" * 32
    assert items.access_service[0].endpoint_url == ("https://stac.example/",)
    assert "https://ocean.example/sst.png" in record.page


def test_what_has_no_place_is_named() -> None:
    """Nothing of the collection is dropped in silence."""
    assert set(read(COLLECTION).lost) == {
        "summaries.eo:cloud_cover",
        "sci:publications[0].citation",
        "assets.near.href",
        "cube:dimensions.t.extent",
    }


@pytest.mark.parametrize("gone", sorted({*COLLECTION} - {"stac_extensions", "type", "id"}))
def test_every_field_of_the_collection_counts(gone: str) -> None:
    """Without any one of its fields the record is another."""
    less = {key: value for key, value in COLLECTION.items() if key != gone}
    if gone == "stac_version":
        with pytest.raises(InvalidInput):
            read(less)
    else:
        assert read(less).record != read(COLLECTION).record


def test_a_record_survives_the_way_there_and_back() -> None:
    """What a collection can say comes back as it went."""
    there = stac_out.write(read(COLLECTION).record)
    assert there.lost == ()
    back = read(there.document).record
    assert back == read(COLLECTION).record


@given(record=datasets())
def test_any_record_is_written_and_read_again(record: model.Dataset) -> None:
    """No record breaks the writer; its title, places and periods come back, or are named as lost."""
    written = stac_out.write(record)
    back = read(json.loads(json.dumps(written.document))).record
    if model.words(record.title).strip():
        assert model.words(back.title) == model.words(record.title).strip()
    boxes = [each.bbox for each in record.spatial if each.bbox]
    if boxes:
        assert sorted(each.bbox for each in back.spatial if each.bbox) == sorted(set(boxes))
    else:
        assert any(each.startswith("extent.spatial") for each in written.lost)


@pytest.mark.parametrize("name", ["all", "little", "openeo"])
def test_what_is_written_is_valid_stac(name: str, shared: Path) -> None:
    """The published schema of STAC 1.1.0 finds nothing wrong with the collections."""
    folder, base = shared / "standards" / "stac", "https://schemas.stacspec.org/"
    schemas = {}
    for path in (folder / "core" / "v1.1.0").rglob("*.json"):
        # By its place, since one of the files misspells its own name.
        schemas[f"{base}v1.1.0/{path.parent.name}/json-schema/{path.name}"] = json.loads(path.read_text())
    for path in (folder / "geojson").rglob("*.json"):
        schemas[f"https://geojson.org/schema/{path.name}"] = json.loads(path.read_text())
    registry = jsonschema_rs.Registry(list(schemas.items()))
    validator = jsonschema_rs.validator_for(
        schemas[f"{base}v1.1.0/collection-spec/json-schema/collection.json"], registry=registry
    )
    documents = {
        "all": stac_out.write(read(COLLECTION).record).document,
        "little": stac_out.write(model.Dataset(id="https://x.example/1", title={"de": "Karte"})).document,
        "openeo": stac_out.write(crosswalks.read(json.dumps(OPENEO).encode(), "openeo", home=HOME).record).document,
    }
    assert [error.message for error in validator.iter_errors(documents[name])] == []


def test_an_item_becomes_a_record_of_one_moment() -> None:
    """The properties of an item are what a collection says at its top."""
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "scene",
        "geometry": {"type": "Point", "coordinates": [1, 2]},
        "bbox": [1, 2, 0, 3, 4, 9],
        "properties": {"datetime": "2024-05-01T10:00:00Z", "proj:epsg": 32631, "gsd": 10, "title": "A scene"},
        "assets": {"B02": {"href": "https://eo.example/B02.tif", "eo:bands": [{"name": "B02", "common_name": "blue"}]}},
        "links": [],
    }
    crossed = read(item)
    assert crossed.record.temporal == (model.PeriodOfTime(start="2024-05-01T10:00:00Z", end="2024-05-01T10:00:00Z"),)
    assert crossed.record.spatial == (model.Location(bbox=(1.0, 2.0, 3.0, 4.0)),)
    assert crossed.record.crs == ("http://www.opengis.net/def/crs/EPSG/0/32631",)
    assert [each.name for each in crossed.record.variables] == ["B02"]
    assert "geometry" in crossed.lost


def test_an_openeo_collection_is_reached_through_its_back_end() -> None:
    """Bands and reference system come from the datacube, and the way to the data is the back-end."""
    crossed = crosswalks.read(json.dumps(OPENEO).encode(), "openeo", home=HOME)
    record = crossed.record
    assert [each.name for each in record.variables] == ["B02", "B03"]
    assert record.crs == ("http://www.opengis.net/def/crs/EPSG/0/32631",)
    (way,) = record.distribution
    assert way.access_service[0].endpoint_url == ("https://openeo.example/openeo/1.2/",)
    assert way.access_url == ("https://openeo.example/openeo/1.2/collections/SENTINEL2_L2A",)
    assert record.rights == (model.Statement(id="https://sentinel.example/notice"),)
    assert not any("reference_system" in each or each.endswith(".values") for each in crossed.lost)


@pytest.mark.parametrize("document", [COLLECTION, OPENEO])
def test_the_records_meet_the_structure_of_the_profile(document: dict[str, Any]) -> None:
    """DCAT-AP has nothing to say against what comes out."""
    record = crosswalks.read(json.dumps(document).encode(), "openeo", home=HOME).record
    report = shacl.check(graph.write(record), "dcat-ap")
    assert [each.message for each in report.results if each.level == "structure"] == []


def test_real_documents_are_read(shared: Path) -> None:
    """Items and a collection of an archive keep place, time and reference system."""
    found = {
        path.name: stac.read(json.loads(path.read_text()), home=HOME).record
        for path in (shared / "data" / "eo" / "stac").glob("*.json")
    }
    item = found["S2A_T07HFE_20190212T192646_L2A.json"]
    assert item.spatial[0].bbox == pytest.approx((-139.94553, -31.771974, -139.57542, -31.625917))
    assert item.crs == ("http://www.opengis.net/def/crs/EPSG/0/32707",)
    assert len(found) == 3


@given(
    document=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text() | st.sampled_from(sorted(COLLECTION)), x),
    )
)
def test_no_document_breaks_the_reader(document: Any) -> None:
    """Anything that says it is a collection is read, and nothing of its top level is dropped in silence."""
    told = document if isinstance(document, dict) else {"extent": document}
    try:
        crossed = read({**told, "type": "Collection", "stac_version": "1.1.0", "id": "x"})
    except InvalidInput:
        return
    assert crossed.record.id == f"{HOME}/x"
    known = {*COLLECTION, *OPENEO, "conformsTo", "language", "gsd", "platform", "instruments", "bands", "published"}
    strange = {key for key, value in told.items() if key not in known and value not in (None, "", [], {})}
    assert strange <= set(crossed.lost)
