"""Files that describe themselves: `describe(path)` reads any supported file and says what is in it.

    described = describe(Path("air.nc"))
    described.bbox, described.period, described.variables, described.notes

The file is foreign: it is read in a child process with limits (`sandbox`), never in this one, which does not even
import the libraries that read NetCDF, GRIB or GeoTIFF. Readers stand by what they read (`gridded`, `weather`,
`imagery`, `statistics`, `tabular`); what several of them need is in `containers` and `coordinates`. Adding a format is
one entry point; see `registry`.
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
from connector.formats.registry import FILE_TYPES, Format, detect, formats
from connector.formats.sandbox.isolation import describe

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
