"""Where the values of a CF file lie: which variables are coordinates, and the box they span.

Order of trust: the nodes of a mesh, latitudes and longitudes of every cell (two-dimensional), a latitude and a
longitude axis, positions of points, a projected or rotated grid with a grid mapping, a single position that a variable
refers to, and last variables that are latitudes and longitudes by their names only. Attributes that merely claim an
extent are compared, never used.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyproj

from connector.formats.coordinates import crs as systems
from connector.formats.coordinates.extent import (
    Floats,
    box,
    close_mesh,
    curvilinear_box,
    even_step,
    finite,
    latitude_span,
    longitude_arc,
    points_box,
    union,
)
from connector.formats.description import Basis, BBox, Grid, short, tidy
from connector.formats.gridded import cf, cf_projected
from connector.formats.gridded.cf import Array, Variables
from connector.formats.gridded.cf_projected import Found

SATELLITE: Final = re.compile(r"satellite|spacecraft|sub[ _-]?sat|sub[ _-]?point|nadir", re.IGNORECASE)
MESHES: Final = frozenset({"ncells", "ncell", "cell", "cells", "nod2", "nod2d", "node", "nodes", "ncol", "nvertices"})
BY_HAND: Final = "name the place by hand"
NO_PLACE: Final = f"The file has no coordinates that say where on Earth its values lie: {BY_HAND}."
CENTRES: Final = "The bounding box goes through the centres of the outer cells: where their edges are cannot be known."
BY_NAME: Final = (
    "Latitudes and longitudes were recognised by the names or axes {names} only; the file does not say what they are. "
    "Check the place."
)


class Pair(NamedTuple):
    """A latitude with its longitude."""

    lat: Array
    lon: Array


def place(variables: Variables, attributes: Mapping[str, Any]) -> Found:
    """Return the box of the data, its grid and its reference system, or notes that say why there is none.

    `attributes` are the global ones; of them `featureType` counts: it says that positions are points, not a grid.
    """
    latitudes, longitudes = (
        _without_satellites(variables.candidates(each)) for each in (cf.is_latitude, cf.is_longitude)
    )
    mapping = cf_projected.mapping_of(variables)
    mesh = _mesh(variables)
    if mesh is not None:
        return _alike(variables, mesh, mapping, attributes, mesh=True)
    # What has a standard name goes before what has only units: a track of the satellite's own, for instance.
    for sides in (
        [[each for each in side if each.text("standard_name")] for side in (latitudes, longitudes)],
        [latitudes, longitudes],
    ):
        for rank in (2, 1, 3):
            pair = _pair(variables, *(_of_rank(side, rank) for side in sides))
            if pair is not None:
                return _alike(variables, pair, mapping, attributes, mesh=False)
    projected = cf_projected.place(variables, mapping)
    if projected is not None:
        return projected
    # A single position counts only when data refer to it: satellites write their sub-point in the same manner.
    named = [
        [each for each in _of_rank(side, 0) if each.name in variables.auxiliary_names]
        for side in (latitudes, longitudes)
    ]
    pair = _pair(variables, *named)
    if pair is not None:
        return _geographic(variables, pair, mapping, attributes, mesh=False)
    return _by_name(variables, attributes)


def _without_satellites(positions: list[Array]) -> list[Array]:
    """Leave out where the satellite was; unless there is nothing else."""
    return [each for each in positions if not SATELLITE.search(f"{each.name} {each.text('long_name')}")] or positions


def _by_name(variables: Variables, attributes: Mapping[str, Any]) -> Found:
    """Return the place by variables that are only called latitude and longitude, and whose values can be those."""
    named = [variables.candidates(each) for each in (cf.called_latitude, cf.called_longitude)]
    for rank in (2, 1):
        pair = _pair(variables, *(_of_rank(side, rank) for side in named))
        if pair is None:
            continue
        found = _geographic(variables, pair, None, attributes, mesh=False)
        lon = variables.some(pair.lon)
        if found.bbox is None or lon is None or np.abs(finite(lon.values)).max(initial=0.0) > 540.0:  # noqa: PLR2004 - a turn and a half
            break
        note = BY_NAME.format(names=f"{short(pair.lat.path)!r} and {short(pair.lon.path)!r}")
        return found._replace(notes=(*found.notes, note))
    return Found(notes=(NO_PLACE,))


def _of_rank(variables: Iterable[Array], rank: int) -> list[Array]:
    return [each for each in variables if each.ndim == rank]


def _pair(variables: Variables, latitudes: Iterable[Array], longitudes: Sequence[Array]) -> Pair | None:
    """Return the latitude with a longitude of the same group (and of the same shape beyond one axis).

    Of several the one with bounds, then the largest.
    """

    def rank(each: Array) -> tuple[bool, int]:
        return variables.lookup(each.text("bounds") or "/", each.group) is None, -each.size

    def fit(latitude: Array, longitude: Array) -> bool:
        """Whether they are the two axes of a grid, or positions along the same axes."""
        if latitude.along_itself:
            return longitude.along_itself
        return latitude.dimensions == longitude.dimensions

    for latitude in sorted(latitudes, key=rank):
        for longitude in sorted(longitudes, key=lambda each, of=latitude: not fit(of, each)):  # type: ignore[misc]
            alike = latitude.ndim == 1 or longitude.shape == latitude.shape
            if alike and longitude.group == latitude.group:
                return Pair(latitude, longitude)
    return None


def _mesh(variables: Variables) -> Pair | None:
    """Return the positions of the nodes of a UGRID mesh: its cells lie between them."""
    for topology in variables.all:
        if topology.text("cf_role") != "mesh_topology":
            continue
        names = topology.text("node_coordinates").split()
        nodes = [
            each for name in names if (each := variables.lookup(name, topology.group)) is not None and each.numeric
        ]
        lat = next((each for each in nodes if cf.is_latitude(each)), None)
        lon = next((each for each in nodes if cf.is_longitude(each)), None)
        if lat is not None and lon is not None:
            return Pair(lat, lon)
    return None


def _alike(
    variables: Variables, pair: Pair, mapping: Array | None, attributes: Mapping[str, Any], *, mesh: bool
) -> Found:
    """Return the place of a pair, and of the pairs of the same names in other groups together with it."""
    found = _geographic(variables, pair, mapping, attributes, mesh=mesh)
    boxes = [found.bbox] if found.bbox else []
    for lat in variables.all:
        if lat.name != pair.lat.name or lat.ndim != pair.lat.ndim or lat is pair.lat or not cf.is_latitude(lat):
            continue
        lon = variables.lookup(pair.lon.name, lat.group)
        if lon is None or lon.group != lat.group or not lon.numeric:
            continue
        other = _geographic(variables, Pair(lat, lon), mapping, attributes, mesh=mesh)
        boxes += [other.bbox] if other.bbox else []
    if len(boxes) < 2:  # noqa: PLR2004 - one box has nothing to be joined with
        return found
    around = union([(each.west, each.east) for each in boxes])
    span = min(each.south for each in boxes), max(each.north for each in boxes)
    whole = box(around, span, boxes[0].basis, approximate=any(each.approximate for each in boxes))
    if whole == boxes[0]:
        return found
    return found._replace(bbox=whole, notes=(*found.notes, f"The box joins those of {len(boxes)} groups of the file."))


def _geographic(
    variables: Variables, pair: Pair, mapping: Array | None, attributes: Mapping[str, Any], *, mesh: bool
) -> Found:
    one_way = pair.lat.ndim == 1 and pair.lat.dimensions != pair.lon.dimensions
    if not all(pair.lat.dimensions):  # a file that names no axes: lengths must do
        one_way = pair.lat.ndim == 1 and _is_axis_pair(variables, pair)
    lat, lon = ((variables.values(each), False) if one_way else _sample(variables, each) for each in pair)
    if lat[0] is None or lon[0] is None:
        return Found(notes=(f"The coordinates are too many to read: {BY_HAND}.",))
    degrees = lat[0] * cf.radian_factor(pair.lat), lon[0] * cf.radian_factor(pair.lon)
    if not finite(degrees[0]).size or not finite(degrees[1]).size:
        return Found(notes=(f"The latitudes and longitudes of the file are all missing: {BY_HAND}.",))
    if not one_way and lat[0].size > 1 and not (np.nan_to_num(degrees[0]).any() or np.nan_to_num(degrees[1]).any()):
        return Found(notes=(f"The latitudes and longitudes of the file are all zero, so not filled in: {BY_HAND}.",))
    edges = variables.bounds_of(pair.lat), variables.bounds_of(pair.lon)
    if one_way:
        return _rectilinear(degrees, edges, mapping)
    if pair.lat.ndim == 3 and not attributes.get("featureType"):  # noqa: PLR2004 - weather models repeat them in time
        first = degrees[0][0], degrees[1][0]
        if all(
            np.array_equal(np.broadcast_to(one, each.shape), each, equal_nan=True)
            for one, each in zip(first, degrees, strict=True)
        ):
            degrees = first
    sampled = lat[1] or lon[1]
    points = bool(attributes.get("featureType")) or degrees[0].ndim != 2  # noqa: PLR2004 - rows, columns
    unstructured = mesh or (points and _is_mesh(variables, pair.lat, edges[0]))
    found = _positions(degrees, edges, grid=not points, mesh=unstructured, nodes=mesh)
    if found is None:
        return Found(notes=(f"No latitude of the file lies between -90 and 90: {BY_HAND}.",))
    notes = [CENTRES] if found.basis == "centres" else []
    if sampled:
        found = msgspec.structs.replace(found, basis="sampled", approximate=True)
        notes = ["The positions are too many to read: the box is that of a sample of them."]
    kind = "unstructured" if unstructured else "points" if points else "curvilinear"
    return _with_system(found, Grid(kind=kind, bbox=found, size=pair.lat.shape), mapping, notes)


def _is_axis_pair(variables: Variables, pair: Pair) -> bool:
    """Whether data have one axis of each length, one after the other: where no names say it."""
    lengths = (pair.lat.size, pair.lon.size)
    shapes = [each.shape for each in variables.all if each.ndim > 1]
    return lengths[0] != lengths[1] or any(lengths in {shape[-2:], shape[-2:][::-1]} for shape in shapes)


def _sample(variables: Variables, variable: Array) -> tuple[Floats | None, bool]:
    found = variables.some(variable)
    return (None, False) if found is None else (found.values, found.sampled)


def _is_mesh(variables: Variables, latitude: Array, edges: Floats | None) -> bool:
    """Whether positions along one axis are the cells of a mesh and not stations or a track."""
    if edges is not None and edges.shape[-1] > 2:  # noqa: PLR2004 - the corners of a cell
        return True
    if any(name.lower() in MESHES for name in latitude.dimensions):
        return True
    return any(each.text("CDI_grid_type") == "unstructured" for each in variables.all)


def _rectilinear(
    axes: tuple[Floats, Floats], edges: tuple[Floats | None, Floats | None], mapping: Array | None
) -> Found:
    size = (axes[0].size, axes[1].size)
    lat, lon = finite(axes[0]), finite(axes[1])
    if np.abs(lat).max() > 90.0 + 1e-3:
        return Found(notes=(f"Some latitudes of the file lie beyond the poles: {BY_HAND}.",))
    # Bounds belong to centres one by one; where a centre is missing, they do not fit.
    bounds = [each if size[at] == (lat, lon)[at].size else None for at, each in enumerate(edges)]
    span, around = latitude_span(lat, bounds[0]), longitude_arc(lon, bounds[1])
    basis: Basis = "bounds" if bounds[0] is not None and bounds[1] is not None else "midpoints"
    found = box(around, span, basis)
    steps = (tidy(even_step(lon)), tidy(even_step(lat)))
    grid = Grid(kind="rectilinear", bbox=found, size=size, resolution=steps if all(steps) else None)
    single = [
        f"The grid has a single {name} and no bounds: how wide its cells are is not known."
        for name, axis, bound in (("latitude", lat, bounds[0]), ("longitude", lon, bounds[1]))
        if axis.size == 1 and bound is None
    ]
    return _with_system(found, grid, mapping, single)


def _positions(
    positions: tuple[Floats, Floats],
    edges: tuple[Floats | None, Floats | None],
    *,
    grid: bool,
    mesh: bool,
    nodes: bool,
) -> BBox | None:
    """Return the box of points, of a mesh, or of a curvilinear grid, by the corners of its cells where it has them."""
    lat, lon = positions
    outer = None
    if edges[0] is not None and edges[1] is not None and edges[0].shape == edges[1].shape:
        outer = points_box(edges[1].ravel(), edges[0].ravel(), "bounds")
    basis: Basis = "bounds" if nodes else "centres" if grid or mesh else "points"
    if not grid:
        inner = points_box(lon.ravel(), lat.ravel(), basis)
        found = outer or inner
        return close_mesh(found, lat.size) if mesh and found is not None else found
    inner = curvilinear_box(lon, lat, basis)
    if outer is None or inner is None or (inner.west, inner.east) != (-180.0, 180.0):
        return outer or inner
    return box((-180.0, 180.0), (min(inner.south, outer.south), max(inner.north, outer.north)), "bounds")


def _with_system(found: BBox, grid: Grid, mapping: Array | None, notes: Sequence[str]) -> Found:
    """Add the reference system that the file names; degrees on a sphere of a model are not called EPSG:4326."""
    system: pyproj.CRS | None = None if mapping is None else cf_projected.system_of(mapping)
    if mapping is not None and (named := mapping.text("grid_mapping_name")):
        grid = msgspec.structs.replace(grid, kind=short(named) or grid.kind)
    if system is None or (system.is_geographic and systems.epsg(system) is None):
        return Found(bbox=found, grid=grid, crs=None if system is None else systems.sphere(system), notes=tuple(notes))
    return Found(bbox=found, grid=grid, crs=systems.name(system), epsg=systems.epsg(system), notes=tuple(notes))
