"""Content negotiation and conditional requests (RFC 9110 §12.5 and §13.1)."""

from collections.abc import Iterable, Sequence
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


def coding(accept: str | None, offered: Iterable[str]) -> str | None:
    """Return the one of `offered` codings that an `Accept-Encoding` likes best, of equally liked ones the first.

    None, for the body as it is, without a header and when none of them is liked (RFC 9110 §12.5.3).
    """
    liked = dict(_range(part) for part in (accept or "").split(",")[:MOST_RANGES])
    weighed = [(liked.get(name, liked.get("*", 0.0)), name) for name in offered]
    best_one = max(weighed, key=lambda pair: pair[0], default=(0.0, ""))
    return best_one[1] if best_one[0] > 0 else None


def knows(if_none_match: str | None, tag: str) -> bool:
    """Tell whether an `If-None-Match` names the entity tag, by the weak comparison (RFC 9110 §13.1.2)."""
    if not if_none_match:
        return False
    wanted = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return tag.removeprefix("W/") in wanted or "*" in wanted


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
