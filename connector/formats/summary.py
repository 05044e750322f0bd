"""What is printed of a file: one JSON object with the facts that a person checks before they become a record.

Nothing is left unsaid: a fact that the file does not give is null, and a sentence says so. Where each value was found
stands beside it.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from connector.errors import Refusal
from connector.formats.description import BBox, Description, Nature, Period, Source, Variable

EPSG: Final = re.compile(r"https?://www\.opengis\.net/def/crs/EPSG/[\d.]+/(\d+)")
CRS84: Final = re.compile(r"https?://www\.opengis\.net/def/crs/OGC/[\d.]+/CRS84")
WHOLE: Final = re.compile(r"\d{4}(?:-\d{2})?")
USUAL: Final = frozenset({"standard", "gregorian", "proleptic_gregorian"})
"""Calendars that are those of ISO 8601 for all times that data are about."""

APPROXIMATE: Final = {
    "centres": "The bounding box goes through the centres of the outer cells: where their edges are cannot be known.",
    "hull": "The bounding box is that of a few control points; the data may reach a little beyond it.",
    "sampled": "The bounding box is that of a part of the positions; others may lie outside.",
    "attribute": "The bounding box is the one that the file states of itself; no coordinates were read to check it.",
}
TOLD: Final = {"hull": "control points", "sampled": "sample of"}
"""Words by which a reader's own note says already what `APPROXIMATE` does."""

CHECK: Final = "Check the file with the tool that wrote it, or fetch it again."
NO_PLACE: Final = ("place by hand", "there is no place")
NO_TIME: Final = ("period by hand", "by hand what time", "no period", "different calendars")
"""Words of the notes by which readers say that they found no place or no time."""

NO_DATA: Final = "holds no data"
WITHOUT_DATA: Final[dict[Nature, str]] = {
    "structure": "The file describes the structure of data and has none of its own.",
    "metadata": "The file describes data elsewhere and has none of its own.",
    "footer": "The file is a message about a reply and has no data of its own.",
}
NAMES: Final = {
    "period": "temporal",
    "temporal_resolution": "temporalResolution",
    "spatial_resolution": "spatialResolution",
    "spatial_resolution_degrees": "spatialResolution",
    "spatial_resolution_metres": "spatialResolution",
    "license": "licence",
}
"""What readers call a field that has another name here."""


def summary(file: str, described: Description) -> dict[str, Any]:
    """Return the object that is printed of a file.

    `bbox` is [west, south, east, north] in degrees (OGC:CRS84), west > east across the 180th meridian. `crs` is
    `EPSG:n`, `OGC:CRS84` or words. `temporal` has the first and the last instant covered in the file's own calendar,
    with `calendar` where that is not the usual one; `end` is null where it is open. `spatialResolution` is
    {"metres": n} or {"degrees": n}, the larger of the two sides of a cell.
    """
    said, source = title(described)
    facts = {
        "title": said,
        "bbox": _corners(described.bbox),
        "crs": crs(described),
        "temporal": _temporal(described.period),
        "temporalResolution": described.temporal_resolution,
        "spatialResolution": _spacing(described),
        "variables": [_variable(each) for each in described.variables],
        "dimensions": [each.name for each in described.dimensions if each.role in {"dimension", "time"}],
        "rows": rows(described),
        "licence": described.licence,
    }
    return {
        "file": file,
        "kind": described.kind,
        **{name: facts[name] for name in facts if name != "licence"},
        "format": described.format,
        "mediaType": described.media_type,
        "byteSize": described.byte_size,
        "checksum": f"sha256:{described.sha256}" if described.sha256 else None,
        "licence": described.licence,
        "warnings": list(warnings(described)),
        "sources": _sources(described, facts, source),
    }


def refused(file: str, refusal: Refusal) -> dict[str, Any]:
    """Return the object that is printed of a file that cannot be read."""
    what = " ".join([refusal.message, *refusal.reasons])
    where = refusal.where if refusal.where and refusal.where != PurePath(file).name else file
    return {"file": file, "error": {"what": what, "where": where, "fix": refusal.fix or CHECK}}


def title(described: Description) -> tuple[str | None, Source | None]:
    """Return the title of a file and where it was found: its own, else the words for its main variable.

    The main variable is the first of those with most dimensions that has words. The name of a file is no title.
    """
    if described.title:
        return described.title, described.sources.get("title", "attribute")
    # The words for a band of a raster say which colour it is, not what is to be seen.
    bands = described.raster or described.scene
    worded = [each for each in described.variables if each.long_name and not bands]
    if not worded:
        return None, None
    main = max(worded, key=lambda each: len(each.shape))
    house = described.publisher or described.creator
    return f"{main.long_name}, {house}" if house else main.long_name, "default"


def warnings(described: Description) -> Iterator[str]:
    """Yield the sentences that the provider of a file should read: what there is to know, and what it does not say."""
    yield from dict.fromkeys([*findings(described), *_missing(described)])


def findings(described: Description) -> Iterator[str]:
    """Yield what there is to know of a file, for its users too: the reader's notes, and how sure the box is."""
    yield from described.notes
    basis = described.bbox.basis if described.bbox else None
    if described.kind in WITHOUT_DATA:
        if not _told(described, NO_DATA):
            yield WITHOUT_DATA[described.kind]
    elif basis in APPROXIMATE:
        if basis not in TOLD or not _told(described, TOLD[basis]):
            yield APPROXIMATE[basis]
    elif described.bbox and described.bbox.approximate:
        yield "The bounding box is approximate."


def _missing(described: Description) -> Iterator[str]:
    if title(described)[0] is None:
        yield "The file has no title: give it one."
    if described.kind not in WITHOUT_DATA:
        if described.bbox is None and not _told(described, *NO_PLACE):
            yield "No place was found in the file: the bounding box is open."
        if described.period is None and not _told(described, *NO_TIME):
            yield "No time was found in the file: the period is open."
        if described.bbox and crs(described) is None and not _told(described, "reference system"):
            yield "The file does not name its coordinate reference system."
    if described.licence is None:
        yield "The file does not state a licence: ask whoever made it."


def _told(described: Description, *words: str) -> bool:
    """Tell whether a note of the reader has any of these words, so that nothing is said twice."""
    return any(each in note for each in words for note in described.notes)


def crs(described: Description) -> str | None:
    """Return the reference system as `EPSG:n`, `OGC:CRS84` or words."""
    if described.epsg:
        return f"EPSG:{described.epsg}"
    text = described.crs or ""
    if found := EPSG.fullmatch(text):
        return f"EPSG:{found[1]}"
    return "OGC:CRS84" if CRS84.fullmatch(text) else described.crs


def covered(period: Period) -> tuple[str, str]:
    """Return the first and the last instant that the data cover, in the file's own calendar.

    Statistics name years or months: these stand as the file has them. Quarters and the like are no ISO 8601 and are
    given by their first and last day.
    """
    if all(WHOLE.fullmatch(each) for each in (period.first, period.last)):
        return period.first, period.last
    if period.covers:
        return period.covers
    return (period.begin, period.end) if period.basis == "bounds" else (period.first, period.last)


def rows(described: Description) -> int | None:
    """Return how many rows, features or observations a file has."""
    if described.rows is None and described.statistics and described.kind not in WITHOUT_DATA:
        return described.statistics.observations
    return described.rows


def _temporal(period: Period | None) -> dict[str, str | None] | None:
    if period is None:
        return None
    start, end = covered(period)
    found = {"start": start or None, "end": end or None}
    return found if period.calendar in USUAL else {**found, "calendar": period.calendar}


def _corners(box: BBox | None) -> list[float] | None:
    return [round(side, 7) for side in (box.west, box.south, box.east, box.north)] if box else None


def _spacing(described: Description) -> dict[str, float] | None:
    if described.spatial_resolution_metres:
        return {"metres": described.spatial_resolution_metres}
    if described.spatial_resolution_degrees:
        return {"degrees": described.spatial_resolution_degrees}
    return None


def _variable(each: Variable) -> dict[str, str | None]:
    return {"name": each.name, "standard_name": each.standard_name, "units": each.unit}


def _sources(described: Description, facts: dict[str, Any], titled: Source | None) -> dict[str, Source]:
    """Return where each fact was found; what readers say themselves goes before what the grounds of a value tell."""
    box, period = described.bbox, described.period
    told: dict[str, Source | None] = {
        "title": titled,
        "bbox": "attribute" if box and box.basis == "attribute" else "coordinate",
        "temporal": "attribute" if period and period.basis == "attribute" else "coordinate",
        "temporalResolution": "coordinate" if period else "attribute",
        "spatialResolution": "coordinate",
    }
    own = {NAMES.get(name, name): source for name, source in described.sources.items()}
    given = (name for name, value in facts.items() if value not in (None, []))
    return {name: own.get(name) or told.get(name) or "attribute" for name in given}
