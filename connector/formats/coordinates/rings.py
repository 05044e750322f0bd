"""Boxes of footprints in degrees, in plain Python: catalogue documents are read where no array library is installed.

A line or ring is taken as it is written: RFC 7946 (3.1.9) has those that cross 180 degrees cut in two, so one from -170
to 170 goes the long way. Footprints of products are not cut; theirs go the short way. Both are arcs in the end, and an
arc with west > east crosses.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from connector.formats.description import HALF_TURN, POLE, Basis, BBox

TURN: Final = 360.0
DIGITS: Final = 7  # a centimetre
ROUNDING: Final = 1e-9
SAME: Final = 1e-3  # degrees: two sources that differ by less agree
LINE, RING, PARTS = 1, 2, 3
DEPTHS: Final = {
    "Point": 0,
    "MultiPoint": LINE,
    "LineString": LINE,
    "MultiLineString": RING,
    "Polygon": RING,
    "MultiPolygon": PARTS,
}
BOTH: Final = 2
WITH_HEIGHTS: Final = 3

Position = tuple[float, float]
"""(longitude, latitude) in degrees."""


class Span(NamedTuple):
    """An arc that begins at `west` and goes `width` degrees to the east, and the latitudes it was seen at."""

    west: float
    width: float
    south: float
    north: float


def span(path: Sequence[Position], *, short_way: bool) -> Span | None:
    """Return the span of a path; None for none, or for one that is no place on Earth."""
    longitudes, latitudes = [lon for lon, _ in path], [lat for _, lat in path]
    if not path or not all(map(math.isfinite, (*longitudes, *latitudes))) or max(map(abs, latitudes)) > POLE:
        return None
    south, north = min(latitudes), max(latitudes)
    if short_way:
        turned = [longitudes[0]]
        for one, other in pairwise(longitudes):
            turned.append(turned[-1] + (other - one + HALF_TURN) % TURN - HALF_TURN)
        longitudes = turned
        if path[0] == path[-1] and abs(turned[-1] - turned[0]) > HALF_TURN:
            # It came home a turn later: it runs around a pole, which lies within.
            south, north = (south, POLE) if sum(latitudes) > 0 else (-POLE, north)
    west = min(longitudes)
    return Span(west, min(TURN, max(longitudes) - west), south, north)


def box(spans: Iterable[Span], basis: Basis) -> BBox | None:
    """Return the smallest box around all spans: the widest stretch of meridians that none covers stays out."""
    every = list(spans)
    if not every:
        return None
    west, width = _union([(_normal(each.west), each.width) for each in every])
    if width >= TURN:
        west, east = -HALF_TURN, HALF_TURN
    else:
        east = west + width
        east = east - TURN if east > HALF_TURN else east
    sides = (west, min(each.south for each in every), east, max(each.north for each in every))
    west, south, east, north = (round(side, DIGITS) + 0.0 for side in sides)
    return BBox(west=west, south=south, east=east, north=north, basis=basis)


def _normal(longitude: float) -> float:
    """Return the same meridian in -180 <= longitude < 180."""
    turned = (longitude + HALF_TURN) % TURN - HALF_TURN
    return turned if turned < HALF_TURN else -HALF_TURN


def _union(arcs: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the (west, width) of the smallest arc that holds all of `arcs`."""
    ordered = sorted(arcs)
    # The walk begins a turn early: an arc that starts before the first one may reach beyond it from behind.
    reached = max(west + width for west, width in ordered) - TURN
    widest, start = 0.0, -HALF_TURN
    for west, width in ordered:
        if west - reached > widest:
            widest, start = west - reached, west
        reached = max(reached, west + width)
    return start, TURN - widest if widest > ROUNDING else TURN


def of_geometry(geometry: Any, *, short_way: bool) -> BBox | None:
    """Return the box of a GeoJSON geometry; None where it is none or holds no position on Earth."""
    return box((found for path in paths(geometry) if (found := span(path, short_way=short_way))), "points")


def long_steps(geometry: Any) -> bool:
    """Whether a line or ring has a step of more than half a turn but less than a whole: a crossing that was not cut?"""
    return any(
        HALF_TURN < abs(other - one) < TURN for path in paths(geometry) for (one, _), (other, _) in pairwise(path)
    )


def paths(geometry: Any) -> Iterator[list[Position]]:
    """Yield the lines, rings and single points of a GeoJSON geometry; what is malformed is left out."""
    waiting = [geometry]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, dict):
            continue
        if isinstance(each.get("geometries"), list):
            waiting += each["geometries"]
        depth = DEPTHS.get(str(each.get("type")))
        if depth is not None:
            yield from _paths(each.get("coordinates"), depth, lines=each.get("type") != "MultiPoint")


def _paths(coordinates: Any, depth: int, *, lines: bool) -> Iterator[list[Position]]:
    if depth == 0:
        coordinates = [coordinates]
    if not isinstance(coordinates, list):
        return
    if depth > LINE:
        for each in coordinates:
            yield from _paths(each, depth - 1, lines=lines)
        return
    found = [(float(each[0]), float(each[1])) for each in coordinates if _is_position(each)]
    if lines:
        yield found
    else:
        yield from ([each] for each in found)


def _is_position(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= BOTH and all(_is_number(each) for each in value[:BOTH])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def declared(value: Any) -> BBox | None:
    """Return a `bbox` member of four or six numbers (with heights), None where it is none; west > east crosses."""
    if not isinstance(value, list) or len(value) not in {2 * BOTH, 2 * WITH_HEIGHTS}:
        return None
    if not all(_is_number(each) and math.isfinite(each) for each in value):
        return None
    half = len(value) // 2
    west, south, east, north = (float(value[at]) for at in (0, 1, half, half + 1))
    if not (-POLE <= south <= north <= POLE) or max(abs(west), abs(east)) > TURN:
        return None
    if west > east >= -HALF_TURN and west <= HALF_TURN:
        return BBox(west=west, south=south, east=east, north=north, basis="attribute")
    return box([Span(west, min(TURN, east - west), south, north)], "attribute") if west <= east else None


def apart(one: BBox, other: BBox) -> bool:
    """Whether two boxes differ by more than a thousandth of a degree on any side."""
    sides = ((one.west, other.west), (one.east, other.east))
    turns = any(abs((a - b + HALF_TURN) % TURN - HALF_TURN) > SAME for a, b in sides)
    widths = abs((one.east - one.west) % TURN - (other.east - other.west) % TURN)
    whole = (one.east - one.west == TURN) != (other.east - other.west == TURN)
    heights = max(abs(one.south - other.south), abs(one.north - other.north))
    return turns or whole or heights > SAME or SAME < widths < TURN - SAME


def words(box: BBox) -> str:
    """Return a box as a person reads it."""
    return f"{box.west:g} {box.south:g} {box.east:g} {box.north:g}"
