"""Files that describe themselves: `describe(path)` reads any supported file and says what is in it.

    described = describe(Path("air.nc"))
    described.bbox, described.period, described.variables, described.notes

The file is foreign: it is read in a child process with limits (see `isolation`), never in this one, which does not
even import the libraries that read NetCDF, GRIB or GeoTIFF. Adding a format is one entry point; see `registry`.
"""

from connector.formats.description import (
    Asset,
    BBox,
    Description,
    Dimension,
    Facts,
    Grid,
    Limits,
    Messages,
    Period,
    Raster,
    Scene,
    Statistics,
    Store,
    Variable,
)
from connector.formats.isolation import describe
from connector.formats.registry import FILE_TYPES, Format, detect, formats

__all__ = [
    "FILE_TYPES",
    "Asset",
    "BBox",
    "Description",
    "Dimension",
    "Facts",
    "Format",
    "Grid",
    "Limits",
    "Messages",
    "Period",
    "Raster",
    "Scene",
    "Statistics",
    "Store",
    "Variable",
    "describe",
    "detect",
    "formats",
]
