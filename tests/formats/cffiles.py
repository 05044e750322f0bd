"""Small NetCDF files made for a test, and what is read from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import netCDF4
import numpy as np

from connector.formats import Facts, Limits
from connector.formats.gridded import netcdf

Fill = Callable[[netCDF4.Dataset], None]
Model = Literal["NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]
NORTH: Final = {"units": "degrees_north"}
EAST: Final = {"units": "degrees_east"}


def put(group: Any, name: str, dimensions: tuple[str, ...], values: Any, **attributes: Any) -> None:
    """Add a variable, and its dimensions where they are new."""
    values = np.asarray(values)
    for axis, size in zip(dimensions, values.shape, strict=True):
        if axis not in group.dimensions:
            group.createDimension(axis, size)
    variable = group.createVariable(name, values.dtype, dimensions)
    variable.setncatts(attributes)
    variable[...] = values


def write(path: Path, fill: Fill, model: Model = "NETCDF4", **attributes: Any) -> Path:
    """Write a file."""
    with netCDF4.Dataset(path, "w", format=model) as file:
        fill(file)
        file.setncatts(attributes)
    return path


def read(path: Path, fill: Fill, model: Model = "NETCDF4", limits: Limits | None = None, **attributes: Any) -> Facts:
    """Write a file and read it."""
    return netcdf.read(write(path, fill, model, **attributes), limits or Limits())


def lattice(file: Any) -> None:
    """A small regular grid with one variable."""
    put(file, "lat", ("lat",), [40.0, 41.0, 42.0], **NORTH)
    put(file, "lon", ("lon",), [5.0, 6.0, 7.0, 8.0], **EAST)
    put(file, "tas", ("lat", "lon"), np.zeros((3, 4), "f4"), units="K", standard_name="air_temperature")


def sides(found: Facts) -> tuple[float, float, float, float]:
    """Return the box as W S E N."""
    assert found.bbox is not None
    return found.bbox.west, found.bbox.south, found.bbox.east, found.bbox.north
