"""GeoTIFF, cloud optimised or not: size, bands, reference system, and the box of its border. Runs in the child.

GDAL is held to the one driver that the magic bytes announce; otherwise a text file called `.tif` could name any file
or address as its source. No pixel is read.
"""

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyproj
import rasterio
from rasterio.errors import RasterioError

from connector.errors import InvalidInput
from connector.formats import crs as systems
from connector.formats import tiff
from connector.formats.description import BBox, Dimension, Facts, Limits, Raster, Variable, clean, short, tidy

COG_MEDIA_TYPE: Final = "image/tiff; application=geotiff; profile=cloud-optimized"
COG_STANDARD: Final = "OGC Cloud Optimized GeoTIFF"
STANDARD: Final = "OGC GeoTIFF"
NO_COLOUR: Final = frozenset({"gray", "undefined", "grey"})
LISTED: Final = 300
BY_HAND: Final = "name the place by hand."


def read(path: Path, limits: Limits) -> Facts:  # noqa: ARG001 - a header has no part that grows with the limits
    """Describe the GeoTIFF at `path`.

    Raises:
        InvalidInput: the file is cut off, or is no TIFF that can be opened.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if head[:2] not in {b"II", b"MM"}:
        raise InvalidInput("The file is called a GeoTIFF but does not begin as one.")
    layout = tiff.layout(path)
    try:
        with rasterio.open(str(path), driver="GTiff") as raster:
            return _facts(raster, layout)
    except RasterioError as error:
        raise InvalidInput("The file is no TIFF that can be opened; it may be damaged.") from error


def _facts(raster: Any, layout: tiff.Layout) -> Facts:
    system = _system(raster)
    found, notes = _extent(raster, system)
    resolution = _resolution(raster)
    unit = systems.metres_per_unit(system) if system else None
    geographic = bool(system and system.is_geographic)
    cloud = raster.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG" and layout.directories_first
    tags = raster.tags()
    stamp = _stamp(tags)
    if stamp:
        notes.append(f"The TIFF's own date is {stamp}: that is when it was written, not when the scene was taken.")
    notes.append("The file does not say what time it is about: state the period by hand.")
    return Facts(
        format="GeoTIFF",
        media_type=COG_MEDIA_TYPE if cloud else None,
        description=clean(tags.get("TIFFTAG_IMAGEDESCRIPTION")),
        licence=clean(tags.get("TIFFTAG_COPYRIGHT")),
        creator=clean(tags.get("TIFFTAG_ARTIST")),
        conforms_to=COG_STANDARD if cloud else STANDARD,
        bbox=found,
        crs=systems.name(system) if system else None,
        epsg=systems.epsg(system) if system else None,
        spatial_resolution_degrees=max(resolution) if resolution and geographic else None,
        spatial_resolution_metres=tidy(max(resolution) * unit) if resolution and unit else None,
        variables=_bands(raster),
        dimensions=(Dimension(name="y", size=raster.height), Dimension(name="x", size=raster.width)),
        raster=Raster(
            width=raster.width,
            height=raster.height,
            bands=raster.count,
            dtype=short(", ".join(dict.fromkeys(raster.dtypes))) or "unknown",
            cloud_optimised=cloud,
            nodata=None if raster.nodata is None else short(raster.nodata),
            overviews=tuple(raster.overviews(1)) if raster.count else (),
            resolution=resolution,
            stamp=stamp,
        ),
        notes=tuple(notes),
    )


def _system(raster: Any) -> pyproj.CRS | None:
    """Return the reference system of the grid, or of its ground control points."""
    written = raster.crs or raster.gcps[1]
    return systems.from_wkt(written.to_wkt()) if written else None


def _resolution(raster: Any) -> tuple[float, float] | None:
    """Return the size of a pixel along columns and rows in units of the CRS, None without georeference."""
    place = raster.transform
    if place.is_identity:
        return None
    size = tidy(math.hypot(place.a, place.d)), tidy(math.hypot(place.b, place.e))
    return size if all(math.isfinite(side) and side > 0 for side in size) else None


def _stamp(tags: dict[str, str]) -> str | None:
    """Return TIFFTAG_DATETIME with the dashes that TIFF writes as colons."""
    stamp = short(tags.get("TIFFTAG_DATETIME"))
    if stamp is None:
        return None
    day, _, clock = stamp.partition(" ")
    return f"{day.replace(':', '-')} {clock}".strip()


def _bands(raster: Any) -> tuple[Variable, ...]:
    shape = (raster.height, raster.width)
    bands = []
    for index in range(min(raster.count, LISTED)):
        colour = raster.colorinterp[index].name.lower()
        bands.append(
            Variable(
                name=short(raster.descriptions[index]) or f"band {index + 1}",
                long_name=None if colour in NO_COLOUR else short(colour),
                unit=short(raster.units[index]),
                dtype=short(raster.dtypes[index]),
                shape=shape,
            )
        )
    return tuple(bands)


def _extent(raster: Any, system: pyproj.CRS | None) -> tuple[BBox | None, list[str]]:
    """Return the box and notes; no box at all where it would have to be guessed."""
    if system is None:
        return None, [f"The raster names no coordinate reference system: {BY_HAND}"]
    if not systems.on_earth(system):
        return None, [f"The reference system of the raster, {systems.name(system)}, is not one of the Earth."]
    if raster.transform.is_identity:
        control, _ = raster.gcps
        if not control:
            return None, [f"The raster has no georeference of its own (its pixels are not placed): {BY_HAND}"]
        xs, ys = (np.asarray([getattr(point, axis) for point in control], dtype=np.float64) for axis in "xy")
        return systems.points(system, xs, ys), ["The box is that of the ground control points, and approximate."]
    columns, rows = systems.border(systems.Rectangle(0.0, 0.0, float(raster.width), float(raster.height)))
    place = raster.transform
    if place.b == place.d == 0:
        right, bottom = place.c + place.a * raster.width, place.f + place.e * raster.height
        found = systems.extent(system, systems.Rectangle(place.c, bottom, right, place.f))
    else:
        found = systems.outline(
            system, place.a * columns + place.b * rows + place.c, place.d * columns + place.e * rows + place.f
        )
    return found, [] if found else [f"No pixel of the raster is a place on Earth: {BY_HAND}"]
