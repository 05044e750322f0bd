"""GeoTIFF, cloud optimised or not: size, bands, reference system, and the box of its border. Runs in the child.

GDAL is held to the one driver that the magic bytes announce; otherwise a text file called `.tif` could name any file
or address as its source. No pixel is read.
"""

import math
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyproj
import rasterio
from pyproj.enums import TransformDirection
from rasterio.errors import RasterioError

from connector.errors import InvalidInput
from connector.formats.coordinates import crs as systems
from connector.formats.coordinates.extent import POLE, ROUNDING, TURN, Floats
from connector.formats.description import BBox, Dimension, Facts, Limits, Raster, Variable, clean, short, tidy
from connector.formats.imagery import tiff

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
    notes += _more(raster)
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
        scale, offset = float(raster.scales[index]), float(raster.offsets[index])
        packed = (scale, offset) != (1.0, 0.0) and math.isfinite(scale) and math.isfinite(offset)
        bands.append(
            Variable(
                name=short(raster.descriptions[index]) or f"band {index + 1}",
                long_name=None if colour in NO_COLOUR else short(colour),
                unit=short(raster.units[index]),
                dtype=short(raster.dtypes[index]),
                shape=shape,
                scale=scale if packed else None,
                offset=offset if packed else None,
            )
        )
    return tuple(bands)


def _more(raster: Any) -> list[str]:
    """Return notes on what of the file is not described here."""
    notes = []
    if raster.count > LISTED:
        notes.append(f"The raster has {raster.count} bands; the first {LISTED} are listed.")
    if raster.subdatasets:
        notes.append(f"The file holds {len(raster.subdatasets)} images; only the first one is described.")
    return notes


def _extent(raster: Any, system: pyproj.CRS | None) -> tuple[BBox | None, list[str]]:
    """Return the box and notes; no box at all where it would have to be guessed."""
    open_for = _unplaced(raster, system)
    if system is None or open_for is not None:
        return None, [f"{open_for}: {BY_HAND}"]
    place = raster.transform
    if place.is_identity:
        return _control_points(raster, system)
    columns, rows = systems.border(systems.Rectangle(0.0, 0.0, float(raster.width), float(raster.height)))
    xs, ys = place.a * columns + place.b * rows + place.c, place.d * columns + place.e * rows + place.f
    if place.b == place.d == 0:
        sides = systems.Rectangle(float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
        found = systems.extent(system, sides)
    else:
        found = systems.outline(system, xs, ys)
    if found is None or _astray(system, xs, ys, max(_resolution(raster) or (0.0, 0.0))):
        return None, [f"The raster or a part of it lies at no place on Earth: {BY_HAND}"]
    return found, []


def _unplaced(raster: Any, system: pyproj.CRS | None) -> str | None:
    """Return why the place of the raster must not be guessed; None where it is written."""
    place, points = raster.transform, raster.gcps[0]
    if place.is_identity and not points and raster.rpcs:
        return "The raster is placed only by coefficients (RPC), whose box depends on the terrain"
    if system is None:
        return "The raster names no coordinate reference system"
    if place.is_identity and not points:
        return _elsewhere(system) or "The raster has no georeference of its own (its pixels are not placed)"
    if not all(map(math.isfinite, place)) or place.is_degenerate:
        return "The georeference of the raster is broken (its pixels have no size)"
    return _elsewhere(system)


def _elsewhere(system: pyproj.CRS) -> str | None:
    """Return of which kind a reference system is when it does not place anything on Earth."""
    if not systems.on_earth(system):
        return f"The reference system of the raster, {_called(system)}, is not one of the Earth"
    if not (system.is_geographic or system.is_projected):
        return f"The reference system of the raster, {_called(system)}, is not one of places on Earth"
    return None


def _called(system: pyproj.CRS) -> str:
    return systems.name(system) or "which has no name"


def _control_points(raster: Any, system: pyproj.CRS) -> tuple[BBox | None, list[str]]:
    """Return the box of the ground control points, which is approximate."""
    control, _ = raster.gcps
    xs, ys = (np.asarray([getattr(point, axis) for point in control], dtype=np.float64) for axis in "xy")
    found = systems.points(system, xs, ys)
    if found is None:
        return None, [f"The ground control points of the raster lie at no place on Earth: {BY_HAND}"]
    hull = msgspec.structs.replace(found, basis="hull", approximate=True)
    return hull, [f"The box is that of {len(control)} ground control points, and approximate."]


def _astray(system: pyproj.CRS, xs: Floats, ys: Floats, pixel: float) -> bool:
    """Whether the border leaves the Earth: by more than a pixel beyond a pole, or where the projection has no inverse.

    A projection gives some longitude and latitude even for coordinates far beyond its area; on the way back from there
    they are others. Only the second axis tells: the first one may have gone around the Earth.
    """
    if system.is_geographic:
        slack = min(max(pixel, ROUNDING), POLE)
        return bool(np.max(np.abs(ys)) > POLE + slack or np.ptp(xs) > TURN + 2 * slack)
    corners = np.linspace(0, xs.size - 1, 9, dtype=int)
    there = pyproj.Transformer.from_crs(system, systems.CRS84, always_xy=True)
    lon, lat = there.transform(xs[corners], ys[corners], errcheck=False)
    _, back = there.transform(lon, lat, direction=TransformDirection.INVERSE, errcheck=False)
    apart = np.abs(np.asarray(back) - ys[corners])
    return bool(np.any(apart[np.isfinite(apart)] > max(pixel, 1.0)))
