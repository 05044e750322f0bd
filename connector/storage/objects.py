"""Files by what is in them: each is kept once, under its SHA-256, and never changes.

A file appears under its name only when it is whole and on the disk: it is written beside its place, flushed, renamed,
and the folder is flushed too. No name is ever taken from outside: only 64 hexadecimal digits become a path, and
links are not followed.
"""

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from connector.errors import InvalidInput, NotFound, TooLarge

CHUNK: Final = 1 << 20
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Incoming:
    """A file on its way in; `digest` and `size` are of what was written so far."""

    def __init__(self, file: BinaryIO, limit: int | None) -> None:
        self._file = file
        self._limit = limit
        self._running = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        """Return the SHA-256 as 64 hexadecimal digits."""
        return self._running.hexdigest()

    def write(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            TooLarge: they exceed the limit; leave the block with it, and nothing is kept.
        """
        self.size += len(piece)
        if self._limit is not None and self.size > self._limit:
            raise TooLarge(f"The file is larger than the {self._limit} bytes allowed.")
        self._running.update(piece)
        self._file.write(piece)


class Objects:
    """A folder of content-addressed files.

    Args:
        folder: where they lie; made when missing. One connector's own: nobody else writes there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._incoming = self._folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def put(self, source: BinaryIO | Iterable[bytes] | Path, *, limit: int | None = None) -> tuple[str, int]:
        """Keep what `source` holds and return its SHA-256 (64 hexadecimal digits) and size in bytes.

        Args:
            source: an open file, pieces of bytes, or the path of a file (a link is refused).
            limit: the largest size in bytes that is taken.

        Raises:
            TooLarge: there is more than `limit`; nothing is kept.
            InvalidInput: the path is not a plain file.
        """
        if isinstance(source, Path):
            with _open_plain(source) as file:
                return self.put(file, limit=limit)
        with self.receive(limit=limit) as incoming:
            for piece in _pieces(source):
                incoming.write(piece)
        return incoming.digest, incoming.size

    @contextmanager
    def receive(self, *, limit: int | None = None) -> Iterator["Incoming"]:
        """Take a file piece by piece, for bytes that arrive over time; leaving the block keeps it.

        Args:
            limit: the largest size in bytes that is taken; `write` raises `TooLarge` beyond it.
        """
        handle, name = tempfile.mkstemp(dir=self._incoming)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                incoming = Incoming(file, limit)
                yield incoming
                file.flush()
                os.fsync(file.fileno())
            self._settle(path, incoming.digest)
        finally:
            path.unlink(missing_ok=True)

    def path(self, digest: str) -> Path:
        """Return where the file with this SHA-256 lies.

        Raises:
            NotFound: it is not kept.
        """
        path = self._place(digest)
        try:
            kept = stat.S_ISREG(path.lstat().st_mode)
        except FileNotFoundError:
            kept = False
        if not kept:
            raise NotFound("object", digest)
        return path

    def open(self, digest: str) -> BinaryIO:
        """Open the file with this SHA-256 for reading; a deletion meanwhile does not disturb the reader.

        Raises:
            NotFound: it is not kept.
        """
        try:
            return _open_plain(self._place(digest))
        except (FileNotFoundError, InvalidInput):
            raise NotFound("object", digest) from None

    def size(self, digest: str) -> int:
        """Return the size in bytes of the file with this SHA-256.

        Raises:
            NotFound: it is not kept.
        """
        return self.path(digest).stat().st_size

    def delete(self, digest: str) -> bool:
        """Delete the file with this SHA-256 and say whether it was kept."""
        path = self._place(digest)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        _flush_folder(path.parent)
        return True

    def __contains__(self, digest: object) -> bool:
        try:
            return isinstance(digest, str) and self.path(digest).is_file()
        except NotFound:
            return False

    def __iter__(self) -> Iterator[str]:
        """Yield the SHA-256 of every file kept, sorted."""
        for shelf in sorted(self._folder.glob("[0-9a-f][0-9a-f]")):
            yield from sorted(path.name for path in shelf.iterdir() if _DIGEST.fullmatch(path.name))

    def sweep(self) -> int:
        """Remove what killed writers left half written, and say how many files; for the start, before any `put`."""
        left = list(self._incoming.iterdir())
        for path in left:
            path.unlink()
        return len(left)

    def place(self, digest: str) -> str:
        """Return the path below the folder of the file with this SHA-256, for a program that reads there itself.

        Raises:
            NotFound: it is no digest.
        """
        if not _DIGEST.fullmatch(digest):
            raise NotFound("object", digest)
        return f"{digest[:2]}/{digest}"

    def _place(self, digest: str) -> Path:
        return self._folder / self.place(digest)

    def _settle(self, incoming: Path, digest: str) -> None:
        place = self._place(digest)
        if not place.parent.is_dir():
            place.parent.mkdir(exist_ok=True)
            _flush_folder(self._folder)
        incoming.chmod(0o440)
        incoming.replace(place)
        _flush_folder(place.parent)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _flush_folder(folder: Path) -> None:
    """Make a rename in `folder` last."""
    with _opened(folder) as handle:
        os.fsync(handle)


def _open_plain(path: Path) -> BinaryIO:
    """Open a plain file for reading. Links are refused, and so are pipes and devices, which could block for ever."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InvalidInput(f"{path.name!r} cannot be opened as a plain file.", reasons=[str(error)]) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InvalidInput(f"{path.name!r} is not a plain file.")
    return os.fdopen(handle, "rb")


def _pieces(source: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    if not hasattr(source, "read"):
        yield from source
        return
    while piece := source.read(CHUNK):
        yield piece
