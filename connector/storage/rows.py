"""What all tables share: whose row it is, moments, and JSON that stays as it was written."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, TypeDecorator
from sqlmodel import Field, SQLModel


class Moment(TypeDecorator[datetime]):
    """An aware moment, kept and returned in UTC to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Turn to UTC; a naive moment has no meaning and is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; give an aware datetime.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as above
        """Give back UTC: SQLite returns the moment bare, PostgreSQL in the session's zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite counts only a column of exactly this type, whose numbers have 64 bits there too.
Sequence64 = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON(none_as_null=True)
JsonObject = dict[str, Any]


class Row(SQLModel):
    """What every table shares: whose row it is."""

    participant: str = Field(primary_key=True)

    if not TYPE_CHECKING:  # for the type checker the fields are the arguments

        def __init__(self, **given: Any) -> None:
            """Make a record of the given fields and the defaults of the others.

            Nothing is validated, as in every SQLModel table; that is done when it is written. The library's own way
            takes twenty times as long.
            """
            fields = self.__pydantic_fields__
            if not given.keys() <= fields.keys():
                raise TypeError(f"{type(self).__name__} has no field {min(given.keys() - fields.keys())!r}.")
            missing = {name: field for name, field in fields.items() if name not in given}
            self.__dict__.update(given)
            self.__dict__.update({name: _default(type(self), name, field) for name, field in missing.items()})

        def __setattr__(self, name: str, value: Any) -> None:
            """Set a field and tell nobody: records live outside the library's sessions, `Work` compares."""
            if name in self.__pydantic_fields__:
                self.__dict__[name] = value
            else:
                super().__setattr__(name, value)


def _default(model: type[SQLModel], name: str, field: Any) -> Any:
    if field.is_required():
        raise TypeError(f"{model.__name__} needs the field {name!r}.")
    return field.default_factory() if field.default_factory is not None else field.default
