"""Pages that are kept as they are sent: encoded once, for as long as what they show has not changed.

What is kept is bounded in bytes, all encodings together; what was used longest ago goes first.
"""

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Final

from backports import zstd

KEPT_BYTES: Final = 64 * 2**20

OVERHEAD: Final = 1024
"""What a kept page weighs beside its bodies, in bytes."""

CODINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = MappingProxyType(
    {
        "zstd": lambda body: zstd.compress(body, level=3),
        "gzip": lambda body: zlib.compress(body, level=5, wbits=16 + zlib.MAX_WBITS),
    }
)
"""How a body can be packed, the best first (RFC 9110 §8.4.1, RFC 8878)."""


class Page:
    """A body with its tag and the addresses before and behind it."""

    __slots__ = ("body", "etag", "key", "next", "packed", "previous")

    def __init__(self, body: bytes, etag: str, following: str | None = None, previous: str | None = None) -> None:
        self.body = body
        self.etag = etag
        self.next = following
        self.previous = previous
        self.packed: dict[str, bytes] = {}
        self.key: Hashable = None

    def weight(self) -> int:
        """Return the bytes that are kept of it."""
        return OVERHEAD + len(self.body) + sum(map(len, self.packed.values()))


class Pages:
    """The pages that were asked for lately, each with the version of what it shows; safe to share between threads."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self.making = threading.Lock()
        """Held while a page is made, so that many who ask for the same one make it once."""
        self.renewing = threading.Lock()
        """Held while what pages are made from is renewed."""
        self.weight = 0
        """Bytes that are kept."""
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[int, Page]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> tuple[int, Page] | None:
        """Return a page and the version it was made from, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: Hashable, version: int, page: Page) -> Page:
        """Keep a page, and let go of those for which there is no more room."""
        with self._lock:
            if (before := self._kept.pop(key, None)) is not None:
                self.weight -= before[1].weight()
            page.key = key
            self._kept[key] = (version, page)
            self.weight += page.weight()
            self._make_room()
        return page

    def packed(self, page: Page, coding: str) -> bytes:
        """Return a page's body in one of `CODINGS`, packed when somebody first asks for it that way."""
        if (found := page.packed.get(coding)) is not None:
            return found
        packed = CODINGS[coding](page.body)
        with self._lock:
            kept = self._kept.get(page.key)
            if coding not in page.packed and kept is not None and kept[1] is page:
                page.packed[coding] = packed
                self.weight += len(packed)
                self._make_room()
        return packed

    def _make_room(self) -> None:
        while self.weight > self._most and self._kept:
            _, (_, page) = self._kept.popitem(last=False)
            self.weight -= page.weight()
