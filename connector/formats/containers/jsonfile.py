"""Reading foreign JSON whole, within the memory that the limits allow. Runs in the child."""

from pathlib import Path
from typing import Any, Final

import msgspec

from connector.errors import InvalidInput, TooLarge
from connector.formats.description import Limits
from connector.formats.peek import BOM

GROWTH: Final = 32  # a text of small numbers takes about this many times its length once it is unfolded


def load(path: Path, limits: Limits, *, fix: str | None = None) -> dict[str, Any]:
    """Return the JSON object at `path`; `fix` says what to do with one that is too large.

    Raises:
        TooLarge: unfolding it would take more memory than the limits allow.
        InvalidInput: it is no JSON object, or is cut off; `where` names the line.
    """
    size, allowed = path.stat().st_size, limits.memory_bytes // GROWTH
    if size > allowed:
        raise TooLarge(f"The JSON document has {size} bytes; {allowed} can be read at once.", fix=fix)
    raw = path.read_bytes().removeprefix(BOM)
    try:
        found = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise InvalidInput(
            "The file is not well-formed JSON; it may be cut off.", where=f"line {_line(raw, str(error))}"
        ) from error
    except RecursionError as error:
        raise InvalidInput("The JSON document is nested too deeply to be read.") from error
    if not isinstance(found, dict):
        raise InvalidInput("The JSON document is not an object.")
    return found


def _line(raw: bytes, error: str) -> int:
    """Return the line of the byte that the error names, the last one when it names none."""
    place = error.rpartition("(byte ")[2].removesuffix(")")
    return raw.count(b"\n", 0, int(place) if place.isdigit() else len(raw)) + 1


def mapping(value: Any) -> dict[str, Any]:
    """Return a member that must be an object, empty when it is none."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """Return a member that must be an array, empty when it is none."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a member that must be an array of such."""
    return [each for each in listing(value) if isinstance(each, dict)]


def text(value: Any) -> str | None:
    """Return a member that must be a text, None when it is none or empty."""
    return value if isinstance(value, str) and value else None


def number(value: Any) -> float | None:
    """Return a member that must be a finite number (JSON knows no other), None when it is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
