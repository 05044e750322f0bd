"""GeoPackages: layers, systems, the spatial index of large ones, and schemas that want to run."""

import sqlite3
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyproj
import pytest

from connector.errors import InvalidInput, TooLarge
from connector.formats import Facts, Limits, describe
from connector.formats.containers.budget import Budget
from connector.formats.sandbox import staging
from connector.formats.tabular import geopackage, sqlite
from tests.formats import vectors
from tests.formats.vectors import sides, square, wkb_point, wkb_polygon

LAEA: Final = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3035", always_xy=True)


def layer(path: Path, geometries: Sequence[bytes | None], **more: Any) -> Facts:
    """Return what the reader finds in a GeoPackage of one layer."""
    return geopackage.read(vectors.geopackage(path, geometries, **more), Limits())


def test_the_geometries_decide(tmp_path: Path) -> None:
    """The extent in gpkg_contents is compared, and the difference told."""
    found = layer(tmp_path / "x", [wkb_point(5, 50), None, wkb_point(7, 52)], extent=(-180.0, -90.0, 180.0, 90.0))
    assert found.bbox is not None
    assert sides(found.bbox) == [5, 50, 7, 52]
    assert (found.epsg, found.rows, found.geometry_types) == (4326, 3, ("Point",))
    assert [(each.name, each.dtype) for each in found.variables] == [("name", "text"), ("height", "real")]
    assert found.title == "Places of it"
    assert any("gpkg_contents is not that" in note for note in found.notes)


def test_projected_geometries_are_transformed_one_by_one(tmp_path: Path) -> None:
    """Two countries far apart: the rectangle in LAEA is wider in degrees than what is in it."""
    rings = [[LAEA.transform(*at) for at in square(west, south, 1)] for west, south in ((-9, 38), (25, 65))]
    found = layer(tmp_path / "x", [wkb_polygon(ring) for ring in rings], epsg=3035)
    assert found.bbox is not None
    assert found.bbox.west == pytest.approx(-9, abs=1e-3)
    assert found.bbox.south == pytest.approx(38, abs=1e-3)
    assert found.bbox.east == pytest.approx(26, abs=1e-3)
    assert found.bbox.north == pytest.approx(66, abs=1e-3)
    assert found.native_bounds is not None
    assert found.native_bounds[0] < 3e6


def test_cut_at_180_degrees(tmp_path: Path) -> None:
    """Polygons on both sides of the meridian give a box that crosses it."""
    found = layer(tmp_path / "x", [wkb_polygon(square(177, -18, 3)), wkb_polygon(square(-180, -18, 1))])
    assert found.bbox is not None
    assert sides(found.bbox) == [177, -18, -179, -15]


def rtree(table: str, cells: Sequence[tuple[float, float, float, float]]) -> list[str]:
    """Return the statements that write the root of a spatial index as SQLite keeps it."""
    node = struct.pack(">HH", 0, len(cells))
    node += b"".join(struct.pack(">q4f", number, *cell) for number, cell in enumerate(cells))
    return [
        f'CREATE TABLE "rtree_{table}_geom_node" (nodeno INTEGER PRIMARY KEY, data)',
        f"INSERT INTO \"rtree_{table}_geom_node\" VALUES (1, x'{node.hex()}')",  # noqa: S608 - ours
    ]


def test_the_index_of_a_large_file_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large file in degrees no geometry is read: the root of the index says where they lie."""
    monkeypatch.setattr(geopackage, "READ_THROUGH", 0)
    broken = b"not a geometry"
    index = rtree("places", [(5, 7, 50, 52), (6, 9, 40, 51)])
    counted = ["CREATE TABLE gpkg_ogr_contents (table_name TEXT, feature_count INTEGER)"]
    counted.append("INSERT INTO gpkg_ogr_contents VALUES ('places', 1234)")
    found = layer(tmp_path / "x", [broken], extent=(5, 40, 9, 51.9), statements=[*index, *counted])
    assert found.bbox is not None
    assert sides(found.bbox) == [5, 40, 9, 52]
    assert found.rows == 1234
    assert any("gpkg_contents is not that" in note for note in found.notes)


def test_sqlite_writes_the_index_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root that SQLite's own R*Tree keeps, of a tree of several levels, gives the bounds of all."""
    monkeypatch.setattr(geopackage, "READ_THROUGH", 0)
    path = vectors.geopackage(tmp_path / "x", [wkb_point(0, 0)])
    with sqlite3.connect(path) as file:
        file.execute("CREATE VIRTUAL TABLE rtree_places_geom USING rtree(id, minx, maxx, miny, maxy)")
        boxes = [(number, number % 90, number % 90 + 1, number % 50, number % 50 + 2) for number in range(5000)]
        file.executemany("INSERT INTO rtree_places_geom VALUES (?, ?, ?, ?, ?)", boxes)
    file.close()
    found = geopackage.read(path, Limits())
    assert found.bbox is not None
    assert sides(found.bbox) == [0, 0, 90, 51]


def test_too_many_geometries_give_the_rectangle_and_a_note(tmp_path: Path) -> None:
    """Beyond the limit the box is that of the projected rectangle, marked as approximate."""
    points = [wkb_point(*LAEA.transform(number / 10, 50)) for number in range(100)]
    path = vectors.geopackage(tmp_path / "x", points, epsg=3035, extent=(3.6e6, 2.9e6, 4.4e6, 3.1e6))
    found = geopackage.read(path, Limits(coordinate_values=10))
    assert found.bbox is not None
    assert found.bbox.approximate
    assert any("too large to transform" in note for note in found.notes)


def test_layers_are_joined_and_named(tmp_path: Path) -> None:
    """The fields of several layers carry their layer's name; a table without geometry has rows and no place."""
    more = [
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, remark TEXT)",
        "INSERT INTO notes VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES ('notes', 'attributes', 'N', 0)",
    ]
    found = layer(tmp_path / "x", [wkb_point(5, 50)], statements=more)
    assert [each.name for each in found.variables] == ["places/name", "places/height", "notes/remark"]
    assert found.rows == 3
    assert found.bbox is not None


def test_without_a_system_there_is_no_box(tmp_path: Path) -> None:
    """The ids 0 and -1 are systems that are not defined."""
    found = layer(tmp_path / "x", [wkb_point(5, 50)], statements=["UPDATE gpkg_contents SET srs_id = -1"])
    assert found.bbox is None
    assert found.native_bounds == (5, 50, 5, 50)
    assert any("which reference system" in note for note in found.notes)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW evil AS SELECT fid, load_extension('/tmp/x.so') AS geom FROM places",
        "CREATE VIEW evil AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS geom FROM c",
        "CREATE VIEW evil AS SELECT readfile('/etc/passwd') AS geom",
        "CREATE VIRTUAL TABLE evil USING fts5(geom)",
    ],
    ids=["extension", "endless", "file", "virtual"],
)
def test_a_layer_that_is_a_program_is_not_read(tmp_path: Path, statement: str) -> None:
    """Threat: a view or virtual table, listed as a layer, that runs when it is read. It is named and left alone."""
    listed = [
        statement,
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES ('evil', 'features', 'e', 4326)",
        "INSERT INTO gpkg_geometry_columns VALUES ('evil', 'geom', 'POINT', 4326, 0, 0)",
    ]
    found = describe(vectors.geopackage(tmp_path / "x.gpkg", [wkb_point(5, 50)], statements=listed))
    assert found.bbox is not None
    assert sides(found.bbox) == [5, 50, 5, 50]
    assert any("no plain table" in note for note in found.notes)


@pytest.mark.parametrize("table", ["gpkg_contents", "gpkg_geometry_columns", "gpkg_spatial_ref_sys"])
def test_the_tables_of_the_format_as_views(tmp_path: Path, table: str) -> None:
    """Threat: a table that every reader trusts is a view over something endless."""
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
    statements = [f"DROP TABLE {table}", f"CREATE VIEW {table} AS {endless} SELECT x AS table_name FROM c"]  # noqa: S608
    path = vectors.geopackage(tmp_path / "x.gpkg", [wkb_point(5, 50)], statements=statements)
    if table == "gpkg_contents":
        with pytest.raises(InvalidInput, match="no GeoPackage"):
            describe(path)
    else:
        assert describe(path).bbox is None


def test_a_generated_geometry_is_not_computed(tmp_path: Path) -> None:
    """Threat: a column whose value is an expression that allocates without end."""
    path = tmp_path / "x.gpkg"
    statements = [
        "DROP TABLE places",
        "CREATE TABLE places (fid INTEGER PRIMARY KEY, geom BLOB AS (zeroblob(1000000000)) VIRTUAL, name TEXT)",
        "INSERT INTO places (name) VALUES ('x')",
    ]
    found = describe(vectors.geopackage(path, [], statements=statements))
    assert found.bbox is None
    assert found.rows == 1
    assert [each.name for each in found.variables] == ["name"]


def test_triggers_do_not_run(tmp_path: Path) -> None:
    """A trigger in the file is no obstacle and does nothing: the file is only read."""
    statements = ["CREATE TRIGGER t AFTER INSERT ON places BEGIN DELETE FROM places; END"]
    path = vectors.geopackage(tmp_path / "x.gpkg", [wkb_point(5, 50)], statements=statements)
    before = path.read_bytes()
    assert describe(path).rows == 1
    assert path.read_bytes() == before


def test_names_are_only_names(tmp_path: Path) -> None:
    """Threat: a table called like the end of a statement."""
    name = 'x"; DROP TABLE places; --'
    path = tmp_path / "x.gpkg"
    vectors.geopackage(path, [])
    with sqlite3.connect(path) as file:
        quoted = name.replace('"', '""')
        file.execute(f'CREATE TABLE "{quoted}" (fid INTEGER PRIMARY KEY, geom BLOB)')
        file.execute(f'INSERT INTO "{quoted}" (geom) VALUES (?)', (vectors.gpkg_blob(wkb_point(1, 2)),))  # noqa: S608
        file.execute("UPDATE gpkg_contents SET table_name = ?", (name,))
        file.execute("UPDATE gpkg_geometry_columns SET table_name = ?", (name,))
    file.close()
    found = describe(path)
    assert found.rows == 1
    assert found.bbox is not None


def test_what_is_no_geopackage_is_refused(tmp_path: Path) -> None:
    """A text called .gpkg, an SQLite file of another kind, and one without content."""
    text = tmp_path / "x.gpkg"
    text.write_text("something")
    with pytest.raises(InvalidInput, match="does not begin"):
        describe(text)
    other = tmp_path / "y.gpkg"
    with sqlite3.connect(other) as file:
        file.execute("CREATE TABLE t (x)")
    file.close()
    with pytest.raises(InvalidInput, match="no table gpkg_contents"):
        describe(other)
    empty = vectors.geopackage(tmp_path / "z.gpkg", [], statements=["DELETE FROM gpkg_contents"])
    with pytest.raises(InvalidInput, match="no content"):
        describe(empty)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM evil",
        "SELECT readfile('/etc/passwd')",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT upper(name) FROM places",
        "ATTACH '/tmp/other.db' AS other",
        "PRAGMA writable_schema = ON",
        "PRAGMA mmap_size = 1000000000",
        "DELETE FROM places",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
    ],
)
def test_a_database_does_nothing_but_give_rows(tmp_path: Path, sql: str) -> None:
    """Views, functions, other files, settings and changes are refused whoever asks for them."""
    view = "CREATE VIEW evil AS SELECT name FROM places"
    path = vectors.geopackage(tmp_path / "x", [wkb_point(5, 50)], statements=[view])
    with sqlite.opened(path, Budget(Limits())) as database:
        assert database.rows("SELECT count(*) FROM places") == [(1,)]
        with pytest.raises(InvalidInput):
            database.rows(sql)


def test_a_count_without_an_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time is over the rows are not counted, and a note says so."""
    monkeypatch.setattr(sqlite, "STEPS", 10)
    path = vectors.geopackage(tmp_path / "x", [wkb_point(5, 50)] * 500)
    now, notes = [0.0], list[str]()
    with sqlite.opened(path, Budget(Limits(), clock=lambda: now[0])) as database:
        assert geopackage._count(database, "places", notes, small=True) == 500
        now[0] = 1e9
        assert geopackage._count(database, "places", notes, small=True) is None
    assert any("not counted" in note for note in notes)
    with pytest.raises(TooLarge, match="longer than allowed"):
        geopackage.read(path, Limits(cpu_seconds=0))


def test_a_file_that_is_handed_over_open_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file on another file system is read through the name that its reader makes for it."""
    monkeypatch.setattr(staging, "_link", lambda *_: False)
    monkeypatch.setattr(staging, "COPIED", 0)
    found = describe(vectors.geopackage(tmp_path / "x.gpkg", [wkb_point(5, 50)]))
    assert found.bbox is not None


def test_a_file_that_lacks_pages_is_cut_off(tmp_path: Path) -> None:
    """A cut between two pages is seen by their number in the header."""
    path = vectors.geopackage(tmp_path / "x.gpkg", [wkb_point(number / 10, 50) for number in range(500)])
    raw = path.read_bytes()
    path.write_bytes(raw[:-4096])
    with pytest.raises(InvalidInput, match="cut off"):
        describe(path)
