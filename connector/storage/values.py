"""What may stand in a column: text both engines can keep, and JSON that can be signed and sealed."""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

from connector.errors import InvalidInput
from connector.standards import canonical as form

_AS_THEY_ARE: Final = frozenset({type(None), int, bool, datetime, bytes})
_TEXT: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def to_text(value: object) -> str:
    """Return `value` as JSON text. The form is for storage; what is signed or sealed goes through `canonical`."""
    return _TEXT.encode(value)


def canonical(value: object) -> bytes:
    """Return the one form of a JSON value that is hashed and signed (RFC 8785).

    Raises:
        InvalidInput: it has none: a number beyond 2⁵³ or not finite, a lone surrogate, a key that is no text.
    """
    try:
        return form.canonical(value)
    except form.Uncanonical as error:
        raise InvalidInput("The value has no canonical JSON form.", reasons=[str(error)]) from error


def column(name: str, value: Any, *, is_json: bool) -> Any:
    """Return `value` as it is written to the column `name`: JSON as its text.

    Both engines are held to the stricter one's rules: PostgreSQL keeps no NUL in text, neither keeps lone surrogates.

    Raises:
        InvalidInput: the value cannot be kept.
    """
    if isinstance(value, Enum):
        return value.value
    if is_json and value is not None:
        value = _json_text(name, value)
    if isinstance(value, str):
        _check_text(name, value)
    return value


def columns(values: Mapping[str, Any], json_names: frozenset[str]) -> dict[str, Any]:
    """Return all `values` as they are written."""
    written = dict(values)
    for name, value in values.items():
        kind = type(value)
        if kind is str:
            if name in json_names or not value.isascii() or "\x00" in value:
                written[name] = column(name, value, is_json=name in json_names)
        elif kind not in _AS_THEY_ARE or name in json_names:
            written[name] = column(name, value, is_json=name in json_names)
    return written


def _json_text(name: str, value: object) -> str:
    try:
        return to_text(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("The value is not JSON.", where=name, reasons=[str(error)]) from error


def is_keepable(text: str) -> bool:
    """Say whether both engines can keep `text`: no NUL and no half of a surrogate pair."""
    if text.isascii():
        return "\x00" not in text
    try:
        return "\x00" not in text and bool(text.encode())
    except UnicodeEncodeError:
        return False


def _check_text(name: str, text: str) -> None:
    if not is_keepable(text):
        raise InvalidInput("Text contains NUL or half a character (a lone surrogate).", where=name)
