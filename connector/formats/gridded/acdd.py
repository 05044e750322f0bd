"""What the global attributes of a file say: titles and names after CF, ACDD 1.3 and GHRSST, and claims of extent.

Claims of extent are compared with the coordinates. Left over from before a cut or filled with zeros, they are wrong in
every other file: the coordinates win, and the provider is told.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from connector.formats.coordinates.extent import degrees_apart, normalise
from connector.formats.description import BBox, Period, clean, short
from connector.formats.gridded.cf import text_of

TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "title": ("title",),
    "description": ("summary", "comment", "description"),
    "licence": ("license", "licence", "rights", "copyright"),
    "creator": ("creator_name", "contact", "author"),
    "publisher": ("publisher_name", "institution"),
    "identifier": ("identifier_product_doi", "doi", "id", "tracking_id"),
    "modified": ("date_modified", "date_created", "creation_date"),
    "frequency": ("frequency",),
    "conforms_to": ("conventions",),
}
LONG: Final = frozenset({"title", "description", "licence", "creator", "publisher"})
SIDES: Final = (
    ("geospatial_lon_min", "geospatial_lat_min", "geospatial_lon_max", "geospatial_lat_max"),
    ("westernmost_longitude", "southernmost_latitude", "easternmost_longitude", "northernmost_latitude"),
)
SPANS: Final = (("time_coverage_start", "time_coverage_end"), ("start_time", "stop_time"), ("start_date", "stop_date"))
DAY: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:$|[T _Z])")
WORDS: Final = 300


class Attributes:
    """Global attributes, found whatever the case of their names."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        self.all = {name.lower(): value for name, value in attributes.items()}

    def first(self, names: Iterable[str]) -> str | None:
        """Return the first of these attributes that says something, as clean text."""
        return next((text for name in names if (text := clean(text_of(self.all.get(name))))), None)

    def texts(self) -> dict[str, Any]:
        """Return the fields of `Facts` that are plain text, those that the file has."""
        found = {field: self.first(names) for field, names in TEXTS.items()}
        return {
            field: text if field in LONG else (short(text) or text) for field, text in found.items() if text is not None
        }

    def keywords(self) -> tuple[str, ...]:
        """Return the keywords, a path of terms (`A > B`) as one."""
        words = re.split(r"[,;]", text_of(self.all.get("keywords")))
        return tuple(dict.fromkeys(text for word in words if (text := short(word))))[:WORDS]

    def period(self) -> Period | None:
        """Return the period that the file claims, in days; None without a claim that makes sense."""
        for names in SPANS:
            begin, end = (self.first([name]) for name in names)
            days = [day_of(text) for text in (begin, end)]
            if begin is None or end is None or days[0] is None or days[1] is None or days[1] < days[0]:
                continue
            first, last = short(begin) or days[0], short(end) or days[1]
            return Period(begin=days[0], end=days[1], first=first, last=last, basis="attribute")
        return None

    def extents(self) -> list[tuple[float, ...] | None]:
        """Return the boxes that the file claims as W S E N, None for one that is no numbers."""
        stated = [names for names in SIDES if set(names) <= self.all.keys()]
        return [_numbers(self.all[name] for name in names) for names in stated]


def day_of(text: str | None) -> str | None:
    """Return the day of a date as ISO 8601, None when the text begins with none."""
    found = DAY.match(text or "")
    return "-".join(found.groups()) if found else None


def extent_notes(attributes: Attributes, found: BBox | None, cell: float) -> list[str]:
    """Tell the provider when an extent in the global attributes is not that of the coordinates.

    `cell` is the size of a cell in degrees: claims of the centres and of the edges are both honest.
    """
    notes = [_extent_note(claim, found, cell) for claim in attributes.extents()]
    return list(dict.fromkeys(note for note in notes if note))[:1]


def _extent_note(claim: tuple[float, ...] | None, found: BBox | None, cell: float) -> str | None:
    claimed = None if claim is None else _box(*claim)
    if claim is None or claimed is None:
        return "The extent in the global attributes (geospatial_lat_min and so on) is no place on Earth."
    west, south, east, north = claim
    says = f"The global attributes claim longitudes {west:g} to {east:g} and latitudes {south:g} to {north:g}"
    if found is None:
        return f"{says}, but no coordinates in the file show it: they were not taken."
    if degrees_apart(found, claimed) <= cell / 2 + 0.01:
        return None
    return (
        f"{says}; the coordinates hold {found.west:g} to {found.east:g} and {found.south:g} to {found.north:g}. "
        "The coordinates were taken."
    )


def _numbers(values: Iterable[Any]) -> tuple[float, ...] | None:
    try:
        return tuple(float(np.asarray(value).ravel()[0]) for value in values)
    except (ValueError, IndexError, TypeError):
        return None


def _box(west: float, south: float, east: float, north: float) -> BBox | None:
    try:
        wide = east - west >= 360.0 - 1e-6
        return BBox(
            west=-180.0 if wide else normalise(west),
            south=south,
            east=180.0 if wide or normalise(east) == -180.0 else normalise(east),  # noqa: PLR2004 - the antimeridian
            north=north,
            basis="attribute",
        )
    except ValueError:
        return None


def period_notes(attributes: Attributes, found: Period | None) -> list[str]:
    """Tell the provider when the period in the global attributes is not that of the time coordinate."""
    claim = attributes.period()
    if claim is None or found is None or found.basis == "attribute":
        return []
    begins = claim.begin in {found.begin[:10], found.first[:10]}
    ends = claim.end in {found.end[:10], found.last[:10]} or (found.last[:10] <= claim.end <= found.end[:10])
    if begins and ends:
        return []
    note = (
        f"The global attributes claim the period {claim.begin} to {claim.end}; the time coordinate holds "
        f"{found.first} to {found.last}. The coordinate was taken."
    )
    return [note]
