"""GeoPackage (OGC 12-128r19) by the SQLite of the standard library. Runs in the child.

A small file is read through, so that its geometries decide. Of a large one in degrees the extent in `gpkg_contents`
and the root of the spatial index are enough; in another system the rectangle says too much, so geometries are
transformed as far as the limits go.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyproj
from pyproj.exceptions import CRSError

from connector.errors import InvalidInput, TooLarge
from connector.formats.containers.budget import Budget
from connector.formats.coordinates import crs as systems
from connector.formats.coordinates import wkb
from connector.formats.coordinates.extent import arc, box
from connector.formats.coordinates.footprint import Bounds, Footprint, in_degrees, is_crs84, joined, named
from connector.formats.description import BBox, Facts, Limits, Variable, clean, short
from connector.formats.tabular import sqlite
from connector.formats.tabular.sqlite import Database, OutOfTime, quoted

LAYERS: Final = 500
READ_THROUGH: Final = 64 << 20  # bytes: files up to this size are read whole
CONTENTS: Final = (
    "SELECT table_name, data_type, identifier, description, last_change, min_x, min_y, max_x, max_y, srs_id"
    " FROM gpkg_contents LIMIT ?"
)
NO_SYSTEM: Final = "The file does not say which reference system the coordinates are in: name it and the place by hand."
NO_PERIOD: Final = "The file does not say what time it is about: state the period by hand."
NEAR: Final = 1e-6  # relative: the index holds single precision
KINDS: Final = {name.upper(): name for name in wkb.NAMES.values()}


class Layer(NamedTuple):
    """What was found of one row of `gpkg_contents`."""

    name: str
    title: str | None
    description: str | None
    modified: str | None
    rows: int | None
    fields: list[Variable]
    kinds: tuple[str, ...]
    crs: pyproj.CRS | None
    bounds: Bounds | None
    box: BBox | None
    notes: list[str]


def read(path: Path, limits: Limits) -> Facts:
    """Describe the GeoPackage at `path`.

    Raises:
        InvalidInput: it is no GeoPackage, is damaged or cut off, or lists no content.
        TooLarge: its own tables take longer to read than allowed.
    """
    budget = Budget(limits)
    small = path.stat().st_size <= READ_THROUGH
    try:
        with sqlite.opened(path, budget) as database:
            layers, notes = _layers(database, budget, small=small)
    except OutOfTime as error:
        raise TooLarge("Reading the tables of the GeoPackage takes longer than allowed.") from error
    if not layers:
        raise InvalidInput("The GeoPackage lists no content.")
    return _facts(layers, notes)


def _layers(database: Database, budget: Budget, *, small: bool) -> tuple[list[Layer], list[str]]:
    """Return what `gpkg_contents` lists, and a note when that is more than is described."""
    if "gpkg_contents" not in database.tables:
        raise InvalidInput("The SQLite file is no GeoPackage: it has no table gpkg_contents.")
    listed = database.rows(CONTENTS, [LAYERS + 1])
    layers = [_layer(database, row, budget, small=small) for row in listed[:LAYERS]]
    return layers, [f"Only the first {LAYERS} layers are described."] * (len(listed) > LAYERS)


def _layer(database: Database, row: tuple[Any, ...], budget: Budget, *, small: bool) -> Layer:
    name, kind, identifier, description, changed, *sides, srs = row
    crs, said = _system(database, srs), _bounds(sides)
    found = Layer(
        name=str(name),
        title=None if identifier == name else clean(identifier),
        description=clean(description),
        modified=short(changed),
        rows=None,
        fields=[],
        kinds=(),
        crs=crs,
        bounds=said,
        box=None,
        notes=[] if crs is not None or kind == "attributes" else [NO_SYSTEM],
    )
    if found.name not in database.tables:
        found.notes.append("This content is no plain table in the file (a view, or missing): it was not read.")
        return found
    if kind not in {"features", "attributes"}:  # tiles: their table holds pictures, their extent is all there is
        around = systems.extent(crs, systems.Rectangle(*said)) if crs is not None and said else None
        return found._replace(box=around and msgspec.structs.replace(around, basis="attribute"))
    column, kinds = _geometry(database, found.name)
    found = found._replace(kinds=kinds, fields=_fields(database, found.name, column))
    found = found._replace(rows=_count(database, found.name, found.notes, small=small))
    if kind == "attributes" or column is None:
        return found
    return _placed(database, found, column, budget, small=small)


def _fields(database: Database, table: str, geometry: str | None) -> list[Variable]:
    """Return the columns of a table but for its geometry and for the one that only numbers its rows."""
    return [
        Variable(name=short(each.name) or "unnamed", dtype=short(each.declared.lower()))
        for each in database.columns(table)
        if each.name != geometry and not each.key
    ]


def _system(database: Database, srs: Any) -> pyproj.CRS | None:
    """Return the reference system with the id `srs`; 0 and -1 are those that are not defined."""
    if srs in {None, 0, -1} or "gpkg_spatial_ref_sys" not in database.tables:
        return None
    wanted = "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys WHERE srs_id = ?"
    for organization, code, definition in database.rows(f"{wanted} LIMIT 1", [srs]):
        if str(organization).upper() == "EPSG":
            try:
                return pyproj.CRS.from_epsg(int(code))
            except (CRSError, ValueError, TypeError):
                pass  # an EPSG code newer than our tables: its definition is in the file
        return systems.from_wkt(str(definition))
    return None


def _bounds(sides: list[Any]) -> Bounds | None:
    numbers = [float(side) for side in sides if isinstance(side, int | float)]
    if len(numbers) < 4 or not np.isfinite(numbers).all():  # noqa: PLR2004 - the sides of a rectangle
        return None
    left, bottom, right, top = numbers
    return (left, bottom, right, top) if left <= right and bottom <= top else None


def _geometry(database: Database, table: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the geometry column of a table and the kind of geometry that it declares."""
    if "gpkg_geometry_columns" not in database.tables:
        return None, ()
    wanted = "SELECT column_name, geometry_type_name FROM gpkg_geometry_columns WHERE table_name = ? LIMIT 1"
    for column, kind in database.rows(wanted, [table]):
        known = KINDS.get(str(kind).upper())
        if any(column == each.name for each in database.columns(table)):
            return str(column), (known,) if known else ()
    return None, ()


def _count(database: Database, table: str, notes: list[str], *, small: bool) -> int | None:
    """Return how many rows a table has: counted, or as the file says of itself when it is large."""
    if not small and "gpkg_ogr_contents" in database.tables:
        said = database.rows("SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = ? LIMIT 1", [table])
        if said and isinstance(said[0][0], int) and said[0][0] >= 0:
            return said[0][0]
    try:
        return int(database.rows(f"SELECT count(*) FROM {quoted(table)}")[0][0])  # noqa: S608 - quoted
    except OutOfTime:
        notes.append("The rows were not counted: it takes longer than allowed.")
        return None


def _placed(database: Database, layer: Layer, column: str, budget: Budget, *, small: bool) -> Layer:
    """Return the layer with its bounds, its box in degrees, and the kinds of geometry that were seen."""
    crs, said, notes = layer.crs, layer.bounds, layer.notes
    outer = _index_root(database, layer.name, column) or said
    if not small and crs is not None and in_degrees(crs):
        _compare(outer, said, notes)
        return layer._replace(bounds=outer, box=_rectangle(outer, crs))
    footprint = Footprint(crs)
    complete, kinds = _walk(database, layer.name, column, footprint, budget)
    notes += footprint.notes()
    layer = layer._replace(kinds=kinds or layer.kinds)
    if complete:
        found = footprint.bounds()
        _compare(found, said, notes)
        return layer._replace(bounds=found or said, box=footprint.box())
    if crs is None or outer is None:
        return layer._replace(bounds=outer)
    notes.append(
        "The layer is too large to transform each of its geometries: the box is that of its rectangle in its own "
        "reference system, which is larger."
    )
    around = systems.extent(crs, systems.Rectangle(*outer))
    return layer._replace(bounds=outer, box=around and msgspec.structs.replace(around, approximate=True))


def _walk(
    database: Database, table: str, column: str, footprint: Footprint, budget: Budget
) -> tuple[bool, tuple[str, ...]]:
    """Take in the geometries of a layer; False when there are more than the limits allow."""
    kinds: dict[str, None] = {}
    try:
        for (blob,) in _blobs(database, table, column):
            geometry = wkb.from_geopackage(blob)
            if geometry is not None:
                kinds[geometry.name] = None
                for part in geometry.parts():
                    footprint.add(part[:, 0], part[:, 1])
            if footprint.positions > budget.positions or budget.tick():
                return False, tuple(kinds)
    except OutOfTime:
        return False, tuple(kinds)
    return True, tuple(kinds)


def _blobs(database: Database, table: str, column: str) -> Iterator[tuple[bytes]]:
    for (value,) in database.stream(f"SELECT {quoted(column)} FROM {quoted(table)}"):  # noqa: S608 - both are quoted
        if isinstance(value, bytes):
            yield (value,)
        elif value is not None:
            raise InvalidInput("The geometry column of a layer holds something that is no geometry.")


def _index_root(database: Database, table: str, column: str) -> Bounds | None:
    """Return the bounds in the root of the spatial index: the first node of SQLite's R*Tree, read as plain bytes."""
    shadow = f"rtree_{table}_{column}_node"
    if shadow not in database.tables:
        return None
    found = database.rows(f"SELECT data FROM {quoted(shadow)} WHERE nodeno = 1 LIMIT 1")  # noqa: S608 - quoted
    node = found[0][0] if found else None
    if not isinstance(node, bytes) or len(node) < 4:  # noqa: PLR2004 - depth and number of cells
        return None
    (count,) = struct.unpack_from(">H", node, 2)
    if not count or 4 + 24 * count > len(node):
        return None
    cells = np.frombuffer(node, np.dtype([("id", ">i8"), ("sides", ">f4", 4)]), count, 4)["sides"].astype(np.float64)
    if not np.isfinite(cells).all():
        return None
    left, right = np.min(cells[:, 0]), np.max(cells[:, 1])
    bottom, top = np.min(cells[:, 2]), np.max(cells[:, 3])
    return float(left), float(bottom), float(right), float(top)


def _compare(found: Bounds | None, said: Bounds | None, notes: list[str]) -> None:
    if found is None or said is None:
        return
    scale = max(1.0, *(abs(side) for side in found))
    if any(abs(one - other) > NEAR * scale for one, other in zip(found, said, strict=True)):
        notes.append("The extent in gpkg_contents is not that of the geometries; the geometries count.")


def _rectangle(bounds: Bounds | None, crs: pyproj.CRS) -> BBox | None:
    """Return the box of bounds in degrees."""
    if bounds is None:
        return None
    left, bottom, right, top = bounds
    if is_crs84(crs):
        return box(arc(left, right), (bottom, top), "points") if bottom >= -90 and top <= 90 else None  # noqa: PLR2004
    return systems.extent(crs, systems.Rectangle(*bounds))


def _facts(layers: list[Layer], notes: list[str]) -> Facts:
    several = len(layers) > 1
    one = layers[0]
    # Tables without geometries are in none.
    placed = {each.crs.to_wkt() if each.crs else "": each.crs for each in layers if each.crs or each.kinds}
    crs, epsg = named(next(iter(placed.values()))) if len(placed) == 1 else (None, None)
    rows = [each.rows for each in layers]
    if len(placed) > 1:
        names = sorted({named(each.crs)[0] or each.crs.name for each in layers if each.crs is not None})
        notes.append(f"The layers are in several reference systems: {', '.join(names)}.")
    for each in layers:
        notes += [f"Layer {each.name}: {note}" if several else note for note in each.notes]
    return Facts(
        format="GPKG",
        title=None if several else one.title,
        description=None if several else one.description,
        modified=max((each.modified for each in layers if each.modified), default=None),
        conforms_to="OGC GeoPackage",
        bbox=joined([each.box for each in layers if each.box]),
        crs=crs,
        epsg=epsg,
        native_bounds=None if several else one.bounds,
        geometry_types=tuple(dict.fromkeys(kind for each in layers for kind in each.kinds)),
        rows=None if None in rows else sum(count for count in rows if count is not None),
        variables=tuple(
            Variable(name=short(f"{each.name}/{field.name}") or field.name, dtype=field.dtype) if several else field
            for each in layers
            for field in each.fields
        )[:2000],
        notes=(*dict.fromkeys(notes), NO_PERIOD),
    )
