"""The one form of a JSON value that is hashed and signed (RFC 8785).

The form differs from what Python's own encoder writes with sorted keys in two things only: numbers that are not
integers, and the order of names beyond ASCII. A value without either, and that is nearly every one, is written by the
encoder, which is compiled; any other by the library (figures in decision 0017). Hypothesis holds the two together.
"""

import json
from typing import Any, Final

import rfc8785

LARGEST: Final = 2**53 - 1
"""Largest integer that every reader of JSON keeps exactly."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False)
_DEEPEST: Final = 64


class Uncanonical(ValueError):  # noqa: N818 - named after the value, as the library's error is
    """A value without a canonical form: a number beyond 2⁵³ or not finite, half a character, a key that is no text."""


def canonical(value: object) -> bytes:
    """Return the canonical form of a JSON value.

    Raises:
        Uncanonical: it has none.
    """
    try:
        if _is_plain(value, _DEEPEST):
            return _ENCODER.encode(value).encode()
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # whatever is no JSON is refused here
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise Uncanonical(str(error)) from error


def _is_plain(value: Any, depth: int) -> bool:
    """Tell whether the encoder writes the canonical form of a value."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-LARGEST <= value <= LARGEST)
    if depth == 0:
        return False
    if kind is dict:
        return all(
            type(name) is str and name.isascii() and (type(item) is str or _is_plain(item, depth - 1))
            for name, item in value.items()
        )
    if kind is list or kind is tuple:
        return all(type(item) is str or _is_plain(item, depth - 1) for item in value)
    return False
