"""Where the values of a CF file lie: which variables are coordinates, and the box they span.

Order of trust: latitudes and longitudes of every cell (two-dimensional), a latitude and a longitude axis, positions
of points, a projected or rotated grid with a grid mapping, and last a single position that a variable refers to.
Attributes that merely claim an extent are compared, never used.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import netCDF4
import numpy as np
import pyproj

from connector.formats import crs as systems
from connector.formats.description import BBox, Grid, Limits, short, tidy
from connector.formats.extent import (
    Floats,
    box,
    curvilinear_box,
    finite,
    latitude_span,
    longitude_arc,
    points_box,
    step_of,
)

NORTH: Final = frozenset({"degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"})
EAST: Final = frozenset({"degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"})
KILOMETRES: Final = frozenset({"km", "kilometer", "kilometre", "kilometers", "kilometres"})
PAIRS: Final = (
    ("projection_x_coordinate", "projection_y_coordinate"),
    ("grid_longitude", "grid_latitude"),
    ("projection_x_angular_coordinate", "projection_y_angular_coordinate"),
)
if TYPE_CHECKING:
    NcVariable = netCDF4.Variable[Any]  # generic in its stubs only
else:
    NcVariable = netCDF4.Variable


class Found(NamedTuple):
    """The place of the data and what was noticed on the way."""

    bbox: BBox | None = None
    grid: Grid | None = None
    crs: str | None = None
    epsg: int | None = None
    metres: float | None = None
    notes: tuple[str, ...] = ()


class Variables:
    """Every variable of a file, in all its groups, with the roles CF gives them by name."""

    def __init__(self, variables: Sequence[NcVariable], limits: Limits) -> None:
        self.all = variables
        self.limits = limits
        self.bounds_names = self._named("bounds", "climatology")
        self.auxiliary_names = self._named("coordinates")
        self.mapping_names = self._named("grid_mapping")
        self.measure_names = self._named("cell_measures")

    def _named(self, *attributes: str) -> frozenset[str]:
        """Return the words in these attributes of any variable, without the colon after keys (`area: cella`)."""
        words: set[str] = set()
        for variable in self.all:
            for attribute in attributes:
                words.update(word.rstrip(":") for word in text_of(variable, attribute).split())
        return frozenset(words)

    def candidates(self, accept: Callable[[NcVariable], bool]) -> list[NcVariable]:
        """Return the variables that are no bounds, hold numbers and are accepted."""
        return [each for each in self.all if each.name not in self.bounds_names and is_numeric(each) and accept(each)]

    def values(self, variable: NcVariable) -> Floats | None:
        """Return all values as float64 with NaN for missing ones; None when there are more than the limits allow."""
        if math.prod(variable.shape) > self.limits.coordinate_values:
            return None
        return np.asarray(np.ma.filled(np.ma.asarray(variable[...], dtype=np.float64), np.nan), dtype=np.float64)

    def bounds_of(self, variable: NcVariable) -> Floats | None:
        """Return the values of the bounds variable that `variable` names, None without one."""
        name = text_of(variable, "bounds")
        found = variable.group().variables.get(name) if name else None
        if found is None or not is_numeric(found) or found.shape[: variable.ndim] != variable.shape:
            return None
        values = self.values(found)
        return values if values is not None and np.isfinite(values).all() else None

    def is_data(self, variable: NcVariable) -> bool:
        """Whether the variable is a measured quantity, not a coordinate, bounds, mapping or cell measure."""
        role = self.bounds_names | self.auxiliary_names | self.mapping_names | self.measure_names
        if variable.name in role or variable.dimensions == (variable.name,) or not is_numeric(variable):
            return False
        return (
            "grid_mapping_name" not in variable.ncattrs() and not is_latitude(variable) and not is_longitude(variable)
        )


def text_of(thing: Any, attribute: str) -> str:
    """Return an attribute of a variable or group as text, empty without it."""
    if attribute not in thing.ncattrs():
        return ""
    value = thing.getncattr(attribute)
    return value if isinstance(value, str) else str(value)


def is_numeric(variable: NcVariable) -> bool:
    """Whether the values are plain numbers (not text, not user-defined types)."""
    kind = getattr(variable.dtype, "kind", None)
    return kind in {"i", "u", "f"}


def is_latitude(variable: NcVariable) -> bool:
    """Whether CF calls this a latitude: by standard name, else by units; an axis Y alone may be anything."""
    named = text_of(variable, "standard_name")
    return named == "latitude" or (not named and text_of(variable, "units").lower() in NORTH)


def is_longitude(variable: NcVariable) -> bool:
    """Whether CF calls this a longitude: by standard name, else by units."""
    named = text_of(variable, "standard_name")
    return named == "longitude" or (not named and text_of(variable, "units").lower() in EAST)


def place(variables: Variables) -> Found:
    """Return the box of the data, its grid and its reference system, or notes that say why there is none."""
    latitudes, longitudes = variables.candidates(is_latitude), variables.candidates(is_longitude)
    mapping = _mapping(variables)
    for rank in (2, 1, 3):
        pair = _pair(_of_rank(latitudes, rank), _of_rank(longitudes, rank))
        if pair is not None:
            return _geographic(variables, *pair, mapping)
    if mapping is not None and (found := _projected(variables, mapping)) is not None:
        return found
    # A single position counts only when data refer to it: satellites write their sub-point in the same manner.
    named = [
        [each for each in _of_rank(side, 0) if each.name in variables.auxiliary_names]
        for side in (latitudes, longitudes)
    ]
    pair = _pair(*named)
    if pair is not None:
        return _geographic(variables, *pair, mapping)
    return Found(notes=("The file has no coordinates that say where on Earth its values lie: name the place by hand.",))


def _of_rank(variables: Iterable[NcVariable], rank: int) -> list[NcVariable]:
    return [each for each in variables if each.ndim == rank]


def _pair(latitudes: Iterable[NcVariable], longitudes: Sequence[NcVariable]) -> tuple[NcVariable, NcVariable] | None:
    """Return the largest latitude with a longitude of the same group (and of the same shape beyond one axis)."""
    for latitude in sorted(latitudes, key=lambda each: -math.prod(each.shape)):
        for longitude in longitudes:
            alike = latitude.ndim == 1 or longitude.dimensions == latitude.dimensions
            if alike and longitude.group().path == latitude.group().path:
                return latitude, longitude
    return None


def _geographic(
    variables: Variables,
    latitude: NcVariable,
    longitude: NcVariable,
    mapping: NcVariable | None,
) -> Found:
    lat, lon = variables.values(latitude), variables.values(longitude)
    if lat is None or lon is None:
        return Found(notes=("The coordinates are too many to read: name the place by hand.",))
    if not finite(lat).size or not finite(lon).size:
        return Found(notes=("The latitudes and longitudes of the file are all missing: name the place by hand.",))
    edges = variables.bounds_of(latitude), variables.bounds_of(longitude)
    if lat.ndim == 1 and latitude.dimensions != longitude.dimensions:
        return _rectilinear((lat, lon), edges, mapping)
    found = _positions((lat, lon), edges)
    if found is None:
        return Found(notes=("No latitude of the file lies between -90 and 90: name the place by hand.",))
    kind = "curvilinear" if lat.ndim > 1 else "points"
    return _with_system(found, Grid(kind=kind, bbox=found, size=latitude.shape), mapping)


def _rectilinear(
    axes: tuple[Floats, Floats], edges: tuple[Floats | None, Floats | None], mapping: NcVariable | None
) -> Found:
    size = (axes[0].size, axes[1].size)
    lat, lon = finite(axes[0]), finite(axes[1])
    if np.abs(lat).max() > 90.0 + 1e-3:
        return Found(notes=("Some latitudes of the file lie beyond the poles: name the place by hand.",))
    both = edges[0] is not None and edges[1] is not None and size == (lat.size, lon.size)
    span = latitude_span(lat, edges[0] if both else None)
    around = longitude_arc(lon, edges[1] if both else None)
    found = box(around, span, "bounds" if both else "midpoints")
    steps = (tidy(step_of(lon)), tidy(step_of(lat)))
    grid = Grid(kind="rectilinear", bbox=found, size=size, resolution=steps if all(steps) else None)
    return _with_system(found, grid, mapping)


def _positions(positions: tuple[Floats, Floats], edges: tuple[Floats | None, Floats | None]) -> BBox | None:
    """Return the box of points or of a curvilinear grid, by the corners of its cells where the file has them."""
    lat, lon = positions
    inner = curvilinear_box(lon, lat) if lat.ndim == 2 else points_box(lon.ravel(), lat.ravel())  # noqa: PLR2004 - rows, columns
    if inner is None or edges[0] is None or edges[1] is None or edges[0].shape != edges[1].shape:
        return inner
    outer = points_box(edges[1].ravel(), edges[0].ravel(), "bounds")
    if outer is None or (inner.west, inner.east) != (-180.0, 180.0):
        return outer
    return box((-180.0, 180.0), (min(inner.south, outer.south), max(inner.north, outer.north)), "bounds")


def _with_system(found: BBox, grid: Grid, mapping: NcVariable | None) -> Found:
    """Add the reference system that the file names; degrees on a sphere of a model are not called EPSG:4326."""
    system = None if mapping is None else _system(mapping)
    if mapping is not None and (named := text_of(mapping, "grid_mapping_name")):
        grid = Grid(kind=short(named) or grid.kind, bbox=grid.bbox, size=grid.size, resolution=grid.resolution)
    if system is None or (system.is_geographic and systems.epsg(system) is None):
        return Found(bbox=found, grid=grid)
    return Found(bbox=found, grid=grid, crs=systems.name(system), epsg=systems.epsg(system))


def _mapping(variables: Variables) -> NcVariable | None:
    named = [each for each in variables.all if each.name in variables.mapping_names]
    loose = [each for each in variables.all if "grid_mapping_name" in each.ncattrs()]
    return next(iter(named + loose), None)


def _system(mapping: NcVariable) -> pyproj.CRS | None:
    attributes = {name: mapping.getncattr(name) for name in mapping.ncattrs()}
    plain = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in attributes.items()}
    return systems.from_cf(plain)


def _projected(variables: Variables, mapping: NcVariable) -> Found | None:
    """Return the place of a grid in projected or rotated coordinates; None when it has no such axes."""
    axes = _grid_axes(variables)
    if axes is None:
        return None
    system = _system(mapping)
    if system is None:
        return Found(notes=("The projection of the grid is not known: name the place by hand.",))
    values = [finite(found) for found in map(variables.values, axes) if found is not None]
    if len(values) < 2 or not all(each.size for each in values):  # noqa: PLR2004 - x and y
        return Found(notes=("The coordinates of the grid cannot be read: name the place by hand.",))
    factors = [_factor(axis, mapping) for axis in axes]
    x, y = (each * factor for each, factor in zip(values, factors, strict=True))
    steps = (step_of(x), step_of(y))
    halves = (steps[0] / 2, steps[1] / 2)
    rectangle = systems.Rectangle(
        float(np.min(x)) - halves[0],
        float(np.min(y)) - halves[1],
        float(np.max(x)) + halves[0],
        float(np.max(y)) + halves[1],
    )
    found = systems.extent(system, rectangle)
    kind = short(text_of(mapping, "grid_mapping_name")) or "projected"
    grid = Grid(
        kind=kind,
        bbox=found,
        size=(y.size, x.size),
        resolution=(tidy(steps[0]), tidy(steps[1])) if all(steps) else None,
    )
    unit = systems.metres_per_unit(system)
    notes = () if found else ("No cell of the grid is a place on Earth: name the place by hand.",)
    metres = tidy(max(steps) * unit) if unit and all(steps) else None
    return Found(found, grid, systems.name(system) or kind, systems.epsg(system), metres, notes)


def _grid_axes(variables: Variables) -> tuple[NcVariable, NcVariable] | None:
    axes = {text_of(each, "standard_name"): each for each in variables.candidates(lambda each: each.ndim == 1)}
    for x, y in PAIRS:
        if x in axes and y in axes:
            return axes[x], axes[y]
    return None


def _factor(axis: NcVariable, mapping: NcVariable) -> float:
    """Return what to multiply an axis with to get units of the CRS; scan angles times the satellite's height."""
    units = text_of(axis, "units").lower()
    if units in {"rad", "radian", "radians"} and "perspective_point_height" in mapping.ncattrs():
        return float(mapping.getncattr("perspective_point_height"))
    return 1000.0 if units in KILOMETRES else 1.0
