"""The files of a product that comes as a folder or as a zip archive; nothing is unpacked. Runs in the child.

An archive is looked through before anything is taken out of it: how much it would unpack to, and whether a member would
lie outside of it. A member is read up to a length of ours, whatever its header claims.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from connector.errors import InvalidInput, TooLarge
from connector.formats.description import Limits, short

MEMBERS: Final = 10_000
RATIO: Final = 20  # real products shrink to a half or a twelfth
SMALL: Final = 64 << 20  # what may come out of any archive: a small one may well shrink to a hundredth
TOTAL: Final = 4 << 30
NAME_LENGTH: Final = 1_024
DEPTH: Final = 32
ENCRYPTED: Final = 0x1
READ_AT_ONCE: Final = 32 << 20  # the metadata of the largest products have 10 MB
DAMAGED: Final = "A member of the zip archive is damaged."


class Members(Protocol):
    """Files by their path from the product's root, with their size in bytes."""

    sizes: dict[str, int]

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            InvalidInput: it is damaged.
            TooLarge: it has more than 32 MB.
        """
        ...


class Folder:
    """The files below a folder, which was seen to hold no link."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root = root
        self.sizes: dict[str, int] = {}
        for each in sorted(root.rglob("*")):
            found = each.lstat()
            if stat.S_ISREG(found.st_mode):
                self.sizes[each.relative_to(root).as_posix()] = found.st_size
            if len(self.sizes) > limits.entries:
                raise TooLarge(f"The folder holds more than {limits.entries} files.")

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        _measure(name, self.sizes[name])
        with (self.root / name).open("rb") as file:
            return file.read(READ_AT_ONCE)


class Archive:
    """The files of a zip archive below `root`."""

    def __init__(self, archive: zipfile.ZipFile, root: str = "") -> None:
        self.archive = archive
        self.root = root
        self.sizes = {
            each.filename.removeprefix(root): each.file_size
            for each in archive.infolist()
            if not each.is_dir() and each.filename.startswith(root)
        }

    def read(self, name: str) -> bytes:
        """Return the content of a member."""
        _measure(name, self.sizes[name])
        try:
            with self.archive.open(self.root + name) as file:
                found = file.read(READ_AT_ONCE + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
            raise InvalidInput(DAMAGED, where=short(name)) from error
        _measure(name, len(found))
        return found


def _measure(name: str, size: int) -> None:
    if size > READ_AT_ONCE:
        raise TooLarge(f"A file of metadata has {size} bytes; {READ_AT_ONCE} are read.", where=short(name))


@contextmanager
def opened(path: Path, total: int = TOTAL) -> Iterator[zipfile.ZipFile]:
    """Open the zip archive at `path` once its directory was found to be harmless.

    Raises:
        InvalidInput: it is damaged or cut off, or a member leads out of it, is a link or is encrypted.
        TooLarge: it holds more than 10 000 members, or would unpack to more than `total` bytes (4 GB) or 20 times its
            size.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, RuntimeError, OSError) as error:
        raise InvalidInput("The zip archive is damaged or cut off: it has no directory at its end.") from error
    with archive:
        _check(archive.infolist(), path.stat().st_size, total)
        yield archive


def _check(members: list[zipfile.ZipInfo], size: int, allowed: int) -> None:
    if len(members) > MEMBERS:
        raise TooLarge(f"The archive holds {len(members)} members; {MEMBERS} are allowed.")
    total = sum(each.file_size for each in members)
    if total > min(allowed, max(SMALL, RATIO * size)):
        raise TooLarge(f"The archive of {size} bytes would unpack to {total} bytes.")
    if len({each.filename for each in members}) < len(members):
        raise InvalidInput("The archive holds two members of one name.")
    for each in members:
        name = PurePosixPath(each.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in each.filename or "\0" in each.orig_filename:
            raise InvalidInput("A member of the archive has a name that leads out of it.")
        if len(each.filename) > NAME_LENGTH or len(name.parts) > DEPTH:
            raise InvalidInput("A member of the archive has a name that is too long or too deep.")
        if stat.S_ISLNK(each.external_attr >> 16):
            raise InvalidInput("A member of the archive is a link.")
        if each.flag_bits & ENCRYPTED:
            raise InvalidInput("The archive is encrypted.", fix="Provide it without a password.")
