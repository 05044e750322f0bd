"""The directories of a TIFF file, read without GDAL: is all the data there, and does it come after the directories?

GDAL opens a GeoTIFF that was cut off in the middle and fails only when a missing tile is read. The directories tell
where every strip and tile lies, so the end can be compared with the file's size. The same table answers whether the
layout is that of a cloud optimised GeoTIFF: all directories first, the largest image before its overviews.
"""

from pathlib import Path
from typing import IO, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from connector.errors import InvalidInput, TooLarge

OFFSETS: Final = {273: 279, 324: 325}  # StripOffsets: StripByteCounts, TileOffsets: TileByteCounts
WIDTH, SUB_DIRECTORIES = 256, 330
TYPES: Final = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
BIG: Final = 43
CUT: Final = "The file is cut off"
DIRECTORIES: Final = 1_000
ENTRIES: Final = 65_536

Numbers = npt.NDArray[np.uint64]


class Layout(NamedTuple):
    """Where the directories and the image data lie; widths are those of the images of the main chain."""

    directories: tuple[int, ...]
    widths: tuple[int, ...]
    first_data: int | None

    @property
    def directories_first(self) -> bool:
        """Whether a reader gets all directories with the first request and the full image before its overviews."""
        before = self.first_data is None or max(self.directories) < self.first_data
        return before and list(self.directories) == sorted(self.directories)


class Reader:
    """A reader of TIFF and BigTIFF directories; nothing is read that does not lie in the file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file = file
        self.size = size
        head = file.read(16)
        self.order: str = "<" if head[:2] == b"II" else ">"
        self.big = self._int(head[2:4]) == BIG
        self.pointer = 8 if self.big else 4
        self.start = self._int(head[8:16] if self.big else head[4:8])

    def _int(self, raw: bytes) -> int:
        return int.from_bytes(raw, "little" if self.order == "<" else "big")

    def at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes at `offset`."""
        if offset + length > self.size:
            raise InvalidInput(f"{CUT}: its directories point to byte {offset + length}, it has {self.size}.")
        self.file.seek(offset)
        return self.file.read(length)

    def directory(self, offset: int) -> tuple[dict[int, Numbers], int]:
        """Return the tags that matter of the directory at `offset`, and where the next directory is (0: none)."""
        width, entry = (8, 20) if self.big else (2, 12)
        count = self._int(self.at(offset, width))
        if count > ENTRIES:
            raise InvalidInput("The TIFF directory of the file is broken.")
        raw = self.at(offset + width, count * entry + self.pointer)
        wanted = {WIDTH, SUB_DIRECTORIES, *OFFSETS, *OFFSETS.values()}
        tags = {}
        for at in range(0, count * entry, entry):
            tag = self._int(raw[at : at + 2])
            if tag in wanted:
                tags[tag] = self._values(raw[at + 2 : at + entry])
        return tags, self._int(raw[count * entry :])

    def _values(self, entry: bytes) -> Numbers:
        """Return the numbers of a tag: within the entry when they fit, else where it points to."""
        kind = TYPES.get(self._int(entry[:2]))
        if kind is None:
            raise InvalidInput("The TIFF directory of the file is broken.")
        count = self._int(entry[2 : 2 + self.pointer])
        value = entry[2 + self.pointer :]
        length = count * int(kind[1])
        raw = value[:length] if length <= self.pointer else self.at(self._int(value), length)
        return np.frombuffer(raw, dtype=self.order + kind).astype(np.uint64)


def layout(path: Path) -> Layout:
    """Return the layout of the TIFF file at `path`.

    Raises:
        InvalidInput: the file is cut off, or its directories are broken or run in circles.
        TooLarge: it has more than 1000 directories.
    """
    size = path.stat().st_size
    directories: list[int] = []
    widths: list[int] = []
    first: int | None = None
    with path.open("rb") as file:
        reader = Reader(file, size)
        waiting = [reader.start]
        while waiting:
            offset = waiting.pop()
            if offset in directories:
                raise InvalidInput("The TIFF directories of the file run in circles.")
            if len(directories) >= DIRECTORIES:
                raise TooLarge(f"The file has more than {DIRECTORIES} TIFF directories.")
            tags, following = reader.directory(offset)
            directories.append(offset)
            widths += [int(each) for each in tags.get(WIDTH, ())][:1]
            first = _data(tags, size, first)
            waiting += [int(each) for each in reversed(tags.get(SUB_DIRECTORIES, np.empty(0, np.uint64)))]
            if following:
                waiting.insert(0, following)
    return Layout(tuple(directories), tuple(widths), first)


def _data(tags: dict[int, Numbers], size: int, first: int | None) -> int | None:
    """Return the smaller of `first` and the first data byte of a directory, having checked its last one."""
    for offsets, counts in OFFSETS.items():
        if offsets not in tags or counts not in tags or tags[offsets].size != tags[counts].size:
            continue
        present = (tags[counts] > 0) & (tags[offsets] > 0)  # a sparse file leaves out tiles of nothing but nodata
        if not present.any():
            continue
        # Python numbers: the sum of two hostile 64-bit offsets must not wrap around to a small one.
        end = max(int(o) + int(c) for o, c in zip(*_last(tags[offsets][present], tags[counts][present]), strict=True))
        if end > size:
            raise InvalidInput(f"{CUT}: its image data end at byte {end}, it has {size}.")
        start = int(np.min(tags[offsets][present]))
        first = start if first is None else min(first, start)
    return first


def _last(offsets: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    """Return the pairs that can be the last: the one that starts last and the longest ones by float arithmetic."""
    ends = offsets.astype(np.float64) + counts.astype(np.float64)
    chosen = np.unique([int(np.argmax(ends)), int(np.argmax(offsets))])
    return offsets[chosen], counts[chosen]
