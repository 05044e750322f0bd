"""Does an HDF5 file keep to itself? Asked before anything is read, because the HDF5 library follows what it finds.

Three constructs let a file name another one: external links, external storage of a dataset, and virtual datasets.
netCDF4, h5py, GDAL and xarray read through all of them, `/etc/passwd` included. No environment data need them once
packed into one file, so a file with any of them is refused whole.
"""

from pathlib import Path

import h5py

from connector.errors import InvalidInput, TooLarge
from connector.formats.description import short

MEND = "Write the data into the file itself (for instance with h5repack or nccopy) and try again."


def keep_inside(path: Path, objects: int) -> None:
    """Walk the links of the file at `path` without reading data.

    Raises:
        InvalidInput: a link or dataset refers to another file, or a group lies in two places.
        TooLarge: there are more than `objects` links.
    """
    with h5py.File(path, "r") as file:
        waiting: list[h5py.Group] = [file]
        seen = {_address(file)}
        links = 0
        while waiting:
            group = waiting.pop()
            for name in group:
                links += 1
                if links > objects:
                    raise TooLarge(f"The file has more than {objects} objects.")
                found = _follow(group, name)
                if not isinstance(found, h5py.Group):
                    continue
                # The netCDF library walks groups as a tree: circles overflow its stack, and a ladder of doubled links
                # has more paths than there is time.
                if _address(found) in seen:
                    where = short(f"{group.name}/{name}")
                    raise InvalidInput("A group of the file lies in two places.", where=where, fix=MEND)
                seen.add(_address(found))
                waiting.append(found)


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
