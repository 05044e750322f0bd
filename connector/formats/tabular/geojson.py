"""GeoJSON (RFC 7946), one text or a sequence of texts (RFC 8142, newline-delimited). Runs in the child.

One feature at a time is in memory. A `crs` member of the older specification of 2008 is taken by its name; a link is
never followed. The box is that of the positions; a `bbox` member is only compared with it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyproj
from pyproj.exceptions import CRSError

from connector.errors import InvalidInput
from connector.formats.containers.budget import Budget
from connector.formats.containers.json_stream import JsonStream
from connector.formats.coordinates import crs as systems
from connector.formats.coordinates.extent import POLE, ROUNDING, arc, box, degrees_apart
from connector.formats.coordinates.footprint import CRS84_IRI, Footprint, is_crs84, named
from connector.formats.coordinates.moments import Moments
from connector.formats.description import BBox, Facts, Limits, Variable, short
from connector.formats.tabular.tables import time_columns

DEPTH: Final = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
POINTS: Final = frozenset({"Point", "MultiPoint"})
NESTED: Final = 16
LONGEST: Final = 32 << 20  # characters of one feature
FIELDS: Final = 1000
TOLERANCE: Final = 1e-3  # degrees
WGS84: Final = 4326
URN: Final = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?(EPSG|OGC)[:/]+(?:[\w.]*[:/])?(\w+)"
)
SEQUENCE: Final = "application/geo+json-seq"
TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "text", list: "array", dict: "object"}
LINK: Final = (
    "The file names its reference system by a link, which is not followed: name the system and the place by hand."
)
NO_SYSTEM: Final = "The file says that its reference system is not known: name it and the place by hand."
UNKNOWN: Final = "The reference system {!r} of the file is not known: name it and the place by hand."


class Again(Exception):  # noqa: N818 - it is no mistake of anybody
    """What was read last changes what the positions mean: read once more, with this in mind."""

    def __init__(self, manner: "Manner") -> None:
        super().__init__()
        self.manner = manner


class Manner(NamedTuple):
    """How positions are to be understood: their system, and whether long steps go across 180 degrees."""

    crs: pyproj.CRS | None
    short_way: bool
    note: str | None = None


def read(path: Path, limits: Limits) -> Facts:
    """Describe the GeoJSON at `path`.

    Raises:
        InvalidInput: it is damaged or cut off, or is JSON of another kind.
        TooLarge: a single feature is larger than allowed.
    """
    manner = Manner(pyproj.CRS.from_user_input(systems.CRS84), short_way=False)
    budget = Budget(limits)
    for _ in range(3):  # one reading more for each thing that can change the manner
        try:
            with path.open("rb") as file:
                return _Reader(manner, budget).read(JsonStream(file, LONGEST))
        except Again as again:
            manner = again.manner
    raise InvalidInput("The members of the GeoJSON contradict each other.")


class _Reader:
    """Gathers what a text holds."""

    def __init__(self, manner: Manner, budget: Budget) -> None:
        self._manner = manner
        self._budget = budget
        self._footprint = Footprint(manner.crs, short_way=manner.short_way)
        self._features = 0
        self._placeless = 0
        self._fields: dict[str, str] = {}
        self._kinds: dict[str, None] = {}
        self._moments: dict[str, Moments] = {}
        self._root: dict[str, Any] = {}
        self._complete = True
        self._texts = 0

    def read(self, text: JsonStream) -> Facts:
        """Read the text or texts and return the facts."""
        if text.peek() != "{":
            raise InvalidInput("The text is no GeoJSON: it does not begin with an object.")
        self._first(text)
        self._texts = 1
        while self._complete and text.peek():
            if self._root.get("type") == "FeatureCollection":
                raise InvalidInput("Something stands behind the end of the GeoJSON: the file is damaged.")
            self._texts += 1
            self._object(text.value())
        return self._facts()

    def _first(self, text: JsonStream) -> None:
        """Read the first text member by member: it may be all there is, and long."""
        for key in text.members():
            if key == "features" and text.peek() == "[":
                for feature in text.elements():
                    self._feature(feature)
                    if self._budget.tick():
                        self._complete = False
                        return
            else:
                value = text.value()
                if key in {
                    "type",
                    "bbox",
                    "crs",
                    "name",
                    "title",
                    "geometry",
                    "properties",
                    "coordinates",
                    "geometries",
                }:
                    self._root[key] = value
                if key in {"crs", "bbox"}:
                    self._understand()
        if self._root.get("type") != "FeatureCollection":
            self._object(self._root)

    def _understand(self) -> None:
        """Take the reference system and the direction from the members of the outer object.

        Raises:
            Again: positions were read before, in another manner.
        """
        manner = self._manner
        if "crs" in self._root:
            crs, note = _system(self._root["crs"])
            manner = manner._replace(crs=crs, note=note)
        said = _declared(self._root.get("bbox"))
        if said and said.crosses_antimeridian:
            manner = manner._replace(short_way=True)
        if manner == self._manner:
            return
        if self._features:
            raise Again(manner)
        self._manner = manner
        self._footprint = Footprint(manner.crs, short_way=manner.short_way)

    def _object(self, value: Any) -> None:
        """Take in a text that is no collection of features."""
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "Feature":
            self._feature(value)
        elif kind in DEPTH or kind == "GeometryCollection":
            self._features += 1
            self._geometry(value, 0)
        elif kind == "FeatureCollection" and isinstance(value.get("features"), list):
            for feature in value["features"]:
                self._feature(feature)
        else:
            raise InvalidInput("The JSON text is no GeoJSON: its type is none of those of RFC 7946.")

    def _feature(self, feature: Any) -> None:
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise InvalidInput(f"Feature {self._features + 1} of the GeoJSON is none.")
        self._features += 1
        said = _declared(feature.get("bbox"))
        if said and said.crosses_antimeridian and not self._manner.short_way and self._manner.crs is not None:
            raise Again(self._manner._replace(short_way=True))
        geometry = feature.get("geometry")
        if geometry is None:
            self._placeless += 1
        else:
            self._geometry(geometry, 0)
        properties = feature.get("properties")
        if isinstance(properties, dict):
            self._properties(properties)

    def _properties(self, properties: Mapping[str, Any]) -> None:
        for name, value in properties.items():
            kind = TYPES.get(type(value), "")
            known = self._fields.get(name)
            if known is None and len(self._fields) < FIELDS:
                self._fields[name] = kind
                if time_columns([name]):
                    self._moments[name] = Moments(name)
            elif not known:
                self._fields[name] = kind
            elif kind and kind != known:
                self._fields[name] = "number" if {kind, known} == {"integer", "number"} else "mixed"
            if name in self._moments and value is not None:
                self._moments[name].add([str(value)])

    def _geometry(self, geometry: Any, depth: int) -> None:
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        if kind == "GeometryCollection" and depth < NESTED:
            self._kinds[kind] = None
            for each in geometry.get("geometries") or ():
                self._geometry(each, depth + 1)
            return
        if kind not in DEPTH:
            raise InvalidInput(f"The geometry of feature {self._features} is none of RFC 7946.")
        if not depth:
            self._kinds[kind] = None
        try:
            for part in _lines(geometry.get("coordinates"), DEPTH[kind]):
                xs = np.array([position[0] for position in part], dtype=np.float64)
                ys = np.array([position[1] for position in part], dtype=np.float64)
                self._footprint.add(xs, ys, range(xs.size) if kind in POINTS else (0,))
        except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
            raise InvalidInput(f"The coordinates of feature {self._features} are not as its type says.") from error

    def _facts(self) -> Facts:
        crs, epsg = named(self._manner.crs)
        place = self._footprint.box("points" if self._complete else "sampled")
        notes = [*filter(None, [self._manner.note]), *self._footprint.notes(), *self._compared(place)]
        if not self._complete:
            notes.append(f"Only the first {self._features} features were read in the time allowed.")
        if self._placeless:
            notes.append(f"{self._placeless} of {self._features} features have no geometry.")
        if not self._features:
            notes.append("The collection holds no feature: there is no place, and no field is known.")
        moments = self._times()
        if moments is None:
            notes.append("The file does not say what time it is about: state the period by hand.")
        several = self._texts > 1
        return Facts(
            format="GeoJSON (newline-delimited)" if several else "GeoJSON",
            media_type=SEQUENCE if several else None,
            title=short(self._root.get("title") if isinstance(self._root.get("title"), str) else None),
            conforms_to="RFC 8142" if several else "RFC 7946",
            bbox=place,
            # Programs that know only EPSG codes call the system of RFC 7946 by that of WGS 84.
            crs=crs,
            epsg=WGS84 if crs == CRS84_IRI else epsg,
            native_bounds=self._footprint.bounds(),
            geometry_types=tuple(self._kinds),
            period=moments.period() if moments else None,
            temporal_resolution=moments.spacing() if moments else None,
            rows=self._features if self._complete else None,
            variables=tuple(
                Variable(name=text, dtype=kind or None) for name, kind in self._fields.items() if (text := short(name))
            ),
            notes=tuple(notes),
        )

    def _times(self) -> Moments | None:
        """Return the times in the property that the rules for columns would choose, None when there are none."""
        names = list(self._fields)
        chosen = [self._moments[names[place]] for place in time_columns(names) if names[place] in self._moments]
        return next((each for each in chosen if each.period()), None)

    def _compared(self, place: BBox | None) -> list[str]:
        said = _declared(self._root.get("bbox"))
        if said is None or place is None or not self._complete or self._manner.crs is None:
            return []
        if not is_crs84(self._manner.crs) or degrees_apart(said, place) <= TOLERANCE:
            return []
        claim = ", ".join(f"{side:g}" for side in (said.west, said.south, said.east, said.north))
        return [f"The member bbox says {claim}, and the positions say otherwise: the positions count."]


def _lines(coordinates: Any, depth: int) -> Iterator[list[Any]]:
    """Yield runs of positions: a point, the points of a line or of a ring.

    Raises:
        TypeError: the coordinates are no arrays, or not nested as deeply as `depth` says.
    """
    if not isinstance(coordinates, list):
        raise TypeError
    if depth == 0:
        yield from [[coordinates]] if coordinates else []
    elif depth == 1:
        if any(not isinstance(position, list) for position in coordinates):
            raise TypeError
        yield coordinates
    else:
        for each in coordinates:
            yield from _lines(each, depth - 1)


def _declared(value: Any) -> BBox | None:
    """Return a `bbox` member (RFC 7946 section 5) as a box, None when it is none in degrees."""
    if not isinstance(value, list) or len(value) not in {4, 6}:
        return None
    if not all(isinstance(side, int | float) and not isinstance(side, bool) and abs(side) <= 540 for side in value):  # noqa: PLR2004
        return None
    west, south, east, north = value[0], value[1], value[len(value) // 2], value[len(value) // 2 + 1]
    if not -POLE - ROUNDING <= south <= north <= POLE + ROUNDING:
        return None
    return box(arc(west, east if east >= west else east + 360.0), (south, north), "attribute")


def _system(member: Any) -> tuple[pyproj.CRS | None, str | None]:
    """Return the system that a `crs` member names (GeoJSON 2008, section 3), and what to tell the provider."""
    if not isinstance(member, dict):
        return None, NO_SYSTEM
    if member.get("type") == "link":
        return None, LINK
    properties = member.get("properties")
    name = properties.get("name") if isinstance(properties, dict) else None
    found = URN.fullmatch(name) if isinstance(name, str) and len(name) < 200 else None  # noqa: PLR2004 - no name is longer
    if found is None:
        return None, UNKNOWN.format(short(name))
    try:
        return pyproj.CRS.from_user_input(f"{found[1]}:{found[2]}"), None
    except CRSError:
        return None, UNKNOWN.format(short(name))
