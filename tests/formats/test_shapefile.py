"""Shapefiles: alone, with their siblings, and in archives; written by pyshp, read by our own reader."""

import struct
from pathlib import Path
from typing import Any

import pytest
import shapefile as pyshp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.formats import Limits, describe
from connector.formats.tabular import shapefile
from tests.formats.vectors import shapes, sides, square, zipped

number = st.floats(-80, 80)
ring = st.tuples(number, number, st.floats(0.1, 9)).map(lambda each: square(*each))


def test_a_shapefile_is_read_with_what_lies_beside_it(tmp_path: Path) -> None:
    """System, fields and rows come from the siblings; the media type is that of shapes."""
    found = describe(shapes(tmp_path / "places.shp", [[square(5, 50, 1)], [square(9, 40, 2)]]))
    assert found.bbox is not None
    assert sides(found.bbox) == [5, 40, 11, 51]
    assert (found.reader, found.epsg, found.rows, found.format) == ("shapefile", 4326, 2, "ESRI Shapefile")
    assert [(each.name, each.dtype) for each in found.variables] == [("name", "text"), ("height", "number")]
    assert found.geometry_types == ("Polygon",)


def test_siblings_in_capitals_are_found(tmp_path: Path) -> None:
    """Old systems wrote every name in capitals."""
    path = shapes(tmp_path / "places.shp", [[square(5, 50, 1)]])
    for each in list(tmp_path.iterdir()):
        each.rename(each.with_name(each.name.upper()))
    assert describe(path.with_name("PLACES.SHP")).epsg == 4326


def test_alone_it_has_bounds_and_no_place(tmp_path: Path) -> None:
    """Without a .prj nobody knows what the numbers mean: they are given as they are, and the provider is asked."""
    path = shapes(tmp_path / "places.shp", [[square(5, 50, 1)]])
    alone = tmp_path / "alone" / "places.shp"
    alone.parent.mkdir()
    path.rename(alone)
    found = describe(alone)
    assert found.bbox is None
    assert found.crs is None
    assert found.native_bounds == (5, 50, 6, 51)
    assert any(".prj" in note and "by hand" in note for note in found.notes)
    assert any(".dbf" in note for note in found.notes)


def test_an_archive_is_read_without_unpacking(tmp_path: Path) -> None:
    """Two shapefiles in folders of one archive: their fields carry their names."""
    folder = tmp_path / "made"
    folder.mkdir()
    for name, west in (("one", 170.0), ("two", -179.0)):
        shapes(folder / f"{name}.shp", [[square(west, 0, 1)]])
    members = {f"data/{each.name}": each.read_bytes() for each in folder.iterdir()}
    found = describe(zipped(tmp_path / "x.zip", members))
    assert found.bbox is not None
    assert sides(found.bbox) == [170, 0, -178, 1]
    assert [each.name for each in found.variables] == ["one/name", "one/height", "two/name", "two/height"]
    assert (found.rows, found.epsg, found.media_type) == (2, 4326, "application/zip")
    assert found.file_type == "http://publications.europa.eu/resource/authority/file-type/SHP"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.lists(st.lists(ring, min_size=1, max_size=3), min_size=1, max_size=6))
def test_the_extent_is_what_another_program_writes_and_reads(tmp_path: Path, polygons: Any) -> None:
    """What pyshp writes has the rows, the bounds and the fields that pyshp reads back."""
    path = shapes(tmp_path / "file.shp", polygons)
    for suffix in (".dbf", ".prj", ".shx"):
        path.with_suffix(suffix).rename(path.with_name(f"x.shp{suffix}"))
    path = path.rename(path.with_name("x.shp"))
    found = shapefile.read(path, Limits())
    with pyshp.Reader(shp=str(path), dbf=str(tmp_path / "x.shp.dbf")) as other:
        assert found.rows == len(other)
        assert found.native_bounds == pytest.approx(tuple(other.bbox), abs=1e-9)
        assert [each.name for each in found.variables] == [field[0] for field in other.fields[1:]]


@pytest.mark.parametrize(
    ("kind", "name", "write"),
    [
        (pyshp.POINT, "Point", lambda out: out.point(5, 50)),
        (pyshp.POINTZ, "Point", lambda out: out.pointz(5, 50, 7)),
        (pyshp.MULTIPOINT, "MultiPoint", lambda out: out.multipoint([[5, 50], [5, 50]])),
        (pyshp.POLYLINE, "LineString", lambda out: out.line([[[5, 50], [5, 50]]])),
        (pyshp.POLYLINEM, "LineString", lambda out: out.linem([[[5, 50, 1], [5, 50, 2]]])),
    ],
)
def test_every_kind_of_shape(tmp_path: Path, kind: int, name: str, write: Any) -> None:
    """Points, lines and sets of points, with and without heights and measures."""
    with pyshp.Writer(str(tmp_path / "x"), shapeType=kind) as out:
        out.field("a", "C")
        write(out)
        out.record("1")
        out.null()
        out.record("2")
    found = shapefile.read(tmp_path / "x.shp", Limits())
    assert found.native_bounds == (5, 50, 5, 50)
    assert (found.geometry_types, found.rows) == ((name,), 2)


def test_the_head_is_compared_with_the_shapes(tmp_path: Path) -> None:
    """A head that claims the globe is overruled by the shapes, with a note."""
    path = shapes(tmp_path / "x.shp", [[square(5, 50, 1)]])
    raw = bytearray(path.read_bytes())
    raw[36:68] = struct.pack("<4d", -180, -90, 180, 90)
    path.write_bytes(raw)
    found = describe(path)
    assert found.bbox is not None
    assert sides(found.bbox) == [5, 50, 6, 51]
    assert any("head of the .shp" in note for note in found.notes)


def test_a_table_of_other_length_is_damage(tmp_path: Path) -> None:
    """Shapes and rows belong together one by one."""
    path = shapes(tmp_path / "x.shp", [[square(5, 50, 1)], [square(6, 50, 1)]])
    other = shapes(tmp_path / "y.shp", [[square(5, 50, 1)]])
    path.with_suffix(".dbf").write_bytes(other.with_suffix(".dbf").read_bytes())
    assert any("damaged" in note for note in describe(path).notes)


@pytest.mark.parametrize(
    ("at", "raw", "why"),
    [
        (32, struct.pack("<i", 77), "kind 77"),
        (104, struct.pack(">i", 0x7FFFFFF), "does not fit"),
        (104, struct.pack(">i", -1), "does not fit"),
        (108, struct.pack("<i", 99), "kind 99"),
        (108 + 36, struct.pack("<i", 0x7FFFFFFF), "announces more"),
        (108 + 40, struct.pack("<i", -5), "announces more"),
        (108 + 44, struct.pack("<i", 3), "not in order"),
    ],
)
def test_numbers_that_lie_are_refused(tmp_path: Path, at: int, raw: bytes, why: str) -> None:
    """Threat: lengths, kinds and counts beyond what is there."""
    path = shapes(tmp_path / "x.shp", [[square(5, 50, 1)]])
    whole = bytearray(path.read_bytes())
    whole[at : at + len(raw)] = raw
    path.write_bytes(whole)
    with pytest.raises(InvalidInput, match=why):
        describe(path)


def test_when_the_time_is_over_what_was_read_is_said(tmp_path: Path) -> None:
    """The rows are those of the table then, and the box is that of the first shapes."""
    path = shapes(tmp_path / "x.shp", [[square(number / 10, 50, 1)] for number in range(400)])
    for suffix in (".dbf", ".prj"):
        path.with_suffix(suffix).rename(path.with_name(f"x.shp{suffix}"))
    found = shapefile.read(path, Limits(cpu_seconds=0))
    assert found.rows == 400
    assert found.bbox is not None
    assert found.bbox.basis == "sampled"
    assert found.bbox.east == pytest.approx(26.5)
    assert any("first 256 shapes" in note for note in found.notes)


def test_a_cut_file_is_known_by_its_head(tmp_path: Path) -> None:
    """The length in the head is that of the whole file: a cut between two records is seen."""
    path = shapes(tmp_path / "x.shp", [[square(5, 50, 1)], [square(6, 50, 1)]])
    raw = path.read_bytes()
    path.write_bytes(raw[: 100 + (len(raw) - 100) // 2])
    with pytest.raises(InvalidInput, match="bytes are announced"):
        describe(path)
