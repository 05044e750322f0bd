"""Parquet and GeoParquet: footers, statistics, columns of positions and times, and where they differ."""

import json
import struct
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.formats import Facts, Limits, describe, registry
from connector.formats.coordinates.footprint import CRS84_IRI
from connector.formats.tabular import parquet
from tests.formats.vectors import sides, square, wkb_point, wkb_polygon

LAEA: Final = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3035", always_xy=True)


def geo(path: Path, geometries: list[bytes | None], *, extra: Any = None, version: str = "1.1.0", **about: Any) -> Path:
    """Write a GeoParquet file with what `about` says of its column."""
    described = {"encoding": "WKB", "geometry_types": ["Point"], **about}
    meta = {"version": version, "primary_column": "geometry", "columns": {"geometry": described}}
    made = pa.table({"geometry": pa.array(geometries, pa.binary()), **(extra or {})})
    pq.write_table(made.replace_schema_metadata({"geo": json.dumps(meta)}), path, row_group_size=2)
    return path


def read(path: Path, **limits: Any) -> Facts:
    """Return what the reader finds."""
    return parquet.read(path, Limits(**limits))


def covering(boxes: list[tuple[float, float, float, float]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a covering column and what the metadata say of it."""
    names = ("xmin", "ymin", "xmax", "ymax")
    column = pa.array([dict(zip(names, box, strict=True)) for box in boxes])
    return {"bbox": column}, {"bbox": {name: ["bbox", name] for name in names}}


POINTS: Final = [wkb_point(5, 50), wkb_point(7, 40), None, wkb_point(6, 45)]


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "2.0-dev"])
def test_without_a_box_the_geometries_are_read(tmp_path: Path, version: str) -> None:
    """Neither metadata nor statistics: well-known binary is walked; without a word the system is CRS84."""
    found = read(geo(tmp_path / "x", POINTS, version=version))
    assert found.bbox is not None
    assert (sides(found.bbox), found.bbox.basis) == ([5, 40, 7, 50], "points")
    assert (found.crs, found.epsg, found.rows, found.format) == (CRS84_IRI, None, 4, f"GeoParquet {version}")


def test_a_box_in_the_metadata_is_an_attribute(tmp_path: Path) -> None:
    """What nothing in the footer can confirm is taken from the metadata, and called that."""
    found = read(geo(tmp_path / "x", POINTS, bbox=[5, 40, 7, 50]))
    assert found.bbox is not None
    assert (sides(found.bbox), found.bbox.basis) == ([5, 40, 7, 50], "attribute")


def test_statistics_beat_the_metadata(tmp_path: Path) -> None:
    """The covering column's least and largest values are those of the geometries; a box that differs is told."""
    column, about = covering([(5, 50, 5, 50), (7, 40, 7, 40), (6, 45, 6, 45), (6, 45, 6, 45)])
    found = read(geo(tmp_path / "x", POINTS, extra=column, covering=about, bbox=[-180, -90, 180, 90]))
    assert found.bbox is not None
    assert (sides(found.bbox), found.bbox.basis) == ([5, 40, 7, 50], "points")
    assert any("geometries count" in note for note in found.notes)


def test_a_box_across_180_degrees_is_kept(tmp_path: Path) -> None:
    """GeoParquet writes it with its west beyond its east; statistics say nothing about it."""
    column, about = covering([(177, -18, -179, -15), (-179, -16, -179, -15)] * 2)
    found = read(geo(tmp_path / "x", POINTS, extra=column, covering=about, bbox=[177, -18, 0, -179, -15, 9]))
    assert found.bbox is not None
    assert sides(found.bbox) == [177, -18, -179, -15]


def test_projected_geometries_are_transformed_one_by_one(tmp_path: Path) -> None:
    """PROJJSON gives the system; the rectangle in the metadata would be wider."""
    rings = [[LAEA.transform(*at) for at in square(west, south, 1)] for west, south in ((-9, 38), (25, 65))]
    crs = pyproj.CRS.from_epsg(3035).to_json_dict()
    bounds = np.array(rings).reshape(-1, 2)
    claim = [*bounds.min(axis=0).tolist(), *bounds.max(axis=0).tolist()]
    path = geo(tmp_path / "x", [wkb_polygon(ring) for ring in rings], crs=crs, bbox=claim)
    found = read(path)
    assert found.epsg == 3035
    assert found.bbox is not None
    assert found.bbox.west == pytest.approx(-9, abs=1e-3)
    assert found.bbox.east == pytest.approx(26, abs=1e-3)
    limited = read(path, coordinate_values=3)
    assert limited.bbox is not None
    assert limited.bbox.approximate
    assert any("rectangle" in note for note in limited.notes)


@pytest.mark.parametrize("crs", [None, {"type": "nonsense"}])
def test_without_a_system_there_is_no_box(tmp_path: Path, crs: Any) -> None:
    """A system that is null or cannot be understood leaves the place open."""
    found = read(geo(tmp_path / "x", POINTS, crs=crs, bbox=[5, 40, 7, 50]))
    assert found.bbox is None
    assert found.native_bounds == (5, 40, 7, 50)
    assert any("by hand" in note for note in found.notes)


def test_points_as_numbers_have_statistics(tmp_path: Path) -> None:
    """The native encoding keeps x and y as columns, whose statistics are the bounds."""
    made = pa.table({"geometry": pa.array([{"x": 5.0, "y": 50.0}, {"x": 7.0, "y": 40.0}])})
    about = {"encoding": "point", "geometry_types": ["Point"]}
    meta = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": about}}
    pq.write_table(made.replace_schema_metadata({"geo": json.dumps(meta)}), tmp_path / "x")
    found = read(tmp_path / "x")
    assert found.bbox is not None
    assert sides(found.bbox) == [5, 40, 7, 50]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-90, 90), st.floats(-80, 80)) | st.none(), min_size=1, max_size=20),
    st.sampled_from([pa.float64(), pa.float32(), pa.string()]),
)
def test_columns_of_positions(tmp_path: Path, rows: list[tuple[float, float] | None], kind: Any) -> None:
    """A plain table with latitudes and longitudes, of any type and with gaps, has their box."""
    columns = {
        name: pa.array([None if row is None else row[index] for row in rows], pa.float64()).cast(kind)
        for index, name in enumerate(("lat", "lon"))
    }
    pq.write_table(pa.table(columns), tmp_path / "x", row_group_size=3)
    found = read(tmp_path / "x")
    there = [row for row in rows if row]
    assert found.rows == len(rows)
    if not there:
        assert found.bbox is None
        return
    assert found.bbox is not None
    assert found.crs == CRS84_IRI
    assert found.bbox.south == pytest.approx(min(row[0] for row in there), abs=1e-4)
    assert found.bbox.east == pytest.approx(max(row[1] for row in there), abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "values", "begin", "end", "step"),
    [
        (pa.date32(), [date(2020, 1, 1 + each) for each in range(3)], "2020-01-01", "2020-01-03", "P1D"),
        (
            pa.timestamp("ns"),
            [datetime(2020, 1, 1, each) for each in range(3)],  # noqa: DTZ001 - a column without a zone
            "2020-01-01T00:00:00",
            "2020-01-01T02:00:00",
            "PT1H",
        ),
        (
            pa.timestamp("us", "+02:00"),
            [datetime(2020, 1, 1, each, tzinfo=timezone(timedelta(hours=2))) for each in range(2, 5)],
            "2020-01-01T00:00:00",
            "2020-01-01T02:00:00",
            "PT1H",
        ),
        (pa.string(), ["2020-01", "2020-02", "2020-03"], "2020-01-01", "2020-03-31", "P1M"),
    ],
)
def test_columns_of_times(tmp_path: Path, kind: Any, values: Any, begin: str, end: str, step: str) -> None:
    """Days, instants in any zone and texts give the period in UTC and its spacing."""
    pq.write_table(pa.table({"time": pa.array([*values, None], kind)}), tmp_path / "x")
    found = read(tmp_path / "x")
    assert found.period is not None
    assert (found.period.begin, found.period.end, found.temporal_resolution) == (begin, end, step)


def test_year_and_month_are_read_together(tmp_path: Path) -> None:
    """Numbers in two columns are months."""
    pq.write_table(pa.table({"year": [2020, 2020], "month": [1, 12], "v": [1.0, 2.0]}), tmp_path / "x")
    found = read(tmp_path / "x")
    assert found.period is not None
    assert (found.period.begin, found.period.end) == ("2020-01-01", "2020-12-31")


@pytest.mark.parametrize(
    ("meta", "why"),
    [
        ("{", "damaged"),
        ("[]", "lack"),
        ('{"version": "1.1.0", "columns": {"other": {}}}', "does not have"),
        ('{"version": "1.1.0", "columns": {"geometry": 5}}', "damaged"),
    ],
)
def test_metadata_that_are_none_are_refused(tmp_path: Path, meta: str, why: str) -> None:
    """What calls itself GeoParquet and is not is no table without a place."""
    made = pa.table({"geometry": pa.array(POINTS, pa.binary())})
    pq.write_table(made.replace_schema_metadata({"geo": meta}), tmp_path / "x")
    with pytest.raises(InvalidInput, match=why):
        read(tmp_path / "x")


def test_what_is_no_whole_parquet_is_refused(tmp_path: Path) -> None:
    """No footer, a footer longer than the file, noise in the footer, encryption."""
    path = geo(tmp_path / "x.parquet", POINTS)
    raw = path.read_bytes()
    length = struct.unpack("<I", raw[-8:-4])[0]
    noise = raw[: -8 - length] + b"\xa5" * length + raw[-8:]
    for content, why in (
        (raw[:-1], "cut off"),
        (raw[:-8] + struct.pack("<I", 1 << 30) + b"PAR1", "longer than the file"),
        (noise, "damaged"),
        (b"PARE" + raw[4:-4] + b"PARE", "encrypted"),
    ):
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match=why):
            describe(path)


def test_geometries_that_lie_are_refused(tmp_path: Path) -> None:
    """Threat: well-known binary that announces more than it holds."""
    with pytest.raises(InvalidInput, match="announces"):
        describe(geo(tmp_path / "x.parquet", [struct.pack("<BII", 1, 2, 0xFFFFFFFF)]))


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyArrow the name of the extra is said."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "connector.formats.tabular.parquet", raising=False)
    with pytest.raises(InvalidInput, match="Install the `tabular` extra to read Parquet"):
        registry.by_name("parquet").describe(tmp_path / "x", Limits())


def test_positions_beyond_the_limit_are_those_of_the_statistics(tmp_path: Path) -> None:
    """Of a table with more rows than the limit allows the footer gives the box, the first and the last time."""
    start = np.datetime64("2020-01-01T00:00:00", "us")
    columns = {
        "lat": np.linspace(-10, 50, 20_000),
        "lon": np.concatenate([np.linspace(170, 179, 10_000), np.linspace(-179, -170, 10_000)]),
        "time": start + np.arange(20_000).astype("m8[h]"),
    }
    pq.write_table(pa.table(columns), tmp_path / "x", row_group_size=1000)
    found = read(tmp_path / "x", coordinate_values=100)
    assert found.rows == 20_000
    assert found.bbox is not None
    assert (sides(found.bbox), found.bbox.basis) == ([170, -10, -170, 50], "points")
    assert found.period is not None
    assert (found.period.begin, found.period.end) == ("2020-01-01T00:00:00", "2022-04-13T07:00:00")
    assert (found.period.count, found.temporal_resolution) == (None, None)
    whole = read(tmp_path / "x")
    assert (whole.bbox, whole.temporal_resolution) == (found.bbox, "PT1H")


def test_positions_beyond_the_limit_without_statistics_are_sampled(tmp_path: Path) -> None:
    """Then the first rows are read, and the box says that it is of a part."""
    made = pa.table({"lat": np.linspace(0, 50, 200_000), "lon": np.zeros(200_000)})
    pq.write_table(made, tmp_path / "x", write_statistics=False)
    found = read(tmp_path / "x", coordinate_values=100)
    assert found.rows == 200_000
    assert found.bbox is not None
    assert found.bbox.basis == "sampled"
    assert any("part of the rows" in note for note in found.notes)


def test_statistics_that_are_no_degrees_are_asked_about(tmp_path: Path) -> None:
    """A range beyond the poles is no range of latitudes."""
    pq.write_table(pa.table({"lat": [0.0, 91.0], "lon": [0.0, 1.0]}), tmp_path / "x")
    for limit in (1, 1000):
        found = read(tmp_path / "x", coordinate_values=limit)
        assert found.bbox is None
        assert any("holds 91" in note for note in found.notes)


@pytest.mark.parametrize(("texts", "known"), [(["2020-01-01", "2020-03-01"], True), (["1.3.2020", "2.1.2020"], False)])
def test_texts_have_an_order_only_as_iso(tmp_path: Path, texts: list[str], known: bool) -> None:
    """The least text is the first time only where the year comes first."""
    pq.write_table(pa.table({"date": texts}), tmp_path / "x")
    found = read(tmp_path / "x", coordinate_values=1)
    assert (found.period is not None) == known


def test_an_empty_table(tmp_path: Path) -> None:
    """No row: no place and no time, and no mistake."""
    pq.write_table(pa.table({"lat": pa.array([], pa.float64()), "lon": pa.array([], pa.float64())}), tmp_path / "x")
    found = read(tmp_path / "x")
    assert (found.rows, found.bbox, found.period) == (0, None, None)
    assert read(geo(tmp_path / "y", [])).bbox is None
