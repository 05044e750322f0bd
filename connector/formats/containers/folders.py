"""Datasets that are folders (a Zarr store): what lies in one, told without following a link or opening a pipe."""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final, NamedTuple

from connector.errors import InvalidInput, NotFound, TooLarge
from connector.formats.description import Limits, short

DEPTH: Final = 32  # folders within folders; environment data need a handful


class Survey(NamedTuple):
    """What a folder holds: the names in it, and of every file below it the path from there and the size in bytes."""

    names: tuple[str, ...]
    files: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(size for _, size in self.files)


def survey(root: Path, name: str, limits: Limits) -> Survey:
    """List the folder `root`; `name` is what refusals call it.

    Raises:
        InvalidInput: there is a link or a special file in it, it is empty, or it goes too deep.
        TooLarge: it holds more files or bytes than allowed.
        NotFound: it has gone.
    """
    names: list[str] = []
    files: list[tuple[str, int]] = []
    waiting, total, seen = [""], 0, 0
    while waiting:
        below = waiting.pop()
        for entry in _entries(root / below, name):
            seen += 1
            inner = f"{below}{entry.name}"
            if not below:
                names.append(entry.name)
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                if inner.count("/") >= DEPTH:
                    raise InvalidInput(f"The folder has more than {DEPTH} folders within each other.", where=name)
                waiting.append(f"{inner}/")
            elif stat.S_ISREG(found.st_mode):
                files.append((inner, found.st_size))
                total += found.st_size
            else:
                raise InvalidInput(
                    "The folder holds a link or a special file; only files and folders are read.",
                    where=f"{name}/{inner}",
                    fix="Put the file itself in place of the link.",
                )
            if seen > limits.entries:
                raise TooLarge(f"The folder holds more than {limits.entries} files.", where=name)
            if total > limits.file_bytes:
                raise TooLarge(f"The folder has more than {limits.file_bytes} bytes.", where=name)
    if not files:
        raise InvalidInput("The folder holds no file.", where=name)
    return Survey(tuple(sorted(names)), tuple(sorted(files)))


def _entries(folder: Path, name: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError as error:
        raise NotFound("file", name) from error
    except OSError as error:
        raise InvalidInput(f"The folder cannot be listed: {error.strerror}.", where=name) from error


def checksum(root: Path, found: Survey) -> str:
    """Return the SHA-256, in hexadecimal, over the lines `sha256  path` of all files in the order of their paths.

    Raises:
        InvalidInput: a file has been exchanged for something else.
    """
    lines = hashlib.sha256()
    for inner, _ in found.files:
        with open_inside(root, inner) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.update(f"{digest}  {inner}\n".encode("utf-8", "surrogateescape"))
    return lines.hexdigest()


@contextlib.contextmanager
def open_inside(root: Path, inner: str) -> Iterator[BufferedReader]:
    """Open the regular file at `inner`, a path with slashes below `root`, without following a link on the way.

    Raises:
        FileNotFoundError: there is none.
        InvalidInput: the path leads outside, through a link, or to something else than a file.
    """
    parts = inner.split("/")
    if not all(parts) or {".", ".."} & set(parts):
        raise InvalidInput("A path inside the folder leads outside of it.", where=short(inner))
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            handle = _step(handle, part, os.O_DIRECTORY)
        handle = _step(handle, parts[-1], os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise InvalidInput("A path inside the folder leads through a link.", where=short(inner)) from error
        raise
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InvalidInput("The folder holds a link or a special file.", where=short(inner))
        yield file


def _step(handle: int, part: str, flags: int) -> int:
    """Open `part` in the folder that `handle` is open on, and close that one."""
    try:
        return os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=handle)
    finally:
        os.close(handle)
