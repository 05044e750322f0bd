"""What goes into the search index and what is asked of it: plain values, checked before any statement is made."""

import base64
import hashlib
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from connector.errors import InvalidInput
from connector.storage.index_schema import FAR, PARTS
from connector.storage.index_words import Word, asked

MAX_LIMIT: Final = 1000
"""How many hits one page may have."""
KINDS: Final = ("theme", "publisher", "format", "licence", "origin")
"""What is counted over the hits of a search."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_VALUES: Final = 100
_MAX_BYTES: Final = 1000
_HALF: Final = 180.0
_TURN: Final = 360.0
_POLE: Final = 90.0


class BBox(NamedTuple):
    """A box in degrees, WGS 84; `west` greater than `east` means that it crosses the 180th meridian."""

    west: float
    south: float
    east: float
    north: float


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """What a search shows of a dataset. `origin` is the participant who offers it, `id` its IRI.

    `title` and `description` are in the language the catalog prefers; the other facts are IRIs or plain names.
    """

    origin: str
    id: str
    title: str
    updated: datetime
    description: str = ""
    publisher: str | None = None
    licence: str | None = None
    themes: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    boxes: tuple[BBox, ...] = ()
    begin: datetime | None = None
    end: datetime | None = None


class Entry(Hit, frozen=True, kw_only=True):
    """A dataset as it is put into the index: a hit, and the words it is found by.

    `titles`, `keywords` and `texts` are in every language the record has; `title` and `description` need not be
    repeated. A period with one end is open at the other; a naive moment is taken as UTC.
    """

    titles: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    def hit(self) -> Hit:
        """Return what is shown of it, without characters a database could not keep."""
        fields = {name: getattr(self, name) for name in Hit.__struct_fields__}
        return Hit(**{name: clean(value) for name, value in fields.items()})


class Sort(StrEnum):
    """The order of the hits; those of equal relevance are sorted by date, the newest first."""

    RELEVANCE = "relevance"
    NEWEST = "newest"


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A question to the index; every part that is given narrows the answer.

    `q`: words, all of which must occur; from four letters on, or with `*` behind, they also match as beginnings.
    `begin` and `end` ask for periods that overlap, ends included. Of `themes`, `formats` and `origins` one has to fit.
    `sort` is relevance when there are words and newest otherwise. `after` is the `next` of the page before.
    """

    q: str = ""
    bbox: BBox | None = None
    begin: datetime | None = None
    end: datetime | None = None
    themes: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    publisher: str | None = None
    licence: str | None = None
    sort: Sort | None = None
    limit: int = 20
    after: str | None = None
    facets: bool = True


class Facet(msgspec.Struct, frozen=True):
    """A value and the number of hits that have it."""

    value: str
    count: int


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of an answer: `total` and `facets` (by kind, commonest first) are over all hits, not over this page."""

    total: int
    hits: tuple[Hit, ...]
    next: str | None
    facets: dict[str, tuple[Facet, ...]]


class Position(NamedTuple):
    """Where a page ends: the last hit's relevance, moment and key."""

    score: int
    updated: int
    key: int


class Question(NamedTuple):
    """A request that was checked, in the index's own terms."""

    words: tuple[Word, ...]
    boxes: tuple[BBox, ...]
    period: tuple[int, int] | None
    values: dict[str, tuple[str, ...]]
    sort: Sort
    limit: int
    after: Position | None
    facets: bool
    digest: str

    @property
    def everything(self) -> bool:
        """Whether nothing narrows the answer."""
        return not (self.words or self.boxes or self.period or self.values)


def checked(request: SearchRequest) -> Question:
    """Return the question a request asks.

    Raises InvalidInput naming the field: a box or a period that is none, a limit out of bounds, too many words or
    values, or an `after` that belongs to another question.
    """
    words = asked(clean(request.q))
    if not 1 <= request.limit <= MAX_LIMIT:
        raise InvalidInput(f"A page has 1 to {MAX_LIMIT} hits, not {request.limit}.", where="limit")
    question = Question(
        words=words,
        boxes=_asked_boxes(request.bbox),
        period=_asked_period(request.begin, request.end),
        values=_asked_values(request),
        sort=request.sort or (Sort.RELEVANCE if words else Sort.NEWEST),
        limit=request.limit,
        after=None,
        facets=request.facets,
        digest="",
    )
    digest = hashlib.blake2b(repr(question[:5]).encode("utf-8", "replace"), digest_size=9).hexdigest()
    return question._replace(digest=digest, after=_position(request.after, digest))


def cursor(question: Question, position: Position) -> str:
    """Return the opaque text that continues `question` after `position`."""
    return base64.urlsafe_b64encode(msgspec.json.encode((question.digest, *position))).decode().rstrip("=")


def _position(after: str | None, digest: str) -> Position | None:
    if after is None:
        return None
    try:
        raw = base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True)
        whose, score, updated, key = msgspec.json.decode(raw, type=tuple[str, int, int, int])
    except (ValueError, msgspec.MsgspecError):
        whose, score, updated, key = "", 0, 0, 0
    if whose != digest or not all(-(2**63) <= number < 2**63 for number in (score, updated, key)):
        raise InvalidInput(
            "This is not where a page of this search ended.",
            where="after",
            fix="Take `next` of the page before and repeat the other parts of the request unchanged.",
        )
    return Position(score, updated, key)


def _asked_values(request: SearchRequest) -> dict[str, tuple[str, ...]]:
    asked_for = {
        "theme": request.themes,
        "format": request.formats,
        "origin": request.origins,
        "publisher": () if request.publisher is None else (request.publisher,),
        "licence": () if request.licence is None else (request.licence,),
    }
    for kind, values in asked_for.items():
        if len(values) > _MAX_VALUES:
            raise InvalidInput(f"{len(values)} values are too many; {_MAX_VALUES} are allowed.", where=kind)
    return {kind: tuple(sorted({clean(value) for value in values})) for kind, values in asked_for.items() if values}


def _asked_boxes(box: BBox | None) -> tuple[BBox, ...]:
    if box is None:
        return ()
    west, south, east, north = box
    if not (-_HALF <= west <= _HALF and -_HALF <= east <= _HALF and -_POLE <= south <= north <= _POLE):
        raise InvalidInput(
            f"{west}, {south}, {east}, {north} is not a box on the globe.",
            where="bbox",
            fix="Give west, south, east, north in degrees: longitudes within ±180, latitudes within ±90, south first.",
        )
    return tuple(parts(BBox(west, south, east, north)))


def _asked_period(begin: datetime | None, end: datetime | None) -> tuple[int, int] | None:
    if begin is None and end is None:
        return None
    first, last = _bounds(begin, end)
    if first > last:
        raise InvalidInput("The period ends before it begins.", where="end", fix="Swap begin and end.")
    return first, last


# --- what an entry is stored as ---------------------------------------------------------------------------------------


def micros(moment: datetime) -> int:
    """Return the microseconds since 1970, exactly."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def period(hit: Hit) -> tuple[int, int] | None:
    """Return first and last moment; None without a period. Ends given in the wrong order are swapped."""
    if hit.begin is None and hit.end is None:
        return None
    first, last = _bounds(hit.begin, hit.end)
    return min(first, last), max(first, last)


def _bounds(begin: datetime | None, end: datetime | None) -> tuple[int, int]:
    return -FAR if begin is None else micros(begin), FAR if end is None else micros(end)


def boxes(hit: Hit) -> tuple[BBox, ...]:
    """Return the boxes to store: none crosses the 180th meridian; one around all when there are too many."""
    result = tuple(dict.fromkeys(part for box in hit.boxes for part in parts(box)))
    if len(result) <= PARTS:
        return result
    west, south, east, north = zip(*result, strict=True)
    return (BBox(min(west), min(south), max(east), max(north)),)


def parts(box: BBox) -> Iterator[BBox]:
    """Yield the one or two boxes within ±180 that `box` covers; nothing for one that covers no place.

    Longitudes of another turn (0 to 360) are brought back, latitudes beyond the poles are cut.
    """
    west, south, east, north = box
    if not all(map(math.isfinite, box)) or south > north or south > _POLE or north < -_POLE:
        return
    south, north = max(south, -_POLE), min(north, _POLE)
    if -_HALF <= west <= east <= _HALF:
        yield BBox(west, south, east, north)
        return
    if not (-_HALF <= west <= _HALF and -_HALF <= east <= _HALF):
        width = east - west if east >= west else (east - west) % _TURN
        if width >= _TURN:
            yield BBox(-_HALF, south, _HALF, north)
            return
        west = (west + _HALF) % _TURN - _HALF
        east = west + width
        if east <= _HALF:
            yield BBox(west, south, east, north)
            return
        east -= _TURN
    yield BBox(west, south, _HALF, north)
    yield BBox(-_HALF, south, east, north)


def values(hit: Hit) -> set[tuple[str, str]]:
    """Return (kind, value) of everything the hit is counted by; values too long for an index are left out."""
    one = {"publisher": hit.publisher, "licence": hit.licence, "origin": hit.origin}
    many = {"theme": hit.themes, "format": hit.formats}
    found = {(kind, value) for kind, value in one.items() if value is not None}
    found |= {(kind, value) for kind, several in many.items() for value in several}
    return {(kind, value) for kind, value in found if len(value.encode()) <= _MAX_BYTES}


def clean(value: Any) -> Any:
    """Return the value without what no database keeps: NUL, halves of surrogate pairs, boxes of no numbers."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "ignore").decode()
    if isinstance(value, tuple):
        kept = (part for part in value if not isinstance(part, BBox) or all(map(math.isfinite, part)))
        return value if isinstance(value, BBox) else tuple(clean(part) for part in kept)
    return value


def texts(entry: Entry) -> tuple[Iterable[str], Iterable[str], Iterable[str]]:
    """Return what the entry is found by: titles, keywords, everything else."""
    return (entry.title, *entry.titles), entry.keywords, (entry.description, *entry.texts, entry.publisher or "")
