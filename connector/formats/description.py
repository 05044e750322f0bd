"""What a file says about itself: plain values that cross the pipe from the reading process as JSON.

`Facts` is what a reader finds, `Description` adds what is true of any file (size, checksum, format). Nothing here
is a draft of a catalogue record yet: `capabilities/datasets` turns a description into one. Strings are length-capped
because they come from strangers; the caps are checked again when the parent process decodes them.
"""

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct

Short = Annotated[str, Meta(max_length=400)]
Text = Annotated[str, Meta(max_length=4_000)]
Count = Annotated[int, Meta(ge=0)]

TEXT_LENGTH = 4_000
SHORT_LENGTH = 400

Basis = Literal["bounds", "midpoints", "edges", "points", "centres", "hull", "sampled", "attribute"]
"""Where a box comes from; see `BBox`."""

Nature = Literal["dataset", "series", "structure", "metadata", "footer"]
"""What a file is: data, several files of one make, or something that only describes data elsewhere."""

Source = Literal["coordinate", "attribute", "default", "provider"]
"""Where a value was found: in the data's own coordinates, in what the file says, nowhere, or with a person."""
POLE = 90.0
HALF_TURN = 180.0


class Limits(Struct, frozen=True, kw_only=True):
    """What one reading may cost. Bytes, seconds and counts.

    Formats without a header of their whole are read through, so seconds grow with the size of the file: by one for each
    `bytes_per_second`. `unpacked_bytes` and `unpacked_ratio` bound what may come out of a compressed file.
    """

    file_bytes: int = 256 << 30
    memory_bytes: int = 3 << 30
    cpu_seconds: int = 20
    wall_seconds: float = 60.0
    bytes_per_second: int = 1 << 20
    unpacked_bytes: int = 4 << 30
    unpacked_ratio: int = 200
    wait_seconds: float = 30.0
    open_files: int = 64
    answer_bytes: int = 1 << 20
    coordinate_values: int = 5_000_000
    messages: int = 5_000
    objects: int = 20_000
    entries: int = 1_000_000


class BBox(Struct, frozen=True, kw_only=True):
    """A box in OGC:CRS84 degrees; `west > east` means that it crosses 180 degrees.

    `basis` says where it comes from: `bounds` (cell bounds in the file), `midpoints` (half a cell around the outer
    cell centres), `edges` (cell edges of a projected grid or raster), `points` (the positions themselves), `centres`
    (cell centres, where edges cannot be known), `hull` (around control points), `sampled` (a part of the positions),
    `attribute` (what the file says of itself, where it has no coordinates).
    """

    west: float
    south: float
    east: float
    north: float
    basis: Basis
    approximate: bool = False

    def __post_init__(self) -> None:
        """Refuse a box that is no place on Earth."""
        if not all(math.isfinite(value) for value in (self.west, self.south, self.east, self.north)):
            raise ValueError("a box has a corner that is not a number")
        if not (-HALF_TURN <= self.west <= HALF_TURN and -HALF_TURN <= self.east <= HALF_TURN):
            raise ValueError("a longitude lies outside -180..180")
        if not -POLE <= self.south <= self.north <= POLE:
            raise ValueError("the latitudes are not -90 <= south <= north <= 90")

    @property
    def crosses_antimeridian(self) -> bool:
        """Whether the box runs across 180 degrees."""
        return self.west > self.east


class Period(Struct, frozen=True, kw_only=True):
    """The time the data are about; a moment without an offset is UTC.

    `begin` and `end` are ISO 8601 text in the proleptic Gregorian calendar that fits `xsd:date` or `xsd:dateTime`
    (30 February of a 360-day year is clamped); `first` and `last` are the outer time stamps as the file has them, in
    its own `calendar`. `covers` is the first and the last instant that the data cover, also in its own calendar: the
    time bounds where the file has them, else the time stamps. An end that is open, as that of a collection that still
    grows, is empty text. `basis`: `bounds` (time bounds in the file), `coordinate` (the time stamps), `derived`
    (widened by half a step, since the values are means), `attribute` (global attributes only).
    """

    begin: Short
    end: Short
    first: Short
    last: Short
    covers: tuple[Short, Short] | None = None
    count: Count | None = None
    calendar: Short = "standard"
    variable: Short | None = None
    basis: Literal["bounds", "coordinate", "derived", "attribute"] = "coordinate"


class Variable(Struct, frozen=True, kw_only=True):
    """One measured quantity: a NetCDF variable, a GRIB parameter or a raster band; `chunks` is its shape in storage.

    Packed values are multiplied by `scale`, then `offset` is added.
    """

    name: Short
    standard_name: Short | None = None
    long_name: Short | None = None
    unit: Short | None = None
    dtype: Short | None = None
    shape: tuple[int, ...] = ()
    chunks: tuple[int, ...] = ()
    level: Short | None = None
    scale: float | None = None
    offset: float | None = None


class Dimension(Struct, frozen=True, kw_only=True):
    """One axis of the data, or one component of an SDMX structure; `values` holds at most 200 distinct codes."""

    name: Short
    role: Literal["dimension", "time", "attribute", "measure"] = "dimension"
    size: Count | None = None
    values: tuple[Short, ...] = ()
    inferred: bool = False


class Grid(Struct, frozen=True, kw_only=True):
    """The horizontal grid of a model field; `resolution` is (x, y) in degrees, or in metres when projected."""

    kind: Short
    bbox: BBox | None = None
    size: tuple[int, ...] = ()
    resolution: tuple[float, float] | None = None


class Raster(Struct, frozen=True, kw_only=True):
    """The make of a GeoTIFF; `resolution` is (x, y) in units of its CRS, `stamp` the TIFF's own processing date."""

    width: int
    height: int
    bands: int
    dtype: Short
    cloud_optimised: bool
    nodata: Short | None = None
    overviews: tuple[int, ...] = ()
    resolution: tuple[float, float] | None = None
    stamp: Short | None = None


class Messages(Struct, frozen=True, kw_only=True):
    """The make of a GRIB or BUFR file; `reference` is the (earliest, latest) analysis or start time.

    `subsets` counts the reports in BUFR messages, `categories` are their data categories (WMO BUFR table A).
    """

    count: int
    edition: tuple[int, ...]
    centres: tuple[Short, ...]
    reference: tuple[Short, Short] | None = None
    kinds: tuple[Short, ...] = ()
    members: Count = 0
    subsets: Count | None = None
    categories: tuple[int, ...] = ()


class Store(Struct, frozen=True, kw_only=True):
    """The make of a Zarr store: its arrays, and whether the metadata of all stand in one file (consolidated)."""

    arrays: Count
    consolidated: bool


class Statistics(Struct, frozen=True, kw_only=True):
    """The make of an SDMX message."""

    message: Short
    dataflow: Short | None = None
    series: Count | None = None
    observations: Count = 0
    dataflows: tuple[Short, ...] = ()
    data_structures: tuple[Short, ...] = ()
    codelists: tuple[Short, ...] = ()


class Scene(Struct, frozen=True, kw_only=True):
    """How a satellite product was taken; `cloud_cover` in percent, `polarisations` as the instrument names them."""

    platform: Short | None = None
    instruments: tuple[Short, ...] = ()
    product: Short | None = None
    mode: Short | None = None
    tile: Short | None = None
    orbit: Count | None = None
    cloud_cover: float | None = None
    polarisations: tuple[Short, ...] = ()


class Asset(Struct, frozen=True, kw_only=True):
    """A file elsewhere that a metadata document names; `sha256` where the document gives that checksum."""

    key: Short
    href: Text
    title: Short | None = None
    media_type: Short | None = None
    roles: tuple[Short, ...] = ()
    byte_size: Count | None = None
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None = None


class Facts(Struct, frozen=True, kw_only=True):
    """What a reader found in a file.

    `kind` says whether there are data in it at all; `rows` counts rows, features or observations. `sources` says of a
    field where its value was found, for those that their own `basis` does not tell. `format` is the exact format with
    its version (`GRIB2`, `NetCDF-4 classic`); `media_type` and `file_type` are set
    only when the reader knows better than its `Format`. `crs` is an OGC IRI where the system is registered, else its
    name. `native_bounds` is (left, bottom, right, top) of vector data in the file's own system, `geometry_types` the
    kinds of geometry as OGC calls them. `notes` are findings for the provider in whole sentences.
    """

    format: Short
    kind: Nature = "dataset"
    media_type: Short | None = None
    file_type: Short | None = None
    title: Text | None = None
    description: Text | None = None
    licence: Text | None = None
    creator: Text | None = None
    publisher: Text | None = None
    identifier: Short | None = None
    modified: Short | None = None
    frequency: Short | None = None
    conforms_to: Short | None = None
    keywords: tuple[Short, ...] = ()
    bbox: BBox | None = None
    period: Period | None = None
    crs: Short | None = None
    epsg: Count | None = None
    native_bounds: tuple[float, float, float, float] | None = None
    geometry_types: tuple[Short, ...] = ()
    spatial_resolution_degrees: float | None = None
    spatial_resolution_metres: float | None = None
    temporal_resolution: Short | None = None
    rows: Count | None = None
    variables: tuple[Variable, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    sources: dict[Short, Source] = {}
    grids: tuple[Grid, ...] = ()
    raster: Raster | None = None
    messages: Messages | None = None
    store: Store | None = None
    statistics: Statistics | None = None
    scene: Scene | None = None
    assets: tuple[Asset, ...] = ()
    notes: tuple[Text, ...] = ()


class Description(Facts, frozen=True, kw_only=True):
    """Facts plus what is true of the file itself.

    `reader` is the name of the `Format` that read it, `sha256` lower-case hexadecimal where it is known (a file is not
    read for it: a large one would take minutes), `file_type` the IRI of the EU file type authority table (None where
    that table has no entry, as for GRIB). `byte_size` of a folder is that of all its files; `compressed` says that
    the file is one of gzip.
    """

    reader: Short
    media_type: Short
    byte_size: Count
    compressed: bool = False
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None = None


def describe_file(
    facts: Facts, *, reader: str, media_type: str, file_type: str | None, size: int, sha256: str | None
) -> Description:
    """Join what the reader found with what is true of the file; the reader's own media and file type win."""
    found = {name: getattr(facts, name) for name in facts.__struct_fields__}
    found["media_type"] = facts.media_type or media_type
    found["file_type"] = facts.file_type or file_type
    return Description(**found, reader=reader, byte_size=size, sha256=sha256)


def clean(value: object, length: int = TEXT_LENGTH) -> str | None:
    """Return foreign text fit for a record: one line's worth of printable characters, at most `length`; else None."""
    if value is None:
        return None
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = "".join(char if char.isprintable() else " " for char in text[: 4 * length])
    text = " ".join(text.split())
    return (text if len(text) <= length else text[: length - 1] + "…") or None


def tidy(value: float) -> float:
    """Return the number without the rounding noise of its arithmetic (nine significant digits)."""
    return float(f"{value:.9g}")


def short(value: object) -> str | None:
    """Return `clean` text of at most 400 characters."""
    return clean(value, SHORT_LENGTH)


__all__ = [
    "Asset",
    "BBox",
    "Basis",
    "Description",
    "Dimension",
    "Facts",
    "Grid",
    "Limits",
    "Messages",
    "Nature",
    "Period",
    "Raster",
    "Scene",
    "Source",
    "Statistics",
    "Store",
    "Variable",
    "clean",
    "describe_file",
    "short",
    "tidy",
]
