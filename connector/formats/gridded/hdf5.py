"""HDF5: does a file keep to itself, and what is in one that is no NetCDF file. Runs in the child.

Three constructs let a file name another one: external links, external storage of a dataset, and virtual datasets.
netCDF4, h5py, GDAL and xarray read through all of them, `/etc/passwd` included. No environment data need them once
packed into one file, so a file with any of them is refused whole, before anything else is read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import h5py
import msgspec
import numpy as np

from connector.errors import InvalidInput, TooLarge
from connector.formats.coordinates.extent import Floats
from connector.formats.description import Facts, Limits, short
from connector.formats.gridded import cf_facts
from connector.formats.gridded.cf import Array, Selection, Variables, unpack

MEND: Final = "Write the data into the file itself (for instance with h5repack or nccopy) and try again."
DAMAGED: Final = "The file is no {} file that can be opened; it may be damaged or cut off."
AGAIN: Final = "Fetch or write the file again, and compare its size with the original's."
PLAIN: Final = "This HDF5 file is not written after the NetCDF model: check what its variables and axes are."
NETCDF_MARKS: Final = frozenset({"_NCProperties", "_nc3_strict"})
MEDIA_TYPE: Final = "application/x-hdf"
FILE_TYPE: Final = "http://publications.europa.eu/resource/authority/file-type/HDF"
INTERNAL: Final = frozenset({"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "DIMENSION_LABELS"})
UNREADABLE: Final = (OSError, KeyError, RuntimeError, TypeError, ValueError)


class Make(NamedTuple):
    """What was seen of a file: whether it is foreign to NetCDF, without its mark and with an axis without a scale.

    The netCDF library reads memory that it did not set when some axes of a file have a scale and others have not.
    """

    foreign: bool


def keep_inside(path: Path, objects: int) -> Make:
    """Walk the links of the file at `path` without reading data.

    Raises:
        InvalidInput: the file is damaged, a link or dataset refers to another file, or a group lies in two places.
        TooLarge: there are more than `objects` links.
    """
    try:
        with h5py.File(path, "r") as file:
            datasets = [each for each in _walk(file, objects) if isinstance(each, h5py.Dataset)]
            ours = bool(NETCDF_MARKS & set(file.attrs))
            return Make(foreign=not ours and not all(map(_has_scales, datasets)))
    except (OSError, RuntimeError, KeyError) as error:
        raise InvalidInput(DAMAGED.format("HDF5"), fix=AGAIN) from error


def _has_scales(dataset: h5py.Dataset) -> bool:
    """Whether every axis of a dataset has a dimension scale, as the netCDF library writes them."""
    if dataset.is_scale or dataset.shape is None:
        return True
    return all(h5py.h5ds.get_num_scales(dataset.id, axis) > 0 for axis in range(len(dataset.shape)))


def _walk(file: h5py.File, objects: int) -> Iterator[h5py.Group | h5py.Dataset]:
    """Yield the root, and every group and dataset below it once; see `keep_inside`."""
    waiting: list[h5py.Group] = [file]
    seen = {_address(file)}
    links = 0
    yield file
    while waiting:
        group = waiting.pop(0)
        for name in group:
            links += 1
            if links > objects:
                raise TooLarge(f"The file has more than {objects} objects.")
            found = _follow(group, name)
            if isinstance(found, h5py.Group):
                # The netCDF library walks groups as a tree: circles overflow its stack, and a ladder of doubled links
                # has more paths than there is time.
                if _address(found) in seen:
                    where = short(f"{group.name}/{name}")
                    raise InvalidInput("A group of the file lies in two places.", where=where, fix=MEND)
                seen.add(_address(found))
                waiting.append(found)
            if isinstance(found, h5py.Group | h5py.Dataset):
                yield found


def _follow(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | h5py.Datatype | None:
    """Return what a hard link leads to, None for a soft link (its target has a hard link of its own)."""
    kind = group.get(name, getclass=True, getlink=True)
    where = short(f"{group.name}/{name}")
    if kind is h5py.SoftLink:
        return None
    if kind is not h5py.HardLink:
        raise InvalidInput("The file links to another file.", where=where, fix=MEND)
    found = group[name]
    if isinstance(found, h5py.Dataset) and (found.is_virtual or found.external):
        raise InvalidInput("A dataset of the file has its values in another file.", where=where, fix=MEND)
    return found


def _address(found: h5py.Group) -> int:
    return int(h5py.h5o.get_info(found.id).addr)


def read(path: Path, limits: Limits) -> Facts:
    """Describe an HDF5 file that has kept to itself (`keep_inside`) and is not written after the NetCDF model.

    Raises:
        InvalidInput: the file is damaged.
        TooLarge: it has more objects than allowed.
    """
    try:
        with h5py.File(path, "r") as file:
            arrays = [_array(each) for each in _walk(file, limits.objects) if isinstance(each, h5py.Dataset)]
            arrays.sort(key=lambda each: each.group.count("/") + bool(each.group))
            dimensions = {
                name: size for each in arrays for name, size in zip(each.dimensions, each.shape, strict=True) if name
            }
            found = cf_facts.facts(Variables(arrays, limits, dimensions), _attributes(file), "HDF5")
    except OSError as error:
        raise InvalidInput(DAMAGED.format("HDF5"), fix=AGAIN) from error
    return msgspec.structs.replace(found, media_type=MEDIA_TYPE, file_type=FILE_TYPE, notes=(PLAIN, *found.notes))


def _array(dataset: h5py.Dataset) -> Array:
    group, _, name = str(dataset.name).strip("/").rpartition("/")
    try:
        dtype: np.dtype[Any] | None = dataset.dtype
        kind = str(dtype)
    except TypeError:  # a type that NumPy has no word for
        dtype, kind = None, "unknown"
    plain = dtype is not None and dtype.kind in "iuf" and h5py.check_enum_dtype(dtype) is None
    shape = dataset.shape  # None for a dataset that is declared empty
    attributes = _attributes(dataset)

    def values(selection: Selection) -> Floats:
        return unpack(dataset[selection], attributes)

    return Array(
        name=name,
        group=group,
        dimensions=_dimensions(dataset, shape or ()),
        shape=tuple(shape or ()),
        dtype=dtype if plain and shape is not None else None,
        kind=kind,
        attributes=attributes,
        read=values,
        chunks=tuple(dataset.chunks or ()),
    )


def _dimensions(dataset: h5py.Dataset, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of the axes: those of their scales, else their labels, else empty texts."""
    if dataset.is_scale and len(shape) == 1:
        return (str(dataset.name).rpartition("/")[2],)
    names = []
    for axis in range(len(shape)):
        try:
            scales = dataset.dims[axis].keys() if "DIMENSION_LIST" in dataset.attrs else []
            label = dataset.dims[axis].label
            named = str(dataset.dims[axis][0].name).rpartition("/")[2] if scales else label
        except UNREADABLE:
            named = ""
        names.append(named)
    return tuple(names)


def _attributes(thing: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Return the attributes of a group or dataset; those that are no text and no numbers are left out."""
    found = {}
    for name in thing.attrs:
        if name in INTERNAL:
            continue
        try:
            value = thing.attrs[name]
        except UNREADABLE:
            continue
        if isinstance(value, str | bytes | np.ndarray | np.generic | int | float):
            found[name] = value
    return found
