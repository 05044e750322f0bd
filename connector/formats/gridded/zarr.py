"""Zarr, versions 2 and 3, as a folder or a zip archive. Runs in the child.

Only the metadata are read, the chunks of coordinates, and a few chunks of data to see that they are whole.
"""

import base64
import binascii
import json
import math
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import zarr as library
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import MemoryStore

from connector.errors import InvalidInput, Refusal
from connector.formats.coordinates.extent import Floats
from connector.formats.description import Facts, Limits, Store, short
from connector.formats.gridded import cf_facts, zarr_store
from connector.formats.gridded.cf import CHUNK_VALUES, Array, Selection, Variables, unpack
from connector.formats.gridded.zarr_store import Archive, Files, Folder, Node

V3_TYPES: Final = re.compile(r"(u?int(8|16|32|64)|float(16|32|64))")
TIME_UNITS: Final = {
    "ns": "nanoseconds",
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "m": "minutes",
    "h": "hours",
    "D": "days",
}
COMPRESSORS: Final = frozenset({"blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd"})
FILTERS: Final = frozenset(
    {"astype", "bitround", "crc32", "delta", "fixedscaleoffset", "packbits", "quantize", "shuffle"}
)
CODECS: Final = frozenset(
    {"blosc", "bytes", "crc32c", "gzip", "sharding_indexed", "transpose", "zstd"}
    | {f"numcodecs.{name}" for name in COMPRESSORS | FILTERS}
)
V2, V3 = zarr_store.V2, zarr_store.V3
DIMENSIONS: Final = "_ARRAY_DIMENSIONS"
CUT_OFF: Final = "A chunk of the Zarr store is damaged or cut off."
BLOSC_HEADER: Final = 16
LOOKED_AT: Final = 16  # chunks of an array that are decoded to see that they are whole
LOOKED_AT_VALUES: Final = 8_000_000  # and values of all of them together
CHUNK_BYTES: Final = 256 << 20


def read(path: Path, limits: Limits) -> Facts:
    """Describe the Zarr store at `path`, a folder or a zip archive.

    Raises:
        InvalidInput: metadata or chunks are damaged, or metadata are missing.
        TooLarge: the store has more nodes than allowed.
    """
    files: Files = Folder(path, limits) if path.is_dir() else Archive(path, limits)
    tree = zarr_store.tree(files, limits)
    root = tree.nodes[0]
    arrays = [_Reader(files, node, tree.version) for node in tree.nodes if node.array is not None]
    variables = [each.array for each in arrays]
    # A store has no list of dimensions: the order is that of the array with most of them.
    dimensions = {
        name: size
        for each in sorted(variables, key=lambda each: -each.ndim)
        for name, size in zip(each.dimensions, each.shape, strict=True)
        if name
    }
    found = cf_facts.facts(Variables(variables, limits, dimensions), root.attributes, f"Zarr v{tree.version}")
    notes = [note for each in arrays for note in each.notes]
    _see_whole(arrays)
    store = Store(arrays=len(arrays), consolidated=tree.consolidated)
    return msgspec.structs.replace(found, store=store, notes=(*found.notes, *notes))


class _Lazy(MemoryStore):
    """A store in memory of one array: its metadata, and its chunks fetched when the library asks for them."""

    def __init__(self, files: Files, path: str, metadata: Mapping[str, bytes], *, blosc: bool) -> None:
        make = default_buffer_prototype().buffer.from_bytes
        super().__init__({name: make(raw) for name, raw in metadata.items()}, read_only=True)
        self.files = files
        self.path = path
        self.blosc = blosc
        self.missing = False

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return a chunk or a piece of it; None for one that is not stored."""
        prototype = prototype or default_buffer_prototype()
        if key in self._store_dict:
            return await super().get(key, prototype, byte_range)
        if key.rpartition("/")[2] in {*zarr_store.MARKERS, ".zattrs"}:
            return None  # the metadata were given
        start, length = 0, None
        if isinstance(byte_range, RangeByteRequest):
            start, length = byte_range.start, byte_range.end - byte_range.start
        elif isinstance(byte_range, OffsetByteRequest):
            start = byte_range.offset
        elif isinstance(byte_range, SuffixByteRequest):
            start, length = -byte_range.suffix, byte_range.suffix
        found = self.files.read(f"{self.path}/{key}" if self.path else key, start, length)
        if found is None:
            self.missing = True
            return None
        if length is not None and len(found) < length:
            raise InvalidInput(CUT_OFF, where=short(self.path))
        if self.blosc and not isinstance(byte_range, SuffixByteRequest):  # the index of a shard is read from its end
            _see_blosc(found, self.path)
        return prototype.buffer.from_bytes(found)


def _see_blosc(chunk: bytes, path: str) -> None:
    """Refuse a chunk that is shorter than its header says: the Blosc library reads on beyond its end."""
    if len(chunk) < BLOSC_HEADER or int.from_bytes(chunk[12:16], "little") != len(chunk):
        raise InvalidInput(CUT_OFF, where=short(path))


class _Reader:
    """An array of the store, and what was noticed when its values were read."""

    def __init__(self, files: Files, node: Node, version: int) -> None:
        self.files = files
        self.node = node
        self.version = version
        self.meta: Mapping[str, Any] = node.array or {}
        self.notes: list[str] = []
        self.shape = zarr_store.sizes(self.meta.get("shape"), node.path)
        self.chunks = self._chunks()
        self.attributes = {name: value for name, value in node.attributes.items() if name != DIMENSIONS}
        self.dtype, kind = self._dtype()
        self.array = self._array(kind)

    def _array(self, kind: str) -> Array:
        group, _, name = self.node.path.rpartition("/")
        attributes = dict(self.attributes)
        stored = self.dtype
        if stored is not None and stored.kind == "M":
            unit = TIME_UNITS.get(np.datetime_data(stored)[0])
            stored = np.dtype(np.int64) if unit else None
            attributes |= {"units": f"{unit} since 1970-01-01", "calendar": "proleptic_gregorian"} if unit else {}
        return Array(
            name=name or "unnamed",
            group=group,
            dimensions=self._dimensions(),
            shape=self.shape,
            dtype=stored,
            kind=kind,
            attributes=attributes,
            read=self.values,
            chunks=self.chunks,
        )

    def _chunks(self) -> tuple[int, ...]:
        if self.version == V2:
            return zarr_store.sizes(self.meta.get("chunks"), self.node.path)
        grid = self.meta.get("chunk_grid")
        inner = grid.get("configuration") if isinstance(grid, dict) and grid.get("name") == "regular" else None
        return zarr_store.sizes(inner.get("chunk_shape"), self.node.path) if isinstance(inner, dict) else ()

    def _dtype(self) -> tuple["np.dtype[Any] | None", str]:
        """Return the type of plain numbers (or times), and how the file calls it."""
        written = self.meta.get("dtype" if self.version == V2 else "data_type")
        if isinstance(written, dict) and written.get("name") == "numpy.datetime64":
            unit = (written.get("configuration") or {}).get("unit")
            return (np.dtype(f"<M8[{unit}]") if unit in TIME_UNITS else None), f"datetime64[{unit}]"
        if not isinstance(written, str):
            return None, "structure"
        if self.version == V3 and not V3_TYPES.fullmatch(written):
            return None, written
        try:
            dtype = np.dtype(written)
        except (TypeError, ValueError):
            return None, written
        return (dtype if dtype.kind in "iufM" else None), str(dtype)

    def _dimensions(self) -> tuple[str, ...]:
        """Return the names of the axes: those of version 3, of xarray, or of the netCDF library, else empty texts."""
        nczarr = self.meta.get("_nczarr_array") or self.node.attributes.get("_nczarr_array")
        nczarr = nczarr or self.meta.get("_NCZARR_ARRAY") or self.node.attributes.get("_NCZARR_ARRAY")
        written: Any = self.meta.get("dimension_names") or self.node.attributes.get(DIMENSIONS)
        if not isinstance(written, list) and isinstance(nczarr, dict):
            written = nczarr.get("dimrefs") or nczarr.get("dimension_references")
        if not isinstance(written, list) or len(written) != len(self.shape):
            return ("",) * len(self.shape)
        return tuple(name.rpartition("/")[2] if isinstance(name, str) else "" for name in written)

    def readable(self) -> bool:
        """Whether the values can be decoded with codecs that only decode."""
        if self.dtype is None or not self.chunks or math.prod(self.chunks) > CHUNK_VALUES:
            return len(self.shape) == 0 and self.dtype is not None
        return _known_codecs(self.meta, self.version)

    def stored(self, selection: Selection) -> tuple[Any, bool]:
        """Return stored numbers, and whether some of them are not stored and stand for the fill value.

        Raises:
            InvalidInput: a codec is not known, or a chunk is damaged.
        """
        where = short(self.node.path)
        if not self.readable():
            raise InvalidInput("The values of a coordinate are packed in a way that is not read.", where=where)
        name = ".zarray" if self.version == V2 else "zarr.json"
        plain = {**self.meta, "attributes": {}} if self.version == V3 else self.meta
        blosc = _packed_last_by_blosc(self.meta, self.version)
        store = _Lazy(self.files, self.node.path, {name: json.dumps(plain).encode()}, blosc=blosc)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                array = library.open_array(store=store, mode="r", zarr_format=2 if self.version == V2 else 3)
                return np.asarray(array[selection]), store.missing
        except (MemoryError, Refusal):
            raise
        except Exception as error:
            # Codecs raise whatever they like over bytes that are none of theirs.
            raise InvalidInput(CUT_OFF, where=where) from error

    def values(self, selection: Selection) -> Floats:
        """Return numbers as CF means them; for coordinates."""
        raw, missing = self.stored(selection)
        fill = self.meta.get("fill_value")
        if raw.dtype.kind == "M":
            return np.where(np.isnat(raw), np.nan, raw.astype(np.int64).astype(np.float64))
        attributes = {**self.attributes, "_FillValue": _fill(self.attributes.get("_FillValue"))}
        # The fill value of version 2 marks missing values too; zero is what is written where nobody chose one.
        mark = fill if self.version == V2 and fill != 0 else None
        found = unpack(raw, attributes, mark if isinstance(mark, int | float) else None)
        if missing:
            said = short(self.node.path)
            if raw.size > 1:
                found = np.where(raw == raw.dtype.type(_number(fill)), np.nan, found)
                self.notes.append(f"Parts of the coordinate {said!r} are not stored: they count as missing.")
            else:
                self.notes.append(f"The value of {said!r} is not stored: it is the fill value of the array.")
        return found


def _known_codecs(meta: Mapping[str, Any], version: int) -> bool:
    if version == V2:
        compressor, filters = meta.get("compressor"), meta.get("filters") or []
        names = [each.get("id") if isinstance(each, dict) else None for each in filters]
        packed = isinstance(compressor, dict) and compressor.get("id") in COMPRESSORS
        return (compressor is None or packed) and FILTERS.issuperset(names)
    return _known_chain(meta.get("codecs"))


def _known_chain(codecs: Any) -> bool:
    """Whether a chain of codecs of version 3 is known, down into its shards."""
    if not isinstance(codecs, list):
        return False
    for each in codecs:
        if not isinstance(each, dict) or each.get("name") not in CODECS:
            return False
        inner = each.get("configuration") or {}
        if each["name"] == "sharding_indexed" and not all(
            _known_chain(inner.get(chain)) for chain in ("codecs", "index_codecs")
        ):
            return False
    return True


def _packed_last_by_blosc(meta: Mapping[str, Any], version: int) -> bool:
    """Whether what lies in a file, or in a shard of it, is what Blosc wrote."""
    if version == V2:
        return bool((meta.get("compressor") or {}).get("id") == "blosc")
    last = (meta.get("codecs") or [{}])[-1]
    inner = last.get("configuration") or {}
    if last.get("name") == "sharding_indexed":
        # Where the index comes first, it cannot be told from a chunk by the piece that is asked for.
        return inner.get("index_location") != "start" and _packed_last_by_blosc(inner, version)
    return last.get("name") in {"blosc", "numcodecs.blosc"}


def _fill(written: Any) -> Any:
    """Return a fill value from the attributes; version 3 has numbers of floating point as base64 of eight bytes."""
    if not isinstance(written, str):
        return written
    try:
        raw = base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        return written
    return float(np.frombuffer(raw, "<f8")[0]) if len(raw) == np.dtype("<f8").itemsize else written


def _number(fill: Any) -> float:
    """Return the fill value of an array as a number; NaN where it is none."""
    try:
        return float(fill)
    except (TypeError, ValueError):
        return math.nan


def _see_whole(arrays: list[_Reader]) -> None:
    """Decode a few chunks of every array, the first ones and the last, to see that none is cut off.

    Raises:
        InvalidInput: one is.
    """
    left = LOOKED_AT_VALUES
    for each in arrays:
        chunk = math.prod(each.chunks)
        if not each.readable() or not each.array.size or chunk > left:
            continue
        counts = [-(-size // max(1, step)) for size, step in zip(each.shape, each.chunks, strict=True)]
        whole = math.prod(counts)
        numbers = sorted({*range(min(whole, LOOKED_AT // 2)), *range(max(0, whole - LOOKED_AT // 2), whole)})
        for number in numbers[: max(1, left // max(1, chunk))]:
            at = np.unravel_index(number, counts) if counts else ()
            each.stored(
                tuple(slice(int(n) * step, (int(n) + 1) * step) for n, step in zip(at, each.chunks, strict=True))
            )
            left -= chunk
