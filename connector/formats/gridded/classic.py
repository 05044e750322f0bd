"""How long a classic NetCDF file must be. The library opens a cut-off one without a word and reads zeros.

The layout is that of the NetCDF classic format specification (versions 1, 2 with 64-bit offsets, 5 with 64-bit data):
header = magic numrecs dim_list gatt_list var_list, all big-endian, names and values padded to four bytes.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from connector.errors import InvalidInput

MAGIC: Final = {b"CDF\x01": 1, b"CDF\x02": 2, b"CDF\x05": 5}
DIMENSIONS, VARIABLES, ATTRIBUTES = 0x0A, 0x0B, 0x0C
TYPE_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
BROKEN: Final = "The header of the NetCDF file is broken."


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a variable begins, how many bytes one record (or the whole of it) has, and whether it has records."""

    begin: int
    size: int
    recorded: bool


class Header:
    """A reader of the header's numbers; every count is checked against the file's size before it is used."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file = file
        self.size = size
        version = MAGIC.get(file.read(4))
        if version is None:
            raise InvalidInput(BROKEN)
        self.count_width = 8 if version == 5 else 4  # noqa: PLR2004 - version 5 counts in 64 bits
        self.offset_width = 4 if version == 1 else 8

    def number(self, width: int = 4) -> int:
        """Return the next big-endian number."""
        raw = self.file.read(width)
        if len(raw) < width:
            raise InvalidInput("The NetCDF file ends within its header.")
        return int.from_bytes(raw, "big")

    def count(self) -> int:
        """Return the next count of things that lie in the file."""
        value = self.number(self.count_width)
        if value > self.size:
            raise InvalidInput(BROKEN)
        return value

    def skip(self, length: int) -> None:
        """Pass over `length` bytes and their padding."""
        self.file.seek(length + -length % 4, 1)

    def many(self, tag: int) -> int:
        """Return how many entries the list that begins here has; an absent list is a zero tag and a zero."""
        found, entries = self.number(), self.count()
        if found not in {tag, 0} or (found == 0 and entries):
            raise InvalidInput(BROKEN)
        return entries

    def attributes(self) -> None:
        """Pass over a list of attributes."""
        for _ in range(self.many(ATTRIBUTES)):
            self.skip(self.count())
            kind = self.number()
            self.skip(self.count() * TYPE_SIZES.get(kind, 1))


def required_size(path: Path) -> int:
    """Return how many bytes the file needs for what its header announces.

    Raises:
        InvalidInput: the header is broken or cut off.
    """
    with path.open("rb") as file:
        header = Header(file, path.stat().st_size)
        records = header.number(header.count_width)
        lengths = []
        for _ in range(header.many(DIMENSIONS)):
            header.skip(header.count())
            lengths.append(header.number(header.count_width))
        header.attributes()
        placed = [_variable(header, lengths) for _ in range(header.many(VARIABLES))]
        end = file.tell()
    if records == (1 << 8 * header.count_width) - 1:  # "streaming": the writer did not know
        records = 0
    return max([end, *(_end(each, placed, records) for each in placed)])


def _variable(header: Header, lengths: list[int]) -> Placed:
    header.skip(header.count())
    axes = [header.number(header.count_width) for _ in range(header.count())]
    header.attributes()
    kind = header.number()
    header.number(header.count_width)  # vsize: redundant, and wrong for large variables
    begin = header.number(header.offset_width)
    if kind not in TYPE_SIZES or any(axis >= len(lengths) for axis in axes):
        raise InvalidInput(BROKEN)
    shape = [lengths[axis] for axis in axes]
    recorded = bool(shape) and shape[0] == 0
    return Placed(begin, math.prod(shape[1:] if recorded else shape) * TYPE_SIZES[kind], recorded)


def _end(variable: Placed, placed: list[Placed], records: int) -> int:
    """Return where the variable's last byte is followed by the next; padding at the very end may be missing."""
    if not variable.recorded:
        return variable.begin + variable.size
    if records == 0:
        return variable.begin if len(placed) == 1 else 0
    recorded = [each for each in placed if each.recorded]
    # The records of a single record variable are not padded; those of several are, each part to four bytes.
    stride = variable.size if len(recorded) == 1 else sum(each.size + -each.size % 4 for each in recorded)
    return variable.begin + stride * (records - 1) + variable.size
