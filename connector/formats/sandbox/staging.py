"""What a reader gets to see: the file alone, under a name of ours, without links into anything else.

A file is linked into an empty folder. Where the system does not allow that (another file system), a small file is
copied and a large one handed over open, for which the child makes a name. A dataset that is a folder is read where it
lies, once it is seen to hold nothing but files and folders; its readers follow no link either.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from connector.errors import InvalidInput, NotFound, TooLarge
from connector.formats.containers import folders
from connector.formats.description import Limits
from connector.formats.registry import HEAD_BYTES

COPIED: Final = 32 << 20  # larger files are not copied
SHAPEFILE: Final = b"\0\0\x27\x0a"
PARTS: Final = (".shx", ".dbf", ".prj", ".cpg")
"""Endings of the files beside a shapefile that belong to it."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A file or folder at `path`, and the folder `workplace` for a child to be in.

    There is nothing at `path` yet where the child is to be handed `held`, an open file. `head` is what a file begins
    with, `names` what a folder holds, `size` the bytes of all.
    """

    path: Path
    workplace: Path
    size: int
    head: bytes = b""
    names: tuple[str, ...] = ()
    held: int | None = None


@contextlib.contextmanager
def stage(path: Path, name: str, limits: Limits) -> Iterator[Staged]:
    """Make the file or folder at `path` ready to be read; `name` is what refusals call it.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is a link, a device or a pipe, or a folder with one in it, or empty.
        TooLarge: it has more bytes or files than `limits` allow.
    """
    with _opened(path, name) as handle, tempfile.TemporaryDirectory(prefix="describe-") as made:
        workplace = Path(made)
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            root = path.resolve()
            found = folders.survey(root, name, limits)
            yield Staged(root, workplace, found.size, names=found.names)
        else:
            with os.fdopen(os.dup(handle), "rb") as source:
                yield _stage_file(path, source, workplace, name, limits)


def unpacked(path: Path) -> Staged:
    """Return what there is to say about a file that was made in a child's workplace."""
    with path.open("rb") as source:
        return Staged(path, path.parent, os.fstat(source.fileno()).st_size, source.read(HEAD_BYTES))


def _stage_file(path: Path, source: BufferedReader, workplace: Path, name: str, limits: Limits) -> Staged:
    found = os.fstat(source.fileno())
    if found.st_size > limits.file_bytes:
        raise TooLarge(f"The file has {found.st_size} bytes; {limits.file_bytes} are allowed.", where=name)
    if not found.st_size:
        raise InvalidInput("The file is empty.", where=name)
    head = source.read(HEAD_BYTES)
    staged = workplace / "file"
    held = _bring(path, source, staged)
    if head.startswith(SHAPEFILE):
        _bring_parts(path, staged)
    return Staged(staged, workplace, found.st_size, head, held=held)


def _bring(path: Path, source: BufferedReader, staged: Path) -> int | None:
    """Put the file under `staged`; returns its handle where it is to be handed over open instead."""
    found = os.fstat(source.fileno())
    if _link(path, found, staged):
        return None
    may_read = stat.S_IRUSR if found.st_uid == os.geteuid() else stat.S_IROTH
    if found.st_size > COPIED and found.st_mode & may_read:
        return source.fileno()
    source.seek(0)
    with staged.open("xb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    return None


def _bring_parts(path: Path, staged: Path) -> None:
    """Put what belongs to a shapefile beside it; a large part is left out where it cannot be linked."""
    for part in PARTS:
        for each in (path.with_suffix(part), path.with_suffix(part.upper())):
            with contextlib.suppress(NotFound), _opened(each, each.name) as handle:
                with os.fdopen(os.dup(handle), "rb") as source:
                    _bring(each, source, staged.with_name(staged.name + part))
                break


def _link(path: Path, found: os.stat_result, target: Path) -> bool:
    """Link `path`, opened as `found`, to `target`; returns whether that was possible."""
    if found.st_uid != os.geteuid() or not found.st_mode & stat.S_IRUSR:
        return False  # the child keeps no right but its owner's
    with contextlib.suppress(OSError):  # another file system, or hard links forbidden
        os.link(path, target, follow_symlinks=False)
        if os.path.samestat(target.lstat(), found):
            return True
        target.unlink()  # the name was exchanged after it was opened: what was opened counts
    return False


@contextlib.contextmanager
def _opened(path: Path, name: str) -> Iterator[int]:
    """Open a file or folder without following a link in its last component and without blocking on a pipe."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        missing = NotFound("file", name)
        missing.fix = "Check the name, and the folder that it is looked for in."
        raise missing from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InvalidInput(
                "The file cannot be opened: it is a link.", where=name, fix="Name the file that it leads to."
            ) from error
        raise InvalidInput(f"The file cannot be opened: {error.strerror}.", where=name) from error
    try:
        mode = os.fstat(handle).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InvalidInput("This is not a regular file.", where=name)
        yield handle
    finally:
        os.close(handle)
