"""Files to the objects people work with; each library is imported when its kind of file is opened."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from connector.errors import InvalidInput

HEAD: Final = 512


def open_file(path: Path) -> Any:
    """Open a file by what it holds.

    Raises:
        InvalidInput: it is of no kind that is opened here, or the library for it is not installed.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    for matches, opener in KINDS:
        if matches(head):
            return opener(path)
    raise InvalidInput(
        f"{path.name} is of no kind that is opened here.",
        where=str(path),
        fix="Use `download` and open it yourself; NetCDF, GRIB, GeoTIFF, Parquet and CSV are opened.",
    )


def _netcdf(path: Path) -> Any:
    """Return an `xarray.Dataset`."""
    return library("xarray").open_dataset(path, engine="netcdf4")


def _grib(path: Path) -> Any:
    """Return an `xarray.Dataset`; no index file is left beside the data."""
    library("cfgrib")
    return library("xarray").open_dataset(path, engine="cfgrib", backend_kwargs={"indexpath": ""})


def _geotiff(path: Path) -> Any:
    """Return an open `rasterio.DatasetReader`."""
    return library("rasterio").open(path, driver="GTiff")


def _parquet(path: Path) -> Any:
    """Return a `pandas.DataFrame`."""
    return library("pandas").read_parquet(path)


def _csv(path: Path) -> Any:
    """Return a `pandas.DataFrame`; periods such as `2001` stay text, as SDMX means them."""
    pandas = library("pandas")
    columns = pandas.read_csv(path, nrows=0).columns
    return pandas.read_csv(path, dtype={name: str for name in columns if name == "TIME_PERIOD"})


def library(name: str) -> Any:
    """Return a library by its name.

    Raises:
        InvalidInput: it is not installed; says which extra brings it.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InvalidInput(
            f"{name} is not installed.", fix="Install the extra: pip install 'greendeal-connector[client]'."
        ) from None


def _begins(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(starts)


def _is_table(head: bytes) -> bool:
    """Tell whether it is text whose first line has commas."""
    line = head.partition(b"\n")[0]
    return b"," in line and b"\x00" not in head and not line.lstrip().startswith((b"<", b"{", b"["))


KINDS: Final[tuple[tuple[Callable[[bytes], bool], Callable[[Path], Any]], ...]] = (
    (_begins(b"\x89HDF", b"CDF\x01", b"CDF\x02", b"CDF\x05"), _netcdf),
    (_begins(b"GRIB"), _grib),
    (_begins(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"), _geotiff),
    (_begins(b"PAR1"), _parquet),
    (_is_table, _csv),
)
"""What a file begins with, and what opens it."""
