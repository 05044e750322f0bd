"""From what a person names, a file, a folder or a pattern, to the files that are described together."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from connector.errors import InvalidInput, TooLarge
from connector.formats.registry import detect_folder
from connector.formats.sandbox.staging import PARTS

FILES: Final = 100_000  # of one folder


class Group(NamedTuple):
    """Files that become one dataset: `several` of them a series, else one file by itself. `name` is what was named."""

    name: str
    paths: tuple[Path, ...]
    several: bool = False


def gather(named: str, *, each: bool = False) -> list[Group]:
    """Return what `named` stands for: one group, or with `each` one for every file.

    A folder that is a dataset (a Zarr store, a SAFE product) is one file. Another folder stands for all files below it
    except hidden ones, links, and the parts of a shapefile; a pattern (`*`, `?`, `[…]`, `**`) for what it matches.

    Raises:
        InvalidInput: there is nothing in the folder, nothing matches, or it cannot be looked at.
        TooLarge: there are more than 100,000 files.
    """
    try:
        return _grouped(named, each=each)
    except OSError as error:
        raise InvalidInput(f"This cannot be opened: {error.strerror}.", where=named, fix="Check the name.") from error


def _grouped(named: str, *, each: bool) -> list[Group]:
    path = Path(named)
    if not named:
        raise InvalidInput("The name is empty.", where=named, fix="Name a file, a folder or a pattern.")
    if path.is_dir() and not path.is_symlink() and not is_dataset(path):
        found = list(_below(path))
    elif not os.path.lexists(path) and glob.has_magic(named):
        found = [Path(match) for match in sorted(glob.iglob(named, recursive=True))]  # noqa: PTH207 - as it was written
        found = [match for match in found if is_dataset(match) or match.is_file()]
    else:
        return [Group(named, (path,))]
    found = _whole(found)
    if not found:
        raise InvalidInput("There are no files here.", where=named, fix="Check the name; quote a pattern.")
    if len(found) > FILES:
        raise TooLarge(f"There are more than {FILES} files here.", where=named)
    if each:
        return [Group(str(member), (member,)) for member in found]
    return [Group(named, tuple(found), several=len(found) > 1)]


def is_dataset(path: Path) -> bool:
    """Tell whether a folder is one dataset by itself."""
    if path.is_symlink() or not path.is_dir():
        return False
    try:
        detect_folder(os.listdir(path), path.name)  # noqa: PTH208 - names are wanted
    except (InvalidInput, OSError):
        return False
    return True


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files and dataset folders below a folder, in the order of their names."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir() and not is_dataset(entry):
            yield from _below(entry)
        elif entry.is_dir() or entry.is_file():
            yield entry


def _whole(found: list[Path]) -> list[Path]:
    """Leave out the parts of shapefiles."""
    shapes = {path.with_suffix("") for path in found if path.suffix.lower() == ".shp"}
    return [path for path in found if path.suffix.lower() not in PARTS or path.with_suffix("") not in shapes]
