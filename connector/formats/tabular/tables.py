"""What the names and values of columns say: place, time and units. Shared by the readers of tables.

Names propose and values decide: a column called `lat` is a latitude only when all its numbers can be one. Columns
called x and y are not guessed at, for nobody knows in which system they are.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyproj

from connector.formats.coordinates import crs as systems
from connector.formats.coordinates.extent import POLE, TURN, Floats
from connector.formats.coordinates.footprint import CRS84_IRI, Footprint
from connector.formats.coordinates.moments import MISSING, TIME_OF_DAY, Moments
from connector.formats.description import BBox, short

LATITUDES: Final = frozenset(
    {
        *("lat", "latitude", "lat_deg", "latitude_deg", "lat_dd", "latitude_dd", "lat_wgs84", "latitude_wgs84"),
        *("decimallatitude", "decimal_latitude", "geo_lat", "latitude_degrees", "station_lat", "station_latitude"),
        *("geobreite", "geogr_breite", "breitengrad", "latitud", "latitudine"),
    }
)
LONGITUDES: Final = frozenset(
    {
        *("lon", "long", "lng", "longitude", "lon_deg", "longitude_deg", "lon_dd", "longitude_dd", "lon_wgs84"),
        *("longitude_wgs84", "decimallongitude", "decimal_longitude", "geo_lon", "geo_lng", "longitude_degrees"),
        *("station_lon", "station_longitude", "geolaenge", "geogr_laenge", "laengengrad", "longitud", "longitudine"),
    }
)
PROJECTED: Final = frozenset(
    {
        "x",
        "y",
        "easting",
        "northing",
        "east",
        "north",
        "rechtswert",
        "hochwert",
        "xcoord",
        "ycoord",
        "x_coord",
        "y_coord",
    }
)
# The first that is there counts.
TIMES: Final = (
    *("datetime", "date_time", "timestamp", "time_utc", "datetime_utc", "utc_datetime", "timestamp_utc", "time"),
    *("valid_time", "validtime", "obs_time", "obstime", "observation_time", "observed_at", "measured_at"),
    *("phenomenontime", "phenomenon_time", "sampling_time", "date", "date_utc", "day_date", "obs_date", "eventdate"),
    *("event_date", "sampling_date", "mess_datum", "messdatum", "datum", "zeitstempel", "zeitpunkt", "fecha"),
)
CLOCKS: Final = ("time", "time_utc", "hour_minute", "uhrzeit", "zeit")
DAYS: Final = ("date", "date_utc", "datum", "obs_date", "sampling_date")
PARTS: Final = (("year", "yr", "jahr"), ("month", "mon", "mo", "monat"), ("day", "tag"))
DIGITS: Final = 40
YEAR_LIKE: Final = re.compile(r"[12]\d{3}(?:\.0)?")
BRACKETS: Final = re.compile(r"\s*[\[(]([^\])]*)[\])]\s*$")
# As UDUNITS writes them; only what can be nothing else. `ms` may be milliseconds, `m` may be months or millions.
UNITS: Final = {
    "K": "K",
    "degC": "degC",
    "celsius": "degC",
    "Celsius": "degC",
    "kelvin": "K",
    "Kelvin": "K",
    "degF": "degF",
    "Pa": "Pa",
    "hPa": "hPa",
    "kPa": "kPa",
    "mbar": "mbar",
    "hpa": "hPa",
    "mm": "mm",
    "cm": "cm",
    "km": "km",
    "m3": "m3",
    "m2": "m2",
    "km2": "km2",
    "kg": "kg",
    "kWh": "kWh",
    "MWh": "MWh",
    "GWh": "GWh",
    "TWh": "TWh",
    "kwh": "kWh",
    "mwh": "MWh",
    "gwh": "GWh",
    "percent": "percent",
    "pct": "percent",
    "deg": "degree",
    "degrees": "degree",
    "mps": "m s-1",
    "kmh": "km h-1",
    "ugm3": "ug m-3",
    "ug_m3": "ug m-3",
    "ppm": "ppm",
    "ppb": "ppb",
    "Hz": "Hz",
    "wm2": "W m-2",
    "W_m2": "W m-2",
}
IN_BRACKETS: Final = {
    **UNITS,
    "m": "m",
    "s": "s",
    "g": "g",
    "t": "t",
    "h": "h",
    "W": "W",
    "%": "percent",
    "°C": "degC",
    "C": "degC",
    "m/s": "m s-1",
    "m s-1": "m s-1",
    "ms-1": "m s-1",
    "km/h": "km h-1",
    "°": "degree",
    "W/m2": "W m-2",
    "W m-2": "W m-2",
    "µg/m3": "ug m-3",
    "µg/m³": "ug m-3",
    "ug/m3": "ug m-3",
    "kg m-2": "kg m-2",
    "mg/l": "mg L-1",
}
# `_m` is metres behind a word for a length.
LENGTHS: Final = re.compile(r"(?:^|_)(?:elevation|elev|height|altitude|alt|depth|distance|length|width)_m$")
NO_PLACE: Final = "The table has no columns of latitude and longitude: name the place by hand."
IN_A_SYSTEM: Final = (
    "The columns {} may be coordinates in a projected system, which the table does not name: name the reference system "
    "and the place by hand."
)
SEVERAL: Final = "Several columns may be the {} ({}): name the place by hand."
OUT_OF_RANGE: Final = "Column {!r} is called a {} but holds {}, which is none in degrees: name the place by hand."
NO_PERIOD: Final = "The table has no column of times that can be read: state by hand what time the data are about."
FROM_NAMES: Final = "Units were read from the names of the columns: {}."


class Columns(NamedTuple):
    """Which columns, by their place in the table, may hold what; `times` are read together."""

    latitude: int | None
    longitude: int | None
    times: tuple[int, ...]
    notes: tuple[str, ...]


def plain(name: str) -> str:
    """Return a name as it is compared: lower case, without a unit in brackets, words joined by underscores."""
    bare = BRACKETS.sub("", name).strip().casefold()
    return re.sub(r"[\s\-.]+", "_", bare)


def propose(names: Sequence[str]) -> Columns:
    """Return what the names of columns propose."""
    known = [plain(name) for name in names]
    notes = []
    found: list[int | None] = []
    for words, kind in ((LATITUDES, "latitude"), (LONGITUDES, "longitude")):
        places = [index for index, name in enumerate(known) if name in words]
        if len(places) > 1:
            notes.append(SEVERAL.format(kind, ", ".join(names[index] for index in places)))
        found.append(places[0] if len(places) == 1 else None)
    latitude, longitude = found
    if latitude is None or longitude is None:
        latitude = longitude = None
        projected = [names[index] for index, name in enumerate(known) if name in PROJECTED]
        notes.append(IN_A_SYSTEM.format(" and ".join(projected)) if len(projected) > 1 else NO_PLACE)
    return Columns(latitude, longitude, time_columns(names), tuple(notes))


def time_columns(names: Sequence[str]) -> tuple[int, ...]:
    """Return the places of the columns that together give a time: one, a day and a clock, or year, month and day."""
    known = {plain(name): index for index, name in reversed(list(enumerate(names)))}
    day = next((known[each] for each in DAYS if each in known), None)
    clock = next((known[each] for each in CLOCKS if each in known), None)
    if day is not None and clock is not None and day != clock:
        return day, clock
    single = next((known[each] for each in TIMES if each in known), None)
    if single is not None:
        return (single,)
    parts = []
    for words in PARTS:
        place = next((known[each] for each in words if each in known), None)
        if place is None:
            break
        parts.append(place)
    return tuple(parts)


def unit_of(name: str) -> str | None:
    """Return the unit that a column's name ends with, when it can be no other; in brackets more can be told."""
    bracket = BRACKETS.search(name)
    if bracket:
        return IN_BRACKETS.get(bracket[1].strip())
    if LENGTHS.search(name.lower()):
        return "m"
    words = name.split("_")
    return (UNITS.get("_".join(words[-2:])) if len(words) > 2 else None) or (  # noqa: PLR2004 - a name and two words
        UNITS.get(words[-1]) if len(words) > 1 else None
    )


def times_of(columns: Sequence[Sequence[str]], names: Sequence[str]) -> tuple[list[str], str]:
    """Return the times that the rows of some columns give together, as texts, and what the column is called."""
    if len(columns) == 1:
        return list(columns[0]), names[0]
    first, second = columns[0], columns[1]
    if any(YEAR_LIKE.fullmatch(each.strip()) for each in first[:1]):
        joined = ["-".join(_digits(part) for part in row) for row in zip(*columns, strict=True)]
        return joined, " ".join(names)
    clocks = [each.strip() for each in second]
    if all(not each or TIME_OF_DAY.fullmatch(each) for each in clocks):
        return [f"{day.strip()} {clock}".strip() for day, clock in zip(first, clocks, strict=True)], " ".join(names)
    return list(second), names[1]


def _digits(text: str) -> str:
    return text.strip().removesuffix(".0").zfill(2)


class Positions:
    """Latitudes and longitudes as they stream by; one number that can be none of them, and there is no box."""

    def __init__(self, latitude: str, longitude: str) -> None:
        self._names = {"latitude": latitude, "longitude": longitude}
        self._footprint = Footprint(pyproj.CRS.from_user_input(systems.CRS84))
        self.wrong: str | None = None
        self.missing = 0

    def add_texts(self, latitudes: Sequence[str], longitudes: Sequence[str], *, comma: bool) -> None:
        """Take in positions as they are written, with a decimal comma or a point."""
        if self.wrong is None:
            read = [
                self._numbers(texts, kind, comma=comma)
                for kind, texts in (("latitude", latitudes), ("longitude", longitudes))
            ]
            if self.wrong is None:
                self.add(*read)

    def add(self, latitudes: Floats, longitudes: Floats) -> None:
        """Take in positions; NaN is missing."""
        there = ~(np.isnan(latitudes) | np.isnan(longitudes))
        self.missing += int(there.size - there.sum())
        latitudes, longitudes = latitudes[there], longitudes[there]
        self._check(latitudes, longitudes)
        if self.wrong is None and latitudes.size:
            self._footprint.add(longitudes, latitudes, range(latitudes.size))

    def add_ranges(self, latitudes: Floats, longitudes: Floats) -> None:
        """Take in ranges (n, 2) that positions lie in: their least and their largest values."""
        self._check(latitudes, longitudes)
        if self.wrong is None:
            self._footprint.add(longitudes.ravel(), latitudes.ravel(), range(0, longitudes.size, 2))

    def _check(self, latitudes: Floats, longitudes: Floats) -> None:
        for kind, values, low, high in (
            ("latitude", latitudes, -POLE, POLE),
            ("longitude", longitudes, -TURN / 2, TURN),
        ):
            out = values[(values < low) | (values > high)]
            if out.size and self.wrong is None:
                self._refuse(kind, f"{out[0]:g}")

    def _numbers(self, texts: Sequence[str], kind: str, *, comma: bool) -> Floats:
        if max(map(len, texts), default=0) <= DIGITS:  # as an array every text takes the room of the longest
            try:
                return np.array(texts, dtype=str).astype(np.float64)
            except ValueError:
                pass  # not all of them are figures as numpy knows them: one by one it shows which, and why
        numbers = []
        for text in texts:
            value = text.strip()
            if value.lower() in MISSING:
                numbers.append(np.nan)
                continue
            try:
                numbers.append(float(value.replace(",", ".") if comma else value))
            except ValueError:
                self._refuse(kind, repr(short(value)))
                break
        return np.array(numbers, dtype=np.float64)

    def _refuse(self, kind: str, value: str) -> None:
        self.wrong = OUT_OF_RANGE.format(short(self._names[kind]), kind, value)

    def box(self, *, complete: bool = True) -> BBox | None:
        """Return the smallest box around the positions."""
        return None if self.wrong else self._footprint.box("points" if complete else "sampled")

    def crs(self) -> str | None:
        """Return the reference system: degrees that pass are those of CRS84."""
        return CRS84_IRI if self.box() else None

    def notes(self) -> list[str]:
        """Return what the provider should know."""
        if self.wrong:
            return [self.wrong]
        if self.box() is None:
            return ["The columns of latitude and longitude are empty: name the place by hand."]
        return [f"{self.missing} rows have no position."] * (self.missing > 0)


def unit_notes(units: Iterable[tuple[str, str | None]]) -> list[str]:
    """Return the note about units that only the names of columns gave, for (name, unit) of each column."""
    found = [f"{name} in {unit}" for name, unit in units if unit]
    return [FROM_NAMES.format(", ".join(found[:20]))] if found else []


def time_notes(moments: Moments | None) -> list[str]:
    """Return what to tell the provider about the times of a table."""
    if moments is None:
        return [NO_PERIOD]
    said = moments.notes()
    return said if moments.period() or any("by hand" in note for note in said) else [*said, NO_PERIOD]
