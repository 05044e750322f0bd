"""Where the fields of a GRIB message lie, by its grid definition (WMO FM 92, code table 3.1). Runs in the child.

Steps are computed from corners and counts, because the increments written in messages may contradict both. Grids in a
plane and rotated ones are laid out from their own keys and transformed at the edges of their cells; where the library
disagrees, its points are taken instead.
"""

from typing import Any, Final, NamedTuple

import eccodes
import msgspec
import numpy as np
import pyproj
from pyproj.exceptions import CRSError, ProjError

from connector.formats.coordinates import crs as systems
from connector.formats.coordinates.extent import Floats, arc, box, close_mesh, curvilinear_box, points_box
from connector.formats.description import BBox, Grid, Limits, short, tidy

CORNERED: Final = frozenset({"regular_ll", "regular_gg", "reduced_ll", "reduced_gg"})
ROTATED: Final = frozenset({"rotated_ll", "rotated_gg"})
NOWHERE: Final = frozenset({"sh", "unstructured_grid", "ncep_32769", "unknown", "unknown_PLPresent"})
SAME_PLACE: Final = 0.02  # degrees: how far a point may lie from where it is computed
CHECKED: Final = 1_000_000  # points of a grid that the library is asked for to compare
CENTRES: Final = "The bounding box goes through the centres of the outer cells: where their edges are cannot be known."


class Placed(NamedTuple):
    """A grid, its reference system in words, the size of a cell in metres, and what was noticed."""

    grid: Grid
    crs: str | None = None
    metres: float | None = None
    note: str | None = None


class Layout(NamedTuple):
    """The centres of columns and rows of a grid in coordinates of its own, and the step between them.

    `sure` says that the corners in the message leave no doubt, whatever the library makes of its increments.
    """

    system: pyproj.CRS
    x: Floats
    y: Floats
    dx: float
    dy: float
    words: str
    sure: bool = False


def key(handle: int, name: str, kind: type | None = None) -> Any:
    """Return a key's value, None where this message has no such key or the library cannot compute it."""
    try:
        return eccodes.codes_get(handle, name) if kind is None else eccodes.codes_get(handle, name, kind)
    except (eccodes.KeyValueNotFoundError, eccodes.FunctionNotImplementedError):
        return None


def place(handle: int, limits: Limits) -> Placed:
    """Return the grid of a message, without a box where it cannot be known.

    Raises:
        CodesInternalError: the message is broken.
    """
    kind = str(key(handle, "gridType", str))
    named = short(kind) or "unknown"
    nowhere = Placed(
        Grid(kind=named), note=f"The position of a grid of type {kind!r} cannot be read: name the place by hand."
    )
    if kind in NOWHERE:
        return nowhere
    if kind in CORNERED:
        return Placed(_cornered(handle, kind))
    points = int(key(handle, "numberOfPoints", int) or key(handle, "numberOfDataPoints", int) or 0)
    layout = _layout(handle, kind)
    if layout is not None and (points > CHECKED or _agreed(handle, layout)):
        found = _laid_out(layout, named)
        if found is not None:
            return found
    if points > limits.coordinate_values:
        note = f"The grid has {points} points, too many to read: name the place by hand."
        return Placed(Grid(kind=named), note=note)
    try:
        return _by_points(handle, named)
    except eccodes.CodesInternalError:
        return nowhere


def _cornered(handle: int, kind: str) -> Grid:
    """Return a grid along meridians and parallels: its outer cells reach half a step beyond the corners."""
    rows, columns = int(key(handle, "Nj", int)), _columns(handle)
    lat = [float(key(handle, f"latitudeOf{end}GridPointInDegrees", float)) for end in ("First", "Last")]
    lon = [float(key(handle, f"longitudeOf{end}GridPointInDegrees", float)) for end in ("First", "Last")]
    if key(handle, "iScansNegatively", int):
        lon.reverse()
    width = (lon[1] - lon[0]) % 360.0
    dx = width / max(1, columns - 1)
    if kind.startswith("reduced") and 360.0 - width < 2 * 360.0 / columns:
        dx = 360.0 / columns  # around the globe: the longest row need not be the one that the corners were written of
    dy = abs(lat[1] - lat[0]) / max(1, rows - 1)
    around = arc(lon[0] - dx / 2, lon[0] + width + dx / 2, dx)
    span = max(-90.0, min(lat) - dy / 2), min(90.0, max(lat) + dy / 2)
    steps = (tidy(dx), tidy(dy)) if dx > 0 and dy > 0 else None
    return Grid(kind=kind, bbox=box(around, span, "midpoints"), size=(rows, columns), resolution=steps)


def _columns(handle: int) -> int:
    """Return the number of points along a parallel; along the longest one where the rows differ."""
    columns = key(handle, "Ni", int)
    if columns is not None and 0 < columns < eccodes.CODES_MISSING_LONG:
        return int(columns)
    return max(1, int(np.max(eccodes.codes_get_array(handle, "pl"))))


def _layout(handle: int, kind: str) -> Layout | None:
    """Return the grid in its own coordinates; None when its keys do not say all of it."""
    size = [key(handle, name, int) for name in ("Ni", "Nj")]
    first = [key(handle, f"{name}OfFirstGridPointInDegrees", float) for name in ("longitude", "latitude")]
    if None in size or None in first or not all(0 < each < eccodes.CODES_MISSING_LONG for each in size):
        return None
    if size[0] + size[1] > CHECKED:
        return None
    try:
        return _rotated(handle, first, size) if kind in ROTATED else _in_a_plane(handle, first, size)
    except (CRSError, ProjError, ValueError):
        return None


def _rotated(handle: int, first: list[float], size: list[int]) -> Layout | None:
    last = [key(handle, f"{name}OfLastGridPointInDegrees", float) for name in ("longitude", "latitude")]
    pole = [key(handle, f"{name}OfSouthernPoleInDegrees", float) for name in ("longitude", "latitude")]
    angle = key(handle, "angleOfRotationInDegrees", float)
    if None in last or None in pole or angle is None:
        return None
    if key(handle, "iScansNegatively", int):
        first[0], last[0] = last[0], first[0]
    system = systems.from_cf(
        {
            "grid_mapping_name": "rotated_latitude_longitude",
            "grid_north_pole_latitude": -pole[1],
            "grid_north_pole_longitude": (pole[0] + 180.0) % 360.0,
            "north_pole_grid_longitude": angle,
        }
    )
    if system is None:
        return None
    width = (last[0] - first[0]) % 360.0
    x = first[0] + np.linspace(0.0, width, size[0])
    y = np.linspace(first[1], last[1], size[1])
    dx, dy = width / max(1, size[0] - 1), abs(last[1] - first[1]) / max(1, size[1] - 1)
    return Layout(system, x, y, dx, dy, f"rotated pole at {-pole[1]:g} N {(pole[0] + 180.0) % 360.0:g} E", angle == 0)


def _in_a_plane(handle: int, first: list[float], size: list[int]) -> Layout | None:
    words = key(handle, "projTargetString", str)
    width, height = _length(handle, "x"), _length(handle, "y")
    if not words or "longlat" in words or not width or not height:
        return None
    system = pyproj.CRS.from_string(words)
    x, y = pyproj.Proj(words)(first[0], first[1])
    if not np.isfinite([x, y]).all():
        return None
    dx = -width if key(handle, "iScansNegatively", int) else width
    dy = height if key(handle, "jScansPositively", int) else -height
    return Layout(system, x + dx * np.arange(size[0]), y + dy * np.arange(size[1]), width, height, words)


def _length(handle: int, axis: str) -> float | None:
    """Return the distance of neighbours in metres; the keys are called differently from grid to grid."""
    names = {"x": ("DxInMetres", "DiInMetres"), "y": ("DyInMetres", "DjInMetres")}[axis]
    units = (f"{axis}DirectionGridLengthInMetres", f"{axis}DirectionGridLengthInMillimetres")
    for name in (*names, units[0]):
        found = key(handle, name, float)
        if found:
            return abs(float(found))
    found = key(handle, units[1], float)
    return abs(float(found)) / 1000.0 if found else None


def _agreed(handle: int, layout: Layout) -> bool:
    """Whether the library has its points where the layout has them."""
    if layout.sure:
        return True
    try:
        lat = _points(handle)[0]
    except eccodes.CodesInternalError:  # the definition contradicts itself
        return False
    if lat.size != layout.x.size * layout.y.size:
        return False
    transformer = pyproj.Transformer.from_crs(layout.system, systems.CRS84, always_xy=True)
    x, y = np.meshgrid(layout.x, layout.y)
    own = np.asarray(transformer.transform(x.ravel(), y.ravel(), errcheck=False)[1])
    apart = np.abs(np.sort(own) - np.sort(lat))  # in whatever order the points are scanned
    return bool(np.isfinite(own).all() and float(np.max(apart)) < SAME_PLACE)


def _laid_out(layout: Layout, kind: str) -> Placed | None:
    halves = (layout.dx / 2, layout.dy / 2)
    axes = [
        (each, (float(np.min(each)) - half, float(np.max(each)) + half))
        for each, half in zip((layout.x, layout.y), halves, strict=True)
    ]
    found = systems.grid_extent(layout.system, axes[0], axes[1])
    if found is None:
        return None
    steps = (tidy(layout.dx), tidy(layout.dy))
    grid = Grid(kind=kind, bbox=found, size=(layout.y.size, layout.x.size), resolution=steps if all(steps) else None)
    unit = systems.metres_per_unit(layout.system)
    return Placed(grid, short(layout.words), max(steps) * unit if unit and all(steps) else None)


def _points(handle: int) -> tuple[Floats, Floats]:
    lat = np.asarray(eccodes.codes_get_double_array(handle, "latitudes"), dtype=np.float64)
    lon = np.asarray(eccodes.codes_get_double_array(handle, "longitudes"), dtype=np.float64)
    return lat, lon


def _by_points(handle: int, kind: str) -> Placed:
    """Return a grid by the position of every point, as ecCodes computes them."""
    lat, lon = _points(handle)
    size = tuple(int(key(handle, name, int) or 0) for name in ("Nj", "Ni"))
    rows_known = size[0] * size[1] == lat.size
    found = curvilinear_box(lon.reshape(size), lat.reshape(size)) if rows_known else points_box(lon, lat)
    if found is not None and not rows_known:
        found = close_mesh(found, lat.size)
    centres: BBox | None = None if found is None else msgspec.structs.replace(found, basis="centres")
    return Placed(
        Grid(kind=kind, bbox=centres, size=size if rows_known else (lat.size,)), note=CENTRES if centres else None
    )
