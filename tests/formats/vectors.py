"""Vector files made for tests: GeoPackages, well-known binary, shapefiles, by other means than the readers'."""

import io
import sqlite3
import struct
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pyproj
import shapefile

Ring = Sequence[tuple[float, float]]
GPKG_ID: Final = 0x47504B47


def wkb_point(x: float, y: float) -> bytes:
    """Return a point in well-known binary, little-endian."""
    return struct.pack("<BIdd", 1, 1, x, y)


def wkb_polygon(*rings: Ring) -> bytes:
    """Return a polygon in well-known binary, big-endian."""
    body = b"".join(struct.pack(">I", len(ring)) + b"".join(struct.pack(">dd", *at) for at in ring) for ring in rings)
    return struct.pack(">BII", 0, 3, len(rings)) + body


def wkb_multi(kind: int, members: Sequence[bytes]) -> bytes:
    """Return a collection of geometries of the given kind."""
    return struct.pack("<BII", 1, kind, len(members)) + b"".join(members)


def gpkg_blob(geometry: bytes, srs: int = 4326) -> bytes:
    """Return a geometry as GeoPackage keeps it, without an envelope."""
    return b"GP" + struct.pack("<BBi", 0, 1, srs) + geometry


def geopackage(
    path: Path,
    geometries: Iterable[bytes | None],
    *,
    epsg: int = 4326,
    extent: tuple[float, float, float, float] | None = None,
    table: str = "places",
    statements: Sequence[str] = (),
) -> Path:
    """Write a GeoPackage of one layer, and run `statements` on it at the end."""
    with sqlite3.connect(path) as file:
        file.execute(f"PRAGMA application_id = {GPKG_ID}")
        file.execute(
            "CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT, srs_id INTEGER PRIMARY KEY, organization TEXT,"
            " organization_coordsys_id INTEGER, definition TEXT, description TEXT)"
        )
        wkt = pyproj.CRS.from_epsg(epsg).to_wkt()
        file.execute("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, 'EPSG', ?, ?, '')", ("it", epsg, epsg, wkt))
        file.execute(
            "CREATE TABLE gpkg_contents (table_name TEXT PRIMARY KEY, data_type TEXT, identifier TEXT,"
            " description TEXT, last_change TEXT, min_x REAL, min_y REAL, max_x REAL, max_y REAL, srs_id INTEGER)"
        )
        sides = extent or (None, None, None, None)
        row = (table, "features", "Places of it", "", "2020-01-01T00:00:00.000Z", *sides, epsg)
        file.execute("INSERT INTO gpkg_contents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        file.execute(
            "CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, geometry_type_name TEXT,"
            " srs_id INTEGER, z INTEGER, m INTEGER)"
        )
        file.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'GEOMETRY', ?, 0, 0)", (table, epsg))
        file.execute(f'CREATE TABLE "{table}" (fid INTEGER PRIMARY KEY, geom BLOB, name TEXT, height REAL)')
        blobs = ((None if each is None else gpkg_blob(each, epsg), "x", 1.5) for each in geometries)
        file.executemany(f'INSERT INTO "{table}" (geom, name, height) VALUES (?, ?, ?)', blobs)  # noqa: S608 - ours
        for statement in statements:
            file.execute(statement)
    file.close()
    return path


def shapes(path: Path, polygons: Sequence[Sequence[Ring]], *, epsg: int | None = 4326) -> Path:
    """Write a shapefile of polygons beside `path` (its .shp) and return `path`."""
    with shapefile.Writer(str(path.with_suffix("")), shapeType=shapefile.POLYGON) as out:
        out.field("name", "C")
        out.field("height", "N", decimal=2)
        for number, rings in enumerate(polygons):
            out.poly([[list(at) for at in ring] for ring in rings])
            out.record(f"place {number}", 1.5)
    if epsg is not None:
        path.with_suffix(".prj").write_text(pyproj.CRS.from_epsg(epsg).to_wkt("WKT1_ESRI"))
    return path


def zipped(path: Path, members: dict[str, bytes] | Path) -> Path:
    """Write a zip archive of members, or of the files in a folder."""
    if isinstance(members, Path):
        members = {each.name: each.read_bytes() for each in sorted(members.iterdir())}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def zip_of_names(names: Iterable[tuple[str, int]]) -> bytes:
    """Return an archive of members with the given names and Unix modes."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as out:
        for name, mode in names:
            about = zipfile.ZipInfo("x")
            about.filename, about.external_attr = name, mode << 16
            out.writestr(about, b"x")
    return raw.getvalue()


def square(west: float, south: float, size: float) -> list[tuple[float, float]]:
    """Return a closed ring."""
    east, north = west + size, south + size
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def sides(box: Any) -> list[float]:
    """Return a box as W S E N, rounded."""
    return [round(side, 4) for side in (box.west, box.south, box.east, box.north)]
