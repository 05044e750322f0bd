"""The two engines below the search index: how words, places and times are stored and looked up on each."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    union,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from connector.storage import index_schema as schema
from connector.storage.index_request import BBox
from connector.storage.index_schema import FAR, PARTS
from connector.storage.index_words import Word

Period = tuple[int, int]
Keys = Select[Any]
"""A statement that yields keys of entries, each once."""
MAX_INDEXED: Final = 20_000
"""How many different words of one dataset are kept: enough for any record, too few to hurt."""


class Lookup(Protocol):
    """What the index asks of an engine."""

    def write(
        self,
        connection: Connection,
        key: int,
        texts: Sequence[Sequence[str]],
        boxes: Sequence[BBox],
        period: Period | None,
    ) -> None:
        """Store the folded words of title, keywords and body, the boxes and the period of an entry."""
        ...

    def forget(self, connection: Connection, key: int, boxes: int) -> None:
        """Delete what `write` stored for an entry with so many boxes."""
        ...

    def with_words(self, words: Sequence[Word]) -> Keys:
        """Select the entries that have all the words."""
        ...

    def score(self, words: Sequence[Word], key: ColumnElement[int]) -> ColumnElement[int]:
        """Return the relevance of the entry `key`: see `relevance`."""
        ...

    def within(self, boxes: Sequence[BBox], period: Period | None) -> Keys:
        """Select the entries with a box that meets one of `boxes`, and roughly a period that meets `period`."""
        ...

    def during(self, period: Period) -> Keys:
        """Select the entries with a period that roughly meets `period`; the exact columns decide afterwards."""
        ...


def lookup(connection: Connection) -> Lookup:
    """Return the lookup of the connection's engine."""
    return _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL


def relevance(in_title: bool, exactly: bool, in_keywords: bool) -> int:
    """Return what one word adds to the relevance of a hit: 2 in the title, 1 more if whole there, 1 in the keywords."""
    return 2 * in_title + exactly + in_keywords


def _sum(conditions: Iterable[tuple[ColumnElement[bool], int]]) -> ColumnElement[int]:
    total: ColumnElement[int] = literal(0)
    for condition, points in conditions:
        total = total + case((condition, points), else_=0)
    return total


class _SQLite:
    def write(
        self,
        connection: Connection,
        key: int,
        texts: Sequence[Sequence[str]],
        boxes: Sequence[BBox],
        period: Period | None,
    ) -> None:
        title, keywords, body = (" ".join(dict.fromkeys(words)) for words in texts)
        row = {"rowid": key, "title": title, "keywords": keywords, "body": body}
        connection.execute(insert(schema.sqlite_text), row)
        starts, ends = period or (-FAR, FAR)
        for part, (west, south, east, north) in enumerate(boxes):
            exact = {"west": west, "east": east, "south": south, "north": north}
            near = {f"near_{name}": value for name, value in {**exact, "starts": starts, "ends": ends}.items()}
            connection.execute(insert(schema.sqlite_space), {"id": key * PARTS + part, **near, **exact})
        if period:
            connection.execute(insert(schema.sqlite_time), {"id": key, "near_starts": starts, "near_ends": ends})

    def forget(self, connection: Connection, key: int, boxes: int) -> None:
        connection.execute(delete(schema.sqlite_text).where(schema.sqlite_text.c.rowid == key))
        connection.execute(delete(schema.sqlite_time).where(schema.sqlite_time.c.id == key))
        for part in range(boxes):  # an R*Tree finds one id, not a range of them, without a scan
            connection.execute(delete(schema.sqlite_space).where(schema.sqlite_space.c.id == key * PARTS + part))

    def with_words(self, words: Sequence[Word]) -> Keys:
        return self._match(" AND ".join(_fts(word) for word in words))

    def score(self, words: Sequence[Word], key: ColumnElement[int]) -> ColumnElement[int]:
        return _sum(
            (key.in_(self._match(f"{column} : {_fts(word, whole=whole)}")), points)
            for word in words
            for column, whole, points in _POINTS
        )

    def within(self, boxes: Sequence[BBox], period: Period | None) -> Keys:
        at = schema.sqlite_space.c
        time = (at.near_starts <= period[1], at.near_ends >= period[0]) if period else ()
        return _either(
            select((at.id // PARTS).label("key")).where(
                *(at.near_west <= east, at.near_east >= west, at.near_south <= north, at.near_north >= south),
                *time,
                *(at.west <= east, at.east >= west, at.south <= north, at.north >= south),
            )
            for west, south, east, north in boxes
        )

    def during(self, period: Period) -> Keys:
        at = schema.sqlite_time.c
        return select(at.id.label("key")).where(at.near_starts <= period[1], at.near_ends >= period[0])

    def _match(self, expression: str) -> Select[Any]:
        at = schema.sqlite_text.c
        return select(at.rowid.label("key")).where(at.search_text.op("MATCH", is_comparison=True)(expression))


class _PostgreSQL:
    def write(
        self,
        connection: Connection,
        key: int,
        texts: Sequence[Sequence[str]],
        boxes: Sequence[BBox],
        period: Period | None,
    ) -> None:
        connection.execute(insert(schema.postgresql_text), {"key": key, "words": _vector(texts)})
        starts, ends = period or (-FAR, FAR)
        for part, (west, south, east, north) in enumerate(boxes):
            row = {"id": key * PARTS + part, "west": west, "east": east, "south": south, "north": north}
            connection.execute(insert(schema.postgresql_space), {**row, "starts": starts, "ends": ends})
        if period:
            connection.execute(insert(schema.postgresql_time), {"key": key, "starts": starts, "ends": ends})

    def forget(self, connection: Connection, key: int, boxes: int) -> None:
        connection.execute(delete(schema.postgresql_text).where(schema.postgresql_text.c.key == key))
        connection.execute(delete(schema.postgresql_time).where(schema.postgresql_time.c.key == key))
        if boxes:
            among = schema.postgresql_space.c.id.between(key * PARTS, key * PARTS + boxes - 1)
            connection.execute(delete(schema.postgresql_space).where(among))

    def with_words(self, words: Sequence[Word]) -> Keys:
        return self._match(" & ".join(_lexeme(word) for word in words))

    def score(self, words: Sequence[Word], key: ColumnElement[int]) -> ColumnElement[int]:
        at = schema.postgresql_text.c
        points = _sum(
            (_matches(_lexeme(word, _WEIGHTS[column], whole=whole)), points)
            for word in words
            for column, whole, points in _POINTS
        )
        return select(points).where(at.key == key).scalar_subquery()

    def within(self, boxes: Sequence[BBox], period: Period | None) -> Keys:
        at = schema.postgresql_space.c
        time = (_meets(at.period, func.int8range(period[0], period[1], "[]")),) if period else ()
        return _either(
            select((at.id // PARTS).label("key")).where(
                _meets(at.area, func.box(func.point(east, north), func.point(west, south))),
                *time,
                *(at.west <= east, at.east >= west, at.south <= north, at.north >= south),
            )
            for west, south, east, north in boxes
        )

    def during(self, period: Period) -> Keys:
        at = schema.postgresql_time.c
        return select(at.key).where(_meets(at.period, func.int8range(period[0], period[1], "[]")))

    def _match(self, expression: str) -> Select[Any]:
        return select(schema.postgresql_text.c.key).where(_matches(expression))


_POINTS: Final = (
    ("title", False, relevance(in_title=True, exactly=False, in_keywords=False)),
    ("title", True, relevance(in_title=False, exactly=True, in_keywords=False)),
    ("keywords", False, relevance(in_title=False, exactly=False, in_keywords=True)),
)
_WEIGHTS: Final = {"title": "A", "keywords": "B", "body": "D"}
_SQLITE: Final = _SQLite()
_POSTGRESQL: Final = _PostgreSQL()


def _fts(word: Word, *, whole: bool = False) -> str:
    return f'"{word.text}"*' if word.prefix and not whole else f'"{word.text}"'


def _lexeme(word: Word, weight: str = "", *, whole: bool = False) -> str:
    mark = ("*" if word.prefix and not whole else "") + weight
    return f"'{word.text}':{mark}" if mark else f"'{word.text}'"


def _vector(texts: Sequence[Sequence[str]]) -> str:
    """Return the words as the text of a tsvector: one position per column, because only positions carry weights."""
    labels: dict[str, list[str]] = {}
    for position, (weight, words) in enumerate(zip(_WEIGHTS.values(), texts, strict=True), start=1):
        for word in dict.fromkeys(words):
            labels.setdefault(word, []).append(f"{position}{weight}")
    return " ".join(f"'{word}':{','.join(at)}" for word, at in labels.items())


def _matches(expression: str) -> ColumnElement[bool]:
    return schema.postgresql_text.c.words.op("@@", is_comparison=True)(cast(expression, TSQUERY))


def _meets(column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
    return column.op("&&", is_comparison=True)(value)


def _either(statements: Iterable[Select[Any]]) -> Keys:
    several = list(statements)  # an entry with several boxes is found several times and is still one hit
    if len(several) == 1:
        return several[0].distinct()
    return select(union(*several).subquery("either").c.key)  # SQLite has no brackets around a set operation
