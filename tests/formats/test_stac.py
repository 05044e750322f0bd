"""STAC items, collections and collections of items: what they say of data elsewhere, and what is wrong in them."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.formats import Facts, Limits, detect
from connector.formats.coordinates import rings
from connector.formats.description import describe_file
from connector.formats.imagery import stac
from connector.formats.summary import summary

Read = Callable[[Any], Facts]
SQUARE: Final = {"type": "Polygon", "coordinates": [[[10, 40], [12, 40], [12, 43], [10, 43], [10, 40]]]}
ITEM: Final[dict[str, Any]] = {
    "type": "Feature",
    "stac_version": "1.1.0",
    "id": "scene-1",
    "geometry": SQUARE,
    "bbox": [10, 40, 12, 43],
    "properties": {
        "title": "A scene",
        "datetime": "2024-05-06T07:08:09.500Z",
        "platform": "sentinel-2b",
        "instruments": ["msi"],
        "eo:cloud_cover": 12.5,
        "grid:code": "MGRS-32TQM",
        "proj:code": "EPSG:32632",
        "gsd": 10,
        "license": "CC-BY-4.0",
        "updated": "2024-05-07T00:00:00Z",
        "providers": [
            {"name": "ESA", "roles": ["producer"]},
            {"name": "Mirror", "roles": ["host"]},
            {"name": "EU", "roles": ["licensor"]},
        ],
    },
    "links": [],
    "assets": {
        "B02": {
            "href": "https://data.example/B02.tif",
            "type": "image/tiff",
            "roles": ["data"],
            "bands": [{"name": "B02", "eo:common_name": "blue", "data_type": "uint16", "unit": "1"}],
            "file:size": 123,
            "file:checksum": "1220" + "ab" * 32,
        },
        "scl": {"href": "./scl.tif", "roles": ["data"], "title": "Scene classes"},
        "thumb": {"href": "./t.png", "roles": ["thumbnail"]},
    },
}
COLLECTION: Final[dict[str, Any]] = {
    "type": "Collection",
    "stac_version": "1.0.0",
    "id": "era",
    "title": "Reanalysis",
    "description": "Hourly fields",
    "license": "other",
    "keywords": ["climate"],
    "extent": {
        "spatial": {"bbox": [[-180, -90, 180, 90], [0, 0, 1, 1]]},
        "temporal": {"interval": [["1940-01-01T00:00:00Z", None]]},
    },
    "links": [{"rel": "license", "href": "https://example.org/terms"}],
    "providers": [{"name": "ECMWF", "roles": ["producer", "host"]}],
    "summaries": {"proj:code": ["EPSG:4326"], "gsd": {"minimum": 9000, "maximum": 31000}},
    "cube:dimensions": {
        "x": {"type": "spatial", "axis": "x"},
        "t": {"type": "temporal", "step": "PT1H", "extent": ["1940-01-01T00:00:00Z", None]},
    },
    "cube:variables": {
        "t2m": {"type": "data", "unit": "K", "description": "2 m temperature", "dimensions": ["t", "x"]},
        "mask": {"type": "auxiliary"},
    },
}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that writes a document, detects that it is STAC and reads it."""

    def described(document: Any) -> Facts:
        path = tmp_path / "file"
        path.write_text(json.dumps(document))
        assert detect(path.read_bytes(), "x.json").name == "stac"
        return stac.read(path, Limits())

    return described


def changed(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return an item with other properties or, where it has them itself, other members; `...` takes one away."""
    found = copy.deepcopy(document)
    for name, value in members.items():
        key = name.replace("__", ":")
        owner = found if key in found else found["properties"]
        if value is ...:
            owner.pop(key, None)
        else:
            owner[key] = value
    return found


def sides(found: Facts) -> tuple[float, float, float, float] | None:
    """Return the box as W S E N."""
    box = found.bbox
    return (box.west, box.south, box.east, box.north) if box else None


def test_an_item_is_metadata_with_all_it_says(read: Read) -> None:
    """Place, time, system, resolution, bands, licence, names, checksums: each in its field; the data lie elsewhere."""
    found = read(ITEM)
    assert (found.kind, found.format, found.conforms_to) == ("metadata", "STAC Item 1.1.0", "STAC 1.1.0")
    assert sides(found) == (10, 40, 12, 43)
    assert found.period is not None
    assert (found.period.begin, found.period.end) == ("2024-05-06T07:08:09.5",) * 2
    assert (found.epsg, found.crs) == (32632, "http://www.opengis.net/def/crs/EPSG/0/32632")
    assert (found.spatial_resolution_metres, found.licence) == (10, "CC-BY-4.0")
    assert (found.publisher, found.creator) == ("EU", "ESA")
    assert (found.title, found.identifier, found.modified) == ("A scene", "scene-1", "2024-05-07T00:00:00Z")
    assert [(each.name, each.long_name, each.unit) for each in found.variables] == [
        ("B02", "blue", "1"),
        ("scl", "Scene classes", None),
    ]
    assert found.scene is not None
    assert (found.scene.platform, found.scene.tile, found.scene.cloud_cover) == ("sentinel-2b", "T32TQM", 12.5)
    assert [each.key for each in found.assets] == ["B02", "scl", "thumb"]
    assert (found.assets[0].byte_size, found.assets[0].sha256) == (123, "ab" * 32)
    assert {"sentinel-2b", "msi"} <= set(found.keywords)
    assert any("lie elsewhere (data.example)" in note for note in found.notes)


def test_a_collection_is_a_series_with_all_it_says(read: Read) -> None:
    """The first box and interval are those of the whole; an open end stays open; variables come from the cube."""
    found = read(COLLECTION)
    assert (found.kind, found.media_type) == ("series", "application/json")
    assert sides(found) == (-180, -90, 180, 90)
    assert found.period is not None
    assert (found.period.begin, found.period.end) == ("1940-01-01T00:00:00", "")
    assert [(each.name, each.unit) for each in found.variables] == [("t2m", "K")]
    assert [(each.name, each.role) for each in found.dimensions] == [("x", "dimension"), ("t", "time")]
    assert (found.temporal_resolution, found.spatial_resolution_metres, found.epsg) == ("PT1H", 9000, 4326)
    assert found.licence == "other: https://example.org/terms"
    assert any("which is none by itself" in note for note in found.notes)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([170, -20, -170, -10], (170, -20, -170, -10)),
        ([10, 40, -100, 12, 43, 900], (10, 40, 12, 43)),
        ([170, -20, 190, -10], (170, -20, -170, -10)),
        ([-190, -20, -170, -10], (170, -20, -170, -10)),
        ([-180, -90, 180, 90], (-180, -90, 180, 90)),
        ([170, -20, 180, -10], (170, -20, 180, -10)),
        ([0, 0, 360, 10], (-180, 0, 180, 10)),
    ],
)
def test_a_box_without_geometry_is_taken_as_declared(box: list[float], expected: tuple[float, ...], read: Read) -> None:
    """Four or six numbers, across 180 degrees too, in whatever turn the longitudes are counted."""
    found = read(changed(ITEM, geometry=None, bbox=box))
    assert sides(found) == expected
    assert found.bbox is not None
    assert found.bbox.basis == "attribute"


@pytest.mark.parametrize(
    "box", [[1, 2, 3], [0, 95, 1, 99], [0, 5, 1, 4], ["a", 0, 1, 1], [0, 0, 1e9, 1], {}, [None] * 4]
)
def test_a_box_that_is_none_is_left_out_and_told(box: Any, read: Read) -> None:
    """Latitudes beyond the poles, south above north, texts: there is no box, and a sentence says so."""
    found = read(changed(ITEM, geometry=None, bbox=box))
    assert found.bbox is None
    assert any("none on Earth" in note for note in found.notes)


def test_the_geometry_goes_before_a_box_that_differs(read: Read) -> None:
    """A `bbox` that its own geometry contradicts is told, and the positions are taken."""
    found = read(changed(ITEM, bbox=[-180, -90, 180, 90]))
    assert sides(found) == (10, 40, 12, 43)
    assert found.bbox is not None
    assert found.bbox.basis == "points"
    assert any("its geometry covers 10 40 12 43" in note for note in found.notes)


def test_a_crossing_is_seen_cut_or_not(read: Read) -> None:
    """Two halves at 180 degrees, or one uncut ring with a `bbox` that says that it crosses: the same box."""
    east = [[[178, 0], [180, 0], [180, 5], [178, 5], [178, 0]]]
    west = [[[-180, 0], [-179, 0], [-179, 5], [-180, 5], [-180, 0]]]
    cut = read(changed(ITEM, geometry={"type": "MultiPolygon", "coordinates": [east, west]}, bbox=[178, 0, -179, 5]))
    uncut = [[[178, 0], [-179, 0], [-179, 5], [178, 5], [178, 0]]]
    whole = read(changed(ITEM, geometry={"type": "Polygon", "coordinates": uncut}, bbox=[178, 0, -179, 5]))
    assert sides(cut) == sides(whole) == (178, 0, -179, 5)
    assert not any("geometry" in note for note in (*cut.notes, *whole.notes))
    unsaid = read(changed(ITEM, geometry={"type": "Polygon", "coordinates": uncut}, bbox=...))
    assert any("has to be cut there" in note for note in unsaid.notes)


@pytest.mark.parametrize(
    ("members", "begin", "end"),
    [
        ({"datetime": None, "start_datetime": "2020-01-01T00:00:00Z", "end_datetime": "2020-02-01T00:00:00+01:00"},
         "2020-01-01T00:00:00", "2020-01-31T23:00:00"),
        ({"datetime": "2020-01-01T00:00:00.123456789Z"}, "2020-01-01T00:00:00.123456", "2020-01-01T00:00:00.123456"),
        ({"datetime": "2020-01-15T00:00:00Z", "start_datetime": "2020-01-01T00:00:00Z",
          "end_datetime": "2020-01-31T00:00:00Z"}, "2020-01-01T00:00:00", "2020-01-31T00:00:00"),
    ],
)  # fmt: skip
def test_a_range_goes_before_a_moment(members: dict[str, Any], begin: str, end: str, read: Read) -> None:
    """Start and end where they are given, in UTC; else the moment is both."""
    found = read(changed(ITEM, **members)).period
    assert found is not None
    assert (found.begin, found.end) == (begin, end)


@pytest.mark.parametrize(
    "members",
    [
        {"datetime": None},
        {"datetime": "yesterday"},
        {"datetime": "2020-13-01T00:00:00Z"},
        {"datetime": 5},
        {"start_datetime": "2020-02-01T00:00:00Z", "end_datetime": "2020-01-01T00:00:00Z"},
    ],
)
def test_a_time_that_is_none_stays_open(members: dict[str, Any], read: Read) -> None:
    """No time, no such day, or an end before its start: the period is open, and a sentence says so."""
    found = read(changed(ITEM, **members))
    assert found.period is None
    assert any("time" in note for note in found.notes)


def test_different_systems_of_assets_are_not_one(read: Read) -> None:
    """Each asset may have its own reference system; where they differ there is none for all."""
    one = changed(ITEM, proj__code=...)
    one["assets"]["B02"]["proj:epsg"] = 32632
    assert read(one).epsg == 32632
    one["assets"]["scl"]["proj:code"] = "EPSG:32633"
    found = read(one)
    assert (found.epsg, found.crs) == (None, None)
    assert any("2 reference systems: EPSG:32632, EPSG:32633" in note for note in found.notes)


@pytest.mark.parametrize(
    ("said", "links", "licence"),
    [
        ("CC0-1.0", [], "CC0-1.0"),
        ("proprietary", [], "proprietary"),
        ("various", ["https://a.example/l"], "various: https://a.example/l"),
        (None, ["https://a.example/l"], "https://a.example/l"),
        (None, [], None),
    ],
)
def test_a_licence_is_never_made_up(said: str | None, links: list[str], licence: str | None, read: Read) -> None:
    """An SPDX id is one; the words for having none are kept as such, with the link to the terms where there is one."""
    document = changed(ITEM, license=said or ..., links=[{"rel": "license", "href": href} for href in links])
    assert read(document).licence == licence


def test_bands_of_version_1_0_are_joined_with_what_their_rasters_say(read: Read) -> None:
    """`eo:bands` has the names, `raster:bands` types and units, in the same order."""
    document = changed(ITEM)
    document["assets"] = {
        "data": {
            "href": "x.tif",
            "eo:bands": [{"name": "b1", "common_name": "red"}, {"description": "height"}],
            "raster:bands": [{"data_type": "uint16"}, {"data_type": "float32", "unit": "m"}],
        }
    }
    assert [(v.name, v.long_name, v.dtype, v.unit) for v in read(document).variables] == [
        ("b1", "red", "uint16", None),
        ("data 2", "height", "float32", "m"),
    ]


def test_a_collection_of_items_is_a_series_of_them(read: Read) -> None:
    """Boxes and times of all items together, each band once, the number of items; what is no item is told."""
    other = changed(
        ITEM, geometry=None, bbox=[20, 41, 21, 44], datetime="2024-05-09T00:00:00Z", proj__code="EPSG:32633"
    )
    found = read({"type": "FeatureCollection", "features": [ITEM, other, {"type": "Feature"}]})
    assert (found.kind, found.rows, sides(found)) == ("series", 2, (10, 40, 21, 44))
    assert found.period is not None
    assert (found.period.begin, found.period.end) == ("2024-05-06T07:08:09.5", "2024-05-09T00:00:00")
    assert [each.name for each in found.variables] == ["B02", "scl"]
    assert found.epsg is None
    assert any("1 of the features are no STAC items" in note for note in found.notes)


def test_a_band_is_no_title(read: Read) -> None:
    """An item without a title goes by its id: the words for its first band say which colour it is, not what is seen."""
    facts = read(changed(ITEM, title=...))
    described = describe_file(facts, reader="stac", media_type="application/json", file_type=None, size=1, sha256=None)
    line = summary("x", described)
    assert (line["title"], line["sources"]["title"]) == ("scene-1", "attribute")


def test_a_catalogue_and_an_older_version_are_called_what_they_are(read: Read) -> None:
    """A catalogue has nothing to describe; a document of another version is read with a warning."""
    found = read({"type": "Catalog", "stac_version": "0.9.0", "id": "c", "description": "d", "links": []})
    assert found.kind == "metadata"
    assert any("only links" in note for note in found.notes)
    assert any("STAC 0.9.0, not 1.0 or 1.1" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"type": "Feature", "stac_version": "1.0.0", "id":', "cut off"),
        ('{"type": "Feature"}', "no STAC"),
        ('{"type": "Style", "stac_version": "1.0.0"}', "does not have"),
        ("[1]", "not an object"),
        ('{"stac_version": ' + "[" * 100_000, "nested too deeply"),
        ('{"stac_version": NaN}', "cut off"),
    ],
)
def test_what_is_no_stac_document_is_refused(text: str, said: str, tmp_path: Path) -> None:
    """Cut off, of no version, of another type, nested without end."""
    (tmp_path / "x").write_text(text)
    with pytest.raises(InvalidInput, match=said):
        stac.read(tmp_path / "x", Limits())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to all members of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(each for key, one in inner for each in places(one, (*way, key)))]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), document=st.sampled_from([ITEM, COLLECTION]), value=json_values)
def test_a_member_of_any_type_breaks_nothing(data: st.DataObject, document: Any, value: Any, tmp_path: Path) -> None:
    """Whatever stands in the place of a member, the answer is a refusal or facts that keep their own types."""
    found = copy.deepcopy(document)
    way = data.draw(st.sampled_from(places(document)[1:]))
    owner = found
    for key in way[:-1]:
        owner = owner[key]
    owner[way[-1]] = value
    path = tmp_path / "x"
    path.write_text(json.dumps(found))
    try:
        facts = stac.read(path, Limits())
    except InvalidInput:
        return
    assert msgspec.json.decode(msgspec.json.encode(facts), type=Facts) == facts


lines = st.lists(st.tuples(st.integers(-170, 170), st.integers(-80, 80)), min_size=1, max_size=8)


@given(lines, st.integers(-3, 3))
def test_a_box_holds_every_position(line: list[tuple[int, int]], turns: int) -> None:
    """All positions of a line lie in its box, and counting longitudes in another turn changes nothing."""
    moved = [[lon + 360 * turns, lat] for lon, lat in line]
    found = rings.of_geometry({"type": "LineString", "coordinates": [list(each) for each in line]}, short_way=True)
    assert found is not None
    assert rings.of_geometry({"type": "LineString", "coordinates": moved}, short_way=True) == found
    width = (found.east - found.west) % 360 or (360 if found.east > found.west else 0)
    for lon, lat in line:
        assert found.south <= lat <= found.north
        assert (lon - found.west) % 360 <= width + 1e-6


def test_a_footprint_around_a_pole_holds_it() -> None:
    """A ring that comes home a turn later goes around a pole: all meridians, up to the pole."""
    ring = [[0, 80], [90, 81], [180, 82], [-90, 81], [0, 80]]
    found = rings.of_geometry({"type": "Polygon", "coordinates": [ring]}, short_way=True)
    assert found is not None
    assert (found.west, found.south, found.east, found.north) == (-180, 80, 180, 90)
