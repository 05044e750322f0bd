"""A table as the unit of work handles it: its columns and the statements that are written once and compiled once.

Rows do not go through SQLAlchemy's session. A unit of work touches a handful of rows by key, and Core statements do
that in a quarter of the time, without lazy loading and without rows that die with their session: what a unit of work
hands out are plain records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final, TypeVar, cast

import msgspec
from sqlalchemy import (
    JSON,
    ColumnElement,
    Delete,
    Dialect,
    Insert,
    Table,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.orm import configure_mappers
from sqlalchemy.orm.attributes import manager_of_class
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter, ColumnClause, TextClause
from sqlalchemy.sql.selectable import SelectBase
from sqlmodel import SQLModel

from connector.storage import values
from connector.storage.statements import Statement, as_read, reader

R = TypeVar("R", bound=SQLModel)
Key = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Shape:
    """One table's columns, key and statements. `key` is the primary key without `participant`."""

    model: type[SQLModel]
    table: Table
    names: tuple[str, ...]
    json_names: frozenset[str]
    key: tuple[str, ...]

    def values_of(self, row: SQLModel) -> dict[str, Any]:
        """Return the columns of `row` as they are written: JSON as text."""
        own = row.__dict__
        return self.written({name: own[name] for name in self.names})

    def written(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return columns as they are written; errors as for `values.column`."""
        return values.columns(fields, self.json_names)

    def key_of(self, row: Mapping[str, Any]) -> Key:
        """Return the key within the participant."""
        return tuple(row[name] for name in self.key)

    def plain(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """Return columns as our own values: JSON read."""
        row = dict(written)
        for name in self.json_names:
            if row[name] is not None:
                row[name] = msgspec.json.decode(row[name])
        return row

    def marks(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return what tells later whether a record's columns were changed, also deep inside JSON."""
        marks = {name: row[name] for name in self.names}
        for name in self.json_names:
            marks[name] = mark(row[name])
        return marks

    def restore(self, row: Mapping[str, Any]) -> SQLModel:
        """Return the record of a row that was read, without validating again what was checked when written.

        Args:
            row: the columns as our own values, JSON read.
        """
        record: SQLModel = self.model.__new__(self.model)
        manager_of_class(self.model).setup_instance(record)
        record.__dict__.update(row)
        return record

    def parameters(self, participant: str, key: Key) -> dict[str, Any]:
        """Return the parameters of `by_key`, `change` and `remove`."""
        return {"of_participant": participant, **dict(zip(self._key_names, key, strict=True))}

    @cached_property
    def _key_names(self) -> tuple[str, ...]:
        return tuple(f"of_{name}" for name in self.key)

    @cached_property
    def _is_the_row(self) -> ColumnElement[bool]:
        columns = self.table.c
        return and_(*(columns[name] == bindparam(f"of_{name}") for name in ("participant", *self.key)))

    @cached_property
    def insert(self) -> Insert:
        """A new row."""
        return insert(self.table).inline()

    @cached_property
    def remove(self) -> Delete:
        """Delete the row with this key, if it is the participant's."""
        return delete(self.table).where(self._is_the_row)

    def on(self, dialect: Dialect) -> "Prepared":
        """Return the statements for an engine."""
        known = _PREPARED.get((self, dialect.name))
        if known is None:
            known = _PREPARED[self, dialect.name] = Prepared(self, dialect)
        return known

    def where(self, participant: str, conditions: Sequence[ColumnElement[bool] | bool]) -> ColumnElement[bool]:
        """Return `conditions` narrowed to the participant's rows.

        Raises:
            ValueError: a condition speaks of anything but columns of this table and values: raw text, a literal
                column, another table or a subquery could each look past the participant.
        """
        for condition in conditions:
            self.check(condition)
        return and_(self.table.c.participant == participant, *cast("Sequence[ColumnElement[bool]]", conditions))

    def check(self, expression: object) -> None:
        """Refuse an expression that could look past the participant."""
        if isinstance(expression, bool):
            return
        if not isinstance(expression, visitors.ExternallyTraversible):
            expression = getattr(expression, "__clause_element__", lambda: None)()
        if not isinstance(expression, visitors.ExternallyTraversible):
            raise ValueError(f"A condition is built from columns of {self.table.name!r} and values.")  # noqa: TRY004 - one error for one rule
        for part in visitors.iterate(expression):
            foreign = isinstance(part, ColumnClause) and getattr(part.table, "name", None) != self.table.name
            text = isinstance(part, TextClause) or (isinstance(part, ColumnClause) and part.is_literal)
            callable_value = isinstance(part, BindParameter) and part.callable is not None
            if foreign or text or callable_value or isinstance(part, SelectBase):
                raise ValueError(f"A condition on {self.table.name!r} may only speak of its own columns: {part}.")


class Prepared:
    """One table's statements and conversions on one engine."""

    def __init__(self, shape: Shape, dialect: Dialect) -> None:
        self._shape = shape
        self._dialect = dialect
        self._columns = [as_read(column, dialect) for column in shape.table.columns]
        self._is_the_row = shape._is_the_row  # noqa: SLF001 - same module
        self._changes: dict[tuple[str, ...], Statement] = {}
        self._found: dict[tuple[str, ...], Statement] = {}
        kinds = {column.name: reader(column.type, dialect) for column in shape.table.columns}
        self._readers = [(name, convert) for name, convert in kinds.items() if convert is not None]
        of_key = select(*self._columns).where(self._is_the_row)
        self.by_key = Statement(of_key, dialect)
        self.by_key_locked = Statement(of_key.with_for_update(), dialect)
        self.insert = Statement(shape.insert, dialect, shape.names)
        self.remove = Statement(shape.remove, dialect)

    def change(self, names: tuple[str, ...]) -> Statement:
        """Set the columns `names` of the row with this key, if it is the participant's."""
        known = self._changes.get(names)
        if known is None:
            made = update(self._shape.table).where(self._is_the_row).values({name: bindparam(name) for name in names})
            known = self._changes[names] = Statement(made, self._dialect)
        return known

    def by(self, names: tuple[str, ...]) -> Statement:
        """Find the participant's rows whose columns `names` have the given values."""
        known = self._found.get(names)
        if known is None:
            columns = self._shape.table.c
            equal = and_(*(columns[name] == bindparam(f"of_{name}") for name in ("participant", *names)))
            known = self._found[names] = Statement(select(*self._columns).where(equal), self._dialect)
        return known

    def read(self, found: Sequence[Any]) -> dict[str, Any]:
        """Return a row as it was found: our own values, JSON still as text."""
        row = dict(zip(self._shape.names, found, strict=True))
        for name, convert in self._readers:
            if row[name] is not None:
                row[name] = convert(row[name])
        return row


def mark(value: Any) -> bytes | None:
    """Return the mark of a JSON value: the same for the same value, and quick to make. It is not its stored form."""
    if value is None:
        return None
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return b""  # no JSON any more: changed, and refused when it is written


_PREPARED: Final[dict[tuple[Shape, str], Prepared]] = {}


@cache
def shape_of(model: type[SQLModel]) -> Shape:
    """Return the shape of a table class."""
    configure_mappers()
    table = cast("Table", model.__table__)  # type: ignore[attr-defined]
    names = tuple(column.name for column in table.columns)
    json_names = frozenset(column.name for column in table.columns if isinstance(column.type, JSON))
    key = tuple(column.name for column in table.primary_key if column.name != "participant")
    return Shape(model, table, names, json_names, key)
