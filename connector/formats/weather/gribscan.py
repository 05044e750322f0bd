"""Where the messages of a GRIB or BUFR file lie, by the lengths they announce. Finds files that are cut off.

ecCodes skips what it cannot complete, so a download that broke off looks like a shorter forecast. Section 0 of every
message gives its length and its last four bytes are `7777` (WMO FM 92 and 94); both are checked here, without decoding.
"""

from pathlib import Path
from typing import IO, Final, NamedTuple

from connector.errors import InvalidInput

GRIB: Final = b"GRIB"
BUFR: Final = b"BUFR"
END: Final = b"7777"
BUFR_EDITIONS: Final = frozenset({2, 3, 4})  # before, a message did not say how long it is
SHORTEST: Final = 12  # bytes of section 0 and of the end
PADDING: Final = (
    b"\0 \t\r\n\x030"  # to full blocks, the end of a bulletin, and a bulletin of length zero after the last
)
WINDOW: Final = 1 << 16
LARGE: Final = 0x800000  # GRIB1 beyond 8 MB: the length is coded in units of 120 bytes, by a convention of ECMWF


class Message(NamedTuple):
    """The place of one message."""

    offset: int
    length: int


def scan(path: Path, magic: bytes = GRIB) -> list[Message]:
    """Return the messages of a file up to its end, or up to a large GRIB1 message, which only ecCodes can measure.

    `magic` says of which kind, `GRIB` or `BUFR`.

    Raises:
        InvalidInput: a message is cut off or damaged, or there is none.
    """
    found: list[Message] = []
    size = path.stat().st_size
    with path.open("rb") as file:
        position = _next(file, 0, magic)
        while position is not None:
            length = _length(file, position, magic)
            if length is None:
                return [*found, Message(position, size - position)]
            _check(file, Message(position, length), size, len(found) + 1)
            found.append(Message(position, length))
            position = _next(file, position + length, magic)
    if not found:
        raise InvalidInput(f"The file holds no {magic.decode()} message.")
    return found


def rest(path: Path, messages: list[Message]) -> str | None:
    """Return a sentence when something other than padding follows the last message: the head of one that is missing."""
    with path.open("rb") as file:
        file.seek(messages[-1].offset + messages[-1].length)
        left = file.read(WINDOW).strip(PADDING)
    return f"{len(left)} bytes follow the last message and belong to none: the file may be truncated." if left else None


def _next(file: IO[bytes], position: int, magic: bytes) -> int | None:
    """Return where the next message begins at or after `position`, None at the end."""
    while True:
        file.seek(position)
        window = file.read(WINDOW)
        at = window.find(magic)
        if at >= 0:
            return position + at
        if len(window) < WINDOW:
            return None
        position += WINDOW - len(magic) + 1


def _length(file: IO[bytes], position: int, magic: bytes) -> int | None:
    """Return the announced length of the message at `position`; None for a large GRIB1 message."""
    file.seek(position)
    section = file.read(16)
    if len(section) < 8:  # noqa: PLR2004 - the edition is octet 8
        raise InvalidInput("The file is cut off in the head of its last message.")
    edition = section[7]
    if magic == BUFR:
        if edition not in BUFR_EDITIONS:
            raise InvalidInput(f"This is BUFR edition {edition}; editions 2 to 4 can be read.")
        return int.from_bytes(section[4:7], "big")
    if edition == 1:
        length = int.from_bytes(section[4:7], "big")
        return None if length & LARGE else length
    if edition == 2:  # noqa: PLR2004 - the edition
        return int.from_bytes(section[8:16], "big") if len(section) == 16 else 0  # noqa: PLR2004 - section 0
    raise InvalidInput(f"This is GRIB edition {edition}; editions 1 and 2 can be read.")


def _check(file: IO[bytes], message: Message, size: int, number: int) -> None:
    end = message.offset + message.length
    if end > size:
        raise InvalidInput(f"The file is cut off in message {number}: {end} bytes are announced, it has {size}.")
    file.seek(max(message.offset, end - len(END)))
    if message.length < SHORTEST or file.read(len(END)) != END:
        raise InvalidInput(f"Message {number} is damaged: it does not end as its length says.")
