"""Arrays with attributes, as NetCDF, HDF5 and Zarr have them, and the roles that the CF conventions give them by name.

The readers of those formats turn what their libraries offer into `Array`s; everything above (`cf_place`, `cf_time`,
`cf_facts`) knows nothing of a library, so that one file tells the same facts whichever way it is stored.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from connector.formats.coordinates.extent import Floats
from connector.formats.description import Limits

NORTH: Final = frozenset({"degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"})
EAST: Final = frozenset({"degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"})
ANGLES: Final = frozenset({"", "degrees", "degree", "deg", "radian", "radians", "rad"})
DEGREES: Final = frozenset({"degrees", "degree", "deg"})
RADIANS: Final = frozenset({"radian", "radians", "rad"})
LATITUDES: Final = frozenset({"lat", "latitude", "latitudes", "nav_lat", "xlat", "clat"})
LONGITUDES: Final = frozenset({"lon", "longitude", "longitudes", "nav_lon", "xlong", "xlon", "clon", "lng"})
NOT_DATA: Final = frozenset({"time", "forecast_reference_time", "forecast_period", "latitude", "longitude"})
SAMPLE: Final = 500_000  # values of a coordinate that is too large to be read whole
BLOCKS: Final = 200  # pieces that a sample of a long list of positions is taken in
CHUNK_VALUES: Final = 16_000_000  # a chunk is decoded whole: a larger one is not touched

Selection = tuple[slice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """One variable: its name and group (`a/b`, empty for the root), axes, attributes, and a way to its values.

    `dtype` is None where the values are no plain numbers; `kind` is how the file calls their type. `read` takes one
    slice per axis and returns decoded values (unpacked, missing ones masked or NaN). `dimensions` are empty texts where
    the file names none; `chunks` is empty for values that are not stored in pieces.
    """

    name: str
    group: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: "np.dtype[Any] | None"
    kind: str
    attributes: Mapping[str, Any]
    read: Callable[[Selection], Any]
    chunks: tuple[int, ...] = ()

    @property
    def path(self) -> str:
        """The name with its groups."""
        return f"{self.group}/{self.name}" if self.group else self.name

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    @property
    def numeric(self) -> bool:
        """Whether the values are plain numbers (not text, not user-defined types)."""
        return self.dtype is not None and self.dtype.kind in "iuf"

    @property
    def along_itself(self) -> bool:
        """Whether this is a coordinate variable: one axis, called as the variable."""
        return self.dimensions == (self.name,)

    def text(self, attribute: str) -> str:
        """Return an attribute as text, empty without it."""
        return text_of(self.attributes.get(attribute))


def text_of(value: object) -> str:
    """Return an attribute's value as text; empty for none."""
    if value is None:
        return ""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else str(value)


@dataclass(slots=True)
class Values:
    """Values of a coordinate in float64, NaN for missing ones; `sampled` when they are only some of them."""

    values: Floats
    sampled: bool = False


@dataclass(slots=True)
class Variables:
    """Every array of a file, in all its groups, with the roles CF gives them by name.

    `dimensions` are those of the file in its order, with their sizes; those of groups by their path.
    """

    all: list[Array]
    limits: Limits
    dimensions: Mapping[str, int] = field(default_factory=dict)
    bounds_names: frozenset[str] = field(init=False)
    auxiliary_names: frozenset[str] = field(init=False)
    mapping_names: frozenset[str] = field(init=False)
    measure_names: frozenset[str] = field(init=False)
    _by_path: dict[str, Array] = field(init=False)

    def __post_init__(self) -> None:
        self._by_path = {each.path: each for each in self.all}
        self.bounds_names = self._named("bounds", "climatology")
        self.auxiliary_names = self._named("coordinates", "node_coordinates", "face_coordinates", "edge_coordinates")
        self.mapping_names = frozenset(name for each in self.all for name in mapping_names(each.text("grid_mapping")))
        self.measure_names = self._named("cell_measures")

    def _named(self, *attributes: str) -> frozenset[str]:
        """Return the words in these attributes of any variable, without the colon after keys (`area: cella`)."""
        words: set[str] = set()
        for variable in self.all:
            for attribute in attributes:
                words.update(word.rstrip(":").rpartition("/")[2] for word in variable.text(attribute).split())
        return frozenset(words)

    def lookup(self, name: str, group: str) -> Array | None:
        """Return the variable that a variable of `group` calls `name`: by its path, else here or in a group above."""
        if name.startswith("/"):
            return self._by_path.get(name.strip("/"))
        while True:
            found = self._by_path.get(f"{group}/{name}" if group else name)
            if found is not None or not group:
                return found
            group = group.rpartition("/")[0]

    def candidates(self, accept: Callable[[Array], bool]) -> list[Array]:
        """Return the variables that are no bounds, hold numbers and are accepted."""
        return [each for each in self.all if each.name not in self.bounds_names and each.numeric and accept(each)]

    def values(self, variable: Array) -> Floats | None:
        """Return all values as float64 with NaN for missing ones; None when there are more than the limits allow."""
        if variable.size > self.limits.coordinate_values or math.prod(variable.chunks) > CHUNK_VALUES:
            return None
        return floats(variable.read((slice(None),) * variable.ndim))

    def some(self, variable: Array) -> Values | None:
        """Return all values, or a sample that holds both ends; None when even that is too much to read.

        Of two and more axes whole rows are taken, the first and the last among them; of one axis evenly spaced pieces.
        """
        whole = self.values(variable)
        if whole is not None:
            return Values(whole)
        if math.prod(variable.chunks) > CHUNK_VALUES or not variable.ndim:
            return None
        row = math.prod(variable.shape[1:])
        if row > SAMPLE // 2:
            return None
        # A piece costs the whole chunks that it touches.
        cost = max(1, row * variable.chunks[0] if variable.ndim > 1 and variable.chunks else math.prod(variable.chunks))
        pieces = max(2, CHUNK_VALUES // cost)
        if variable.ndim > 1:
            rows = np.unique(np.linspace(0, variable.shape[0] - 1, min(pieces, SAMPLE // row)).astype(int))
            chosen = [(slice(at, at + 1), *(slice(None),) * (variable.ndim - 1)) for at in map(int, rows)]
        else:
            length = SAMPLE // BLOCKS
            starts = np.linspace(0, variable.shape[0] - length, min(pieces, BLOCKS)).astype(int)
            chosen = [(slice(at, at + length),) for at in map(int, starts)]
        return Values(np.concatenate([floats(variable.read(piece)) for piece in chosen]), sampled=True)

    def bounds_of(self, variable: Array) -> Floats | None:
        """Return the values of the bounds variable that `variable` names, None without one."""
        name = variable.text("bounds") or variable.text("climatology")
        found = self.lookup(name, variable.group) if name else None
        if found is None or not found.numeric or found.ndim != variable.ndim + 1:
            return None
        if found.shape[: variable.ndim] != variable.shape:
            return None
        values = self.values(found)
        if values is None or not np.isfinite(values).any() or (variable.ndim == 1 and not np.isfinite(values).all()):
            return None
        # Bounds that repeat the units may do so in their own words; those that do not have the coordinate's.
        return values * radian_factor(found if found.text("units") else variable)

    def is_data(self, variable: Array) -> bool:
        """Whether the variable is a measured quantity, not a coordinate, bounds, mapping, mesh or cell measure."""
        role = self.bounds_names | self.auxiliary_names | self.mapping_names | self.measure_names
        if variable.name in role or variable.along_itself or not variable.numeric:
            return False
        if {"grid_mapping_name", "cf_role"} & variable.attributes.keys() or variable.text("standard_name") in NOT_DATA:
            return False
        roles = (is_latitude, is_longitude, called_latitude, called_longitude)
        return not any(each(variable) for each in roles)


def mapping_names(text: str) -> list[str]:
    """Return the names of the grid mappings in the attribute: `crs`, or in the long form `crs: x y other: lat lon`."""
    words = text.split()
    keys = [word.rstrip(":") for word in words if word.endswith(":")]
    return [word.rpartition("/")[2] for word in (keys or words)]


def floats(values: Any) -> Floats:
    """Return values as float64 with NaN for masked ones."""
    return np.asarray(np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan), dtype=np.float64)


def radian_factor(variable: Array) -> float:
    """Return what to multiply an angle of `variable` with to have degrees."""
    return 180.0 / math.pi if variable.text("units").lower() in RADIANS else 1.0


def is_latitude(variable: Array) -> bool:
    """Whether CF calls this a latitude: by standard name, else by units; an axis Y alone may be anything."""
    named = variable.text("standard_name")
    return named == "latitude" or (not named and variable.text("units").lower() in NORTH)


def is_longitude(variable: Array) -> bool:
    """Whether CF calls this a longitude: by standard name, else by units."""
    named = variable.text("standard_name")
    return named == "longitude" or (not named and variable.text("units").lower() in EAST)


def called_latitude(variable: Array) -> bool:
    """Whether only the name says that this is a latitude, or degrees along an axis Y."""
    return _called(variable, LATITUDES, "y")


def called_longitude(variable: Array) -> bool:
    """Whether only the name says that this is a longitude, or degrees along an axis X."""
    return _called(variable, LONGITUDES, "x")


def _called(variable: Array, names: Iterable[str], axis: str) -> bool:
    units = variable.text("units").lower()
    if variable.text("standard_name") or units not in ANGLES or not variable.ndim:
        return False
    return variable.name.lower() in names or (variable.text("axis").lower() == axis and units in DEGREES)


def unpack(raw: Any, attributes: Mapping[str, Any], fill: Any = None) -> Floats:
    """Return stored numbers as CF means them (section 8.1): missing ones NaN, then scaled and shifted.

    For stores that hand out what is stored; `fill` is the store's own fill value. netCDF4 does this by itself.
    """
    stored = np.asarray(raw)
    if text_of(attributes.get("_Unsigned")).lower() == "true" and stored.dtype.kind == "i":
        stored = stored.view(f"u{stored.dtype.itemsize}")
    values = stored.astype(np.float64)
    for mark in (fill, attributes.get("_FillValue"), attributes.get("missing_value")):
        for number in _numbers(mark):
            # A mark of unsigned values may be written as a signed number.
            same = number + 256.0**stored.dtype.itemsize if stored.dtype.kind == "u" and number < 0 else number
            values = np.where(stored.astype(np.float64) == same, np.nan, values)
    scale, offset = (_numbers(attributes.get(name)) for name in ("scale_factor", "add_offset"))
    return np.asarray(values * (scale[0] if scale else 1.0) + (offset[0] if offset else 0.0), dtype=np.float64)


def _numbers(value: object) -> list[float]:
    """Return the numbers in an attribute, none where it has none."""
    try:
        return [float(each) for each in np.asarray(value).ravel()] if value is not None else []
    except (TypeError, ValueError):
        return []
