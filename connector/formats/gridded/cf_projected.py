"""Where a grid in projected, rotated or scan coordinates lies, when the file has no latitudes and longitudes.

The outer edge of every border cell is transformed, not the four corners: edges of such grids bulge between them.
"""

from typing import Final, NamedTuple

import numpy as np
import pyproj

from connector.formats.coordinates import crs as systems
from connector.formats.coordinates.extent import Floats, even_step, finite, step_of
from connector.formats.description import BBox, Grid, short, tidy
from connector.formats.gridded.cf import Array, Variables

KILOMETRES: Final = frozenset({"km", "kilometer", "kilometre", "kilometers", "kilometres"})
RADIANS: Final = frozenset({"rad", "radian", "radians"})
PAIRS: Final = (
    ("projection_x_coordinate", "projection_y_coordinate"),
    ("grid_longitude", "grid_latitude"),
    ("projection_x_angular_coordinate", "projection_y_angular_coordinate"),
)
CALLED: Final = {"x": ("x", "xc", "easting", "rlon"), "y": ("y", "yc", "northing", "rlat")}
BY_HAND: Final = "name the place by hand"
SAMPLED: Final = (
    "Parts of the grid lie off the Earth (a disc seen from space): the box is that of a sample of its cells."
)


class Found(NamedTuple):
    """The place of the data and what was noticed on the way; `metres` is the size of a cell of a projected grid."""

    bbox: BBox | None = None
    grid: Grid | None = None
    crs: str | None = None
    epsg: int | None = None
    metres: float | None = None
    notes: tuple[str, ...] = ()


def mapping_of(variables: Variables) -> Array | None:
    """Return the grid mapping variable: one that data name, else one that says it is."""
    named = [each for each in variables.all if each.name in variables.mapping_names]
    loose = [each for each in variables.all if "grid_mapping_name" in each.attributes]
    return next(iter(named + loose), None)


def system_of(mapping: Array) -> pyproj.CRS | None:
    """Return the reference system that a grid mapping describes, None when pyproj knows none such."""
    plain = {
        key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for key, value in mapping.attributes.items()
    }
    return systems.from_cf(plain)


def place(variables: Variables, mapping: Array | None) -> Found | None:
    """Return the place of a grid in projected or rotated coordinates; None when it has no such axes."""
    axes = _axes(variables, mapped=mapping is not None)
    if axes is None:
        return None
    system = None if mapping is None else system_of(mapping)
    if mapping is None or system is None:
        return Found(notes=(f"The projection of the grid is not known: {BY_HAND}.",))
    values = [finite(found) for found in map(variables.values, axes) if found is not None]
    if len(values) < 2 or not all(each.size for each in values):  # noqa: PLR2004 - x and y
        return Found(notes=(f"The coordinates of the grid cannot be read: {BY_HAND}.",))
    factors = [_factor(axis, mapping) for axis in axes]
    x, y = (each * factor for each, factor in zip(values, factors, strict=True))
    edges = [
        _edges(each, None if bounds is None else bounds * factor)
        for each, bounds, factor in zip((x, y), map(variables.bounds_of, axes), factors, strict=True)
    ]
    found = systems.grid_extent(system, (x, edges[0]), (y, edges[1]))
    steps = (even_step(x), even_step(y))
    kind = short(mapping.text("grid_mapping_name")) or "projected"
    size = (y.size, x.size)
    grid = Grid(kind=kind, bbox=found, size=size, resolution=(tidy(steps[0]), tidy(steps[1])) if all(steps) else None)
    unit = systems.metres_per_unit(system)
    notes = [] if found else [f"No cell of the grid is a place on Earth: {BY_HAND}."]
    if found is not None and found.basis == "sampled":
        notes.append(SAMPLED)
    metres = tidy(max(steps) * unit) if unit and all(steps) else None
    return Found(found, grid, systems.name(system) or kind, systems.epsg(system), metres, tuple(notes))


def _edges(centres: Floats, bounds: Floats | None) -> tuple[float, float]:
    """Return the outer edges of an axis: those of its bounds, else half a step beyond the outer centres."""
    if bounds is not None and bounds.shape == (centres.size, 2):
        return float(np.min(bounds)), float(np.max(bounds))
    half = step_of(centres) / 2
    return float(np.min(centres)) - half, float(np.max(centres)) + half


def _axes(variables: Variables, *, mapped: bool) -> tuple[Array, Array] | None:
    """Return the x and the y axis: by standard name, else, where there is a grid mapping, by axis or name."""
    lines = variables.candidates(lambda each: each.ndim == 1)
    axes = {each.text("standard_name"): each for each in reversed(lines)}
    for x, y in PAIRS:
        if x in axes and y in axes:
            return axes[x], axes[y]
    if not mapped:
        return None
    found = [
        next((each for each in lines if each.along_itself and _is_axis(each, letter)), None) for letter in ("x", "y")
    ]
    return (found[0], found[1]) if found[0] is not None and found[1] is not None else None


def _is_axis(variable: Array, letter: str) -> bool:
    return variable.text("axis").lower() == letter or variable.name.lower() in CALLED[letter]


def _factor(axis: Array, mapping: Array) -> float:
    """Return what to multiply an axis with to get units of the CRS; scan angles times the satellite's height."""
    units = axis.text("units").lower()
    height = mapping.attributes.get("perspective_point_height")
    if units in RADIANS and height is not None:
        return float(np.asarray(height).ravel()[0])
    return 1000.0 if units in KILOMETRES else 1.0
