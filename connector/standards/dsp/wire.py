"""JSON as it comes over the wire: read strictly and within limits, written compactly.

Every limit is checked before anything recursive touches the bytes, in time linear in their number.
"""

import json
import re
from collections import Counter
from typing import Any, Final

import msgspec

from connector.errors import InvalidInput, TooLarge

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 64

# Matches at every quote, closed or not, and never gives characters back: linear on any input.
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")


def read(data: bytes, *, limit: int = MAX_BYTES, depth: int = MAX_DEPTH) -> Any:
    """Return the JSON value in `data` (UTF-8).

    Args:
        data: what was received.
        limit: the largest size in bytes.
        depth: the deepest nesting of objects and arrays.

    Raises:
        TooLarge: longer than `limit` or nested deeper than `depth`.
        InvalidInput: not JSON (NaN and infinities are not), or an object names a key twice.
    """
    if len(data) > limit:
        raise TooLarge(f"The document has {len(data):,} bytes; at most {limit:,} are read.", fix="Send less at a time.")
    structure = _STRING.sub(b"", data)
    if _nests_deeper(structure, depth):
        raise TooLarge(f"The document nests deeper than {depth} levels.", fix="Flatten it.")
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidInput(f"This is not JSON: {error}.", fix="Send one JSON document in UTF-8.") from error
    # In valid JSON each colon outside a string belongs to one pair, so fewer pairs than colons means lost keys.
    if structure.count(b":") != _pairs(value):
        key = _repeated(data)
        raise InvalidInput(f"The key {key!r} stands twice in one object.", where=key, fix="Name each key once.")
    return value


def write(value: object) -> bytes:
    """Return `value` as compact JSON, keys in the order they have."""
    return msgspec.json.encode(value)


def _nests_deeper(structure: bytes, depth: int) -> bool:
    level = 0
    for bracket in _BRACKET.finditer(structure):
        level += 1 if bracket[0] in b"[{" else -1
        if level > depth:
            return True
    return False


def _pairs(value: object) -> int:
    count = 0
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            count += len(item)
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return count


def _repeated(data: bytes) -> str:
    found: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        found.extend(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)

    json.loads(data, object_pairs_hook=look)
    return next(iter(found), "")
