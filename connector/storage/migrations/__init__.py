"""The schema's history. Alembic runs it from here, without a configuration file."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for this folder, bound to an open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def heads() -> tuple[str, ...]:
    """Return the newest revisions; there is exactly one."""
    return tuple(ScriptDirectory.from_config(configuration()).get_heads())


def current(connection: Connection) -> tuple[str, ...]:
    """Return the revisions the database is at; empty for a new one."""
    return tuple(MigrationContext.configure(connection).get_current_heads())


def upgrade(connection: Connection) -> None:
    """Bring the schema to the head inside the connection's transaction."""
    if current(connection) != heads():
        command.upgrade(configuration(connection), "head")
