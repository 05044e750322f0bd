"""The schema's history: it leads, on both engines, to exactly what the table classes say."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import DateTime, bindparam, inspect, text
from sqlmodel import SQLModel

from connector.storage import index_schema, migrations, shelf_schema, tables
from connector.storage.work import Database
from tests.fixtures import Clock, NewUrl

BEFORE = """
INSERT INTO dataset
  (participant, origin, id, title, profile, record, fingerprint, version, state, offers, formats, created, updated)
VALUES ('us', :origin, :key, 'Rain', 'dcat-ap', :record, 'f', :version, 'published', '[]', '[]', :now, :now)
"""
"""A record as it was before versions were kept."""


def fresh(new_url: NewUrl, clock: Clock, new_id: Callable[[], str]) -> Database:
    """Return a database without any table."""
    return Database(new_url(empty=True), {}, clock, new_id)


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Say whether the table classes speak of a table: the projections keep their own, and their own tests."""
    return kind != "table" or not _projected(str(name))


def _projected(name: str) -> bool:
    return index_schema.owns(name) or shelf_schema.owns(name)


def test_there_is_one_head() -> None:
    """Two revisions that both claim to be the newest would leave half of the databases behind."""
    script = ScriptDirectory.from_config(migrations.configuration())
    assert len(migrations.heads()) == 1
    assert [revision.revision for revision in script.walk_revisions()][-1] == "0001"


def test_the_upgraded_schema_is_what_the_classes_say(new_url: NewUrl, clock: Clock, new_id: Callable[[], str]) -> None:
    """Tables, columns, types, nullability, keys, references and indexes: no difference either way."""
    database = fresh(new_url, clock, new_id)
    database.upgrade()
    options = {"compare_type": True, "include_name": ours, "target_metadata": SQLModel.metadata}
    with database.transaction() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata) == []
        assert schema(connection) == schema_of_classes()
    database.close()


def schema(connection: Any) -> dict[str, Any]:
    """Return what autogenerate does not compare: keys in their order, unique constraints and references."""
    look = inspect(connection)
    return {
        name: (
            look.get_pk_constraint(name)["constrained_columns"],
            sorted(look.get_columns(name)[number]["name"] for number in range(len(look.get_columns(name)))),
            sorted(sorted(unique["column_names"]) for unique in look.get_unique_constraints(name)),
            sorted((key["constrained_columns"], key["referred_table"]) for key in look.get_foreign_keys(name)),
        )
        for name in look.get_table_names()
        if name != "alembic_version" and not _projected(name)
    }


def schema_of_classes() -> dict[str, Any]:
    """Return the same of the table classes."""
    from sqlalchemy import UniqueConstraint  # noqa: PLC0415 - beside its one use

    return {
        table.name: (
            [column.name for column in table.primary_key],
            sorted(column.name for column in table.columns),
            sorted(
                sorted(column.name for column in constraint.columns)
                for constraint in table.constraints
                if isinstance(constraint, UniqueConstraint)
            ),
            sorted((key.column_keys, key.referred_table.name) for key in table.foreign_key_constraints),
        )
        for table in SQLModel.metadata.tables.values()
    }


def test_every_key_of_several_columns_starts_with_the_participant() -> None:
    """Every row is somebody's, and the engine finds it by whose it is first."""
    assert len(SQLModel.metadata.tables) == 20
    for table in SQLModel.metadata.tables.values():
        assert not table.columns["participant"].nullable
        key = [column.name for column in table.primary_key]
        assert key[0] == "participant" or table.name in {tables.Evidence.__tablename__, tables.OutboxRow.__tablename__}
        for index in table.indexes:
            first = next(iter(index.columns)).name
            assert first == "participant" or table.name == "outbox", f"{index.name} mixes participants"


def test_upgrading_again_changes_nothing(new_url: NewUrl, clock: Clock, new_id: Callable[[], str]) -> None:
    """Every start upgrades; on a database at the head that is a look."""
    database = fresh(new_url, clock, new_id)
    with database.transaction() as connection:
        assert migrations.current(connection) == ()
    for _ in range(2):
        database.upgrade()
        with database.transaction() as connection:
            assert migrations.current(connection) == migrations.heads()
    database.close()


def test_of_several_processes_that_start_one_upgrades(new_url: NewUrl, clock: Clock, new_id: Callable[[], str]) -> None:
    """Processes that start together neither fail nor upgrade twice."""
    url = new_url(empty=True)
    databases = [Database(url, {}, clock, new_id) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(Database.upgrade, databases))
    with databases[0].transaction() as connection:
        assert migrations.current(connection) == migrations.heads()
    for database in databases:
        database.close()


def test_an_upgrade_that_fails_leaves_nothing(
    new_url: NewUrl, clock: Clock, new_id: Callable[[], str], monkeypatch: Any
) -> None:
    """The whole upgrade is one transaction: a failure half way leaves the schema it found."""
    database = fresh(new_url, clock, new_id)

    def broken(_connection: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(index_schema, "create", broken)
    with pytest.raises(ZeroDivisionError):
        database.upgrade()
    with database.transaction() as connection:
        assert inspect(connection).get_table_names() == []
    database.close()


def test_what_was_registered_before_versions_is_a_version(
    new_url: NewUrl, clock: Clock, new_id: Callable[[], str]
) -> None:
    """Records of ours as they stand are kept under their number; copies of peers' records have no versions."""
    database = fresh(new_url, clock, new_id)
    with database.transaction() as connection:
        command.upgrade(migrations.configuration(connection), "0005")
        for origin, key, version in (("us", "urn:ours", 3), ("them", "urn:theirs", 1)):
            given = {"origin": origin, "key": key, "version": version, "record": b"<a> <b> <c> .", "now": clock()}
            connection.execute(text(BEFORE).bindparams(bindparam("now", type_=DateTime(timezone=True))), given)
    database.upgrade()
    with database.read("us") as work:
        (kept,) = work.select(tables.Version)
        assert (kept.dataset, kept.number, kept.record, kept.kind) == ("urn:ours", 3, b"<a> <b> <c> .", "dataset")
        assert {row.kind for row in work.select(tables.Dataset)} == {"dataset"}
    database.close()
