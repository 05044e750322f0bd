"""Statements in the driver's own words: written as Core, compiled once for each engine, run without Core.

Core builds, looks up and unpacks every time what is the same every time; on rows found by key that is most of the
work (figures in decision 0024). A `Statement` keeps the text and what has to be done to each value. JSON goes in and
comes out as text, so that it is serialised once, by the unit of work, and a moment in the form of its column.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import JSON, Column, Dialect, Executable, Text, cast
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from connector.storage.tables import Moment

Convert = Callable[[Any], Any]
Bound = Sequence[Any] | Mapping[str, Any]
"""Parameters as the driver wants them: in order (SQLite) or by name (PostgreSQL)."""


class Statement:
    """One statement for one engine."""

    __slots__ = ("_fixed", "_order", "_pick", "_writers", "text")

    def __init__(self, core: Executable, dialect: Dialect, names: Sequence[str] | None = None) -> None:
        """Compile `core`; of an insert, `names` are the columns that are given."""
        compiled = core.compile(dialect=dialect, column_keys=names)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - a narrowing of the library's own return type
        self.text = str(compiled)
        self._order: tuple[str, ...] = tuple(compiled.positiontup or compiled.params)
        self._fixed = {name: compiled.params[name] for name in self._order if not compiled.binds[name].required}
        found = [(place, writer(compiled.binds[name].type, dialect)) for place, name in enumerate(self._order)]
        self._writers = [(place, convert) for place, convert in found if convert is not None]
        self._pick = itemgetter(*self._order) if len(self._order) > 1 else None

    def bound(self, given: Mapping[str, Any], *, ordered: bool) -> Bound:
        """Return `given` as parameters.

        Raises:
            KeyError: a parameter is missing.
            ValueError: a moment is naive.
        """
        values = {**self._fixed, **given} if self._fixed else given
        picked = self._pick(values) if self._pick is not None else tuple(values[name] for name in self._order)
        if self._writers:
            picked = list(picked)
            for place, convert in self._writers:
                if picked[place] is not None:
                    picked[place] = convert(picked[place])
        return picked if ordered else dict(zip(self._order, picked, strict=True))


_KNOWN: Final[dict[tuple[Executable, str], Statement]] = {}


def statement(core: Executable, dialect: Dialect) -> Statement:
    """Return `core` compiled for an engine; for statements that are constants of a module."""
    known = _KNOWN.get((core, dialect.name))
    if known is None:
        known = _KNOWN[core, dialect.name] = Statement(core, dialect)
    return known


def writer(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """Return what turns a value into a parameter of this type, or None where it goes as it is; JSON goes as text."""
    if isinstance(kind, JSON):
        return None
    if isinstance(kind, Moment):
        return moment_to_text if dialect.name == "sqlite" else in_utc
    return kind.dialect_impl(dialect).bind_processor(dialect)


def reader(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """Return what turns a column's value into ours, or None where it comes as it is; JSON comes as text."""
    if isinstance(kind, JSON):
        return None
    if isinstance(kind, Moment):
        return moment_of_text if dialect.name == "sqlite" else in_utc
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def as_read(column: Column[Any], dialect: Dialect) -> Any:
    """Return what is selected for a column: JSON as text on both engines."""
    if isinstance(column.type, JSON) and dialect.name != "sqlite":
        return cast(column, Text).label(column.name)
    return column


MICROSECONDS: Final = 26
"""Length of a moment in SQLite: `2026-03-01 12:00:00.000000`."""


def moment_to_text(moment: datetime) -> str:
    """Return a moment as SQLite keeps it."""
    return in_utc(moment).isoformat(" ", "microseconds")[:MICROSECONDS]


def moment_of_text(text: str) -> datetime:
    """Return the moment that SQLite kept."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def in_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC; a naive one has no meaning and is refused."""
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; give an aware datetime.")
    return moment.astimezone(UTC)
