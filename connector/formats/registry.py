"""The `Format` contract and the formats that are built in. Nothing here imports a reader: that is the child's work.

A third party adds a format by naming an object that keeps the contract, or a class that makes one without arguments,
in the entry point group `connector.formats`:

    [project.entry-points."connector.formats"]
    odim = "weatherradar.formats:ODIM"

Loading that object must be cheap and must not import the library that does the reading; `describe` may, for it runs
only in the child process.
"""

import importlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from connector.errors import InvalidInput
from connector.formats import peek
from connector.formats.description import Facts, Limits

GROUP: Final = "connector.formats"
FILE_TYPES: Final = "http://publications.europa.eu/resource/authority/file-type/"
HEAD_BYTES: Final = 1 << 16  # JSON tells by its keys, and they may stand behind a geometry
BULLETIN_SEARCH: Final = 200  # a GTS bulletin header may stand before the message
TIFF_MAGIC: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"
NETCDF_MAGIC: Final = (b"CDF\x01", b"CDF\x02", b"CDF\x05", HDF5_MAGIC)
CORE: Final = "server"
PLUG_INS: Final = "plug-ins"
ZARR_MARKERS: Final = (".zgroup", ".zarray", ".zmetadata", ".zattrs", "zarr.json")
GEOPACKAGE: Final = (b"GPKG", b"GP10", b"GP11")  # application id, GeoPackage 1.2 and before
SHAPE_HEADER: Final = 100
SAFE_MANIFESTS: Final = ("manifest.safe", "xfdumanifest.xml")
SDMX_NAMESPACE: Final = b"sdmx.org/resources/sdmxml/schemas"


@runtime_checkable
class Format(Protocol):
    """A kind of file that can be described.

    `media_type` and `file_type` (a code of the EU file type table, or None) hold unless the reader says otherwise.
    `title` is how a person calls the format and `suffixes` the lower-case endings it goes by.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the class says it

    @property
    def title(self) -> str: ...  # noqa: D102

    @property
    def media_type(self) -> str: ...  # noqa: D102

    @property
    def file_type(self) -> str | None: ...  # noqa: D102

    @property
    def suffixes(self) -> tuple[str, ...]: ...  # noqa: D102

    def matches(self, head: bytes, filename: str) -> bool:
        """Whether a file that begins with `head` (up to 65536 bytes) is of this format. Runs in the parent."""
        ...

    def describe(self, path: Path, limits: Limits) -> Facts:
        """Read the file at `path`, which lies alone in its folder. Runs in the child, under rlimits.

        Raises:
            InvalidInput: the file is broken, incomplete, or reaches outside itself.
        """
        ...


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A format whose reader is the function `read(path, limits)` of a module of this package.

    `named` looks at the first bytes and the name of a format that has no magic bytes. `markers` are the names of files
    that tell a folder of this format; `read` then gets the path of the folder.
    """

    name: str
    title: str
    media_type: str
    file_type: str | None
    suffixes: tuple[str, ...]
    reader: str
    packages: tuple[str, ...]
    extra: str
    begins: Callable[[bytes], bool]
    markers: tuple[str, ...] = ()
    named: Callable[[bytes, str], bool] = lambda _head, _name: False

    @property
    def family(self) -> str:
        """The set of readers that are loaded into one process."""
        return self.extra

    def matches(self, head: bytes, filename: str) -> bool:
        """Whether the magic bytes are this format's, or the name and what the text looks like."""
        return self.begins(head) or self.named(head, filename)

    def describe(self, path: Path, limits: Limits) -> Facts:
        """Import the reader and let it read.

        Raises:
            InvalidInput: the extra that holds the reader is not installed, or the reader refuses the file.
        """
        try:
            module = importlib.import_module(self.reader)
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] not in self.packages:
                raise
            raise InvalidInput(
                f"Install the `{self.extra}` extra to read {self.title}.",
                fix=f"pip install 'greendeal-connector[{self.extra}]'",
            ) from missing
        facts: Facts = module.read(path, limits)
        return facts


def _netcdf(head: bytes) -> bool:
    # HDF5 may stand behind a block of the user's of 512 bytes, or twice or four times as much, and so on.
    return head.startswith(NETCDF_MAGIC) or any(head.startswith(HDF5_MAGIC, at) for at in (512, 1024, 2048, 4096))


def _zarr_zip(head: bytes) -> bool:
    return any(name.rpartition("/")[2] in ZARR_MARKERS for name in peek.zip_names(head))


def _message(magic: bytes, editions: frozenset[int]) -> Callable[[bytes], bool]:
    """Return whether a message of the WMO begins a file, or follows a bulletin's header there.

    The eighth byte is the edition, a number that no text has at that place: a text may speak of GRIB, too.
    """

    def begins(head: bytes) -> bool:
        at = head[: BULLETIN_SEARCH + len(magic)].find(magic)
        return at >= 0 and len(head) > at + 7 and head[at + 7] in editions

    return begins


def _sdmx_xml(head: bytes) -> bool:
    # UTF-16 keeps the ASCII letters with a zero byte beside each; dropping the zeros is enough to recognise them.
    text = head.replace(b"\0", b"")
    return b"<" in text[:64] and SDMX_NAMESPACE in text.lower()  # version 2.0 has it in capitals


def _sdmx_csv(head: bytes) -> bool:
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip(b'"')
    if not first.startswith((b"DATAFLOW", b"STRUCTURE")):
        return False
    line = first.partition(b"\n")[0]
    return b"OBS_VALUE" in line or b"TIME_PERIOD" in line or b"STRUCTURE_ID" in line


def _safe(head: bytes) -> bool:
    name = (peek.zip_name(head) or "").lower()
    return ".safe/" in name or ".sen3/" in name or name.endswith(SAFE_MANIFESTS)


BUILT_IN: Final[tuple[BuiltIn, ...]] = (
    BuiltIn(
        name="netcdf",
        title="NetCDF",
        media_type="application/x-netcdf",
        file_type="NETCDF",
        suffixes=(".nc", ".nc3", ".nc4", ".cdf"),
        reader="connector.formats.gridded.netcdf",
        packages=("netCDF4", "cftime", "h5py", "numpy"),
        extra="climate",
        begins=_netcdf,
    ),
    BuiltIn(
        name="grib",
        title="GRIB",
        media_type="application/x-grib",
        file_type=None,
        suffixes=(".grib", ".grib1", ".grib2", ".grb", ".grb2"),
        reader="connector.formats.weather.grib",
        packages=("eccodes", "gribapi", "numpy"),
        extra="meteo",
        begins=_message(b"GRIB", frozenset({1, 2})),
    ),
    BuiltIn(
        name="bufr",
        title="BUFR",
        media_type="application/x-bufr",
        file_type=None,
        suffixes=(".bufr", ".bufr4", ".bfr"),
        reader="connector.formats.weather.bufr",
        packages=("eccodes", "gribapi", "numpy"),
        extra="meteo",
        begins=_message(b"BUFR", frozenset({2, 3, 4})),
    ),
    BuiltIn(
        name="zarr",
        title="Zarr",
        media_type="application/vnd+zarr",
        file_type=None,
        suffixes=(".zarr",),
        reader="connector.formats.gridded.zarr",
        packages=("zarr", "numcodecs", "cftime", "numpy"),
        extra="climate",
        begins=_zarr_zip,
        markers=ZARR_MARKERS,
    ),
    BuiltIn(
        name="geotiff",
        title="GeoTIFF",
        media_type="image/tiff; application=geotiff",
        file_type="GEOTIFF",
        suffixes=(".tif", ".tiff", ".gtiff"),
        reader="connector.formats.imagery.cog",
        packages=("rasterio", "numpy"),
        extra="eo",
        begins=lambda head: head.startswith(TIFF_MAGIC),
    ),
    BuiltIn(
        name="sdmx-ml",
        title="SDMX-ML",
        media_type="application/xml",
        file_type="SDMX",
        suffixes=(),
        reader="connector.formats.statistics.sdmx",
        packages=("lxml",),
        extra="server",
        begins=_sdmx_xml,
    ),
    BuiltIn(
        name="sdmx-csv",
        title="SDMX-CSV",
        media_type="text/csv",
        file_type="CSV",
        suffixes=(),
        reader="connector.formats.statistics.sdmx_csv",
        packages=(),
        extra="server",
        begins=_sdmx_csv,
    ),
    BuiltIn(
        name="sdmx-json",
        title="SDMX-JSON",
        media_type="application/json",
        file_type="JSON",
        suffixes=(),
        reader="connector.formats.statistics.sdmx_json",
        packages=(),
        extra="server",
        begins=lambda head: peek.json_kind(head) == "sdmx",
    ),
    BuiltIn(
        name="stac",
        title="STAC",
        media_type="application/geo+json",
        file_type="GEOJSON",
        suffixes=(),
        reader="connector.formats.imagery.stac",
        packages=(),
        extra="server",
        begins=lambda head: peek.json_kind(head) == "stac",
    ),
    BuiltIn(
        name="safe",
        title="SAFE",
        media_type="application/zip",
        file_type="ZIP",
        suffixes=(".safe", ".sen3"),
        reader="connector.formats.imagery.safe",
        packages=("lxml",),
        extra=CORE,
        begins=_safe,
        markers=SAFE_MANIFESTS,
    ),
    BuiltIn(
        name="geojson",
        title="GeoJSON",
        media_type="application/geo+json",
        file_type="GEOJSON",
        suffixes=(".geojson", ".geojsonl", ".geojsons", ".ndgeojson"),
        reader="connector.formats.tabular.geojson",
        packages=("pyproj", "numpy"),
        extra=CORE,
        begins=lambda head: peek.json_kind(head.lstrip(b"\x1e")) == "geojson",
    ),
    BuiltIn(
        name="geopackage",
        title="GeoPackage",
        media_type="application/geopackage+sqlite3",
        file_type="GPKG",
        suffixes=(".gpkg",),
        reader="connector.formats.tabular.geopackage",
        packages=("pyproj", "numpy"),
        extra=CORE,
        begins=lambda head: head.startswith(b"SQLite format 3\0") and head[68:72] in GEOPACKAGE,
    ),
    BuiltIn(
        name="shapefile",
        title="Shapefile",
        media_type="application/vnd.shp",
        file_type="SHP",
        suffixes=(".shp",),
        reader="connector.formats.tabular.shapefile",
        packages=("pyproj", "numpy"),
        extra=CORE,
        begins=lambda head: head.startswith(b"\0\0\x27\x0a") and len(head) >= SHAPE_HEADER,
    ),
    BuiltIn(
        name="zip",
        title="Zip archive of a shapefile",
        media_type="application/zip",
        file_type="ZIP",
        suffixes=(".zip",),
        reader="connector.formats.archive",
        packages=("pyproj", "numpy"),
        extra=CORE,
        begins=lambda head: head.startswith((b"PK\x03\x04", b"PK\x05\x06")),
    ),
    BuiltIn(
        name="parquet",
        title="Parquet",
        media_type="application/vnd.apache.parquet",
        file_type=None,
        suffixes=(".parquet", ".geoparquet", ".pq"),
        reader="connector.formats.tabular.parquet",
        packages=("pyarrow", "numpy"),
        extra="tabular",
        begins=lambda head: head.startswith((b"PAR1", b"PARE")),
    ),
    BuiltIn(
        name="csv",
        title="CSV",
        media_type="text/csv",
        file_type="CSV",
        # Any text could be a table: here the name decides, and the reader whether there is a header.
        suffixes=(".csv", ".tsv", ".tab"),
        reader="connector.formats.tabular.csv_table",
        packages=("pyproj", "numpy"),
        extra=CORE,
        begins=lambda _: False,
        named=lambda head, name: name.lower().endswith(".txt") and peek.looks_tabular(head),
    ),
)


@cache
def plug_ins() -> tuple[Format, ...]:
    """Return the formats third parties added, by the name of their entry point.

    Raises:
        TypeError: an entry point does not keep the `Format` contract; the message names it.
    """
    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        loaded = point.load()
        value = loaded() if isinstance(loaded, type) else loaded
        if not isinstance(value, Format):
            raise TypeError(f"The entry point {point.name!r} of group {GROUP!r} is no Format: {point.value}.")
        found.append(value)
    return tuple(found)


def formats() -> tuple[Format, ...]:
    """Return every format that can be read, the built-in ones first."""
    return BUILT_IN + plug_ins()


def by_name(name: str) -> Format:
    """Return the format called `name`; plug-ins are looked up only when it is not built in.

    Raises:
        LookupError: there is none.
    """
    found: Format | None = next((each for each in BUILT_IN if each.name == name), None)
    found = found or next((each for each in plug_ins() if each.name == name), None)
    if found is None:
        raise LookupError(name)
    return found


def detect(head: bytes, filename: str) -> Format:
    """Return the format of a file that begins with `head` and is called `filename`: content first, name second.

    Raises:
        InvalidInput: neither says anything we can read; the mend lists what we can.
    """
    known = formats()
    for each in known:
        if each.matches(head, filename):
            return each
    suffix = Path(filename).suffix.lower()
    for each in known:
        if suffix and suffix in each.suffixes:
            return each
    supported = ", ".join(each.title for each in known)
    raise InvalidInput(
        "The format of this file is not known: neither its first bytes nor its name are those of a format we read.",
        where=filename,
        fix=f"Supported formats: {supported}. Describe other files by hand.",
    )


def detect_folder(names: Collection[str], filename: str) -> Format:
    """Return the format of a folder that holds `names`, by the file that marks it, else by the folder's suffix.

    Raises:
        InvalidInput: neither says anything we can read.
    """
    kinds = [each for each in formats() if getattr(each, "markers", ())]
    for each in kinds:
        if not set(names).isdisjoint(getattr(each, "markers", ())):
            return each
    suffix = Path(filename).suffix.lower()
    for each in kinds:
        if suffix and suffix in each.suffixes:
            return each
    supported = ", ".join(each.title for each in kinds) or "none"
    raise InvalidInput(
        "This folder is none of the formats that consist of many files.",
        where=filename,
        fix=f"Supported as folders: {supported}. Give the files of other folders one by one.",
    )


def family(chosen: Format) -> str:
    """Return the name of the set of readers that a format is read with; those of third parties are one."""
    return chosen.family if isinstance(chosen, BuiltIn) else PLUG_INS


def modules(family: str) -> tuple[str, ...]:
    """Return the libraries and readers of a family, in the order in which they are to be imported."""
    return tuple(name for each in BUILT_IN if each.family == family for name in (*each.packages, each.reader))


def file_type_iri(code: str | None) -> str | None:
    """Return the IRI of an EU file type code."""
    return None if code is None else FILE_TYPES + code
