"""GeoJSON: one text and many, older systems, boxes that cross 180 degrees, and texts that are none."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import InvalidInput, TooLarge
from connector.formats import Facts, Limits, describe
from connector.formats.containers import json_stream
from connector.formats.coordinates.footprint import CRS84_IRI
from connector.formats.tabular import geojson
from tests.formats.vectors import sides, square

NAMED: Final = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::28992"}}


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    """Return a feature."""
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def point(x: float, y: float) -> dict[str, Any]:
    """Return a point."""
    return {"type": "Point", "coordinates": [x, y]}


def collection(*features: Any, **more: Any) -> dict[str, Any]:
    """Return a collection of features."""
    return {"type": "FeatureCollection", "features": list(features), **more}


def read(path: Path, value: Any) -> Facts:
    """Return what the reader finds."""
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return geojson.read(path, Limits())


def test_features_have_a_place_fields_and_times(tmp_path: Path) -> None:
    """The box is that of the positions; the system of RFC 7946 goes by the code of WGS 84, too."""
    made = collection(
        feature(point(5, 50), date="2020-01-01", height=1),
        feature(None, date="2020-01-02", height=1.5),
        feature(point(7, 40), date="2020-01-03", name="c"),
    )
    found = read(tmp_path / "x", made)
    assert found.bbox is not None
    assert sides(found.bbox) == [5, 40, 7, 50]
    assert (found.crs, found.epsg, found.rows) == (CRS84_IRI, 4326, 3)
    assert [(each.name, each.dtype) for each in found.variables] == [
        ("date", "text"),
        ("height", "number"),
        ("name", "text"),
    ]
    assert found.period is not None
    assert (found.period.begin, found.period.end, found.temporal_resolution) == ("2020-01-01", "2020-01-03", "P1D")
    assert "1 of 3 features have no geometry." in found.notes


positions = st.tuples(st.floats(-89, 89), st.floats(-89, 89)).map(list)
rings = st.lists(positions, min_size=4, max_size=6)
shapes = st.one_of(
    st.builds(lambda at: ("Point", at, [at]), positions),
    st.builds(lambda line: ("LineString", line, line), st.lists(positions, min_size=2, max_size=5)),
    st.builds(
        lambda each: ("Polygon", each, [at for ring in each for at in ring]), st.lists(rings, min_size=1, max_size=2)
    ),
    st.builds(
        lambda each: ("MultiPolygon", each, [at for polygon in each for ring in polygon for at in ring]),
        st.lists(st.lists(rings, min_size=1, max_size=2), min_size=1, max_size=2),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(shapes, min_size=1, max_size=8), st.sampled_from(["collection", "lines", "records"]), st.integers(1, 64)
)
def test_the_box_is_that_of_every_position(tmp_path: Path, made: Any, form: str, piece: int) -> None:
    """In one text or in many, in pieces of any size: rows and bounds are those of a plain walk."""
    features = [feature({"type": kind, "coordinates": coordinates}) for kind, coordinates, _ in made]
    mark = "\x1e" if form == "records" else ""
    text = json.dumps(collection(*features)) if form == "collection" else ""
    text = text or "".join(f"{mark}{json.dumps(each)}\n" for each in features)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "PIECE", piece)
        found = read(tmp_path / "x", text)
    everything = [at for _, _, walked in made for at in walked]
    xs, ys = [at[0] for at in everything], [at[1] for at in everything]
    assert found.native_bounds == (min(xs), min(ys), max(xs), max(ys))
    assert found.rows == len(made)
    assert found.media_type == ("application/geo+json-seq" if form != "collection" and len(made) > 1 else None)


@pytest.mark.parametrize("first", [True, False])
def test_an_older_system_by_name(tmp_path: Path, first: bool) -> None:
    """GeoJSON of 2008 names its system before or behind the features; positions are transformed."""
    made = {"type": "FeatureCollection"}
    members = [("crs", NAMED), ("features", [feature(point(155_000, 463_000))])]
    found = read(tmp_path / "x", {**made, **dict(members if first else members[::-1])})
    assert found.epsg == 28992
    assert found.bbox is not None
    assert found.bbox.west == pytest.approx(5.387, abs=1e-3)
    assert found.bbox.south == pytest.approx(52.155, abs=1e-3)
    assert found.native_bounds == (155_000, 463_000, 155_000, 463_000)


@pytest.mark.parametrize(
    ("crs", "says"),
    [
        (None, "is not known"),
        ({"type": "link", "properties": {"href": "http://127.0.0.1:9/x"}}, "link"),
        ({"type": "name", "properties": {"name": "local grid"}}, "'local grid'"),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::999999"}}, "999999"),
        ({"type": "name"}, "not known"),
    ],
)
def test_a_system_that_is_not_known_leaves_the_place_open(tmp_path: Path, crs: Any, says: str) -> None:
    """No system, a link, a name of nothing: no box, and a note that asks."""
    found = read(tmp_path / "x", collection(feature(point(5, 50)), crs=crs))
    assert found.bbox is None
    assert (found.crs, found.epsg) == (None, None)
    assert any(says in note and "by hand" in note for note in found.notes)


@pytest.mark.parametrize(
    "name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "http://www.opengis.net/def/crs/OGC/1.3/CRS84"]
)
def test_degrees_by_name_are_degrees(tmp_path: Path, name: str) -> None:
    """The names under which programs write what is the default today."""
    found = read(tmp_path / "x", collection(feature(point(5, 50)), crs={"type": "name", "properties": {"name": name}}))
    assert found.bbox is not None
    assert (found.epsg, sides(found.bbox)) == (4326, [5, 50, 5, 50])


def test_metres_without_a_system_are_no_place(tmp_path: Path) -> None:
    """A file in metres that does not say so is asked about."""
    found = read(tmp_path / "x", collection(feature(point(155_000, 463_000))))
    assert found.bbox is None
    assert any("no degrees" in note for note in found.notes)


def test_cut_at_180_degrees(tmp_path: Path) -> None:
    """RFC 7946 3.1.9: a multipolygon in two parts; the box has its west in the east."""
    fiji = {"type": "MultiPolygon", "coordinates": [[square(177, -18, 3)], [square(-180, -18, 1)]]}
    found = read(tmp_path / "x", collection(feature(fiji)))
    assert found.bbox is not None
    assert sides(found.bbox) == [177, -18, -179, -15]


@pytest.mark.parametrize("where", ["before", "behind", "feature", "nowhere"])
def test_a_box_that_crosses_tells_how_lines_run(tmp_path: Path, where: str) -> None:
    """RFC 7946 5.2: west beyond east. A ring that jumps from 170 to -170 is then taken the short way."""
    ring = [[170, 0], [-170, 0], [-170, 10], [170, 10], [170, 0]]
    claim = [170, 0, -170, 10]
    one = feature({"type": "Polygon", "coordinates": [ring]})
    made: dict[str, Any] = {"type": "FeatureCollection"}
    if where == "before":
        made["bbox"] = claim
    made["features"] = [{**one, "bbox": claim} if where == "feature" else one]
    if where == "behind":
        made["bbox"] = claim
    found = read(tmp_path / "x", made)
    assert found.bbox is not None
    if where == "nowhere":
        assert sides(found.bbox) == [-170, 0, 170, 10]
        assert any("cross 180" in note for note in found.notes)
    else:
        assert sides(found.bbox) == claim
        assert not any("cross 180" in note for note in found.notes)


def test_a_member_bbox_that_lies_is_told(tmp_path: Path) -> None:
    """The positions count, and the difference is said."""
    found = read(tmp_path / "x", collection(feature(point(5, 50)), bbox=[-180, -90, 180, 90]))
    assert found.bbox is not None
    assert sides(found.bbox) == [5, 50, 5, 50]
    assert any("member bbox says -180" in note for note in found.notes)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "Feature", "geometry": {"type": "Point", "coordinates": [5, 50, 7]}, "properties": null}',
        '{"type": "Point", "coordinates": [5, 50]}',
        '{"coordinates": [[5, 50], [5, 50]], "type": "MultiPoint"}',
        '{"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [5, 50]}]}',
        '\ufeff {"type": "Point", "coordinates": [5, 50]} ',
    ],
)
def test_a_text_that_is_no_collection(tmp_path: Path, text: str) -> None:
    """A single feature or a bare geometry is one row."""
    found = read(tmp_path / "x", text)
    assert found.bbox is not None
    assert (sides(found.bbox), found.rows) == ([5, 50, 5, 50], 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1, 2]", "does not begin with an object"),
        ('{"type": "Topology", "objects": {}}', "none of those"),
        ('{"type": "FeatureCollection", "features": [{"type": "Point"}]}', "Feature 1"),
        ('{"type": "FeatureCollection", "features": [1]}', "Feature 1"),
        ('{"type": "FeatureCollection", "features": []} {}', "behind the end"),
        ('{"type": "Point", "coordinates": [[5, 50]]}', "not as its type says"),
        ('{"type": "Point", "coordinates": {"x": 1}}', "not as its type says"),
        ('{"type": "Point", "coordinates": ["a", "b"]}', "not as its type says"),
        ('{"type": "Polygon", "coordinates": [[5, 50], [6, 51]]}', "not as its type says"),
        ('{"type": "LineString", "coordinates": [[5], [6]]}', "not as its type says"),
        ('{"type": "Point" "coordinates": [5, 50], "and": "much more text behind the mistake"}', "damaged"),
        ('{"type": "Point", "coordinates": [5, 50]', "cut off"),
        ('{"type": "Poi', "cut off"),
        ('{"type": "Point", "coordinates": [' + "1" * 5000 + ", 0]}", "too long"),
    ],
)
def test_what_is_no_geojson_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """Other JSON, geometries that are not as their type says, mistakes and cuts."""
    with pytest.raises(InvalidInput, match=why):
        read(tmp_path / "x", text)


def test_an_empty_collection_is_no_mistake(tmp_path: Path) -> None:
    """It has no row, no place, and says so."""
    found = read(tmp_path / "x", collection())
    assert (found.rows, found.bbox) == (0, None)
    assert any("no feature" in note for note in found.notes)


def test_numbers_that_are_none_are_left_out(tmp_path: Path) -> None:
    """Threat: NaN, Infinity and numbers beyond all numbers as coordinates."""
    made = '{"type": "MultiPoint", "coordinates": [[NaN, 1], [1, Infinity], [1e999, 2], [5, 50]]}'
    found = read(tmp_path / "x", made)
    assert found.bbox is not None
    assert sides(found.bbox) == [5, 50, 5, 50]
    assert any("3 positions are not numbers" in note for note in found.notes)


def test_one_feature_may_not_be_larger_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat: a single value without an end."""
    monkeypatch.setattr(geojson, "LONGEST", 10_000)
    monkeypatch.setattr(json_stream, "PIECE", 1000)
    with pytest.raises(TooLarge, match="longer than 10000"):
        read(tmp_path / "x", collection(feature(point(1, 2), text="x" * 20_000)))
    assert read(tmp_path / "x", collection(*[feature(point(1, 2), text="x" * 500)] * 100)).rows == 100


def test_a_stac_item_is_not_read_as_geometry(tmp_path: Path) -> None:
    """A feature with a version of STAC belongs to another reader."""
    path = tmp_path / "x.geojson"
    path.write_text(
        json.dumps({"stac_version": "1.0.0", **feature(point(5, 50)), "id": "x", "links": [], "assets": {}})
    )
    assert describe(path).reader == "stac"


def test_when_the_time_is_over_what_was_read_is_said(tmp_path: Path) -> None:
    """The box is sampled then, the features are not counted, and a note says how many were read."""
    path = tmp_path / "x"
    path.write_text(json.dumps(collection(*[feature(point(5, 50))] * 1000)))
    found = geojson.read(path, Limits(cpu_seconds=0))
    assert found.rows is None
    assert found.bbox is not None
    assert found.bbox.basis == "sampled"
    assert any("first 256 features" in note for note in found.notes)


def test_of_several_times_the_most_exact_counts(tmp_path: Path) -> None:
    """A property with days beats one with years; they do not cancel each other out."""
    found = read(
        tmp_path / "x", collection(*(feature(point(5, 50), year=2020, date=f"2020-01-0{day}") for day in (1, 2, 3)))
    )
    assert found.period is not None
    assert (found.period.begin, found.period.end, found.period.variable) == ("2020-01-01", "2020-01-03", "date")


@pytest.mark.parametrize("piece", range(1, 30))
def test_a_number_may_go_on_in_the_next_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """Wherever the text is cut into pieces, numbers and words are read whole."""
    monkeypatch.setattr(json_stream, "PIECE", piece)
    text = '{"a": 123456789, "b": true, "c": -1.5e3, "type": "Point", "coordinates": [5, 50], "d": 12}'
    found = read(tmp_path / "x", text)
    assert found.native_bounds == (5, 50, 5, 50)
