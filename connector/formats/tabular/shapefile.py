"""ESRI shapefiles (Technical Description, July 1998): the shapes stream by, the table is known by its header.

The parts of a shapefile lie beside each other, in a folder or in a zip archive. Without a .prj nobody knows what its
numbers mean: then the box stays open. Runs in the child.
"""

import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Final, NamedTuple

import numpy as np
import pyproj

from connector.errors import InvalidInput, TooLarge
from connector.formats.containers.budget import Budget
from connector.formats.coordinates import crs as systems
from connector.formats.coordinates.extent import Floats
from connector.formats.coordinates.footprint import Bounds, Footprint, Ints, joined, named
from connector.formats.description import BBox, Facts, Limits, Variable, short
from connector.formats.registry import file_type_iri

MAGIC: Final = b"\x00\x00\x27\x0a"
HEADER: Final = 100
RECORD_BYTES: Final = 256 << 20
TEXT_BYTES: Final = 1 << 16
FIELDS: Final = 1024
LAYERS: Final = 100
SIBLINGS: Final = (".dbf", ".prj", ".cpg", ".shx")
POINTS: Final = frozenset({1, 11, 21})
MULTIPOINTS: Final = frozenset({8, 18, 28})
MULTIPATCH: Final = 31
KINDS: Final = {
    1: "Point",
    11: "Point",
    21: "Point",
    8: "MultiPoint",
    18: "MultiPoint",
    28: "MultiPoint",
    3: "LineString",
    13: "LineString",
    23: "LineString",
    5: "Polygon",
    15: "Polygon",
    25: "Polygon",
    31: "MultiPatch",
    0: "Null",
}
TYPES: Final = {"C": "text", "N": "number", "F": "number", "D": "date", "L": "boolean", "I": "integer", "B": "number"}
NO_SYSTEM: Final = (
    "There is no .prj beside the shapes that can be read, so nobody knows which reference system their numbers are in: "
    "name it and the place by hand, or provide the .prj."
)
NO_TABLE: Final = "There is no .dbf beside the shapes that can be read: their attributes are not described."


class Member(NamedTuple):
    """An open part of a shapefile and its size in bytes."""

    file: IO[bytes]
    size: int


class Layer(NamedTuple):
    """What was found in one shapefile."""

    name: str
    kind: str
    rows: int
    footprint: Footprint
    bounds: Bounds | None
    fields: tuple[Variable, ...]
    crs: pyproj.CRS | None
    notes: list[str]
    complete: bool

    def box(self) -> BBox | None:
        """Return the box of the shapes that were read."""
        return self.footprint.box("points" if self.complete else "sampled")


def read(path: Path, limits: Limits) -> Facts:
    """Describe the .shp at `path`, with the siblings that lie beside it under its own name.

    Raises:
        InvalidInput: the shapes are damaged or cut off, or their table is.
    """
    beside = {suffix: path.with_name(path.name + suffix) for suffix in SIBLINGS}
    files = {suffix: each for suffix, each in beside.items() if each.is_file()}
    opened = {suffix: Member(each.open("rb"), each.stat().st_size) for suffix, each in files.items()}
    try:
        with path.open("rb") as shapes:
            layer = _layer("", {".shp": Member(shapes, path.stat().st_size), **opened}, Budget(limits))
    finally:
        for each in opened.values():
            each.file.close()
    return _facts([layer], "ESRI Shapefile")


def read_zip(archive: zipfile.ZipFile, limits: Limits) -> Facts:
    """Describe the shapefiles in an archive; nothing is unpacked to disk.

    Raises:
        InvalidInput: as `read`.
        TooLarge: there are more than 100 of them.
    """
    budget = Budget(limits)
    sizes = {each.filename: each for each in archive.infolist() if not each.is_dir()}
    bases = sorted(name[:-4] for name in sizes if name.lower().endswith(".shp"))
    if len(bases) > LAYERS:
        raise TooLarge(f"The archive holds {len(bases)} shapefiles; {LAYERS} are allowed.")
    layers = []
    for base in bases:
        parts = {name[len(base) :].lower(): each for name, each in sizes.items() if name[:-4] == base}
        opened = {
            suffix: Member(archive.open(each), each.file_size)
            for suffix, each in parts.items()
            if suffix in {".shp", *SIBLINGS}
        }
        try:
            layers.append(_layer(PurePosixPath(base).name, opened, budget))
        finally:
            for member in opened.values():
                member.file.close()
    return _facts(layers, "ESRI Shapefile (zip)")


def _layer(name: str, parts: Mapping[str, Member], budget: Budget) -> Layer:
    notes: list[str] = []
    crs = _system(parts.get(".prj"), notes)
    fields, rows = _table(parts.get(".dbf"), _encoding(parts.get(".cpg")), notes)
    footprint = Footprint(crs)
    shapes = _Shapes(parts[".shp"])
    complete = _walk(shapes, footprint, budget)
    if not complete:
        notes.append(
            f"Only the first {shapes.count} shapes were read in the time allowed: the box is that of these shapes."
        )
    elif rows is not None and rows != shapes.count:
        notes.append(f"The file is damaged: there are {shapes.count} shapes and {rows} rows in the table beside them.")
    found = footprint.bounds()
    if complete and found and _differ(found, shapes.bounds):
        notes.append("The extent in the head of the .shp is not that of its shapes; the shapes count.")
    count = shapes.count if complete else rows
    return Layer(name, KINDS[shapes.kind], count or 0, footprint, found or shapes.bounds, fields, crs, notes, complete)


def _differ(found: Bounds, said: Bounds | None) -> bool:
    scale = max(1.0, *(abs(side) for side in found))
    return said is None or any(abs(one - other) > 1e-6 * scale for one, other in zip(found, said, strict=True))


def _walk(shapes: "_Shapes", footprint: Footprint, budget: Budget) -> bool:
    """Take in every shape; False when the time ended before."""
    for content in shapes.records():
        shapes.count += 1
        parts = _parts(content)
        if parts is not None:
            footprint.add(*parts)
        if budget.tick():
            return False
    return True


class _Shapes:
    """The main file: its header, and its records as they stream by."""

    def __init__(self, member: Member) -> None:
        self._file, self._size = member
        head = self._file.read(HEADER)
        if len(head) < HEADER or not head.startswith(MAGIC):
            raise InvalidInput("The .shp does not begin as one, or is cut off.")
        self._length = 2 * struct.unpack(">i", head[24:28])[0]
        self.kind, *sides = struct.unpack("<i4d", head[32:68])
        if self.kind not in KINDS:
            raise InvalidInput(f"The .shp holds shapes of kind {self.kind}, which the format does not know.")
        if self._length > self._size:
            raise InvalidInput(f"The .shp is cut off: {self._length} bytes are announced, it has {self._size}.")
        left, bottom, right, top = sides
        usable = np.isfinite(sides).all() and left <= right and bottom <= top
        self.bounds: Bounds | None = (left, bottom, right, top) if usable else None
        self.count = 0

    def records(self) -> Iterator[bytes]:
        """Yield the content of each record."""
        at = HEADER
        while at + 8 <= self._length:
            head = self._file.read(8)
            size = 2 * struct.unpack(">i", head[4:])[0] if len(head) == 8 else -1  # noqa: PLR2004 - number and length
            if size < 4 or at + 8 + size > self._length:  # noqa: PLR2004 - the kind of shape
                raise InvalidInput(f"The .shp is damaged in record {self.count + 1}: its length does not fit.")
            if size > RECORD_BYTES:
                raise TooLarge(f"Record {self.count + 1} of the .shp has {size} bytes.")
            content = self._file.read(size)
            if len(content) < size:
                raise InvalidInput(f"The .shp is cut off in record {self.count + 1}.")
            at += 8 + size
            yield content


def _parts(content: bytes) -> tuple[Floats, Floats, Ints] | None:
    """Return (xs, ys, where parts begin) of a shape, None for one without positions.

    Raises:
        InvalidInput: it announces more than it holds.
    """
    (kind,) = struct.unpack_from("<i", content)
    if kind == 0:
        return None
    if kind in POINTS:
        head, parts, points = 4, 1, 1
    elif kind in MULTIPOINTS:
        head, parts, points = 40, 0, _counts(content, 36, 1)[0]
    elif kind in KINDS:
        parts, points = _counts(content, 36, 2)
        head = 44 + 4 * parts * (2 if kind == MULTIPATCH else 1)
    else:
        raise InvalidInput(f"A shape is of kind {kind}, which the format does not know.")
    if parts < 0 or points < 0 or head + 16 * points > len(content):
        raise InvalidInput("A shape announces more parts or positions than it holds.")
    if not points:
        return None
    pairs = np.frombuffer(content, "<f8", 2 * points, head).reshape(points, 2)
    starts = np.arange(points)  # points have no path
    if kind not in POINTS | MULTIPOINTS:
        starts = np.frombuffer(content, "<i4", parts, 44).astype(np.intp)
        if not parts or starts[0] != 0 or (np.diff(starts) <= 0).any() or starts[-1] >= points:
            raise InvalidInput("The parts of a shape are not in order.")
    return pairs[:, 0], pairs[:, 1], starts


def _counts(content: bytes, at: int, number: int) -> tuple[int, ...]:
    if len(content) < at + 4 * number:
        raise InvalidInput("A shape is cut off.")
    return struct.unpack_from(f"<{number}i", content, at)


def _system(member: Member | None, notes: list[str]) -> pyproj.CRS | None:
    if member is None:
        notes.append(NO_SYSTEM)
        return None
    found = systems.from_wkt(member.file.read(TEXT_BYTES).decode("utf-8", "replace").strip())
    if found is None:
        notes.append("The .prj names no reference system that can be understood: name it and the place by hand.")
    return found


def _encoding(member: Member | None) -> str:
    """Return the encoding of the table; Latin-1 decodes anything where none is named."""
    name = member.file.read(64).decode("ascii", "replace").strip().lower() if member else ""
    return {"utf-8": "utf-8", "utf8": "utf-8", "65001": "utf-8"}.get(name, "latin-1")


def _table(member: Member | None, encoding: str, notes: list[str]) -> tuple[tuple[Variable, ...], int | None]:
    """Return the fields of a dBASE table and how many rows it has.

    Raises:
        InvalidInput: the table is cut off.
    """
    if member is None:
        notes.append(NO_TABLE)
        return (), None
    head = member.file.read(32)
    if len(head) < 32:  # noqa: PLR2004 - the fixed part of the header
        raise InvalidInput("The .dbf is cut off.")
    rows, start, width = struct.unpack("<IHH", head[4:12])
    if start + rows * width > member.size or start < 33:  # noqa: PLR2004 - the smallest header
        raise InvalidInput(f"The .dbf is cut off: {rows} rows of {width} bytes are announced.")
    descriptors = member.file.read(start - 32)
    fields: list[Variable] = []
    for at in range(0, len(descriptors) - 31, 32):
        if descriptors[at] == 0x0D or len(fields) >= FIELDS:  # noqa: PLR2004 - the end of the descriptors
            break
        raw = descriptors[at : at + 11].partition(b"\0")[0]
        name = short(raw.decode(encoding, "replace"))
        if name:
            fields.append(Variable(name=name, dtype=TYPES.get(chr(descriptors[at + 11]), "text")))
    return tuple(fields), rows


def _facts(layers: list[Layer], title: str) -> Facts:
    one = layers[0]
    boxes = [each.box() for each in layers]
    several = len(layers) > 1
    notes = [
        f"{each.name}: {note}" if several else note
        for each in layers
        for note in [*each.notes, *each.footprint.notes()]
    ]
    crs, epsg = named(one.crs) if len({each.crs and each.crs.to_wkt() for each in layers}) == 1 else (None, None)
    return Facts(
        format=title,
        file_type=file_type_iri("SHP"),
        bbox=joined([each for each in boxes if each]),
        crs=crs,
        epsg=epsg,
        native_bounds=one.bounds if not several else None,
        geometry_types=tuple(dict.fromkeys(each.kind for each in layers)),
        rows=sum(each.rows for each in layers),
        variables=tuple(
            Variable(name=f"{each.name}/{field.name}" if several else field.name, dtype=field.dtype)
            for each in layers
            for field in each.fields
        ),
        notes=tuple(notes),
    )
