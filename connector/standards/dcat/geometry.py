"""Boxes and points in degrees, and the literals that say them: WKT out, WKT, GML and GeoJSON in.

A box is (west, south, east, north) in CRS84. West greater than east means that it crosses the 180th meridian; such a
box is written as two polygons, since one polygon would be read as the rest of the globe.
"""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from connector.standards.rdf import PREFIXES

Box: TypeAlias = tuple[float, float, float, float]
Point: TypeAlias = tuple[float, float]

WKT: Final = PREFIXES["geo"] + "wktLiteral"
GML: Final = PREFIXES["geo"] + "gmlLiteral"
GEOJSON: Final = PREFIXES["geo"] + "geoJSONLiteral"
_OLD_GEOJSON: Final = "https://www.iana.org/assignments/media-types/application/vnd.geo+json"

_WORLD: Final = 180.0
_POLE: Final = 90.0
_LONGEST: Final = 100_000
_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_CRS: Final = re.compile(r"\s*<([^<>\s]*)>\s*")
_ENVELOPE: Final = re.compile(
    rf"\s*ENVELOPE\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)\s*", re.IGNORECASE
)
_SHAPE: Final = re.compile(r"\s*(POINT|LINESTRING|POLYGON|MULTIPOLYGON|MULTIPOINT)\s*(?:Z|M|ZM)?\s*\(", re.IGNORECASE)
_PAIR: Final = re.compile(rf"({_NUMBER})[ \t\r\n]++({_NUMBER})(?:[ \t\r\n]++{_NUMBER}){{0,2}}")
_CORNER: Final = re.compile(rf"<(?:\w+:)?(?:lower|upper)Corner[^<>]*>\s*({_NUMBER})\s+({_NUMBER})")
_POSITIONS: Final = re.compile(r"<(?:\w+:)?pos(?:List)?[^<>]*>([^<>]*)<")
_SRS: Final = re.compile(r"""srsName\s*=\s*["']([^"']*)["']""")


def check_box(box: Sequence[float]) -> str | None:
    """Return what is wrong with a box of degrees, or None."""
    west, south, east, north = box
    if not (-_WORLD <= west <= _WORLD and -_WORLD <= east <= _WORLD):
        return f"west {west} and east {east} must lie between -180 and 180"
    if not (-_POLE <= south <= north <= _POLE):
        return f"south {south} and north {north} must lie between -90 and 90, south first"
    return None


def number(value: float) -> str:
    """Return a float in plain decimals that read back as the same float."""
    return format(Decimal(repr(value)), "f")


def box_wkt(box: Box) -> str:
    """Return the box as WKT: a polygon, or two when it crosses the 180th meridian."""
    west, south, east, north = box
    if west <= east:
        return f"POLYGON({_ring(box)})"
    return f"MULTIPOLYGON(({_ring((west, south, _WORLD, north))}),({_ring((-_WORLD, south, east, north))}))"


def point_wkt(point: Point) -> str:
    """Return the point (longitude, latitude) as WKT."""
    return f"POINT({number(point[0])} {number(point[1])})"


def box_of(text: str, datatype: str = WKT) -> Box | None:
    """Return the box that a geometry literal spans, or None where it is unreadable or not in degrees.

    Without a CRS, WKT is CRS84 and so longitude comes first (GeoSPARQL 1.1 §8.5.1); EPSG:4326 and EPSG:4258 put
    latitude first.
    """
    if len(text) > _LONGEST:
        return None
    if datatype == GML or (text.lstrip().startswith("<") and "Corner" in text):
        return _spanned(list(_gml(text)))
    if datatype in {GEOJSON, _OLD_GEOJSON} or text.lstrip().startswith("{"):
        return _spanned(list(_geojson(text)))
    return _wkt(text)


def point_of(text: str, datatype: str = WKT) -> Point | None:
    """Return the middle of what a geometry literal spans, for a point the point itself."""
    box = box_of(text, datatype)
    if box is None or box[0] > box[2]:
        return None
    west, south, east, north = box
    return (west if west == east else (west + east) / 2, south if south == north else (south + north) / 2)


def crossing_box(text: str) -> Box | None:
    """Return the box that `box_wkt` writes as two polygons, or None for any other geometry."""
    box = _wkt(text) if text.startswith("MULTIPOLYGON") else None
    return box if box is not None and box[0] > box[2] and box_wkt(box) == text else None


def _ring(box: Box) -> str:
    west, south, east, north = map(number, box)
    return f"({west} {south},{east} {south},{east} {north},{west} {north},{west} {south})"


def _wkt(text: str) -> Box | None:
    named = _CRS.match(text)
    body = text[named.end() :] if named else text
    order = _latitude_first(named.group(1)) if named else False
    if order is None:
        return None
    if envelope := _ENVELOPE.fullmatch(body):  # minimum x, maximum x, maximum y, minimum y
        west, east, north, south = map(float, envelope.groups())
        return _valid((west, south, east, north))
    if _SHAPE.match(body) is None:
        return None
    parts = [_points(part, latitude_first=order) for part in re.split(r"\)\s*\)\s*,\s*\(\s*\(", body)]
    if len(parts) == 2 and (crossed := _crossed(*parts)):  # noqa: PLR2004 - one polygon on either side
        return _valid(crossed)
    return _spanned([point for part in parts for point in part])


def _points(text: str, *, latitude_first: bool) -> list[Point]:
    pairs = [(float(first), float(second)) for first, second in _PAIR.findall(text)]
    return [(second, first) for first, second in pairs] if latitude_first else pairs


def _crossed(one: list[Point], other: list[Point]) -> Box | None:
    """Return the box of two polygons that meet at the 180th meridian, or None where they do not."""
    first, second = _spanned(one), _spanned(other)
    if first is None or second is None:
        return None
    if second[2] == _WORLD and first[0] == -_WORLD:
        first, second = second, first
    if first[2] != _WORLD or second[0] != -_WORLD or first[0] <= second[2]:
        return None
    return (first[0], min(first[1], second[1]), second[2], max(first[3], second[3]))


def _gml(text: str) -> Iterator[Point]:
    name = _SRS.search(text)
    order = _latitude_first(name.group(1)) if name else False
    if order is None:
        return
    pairs = [(float(first), float(second)) for first, second in _CORNER.findall(text)]
    if not pairs:
        for positions in _POSITIONS.findall(text):
            pairs.extend((float(first), float(second)) for first, second in _PAIR.findall(positions))
    yield from ((second, first) if order else (first, second) for first, second in pairs)


def _geojson(text: str) -> Iterator[Point]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    geometry = document.get("geometry", document) if isinstance(document, dict) else None
    if isinstance(geometry, dict):
        yield from _positions(geometry.get("coordinates"))


def _positions(value: Any, depth: int = 5) -> Iterator[Point]:
    match value:
        case [int() | float() as longitude, int() | float() as latitude, *_]:
            yield float(longitude), float(latitude)
        case list() if depth:
            for each in value:
                yield from _positions(each, depth - 1)
        case _:
            return


def _latitude_first(crs: str) -> bool | None:
    """Say whether a CRS of degrees puts latitude first; None for one that is not in plain degrees."""
    if crs.endswith(("CRS84", "CRS84h")):
        return False
    return True if re.search(r"EPSG\W.*\b(?:4326|4258|4979)$", crs) else None


def _spanned(points: Sequence[Point]) -> Box | None:
    if not points:
        return None
    longitudes, latitudes = zip(*points, strict=True)
    return _valid((min(longitudes), min(latitudes), max(longitudes), max(latitudes)))


def _valid(box: Box) -> Box | None:
    west, south, east, north = (value + 0.0 for value in box)  # minus nought becomes nought
    return (west, south, east, north) if check_box((west, south, east, north)) is None else None
