"""The one form of a JSON value that is hashed and signed (RFC 8785).

The form differs from what Python's own encoder writes with sorted keys in two things only: numbers that are no small
integers, and the order of names with characters beyond the first plane. A value without either, and that is nearly
every one, is written by the encoder, which is compiled; any other by the library (figures in decision 0024). Hypothesis
holds the two together.
"""

import json
import re
from typing import Final

import msgspec
import rfc8785

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
_STRING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_ODD_NUMBER: Final = re.compile(r"[0-9](?:[.eE]|[0-9]{15})")
"""A number with a fraction or an exponent, or one of 16 digits or more, outside strings."""
_SURROGATES: Final = "\ud800"
"""Below it, the order of code points is that of UTF-16, by which the standard sorts."""


class Uncanonical(ValueError):  # noqa: N818 - named after the value, as the library's error is
    """A value without a canonical form: a number beyond 2⁵³ or not finite, half a character, a key that is no text."""


def canonical(value: object) -> bytes:
    """Return the canonical form of a JSON value.

    Raises:
        Uncanonical: it has none.
    """
    try:
        return _quickly(value) or rfc8785.dumps(value)  # type: ignore[arg-type]  # what is no JSON is refused here
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise Uncanonical(str(error)) from error


def _quickly(value: object) -> bytes | None:
    """Return the canonical form of a value that the encoder can be trusted with, else None."""
    try:
        text = _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError):
        return None
    if not text.isascii() and max(text) >= _SURROGATES:
        return None
    if _ODD_NUMBER.search(_STRING.sub("", text)):
        return None
    # What does not come back as it went in was no JSON value: a key that is a number, a tuple.
    data = text.encode()
    return data if msgspec.json.decode(data) == value else None
