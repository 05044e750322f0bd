"""Comparing a description with the facts expected of a file; shared by the tests of the demo's and of further files."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from connector.formats import BBox, Description

TOLERANCE: Final = 1e-3
READ: Final = (
    *("netcdf", "zarr", "grib", "bufr", "geotiff", "sdmx-ml", "sdmx-csv", "stac", "safe"),
    *("csv", "parquet", "geopackage", "geojson", "zip"),
)
HANDLED: Final = {
    *("bytes", "sha256", "format", "crosses_antimeridian", "note"),
    # Centres are expected only of readers that cannot find the cells' edges.
    "bbox_centres",
    *("grid_mapping", "edges", "bbox", "resolution", "time", "variables", "attributes"),
    *("messages", "centre", "grids", "subsets", "category", "consolidated"),
    *("cog", "size", "bands", "dtype", "epsg", "nodata", "overviews", "descriptions", "tifftag_datetime"),
    *("series", "obs", "rows", "message", "dimension_values", "dimensions", "dataflow"),
    *("dataflows", "datastructures", "codelists"),
    *("platform", "product", "tile", "cloud_cover", "assets", "license"),
    *("features", "crs", "geometry", "fields", "columns", "native_bounds", "bbox_of_projected_rectangle"),
}


def mistakes(found: Description, expected: Mapping[str, Any]) -> list[str]:
    """Return one line for every expected fact that the description lacks or contradicts."""
    unknown = set(expected) - HANDLED
    return [f"no check for {sorted(unknown)}"] * bool(unknown) + [
        f"{name}: expected {wanted!r}, found {got!r}"
        for name, got, wanted in pairs(found, expected)
        if not same(got, wanted)
    ]


def same(got: Any, wanted: Any) -> bool:
    """Whether two values agree, numbers within the tolerance."""
    if isinstance(wanted, list | tuple) and isinstance(got, list | tuple):
        return len(got) == len(wanted) and all(same(*each) for each in zip(got, wanted, strict=True))
    if isinstance(wanted, float) and isinstance(got, float | int):
        return bool(got == pytest.approx(wanted, abs=TOLERANCE))
    return bool(got == wanted)


def corners(box: BBox | None) -> list[float] | None:
    """Return a box as W S E N."""
    return None if box is None else [box.west, box.south, box.east, box.north]


def pairs(found: Description, expected: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, found, expected) for every fact."""
    yield "bytes", found.byte_size, expected["bytes"]
    yield "sha256", found.sha256, None  # a file is not read for it; expected of what was given, see its tests
    yield "format", found.format, expected["format"]
    if "bbox" in expected:
        yield "bbox", corners(found.bbox), expected["bbox"]
        yield (
            "crossing",
            bool(found.bbox and found.bbox.crosses_antimeridian),
            expected.get("crosses_antimeridian", False),
        )
    yield from time_pairs(found, expected.get("time", {}))
    yield from variable_pairs(found, expected.get("variables", []))
    for of_kind in (
        *(netcdf_pairs, zarr_pairs, grib_pairs, bufr_pairs, raster_pairs, scene_pairs, statistics_pairs),
        vector_pairs,
    ):
        yield from of_kind(found, expected)


def time_pairs(found: Description, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the facts about time."""
    if not wanted:
        return
    period = found.period
    assert period is not None, "no period was found"
    for name, got in (
        ("first", period.first),
        ("last", period.last),
        ("n", period.count),
        ("calendar", period.calendar),
        ("variable", period.variable),
        ("resolution", found.temporal_resolution),
        ("bounds", [period.begin, period.end]),
        ("reference", list((found.messages and found.messages.reference) or ())),
    ):
        if name in wanted:
            yield f"time {name}", got, wanted[name]


def variable_pairs(found: Description, wanted: list[dict[str, Any]]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the facts about variables; none may be missing and none invented."""
    if wanted:
        yield "variables", [each.name for each in found.variables], [each["name"] for each in wanted]
    by_name = {each.name: each for each in found.variables}
    for each in wanted:
        got = by_name.get(each["name"])
        if got is None:
            continue
        yield f"{got.name} standard name", got.standard_name, each["standard_name"]
        yield f"{got.name} units", got.unit, each["units"]
        for name, has in (("shape", got.shape), ("chunks", got.chunks)):
            if name in each:
                yield f"{got.name} {name}", list(has), each[name]


def netcdf_pairs(found: Description, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the facts that only NetCDF files have."""
    if "grid_mapping" not in wanted:
        return
    grid = found.grids[0]
    if wanted["grid_mapping"]:
        yield "grid mapping", [grid.kind], wanted["grid_mapping"]
    yield "edges", found.bbox and found.bbox.basis, wanted["edges"].removeprefix("projected cell ")
    if "resolution" in wanted:
        yield "resolution", list(grid.resolution or ()), wanted["resolution"]
    fields = {
        "Conventions": found.conforms_to,
        "title": found.title,
        "frequency": found.frequency,
        "institution": found.publisher,
        "license": found.licence,
    }
    for name, value in wanted["attributes"].items():
        yield name, (fields[name] or "")[: len(value)], value


def zarr_pairs(found: Description, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the facts that only Zarr stores have."""
    if "consolidated" in wanted:
        yield "consolidated", found.store and found.store.consolidated, wanted["consolidated"]


def bufr_pairs(found: Description, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the facts that only BUFR files have."""
    if "subsets" not in wanted:
        return
    assert found.messages is not None
    yield "messages", found.messages.count, wanted["messages"]
    yield "subsets", (found.messages.subsets, found.rows), (wanted["subsets"], wanted["subsets"])
    if wanted["time"]["from"] == "typicalDate/Time":
        times = [wanted["time"][name] for name in ("first", "last")]
        yield "typical times", list(found.messages.reference or ()), times
    yield "category", list(found.messages.categories), wanted["category"]


def grib_pairs(found: Description, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the facts that only GRIB files have."""
    if "grids" not in wanted:
        return
    assert found.messages is not None
    yield "messages", found.messages.count, wanted["messages"]
    yield "centre", list(found.messages.centres), wanted["centre"]
    yield "grid types", [each.kind for each in found.grids], [each["type"] for each in wanted["grids"]]
    yield "grid boxes", [corners(each.bbox) for each in found.grids], [each["bbox"] for each in wanted["grids"]]


def raster_pairs(found: Description, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the facts that only rasters have."""
    if "cog" not in wanted:
        return
    raster = found.raster
    assert raster is not None
    yield "period", found.period, None
    yield "cog", raster.cloud_optimised, wanted["cog"]
    yield "size", [raster.width, raster.height], wanted["size"]
    yield "bands", raster.bands, wanted["bands"]
    yield "dtype", raster.dtype, wanted["dtype"]
    yield "epsg", found.epsg, wanted["epsg"]
    yield "nodata", raster.nodata, wanted["nodata"]
    yield "overviews", list(raster.overviews), wanted["overviews"]
    yield "resolution", list(raster.resolution or ()), wanted["resolution"]
    yield "stamp", raster.stamp, wanted.get("tifftag_datetime")
    if wanted["descriptions"]:
        yield "descriptions", [each.name for each in found.variables], wanted["descriptions"]


def scene_pairs(found: Description, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the facts that only satellite products and catalogue documents have."""
    if found.reader not in {"stac", "safe"}:
        return
    scene = found.scene
    for name, got in (
        ("epsg", found.epsg),
        ("platform", scene and scene.platform),
        ("product", scene and scene.product),
        ("tile", scene and scene.tile),
        ("cloud_cover", scene and scene.cloud_cover),
        ("assets", len(found.assets)),
        ("license", found.licence),
    ):
        if name in wanted:
            yield name, got, wanted[name]


def statistics_pairs(found: Description, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the facts that only SDMX messages have."""
    about = found.statistics
    if about is None:
        return
    for name, got in (
        ("series", about.series),
        ("obs", about.observations),
        ("rows", found.rows),
        ("message", about.message),
        ("dataflow", about.dataflow),
        ("dataflows", list(about.dataflows)),
        ("datastructures", list(about.data_structures)),
        ("codelists", list(about.codelists)),
        ("dimensions", [each.name for each in found.dimensions if each.role in {"dimension", "time"}]),
    ):
        if name in wanted:
            yield name, got, wanted[name]
    values = {each.name: list(each.values) for each in found.dimensions}
    for name, codes in wanted.get("dimension_values", {}).items():
        yield f"values of {name}", values.get(name), codes


def vector_pairs(found: Description, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the facts that only tables and geometries have."""
    if found.statistics is not None:
        return
    if "rows" in wanted or "features" in wanted:
        yield "rows", found.rows, wanted.get("rows", wanted.get("features"))
    for kind in {"fields", "columns"} & set(wanted):
        yield kind, [each.name for each in found.variables], wanted[kind]
    if "crs" in wanted:
        yield "crs", f"EPSG:{found.epsg}", wanted["crs"]
    if "native_bounds" in wanted:
        yield "native bounds", list(found.native_bounds or ()), wanted["native_bounds"]
    if "geometry" in wanted:  # the other program calls a mixture unknown
        kinds = found.geometry_types
        yield "geometry", kinds[0] if len(kinds) == 1 else "Unknown", wanted["geometry"]
    if "bbox_of_projected_rectangle" in wanted:
        assert not same(corners(found.bbox), wanted["bbox_of_projected_rectangle"]), "that is the rectangle's box"
