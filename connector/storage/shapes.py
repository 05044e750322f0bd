"""A table as the unit of work handles it: its columns and the statements that are written once and compiled once.

Rows do not go through SQLAlchemy's session. A unit of work touches a handful of rows by key, and Core statements do
that in a quarter of the time, without lazy loading and without rows that die with their session: what a unit of work
hands out are plain records.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypeVar, cast

from sqlalchemy import (
    JSON,
    ColumnElement,
    Delete,
    Insert,
    Select,
    Table,
    Update,
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

R = TypeVar("R", bound=SQLModel)
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Shape:
    """One table's columns, key and statements. `key` is the primary key without `participant`."""

    model: type[SQLModel]
    table: Table
    names: tuple[str, ...]
    json_names: frozenset[str]
    key: tuple[str, ...]

    def values_of(self, row: SQLModel) -> dict[str, Any]:
        """Return the columns of `row` as they may be written."""
        return values.columns({name: getattr(row, name) for name in self.names}, self.json_names)

    def key_of(self, row: Mapping[str, Any]) -> Key:
        """Return the key within the participant."""
        return tuple(row[name] for name in self.key)

    def frozen(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy that later changes to `row` cannot reach, JSON as text."""
        return {name: self.frozen_one(name, row[name]) for name in self.names}

    def frozen_one(self, name: str, value: Any) -> Any:
        """Return one column's value in that form."""
        return values.to_text(value) if name in self.json_names else value

    def restore(self, row: Mapping[str, Any]) -> SQLModel:
        """Return the record of a row that was read, without validating again what was checked when written."""
        record: SQLModel = self.model.__new__(self.model)
        manager_of_class(self.model).setup_instance(record)
        record.__dict__.update(row)
        return record

    def parameters(self, participant: str, key: Key) -> dict[str, Any]:
        """Return the parameters of `by_key`, `change` and `remove`."""
        return {"of_participant": participant, **{f"of_{name}": part for name, part in zip(self.key, key, strict=True)}}

    @cached_property
    def _is_the_row(self) -> ColumnElement[bool]:
        columns = self.table.c
        return and_(*(columns[name] == bindparam(f"of_{name}") for name in ("participant", *self.key)))

    @cached_property
    def by_key(self) -> Select[Any]:
        """The row with this key, if it is the participant's."""
        return select(self.table).where(self._is_the_row)

    @cached_property
    def by_key_locked(self) -> Select[Any]:
        """The same, kept from other writers until the transaction ends."""
        return self.by_key.with_for_update()

    @cached_property
    def insert(self) -> Insert:
        """A new row."""
        return insert(self.table).inline()

    @cached_property
    def remove(self) -> Delete:
        """Delete the row with this key, if it is the participant's."""
        return delete(self.table).where(self._is_the_row)

    def change(self, names: Iterable[str]) -> Update:
        """Set the columns `names` of the row with this key, if it is the participant's."""
        return _change(self, tuple(names))

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


@cache
def _change(shape: Shape, names: tuple[str, ...]) -> Update:
    return update(shape.table).where(shape._is_the_row).values({name: bindparam(name) for name in names})  # noqa: SLF001 - same module


@cache
def shape_of(model: type[SQLModel]) -> Shape:
    """Return the shape of a table class."""
    configure_mappers()
    table = cast("Table", model.__table__)  # type: ignore[attr-defined]
    names = tuple(column.name for column in table.columns)
    json_names = frozenset(column.name for column in table.columns if isinstance(column.type, JSON))
    key = tuple(column.name for column in table.primary_key if column.name != "participant")
    return Shape(model, table, names, json_names, key)
