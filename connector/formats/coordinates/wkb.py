"""Positions of geometries in well-known binary (OGC 06-103r4 section 8, ISO 13249-3, PostGIS, GeoPackage 2.1.3).

Every count is checked against the bytes that are there before anything is made of it.
"""

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np

from connector.errors import InvalidInput
from connector.formats.coordinates.extent import Floats

DEPTH: Final = 16
NAMES: Final = {
    1: "Point",
    2: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
    7: "GeometryCollection",
    8: "CircularString",
    9: "CompoundCurve",
    10: "CurvePolygon",
    11: "MultiCurve",
    12: "MultiSurface",
    13: "Curve",
    14: "Surface",
    15: "PolyhedralSurface",
    16: "TIN",
    17: "Triangle",
}
LINES: Final = frozenset({2, 8})
RINGS: Final = frozenset({3, 17})
CURVED: Final = frozenset({8, 9, 10, 11, 12})
Z, M, SRID, FLAGS = 0x80000000, 0x40000000, 0x20000000, 0xE0000000
SMALLEST: Final = 5  # bytes of a geometry: order and kind
ENVELOPES: Final = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
EMPTY: Final = 0x10


class Geometry:
    """One geometry: its kind and, while `parts` is walked, its positions.

    Raises:
        InvalidInput: it announces more than it holds, is nested too deeply, or is no well-known binary.
    """

    __slots__ = ("_at", "_data", "kind")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.kind = self._header(0)[1]

    @property
    def name(self) -> str:
        """The kind in words."""
        return NAMES[self.kind]

    def parts(self) -> Iterator[Floats]:
        """Yield each point, line and ring as an array (n, 2) of x and y."""
        return self._walk(0, 0)

    def _walk(self, at: int, depth: int) -> Iterator[Floats]:
        if depth > DEPTH:
            raise InvalidInput("A geometry is nested too deeply.")
        order, kind, width, self._at = self._header(at)
        if kind == 1:
            yield self._positions(order, width, 1)
        elif kind in LINES:
            yield self._positions(order, width, self._count(order, 8 * width))
        elif kind in RINGS:
            for _ in range(self._count(order, 4)):
                yield self._positions(order, width, self._count(order, 8 * width))
        else:
            for _ in range(self._count(order, SMALLEST)):
                yield from self._walk(self._at, depth + 1)

    def _header(self, at: int) -> tuple[str, int, int, int]:
        """Return (byte order, kind, numbers in a position, where the content begins)."""
        if len(self._data) < at + SMALLEST:
            raise InvalidInput("A geometry is cut off.")
        order = "<" if self._data[at] == 1 else ">"
        (code,) = struct.unpack_from(f"{order}I", self._data, at + 1)
        thousands, kind = divmod(code & ~FLAGS, 1000)
        if self._data[at] > 1 or kind not in NAMES or thousands > 3:  # noqa: PLR2004 - Z, M, ZM
            raise InvalidInput("A geometry is no well-known binary.")
        width = 2 + bool(code & Z or thousands in {1, 3}) + bool(code & M or thousands in {2, 3})
        return order, kind, width, at + SMALLEST + (4 if code & SRID else 0)

    def _count(self, order: str, size: int) -> int:
        """Return a count of things that are each at least `size` bytes long."""
        if len(self._data) < self._at + 4:
            raise InvalidInput("A geometry is cut off.")
        (count,) = struct.unpack_from(f"{order}I", self._data, self._at)
        self._at += 4
        if count * size > len(self._data) - self._at:
            raise InvalidInput(f"A geometry announces {count} parts or positions and does not hold them.")
        return int(count)

    def _positions(self, order: str, width: int, count: int) -> Floats:
        if 8 * width * count > len(self._data) - self._at:
            raise InvalidInput("A geometry is cut off.")
        flat = np.frombuffer(self._data, dtype=f"{order}f8", count=width * count, offset=self._at)
        self._at += flat.nbytes
        return np.asarray(flat.reshape(count, width)[:, :2], dtype=np.float64)


def from_geopackage(blob: bytes) -> Geometry | None:
    """Return the geometry in a GeoPackage blob, None when it is marked empty.

    Raises:
        InvalidInput: the blob is none, or an extension that the standard does not describe.
    """
    if len(blob) < 8 or blob[:2] != b"GP":  # noqa: PLR2004 - magic, version, flags, srs_id
        raise InvalidInput("A geometry does not begin as those of a GeoPackage.")
    flags = blob[3]
    size = ENVELOPES.get((flags >> 1) & 7)
    if size is None:
        raise InvalidInput("A geometry has an envelope that GeoPackage does not know.")
    return None if flags & EMPTY else Geometry(blob[8 + size :])
