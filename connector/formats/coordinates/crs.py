"""Boxes in degrees from rectangles in any coordinate reference system. Runs in the child; pyproj does the mathematics.

Corners are not enough: the northern edge of a UTM scene bulges above both of its corners, and a rotated or polar grid
may hold a pole. So the whole border is transformed, closely spaced, and the poles are asked for by name.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyproj
from pyproj.enums import TransformDirection
from pyproj.exceptions import CRSError, ProjError

from connector.formats.coordinates.extent import HALF, POLE, TURN, Floats, arc, box, points_box, ring_box
from connector.formats.description import Basis, BBox, short

CRS84: Final = "OGC:CRS84"
OGC_EPSG: Final = "http://www.opengis.net/def/crs/EPSG/0/"
NAMELESS: Final = frozenset({"", "unknown", "undefined", "unnamed"})
SURE: Final = 90  # how sure pyproj must be that it is this EPSG code
EARTH_RADIUS: Final = 6_371_000.0
EARTHLY: Final = 0.01  # relative: sphere and ellipsoids of the Earth differ by less, those of Mars and the Moon do not
SIDE_POINTS: Final = 2001  # per side of the border: the bulge between two points is then far below a metre
INTERIOR_POINTS: Final = 200  # per axis of a raster, when most of its border is off the Earth (a full disc)
BACK: Final = 1e-6  # degrees: how closely a place comes back from a projection
CELLS: Final = 1000  # per axis of a grid, the same

Axis = tuple[Floats, tuple[float, float]]
"""The centres of the cells along an axis, and the outer edges of the first and the last one."""


class Rectangle(NamedTuple):
    """The outer edges of a grid in its own CRS."""

    left: float
    bottom: float
    right: float
    top: float


def from_cf(attributes: Mapping[str, Any]) -> pyproj.CRS | None:
    """Return the CRS of a CF grid mapping variable, None when it names none that pyproj knows."""
    try:
        return pyproj.CRS.from_cf(dict(attributes))
    except (CRSError, KeyError, TypeError, ValueError):
        return None


def from_wkt(text: str) -> pyproj.CRS | None:
    """Return the CRS of a WKT text, None when there is no such."""
    try:
        return pyproj.CRS.from_wkt(text)
    except CRSError:
        return None


def epsg(crs: pyproj.CRS) -> int | None:
    """Return the EPSG code when it is nearly certain."""
    return crs.to_epsg(min_confidence=SURE)


def name(crs: pyproj.CRS) -> str | None:
    """Return the OGC IRI of a registered CRS, else its name, None when it has neither."""
    code = epsg(crs)
    if code is not None:
        return f"{OGC_EPSG}{code}"
    return None if crs.name.lower() in NAMELESS else short(crs.name)


def sphere(crs: pyproj.CRS) -> str | None:
    """Return words for degrees on a sphere, as models have them; None for an ellipsoid."""
    ellipsoid = crs.ellipsoid
    if ellipsoid is None or ellipsoid.inverse_flattening:
        return None
    return f"geographic coordinates on a sphere of {ellipsoid.semi_major_metre:.0f} m"


def on_earth(crs: pyproj.CRS) -> bool:
    """Whether the CRS measures the Earth, not another body."""
    ellipsoid = crs.ellipsoid
    return ellipsoid is None or abs(ellipsoid.semi_major_metre / EARTH_RADIUS - 1) < EARTHLY


def metres_per_unit(crs: pyproj.CRS) -> float | None:
    """Return the length of a unit of a projected CRS in metres, None for degrees."""
    if not crs.is_projected or not crs.axis_info:
        return None
    return float(crs.axis_info[0].unit_conversion_factor)


def extent(crs: pyproj.CRS, rectangle: Rectangle) -> BBox | None:
    """Return the box in CRS84 of a rectangle in `crs`; None when nothing of it is a place on Earth."""
    # A raster may be written south up: the sides are sorted before anything is transformed.
    left, right = sorted((rectangle.left, rectangle.right))
    bottom, top = sorted((rectangle.bottom, rectangle.top))
    xs, ys = border(Rectangle(left, bottom, right, top))
    if not on_earth(crs) or _is_crs84_like(crs):
        return outline(crs, xs, ys)
    transformer = _transformer(crs)
    lon, lat = _degrees(transformer, xs, ys)
    if np.isfinite(lon).all():
        return outline(crs, xs, ys)
    grid = np.meshgrid(np.linspace(left, right, INTERIOR_POINTS), np.linspace(bottom, top, INTERIOR_POINTS))
    inner = _degrees(transformer, grid[0].ravel(), grid[1].ravel())
    there = _graticule(transformer, (left, bottom, right, top))
    return _covered(np.concatenate([lon, inner[0], there[0]]), np.concatenate([lat, inner[1], there[1]]), "edges")


def _graticule(transformer: pyproj.Transformer, sides: tuple[float, float, float, float]) -> tuple[Floats, Floats]:
    """Return those crossings of meridians and parallels that lie inside a rectangle and come back from there.

    A map of the whole globe touches its border in few places; where its own edge runs only the globe knows.
    """
    lon, lat = (each.ravel() for each in np.meshgrid(np.arange(-HALF, HALF + 1), np.linspace(-POLE, POLE, 361)))
    x, y = (
        np.asarray(each, dtype=np.float64)
        for each in transformer.transform(lon, lat, direction=TransformDirection.INVERSE, errcheck=False)
    )
    left, bottom, right, top = sides
    inside = np.isfinite(x) & np.isfinite(y) & (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    lon, lat = lon[inside], lat[inside]
    if not lon.size:
        return lon, lat
    back = _degrees(transformer, x[inside], y[inside])
    same = (np.abs(back[1] - lat) < BACK) & ((np.abs((back[0] - lon + HALF) % TURN - HALF) < BACK) | (abs(lat) == POLE))
    return lon[same], lat[same]


def _covered(longitudes: Floats, latitudes: Floats, basis: Basis) -> BBox | None:
    """Return the box of positions as close as those of a graticule, marked as approximate."""
    found = points_box(longitudes, latitudes, basis)
    if found is None:
        return None
    # What is left out of the circle is no wider than the meridians are apart.
    if TURN - (found.east - found.west) % TURN <= 1 and found.east != found.west:
        found = msgspec.structs.replace(found, west=-HALF, east=HALF)
    return msgspec.structs.replace(found, approximate=True)


def grid_extent(crs: pyproj.CRS, x: Axis, y: Axis) -> BBox | None:
    """Return the box in CRS84 of a grid, by the outer edge of every border cell; None when none is a place on Earth.

    Args:
        crs: that of the axes.
        x: the centres of the columns, and the outer edges (low, high) of the first and the last one.
        y: the same of the rows.

    Where a part of the border is off the Earth (a disc seen from space) the cells themselves are asked, at most
    `CELLS` along an axis, and the box is marked as sampled.
    """
    if not on_earth(crs):
        return None
    (xs, (left, right)), (ys, (bottom, top)) = x, y
    columns = np.concatenate([[left], np.sort(xs), [right]])
    rows = np.concatenate([[bottom], np.sort(ys), [top]])
    path = (
        np.concatenate([columns, np.full(rows.size, right), columns[::-1], np.full(rows.size, left)]),
        np.concatenate([np.full(columns.size, bottom), rows, np.full(columns.size, top), rows[::-1]]),
    )
    if _is_crs84_like(crs):
        return _plain(left, bottom, right, top)
    transformer = _transformer(crs)
    lon, lat = _degrees(transformer, *path)
    if np.isfinite(lon).all() and np.isfinite(lat).all():
        return ring_box(lon, lat, _poles(transformer, (left, bottom, right, top)))
    inner = np.meshgrid(_thinned(columns), _thinned(rows))
    cells = _degrees(transformer, inner[0].ravel(), inner[1].ravel())
    there = _graticule(transformer, (left, bottom, right, top))
    return _covered(np.concatenate([lon, cells[0], there[0]]), np.concatenate([lat, cells[1], there[1]]), "sampled")


def _thinned(values: Floats) -> Floats:
    """Return at most `CELLS` of the values, evenly spaced, both ends among them."""
    if values.size <= CELLS:
        return values
    return np.asarray(values[np.linspace(0, values.size - 1, CELLS).astype(int)], dtype=np.float64)


def outline(crs: pyproj.CRS, xs: Floats, ys: Floats) -> BBox | None:
    """Return the box in CRS84 of what a closed path in `crs` encloses; None when most of it is off the Earth."""
    if not on_earth(crs):
        return None
    if _is_crs84_like(crs):
        return _plain(float(np.min(xs)), float(np.min(ys)), float(np.max(xs)), float(np.max(ys)))
    transformer = _transformer(crs)
    lon, lat = _degrees(transformer, xs, ys)
    usable = np.isfinite(lon) & np.isfinite(lat)
    if usable.sum() * 2 < usable.size:
        return None
    sides = float(np.min(xs)), float(np.min(ys)), float(np.max(xs)), float(np.max(ys))
    return ring_box(lon[usable], lat[usable], _poles(transformer, sides) if _upright(xs, ys) else ())


def points(crs: pyproj.CRS, xs: Floats, ys: Floats) -> BBox | None:
    """Return the box in CRS84 of scattered positions in `crs`, marked as approximate."""
    lon, lat = (xs, ys) if _is_crs84_like(crs) else _degrees(_transformer(crs), xs, ys)
    found = points_box(lon, lat) if on_earth(crs) else None
    return None if found is None else msgspec.structs.replace(found, approximate=True)


def _transformer(crs: pyproj.CRS) -> pyproj.Transformer:
    # Heights play no part. `to_2d` is missing on the special kinds of CRS, hence the way over the text.
    flat = pyproj.CRS(crs.to_wkt()).to_2d() if len(crs.axis_info) > 2 else crs  # noqa: PLR2004 - a third axis is a height
    return pyproj.Transformer.from_crs(flat, CRS84, always_xy=True)


def _upright(xs: Floats, ys: Floats) -> bool:
    """Whether every point of a path lies on a side of its own rectangle, so that the rectangle is what it encloses."""
    on_side = (xs == np.min(xs)) | (xs == np.max(xs)) | (ys == np.min(ys)) | (ys == np.max(ys))
    return bool(on_side.all())


def _is_crs84_like(crs: pyproj.CRS) -> bool:
    """Whether its degrees are those of CRS84 already (WGS 84, in either axis order)."""
    return crs.is_geographic and (crs.to_epsg(min_confidence=SURE) == 4326 or crs.to_authority() == ("OGC", "CRS84"))  # noqa: PLR2004 - the code of WGS 84


def _plain(left: float, bottom: float, right: float, top: float) -> BBox | None:
    if bottom > POLE or top < -POLE:
        return None
    return box(arc(left, right), (max(-POLE, bottom), min(POLE, top)), "edges")


def border(rectangle: Rectangle) -> tuple[Floats, Floats]:
    """Return the border of a rectangle as a closed path of closely spaced points."""
    along = np.linspace(rectangle.left, rectangle.right, SIDE_POINTS)
    up = np.linspace(rectangle.bottom, rectangle.top, SIDE_POINTS)
    xs = [along, np.full(up.size, rectangle.right), along[::-1], np.full(up.size, rectangle.left)]
    ys = [np.full(along.size, rectangle.bottom), up, np.full(along.size, rectangle.top), up[::-1]]
    return np.concatenate(xs), np.concatenate(ys)


def _degrees(transformer: pyproj.Transformer, xs: Floats, ys: Floats) -> tuple[Floats, Floats]:
    lon, lat = (np.asarray(each, dtype=np.float64) for each in transformer.transform(xs, ys, errcheck=False))
    # Positions off the Earth come back infinite, and infinity makes noise in every further step.
    usable = np.isfinite(lon) & np.isfinite(lat)
    return np.where(usable, lon, np.nan), np.where(usable, lat, np.nan)


def _poles(transformer: pyproj.Transformer, sides: tuple[float, float, float, float]) -> list[float]:
    """Return the poles that lie inside the rectangle and come back from there."""
    left, bottom, right, top = sides
    found = []
    for pole in (POLE, -POLE):
        try:
            x, y = transformer.transform(0.0, pole, direction=TransformDirection.INVERSE)
            back = transformer.transform(x, y)[1] if np.isfinite([x, y]).all() else 0.0
        except ProjError:
            continue
        if left < x < right and bottom < y < top and abs(back - pole) < 1e-6:  # noqa: PLR2004 - degrees
            found.append(pole)
    return found
