"""The box of geometries that stream by, in any reference system, in memory that does not grow with their number.

A geometry comes as parts: runs of positions (a point, a line, a ring). In longitude and latitude a part is what its
numbers say, for lines are straight there (RFC 7946 section 3.1.1), and the smallest arc that holds all parts is the
box: parts cut at 180 degrees give a box that crosses it. In other systems every position is transformed, and the path
of a part is followed the short way round, so that a ring around a pole is recognised.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyproj

from connector.formats.coordinates import crs as systems
from connector.formats.coordinates.extent import GLOBE, HALF, POLE, ROUNDING, TURN, Arc, Floats, arc, box, union
from connector.formats.description import Basis, BBox

Ints = npt.NDArray[np.intp]
Bounds = tuple[float, float, float, float]

ARCS_KEPT: Final = 4096
BATCH: Final = 1 << 16
FARTHEST: Final = 1.5 * TURN  # degrees: nobody counts longitudes further round
CRS84_IRI: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EDGE_METRES: Final = 20_000.0  # longer edges get points in between: straight in one system is bent in the other
EDGE_PIECES: Final = 500
DENSE: Final = 2_000_000  # positions of a batch at most
DEGREE: Final = 0.017453292519943295
SAME: Final = 1e-9  # relative to a degree
OUTSIDE: Final = (
    "The numbers of the coordinates are no degrees of longitude and latitude, as the file says they are: name the "
    "reference system and the place by hand."
)
OFF_EARTH: Final = "{} positions have no place on Earth in the file's reference system; they were left out."
ODD: Final = "{} positions are not numbers; they were left out."


class Arcs:
    """Arcs of longitude, joined where they touch; at most `ARCS_KEPT` are told apart, the small gaps go first."""

    def __init__(self) -> None:
        self._low: Floats = np.empty(0)
        self._high: Floats = np.empty(0)

    def add(self, west: Floats, span: Floats) -> None:
        """Add arcs that run from `west` (degrees, any turn) eastwards over `span` degrees."""
        inside = (west >= -HALF) & (west <= HALF)
        low = np.where(inside, west, (west + HALF) % TURN - HALF)
        high = low + np.minimum(span, TURN)
        over = high > HALF
        low = np.concatenate([self._low, low, np.full(int(over.sum()), -HALF)])
        high = np.concatenate([self._high, np.minimum(high, HALF), high[over] - TURN])
        order = np.argsort(low, kind="stable")
        low, high = low[order], np.maximum.accumulate(high[order])
        apart = low[1:] > high[:-1]
        if int(apart.sum()) >= ARCS_KEPT:
            gaps = np.where(apart, low[1:] - high[:-1], 0.0)
            apart = np.zeros(gaps.size, dtype=bool)
            apart[np.argsort(gaps, kind="stable")[-(ARCS_KEPT // 2) :]] = True
        self._low = low[np.concatenate([[True], apart])]
        self._high = high[np.concatenate([apart, [True]])]

    def smallest(self) -> Arc:
        """Return the smallest arc that holds all of them (at least one); of two, the one that does not cross 180."""
        gaps = self._low[1:] - self._high[:-1]
        around = self._low[0] + TURN - self._high[-1]
        widest = int(np.argmax(gaps)) if gaps.size else 0
        if not gaps.size or around >= gaps[widest]:
            return arc(float(self._low[0]), float(self._high[-1]))
        return arc(float(self._low[widest + 1]), float(self._high[widest] + TURN))


class Footprint:
    """Gathers parts and gives their box in CRS84, and their bounds in their own system.

    Args:
        crs: the system the positions are in, x before y; None when it is not known: then there are only bounds.
        short_way: follow steps of more than 180 degrees the other way round, for a file that says that it crosses.
    """

    def __init__(self, crs: pyproj.CRS | None, *, short_way: bool = False) -> None:
        self._crs = crs if crs is not None and systems.on_earth(crs) else None
        self._degrees = self._crs is not None and in_degrees(self._crs)
        self._short_way = short_way
        self._transformer = None if self._crs is None or is_crs84(self._crs) else _transformer(self._crs)
        self._waiting: list[tuple[Floats, Floats, Ints]] = []
        self._held = 0
        self._arcs = Arcs()
        self._latitudes = [np.inf, -np.inf]
        self._poles: set[float] = set()
        self._bounds = [np.inf, np.inf, -np.inf, -np.inf]
        self._outside = False
        self._odd = self._off_earth = 0
        self.positions = 0
        self.jumps = 0

    def add(self, xs: Floats, ys: Floats, starts: Ints | Sequence[int] = (0,)) -> None:
        """Add parts; `starts` are the indexes at which they begin, the first of them 0."""
        if xs.size:
            self._waiting.append((xs, ys, np.asarray(starts, dtype=np.intp)))
            self.positions += int(xs.size)
            self._held += int(xs.size)
        if self._held >= BATCH:
            self._flush()

    def bounds(self) -> Bounds | None:
        """Return (left, bottom, right, top) in the file's own system, None without a single position."""
        self._flush()
        left, bottom, right, top = (float(side) for side in self._bounds)
        return (left, bottom, right, top) if left <= right else None

    def box(self, basis: Basis = "points") -> BBox | None:
        """Return the box in CRS84, None when there is no position that has a place in it."""
        self._flush()
        low, high = self._latitudes
        if low > high or self._outside:
            return None
        south, north = min(low, *self._poles, low), max(high, *self._poles, high)
        return box(GLOBE if self._poles else self._arcs.smallest(), (south, north), basis)

    def notes(self) -> list[str]:
        """Return what the provider should know."""
        self._flush()
        said = []
        if self._odd:
            said.append(ODD.format(self._odd))
        if self._off_earth:
            said.append(OFF_EARTH.format(self._off_earth))
        if self._outside:
            said.append(OUTSIDE)
        if self.jumps and not self._short_way:
            said.append(
                "Lines of the geometries run more than half way round the globe. If they are meant to cross 180 degrees"
                " they should be cut there; the box takes them as they are written."
            )
        return said

    def _flush(self) -> None:
        if not self._waiting:
            return
        sizes = [each[0].size for each in self._waiting]
        offsets = np.cumsum([0, *sizes[:-1]])
        xs = np.concatenate([each[0] for each in self._waiting])
        ys = np.concatenate([each[1] for each in self._waiting])
        starts = np.concatenate([each[2] + offset for each, offset in zip(self._waiting, offsets, strict=True)])
        self._waiting, self._held = [], 0
        xs, ys, starts, odd = _finite(xs, ys, starts, xs, ys)
        self._odd += odd
        if not xs.size:
            return
        low, high = self._bounds[:2], self._bounds[2:]
        self._bounds = [
            *(min(low[0], float(np.min(xs))), min(low[1], float(np.min(ys)))),
            *(max(high[0], float(np.max(xs))), max(high[1], float(np.max(ys)))),
        ]
        if self._crs is not None:
            self._place(xs, ys, starts)

    def _place(self, xs: Floats, ys: Floats, starts: Ints) -> None:
        if self._degrees and (np.max(np.abs(ys)) > POLE + ROUNDING or np.max(np.abs(xs)) > FARTHEST):
            self._outside = True
            return
        lon, lat = xs, ys
        if self._transformer is not None:
            if not self._degrees and self._crs is not None:
                xs, ys, starts = _dense(xs, ys, starts, EDGE_METRES / (systems.metres_per_unit(self._crs) or 1.0))
            lon, lat = (np.asarray(each) for each in self._transformer.transform(xs, ys, errcheck=False))
            if self._degrees:  # a change of datum moves a position by a little: it stays in its turn
                lon = xs + ((lon - xs + HALF) % TURN - HALF)
            lon, lat, starts, lost = _finite(lon, lat, starts, lon, lat)
            self._off_earth += lost
            if not lon.size:
                return
        steps = np.diff(lon, prepend=lon[0])
        steps[starts] = 0.0
        self.jumps += int(((np.abs(steps) > HALF) & (np.abs(steps) < TURN - ROUNDING)).sum()) if self._degrees else 0
        if not self._degrees or self._short_way:
            lon = _followed(lon, steps, starts)
            self._find_poles(lon, lat, starts)
        west = np.minimum.reduceat(lon, starts)
        self._arcs.add(west, np.maximum.reduceat(lon, starts) - west)
        self._latitudes = [min(self._latitudes[0], float(np.min(lat))), max(self._latitudes[1], float(np.max(lat)))]

    def _find_poles(self, path: Floats, lat: Floats, starts: Ints) -> None:
        """Note the poles that a ring runs around: its path does not come back to where it began."""
        ends = np.append(starts[1:], path.size) - 1
        around = np.flatnonzero(np.abs(path[ends] - path[starts]) > TURN - 1.0)
        for index in around:
            self._poles.add(POLE if float(lat[starts[index] : ends[index] + 1].mean()) > 0 else -POLE)


def joined(boxes: Sequence[BBox]) -> BBox | None:
    """Return the smallest box around boxes, None without any."""
    if len(boxes) < 2:  # noqa: PLR2004 - one is its own
        return boxes[0] if boxes else None
    sides = min(each.south for each in boxes), max(each.north for each in boxes)
    weakest = next((each for each in boxes if each.approximate), boxes[0])
    arcs = union((each.west, each.east) for each in boxes)
    return box(arcs, sides, weakest.basis, approximate=weakest.approximate)


def in_degrees(crs: pyproj.CRS) -> bool:
    """Whether the coordinates are degrees of longitude and latitude, whatever the datum."""
    units = [axis.unit_conversion_factor for axis in crs.axis_info[:2]]
    return crs.is_geographic and all(abs(unit / DEGREE - 1) < SAME for unit in units)


def is_crs84(crs: pyproj.CRS) -> bool:
    """Whether the degrees are those of CRS84 already."""
    return crs.is_geographic and (crs.to_authority() == ("OGC", "CRS84") or systems.epsg(crs) == 4326)  # noqa: PLR2004 - the code of WGS 84


def named(crs: pyproj.CRS | None) -> tuple[str | None, int | None]:
    """Return the name of a system for the facts (an OGC IRI where it is registered) and its EPSG code."""
    if crs is None:
        return None, None
    if crs.to_authority() == ("OGC", "CRS84"):
        return CRS84_IRI, None
    return systems.name(crs), systems.epsg(crs)


def _transformer(crs: pyproj.CRS) -> pyproj.Transformer:
    flat = crs.to_2d() if len(crs.axis_info) > 2 else crs  # noqa: PLR2004 - a third axis is a height
    return pyproj.Transformer.from_crs(flat, systems.CRS84, always_xy=True)


def _dense(xs: Floats, ys: Floats, starts: Ints, reach: float) -> tuple[Floats, Floats, Ints]:
    """Return the parts with points on their edges, so that no piece is longer than `reach`, as far as limits go."""
    dx, dy = np.diff(xs, append=xs[-1]), np.diff(ys, append=ys[-1])
    dx[starts[1:] - 1] = dy[starts[1:] - 1] = 0.0
    most = max(1, min(EDGE_PIECES, DENSE // xs.size))
    pieces = np.clip(np.ceil(np.hypot(dx, dy) / reach), 1, most).astype(np.intp)
    if int(np.max(pieces)) == 1:
        return xs, ys, starts
    begins = np.cumsum(pieces) - pieces
    share = (np.arange(int(pieces.sum())) - np.repeat(begins, pieces)) / np.repeat(pieces, pieces)
    xs = np.repeat(xs, pieces) + share * np.repeat(dx, pieces)
    ys = np.repeat(ys, pieces) + share * np.repeat(dy, pieces)
    return xs, ys, begins[starts]


def _followed(lon: Floats, steps: Floats, starts: Ints) -> Floats:
    """Return the longitudes of each part without jumps, from where it begins."""
    run = np.cumsum((steps + HALF) % TURN - HALF)
    sizes = np.diff(np.append(starts, lon.size))
    return np.asarray(np.repeat(lon[starts] - run[starts], sizes) + run, dtype=np.float64)


def _finite(xs: Floats, ys: Floats, starts: Ints, *tested: Floats) -> tuple[Floats, Floats, Ints, int]:
    """Return the positions that are numbers, where the parts begin among them, and how many were left out."""
    good = np.all([np.isfinite(each) for each in tested], axis=0)
    lost = int(good.size - good.sum())
    if not lost:
        return xs, ys, starts, 0
    part = np.zeros(xs.size, dtype=np.intp)
    part[starts[1:]] = 1
    kept = np.cumsum(part)[good]
    return xs[good], ys[good], np.flatnonzero(np.diff(kept, prepend=-1)).astype(np.intp), lost
