"""Zip archives from strangers: looked through before anything is taken out, and nothing is written to disk.

Runs in the child. An archive that holds a shapefile is described as that.
"""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from connector.errors import InvalidInput, TooLarge
from connector.formats import shapefile
from connector.formats.description import Facts, Limits

MEMBERS: Final = 10_000
TOTAL: Final = 4 << 30
RATIO: Final = 20
SMALL: Final = 64 << 20  # what may come out of any archive: a small one may well shrink to a hundredth
NAME: Final = 1024
DEPTH: Final = 32
ENCRYPTED: Final = 0x1
CONTENT: Final[tuple[tuple[str, Callable[[zipfile.ZipFile, Limits], Facts]], ...]] = ((".shp", shapefile.read_zip),)


def read(path: Path, limits: Limits) -> Facts:
    """Describe what the archive at `path` holds.

    Raises:
        InvalidInput: it is damaged or cut off, a member would lie outside of it, or it holds nothing that we read.
        TooLarge: it holds more members or bytes than allowed.
    """
    with opened(path) as archive:
        for suffix, reader in CONTENT:
            if any(name.lower().endswith(suffix) for name in archive.namelist()):
                try:
                    return reader(archive, limits)
                except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
                    raise InvalidInput("A member of the zip archive is damaged.") from error
    raise InvalidInput(
        "The zip archive holds no shapefile or other dataset that we read as one.",
        fix="Unpack it and describe its files.",
    )


def opened(path: Path) -> zipfile.ZipFile:
    """Return the archive at `path`, open, once its directory was found to be harmless.

    Raises:
        InvalidInput: it is damaged or cut off, or a member has a name that leads elsewhere, is a link or is encrypted.
        TooLarge: it holds more than 10 000 members, more than 4 GB, or more than 20 times its size.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, RuntimeError, OSError) as error:
        raise InvalidInput("The zip archive is damaged or cut off: it has no directory at its end.") from error
    try:
        _check(archive.infolist(), path.stat().st_size)
    except BaseException:
        archive.close()
        raise
    return archive


def _check(members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > MEMBERS:
        raise TooLarge(f"The archive holds {len(members)} members; {MEMBERS} are allowed.")
    total = sum(each.file_size for each in members)
    if total > TOTAL or total > max(SMALL, RATIO * size):
        raise TooLarge(f"The archive of {size} bytes would unpack to {total} bytes.")
    if len({each.filename for each in members}) < len(members):
        raise InvalidInput("The archive holds two members of one name.")
    for each in members:
        name = PurePosixPath(each.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in each.filename or "\0" in each.orig_filename:
            raise InvalidInput("A member of the archive has a name that leads out of it.")
        if len(each.filename) > NAME or len(name.parts) > DEPTH:
            raise InvalidInput("A member of the archive has a name that is too long or too deep.")
        if stat.S_ISLNK(each.external_attr >> 16):
            raise InvalidInput("A member of the archive is a link.")
        if each.flag_bits & ENCRYPTED:
            raise InvalidInput("The archive is encrypted.", fix="Provide it without a password.")
