"""What is said between the program and the processes that read: plain values, as lines of JSON."""

from typing import Final

import msgspec
from msgspec import Struct

from connector.formats.description import Facts, Limits

UNPACKED: Final = "unpacked"
"""Name, beside the staged file, of what comes out of a compressed one."""


class Job(Struct, frozen=True, kw_only=True):
    """What a child is told: which format reads which staged file under which limits.

    `format` is the name of a format, or None to unpack a gzip file to `UNPACKED` beside it; `folder` is the one to be
    in. With `held` the file is
    not in its folder yet: the child was handed it open, and puts a name for it there.
    """

    format: str | None
    path: str
    folder: str
    limits: Limits
    held: bool = False


class Found(Struct, frozen=True, kw_only=True, tag="found"):
    """The reader's answer."""

    facts: Facts


class Unpacked(Struct, frozen=True, kw_only=True, tag="unpacked"):
    """The file is unpacked; `size` is in bytes."""

    size: int


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """The reader's refusal, to be raised again in the parent."""

    message: str
    where: str | None = None
    fix: str | None = None
    reasons: tuple[str, ...] = ()
    too_large: bool = False


Answer = Found | Unpacked | Refused
answers: Final = msgspec.json.Decoder(Answer)
