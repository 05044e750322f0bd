"""Content negotiation (RFC 9110 §12.5.1)."""

from collections.abc import Sequence
from typing import Final

MOST_RANGES: Final = 50
"""Media ranges that are looked at; nobody means more."""


def best(accept: str | None, offered: Sequence[str]) -> str:
    """Return the one of `offered` that `accept` likes best; of equally liked ones the first.

    Without a header, and when nothing offered is liked, it is the first: an answer in another form serves better than
    none (RFC 9110 §12.4.1).
    """
    ranges = [_range(part) for part in (accept or "*/*").split(",")[:MOST_RANGES]]
    liked = {media_type: _liking(media_type, ranges) for media_type in offered}
    return max(offered, key=lambda media_type: liked[media_type])


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return name, 0.0
    return name, 1.0


def _liking(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the quality that the most specific matching range gives."""
    family = media_type.split("/", maxsplit=1)[0] + "/*"
    for wanted in (media_type, family, "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0
