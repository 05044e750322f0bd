"""The outer shape of a policy document: how large it may be, and its structure when its meaning is not known."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

import msgspec
from msgspec import Struct

from connector.errors import InvalidInput, TooLarge
from connector.standards.odrl import terms

_BITS: Final = 64
_TERMS: Final = frozenset({"action", "operator", "leftOperand"})


class Limits(Struct, frozen=True):
    """How large a policy may be: JSON depth and values, characters of a text, rules of a kind, conditions, nesting.

    `findings` bounds how many terms that are not understood are listed.
    """

    depth: int = 32
    values: int = 10_000
    text: int = 4_096
    rules: int = 64
    conditions: int = 512
    nesting: int = 6
    findings: int = 32


LIMITS: Final = Limits()


def measure(document: object, limits: Limits) -> None:
    """Refuse what is no JSON object or larger than `limits`, without recursion.

    Raises:
        InvalidInput: it is no JSON object, or holds something that JSON cannot.
        TooLarge: it is deeper, longer or wider than allowed.
    """
    if not isinstance(document, Mapping):
        raise InvalidInput("A policy is a JSON object.", fix='Send an object with "@type" and "permission".')
    seen = 0
    waiting: list[tuple[object, int]] = [(document, 1)]
    while waiting:
        item, depth = waiting.pop()
        seen += 1
        if seen > limits.values or depth > limits.depth:
            raise TooLarge(f"A policy may hold {limits.values} values, {limits.depth} deep; this holds more.")
        if isinstance(item, Mapping):
            if not all(isinstance(key, str) for key in item):
                raise InvalidInput("The keys of a JSON object are texts.")
            waiting.extend((part, depth + 1) for pair in item.items() for part in pair)
        elif isinstance(item, list | tuple):
            waiting.extend((part, depth + 1) for part in item)
        elif not _is_plain(item, limits):
            raise InvalidInput(f"A policy is JSON, and this {type(item).__name__} is no JSON value.")


def _is_plain(item: object, limits: Limits) -> bool:
    """Whether `item` is a JSON value that every reader takes alike: text of real characters, numbers of 64 bits."""
    if isinstance(item, str):
        if len(item) > limits.text:
            raise TooLarge(f"A text in a policy may have {limits.text} characters; one has {len(item)}.")
        return not any("\ud800" <= letter <= "\udfff" for letter in item)
    if isinstance(item, int):
        return item.bit_length() < _BITS
    return item is None or (isinstance(item, float) and isfinite(item))


def structure(document: Mapping[str, Any], without: Iterable[str]) -> object:
    """Return the document with known names written out and unordered arrays sorted, `without` those top-level keys.

    A value and an array of that value are one; the order of `andSequence` and `@list` is kept. Of the context only
    what it defines in place is kept: it can change what the names mean.
    """
    left_out = {_key(key) for key in (*without, "uid")}
    kept = {key: value for key, value in document.items() if _key(key) not in left_out}
    context = kept.pop("@context", None)
    inline = [part for part in (context if isinstance(context, list) else [context]) if isinstance(part, Mapping)]
    return _plain(kept | ({"@context": inline} if inline else {}), "")


def _key(key: str) -> str:
    return key if key.startswith("@") else terms.absolute(key)


def _plain(given: Any, key: str) -> object:
    if isinstance(given, Mapping):
        return {_key(name): _plain(value, _key(name)) for name, value in sorted(given.items())}
    if isinstance(given, list | tuple):
        parts = [_plain(part, key) for part in given]
        if len(parts) == 1:
            return parts[0]
        ordered = key in {"@list", terms.ODRL + "andSequence"}
        return parts if ordered else sorted(parts, key=lambda part: msgspec.json.encode(part, order="deterministic"))
    if isinstance(given, str) and key.removeprefix(terms.ODRL) in _TERMS:
        return terms.absolute(given)
    return given
