"""Parquet and GeoParquet by PyArrow: the footer where it says enough, else the few columns that do. Runs in the child.

The footer of GeoParquet (1.x and the drafts of 2.0) gives a box; the statistics of the row groups give that of the
positions, and count where the two differ. A column of geometries is only read when there is neither.
"""

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyproj
from pyproj.exceptions import CRSError

from connector.errors import InvalidInput, TooLarge
from connector.formats.containers.budget import Budget
from connector.formats.coordinates import crs as systems
from connector.formats.coordinates import wkb
from connector.formats.coordinates.extent import HALF, POLE, Arc, Floats, arc, box, degrees_apart
from connector.formats.coordinates.footprint import Bounds, Footprint, in_degrees, is_crs84, named
from connector.formats.coordinates.moments import Moment, Moments, Precision
from connector.formats.description import BBox, Dimension, Facts, Limits, Variable, short
from connector.formats.tabular.tables import NO_PERIOD, Positions, propose, time_notes, times_of, unit_notes, unit_of

MAGIC: Final = b"PAR1"
ENCRYPTED: Final = b"PARE"
TAIL: Final = 8
FOOTER_BYTES: Final = 64 << 20
COLUMNS: Final = 5000
BATCH: Final = 8192
TOLERANCE: Final = 1e-3  # degrees
NATIVE: Final = frozenset({"point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"})
NO_SYSTEM: Final = "The file does not say which reference system the geometries are in: name it and the place by hand."
NO_GEO_PERIOD: Final = "The file does not say what time it is about: state the period by hand."
ISO: Final = re.compile(r"\d{4}-\d\d-\d\d(?:T|$)")
SIDES: Final = ("xmin", "ymin", "xmax", "ymax")


class Place(NamedTuple):
    """Where the data are: in degrees and in the file's own system."""

    box: BBox | None
    crs: pyproj.CRS | None
    bounds: Bounds | None
    kinds: tuple[str, ...]
    notes: list[str]


def read(path: Path, limits: Limits) -> Facts:
    """Describe the Parquet file at `path`.

    Raises:
        InvalidInput: it is cut off, encrypted or damaged.
        TooLarge: its footer or the number of its columns is.
    """
    _whole(path)
    try:
        with pq.ParquetFile(
            path, thrift_string_size_limit=FOOTER_BYTES, thrift_container_size_limit=1_000_000, buffer_size=1 << 16
        ) as file:
            return _facts(file, limits, Budget(limits))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInput("The Parquet file is damaged.") from error


def _whole(path: Path) -> None:
    """Check the marks at both ends and the length of the footer."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, size - TAIL))
        tail = file.read(TAIL)
    if head == ENCRYPTED or tail.endswith(ENCRYPTED):
        raise InvalidInput("The Parquet file is encrypted.", fix="Provide it without encryption.")
    if head != MAGIC:
        raise InvalidInput("The file does not begin as a Parquet file.")
    if size < 2 * TAIL or not tail.endswith(MAGIC):
        raise InvalidInput("The Parquet file is cut off: it has no footer at its end.")
    (footer,) = struct.unpack("<I", tail[:4])
    if footer > size - TAIL - len(MAGIC):
        raise InvalidInput("The Parquet file is damaged: its footer is longer than the file.")
    if footer > FOOTER_BYTES:
        raise TooLarge(f"The footer of the Parquet file has {footer} bytes.")


def _facts(file: pq.ParquetFile, limits: Limits, budget: Budget) -> Facts:
    schema = file.schema_arrow
    if len(schema) > COLUMNS:
        raise TooLarge(f"The table has {len(schema)} columns; {COLUMNS} are allowed.")
    names = [short(each.name) or "unnamed" for each in schema]
    geo = _geo(file)
    notes: list[str] = []
    columns = propose(schema.names)
    positions = place = None
    geometries = _geometry_columns(file, geo)
    if geometries:
        place = _place(file, geo, geometries[0], budget, notes)
        notes += place.notes
    elif columns.latitude is not None and columns.longitude is not None:
        positions = Positions(names[columns.latitude], names[columns.longitude])
        complete = _positions(file, (columns.latitude, columns.longitude), positions, limits, budget)
        notes += positions.notes()
        if not complete:
            notes.append("Only a part of the rows was read within the limits: the box is that of this part.")
        place = Place(positions.box(complete=complete), None, None, (), [])
    else:
        notes += columns.notes
    moments = _times(file, columns.times, limits, budget)
    period = moments.period() if moments else None
    said = time_notes(moments)
    notes += [NO_GEO_PERIOD if geometries and note == NO_PERIOD else note for note in said]
    units = [(name, unit_of(name)) for name in names]
    notes += unit_notes(units)
    crs, epsg = named(place.crs) if place and not positions else (positions.crs() if positions else None, None)
    standard = (
        {columns.latitude: "latitude", columns.longitude: "longitude"} if positions and place and place.box else {}
    )
    return Facts(
        format=f"GeoParquet {short(geo['version'])}" if geo else "Parquet",
        conforms_to="OGC GeoParquet" if geo else None,
        bbox=place.box if place else None,
        crs=crs,
        epsg=epsg,
        native_bounds=place.bounds if place else None,
        geometry_types=place.kinds if place else (),
        period=period,
        temporal_resolution=moments.spacing() if moments and period else None,
        rows=file.metadata.num_rows,
        variables=tuple(
            Variable(
                name=name,
                standard_name=standard.get(index) or ("time" if period and columns.times == (index,) else None),
                unit=unit,
                dtype=short(schema.field(index).type),
            )
            for index, (name, unit) in enumerate(units)
        ),
        dimensions=(
            *(Dimension(name=names[index], role="time") for index in columns.times if period),
            *(Dimension(name=names[index]) for index in standard if index is not None),
        ),
        notes=tuple(notes),
    )


def _geo(file: pq.ParquetFile) -> dict[str, Any] | None:
    """Return the `geo` metadata, None when there is none or it is not usable."""
    raw = (file.metadata.metadata or {}).get(b"geo")
    if raw is None:
        return None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The GeoParquet metadata of the file are damaged.") from error
    if not isinstance(found, dict) or not isinstance(found.get("columns"), dict) or "version" not in found:
        raise InvalidInput("The GeoParquet metadata of the file lack their columns or version.")
    return found


def _geometry_columns(file: pq.ParquetFile, geo: dict[str, Any] | None) -> list[str]:
    """Return the columns of geometries, the primary one first."""
    if geo is not None:
        known = [name for name in geo["columns"] if name in file.schema_arrow.names]
        if not known:
            raise InvalidInput("The GeoParquet metadata name columns that the file does not have.")
        return sorted(known, key=lambda name: name != geo.get("primary_column"))
    return [
        column.path
        for index in range(len(file.schema))
        if (column := file.schema.column(index)).logical_type.type in {"GEOMETRY", "GEOGRAPHY"}
    ]


def _place(file: pq.ParquetFile, geo: dict[str, Any] | None, name: str, budget: Budget, notes: list[str]) -> Place:
    about = geo["columns"][name] if geo else {}
    if not isinstance(about, dict):
        raise InvalidInput("The GeoParquet metadata of a column are damaged.")
    crs = _system(about, notes)
    kinds = tuple(text for kind in about.get("geometry_types") or () if (text := short(kind)))
    said = _declared(about.get("bbox"))
    measured = _statistics(file, name, about)
    if measured is None and said is None:
        return _scanned(file, name, about, crs, budget, kinds)
    if crs is None:
        return Place(None, None, measured or said, kinds, [NO_SYSTEM])
    if not in_degrees(crs):
        return _projected(file, name, about, Place(None, crs, measured or said, kinds, []), budget)
    if said is not None and said[0] > said[2]:  # across 180 degrees: the least and the largest number say nothing
        return Place(_box(said, crs, "attribute"), crs, said, kinds, [])
    measured_box = _box(measured, crs, "points")
    said_box = _box(said, crs, "attribute")
    found: list[str] = []
    if measured_box and said_box and degrees_apart(measured_box, said_box) > TOLERANCE:
        found.append("The box in the GeoParquet metadata is not that of the geometries; the geometries count.")
    if measured_box is None and said_box is None:
        found.append("The numbers of the geometries are no degrees: name the reference system and the place by hand.")
    return Place(measured_box or said_box, crs, measured or said, kinds, found)


def _system(about: dict[str, Any], notes: list[str]) -> pyproj.CRS | None:
    """Return the system of a column: PROJJSON, CRS84 without a word (GeoParquet 1.1), None when it is null."""
    written = about.get("crs", systems.CRS84)
    if written is None:
        return None
    try:
        found = pyproj.CRS.from_json_dict(written) if isinstance(written, dict) else pyproj.CRS.from_user_input(written)
    except (CRSError, TypeError, ValueError, KeyError):
        notes.append("The reference system in the GeoParquet metadata cannot be understood.")
        return None
    if about.get("edges") == "spherical":
        notes.append("The edges of the geometries are great circles: they may reach beyond the box of their corners.")
    return found


def _declared(value: Any) -> Bounds | None:
    """Return a `bbox` of the metadata, in two or three dimensions; the first number may be larger than the third."""
    if (
        not isinstance(value, list)
        or len(value) not in {4, 6}
        or not all(isinstance(each, int | float) for each in value)
    ):
        return None
    half = len(value) // 2
    left, bottom, right, top = float(value[0]), float(value[1]), float(value[half]), float(value[half + 1])
    return (left, bottom, right, top) if np.isfinite(value).all() and bottom <= top else None


def _statistics(file: pq.ParquetFile, name: str, about: dict[str, Any]) -> Bounds | None:
    """Return the bounds that the statistics of all row groups give, of the covering or of the geometries themselves."""
    paths = _covering(about)
    if paths is None and about.get("encoding") in NATIVE:
        leaves = [file.schema.column(index).path for index in range(len(file.schema))]
        xs = [each for each in leaves if each.startswith(f"{name}.") and each.endswith(".x")]
        ys = [each for each in leaves if each.startswith(f"{name}.") and each.endswith(".y")]
        paths = (xs[0], ys[0], xs[0], ys[0]) if xs and ys else None
    if paths is None:
        return _geo_statistics(file, name)
    low = [_extreme(file, path, 0) for path in paths[:2]]
    high = [_extreme(file, path, 1) for path in paths[2:]]
    if None in low or None in high:
        return None
    left, bottom, right, top = (float(side) for side in (*low, *high) if side is not None)
    return (left, bottom, right, top) if left <= right and bottom <= top else None


def _covering(about: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the paths of the columns that cover each geometry (GeoParquet 1.1, `covering.bbox`)."""
    covering = about.get("covering")
    sides = covering.get("bbox") if isinstance(covering, dict) else None
    if not isinstance(sides, dict):
        return None
    paths = [sides.get(side) for side in SIDES]
    if not all(isinstance(path, list) and all(isinstance(part, str) for part in path) for path in paths):
        return None
    return tuple(".".join(path) for path in paths if path)


def _extreme(file: pq.ParquetFile, path: str, which: int) -> float | None:
    """Return the least (0) or the largest (1) value of a column by the statistics of all row groups, if they say."""
    found = [each[which] for each in _ranges(file, path) or ()]
    if not found or not all(isinstance(value, int | float) and np.isfinite(value) for value in found):
        return None
    return float(max(found) if which else min(found))


def _geo_statistics(file: pq.ParquetFile, name: str) -> Bounds | None:
    """Return the bounds in the statistics of geometries, which newer files of Parquet itself have."""
    places = {file.schema.column(index).path: index for index in range(len(file.schema))}
    found: list[list[float]] = []
    for index in range(file.metadata.num_row_groups if name in places else 0):
        about = getattr(file.metadata.row_group(index).column(places[name]), "geo_statistics", None)
        sides = [getattr(about, side, None) for side in SIDES]
        numbers = [float(side) for side in sides if isinstance(side, int | float)]
        if len(numbers) < len(SIDES) or not np.isfinite(numbers).all():
            return None
        found.append(numbers)
    if not found:
        return None
    left, bottom = min(each[0] for each in found), min(each[1] for each in found)
    right, top = max(each[2] for each in found), max(each[3] for each in found)
    return (left, bottom, right, top) if left <= right and bottom <= top else None


def _box(bounds: Bounds | None, crs: pyproj.CRS, basis: Any) -> BBox | None:
    if bounds is None or max(abs(bounds[1]), abs(bounds[3])) > POLE or max(abs(bounds[0]), abs(bounds[2])) > 3 * HALF:
        return None
    left, bottom, right, top = bounds
    if is_crs84(crs) or left > right:
        sides: Arc = arc(left, right) if left <= right else (left, right)
        return box(sides, (bottom, top), basis)
    found = systems.extent(crs, systems.Rectangle(*bounds))
    return found and msgspec.structs.replace(found, basis=basis)


def _projected(file: pq.ParquetFile, name: str, about: dict[str, Any], place: Place, budget: Budget) -> Place:
    """Transform the geometries: a rectangle in a projected system says too much."""
    found = _scanned(file, name, about, place.crs, budget, place.kinds)
    if found.box is not None and found.box.basis == "points":
        return found
    rectangle = place.bounds and place.crs and systems.extent(place.crs, systems.Rectangle(*place.bounds))
    if not rectangle:
        return found
    note = (
        "The geometries are too many to transform each of them: the box is that of their rectangle in its own "
        "reference system, which is larger."
    )
    return place._replace(box=msgspec.structs.replace(rectangle, approximate=True), notes=[note])


def _scanned(
    file: pq.ParquetFile,
    name: str,
    about: dict[str, Any],
    crs: pyproj.CRS | None,
    budget: Budget,
    kinds: tuple[str, ...],
) -> Place:
    """Return the place of the geometries themselves, as far as the limits go."""
    notes = [] if crs is not None else [NO_SYSTEM]
    if about.get("encoding", "WKB") != "WKB":
        notes.append("The geometries are not in well-known binary and there is no box of them: name the place by hand.")
        return Place(None, crs, None, kinds, notes)
    footprint = Footprint(crs)
    seen: dict[str, None] = {}
    complete = True
    for blob in _blobs(file, name):
        geometry = wkb.Geometry(blob)
        seen[geometry.name] = None
        for part in geometry.parts():
            footprint.add(part[:, 0], part[:, 1])
        if footprint.positions > budget.positions or budget.tick():
            complete = False
            notes.append("Only a part of the geometries was read within the limits: the box is that of this part.")
            break
    place = footprint.box("points" if complete else "sampled")
    return Place(place, crs, footprint.bounds(), kinds or tuple(seen), [*notes, *footprint.notes()])


def _blobs(file: pq.ParquetFile, name: str) -> Iterator[bytes]:
    for batch in file.iter_batches(batch_size=BATCH, columns=[name], use_threads=False):
        column = batch.column(0)
        column = column.storage if isinstance(column, pa.ExtensionArray) else column
        for value in column:
            blob = value.as_py()
            if isinstance(blob, bytes):
                yield blob
            elif blob is not None:
                raise InvalidInput("The column of geometries holds something else.")


def _positions(
    file: pq.ParquetFile, places: tuple[int, int], positions: Positions, limits: Limits, budget: Budget
) -> bool:
    """Take in the columns of positions; False when only a part was read."""
    names = [file.schema_arrow.field(place).name for place in places]
    if file.metadata.num_rows > limits.coordinate_values:
        ranges = [_ranges(file, name) for name in names]
        if ranges[0] is not None and ranges[1] is not None:
            positions.add_ranges(*(np.array(each, dtype=np.float64) for each in ranges))
            return True
    rows = 0
    for batch in file.iter_batches(batch_size=1 << 16, columns=names, use_threads=False):
        columns = [batch.column(batch.schema.get_field_index(name)) for name in names]
        if all(pa.types.is_floating(each.type) or pa.types.is_integer(each.type) for each in columns):
            positions.add(*(_floats(each) for each in columns))
        else:
            texts = [["" if value is None else str(value) for value in each.to_pylist()] for each in columns]
            positions.add_texts(texts[0], texts[1], comma=False)
        rows += len(batch)
        if rows > limits.coordinate_values or budget.spent():
            return False
    return True


def _ranges(file: pq.ParquetFile, name: str) -> list[tuple[Any, Any]] | None:
    """Return the least and the largest value of a column in each row group, None when they are not all known."""
    places = {file.schema.column(index).path: index for index in range(len(file.schema))}
    found = []
    for index in range(file.metadata.num_row_groups if name in places else 0):
        chunk = file.metadata.row_group(index).column(places[name])
        about = chunk.statistics if chunk.is_stats_set else None
        if about is not None and about.null_count == chunk.num_values:
            continue
        if about is None or not about.has_min_max:
            return None
        found.append((about.min, about.max))
    return found or None


def _times(file: pq.ParquetFile, places: tuple[int, ...], limits: Limits, budget: Budget) -> Moments | None:
    """Return the times of the table, None when no column holds any, or too many to read them all."""
    if not places:
        return None
    names = [file.schema_arrow.field(place).name for place in places]
    if file.metadata.num_rows > limits.coordinate_values:
        return _outer_times(file, names)
    found: Moments | None = None
    rows = 0
    for batch in file.iter_batches(batch_size=1 << 16, columns=names, use_threads=False):
        columns = [batch.column(batch.schema.get_field_index(name)) for name in names]
        if len(columns) == 1 and pa.types.is_temporal(columns[0].type):
            found = found or Moments(names[0])
            for moment in _moments(columns[0]):
                found.take(moment)
        else:
            texts = [["" if x is None else str(x) for x in each.to_pylist()] for each in columns]
            joined, name = times_of(texts, names)
            found = found or Moments(name)
            found.add(joined)
        rows += len(batch)
        if rows > limits.coordinate_values or budget.spent():
            return None
    return found


def _outer_times(file: pq.ParquetFile, names: list[str]) -> Moments | None:
    """Return the first and the last time by the statistics of the row groups; texts have an order only as ISO 8601."""
    ranges = _ranges(file, names[0]) if len(names) == 1 else None
    if ranges is None:
        return None
    kind = file.schema_arrow.field(names[0]).type
    found = Moments(names[0])
    sides = [side for pair in ranges for side in pair]
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        for moment in _moments(pa.array(sides, kind)):
            found.take(moment)
    elif all(isinstance(side, str) and ISO.match(side) for side in sides):
        found.add(sides)
    found.outer_only()
    return found


def _floats(column: Any) -> Floats:
    """Return a column of numbers as an array with NaN where there is none; PyArrow's own way would load pandas."""
    numbers = pc.cast(column, pa.float64())
    valid, raw = numbers.buffers()
    values = np.frombuffer(raw, np.float64, len(numbers), 8 * numbers.offset).copy()
    if numbers.null_count:
        bits = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")
        values[bits[numbers.offset : numbers.offset + len(numbers)] == 0] = np.nan
    return values


def _moments(column: Any) -> Iterator[Moment]:
    """Yield the different days or times of a column; a time of day alone is none."""
    precision: Precision = "time" if pa.types.is_timestamp(column.type) else "day"
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        return
    # A time with a zone is kept in UTC; microseconds, for nanoseconds have no Python type.
    for value in pc.cast(column.unique(), pa.timestamp("us"), safe=False).to_pylist():
        if value is not None:
            yield Moment(value, precision)
