"""Boxes from coordinates, without a library of shapes: longitudes on a circle, latitudes on a line.

House rule of this file: a longitude is an angle. It has no order of its own, only an arc has one (from west to east),
and `west > east` is the arc across 180 degrees. `(-180, 180)` is the whole circle and the only arc that may hold more
than its two ends say. Latitudes are clipped to the poles, for half a cell beyond a pole is nothing.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from connector.formats.description import Basis, BBox

Floats = npt.NDArray[np.float64]
Arc = tuple[float, float]

TURN: Final = 360.0
HALF: Final = 180.0
POLE: Final = 90.0
GLOBE: Final[Arc] = (-HALF, HALF)
DIGITS: Final = 6  # a tenth of a metre
ROUNDING: Final = 1e-6  # degrees: float32 axes miss their multiples by about as much
UNEVEN: Final = 1e-3  # of a step: how much the steps of an even axis may differ
CLOSE: Final = 1e-3  # of a step: how exactly a ring must close to count as the globe


def normalise(longitude: float) -> float:
    """Return the same meridian in -180 <= longitude < 180."""
    turned = (longitude + HALF) % TURN - HALF
    return turned if turned < HALF else -HALF  # the float modulo may round up to a full turn


def arc(west: float, east: float, step: float = 0.0) -> Arc:
    """Return the arc from `west` eastwards to `east >= west` (degrees, any turn), the globe when it closes.

    `step` is the size of a cell: an arc that misses the full turn by a thousandth of it is closed.
    """
    if east - west >= TURN - max(ROUNDING, CLOSE * step):
        return GLOBE
    first, last = normalise(west), normalise(east)
    # 180 as an eastern end is 180, not -180: otherwise an arc that ends there would seem to cross.
    return first, (HALF if last == -HALF and east > west else last)


def smallest_arc(longitudes: Floats) -> tuple[float, float]:
    """Return (west, span) of the smallest arc that holds every longitude, west in -180..180, span in 0..360.

    The largest gap between neighbours on the circle is what lies outside.
    """
    turned = np.unique((longitudes + HALF) % TURN - HALF)
    gaps = np.diff(turned, append=turned[0] + TURN)
    widest = int(np.argmax(gaps))
    return float(turned[(widest + 1) % turned.size]), float(max(0.0, TURN - gaps[widest]))


def union(arcs: Iterable[Arc]) -> Arc:
    """Return the smallest arc that holds all of `arcs` (at least one); the widest gap that none covers stays out."""
    ordered = sorted((west, (east - west) % TURN or (TURN if east > west else 0.0)) for west, east in arcs)
    # The walk begins a turn early: an arc that starts before the first one may reach beyond it from behind.
    reached = max(west + span for west, span in ordered) - TURN
    widest, start = 0.0, 0.0
    for west, span in ordered:
        if west - reached > widest:
            widest, start = west - reached, west
        reached = max(reached, west + span)
    return GLOBE if widest <= 0 else arc(start, start + TURN - widest)


def step_of(values: Floats) -> float:
    """Return the usual distance between neighbours (the lower median, so that one gap does not count); 0 for one."""
    if values.size < 2:  # noqa: PLR2004 - a distance has two ends
        return 0.0
    steps = np.sort(np.abs(np.diff(values)))
    return float(steps[(steps.size - 1) // 2])


def even_step(values: Floats) -> float:
    """Return the size of the cells of an axis: of an even one its length by their number, which rounding spares."""
    step = step_of(values)
    if values.size < 2:  # noqa: PLR2004 - a distance has two ends
        return step
    mean = float(np.max(values) - np.min(values)) / (values.size - 1)
    return mean if abs(mean - step) <= UNEVEN * step else step


def finite(values: npt.ArrayLike) -> Floats:
    """Return the finite values as a flat array of float64; masked values are left out."""
    filled = np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan).ravel()
    return np.asarray(filled[np.isfinite(filled)], dtype=np.float64)


def longitude_arc(centres: Floats, bounds: Floats | None = None) -> Arc:
    """Return the arc of a rectilinear longitude axis, in the order of the axis.

    Args:
        centres: cell centres in degrees, in any turn, ascending or descending; an axis that wraps is recognised by
            a step twice as large as usual.
        bounds: the two edges of each cell (n, 2); half a step around the outer centres is taken without them.
    """
    west, east, step = _axis_ends(centres)
    if bounds is None or bounds.shape != (centres.size, 2):
        return arc(west - step / 2, east + step / 2, step)
    return arc(west - _reach(centres, bounds, west)[0], east + _reach(centres, bounds, east)[1], step)


def _axis_ends(centres: Floats) -> tuple[float, float, float]:
    """Return (west centre, east centre >= west, step) of a longitude axis."""
    steps = np.diff(centres)
    step = step_of(centres)
    one_way = bool(np.all(steps > 0) or np.all(steps < 0))
    if one_way and float(np.max(np.abs(steps), initial=0.0)) <= 2 * step:
        return float(np.min(centres)), float(np.max(centres)), step
    west, span = smallest_arc(centres)
    from_west = np.sort((centres - west + ROUNDING) % TURN)
    return west, west + span, step_of(from_west)


def _reach(centres: Floats, bounds: Floats, end: float) -> Arc:
    """Return how far the cell whose centre is `end` (in any turn) reaches to its west and to its east."""
    index = int(np.argmin(np.abs((centres - end + HALF) % TURN - HALF)))
    low, high = sorted((float(bounds[index, 0]), float(bounds[index, 1])))
    if high - low > HALF and centres.size > 1:  # written as 359..1: the cell lies across the meridian where it wraps
        low, high = high, low + TURN
    to_west = normalise(float(centres[index]) - low)
    width = high - low
    return (to_west, width - to_west) if 0.0 <= to_west <= width else (width / 2, width / 2)


def latitude_span(centres: Floats, bounds: Floats | None = None) -> tuple[float, float]:
    """Return (south, north) of a rectilinear latitude axis: the bounds, else half a step around; clipped at 90."""
    if bounds is not None and bounds.size:
        low, high = float(np.min(bounds)), float(np.max(bounds))
    else:
        half = step_of(centres) / 2
        low, high = float(np.min(centres)) - half, float(np.max(centres)) + half
    return max(-POLE, low), min(POLE, high)


def box(longitudes: Arc, latitudes: tuple[float, float], basis: Basis, *, approximate: bool = False) -> BBox:
    """Return the box of an arc and a span."""
    south, north = (round(float(min(POLE, max(-POLE, latitude))), DIGITS) for latitude in latitudes)
    west, east = (round(longitude, DIGITS) + 0.0 for longitude in longitudes)  # + 0.0 turns -0.0 into 0.0
    if west == HALF > east:  # a hair west of 180, rounded to it: an arc that begins there does not cross it
        west = -HALF
    return BBox(
        west=west,
        south=south,
        east=east,
        north=north,
        basis=basis,
        approximate=approximate,
    )


def points_box(longitudes: Floats, latitudes: Floats, basis: Basis = "points") -> BBox | None:
    """Return the smallest box around positions in any order, or None without a single one."""
    usable = np.isfinite(longitudes) & np.isfinite(latitudes) & (np.abs(latitudes) <= POLE + ROUNDING)
    if not usable.any():
        return None
    west, span = smallest_arc(longitudes[usable].ravel())
    return box(arc(west, west + span), (float(np.min(latitudes[usable])), float(np.max(latitudes[usable]))), basis)


def curvilinear_box(longitudes: Floats, latitudes: Floats, basis: Basis = "points") -> BBox | None:
    """Return the box of a two-dimensional grid of positions (rows, columns).

    A pole inside it, or a row around one, opens the circle and reaches the pole; so does a grid whose two ends are
    neighbours, without reaching further.
    """
    whole = points_box(longitudes, latitudes, basis)
    if whole is None or longitudes.ndim != 2 or min(longitudes.shape) < 2:  # noqa: PLR2004 - a grid has two axes
        return whole
    poles = set(_polar_sides(longitudes, latitudes))
    outline = rim(longitudes), rim(latitudes)
    if np.isfinite(outline[0]).sum() * 2 >= outline[0].size and pole_inside(*outline) is not None:
        # Which of the two is told by the grid itself: the border of an ocean model lies in both halves of the globe.
        poles.add(POLE if POLE - whole.north <= POLE + whole.south else -POLE)
    step = max(_usual_turn(longitudes), _usual_turn(longitudes.T))
    if not poles and TURN - (whole.east - whole.west) % TURN > step:
        return whole
    return box(GLOBE, (min([whole.south, *poles]), max([whole.north, *poles])), basis)


def _usual_turn(longitudes: Floats) -> float:
    """Return the usual distance between neighbours in a row, the short way round; 0 without neighbours."""
    steps = np.abs((np.diff(longitudes, axis=1) + HALF) % TURN - HALF)
    steps = steps[np.isfinite(steps)]
    return float(np.median(steps)) if steps.size else 0.0


def _polar_sides(longitudes: Floats, latitudes: Floats) -> list[float]:
    """Return the poles that a side of a grid runs around, one row away from them at most."""
    found = []
    for lon, lat in ((longitudes, latitudes), (longitudes.T, latitudes.T)):
        apart = np.abs(np.diff(lat, axis=0))
        row = float(np.median(apart[np.isfinite(apart)])) if np.isfinite(apart).any() else 0.0
        for side in (0, -1):
            line, edge = finite(lon[side]), finite(lat[side])
            if line.size < 3 or edge.size < line.size or np.abs(edge).min() < POLE - row * (1 + CLOSE):  # noqa: PLR2004 - fewer do not enclose
                continue
            span = smallest_arc(line)[1]
            if TURN - span <= 2 * TURN / line.size:
                found.append(POLE if edge[0] > 0 else -POLE)
    return found


def close_mesh(found: BBox, cells: int) -> BBox:
    """Return the box of a mesh of `cells` cells; one that misses the full circle by less than a cell is closed.

    How wide a cell is follows from the area of the box. A closed mesh that ends less than a cell from a pole holds it.
    """
    span = (found.east - found.west) % TURN or (TURN if found.east > found.west else 0.0)
    height = np.degrees(np.sin(np.radians(found.north)) - np.sin(np.radians(found.south)))
    cell = float(np.sqrt(span * max(0.0, height) / max(1, cells)))
    if TURN - span > cell:
        return found
    south = -POLE if found.south + POLE < cell else found.south
    north = POLE if POLE - found.north < cell else found.north
    return box(GLOBE, (south, north), found.basis, approximate=found.approximate)


def rim(grid: Floats) -> Floats:
    """Return the outermost cells of a grid, once around."""
    return np.concatenate([grid[0, :], grid[1:, -1], grid[-1, -2::-1], grid[-2:0:-1, 0]])


def unwrap(longitudes: Floats) -> Floats:
    """Return a path's longitudes without jumps: each step is taken the short way round."""
    steps = (np.diff(longitudes) + HALF) % TURN - HALF
    return np.asarray(longitudes[0] + np.concatenate([[0.0], np.cumsum(steps)]), dtype=np.float64)


def pole_inside(longitudes: Floats, latitudes: Floats) -> float | None:
    """Return the pole (90 or -90) that a closed path runs around, or None.

    A path around a pole passes all meridians once, so its turns add up to 360 degrees; a path on one side of it does
    not. Which pole is decided by the half of the globe the path is in.
    """
    usable = np.isfinite(longitudes) & np.isfinite(latitudes)
    path = longitudes[usable]
    if path.size < 3:  # noqa: PLR2004 - fewer do not enclose anything
        return None
    turns = unwrap(np.append(path, path[0]))
    if abs(turns[-1] - turns[0]) < HALF:
        return None
    return POLE if float(latitudes[usable].mean()) > 0 else -POLE


def ring_box(longitudes: Floats, latitudes: Floats, poles: Iterable[float] = (), *, approximate: bool = False) -> BBox:
    """Return the box inside a closed path of positions that follow each other closely (a transformed border).

    Args:
        longitudes: degrees, at least one.
        latitudes: degrees.
        poles: latitudes of the poles known to lie inside.
        approximate: passed on to the box.
    """
    inside = set(poles)
    found = pole_inside(longitudes, latitudes)
    if found is not None:
        inside.add(found)
    south, north = min([float(np.min(latitudes)), *inside]), max([float(np.max(latitudes)), *inside])
    if inside:
        return box(GLOBE, (south, north), "edges", approximate=approximate)
    path = unwrap(longitudes)
    return box(arc(float(np.min(path)), float(np.max(path))), (south, north), "edges", approximate=approximate)


def degrees_apart(one: BBox, other: BBox) -> float:
    """Return the largest distance between the sides of two boxes, in degrees; longitudes the short way round."""
    sides = [abs(one.south - other.south), abs(one.north - other.north)]
    span, other_span = ((each.east - each.west) % TURN or TURN for each in (one, other))
    if max(span, other_span) >= TURN - ROUNDING:
        sides.append(abs(span - other_span))
    else:
        sides += [abs(normalise(one.west - other.west)), abs(normalise(one.east - other.east))]
    return max(sides)
