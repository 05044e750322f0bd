"""NetCDF-3 and NetCDF-4, and HDF5 as the netCDF library reads it. Runs in the child, in one thread.

One thread, because the netCDF library crashes when two threads open files.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import netCDF4
import numpy as np

from connector.errors import InvalidInput, TooLarge
from connector.formats.description import Facts, Limits
from connector.formats.gridded import cf_facts, classic, hdf5
from connector.formats.gridded.cf import Array, Variables

MODELS: Final = {
    "NETCDF4": "NetCDF-4",
    "NETCDF4_CLASSIC": "NetCDF-4 classic",
    "NETCDF3_CLASSIC": "NetCDF-3",
    "NETCDF3_64BIT": "NetCDF-3",
    "NETCDF3_64BIT_OFFSET": "NetCDF-3",
    "NETCDF3_64BIT_DATA": "NetCDF-3 (64-bit data)",
}
PHONY: Final = "phony_dim_"  # what the library calls axes that a file does not name
UNREADABLE: Final = (AttributeError, KeyError, LookupError, RuntimeError, TypeError, ValueError)


def read(path: Path, limits: Limits) -> Facts:
    """Describe the NetCDF or HDF5 file at `path`.

    Raises:
        InvalidInput: the file is cut off, is no NetCDF, or refers to other files.
        TooLarge: it has more objects than allowed.
    """
    plain = _whole(path, limits)
    if plain is not None and plain.foreign:
        return hdf5.read(path, limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that it passes over
            dataset = netCDF4.Dataset(path, "r")
    except (OSError, *UNREADABLE) as error:
        if plain is not None:  # sound HDF5 that the netCDF library stumbles over
            return hdf5.read(path, limits)
        raise InvalidInput(hdf5.DAMAGED.format("NetCDF"), fix=hdf5.AGAIN) from error
    with dataset:
        variables = Variables(list(_arrays(dataset, limits)), limits, _dimensions(dataset))
        return cf_facts.facts(variables, _attributes(dataset), MODELS.get(dataset.data_model, "NetCDF"))


def _whole(path: Path, limits: Limits) -> hdf5.Make | None:
    """Refuse a file that lacks its end or reaches beyond it, before the library looks at the values.

    Returns what kind of HDF5 file it is, None for the classic formats.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if head[:4] in classic.MAGIC:
        needed, has = classic.required_size(path), path.stat().st_size
        if needed > has:
            raise InvalidInput(f"The file is cut off: its header announces {needed} bytes, it has {has}.")
        return None
    return hdf5.keep_inside(path, limits.objects)


def _groups(dataset: netCDF4.Dataset) -> Iterator[Any]:
    """Yield all groups, the root first."""
    waiting: list[Any] = [dataset]
    while waiting:
        group = waiting.pop(0)
        yield group
        waiting += group.groups.values()


def _arrays(dataset: netCDF4.Dataset, limits: Limits) -> Iterator[Array]:
    """Yield the variables of all groups, the root's first."""
    count = 0
    for group in _groups(dataset):
        for variable in group.variables.values():
            count += 1
            if count > limits.objects:
                raise TooLarge(f"The file has more than {limits.objects} variables.")
            yield _array(variable, group.path.strip("/"))


def _array(variable: Any, group: str) -> Array:
    dtype = variable.dtype if isinstance(variable.dtype, np.dtype) and variable.dtype.names is None else None
    if not isinstance(variable.datatype, np.dtype):  # a type of the file's own: an enumeration or lists of numbers
        dtype = None
    chunks = variable.chunking() if dtype is not None else None
    return Array(
        name=variable.name,
        group=group,
        dimensions=tuple("" if name.startswith(PHONY) else name for name in variable.dimensions),
        shape=tuple(int(size) for size in variable.shape),
        dtype=dtype,
        kind="string" if variable.dtype is str else str(variable.dtype),
        attributes=_attributes(variable),
        read=variable.__getitem__,
        chunks=tuple(chunks) if isinstance(chunks, list) else (),
    )


def _attributes(thing: Any) -> dict[str, Any]:
    """Return the attributes of a group or variable; those of types that the library does not know are left out."""
    found = {}
    for name in thing.ncattrs():
        try:
            found[name] = thing.getncattr(name)
        except UNREADABLE:
            continue
    return found


def _dimensions(dataset: netCDF4.Dataset) -> dict[str, int]:
    """Return the dimensions that the file names, by their path, in its order."""
    found = {}
    for group in _groups(dataset):
        path = group.path.strip("/")
        for name, dimension in group.dimensions.items():
            if not name.startswith(PHONY):
                found[f"{path}/{name}" if path else name] = int(dimension.size)
    return found
